//! As whom a question is asked: a workspace of a configuration, or one of its keys.

use neural_router::authenticate::Caller;
use neural_router::config::{Config, Key, Workspace};

use crate::failure::Failure;

/// A workspace with a key: one that stands in the file, or one of nobody that may use whatever the workspace may.
#[derive(Debug)]
pub(crate) struct Who<'c> {
    workspace: &'c Workspace,
    key: Key,
}

impl<'c> Who<'c> {
    /// Who is meant by the names given. The only workspace need not be named.
    pub(crate) fn of(config: &'c Config, workspace: Option<&str>, key: Option<&str>) -> Result<Self, Failure> {
        let candidates: Vec<Self> = config
            .workspaces
            .iter()
            .filter(|found| workspace.is_none_or(|id| found.id == id))
            .filter_map(|found| Self::in_workspace(config, &found.id, key))
            .collect();
        let ids: Vec<&str> = match candidates.is_empty() {
            true => config.workspaces.iter().map(|workspace| workspace.id.as_str()).collect(),
            false => candidates.iter().map(|who| who.workspace.id.as_str()).collect(),
        };
        let ids = ids.join(", ");
        match <[Self; 1]>::try_from(candidates) {
            Ok([who]) => Ok(who),
            Err(several) if !several.is_empty() => Err(Failure::new(format!("--workspace: say which one is meant: {ids}"))),
            Err(_) => Err(Failure::new(match (workspace.filter(|id| config.workspaces.named(id).is_none()), key) {
                (Some(id), _) => format!("--workspace: no workspace `{id}`; there are {ids}"),
                (None, Some(key)) => format!("--key-id: no key `{key}` in {}", workspace.unwrap_or(&ids)),
                (None, None) => "the configuration has no workspace".to_owned(),
            })),
        }
    }

    /// The workspace with this id, and its key of that name; without one, a key of nobody.
    fn in_workspace(config: &'c Config, id: &str, key: Option<&str>) -> Option<Self> {
        let (index, workspace) = config.workspaces.named(id)?;
        let key = match key {
            None => Key::of_nobody(index),
            Some(name) => config.workspaces.keys().find(|key| key.workspace == index && key.id == name)?.clone(),
        };
        Some(Self { workspace, key })
    }

    /// Who made a call that a log tells of: since keys come and go, one that is no more counts as its workspace.
    pub(crate) fn logged(config: &'c Config, workspace: &str, key: Option<&str>) -> Option<Self> {
        Self::in_workspace(config, workspace, key).or_else(|| Self::in_workspace(config, workspace, None))
    }

    /// As the filter knows it after it has seen the key.
    pub(crate) fn caller<'a>(&'a self) -> Caller<'a> {
        Caller { workspace: self.workspace, key: &self.key }
    }
}
