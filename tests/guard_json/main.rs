//! What content rules do to JSON: requests, whole answers and streams.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod answer;
mod request;
mod stream;

use neural_router::guard::{Action, Guard, Spec, Verdict};

/// A rule of phrases that looks at both sides.
fn terms(name: &str, action: Action, terms: &[&str]) -> Spec {
    let terms = terms.iter().map(|term| (*term).to_owned()).collect();
    Spec { name: name.to_owned(), terms, input: true, output: true, action, ..Spec::default() }
}

/// A rule of detectors that looks at both sides.
fn detect(name: &str, action: Action, detectors: &[&str]) -> Spec {
    let detect = detectors.iter().map(|detector| (*detector).to_owned()).collect();
    Spec { name: name.to_owned(), detect, input: true, output: true, action, ..Spec::default() }
}

fn compile(specs: &[Spec]) -> Guard {
    Guard::compile(specs).unwrap_or_else(|refused| panic!("{refused:?}"))
}

/// The new body and the notes, or why there are none.
fn redacted(verdict: Verdict) -> Result<(String, Vec<String>), String> {
    match verdict {
        Verdict::Redacted { body, notes, hits } => {
            let body = String::from_utf8(body).expect("UTF-8");
            serde_json::from_str::<serde::de::IgnoredAny>(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
            let counted = |(rule, times): &(String, usize)| {
                notes.iter().any(|note| note.starts_with(&format!("redacted {rule} in the ")) && note.ends_with(&format!("({times})")))
            };
            assert!(hits.iter().all(counted), "{hits:?} {notes:?}");
            Ok((body, notes))
        }
        Verdict::Blocked { rule } => Err(format!("blocked by {rule}")),
        Verdict::Clean => Err("clean".to_owned()),
    }
}

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("small")
    }
}
