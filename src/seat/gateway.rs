//! What the router seat knows besides the call in hand: the configuration, and the ledger accounts
//! made from it once.

use std::rc::Rc;

use crate::authenticate::Caller;
use crate::config::Config;
use crate::config::catalog::Deployment;
use crate::config::workspace::KeyIndex;
use crate::host::SharedData;
use crate::ledger::Terms;
use crate::ledger::account::Account;
use crate::vitals::{self, Cache, Snapshot, Trial};

/// The configuration with an account for every key that is limited.
pub(super) struct Gateway {
    /// The operator's file, checked.
    pub(super) config: Config,
    /// In the order of the keys; `None` for a key that nothing limits.
    accounts: Vec<Option<Account>>,
    /// What this worker knows of the deployments.
    pub(super) vitals: Cache,
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
        let vitals = Cache::of(&config.catalog);
        Self { config, accounts, vitals }
    }

    /// Who a key is.
    pub(super) fn caller(&self, key: KeyIndex) -> Option<Caller<'_>> {
        Caller::of(&self.config.workspaces, key)
    }

    /// How the deployments have been doing, as of a moment ago; nothing, where the choice is not to depend on it.
    pub(super) fn snapshot(&self, now_ns: u64) -> Rc<Snapshot> {
        if self.config.routing.adaptive { self.vitals.get(&SharedData, now_ns) } else { Rc::default() }
    }

    /// Whether a deployment that has cooled down is being tried out by another call. If by none, this one has the trial from
    /// now on, for at most so many milliseconds.
    pub(super) fn is_tried_out(&self, deployment: &Deployment, snapshot: &Snapshot, hold_ms: u64, now_ms: u64) -> bool {
        if snapshot.of(deployment).trial != Trial::Free {
            return false;
        }
        let claimed = vitals::claim(&SharedData, self.vitals.key(deployment), hold_ms, now_ms);
        self.vitals.forget();
        !claimed
    }

    /// The account that a key's calls are booked to.
    pub(super) fn account(&self, key: KeyIndex) -> Option<&Account> {
        self.accounts.get(key.position())?.as_ref()
    }
}
