//! What is printed: for people, and for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Replayed;
use super::chance::Interval;
use super::comparison::{Comparison, Figures, Outcome};
use super::log::Log;
use super::replay::Policy;
use crate::columns::{self, Align};

/// Line numbers that are named before the rest is only counted.
const NAMED: usize = 8;

/// Fewer calls than these, and a percentile bootstrap is too narrow.
const FEW: usize = 30;

/// What sums leave of a difference that is none.
const NOTHING: f64 = 1e-9;

/// What became of every line.
pub(super) fn coverage(name: &str, log: &Log, policies: &[Policy], replayed: &Replayed<'_>) -> String {
    let mut rows = Vec::new();
    let mut left_out = |lines: &[usize], words: &str| rows.push(vec![lines.len().to_string(), format!("{words} ({})", places(lines))]);
    for (why, lines) in &log.left_out {
        left_out(lines, why.words());
    }
    if !log.bad.is_empty() {
        left_out(&log.bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), "cannot be read");
    }
    for (policy, refused) in policies.iter().zip(&replayed.refused) {
        for (why, lines) in refused {
            left_out(lines, &format!("{} has no answer: {why}", policy.name));
        }
    }
    let head = format!("{name}: {}, {} replayed", count(log.lines, "line"), count(replayed.calls.len(), "call"));
    let left_out = if rows.is_empty() { "" } else { "; left out:" };
    format!("{head}{left_out}\n{}", columns::lines(&[Align::Right], &rows))
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn places(lines: &[usize]) -> String {
    let named: Vec<String> = lines.iter().take(NAMED).map(usize::to_string).collect();
    let more = lines.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("line{} {}{more}", if lines.len() == 1 { "" } else { "s" }, named.join(", "))
}

/// The figures, the models, and what to make of them.
pub(super) fn table(policies: &[Policy], comparison: &Comparison) -> String {
    let mut rows = vec![["", "quality", "USD per 1000 calls", "latency, ms"].map(str::to_owned).to_vec()];
    for (policy, outcome) in policies.iter().zip(&comparison.outcomes) {
        rows.push(row(&format!("{} {}", policy.name, policy.file), &outcome.own, false));
        rows.push(row("  its control", &outcome.control, false));
        rows.push(row("  beyond its control", &outcome.over_control, true));
    }
    if let Some(difference) = &comparison.difference {
        rows.push(row("B less A", difference, true));
    }
    let figures = columns::lines(&[], &rows);
    format!("{figures}\n{}\n{}", models(policies, comparison), notes(policies, comparison))
}

fn row(name: &str, figures: &Figures, signed: bool) -> Vec<String> {
    let text = |Interval { mean, low, high }: Interval, decimals: usize| {
        // Not `-0.0000`.
        let number = |figure: f64| match (signed, format!("{figure:.decimals$}")) {
            (true, text) if text.bytes().all(|b| matches!(b, b'0' | b'.' | b'-')) => text.replace('-', ""),
            (true, text) if !text.starts_with('-') => format!("+{text}"),
            (_, text) => text,
        };
        format!("{} [{}, {}]", number(mean), number(low), number(high))
    };
    vec![name.to_owned(), text(figures.quality, 4), text(figures.usd_per_1000, 4), text(figures.latency_ms, 0)]
}

fn models(policies: &[Policy], comparison: &Comparison) -> String {
    let mut ids: Vec<&str> = Vec::new();
    for (id, _) in comparison.outcomes.iter().flat_map(|outcome| &outcome.mix) {
        if !ids.contains(&id.as_str()) {
            ids.push(id);
        }
    }
    let mut rows = vec![vec!["calls".to_owned()]];
    rows[0].extend(policies.iter().map(|policy| policy.name.to_owned()));
    for id in ids {
        let share = |outcome: &Outcome| {
            let calls = outcome.mix.iter().find(|(model, _)| model == id).map_or(0, |(_, calls)| *calls);
            format!("{calls} ({:.1} %)", calls as f64 * 100.0 / comparison.calls as f64)
        };
        rows.push(std::iter::once(id.to_owned()).chain(comparison.outcomes.iter().map(share)).collect());
    }
    columns::lines(&[Align::Left, Align::Right, Align::Right], &rows)
}

fn notes(policies: &[Policy], comparison: &Comparison) -> String {
    let mut notes = Vec::new();
    for (policy, outcome) in policies.iter().zip(&comparison.outcomes) {
        notes.push(format!("{} chose what the log says for {} of {} calls.", policy.name, outcome.as_logged, comparison.calls));
        let Interval { low, high, .. } = outcome.over_control.quality;
        if low <= NOTHING && high >= -NOTHING {
            notes.push(format!(
                "{} is not seen to be better than its control: 0 is within the interval, so that its mix may be all there is to it.",
                policy.name
            ));
        }
    }
    notes.push(
        "control: the policy's own models, each as often and for the same money within 5 %, given to the calls at random. Only \
         what a policy is beyond it is judgement; the rest is the mix."
            .to_owned(),
    );
    notes.push("quality: the catalogue's figures for the chosen models; nobody has measured these calls.".to_owned());
    notes.push(format!("[low, high]: 95 % of resamples of the {}.", count(comparison.calls, "call")));
    if comparison.calls < FEW {
        notes.push(format!("Fewer than {FEW} calls: the intervals are too narrow."));
    }
    notes.iter().map(|note| format!("{note}\n")).collect()
}

/// All of it as JSON.
pub(super) fn json(name: &str, log: &Log, policies: &[Policy], replayed: &Replayed<'_>, comparison: &Comparison, seed: u64) -> String {
    let left_out: Vec<Value> = log.left_out.iter().map(|(why, lines)| json!({"why": why.words(), "lines": lines})).collect();
    let bad: Vec<Value> = log.bad.iter().map(|(line, why)| json!({"line": line, "why": why})).collect();
    let policy = |((policy, outcome), refused): ((&Policy, &Outcome), &BTreeMap<String, Vec<usize>>)| {
        json!({
            "name": policy.name,
            "file": policy.file,
            "own": figures(&outcome.own),
            "control": figures(&outcome.control),
            "beyond_control": figures(&outcome.over_control),
            "calls_by_model": outcome.mix.iter().map(|(model, calls)| (model.clone(), json!(calls))).collect::<serde_json::Map<_, _>>(),
            "as_logged": outcome.as_logged,
            "no_answer": refused.iter().map(|(why, lines)| json!({"why": why, "lines": lines})).collect::<Vec<_>>(),
        })
    };
    let all = policies.iter().zip(&comparison.outcomes).zip(&replayed.refused).map(policy);
    json!({
        "log": name,
        "seed": seed,
        "lines": log.lines,
        "calls": comparison.calls,
        "left_out": left_out,
        "bad_lines": bad,
        "policies": all.collect::<Vec<_>>(),
        "b_less_a": comparison.difference.as_ref().map(figures),
    })
    .to_string()
}

fn figures(figures: &Figures) -> Value {
    let interval = |Interval { mean, low, high }: Interval| json!({"mean": mean, "low": low, "high": high});
    json!({
        "quality": interval(figures.quality),
        "usd_per_1000_calls": interval(figures.usd_per_1000),
        "latency_ms": interval(figures.latency_ms),
    })
}
