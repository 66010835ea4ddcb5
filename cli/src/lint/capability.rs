//! What a workspace cannot do, and where it has nobody to fail over to.

use neural_router::config::catalog::{Kind, Model};
use neural_router::config::{Capability, Workspace};

use super::{Policy, list};
use crate::finding::{Finding, Rule};

/// Capabilities that models of the catalogue have, and none that the workspace may use.
pub(super) fn holes(policy: &Policy<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (w, workspace) in policy.config.workspaces.iter().enumerate() {
        let own = chat_models(policy, workspace);
        if own.is_empty() {
            continue;
        }
        for capability in Capability::ALL {
            let can = |model: &&Model| model.capabilities.contains(*capability);
            let others: Vec<&str> = policy
                .models()
                .map(|(_, _, model)| model)
                .filter(|model| model.kind == Kind::Chat)
                .filter(can)
                .map(|model| model.id.as_str())
                .collect();
            if others.is_empty() || own.iter().any(can) {
                continue;
            }
            findings.push(Finding {
                rule: Rule::CapabilityHole,
                path: format!("workspaces[{w}].models"),
                what: format!("no model of `{}` can do `{capability}`, which {} can", workspace.id, list(others.iter().copied())),
                why: format!("requests that need `{capability}` are refused with 400"),
                advice: format!("let the workspace use one of them; if it is not to have `{capability}`, say --allow capability-hole"),
            });
        }
    }
    findings
}

/// Workspaces whose chat models are all at one provider. Embedding models are left out: their vectors
/// cannot be mixed, so that each stands alone.
pub(super) fn providers(policy: &Policy<'_>) -> Vec<Finding> {
    let finding = |(w, workspace): (usize, &Workspace)| {
        let models = chat_models(policy, workspace);
        let mut providers: Vec<&str> = models
            .iter()
            .flat_map(|model| &model.deployments)
            .filter_map(|deployment| policy.config.catalog.provider(deployment))
            .map(|provider| provider.name.as_str())
            .collect();
        providers.sort_unstable();
        providers.dedup();
        let [provider] = providers.as_slice() else { return None };
        Some(Finding {
            rule: Rule::SingleProvider,
            path: format!("workspaces[{w}].models"),
            what: format!("provider `{provider}` is behind every chat model of `{}`", workspace.id),
            why: "when it fails or limits the calls, there is nobody else to ask: every call is 503".to_owned(),
            advice: "add a deployment at another provider, or let the workspace use a model that has one".to_owned(),
        })
    };
    policy.config.workspaces.iter().enumerate().filter_map(finding).collect()
}

fn chat_models<'a>(policy: &Policy<'a>, workspace: &Workspace) -> Vec<&'a Model> {
    policy.models().filter(|(_, index, model)| model.kind == Kind::Chat && workspace.may_use(*index)).map(|(_, _, model)| model).collect()
}
