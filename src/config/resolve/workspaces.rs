//! Workspaces and their keys.

use std::rc::Rc;

use super::{Checked, err, name, objective, policy, preference};
use crate::config::catalog::{Catalog, Model, ModelIndex, Objective};
use crate::config::document::{self, Document};
use crate::config::workspace::{Digest, Key, KeyIndex, Workspace, WorkspaceIndex, Workspaces, matches_glob};
use crate::config::{Preferences, Routing};

/// What all workspaces begin with.
pub(super) struct Common<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) objective: Objective,
    pub(super) preferences: Preferences,
    pub(super) routing: Routing,
}

pub(super) fn workspaces(document: &Document, common: &Common<'_>) -> Checked<Workspaces> {
    let catalog = common.catalog;
    let mut workspaces = Workspaces::default();
    if document.workspaces.is_empty() {
        return err("workspaces", "at least one workspace");
    }
    for (i, workspace) in document.workspaces.iter().enumerate() {
        let path = format!("workspaces[{i}]");
        let id = name(format!("{path}.id"), &workspace.id)?;
        if workspaces.all.iter().any(|other| other.id == id) {
            return err(format!("{path}.id"), format!("`{id}` stands twice"));
        }
        let models = allowed(&path, &workspace.models, catalog.models(), "the catalogue")?;
        let named = workspace.objective.as_deref().map(|name| objective(&format!("{path}.objective"), name)).transpose()?;
        let objective = named.unwrap_or(common.objective);
        let said = workspace.routing.clone().unwrap_or_default();
        let preferences = preference::preferences(&format!("{path}.routing"), &said, &common.preferences)?;
        let usable = models.iter().filter_map(|index| catalog.model(*index));
        let resolved = Workspace {
            id,
            objective,
            policy: preference::policy(catalog, usable, objective, &preferences, &common.routing),
            preferences,
            limits: policy::limits(&format!("{path}.limits"), workspace.limits.as_ref())?,
            budget: policy::budget(&format!("{path}.budget"), workspace.budget.as_ref())?,
            guard: Rc::new(policy::guard(&format!("{path}.guardrails"), &workspace.guardrails)?),
            models,
        };
        for (k, key) in workspace.keys.iter().enumerate() {
            let path = format!("{path}.keys[{k}]");
            // What a key has used is kept under its id.
            if workspace.keys.iter().take(k).any(|other| other.id == key.id) {
                return err(format!("{path}.id"), format!("`{}` stands twice in this workspace", key.id));
            }
            let Some(digest) = digest(&key.sha256) else {
                return err(format!("{path}.sha256"), "64 hexadecimal digits: the line that `nr key new` prints");
            };
            let key = self::key(&path, key, WorkspaceIndex(workspaces.all.len()), resolved.models(catalog))?;
            let index = KeyIndex(workspaces.keys.len());
            workspaces.keys.push(key);
            if workspaces.by_digest.insert(digest, index).is_some() {
                return err(format!("{path}.sha256"), "this key stands twice");
            }
        }
        workspaces.all.push(resolved);
    }
    Ok(workspaces)
}

fn key<'c>(
    path: &str,
    key: &document::Key,
    workspace: WorkspaceIndex,
    models: impl Iterator<Item = (ModelIndex, &'c Model)>,
) -> Checked<Key> {
    let patterns = key.models.as_deref();
    if patterns.is_some_and(<[String]>::is_empty) {
        return err(format!("{path}.models"), "at least one model; leave it out for all of the workspace");
    }
    Ok(Key {
        id: name(format!("{path}.id"), &key.id)?,
        workspace,
        limits: policy::limits(&format!("{path}.limits"), key.limits.as_ref())?,
        models: patterns.map(|patterns| allowed(path, patterns, models, "this workspace")).transpose()?,
    })
}

/// Those of `models` that one of the patterns names, in their order; `whose` they are is for the error.
fn allowed<'c>(
    path: &str,
    patterns: &[String],
    models: impl Iterator<Item = (ModelIndex, &'c Model)>,
    whose: &str,
) -> Checked<Vec<ModelIndex>> {
    let models: Vec<(ModelIndex, &str)> = models.map(|(index, model)| (index, model.id.as_str())).collect();
    for (i, pattern) in patterns.iter().enumerate() {
        if !models.iter().any(|(_, id)| matches_glob(pattern, id)) {
            return err(format!("{path}.models[{i}]"), format!("no model of {whose} matches `{pattern}`"));
        }
    }
    let named = models.into_iter().filter(|(_, id)| patterns.iter().any(|pattern| matches_glob(pattern, id)));
    Ok(named.map(|(index, _)| index).collect())
}

fn digest(hex: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    let nibble = |b: u8| char::from(b).to_digit(16);
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = u8::try_from(nibble(*high)? << 4 | nibble(*low)?).ok()?;
    }
    Some(digest)
}
