//! What each workspace may use, by the configuration: of how much something is left.

use std::collections::BTreeMap;

use neural_router::config::Document;

/// The limits of a workspace; `None` for what is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Allowance {
    /// At once.
    pub(super) requests: Option<f64>,
    /// A minute.
    pub(super) tokens: Option<f64>,
    /// A period.
    pub(super) usd: Option<f64>,
}

/// The limits of every workspace; of none, without a configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowances(BTreeMap<String, Allowance>);

impl Allowances {
    pub(super) fn read(document: &Document) -> Self {
        let of = |workspace: &neural_router::config::document::Workspace| {
            let limits = workspace.limits.as_ref();
            let requests = limits.and_then(|limits| limits.burst.or(limits.requests_per_minute)).map(|number| number as f64);
            let tokens = limits.and_then(|limits| limits.tokens_per_minute).map(|number| number as f64);
            let usd = workspace.budget.as_ref().map(|budget| budget.usd);
            (workspace.id.clone(), Allowance { requests, tokens, usd })
        };
        Self(document.workspaces.iter().map(of).collect())
    }

    /// Those of a workspace.
    pub(super) fn of(&self, workspace: &str) -> Allowance {
        self.0.get(workspace).copied().unwrap_or_default()
    }
}
