//! What the rules say of a whole answer, and how an answer tells what was done to it.

use super::text::review::Review;
use super::{Rules, Verdict};
use crate::openai::members::{Members, NotAnObject, decode, encode};
use crate::openai::scan::{Scan, Stop};

/// Members of an answer, or of a chunk, that no model has written, and the probabilities of its words.
pub(super) fn is_no_answer(depth: usize, name: &str) -> bool {
    match name {
        "id" | "object" | "created" | "model" | "obfuscation" | "service_tier" | "system_fingerprint" | "usage" | "routing" => depth == 0,
        _ => name == "logprobs",
    }
}

/// Arrays of objects in answers that are no parts; the last is in `routing`.
const ARRAYS_OF_ANSWERS: [&str; 3] = [r#""choices""#, r#""tool_calls""#, r#""attempts""#];

/// Said when probabilities were taken out: they spell the text, token by token.
pub(super) const WITHOUT_LOGPROBS: &str = "left out logprobs, which repeat the text";

impl Rules {
    /// Looks at the text of a chat completion. What was done is added to its `routing.adjustments`.
    /// A body without `choices` has no text.
    pub fn answer(&self, body: &str) -> Verdict {
        // What takes least time first.
        let suspect = |bytes: &[u8]| may_have_choices(bytes) && self.may_match_or_have_parts(bytes, &ARRAYS_OF_ANSWERS);
        if !suspect(body.as_bytes()) || !has_choices(body) {
            return Verdict::Clean;
        }
        let mut review = match self.review(body, is_no_answer, false) {
            Ok(review) => review,
            Err(verdict) => return verdict,
        };
        let without_logprobs = review.blocked.is_none() && !review.is_clean() && leave_out_logprobs(&mut review, body);
        let (body, mut notes, hits) = match review.verdict("answer") {
            Verdict::Redacted { body, notes, hits } => (body, notes, hits),
            verdict => return verdict,
        };
        if without_logprobs {
            notes.push(WITHOUT_LOGPROBS.to_owned());
        }
        // It was UTF-8 and an object before, and only strings inside it have changed.
        let annotated = core::str::from_utf8(&body).ok().and_then(|text| annotated(text, &notes).ok());
        Verdict::Redacted { body: annotated.unwrap_or(body), notes, hits }
    }
}

/// Whether it is an answer in words.
fn has_choices(body: &str) -> bool {
    Members::read(body).map_or(true, |answer| answer.find("choices").is_some())
}

/// An embedding is long, and soon told apart.
fn may_have_choices(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"choices").is_some() || memchr::memchr(b'\\', body).is_some()
}

/// Whether any were there.
fn leave_out_logprobs<'t>(review: &mut Review<'_, 't>, body: &'t str) -> bool {
    let mut found = Vec::new();
    // All of it was gone over before.
    let _ = Scan::new(body).object(|scan, name| {
        if decode(name).as_deref() != Some("choices") || scan.peek() != Some(b'[') {
            return scan.value().map(drop);
        }
        scan.array(|scan, _| {
            if scan.peek() != Some(b'{') {
                return scan.value().map(drop);
            }
            scan.object(|scan, name| {
                let value = scan.value()?;
                if decode(name).as_deref() == Some("logprobs") && value != "null" {
                    found.push(value);
                }
                Ok::<_, Stop>(())
            })
        })
    });
    for value in &found {
        review.change(value, "null");
    }
    !found.is_empty()
}

/// An answer, or a chunk, with more notes in its `routing.adjustments`.
pub(super) fn annotated(body: &str, notes: &[String]) -> Result<Vec<u8>, NotAnObject> {
    let members = Members::read(body)?;
    let routing = members.find("routing").map(|member| member.value).filter(|value| value.starts_with('{')).unwrap_or("{}");
    let routing = Members::read(routing)?;
    let mut adjustments = match routing.find("adjustments").and_then(|member| member.value.strip_prefix('[')?.strip_suffix(']')) {
        Some(known) => ["[", known.trim_ascii()].concat().into_bytes(),
        None => b"[".to_vec(),
    };
    for note in notes {
        if adjustments.len() > 1 {
            adjustments.push(b',');
        }
        encode(note, &mut adjustments);
    }
    adjustments.push(b']');
    let mut changed = Vec::new();
    routing.rewrite(&[("adjustments", &String::from_utf8(adjustments).unwrap_or_default())], &mut changed);
    let mut out = Vec::with_capacity(body.len() + changed.len() + 16);
    members.rewrite(&[("routing", &String::from_utf8(changed).unwrap_or_default())], &mut out);
    Ok(out)
}
