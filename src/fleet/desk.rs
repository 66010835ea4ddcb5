//! One worker's desk: calls that wait for a lease, asks that are under way, and what is to be asked next.
//!
//! The asks are the desk's and not the calls': a client that leaves takes no lease with it, and calls that
//! wait together are asked for together. Other workers have desks of their own; a record says whether one of
//! them is asking, and calls look again a moment later.

use std::collections::VecDeque;
use std::rc::Rc;

use hashbrown::HashMap;

use super::account::{Account, Taking};
use super::counter::{Claim, Counter};
use super::health::{self, Health};
use super::message;
use super::record::{Answer, Asked, Purpose};
use crate::config::sharing::Sharing;
use crate::ledger::{Ask, Refusal, Store};

/// Whoever waits.
pub trait Caller {
    /// Whether it still does.
    fn waits(&self) -> bool;
}

/// The way to the service.
pub trait Wire {
    /// Sends a request; its answer comes to [`Desk::answered`] with this number. `None` if it cannot be sent.
    fn send(&self, message: &[u8]) -> Option<u32>;
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on with these claims.
    Admitted(Vec<Claim>),
    /// A limit of the fleet is reached.
    Refused(Refusal),
    /// The service does not answer, and without it no call goes on.
    Unavailable,
}

/// How asks have ended, since the last time this was looked at; and whether the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The service granted what was asked for.
    pub granted: u64,
    /// It did not.
    pub refused: u64,
    /// It could not be reached.
    pub unavailable: u64,
    /// Nobody knows whether it has counted what was asked for.
    pub ambiguous: u64,
    /// Whether it answers, where that has been noticed.
    pub available: Option<bool>,
}

/// The desk of a worker; `T` is whoever waits.
pub struct Desk<T> {
    sharing: Sharing,
    waiting: VecDeque<Waiting<T>>,
    /// By the number of the request.
    asked: HashMap<u32, Sent>,
    /// Of which more should be asked at once.
    ahead: Vec<Rc<Counter>>,
    /// That calls of this worker are held against: they may come to owe something.
    watched: Vec<Rc<Counter>>,
    looked_ns: u64,
    down: bool,
    tally: Tally,
}

struct Waiting<T> {
    account: Rc<Account>,
    ask: Ask,
    since_ns: u64,
    who: T,
}

struct Sent {
    counter: Rc<Counter>,
    asked: Asked,
    probe: bool,
}

const NS_PER_MS: u64 = 1_000_000;

/// A round trip that nobody has ended is given up so much later than its timeout.
const SLACK_MS: u64 = 1_000;

/// Round trips that a call waits for at most.
const ROUNDS: u64 = 12;

/// How often debts are looked for.
const LOOK_MS: u64 = 500;

/// How long a counter is watched after the last call, unless it owes something: as long as calls may take.
const WATCH_MS: u64 = 15 * 60_000;

/// While somebody waits; while the service is down.
const SOON_MS: u64 = 1;
const PROBE_MS: u64 = 100;

impl<T: Caller> Desk<T> {
    /// A desk at which nobody waits.
    pub fn new(sharing: Sharing) -> Self {
        Self {
            sharing,
            waiting: VecDeque::new(),
            asked: HashMap::new(),
            ahead: Vec::new(),
            watched: Vec::new(),
            looked_ns: 0,
            down: false,
            tally: Tally::default(),
        }
    }

    /// Decides on a call at once, if that is possible. If not, it should [`wait`](Self::wait).
    pub fn admit(&mut self, store: &dyn Store, account: &Account, ask: &Ask, now_ns: u64) -> Option<Decision> {
        let claims = match account.take(store, ask, now_ns) {
            Taking::Taken(claims, ahead) => {
                for counter in ahead {
                    if !self.ahead.iter().any(|other| Rc::ptr_eq(other, &counter)) {
                        self.ahead.push(counter);
                    }
                }
                claims
            }
            Taking::Refused(refusal) => return Some(Decision::Refused(refusal)),
            Taking::Short => {
                self.watch(account, now_ns);
                match health::read(store, now_ns) {
                    Health::Up => return None,
                    Health::Down | Health::Due => self.noticed(false),
                }
                if self.sharing.deny {
                    return Some(Decision::Unavailable);
                }
                account.take_anyway(store, ask, now_ns)
            }
        };
        self.watch(account, now_ns);
        Some(Decision::Admitted(claims))
    }

    /// A call waits from now on.
    pub fn wait(&mut self, account: Rc<Account>, ask: Ask, who: T, now_ns: u64) {
        self.waiting.push_back(Waiting { account, ask, since_ns: now_ns, who });
    }

    /// To be called again and again, as often as [`period_ms`](Self::period_ms) says: whose wait is over, and asks
    /// what is to be asked.
    pub fn tick(&mut self, store: &dyn Store, way: &dyn Wire, now_ns: u64) -> Vec<(T, Decision)> {
        let decided = self.serve(store, now_ns);
        self.send(store, way, now_ns);
        decided
    }

    /// The service has answered a request with these bytes, or has not.
    pub fn answered(&mut self, store: &dyn Store, way: &dyn Wire, number: u32, bytes: Option<&[u8]>, now_ns: u64) -> Vec<(T, Decision)> {
        let Some(Sent { counter, asked, probe }) = self.asked.remove(&number) else { return Vec::new() };
        let answer = bytes.and_then(message::answer).unwrap_or(Answer::Lost);
        counter.finish(store, &asked, answer, now_ns);
        match answer {
            Answer::Granted(_) => {
                self.tally.granted += 1;
                // The rest of a debt that is larger than a lease.
                self.ahead.extend(counter.owes(store, now_ns).then_some(counter));
            }
            Answer::Refused(_) => self.tally.refused += 1,
            Answer::Lost | Answer::Unsent => self.tally.ambiguous += 1,
        }
        if answer == Answer::Lost {
            self.noticed(false);
            health::failed(store, probe, now_ns);
        } else {
            self.noticed(true);
            health::answered(store);
        }
        self.tick(store, way, now_ns)
    }

