//! What the router seat knows besides the call in hand: the configuration, and the ledger accounts
//! made from it once.

use std::rc::Rc;

use crate::authenticate::Caller;
use crate::config::Config;
use crate::config::workspace::KeyIndex;
use crate::ledger::Terms;
use crate::ledger::account::Account;
use crate::vitals::Snapshot;

/// The configuration with an account for every key that is limited.
pub(super) struct Gateway {
    /// The operator's file, checked.
    pub(super) config: Config,
    /// In the order of the keys; `None` for a key that nothing limits.
    accounts: Vec<Option<Account>>,
}

/// A call may outlive its bound by what Envoy needs to end it; afterwards its lease is nobody's.
const LEASE_SLACK_MS: u64 = 5_000;

impl Gateway {
    pub(super) fn new(config: Config) -> Self {
        let lease_ms = u64::from(config.routing.total_timeout_ms) + LEASE_SLACK_MS;
        let account = |key: &crate::config::workspace::Key| {
            let workspace = config.workspaces.get(key.workspace)?;
            let here = Terms { limits: workspace.limits, budget: workspace.budget, lease_ms };
            let own = Terms { limits: key.limits, budget: None, lease_ms };
            let account = Account::of(&workspace.id, here, &key.id, own);
            (!account.scopes.is_empty()).then_some(account)
        };
        let accounts = config.workspaces.keys().map(account).collect();
        Self { config, accounts }
    }

    /// Who a key is.
    pub(super) fn caller(&self, key: KeyIndex) -> Option<Caller<'_>> {
        Caller::of(&self.config.workspaces, key)
    }

    /// How the deployments have been doing, as of a moment ago.
    pub(super) fn vitals(&self, _now_ns: u64) -> Rc<Snapshot> {
        Rc::new(Snapshot::default())
    }

    /// The account that a key's calls are booked to.
    pub(super) fn account(&self, key: KeyIndex) -> Option<&Account> {
        self.accounts.get(key.position())?.as_ref()
    }
}
