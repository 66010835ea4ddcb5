//! Calls that wait until the fleet's service has granted what they need, and the way to that service.
//!
//! A call is paused in its body callback, where its whole request is held, and decided on in a callback of the root
//! context, which speaks for the call then: a tick, or the service's answer. What the call needs to go on is in
//! [`Waiting`], which both the call and the desk know.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::dispatch::{self, Next, Sent, Ticket};
use super::gateway::Gateway;
use super::router::Arriving;
use super::watch::Watch;
use super::{reject, span};
use crate::config::Workspaces;
use crate::config::sharing::{CLUSTER, Sharing};
use crate::config::workspace::KeyIndex;
use crate::fleet::{Account, Caller, Decision, Desk, METHOD, SERVICE, Tally, Wire};
use crate::host::{self, SharedData, Statistics};
use crate::ledger::{Ask, Terms};
use crate::meter::{Ending, Kind, Registry as _};
use crate::rejection::Rejection;

/// The fleet as this worker knows it.
pub(super) struct Fleet {
    /// In the order of the keys.
    accounts: Vec<Rc<Account>>,
    /// Those of the workspaces alone, in their order.
    workspaces: Vec<Account>,
    desk: RefCell<Desk<Weak<Waiting>>>,
    way: Way,
    /// Milliseconds between the ticks that are asked for.
    period_ms: Cell<u64>,
    /// The same when nothing is to be done here.
    idle_ms: u64,
    metrics: Metrics,
}

/// To the service.
struct Way {
    timeout_ms: u32,
}

impl Wire for Way {
    fn send(&self, message: &[u8]) -> Option<u32> {
        host::call_service(CLUSTER, SERVICE, METHOD, message, self.timeout_ms)
    }
}

/// What docs/limits.md tells of. They are counted here and not by [`measure`](super::measure), since they are of the root
/// and not of a call. None, where nothing is measured.
#[derive(Default)]
struct Metrics {
    granted: Option<u32>,
    refused: Option<u32>,
    unavailable: Option<u32>,
    ambiguous: Option<u32>,
    available: Option<u32>,
}

impl Metrics {
    fn new() -> Self {
        let requests = |result: &str| Statistics.define(Kind::Counter, &format!("nr_fleet_requests_total.result={result};"));
        let metrics = Self {
            granted: requests("granted"),
            refused: requests("refused"),
            unavailable: requests("unavailable"),
            ambiguous: requests("ambiguous"),
            available: Statistics.define(Kind::Gauge, "nr_fleet_available"),
        };
        metrics.set_available(true);
        metrics
    }

    fn note(&self, tally: &Tally) {
        let counters = [
            (self.granted, tally.granted),
            (self.refused, tally.refused),
            (self.unavailable, tally.unavailable),
            (self.ambiguous, tally.ambiguous),
        ];
        for (counter, by) in counters {
            if let Some(counter) = counter.filter(|_| by > 0) {
                Statistics.add(counter, by);
            }
        }
        if let Some(available) = tally.available {
            self.set_available(available);
        }
    }

    fn set_available(&self, available: bool) {
        if let Some(gauge) = self.available {
            Statistics.record(gauge, available.into());
        }
    }
}

impl Fleet {
    /// With nothing asked for yet. `idle_ms`: how often the root is woken anyway, to measure; 0 for never, where nothing is
    /// measured.
    pub(super) fn new(sharing: &Sharing, workspaces: &Workspaces, idle_ms: u64) -> Self {
        let terms = |limits, budget| Terms { limits, budget, lease_ms: 0 };
        let of = |workspace: &crate::config::Workspace| Account::of(&workspace.id, &terms(workspace.limits, workspace.budget), sharing);
        // All keys of a workspace are held against the same counters.
        let shared: Vec<Account> = workspaces.iter().map(of).collect();
        let account = |key: &crate::config::Key| {
            let whole = workspaces.iter().zip(&shared).nth(key.workspace.position());
            let own = whole.map(|(workspace, _)| Account::of(&[&workspace.id, "/", &key.id].concat(), &terms(key.limits, None), sharing));
            Rc::new(own.zip(whole).map_or_else(Account::default, |(own, (_, whole))| own.and(whole)))
        };
        Self {
            accounts: workspaces.keys().map(account).collect(),
            workspaces: shared,
            desk: RefCell::new(Desk::new(sharing.clone())),
            way: Way { timeout_ms: sharing.timeout_ms },
            period_ms: Cell::new(idle_ms),
            idle_ms,
            metrics: if idle_ms > 0 { Metrics::new() } else { Metrics::default() },
        }
    }

    /// Decides on a call, unless it has to wait.
    pub(super) fn admit(&self, key: KeyIndex, ask: &Ask, now_ns: u64) -> Option<Decision> {
        let Some(account) = self.account(key) else { return Some(Decision::Admitted(Vec::new())) };
        let decision = self.desk.borrow_mut().admit(&SharedData, account, ask, now_ns);
        self.schedule();
        decision
    }

    /// A call waits from now on.
    pub(super) fn wait(&self, key: KeyIndex, ask: Ask, who: &Rc<Waiting>, now_ns: u64) {
        if let Some(account) = self.account(key) {
            self.desk.borrow_mut().wait(Rc::clone(account), ask, Rc::downgrade(who), now_ns);
            self.schedule();
        }
    }

