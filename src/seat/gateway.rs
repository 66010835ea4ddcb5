//! What the router seat knows besides the call in hand: the configuration, and the ledger accounts
//! made from it once.

use std::rc::Rc;

use super::fleet::Fleet;
use super::measure;
use crate::authenticate::Caller;
use crate::config::Config;
use crate::config::Workspace;
use crate::config::catalog::Deployment;
use crate::config::policy::Limits;
use crate::config::workspace::KeyIndex;
use crate::fleet;
use crate::host::SharedData;
use crate::ledger::account::Account;
use crate::ledger::headers::headers;
use crate::ledger::{Standing, Store as _, Terms};
use crate::meter::Metric;
use crate::vitals::{self, Cache, Snapshot, Trial};

/// The configuration with an account for every key that is limited.
pub(super) struct Gateway {
    /// The operator's file, checked.
    pub(super) config: Config,
    /// In the order of the keys; `None` for a key that nothing limits.
    accounts: Vec<Option<Account>>,
    /// Of the workspaces alone, for gauges, by their positions: those that something limits.
    limited: Vec<(usize, String, Account)>,
    /// What counts for all Envoys; none where each counts alone.
    pub(super) fleet: Option<Fleet>,
    /// What this worker knows of the deployments.
    pub(super) vitals: Cache,
}

/// How old a gauge may be. Envoy merges its histograms as often.
pub(super) const GAUGES_MS: u64 = 5_000;

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
        let of_workspace = |(position, workspace): (usize, &Workspace)| {
            let here = Terms { limits: workspace.limits, budget: workspace.budget, lease_ms };
            let account = Account::of(&workspace.id, here, "", Terms { limits: Limits::default(), budget: None, lease_ms });
            (!account.scopes.is_empty()).then(|| (position, workspace.id.clone(), account))
        };
        let limited = config.workspaces.iter().enumerate().filter_map(of_workspace).collect();
        let vitals = Cache::of(&config.catalog);
        let idle_ms = if config.label_sets > 0 { GAUGES_MS } else { 0 };
        let fleet = config.sharing.as_ref().map(|sharing| Fleet::new(sharing, &config.workspaces, idle_ms));
        Self { config, accounts, limited, fleet, vitals }
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

    /// Sets the gauges, unless another worker has within `period_ms`: what is left of limits and budgets, and who
    /// cools down. Nobody's call waits for that.
    pub(super) fn tell_gauges(&self, now_ns: u64, period_ms: u64) {
        let now_ms = now_ns / 1_000_000;
        if !is_next(now_ms, period_ms) {
            return;
        }
        for (position, workspace, account) in &self.limited {
            let here = account.standing(&SharedData, now_ns);
            // As callers are told.
            let fleet = self.fleet.as_ref().and_then(|fleet| fleet.workspace(*position));
            let standing = fleet.map_or(here, |fleet| fleet.tighten(&SharedData, here, None, now_ns));
            for (limit, gauge) in [("requests", standing.requests), ("tokens", standing.tokens)] {
                if let Some(gauge) = gauge {
                    measure::tell(Metric::LimitRemaining, &[workspace, limit], gauge.remaining);
                }
            }
            if let Some(budget) = standing.budget {
                measure::tell(Metric::BudgetRemaining, &[workspace], budget.remaining().0);
                measure::tell(Metric::BudgetCap, &[workspace], budget.cap.0);
            }
        }
        let catalog = &self.config.catalog;
        let snapshot = self.vitals.get(&SharedData, now_ns);
        for (_, model) in catalog.models() {
            for deployment in &model.deployments {
                let Some(provider) = catalog.provider(deployment) else { continue };
                // Two deployments of one provider are one label set: it cools while either does.
                let alike = |other: &&Deployment| catalog.provider(other).is_some_and(|other| other.name == provider.name);
                let cools = |other: &Deployment| snapshot.of(other).cooling_until_ms.is_some();
                let cooling = model.deployments.iter().filter(alike).any(cools);
                measure::tell(Metric::Cooling, &[&model.id, &provider.name], cooling.into());
            }
        }
    }

    /// The account that a key's calls are booked to.
    pub(super) fn account(&self, key: KeyIndex) -> Option<&Account> {
        self.accounts.get(key.position())?.as_ref()
    }

    /// Where a key stands with its limits, for headers; nothing if it has none.
    pub(super) fn standing(&self, key: KeyIndex, now_ns: u64) -> Vec<(&'static str, String)> {
        let Some(account) = self.account(key) else { return Vec::new() };
        let standing = account.standing(&SharedData, now_ns);
        headers(&self.tighten(key, standing, None, now_ns))
    }

    /// Its counters in the service that counts for all Envoys, if there is one.
    pub(super) fn fleet_account(&self, key: KeyIndex) -> Option<&fleet::Account> {
        self.fleet.as_ref()?.account(key).map(Rc::as_ref)
    }

    /// The tighter of what this Envoy knows and what it has heard of the fleet's service, if there is one.
    pub(super) fn tighten(&self, key: KeyIndex, standing: Standing, of_key: Option<bool>, now_ns: u64) -> Standing {
        self.fleet_account(key).map_or(standing, |account| account.tighten(&SharedData, standing, of_key, now_ns))
    }
}

/// Whose turn it is to set the gauges: every worker is asked, and one is enough.
fn is_next(now_ms: u64, period_ms: u64) -> bool {
    const KEY: &str = "nr.gauges";
    let (told, version) = SharedData.read(KEY);
    let told_ms = told.and_then(|told| told.try_into().ok()).map_or(0, u64::from_le_bytes);
    // The workers' timers are not exact, and a clock may be set back.
    now_ms.abs_diff(told_ms) >= period_ms / 2 && SharedData.swap(KEY, &now_ms.to_le_bytes(), version)
}
