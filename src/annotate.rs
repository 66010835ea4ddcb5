//! What the caller is told of the choice: the `routing` object.

use serde::Serialize;

use crate::attempt::Outcome;
use crate::handoff::{Plan, Trail};

#[derive(Serialize)]
struct Routing<'a> {
    selected: Option<&'a str>,
    objective: &'a str,
    candidates_considered: usize,
    reason: &'a str,
    provider: Option<&'a str>,
    attempts: Vec<Attempt<'a>>,
    adjustments: Vec<&'a str>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    model: &'a str,
    provider: &'a str,
    outcome: Outcome,
    status: Option<u16>,
    latency_ms: u64,
}

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
    let routing = Routing {
        selected: by.map(|(model, _)| model),
        objective: &plan.objective,
        candidates_considered: plan.considered,
        reason: moved.as_deref().unwrap_or(&plan.reason),
        provider: by.map(|(_, provider)| provider),
        attempts: trail
            .0
            .iter()
            .map(|a| Attempt { model: &a.model, provider: &a.provider, outcome: a.outcome, status: a.status, latency_ms: a.latency_ms })
            .collect(),
        adjustments: plan.adjustments.iter().chain(adjustments).map(String::as_str).collect(),
    };
    // Strings and numbers always serialise.
    serde_json::to_string(&routing).unwrap_or_default()
}