    /// The root's timer.
    pub(super) fn tick(&self) {
        let decided = self.desk.borrow_mut().tick(&SharedData, &self.way, host::now_ns());
        self.decided(decided);
    }

    /// The service has answered, or the call to it has failed with a status.
    pub(super) fn answered(&self, number: u32, status: u32, size: usize) {
        let message = (status == 0).then(|| host::service_answer(size));
        let decided = self.desk.borrow_mut().answered(&SharedData, &self.way, number, message.as_deref(), host::now_ns());
        self.decided(decided);
    }

    /// The counters that a key's calls are held against.
    pub(super) fn account(&self, key: KeyIndex) -> Option<&Rc<Account>> {
        self.accounts.get(key.position())
    }

    /// The counters of a workspace, whichever of its keys calls.
    pub(super) fn workspace(&self, position: usize) -> Option<&Account> {
        self.workspaces.get(position)
    }

    /// Last of all in a callback: after it everything is about the calls.
    fn decided(&self, decided: Vec<(Weak<Waiting>, Decision)>) {
        self.schedule();
        for (who, decision) in decided {
            if let Some(waiting) = who.upgrade() {
                host::act_for(waiting.context);
                waiting.go_on(decision);
            }
        }
    }

    fn schedule(&self) {
        let mut desk = self.desk.borrow_mut();
        self.metrics.note(&desk.tally());
        let period_ms = match desk.period_ms() {
            0 => self.idle_ms,
            period_ms => period_ms,
        };
        if self.period_ms.replace(period_ms) != period_ms {
            host::tick_every(period_ms);
        }
    }
}

/// A call that waits, and what has become of it.
pub(super) struct Waiting {
    gateway: Rc<Gateway>,
    context: u32,
    state: RefCell<State>,
}

enum State {
    /// A decision; with what came of the first look at the request.
    For(Arriving, usize, Ticket),
    /// With the candidates.
    Sent(Sent, Watch),
    /// Refused: how that is counted, and the code of the error.
    Refused(Ending, Option<String>),
    /// Gone, or told.
    Over,
}

/// What came of a call that has waited.
pub(super) enum Settled {
    /// It is with the candidates.
    Sent(Sent, Watch),
    /// It was refused: how that is counted, and the code of the error.
    Refused(Ending, Option<String>),
}

impl Caller for Weak<Waiting> {
    fn waits(&self) -> bool {
        self.upgrade().is_some_and(|waiting| matches!(*waiting.state.borrow(), State::For(..)))
    }
}

impl Waiting {
    /// Begins to wait.
    pub(super) fn begin(gateway: &Rc<Gateway>, context: u32, arriving: Arriving, body_size: usize, ticket: Ticket) -> Rc<Self> {
        let (key, ask) = (arriving.key, ticket.ask);
        let state = RefCell::new(State::For(arriving, body_size, ticket));
        let waiting = Rc::new(Self { gateway: Rc::clone(gateway), context, state });
        if let Some(fleet) = &gateway.fleet {
            fleet.wait(key, ask, &waiting, host::now_ns());
        }
        waiting
    }

    /// What came of it, for the call; once.
    pub(super) fn settled(&self) -> Option<Settled> {
        match self.state.replace(State::Over) {
            State::Sent(sent, watch) => Some(Settled::Sent(sent, watch)),
            State::Refused(ending, code) => Some(Settled::Refused(ending, code)),
            other => {
                self.state.replace(other);
                None
            }
        }
    }

    /// The client has left.
    pub(super) fn leave(&self) {
        if let State::For(_, _, ticket) = self.state.replace(State::Over) {
            ticket.give_back(host::now_ns());
        }
    }

    fn go_on(&self, decision: Decision) {
        let State::For(arriving, body_size, ticket) = self.state.replace(State::Over) else { return };
        let now_ns = host::now_ns();
        let mut rejection = match decision {
            Decision::Admitted(claims) => {
                let booked = ticket.booked(claims);
                match dispatch::send(&self.gateway, &arriving, self.context, body_size, Some(&booked)) {
                    Ok(Next::Sent(sent, watch)) => {
                        self.state.replace(State::Sent(sent, watch));
                        return host::resume_request();
                    }
                    // The same request was fine a moment ago.
                    other => {
                        booked.booking.close(&SharedData, &crate::estimate::NOTHING, now_ns, true);
                        other.err().unwrap_or_else(|| Rejection::envoy(503))
                    }
                }
            }
            Decision::Refused(refusal) => {
                ticket.give_back(now_ns);
                dispatch::refused(&self.gateway, arriving.key, refusal, now_ns)
            }
            Decision::Unavailable => {
                ticket.give_back(now_ns);
                Rejection::limits_unavailable()
            }
        };
        self.state.replace(State::Refused(Ending::from(&rejection), rejection.code().map(str::to_owned)));
        if self.gateway.config.traced {
            span::refused(&rejection);
        }
        rejection.headers.extend(self.gateway.standing(arriving.key, now_ns));
        reject(&rejection, None);
    }
}
