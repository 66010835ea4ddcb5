//! Several Envoys with several workers each, one service, and a network that is slow, loses things, or is cut.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use neural_router::config::sharing::Sharing;
use neural_router::fleet::{Account, Booking, Caller, Decision, Desk, Wire};
use neural_router::ledger::{Ask, Terms, Usage};

use super::service::Service;
use super::store::Memory;
use super::xorshift;

pub const MS: u64 = 1_000_000;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It is delivered, and so is the answer.
    Whole,
    /// It cannot even be sent.
    Refused,
    /// It gets lost on the way there.
    LostThere,
    /// It is counted, and the answer gets lost.
    LostBack,
}

/// A call.
pub struct Call {
    pub state: Cell<State>,
    pub booking: RefCell<Booking>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting,
    Admitted,
    Refused,
    Unavailable,
    Left,
}

#[derive(Clone)]
pub struct Who(pub Rc<Call>);

impl Caller for Who {
    fn waits(&self) -> bool {
        self.0.state.get() == State::Waiting
    }
}

#[derive(Default)]
struct Line {
    open: Cell<bool>,
    number: Cell<u32>,
    sent: RefCell<Vec<(u32, Vec<u8>)>>,
}

impl Wire for Line {
    fn send(&self, message: &[u8]) -> Option<u32> {
        self.number.set(self.number.get() + 1);
        self.open.get().then(|| {
            self.sent.borrow_mut().push((self.number.get(), message.to_vec()));
            self.number.get()
        })
    }
}

struct Worker {
    desk: Desk<Who>,
    line: Line,
    /// When it arrives, the number, and the answer.
    under_way: Vec<(u64, u32, Option<Vec<u8>>)>,
}

pub struct Envoy {
    pub store: Memory,
    pub network: Network,
    workers: Vec<Worker>,
    /// That workers hold calls against, as each VM has its own.
    accounts: Vec<Rc<Account>>,
}

impl Envoy {
    pub fn new(workers: usize, terms: &Terms, sharing: &Sharing) -> Self {
        let account = || Rc::new(Account::of("acme", terms, sharing));
        let worker = || Worker { desk: Desk::new(sharing.clone()), line: Line::default(), under_way: Vec::new() };
        Self {
            store: Memory::default(),
            network: Network::Whole,
            workers: (0..workers).map(|_| worker()).collect(),
            accounts: (0..workers).map(|_| account()).collect(),
        }
    }
}

pub struct World {
    pub now: u64,
    pub service: Service,
    pub envoys: Vec<Envoy>,
    pub random: u64,
}

impl World {
    /// A call arrives at a worker.
    pub fn call(&mut self, envoy: usize, worker: usize, ask: Ask) -> Rc<Call> {
        let call = Rc::new(Call { state: Cell::new(State::Waiting), booking: RefCell::default() });
        let Envoy { store, workers, accounts, .. } = &mut self.envoys[envoy];
        let desk = &mut workers[worker].desk;
        match desk.admit(store, &accounts[worker], &ask, self.now) {
            Some(decision) => decide(&call, decision),
            None => desk.wait(Rc::clone(&accounts[worker]), ask, Who(Rc::clone(&call)), self.now),
        }
        call
    }

    /// A call ends.
    pub fn settle(&self, envoy: usize, call: &Call, usage: Usage) {
        call.booking.borrow().settle(&self.envoys[envoy].store, &usage, self.now);
    }

    /// A millisecond passes.
    pub fn step(&mut self) {
        self.now += MS;
        for envoy in &mut self.envoys {
            let store = &envoy.store;
            for Worker { desk, line, under_way } in &mut envoy.workers {
                line.open.set(envoy.network != Network::Refused);
                let mut decided = if desk.period_ms() > 0 { desk.tick(store, line, self.now) } else { Vec::new() };
                loop {
                    for (number, message) in line.sent.take() {
                        let delay = 1 + xorshift(&mut self.random) % 5;
                        let (at, answer) = match envoy.network {
                            Network::Whole | Network::Refused => (delay, Some(self.service.answer(&message))),
                            Network::LostThere => (250, None),
                            Network::LostBack => {
                                self.service.answer(&message);
                                (250, None)
                            }
                        };
                        under_way.push((self.now + at * MS, number, answer));
                    }
                    let Some(due) = under_way.iter().position(|(at, ..)| *at <= self.now) else { break };
                    let (_, number, answer) = under_way.swap_remove(due);
                    decided.extend(desk.answered(store, line, number, answer.as_deref(), self.now));
                }
                decided.into_iter().for_each(|(Who(call), decision)| decide(&call, decision));
            }
        }
    }

    pub fn run(&mut self, ms: u64) {
        (0..ms).for_each(|_| self.step());
    }
}

fn decide(call: &Call, decision: Decision) {
    assert_eq!(call.state.get(), State::Waiting, "decided twice");
    call.state.set(match decision {
        Decision::Admitted(claims) => {
            call.booking.borrow_mut().claims = claims;
            State::Admitted
        }
        Decision::Refused(_) => State::Refused,
        Decision::Unavailable => State::Unavailable,
    });
}
