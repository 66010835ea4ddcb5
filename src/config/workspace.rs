//! Who may call, with which models, how much, and under which content rules.

use std::rc::Rc;

use hashbrown::HashMap;

use super::catalog::{Catalog, ModelIndex, Objective};
use super::policy::{Budget, Limits};
use super::preference::Preferences;
use crate::guard::Guard;

/// SHA-256 over a whole key.
pub type Digest = [u8; 32];

/// One tenant.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Name in logs.
    pub id: String,
    /// Objective of calls that name none.
    pub objective: Objective,
    /// How its objectives weigh.
    pub preferences: Preferences,
    /// Short name of all that a choice for it depends on besides the call and the traffic.
    pub policy: String,
    /// Rate limits of all its keys together.
    pub limits: Limits,
    /// Spending cap; none means no bound.
    pub budget: Option<Budget>,
    /// Content rules, which a call keeps for as long as it lasts.
    pub guard: Rc<Guard>,
    pub(super) models: Vec<ModelIndex>,
}

impl Workspace {
    /// Whether the model exists for this workspace.
    pub fn may_use(&self, model: ModelIndex) -> bool {
        self.models.binary_search(&model).is_ok()
    }

    /// The models it may use, in the order of the catalogue.
    pub fn models<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = (ModelIndex, &'a super::catalog::Model)> {
        self.models.iter().filter_map(|index| Some((*index, catalog.model(*index)?)))
    }
}

/// Position of a workspace in [`Workspaces`]; only they hand them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkspaceIndex(pub(super) usize);

impl WorkspaceIndex {
    /// Position in the order of [`Workspaces::iter`].
    pub const fn position(self) -> usize {
        self.0
    }
}

/// Position of a key in [`Workspaces`]; only they hand them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyIndex(pub(super) usize);

impl KeyIndex {
    /// Position in the order of [`Workspaces::keys`].
    pub const fn position(self) -> usize {
        self.0
    }
}

/// A key and whose it is.
#[derive(Debug, Clone)]
pub struct Key {
    /// Name in logs.
    pub id: String,
    /// Whose it is.
    pub workspace: WorkspaceIndex,
    /// Rate limits of this key alone, besides those of the workspace.
    pub limits: Limits,
    pub(super) models: Option<Vec<ModelIndex>>,
}

impl Key {
    /// A key that nobody has and that nothing limits, for questions about a workspace as a whole.
    pub fn of_nobody(workspace: WorkspaceIndex) -> Self {
        Self { id: String::new(), workspace, limits: Limits::default(), models: None }
    }

    /// Whether the key, of what its workspace may use, may use this model.
    pub fn may_use(&self, model: ModelIndex) -> bool {
        self.models.as_ref().is_none_or(|models| models.binary_search(&model).is_ok())
    }
}

/// All workspaces, found by the digest of a key.
#[derive(Debug, Clone, Default)]
pub struct Workspaces {
    pub(super) all: Vec<Workspace>,
    pub(super) keys: Vec<Key>,
    pub(super) by_digest: HashMap<Digest, KeyIndex>,
}

impl Workspaces {
    /// The stored digest equal to this one, and whose it is.
    ///
    /// The map is keyed by a digest of what the caller sent, which the caller cannot steer towards
    /// a stored one, so the time this takes says nothing about any key; the caller of this function
    /// still compares the digests in constant time.
    pub fn find(&self, digest: &Digest) -> Option<(&Digest, KeyIndex)> {
        self.by_digest.get_key_value(digest).map(|(stored, index)| (stored, *index))
    }

    /// The key at an index these workspaces handed out.
    pub fn key(&self, index: KeyIndex) -> Option<&Key> {
        self.keys.get(index.0)
    }

    /// Every key, in the order of the file.
    pub fn keys(&self) -> core::slice::Iter<'_, Key> {
        self.keys.iter()
    }

    /// The workspace at an index these workspaces handed out.
    pub fn get(&self, index: WorkspaceIndex) -> Option<&Workspace> {
        self.all.get(index.0)
    }

    /// The workspace with this id.
    pub fn named(&self, id: &str) -> Option<(WorkspaceIndex, &Workspace)> {
        let position = self.all.iter().position(|workspace| workspace.id == id)?;
        Some((WorkspaceIndex(position), self.all.get(position)?))
    }

    /// Every workspace, in the order of the file.
    pub fn iter(&self) -> core::slice::Iter<'_, Workspace> {
        self.all.iter()
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of characters.
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(first) = pieces.next() else { return false };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(previous) = last.replace(piece) {
            let Some((_, after)) = rest.split_once(previous) else { return false };
            rest = after;
        }
    }
    match last {
        None => rest.is_empty(),
        Some(suffix) => rest.ends_with(suffix),
    }
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn globs_match_whole_ids() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "gpt-4o", true),
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "my-gpt-4o", false),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "gpt-4o-mini-2", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("", "", true),
        ] {
            assert_eq!(matches_glob(pattern, text), expected, "{pattern} against {text}");
        }
    }
}
