//! `nr check`: is this file one that `nr` can render and the filter can run, and what does it allow?

use std::path::Path;

use neural_router::config::document::{Guardrail, Key, Limits, Period, Workspace};

use crate::failure::Failure;
use crate::{load, secrets};

/// Checks a file and says what it holds: in total, and for each workspace what it may use.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    let loaded = load::file(file)?;
    loaded.warn();
    for missing in loaded.document.providers.iter().flat_map(|(name, provider)| secrets::missing(name, provider)) {
        eprintln!("warning: {missing}");
    }
    let (catalog, workspaces) = (&loaded.config.catalog, &loaded.config.workspaces);
    println!(
        "ok: {}, {}, {}",
        count(catalog.providers().len(), "provider"),
        count(catalog.models().count(), "model"),
        count(workspaces.iter().count(), "workspace"),
    );
    for (written, resolved) in loaded.document.workspaces.iter().zip(workspaces.iter()) {
        print!("{}", summary(written, resolved.models(catalog).count()));
    }
    Ok(())
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A heading, a line for each kind of bound, and a line for each key that has bounds of its own.
fn summary(workspace: &Workspace, models: usize) -> String {
    let mut lines = vec![
        format!("{}: {}, {}", workspace.id, count(models, "model"), count(workspace.keys.len(), "key")),
        format!("  limits: {}", or_none(limits(workspace.limits.as_ref()))),
        format!("  budget: {}", or_none(budget(workspace))),
        format!("  guardrails: {}", or_none(workspace.guardrails.iter().map(rule).collect())),
    ];
    lines.extend(
        workspace
            .keys
            .iter()
            .map(|key| (key, own(key)))
            .filter(|(_, own)| !own.is_empty())
            .map(|(key, own)| format!("  key {}: {}", key.id, own.join(", "))),
    );
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn or_none(parts: Vec<String>) -> String {
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn limits(limits: Option<&Limits>) -> Vec<String> {
    let requests = limits.and_then(|limits| {
        let per_minute = limits.requests_per_minute?;
        Some(format!("{per_minute} requests per minute ({} at once)", limits.burst.unwrap_or(per_minute)))
    });
    let tokens = limits.and_then(|limits| limits.tokens_per_minute).map(|tokens| format!("{tokens} tokens per minute"));
    requests.into_iter().chain(tokens).collect()
}

fn budget(workspace: &Workspace) -> Vec<String> {
    let period = |period| match period {
        Period::Day => "per day",
        Period::Week => "per week",
        Period::Month => "per month",
        Period::Total => "in total",
    };
    workspace.budget.iter().map(|budget| format!("{} USD {}", budget.usd, period(budget.period))).collect()
}

fn rule(rule: &Guardrail) -> String {
    format!("{} ({} {})", rule.name, rule.action, rule.on.join(" and "))
}

/// What bounds a key besides its workspace.
fn own(key: &Key) -> Vec<String> {
    let models = key.models.as_ref().map(|models| format!("only {}", models.join(" ")));
    models.into_iter().chain(limits(key.limits.as_ref())).collect()
}
