//! What the rules say of a request, and of any body that is looked at as a whole.

use super::text::review::Review;
use super::text::search::search;
use super::text::{Group, Walk};
use super::{RuleIndex, Rules};
use crate::openai::scan::Scan;

/// What the rules say of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found; the body stays as it is.
    Clean,
    /// The call ends.
    Blocked {
        /// Name of the rule.
        rule: String,
    },
    /// The body is replaced.
    Redacted {
        /// The new body: JSON, and the same as the old one but for what was found.
        body: Vec<u8>,
        /// What was done, for `routing.adjustments`.
        notes: Vec<String>,
        /// The rules that did it, with how many places.
        hits: Vec<(String, usize)>,
    },
}

impl Rules {
    /// Looks at the text of a chat or embeddings request, which is a JSON object.
    pub fn request(&self, body: &str) -> Verdict {
        if !self.may_match_or_have_parts(body.as_bytes(), &ARRAYS_OF_REQUESTS) {
            return Verdict::Clean;
        }
        // Ids of the catalogue and the caller's wishes for the choice among them.
        let skip = |depth: usize, name: &str| depth == 0 && matches!(name, "model" | "route");
        match self.review(body, skip, true) {
            Ok(review) => review.verdict("request"),
            Err(verdict) => verdict,
        }
    }

    /// Looks at the text of an object, see [`Walk`].
    pub(super) fn review<'r, 't>(&'r self, body: &'t str, skip: fn(usize, &str) -> bool, names: bool) -> Result<Review<'r, 't>, Verdict> {
        let mut review = Review::new(self, body);
        let mut scan = Scan::new(body);
        let mut look = |group: &Group<'_, 't>| review.look(group);
        let outcome = Walk { skip, names, each: &mut look }.object(&mut scan, 0);
        match outcome.and_then(|()| scan.end()) {
            Ok(()) => Ok(review),
            Err(_) => Err(self.found_in(body).map_or(Verdict::Clean, |rule| self.blocks(rule))),
        }
    }

    fn blocks(&self, rule: RuleIndex) -> Verdict {
        Verdict::Blocked { rule: self.name(rule).to_owned() }
    }

    /// The rule that finds something in a text as it stands: in what is no JSON, or nested too deep, so
    /// that nothing can be replaced.
    pub(super) fn found_in(&self, text: &str) -> Option<RuleIndex> {
        let mut hits = Vec::new();
        search(self, text, 0, true, &mut hits);
        hits.first().map(|hit| hit.rule)
    }
}

impl Review<'_, '_> {
    /// The verdict, with the new body if anything has to change. `what` is the request or the answer.
    pub(super) fn verdict(self, what: &str) -> Verdict {
        if let Some(rule) = self.blocked {
            return self.rules.blocks(rule);
        }
        if self.is_clean() {
            return Verdict::Clean;
        }
        let mut body = Vec::new();
        self.write(&mut body);
        Verdict::Redacted { body, notes: self.tally.notes(self.rules, what), hits: self.tally.hits(self.rules) }
    }
}

/// Arrays of objects in requests that are no parts.
const ARRAYS_OF_REQUESTS: [&str; 3] = [r#""messages""#, r#""tools""#, r#""tool_calls""#];
