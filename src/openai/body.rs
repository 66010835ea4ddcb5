//! What requests of every endpoint have in common: one walk over the body, readers for its plain
//! members, and the cuts that take our own members out of it.

use core::ops::Range;
use std::borrow::Cow;

use super::chat::BadRequest;
use super::members::{Member, Members, decode, placed};
use super::scan::{Scan, Stop};

/// Why a value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not JSON.
    Text(Stop),
    /// It is not what it should be.
    Invalid(BadRequest),
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        Self::Text(stop)
    }
}

/// Goes over a body once, and over so many values at most. `each` is told the name of every member
/// and has to go over its value; what it returns becomes the member's value, and may be empty if
/// nobody will ask for it.
pub(super) fn walk<'a>(
    body: &'a [u8],
    values: usize,
    mut each: impl FnMut(&mut Scan<'a>, &str) -> Result<&'a str, Fault>,
) -> Result<Members<'a>, BadRequest> {
    let text = simdutf8::basic::from_utf8(body).map_err(|_| BadRequest::NotUtf8)?;
    Members::read_with(Scan::bounded(text, values), |scan, name| {
        each(scan, name).map_err(|fault| match fault {
            Fault::Text(stop) => BadRequest::NotAnObject(placed(text, stop)),
            Fault::Invalid(bad) => bad,
        })
    })
}

/// The value of `model`.
pub(super) fn model<'a>(member: Option<&Member<'a>>) -> Result<Cow<'a, str>, BadRequest> {
    let Some(member) = member else { return Err(BadRequest::invalid("model", "required: a model id or `auto`")) };
    let name = decode(member.value).filter(|name| !name.is_empty());
    name.ok_or_else(|| BadRequest::invalid("model", "expected a model id or `auto`"))
}

/// A fault of the caller.
pub(super) fn invalid(expected: &str, param: String) -> Fault {
    Fault::Invalid(BadRequest::invalid(param, expected))
}

/// The next value is of another kind, unless it is no value at all.
pub(super) fn unexpected(scan: &mut Scan<'_>, expected: &str, param: impl FnOnce() -> String) -> Fault {
    match scan.value() {
        Ok(_) => invalid(expected, param()),
        Err(stop) => Fault::Text(stop),
    }
}

/// The parts of a body that do not go on to a provider, in the order of the text.
#[derive(Debug, Clone)]
pub(super) struct Cuts(Vec<Range<usize>>);

impl Cuts {
    /// Takes out the members of these names, and what stands before the opening brace: an
    /// OpenAI-protocol provider's body is begun anew there.
    pub(super) fn of(members: &Members<'_>, unwanted: impl Fn(&str) -> bool) -> Self {
        let mut cuts = members.cuts(|member| unwanted(&member.name));
        let text = members.text();
        let lead = text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len();
        if lead > 0 {
            cuts.insert(0, 0..lead);
        }
        Self(cuts)
    }

    /// The bytes that replace the first `usize` bytes of the body. Nothing behind the last cut has
    /// to be touched.
    pub(super) fn bare<'b>(&self, body: &'b [u8]) -> (usize, Cow<'b, [u8]>) {
        let part = |range: Range<usize>| body.get(range).unwrap_or_default();
        match self.0.as_slice() {
            [] => (0, Cow::Borrowed(&[])),
            // What most clients send, and no reason to copy a long conversation.
            [only] => (only.end, Cow::Borrowed(part(0..only.start))),
            [.., last] => {
                let mut kept = Vec::with_capacity(last.start);
                let mut from = 0;
                for cut in &self.0 {
                    kept.extend_from_slice(part(from..cut.start));
                    from = cut.end;
                }
                (last.end, Cow::Owned(kept))
            }
        }
    }
}
