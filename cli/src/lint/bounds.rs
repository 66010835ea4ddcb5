//! Budgets and limits that one request does not fit, or that never apply.
//!
//! They are held against a *typical request*: a prompt of 1,000 tokens and no `max_tokens`. For it a
//! budget has to have room for the longest answer the model gives, or that a guardrail allows, and a
//! token limit for 500 tokens of answer.

use neural_router::config::catalog::{Kind, Model};
use neural_router::config::document::{Key, Limits, Workspace};
use neural_router::config::policy::{NanoUsd, dollars};
use neural_router::config::{Tokens, Workspace as Resolved};
use neural_router::rank::EXPECTED_OUTPUT;

use super::{Policy, list};
use crate::finding::{Finding, Rule};

/// Prompt of a typical request.
const PROMPT: Tokens = Tokens(1000);

/// Budgets below what a typical request may cost.
pub(super) fn budgets(policy: &Policy<'_>) -> Vec<Finding> {
    let finding = |(w, (written, workspace)): (usize, (&Workspace, &Resolved))| {
        let budget = workspace.budget?;
        let bound = longest_allowed(written);
        let models = workspace.models(&policy.config.catalog).map(|(_, model)| (typical_price(model, bound), model));
        let above: Vec<(NanoUsd, &Model)> = models.filter(|(price, _)| *price > budget.cap).collect();
        let (most, dearest) = above.iter().max_by_key(|(price, _)| *price)?;
        Some(Finding {
            rule: Rule::BudgetBelowRequest,
            path: format!("workspaces[{w}].budget.usd"),
            what: format!(
                "${} is less than one request to {} may cost: ${} for 1,000 tokens of prompt and an answer of {} by `{}`",
                dollars(budget.cap),
                list(above.iter().map(|(_, model)| model.id.as_str())),
                dollars(*most),
                answer(dearest, bound).0,
                dearest.id
            ),
            why: "such requests, and those to \"auto\" that might reach these models, are refused with 402 unless they set a small max_tokens"
                .to_owned(),
            advice: "raise the budget, give these models a smaller max_output_tokens, or take them out of the workspace's models".to_owned(),
        })
    };
    policy.document.workspaces.iter().zip(policy.config.workspaces.iter()).enumerate().filter_map(finding).collect()
}

/// The most that a typical request may cost.
fn typical_price(model: &Model, bound: Option<u64>) -> NanoUsd {
    model.price.most(PROMPT, answer(model, bound))
}

fn answer(model: &Model, bound: Option<u64>) -> Tokens {
    match model.kind {
        Kind::Chat => Tokens(bound.map_or(model.max_output.0, |bound| bound.min(model.max_output.0))),
        Kind::Embedding => Tokens(0),
    }
}

/// The longest answer that the guardrails let a request ask for.
fn longest_allowed(workspace: &Workspace) -> Option<u64> {
    workspace.guardrails.iter().filter_map(|rule| rule.limit.as_ref()?.max_tokens).min()
}

/// Token limits below what a typical request sets aside.
pub(super) fn tokens(policy: &Policy<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (w, (workspace, resolved)) in policy.document.workspaces.iter().zip(policy.config.workspaces.iter()).enumerate() {
        let models = resolved.models(&policy.config.catalog);
        let reserved = models.map(|(_, model)| PROMPT.0 + answer(model, Some(EXPECTED_OUTPUT)).0).max().unwrap_or_default();
        let own = (format!("workspaces[{w}]"), workspace.limits.as_ref());
        let keys = workspace.keys.iter().enumerate().map(|(k, key)| (format!("workspaces[{w}].keys[{k}]"), key.limits.as_ref()));
        for (path, limits) in [own].into_iter().chain(keys) {
            let Some(limit) = limits.and_then(|limits| limits.tokens_per_minute).filter(|limit| *limit < reserved) else { continue };
            findings.push(Finding {
                rule: Rule::TokensBelowRequest,
                path: format!("{path}.limits.tokens_per_minute"),
                what: format!(
                    "{limit} tokens per minute are less than one typical request sets aside: {reserved}, for 1,000 tokens of prompt and the \
                     answer"
                ),
                why: "such a request is only admitted when none other was in the last minute".to_owned(),
                advice: format!("{reserved} at least, and so much for each request that is to run at the same time"),
            });
        }
    }
    findings
}

/// Limits of keys that their workspace's come before.
pub(super) fn keys(policy: &Policy<'_>) -> Vec<Finding> {
    let of_workspace = |(w, workspace): (usize, &'_ Workspace)| -> Vec<Finding> {
        let whole = figures(workspace.limits.as_ref(), |limits| limits.burst.or(limits.requests_per_minute));
        let of_key = |(k, key): (usize, &Key)| -> Vec<Finding> {
            figures(key.limits.as_ref(), |limits| limits.burst)
                .into_iter()
                .zip(whole)
                .filter_map(|((name, own), (_, whole))| {
                    let (own, whole) = (own?, whole?);
                    (own > whole).then(|| Finding {
                        rule: Rule::KeyAboveWorkspace,
                        path: format!("workspaces[{w}].keys[{k}].limits.{name}"),
                        what: format!("key `{}` has {own}, its workspace `{}` {whole}", key.id, workspace.id),
                        why: "a call has to fit both, so the limit of the key never applies".to_owned(),
                        advice: format!("lower it below {whole}, leave it out, or raise that of the workspace"),
                    })
                })
                .collect()
        };
        workspace.keys.iter().enumerate().flat_map(of_key).collect()
    };
    policy.document.workspaces.iter().enumerate().flat_map(of_workspace).collect()
}

/// Bursts that a service for the fleet, which counts minutes, does not let through.
pub(super) fn bursts(policy: &Policy<'_>) -> Vec<Finding> {
    if policy.config.sharing.is_none() {
        return Vec::new();
    }
    let finding = |path: String, limits: Option<&Limits>| {
        let (rate, burst) = (limits?.requests_per_minute?, limits?.burst?);
        (burst > rate).then(|| Finding {
            rule: Rule::BurstAboveFleet,
            path: format!("{path}.limits.burst"),
            what: format!("{burst} calls at once, of {rate} per minute"),
            why: format!("with `limits.scope: fleet` no minute of the clock has more than {rate}, so that such a burst is cut"),
            advice: format!("lower it to {rate} at most, or raise requests_per_minute"),
        })
    };
    let of = |(w, workspace): (usize, &Workspace)| -> Vec<Finding> {
        let own = finding(format!("workspaces[{w}]"), workspace.limits.as_ref());
        let keys = workspace.keys.iter().enumerate();
        own.into_iter().chain(keys.filter_map(|(k, key)| finding(format!("workspaces[{w}].keys[{k}]"), key.limits.as_ref()))).collect()
    };
    policy.document.workspaces.iter().enumerate().flat_map(of).collect()
}

/// What is written; the burst of a workspace is as large as its rate unless it is.
fn figures(limits: Option<&Limits>, burst: impl Fn(&Limits) -> Option<u64>) -> [(&'static str, Option<u64>); 3] {
    [
        ("requests_per_minute", limits.and_then(|limits| limits.requests_per_minute)),
        ("burst", limits.and_then(burst)),
        ("tokens_per_minute", limits.and_then(|limits| limits.tokens_per_minute)),
    ]
}