    /// Milliseconds between ticks; 0 if there is nothing to do.
    pub fn period_ms(&self) -> u64 {
        match () {
            () if !self.waiting.is_empty() || !self.ahead.is_empty() => SOON_MS,
            () if self.watched.is_empty() => 0,
            () if self.down => PROBE_MS,
            () => LOOK_MS,
        }
    }

    /// How asks have ended since the last time.
    pub fn tally(&mut self) -> Tally {
        core::mem::take(&mut self.tally)
    }

    fn noticed(&mut self, available: bool) {
        self.tally.available = Some(available);
        self.down = !available;
    }

    fn watch(&mut self, account: &Account, now_ns: u64) {
        for counter in &account.counters {
            if counter.seen_ns.replace(now_ns) == 0 {
                self.watched.push(Rc::clone(counter));
            }
        }
    }

    /// Looks again at all who wait, in the order they came: who waits behind another call of the same account goes
    /// on waiting with it.
    fn serve(&mut self, store: &dyn Store, now_ns: u64) -> Vec<(T, Decision)> {
        let mut decided = Vec::new();
        let mut held: Vec<*const Account> = Vec::new();
        let patience_ns = ROUNDS * u64::from(self.sharing.timeout_ms) * NS_PER_MS;
        for waiting in core::mem::take(&mut self.waiting) {
            let account = Rc::as_ptr(&waiting.account);
            if !waiting.who.waits() {
                continue;
            }
            let decision = if held.contains(&account) { None } else { self.admit(store, &waiting.account, &waiting.ask, now_ns) };
            let overdue = now_ns.saturating_sub(waiting.since_ns) > patience_ns;
            match decision.or(overdue.then_some(Decision::Unavailable)) {
                Some(decision) => decided.push((waiting.who, decision)),
                None => {
                    if !held.contains(&account) {
                        held.push(account);
                    }
                    self.waiting.push_back(waiting);
                }
            }
        }
        decided
    }

    fn send(&mut self, store: &dyn Store, way: &dyn Wire, now_ns: u64) {
        let ahead = core::mem::take(&mut self.ahead);
        match health::read(store, now_ns) {
            Health::Up => {
                self.down = false;
                for (counter, first, all) in self.wishes() {
                    self.ask(store, way, counter, Purpose::Calls { first, all }, now_ns);
                }
                for counter in ahead {
                    self.ask(store, way, counter, Purpose::Ahead, now_ns);
                }
                self.tell_debts(store, way, now_ns);
            }
            Health::Down => self.down = true,
            Health::Due => {
                self.down = true;
                let counter = self.watched.iter().max_by_key(|counter| counter.seen_ns.get());
                if let Some(counter) = counter.cloned().filter(|_| health::claim_probe(store, now_ns)) {
                    self.ask(store, way, counter, Purpose::Probe, now_ns);
                }
            }
        }
    }

    /// What those who wait ask for: of each counter, the first of them and all together.
    fn wishes(&self) -> Vec<(Rc<Counter>, u64, u64)> {
        let mut wishes: Vec<(Rc<Counter>, u64, u64)> = Vec::new();
        for waiting in &self.waiting {
            for counter in &waiting.account.counters {
                let amount = counter.amount(&waiting.ask);
                match wishes.iter_mut().find(|(other, ..)| Rc::ptr_eq(other, counter)) {
                    Some((_, _, all)) => *all = all.saturating_add(amount),
                    None => wishes.push((Rc::clone(counter), amount, amount)),
                }
            }
        }
        wishes
    }

    fn tell_debts(&mut self, store: &dyn Store, way: &dyn Wire, now_ns: u64) {
        if now_ns.saturating_sub(self.looked_ns) < LOOK_MS * NS_PER_MS {
            return;
        }
        self.looked_ns = now_ns;
        for counter in core::mem::take(&mut self.watched) {
            let owes = counter.owes(store, now_ns);
            if owes {
                self.ask(store, way, Rc::clone(&counter), Purpose::Ahead, now_ns);
            }
            if owes || now_ns.saturating_sub(counter.seen_ns.get()) < WATCH_MS * NS_PER_MS {
                self.watched.push(counter);
            } else {
                counter.seen_ns.set(0);
            }
        }
    }

    fn ask(&mut self, store: &dyn Store, way: &dyn Wire, counter: Rc<Counter>, purpose: Purpose, now_ns: u64) {
        let probe = purpose == Purpose::Probe;
        let until_ns = now_ns.saturating_add((u64::from(self.sharing.timeout_ms) + SLACK_MS) * NS_PER_MS);
        let Some(asked) = counter.ask(store, purpose, now_ns, until_ns) else {
            if probe {
                // Somebody asks already; the next probe comes after that.
                health::failed(store, probe, now_ns);
            }
            return;
        };
        match way.send(&counter.message(&self.sharing, &asked)) {
            Some(number) => drop(self.asked.insert(number, Sent { counter, asked, probe })),
            None => {
                counter.finish(store, &asked, Answer::Unsent, now_ns);
                self.tally.unavailable += 1;
                self.noticed(false);
                health::failed(store, probe, now_ns);
            }
        }
    }
}
