//! One counter of the service, and this Envoy's record of it in a store that all workers share.

use core::cell::Cell;

use super::change;
use super::message;
use super::record::{Answer, Asked, Fit, Purpose, Record, Terms};
use super::window::Window;
use crate::config::sharing::{Counted, Kind, Sharing};
use crate::ledger::{Ask, Store};

/// A counter.
#[derive(Debug)]
pub struct Counter {
    /// Of the record.
    key: String,
    scope: String,
    pub(super) kind: Kind,
    terms: Terms,
    /// Whether it is a key's, and not a workspace's.
    pub(super) of_key: bool,
    /// When this worker's last call was held against it; 0 while none has been.
    pub(super) seen_ns: Cell<u64>,
}

/// An amount that is set aside for a call; what is needed to settle it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Key of the record.
    pub key: String,
    /// What is counted.
    pub kind: Kind,
    /// Unix second at which the window began.
    pub window_s: u64,
    /// Calls, tokens or nano-dollars.
    pub amount: u64,
}

/// What [`Counter::take`] says.
pub(super) enum Take {
    /// The amount is set aside. `ahead`: it is time to ask for more.
    Taken {
        claim: Claim,
        ahead: bool,
    },
    Short,
    Refused,
}

impl Counter {
    /// The counter of a limit of a workspace, or of a key: `acme` or `acme/laptop`.
    pub(super) fn new(scope: &str, limit: &Counted, share: f64) -> Self {
        let name = limit.kind.name();
        // At most 2³² hits, which a float holds exactly.
        let lease = ((limit.hits as f64 * share) as u64).max(1);
        let terms = Terms { span: limit.span, unit: limit.kind.unit(), limit: limit.hits, lease };
        Self {
            key: ["nr.fleet.", scope, ".", name].concat(),
            scope: scope.to_owned(),
            kind: limit.kind,
            terms,
            of_key: scope.contains('/'),
            seen_ns: Cell::new(0),
        }
    }

    /// What a call asks of it. As in the ledger, a call of more tokens than a minute has may have the minute for itself.
    pub(super) fn amount(&self, ask: &Ask) -> u64 {
        match self.kind {
            Kind::Requests => 1,
            Kind::Tokens => ask.tokens.min(self.terms.limit),
            Kind::Budget => ask.cost.0,
        }
    }

    /// Sets an amount aside, if it fits into what is granted.
    pub(super) fn take(&self, store: &dyn Store, amount: u64, now_ns: u64) -> Take {
        let taken = change(store, &self.key, |bytes| {
            let mut record = Record::at(bytes, &self.terms, now_ns);
            match record.take(&self.terms, amount, now_ns) {
                Fit::Taken => Ok((record.encode(), self.taken(&record, amount, now_ns))),
                Fit::Short => Err(Take::Short),
                Fit::Refused => Err(Take::Refused),
            }
        });
        taken.unwrap_or_else(|refused| refused)
    }

    /// Sets an amount aside, whether it fits or not.
    pub(super) fn take_anyway(&self, store: &dyn Store, amount: u64, now_ns: u64) -> Claim {
        self.change(store, now_ns, |record| {
            record.take_anyway(amount);
            self.claim(record, amount)
        })
    }

    fn taken(&self, record: &Record, amount: u64, now_ns: u64) -> Take {
        Take::Taken { claim: self.claim(record, amount), ahead: record.should_ask(&self.terms, now_ns) }
    }

    fn claim(&self, record: &Record, amount: u64) -> Claim {
        Claim { key: self.key.clone(), kind: self.kind, window_s: record.window_s(), amount }
    }

    /// What to ask for, unless somebody asks already or it makes no sense.
    pub(super) fn ask(&self, store: &dyn Store, purpose: Purpose, now_ns: u64, until_ns: u64) -> Option<Asked> {
        let asked: Result<Asked, ()> = change(store, &self.key, |bytes| {
            let mut record = Record::at(bytes, &self.terms, now_ns);
            let asked = record.ask(&self.terms, purpose, now_ns, until_ns).ok_or(())?;
            Ok((record.encode(), asked))
        });
        asked.ok()
    }

    /// What comes of an ask.
    pub(super) fn finish(&self, store: &dyn Store, asked: &Asked, answer: Answer, now_ns: u64) {
        self.change(store, now_ns, |record| record.finish(&self.terms, asked, answer, now_ns));
    }

    /// Whether an amount is known to be refused.
    pub(super) fn refuses(&self, store: &dyn Store, amount: u64, now_ns: u64) -> bool {
        self.read(store, now_ns).take(&self.terms, amount, now_ns) == Fit::Refused
    }

    /// Whether more is used than the service knows.
    pub(super) fn owes(&self, store: &dyn Store, now_ns: u64) -> bool {
        self.read(store, now_ns).owes()
    }

    /// Amount that is left at most, where that is known, and the Unix second at which its window ends.
    pub(super) fn left(&self, store: &dyn Store, now_ns: u64) -> Option<(u64, u64)> {
        let left = self.read(store, now_ns).left(&self.terms, now_ns)?;
        Some((left, Window::at(self.terms.span, now_ns).ends_s))
    }

    /// Unix second at which the current window ends.
    pub(super) fn ends_s(&self, now_ns: u64) -> u64 {
        Window::at(self.terms.span, now_ns).ends_s
    }

    /// The request for an ask.
    pub(super) fn message(&self, sharing: &Sharing, asked: &Asked) -> Vec<u8> {
        let window = Window { begins_s: asked.window_s, ends_s: u64::MAX }.name(self.terms.span);
        message::request(&sharing.domain, &self.scope, self.kind.name(), window, asked.hits)
    }

    fn read(&self, store: &dyn Store, now_ns: u64) -> Record {
        Record::at(store.read(&self.key).0.as_deref(), &self.terms, now_ns)
    }

    fn change<T>(&self, store: &dyn Store, now_ns: u64, act: impl Fn(&mut Record) -> T) -> T {
        let changed: Result<T, core::convert::Infallible> = change(store, &self.key, |bytes| {
            let mut record = Record::at(bytes, &self.terms, now_ns);
            let said = act(&mut record);
            Ok((record.encode(), said))
        });
        match changed {
            Ok(said) => said,
            Err(never) => match never {},
        }
    }
}

impl Claim {
    /// Puts what was used in the place of what was set aside.
    pub(super) fn settle(&self, store: &dyn Store, used: u64) {
        if used == self.amount {
            return;
        }
        let _: Result<(), ()> = change(store, &self.key, |bytes| {
            let mut record = bytes.and_then(Record::decode).ok_or(())?;
            record.settle(self.window_s, self.amount, used);
            Ok((record.encode(), ()))
        });
    }
}
