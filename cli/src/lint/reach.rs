//! What nobody can reach.

use super::{Policy, list};
use crate::finding::{Finding, Rule};

/// Models that no key may use.
pub(super) fn models(policy: &Policy<'_>) -> Vec<Finding> {
    let callers = policy.callers();
    let unused = policy.models().filter(|(_, index, _)| !callers.iter().any(|caller| caller.may_use(*index)));
    let finding = |(i, index, model)| {
        let model: &neural_router::config::Model = model;
        let listed = policy.config.workspaces.iter().any(|workspace| workspace.may_use(index));
        Finding {
            rule: Rule::UnusedModel,
            path: format!("models[{i}].id"),
            what: format!("{} may use `{}`", if listed { "no key" } else { "no workspace" }, model.id),
            why: "it is never answered with".to_owned(),
            advice: format!(
                "add it to the `models` of {}, or take it out of the catalogue",
                if listed { "a key of its workspace" } else { "a workspace" }
            ),
        }
    };
    unused.map(finding).collect()
}

/// Providers at which no model is.
pub(super) fn providers(policy: &Policy<'_>) -> Vec<Finding> {
    let deployments = || policy.document.models.iter().flat_map(|model| &model.deployments);
    let unused = policy.document.providers.keys().filter(|name| !deployments().any(|deployment| deployment.provider == **name));
    let finding = |name: &String| Finding {
        rule: Rule::UnusedProvider,
        path: format!("providers.{name}"),
        what: format!("no model has a deployment at `{name}`"),
        why: "it is never asked, and its key is kept for nothing".to_owned(),
        advice: "add it to the `deployments` of a model, or take it out".to_owned(),
    };
    unused.map(finding).collect()
}

/// Workspaces that may use nothing. A pattern that matches nothing is an error already.
pub(super) fn workspaces(policy: &Policy<'_>) -> Vec<Finding> {
    let empty = policy.config.workspaces.iter().enumerate().filter(|(_, workspace)| workspace.models(&policy.config.catalog).count() == 0);
    let finding = |(w, workspace): (usize, &neural_router::config::Workspace)| Finding {
        rule: Rule::EmptyWorkspace,
        path: format!("workspaces[{w}].models"),
        what: format!("`{}` may use no model", workspace.id),
        why: "every call of its keys is refused with 404".to_owned(),
        advice: "list ids or globs, or \"*\" for all models".to_owned(),
    };
    empty.map(finding).collect()
}

/// Deployments behind as many others of their model as are tried for one call.
pub(super) fn deployments(policy: &Policy<'_>) -> Vec<Finding> {
    let tried = policy.document.routing.max_attempts as usize;
    let finding = |(i, model): (usize, &neural_router::config::document::Model)| {
        let late = model.deployments.get(tried..).filter(|late| !late.is_empty())?;
        Some(Finding {
            rule: Rule::LateDeployment,
            path: format!("models[{i}].deployments[{tried}]"),
            what: format!(
                "`{}` has {} deployments and routing.max_attempts is {tried}; {} {} beyond it",
                model.id,
                model.deployments.len(),
                list(late.iter().map(|deployment| deployment.provider.as_str())),
                if late.len() == 1 { "is" } else { "are" }
            ),
            why: "a deployment there is only tried when one before it cannot take the request at all".to_owned(),
            advice: format!("raise routing.max_attempts to {} (16 at most), or take out deployments", model.deployments.len().min(16)),
        })
    };
    policy.document.models.iter().enumerate().filter_map(finding).collect()
}
