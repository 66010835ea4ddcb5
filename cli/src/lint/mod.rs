//! What a configuration says that nobody can have meant: models that are never picked, bounds that no
//! request fits, things nobody can reach. All of it runs; `nr check` warns of it.
//!
//! Rules look at the figures of the file only. What they say of the ranking holds for "auto", where
//! the ranking goes by these figures.

mod bounds;
mod capability;
mod dominated;
mod price;
mod reach;
mod timeout;

use neural_router::config::catalog::{Kind, Model};
use neural_router::config::{Config, Document, Key, ModelIndex, Workspace};

use crate::finding::Finding;
use crate::load::Loaded;

/// Everything there is to say about a policy, rule by rule.
pub(crate) fn findings(loaded: &Loaded) -> Vec<Finding> {
    let policy = Policy { document: &loaded.document, config: &loaded.config };
    let rules = [
        dominated::models,
        price::free,
        price::zero,
        reach::models,
        reach::providers,
        reach::workspaces,
        reach::deployments,
        capability::holes,
        capability::providers,
        bounds::budgets,
        bounds::tokens,
        bounds::keys,
        bounds::bursts,
        timeout::order,
    ];
    rules.iter().flat_map(|rule| rule(&policy)).collect()
}

/// The file as written and as resolved; both hold models and workspaces in the same order.
struct Policy<'a> {
    document: &'a Document,
    config: &'a Config,
}

impl<'a> Policy<'a> {
    /// Whoever calls: each key, and for a workspace without keys the workspace itself.
    fn callers(&self) -> Vec<Caller<'a>> {
        let workspaces = &self.config.workspaces;
        let keys_of = |workspace: &'a Workspace| {
            workspaces.keys().filter(move |key| workspaces.get(key.workspace).is_some_and(|other| other.id == workspace.id))
        };
        let callers = |workspace: &'a Workspace| {
            let mut callers: Vec<Caller<'a>> = keys_of(workspace).map(|key| Caller { workspace, key: Some(key) }).collect();
            if callers.is_empty() {
                callers.push(Caller { workspace, key: None });
            }
            callers
        };
        workspaces.iter().flat_map(callers).collect()
    }

    /// Every model with its position.
    fn models(&self) -> impl Iterator<Item = (usize, ModelIndex, &'a Model)> {
        self.config.catalog.models().enumerate().map(|(i, (index, model))| (i, index, model))
    }
}

struct Caller<'a> {
    workspace: &'a Workspace,
    key: Option<&'a Key>,
}

impl Caller<'_> {
    fn may_use(&self, model: ModelIndex) -> bool {
        self.workspace.may_use(model) && self.key.is_none_or(|key| key.may_use(model))
    }
}

/// `` `a` ``, `` `a` and `b` ``, `` `a`, `b` and 2 more ``.
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, third] => format!("{first}, {second} and {third}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

/// What requests of this kind are called.
fn calls(kind: Kind) -> &'static str {
    match kind {
        Kind::Chat => "chat",
        Kind::Embedding => "embedding",
    }
}
