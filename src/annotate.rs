//! What the caller is told of the choice: the `routing` object.

use crate::handoff::{Plan, Trail};
use crate::openai::members::{encode, encode_number};

/// The `routing` object of an answer by the last attempt of the trail.
pub fn answered(plan: &Plan, trail: &Trail, adjustments: &[String]) -> String {
    let last = trail.0.last();
    write(plan, trail, adjustments, last.map(|attempt| (attempt.model.as_str(), attempt.provider.as_str())))
}

/// The `routing` object of a call nobody answered.
pub fn unanswered(plan: &Plan, trail: &Trail) -> String {
    write(plan, trail, &[], None)
}

fn write(plan: &Plan, trail: &Trail, adjustments: &[String], by: Option<(&str, &str)>) -> String {
    let served_first = trail.0.len() <= 1;
    let moved = by.filter(|_| !served_first).map(|(model, provider)| {
        let failed = trail.0.len() - 1;
        format!("{}; {failed} failed before {model} at {provider} answered", plan.reason)
    });
    let mut out = Vec::with_capacity(USUAL_BYTES);
    out.extend_from_slice(br#"{"selected":"#);
    name(by.map(|(model, _)| model), &mut out);
    out.extend_from_slice(br#","objective":"#);
    encode(&plan.objective, &mut out);
    out.extend_from_slice(br#","candidates_considered":"#);
    encode_number(plan.considered as u64, &mut out);
    out.extend_from_slice(br#","reason":"#);
    encode(moved.as_deref().unwrap_or(&plan.reason), &mut out);
    out.extend_from_slice(br#","provider":"#);
    name(by.map(|(_, provider)| provider), &mut out);
    out.extend_from_slice(br#","attempts":"#);
    list(&trail.0, &mut out, |attempt, out| {
        attempt.write(out);
        out.push(b'}');
    });
    out.extend_from_slice(br#","adjustments":"#);
    list(plan.adjustments.iter().chain(adjustments), &mut out, |adjustment, out| encode(adjustment, out));
    out.push(b'}');
    // Made of texts.
    String::from_utf8(out).unwrap_or_default()
}

/// Room for a call with two attempts, so that it is mostly allocated once.
const USUAL_BYTES: usize = 512;

fn name(name: Option<&str>, out: &mut Vec<u8>) {
    match name {
        Some(name) => encode(name, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn list<T>(items: impl IntoIterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    let mut before = b'[';
    for item in items {
        out.push(before);
        write(item, out);
        before = b',';
    }
    out.extend_from_slice(if before == b'[' { b"[]" } else { b"]" });
}
