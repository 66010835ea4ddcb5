//! `nr check`: is this file one that `nr` can render and the filter can run, what does it allow, and what of it can
//! nobody have meant?

use neural_router::config::document::{Guardrail, Key, Limits, Period, Workspace};
use serde_json::json;

use crate::failure::{Failure, print};
use crate::finding::{Finding, Rule};
use crate::load::{self, Loaded};
use crate::options::Check;
use crate::{certificate, lint, secrets};

/// Checks a file and says what it holds: in total, and for each workspace what it may use. Findings go
/// to standard error; with `--json` they are all that is printed, to standard output.
pub(crate) fn run(options: &Check) -> Result<(), Failure> {
    let file = &options.file;
    let text = load::read(file)?;
    let loaded = match load::text(&text) {
        Ok(loaded) => loaded,
        Err(error) => {
            if options.json {
                print(&format!("{}\n", json!({"severity": "error", "path": error.path, "what": error.message})))?;
            }
            return Err(Failure::new(format!("{}: {error}", file.display())));
        }
    };
    let findings = findings(&loaded, &options.allow);
    let mut lines = String::new();
    for finding in &findings {
        let Finding { rule, path, what, why, advice } = finding;
        if options.json {
            let line = json!({"severity": "warning", "rule": rule, "path": path, "what": what, "why": why, "do": advice});
            lines.push_str(&format!("{line}\n"));
        } else {
            eprintln!("warning: {finding} [{rule}]\n  help: {advice}");
        }
    }
    print(&if options.json { lines } else { overview(&loaded) })?;
    if options.strict && !findings.is_empty() {
        let warnings = count(findings.len(), "warning");
        return Err(Failure::new(format!(
            "{}: {warnings}, which --strict does not let pass; --allow RULE leaves out those of a rule",
            file.display()
        )));
    }
    Ok(())
}

/// Everything there is to warn of: what keeps the file from working here, and what its policy says amiss.
fn findings(loaded: &Loaded, allowed: &[Rule]) -> Vec<Finding> {
    let missing = loaded.document.providers.iter().flat_map(|(name, provider)| secrets::missing(name, provider));
    let missing = missing.map(|sentence| {
        let (path, what) = sentence.split_once(": ").unwrap_or((".", sentence.as_str()));
        Finding {
            rule: Rule::MissingSecret,
            path: path.to_owned(),
            what: what.to_owned(),
            why: "the provider will refuse every call".to_owned(),
            advice: "put it there before `nr up` or `nr render envoy --secrets`".to_owned(),
        }
    });
    let served = loaded.document.listen.tls.iter().flat_map(certificate::findings);
    let authorities = loaded.document.providers.iter().filter_map(|(name, provider)| {
        let (path, what) = certificate::untrusting(name, &provider.ca.as_ref()?.file)?.split_once(": ").map(owned)?;
        Some(Finding {
            rule: Rule::TlsFiles,
            path,
            what,
            why: "no certificate of the provider can be checked, so it is not called".to_owned(),
            advice: "put the authority's certificate there, PEM".to_owned(),
        })
    });
    let all = loaded.warnings().into_iter().chain(missing).chain(served).chain(authorities).chain(lint::findings(loaded));
    all.filter(|finding| !allowed.contains(&finding.rule)).collect()
}

fn owned((path, what): (&str, &str)) -> (String, String) {
    (path.to_owned(), what.to_owned())
}

fn overview(loaded: &Loaded) -> String {
    let (catalog, workspaces) = (&loaded.config.catalog, &loaded.config.workspaces);
    let total = format!(
        "ok: {}, {}, {}\n",
        count(catalog.providers().len(), "provider"),
        count(catalog.models().count(), "model"),
        count(workspaces.iter().count(), "workspace"),
    );
    let each = loaded.document.workspaces.iter().zip(workspaces.iter());
    [total].into_iter().chain(each.map(|(written, resolved)| summary(written, resolved.models(catalog).count()))).collect()
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
