//! What the caller is told of the choice: the `routing` object.

use crate::config::TaskClass;
use crate::config::policy::{NanoUsd, dollars};
use crate::handoff::{Plan, Trail};
use crate::openai::members::{encode, encode_number};
use crate::openai::{Endpoint, Request};
use crate::rank;

/// The `routing` object of an answer by the last attempt of the trail.
pub fn answered(plan: &Plan, trail: &Trail, adjustments: &[String]) -> String {
    let last = trail.0.last();
    write(plan, trail, adjustments, last.map(|attempt| (attempt.model.as_str(), attempt.provider.as_str())))
}

/// What was decided and on what, for the access log. Nothing of the prompt but its size.
pub fn logged(plan: &rank::Plan<'_>, request: &Request<'_>) -> Vec<u8> {
    let demand = request.demand();
    let mut out = Vec::with_capacity(USUAL_BYTES);
    out.extend_from_slice(br#"{"objective":"#);
    encode(plan.objective.name(), &mut out);
    let given: &[u8] = if request.route().objective.is_some() { br#","objective_given":true"# } else { b"" };
    out.extend_from_slice(given);
    if let Some(class) = plan.class {
        out.extend_from_slice(br#","task_class":"#);
        encode(class.name(), &mut out);
        out.extend_from_slice(br#","difficulty":"#);
        rank::fixed(plan.difficulty, 4, &mut out);
    }
    let given: &[u8] = if request.route().task_class.is_some() { br#","class_given":true"# } else { b"" };
    out.extend_from_slice(given);
    out.extend_from_slice(br#","policy":"#);
    encode(plan.policy, &mut out);
    let figures = [
        (&br#","prompt_tokens":"#[..], Some(demand.prompt_tokens)),
        (br#","max_output":"#, demand.max_output),
        (br#","n":"#, Some(demand.choices).filter(|n| *n != 1)),
        (br#","context_tokens":"#, Some(request.context_tokens())),
        (br#","max_latency_ms":"#, request.route().max_latency_ms.map(u64::from)),
        (br#","considered":"#, Some(plan.considered as u64)),
    ];
    for (name, figure) in figures {
        if let Some(figure) = figure {
            out.extend_from_slice(name);
            encode_number(figure, &mut out);
        }
    }
    out.extend_from_slice(br#","needs":"#);
    list(request.needs().names(), &mut out, encode);
    out.extend_from_slice(if request.stream() { br#","stream":true"# } else { br#","stream":false"# });
    if let Some(first) = plan.candidates.first() {
        out.extend_from_slice(br#","selected":"#);
        encode(&first.model.id, &mut out);
    }
    out.extend_from_slice(br#","estimated_cost_usd":"#);
    out.extend_from_slice(dollars(plan.estimated_cost).as_bytes());
    if let Some(propensity) = plan.propensity {
        out.extend_from_slice(br#","propensity":"#);
        rank::fixed(propensity, 6, &mut out);
    }
    out.push(b'}');
    out
}

/// The body of an answer that is only the decision, since the caller asked for no more.
pub fn decided(plan: &Plan) -> Vec<u8> {
    let (object, list) = match plan.endpoint {
        Endpoint::Chat => ("chat.completion", "choices"),
        Endpoint::Embeddings => ("list", "data"),
    };
    let selected = plan.candidates.first().map(|candidate| (candidate.model.as_str(), candidate.provider.as_str()));
    let mut out = br#"{"id":"#.to_vec();
    encode(&plan.id, &mut out);
    out.extend_from_slice(format!(r#","object":"{object}","created":{},"model":"#, plan.started_ms / 1000).as_bytes());
    name(selected.map(|(model, _)| model), &mut out);
    out.extend_from_slice(format!(r#","{list}":[],"routing":"#).as_bytes());
    out.extend_from_slice(write(plan, &Trail::default(), &[], selected).as_bytes());
    out.push(b'}');
    out
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
    out.extend_from_slice(br#","task_class":"#);
    name(plan.class.map(TaskClass::name), &mut out);
    out.extend_from_slice(br#","candidates_considered":"#);
    encode_number(plan.considered as u64, &mut out);
    out.extend_from_slice(br#","reason":"#);
    encode(moved.as_deref().unwrap_or(&plan.reason), &mut out);
    out.extend_from_slice(br#","provider":"#);
    name(by.map(|(_, provider)| provider), &mut out);
    out.extend_from_slice(br#","policy":"#);
    encode(&plan.policy, &mut out);
    out.extend_from_slice(br#","estimated_cost_usd":"#);
    out.extend_from_slice(dollars(NanoUsd(plan.estimated_nano_usd)).as_bytes());
    if let Some(ppm) = plan.propensity_ppm {
        out.extend_from_slice(br#","propensity":"#);
        rank::fixed(ppm as f64 / 1e6, 6, &mut out);
    }
    out.extend_from_slice(br#","attempts":"#);
    list(&trail.0, &mut out, |attempt, out| {
        attempt.write(out);
        out.push(b'}');
    });
    out.extend_from_slice(br#","adjustments":"#);
    list(plan.adjustments.iter().chain(adjustments), &mut out, |adjustment, out| encode(adjustment, out));
    if let Some(table) = &plan.table {
        out.extend_from_slice(br#","candidates":"#);
        out.extend_from_slice(table.as_bytes());
    }
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
