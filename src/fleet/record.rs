//! What this Envoy knows of one counter of the service: what it was granted in the current window, and
//! what of that is used. Transitions only; [`super::counter`] keeps records in a store.
//!
//! Amounts are calls, tokens or nano-dollars; *hits* are what the service counts, one for each
//! [`unit`](crate::config::sharing::Kind::unit) of them.

use super::window::Window;
use crate::config::sharing::Span;

const NS_PER_S: u64 = 1_000_000_000;

/// A worker whose clock is so far behind stays in the window that has begun; one further behind was wrong before.
const SKEW_S: u64 = 10;

/// How long a refusal of money is believed: an operator may raise a budget, and its window can be for ever.
const REFUSAL_NS: u64 = 5 * NS_PER_S;

/// What does not change about a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) span: Span,
    /// Amount of one hit.
    pub(super) unit: u64,
    /// Hits in a window.
    pub(super) limit: u64,
    /// Hits taken at once; at least 1.
    pub(super) lease: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Record {
    /// Unix second at which the window begins.
    window_s: u64,
    /// Amount that the service has counted for us.
    granted: u64,
    /// Amount that calls have used or set aside. What is above `granted` is a debt: used, and not yet told.
    used: u64,
    /// So many hits would be refused, or more; 0 if that is not known.
    refused_at: u64,
    /// Whether one hit less would be granted, as far as the service has said.
    exact: bool,
    /// Until then `refused_at` is believed.
    refused_until_ns: u64,
    /// Until then somebody is asking.
    asking_until_ns: u64,
}

/// Whether a call fits into what is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Its amount is set aside.
    Taken,
    /// More has to be asked for.
    Short,
    /// The service has no more, or never has as much.
    Refused,
}

/// What an ask is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Calls wait: the amount that the first of them needs, and that of all together.
    Calls {
        /// Of the call that has waited longest.
        first: u64,
        /// Of all.
        all: u64,
    },
    /// Debts are told, and leases renewed before they are used up.
    Ahead,
    /// One hit, to see whether the service is back.
    Probe,
}

/// Hits to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) window_s: u64,
    pub(super) hits: u64,
    /// Hits of these that have been used already.
    pub(super) debt: u64,
}

/// How an ask ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Counted; hits that are left for everybody, where the service says.
    Granted(Option<u64>),
    /// More than is left; how much that is, where the service says.
    Refused(Option<u64>),
    /// It never went out.
    Unsent,
    /// It may have been counted, and nobody knows.
    Lost,
}

impl Record {
    /// The record as of now: in a window that has ended nothing counts any more.
    pub(super) fn at(bytes: Option<&[u8]>, terms: &Terms, now_ns: u64) -> Self {
        let mut record = bytes.and_then(Self::decode).unwrap_or_default();
        let window = Window::at(terms.span, now_ns);
        let behind = window.begins_s < record.window_s && record.window_s - now_ns / NS_PER_S <= SKEW_S;
        if record.window_s != window.begins_s && !behind {
            // Who asks now asks for the old window; its answer will not count.
            record = Self { window_s: window.begins_s, ..Self::default() };
        }
        record
    }

    /// Amounts that are granted and not used.
    pub(super) fn free(&self) -> u64 {
        self.granted.saturating_sub(self.used)
    }

    fn debt(&self) -> u64 {
        self.used.saturating_sub(self.granted)
    }

    /// Sets an amount aside, if it fits.
    pub(super) fn take(&mut self, terms: &Terms, amount: u64, now_ns: u64) -> Fit {
        if amount == 0 || self.used.saturating_add(amount) <= self.granted {
            self.used = self.used.saturating_add(amount);
            return Fit::Taken;
        }
        let needed = self.needed(terms, amount);
        if needed > terms.limit || self.refuses(needed, now_ns) { Fit::Refused } else { Fit::Short }
    }

    /// Sets an amount aside, whether it fits or not.
    pub(super) fn take_anyway(&mut self, amount: u64) {
        self.used = self.used.saturating_add(amount);
    }

    /// Puts what was used in the place of what was set aside. After the end of the window in which that was done,
    /// only what exceeds it counts.
    pub(super) fn settle(&mut self, window_s: u64, set_aside: u64, used: u64) {
        self.used = if self.window_s == window_s {
            self.used.saturating_sub(set_aside).saturating_add(used)
        } else {
            self.used.saturating_add(used.saturating_sub(set_aside))
        };
    }

    /// Whether a lease should be asked for or a debt told.
    fn wants(&self, terms: &Terms) -> bool {
        self.debt() > 0 || self.free() < terms.lease.saturating_mul(terms.unit) / 2
    }

    /// The same, if there is somebody to ask: nobody does, and there may be something to get.
    pub(super) fn should_ask(&self, terms: &Terms, now_ns: u64) -> bool {
        self.wants(terms) && self.asking_until_ns <= now_ns && !self.refuses(1, now_ns)
    }

    /// Whether more is used than was granted.
    pub(super) fn owes(&self) -> bool {
        self.debt() > 0
    }

    /// What to ask for now, unless somebody does already, or it is known to be refused. Nobody else asks before
    /// `until_ns`, unless [`finish`](Self::finish) comes first.
    pub(super) fn ask(&mut self, terms: &Terms, purpose: Purpose, now_ns: u64, until_ns: u64) -> Option<Asked> {
        if self.asking_until_ns > now_ns {
            return None;
        }
        let asked = |hits, debt| Asked { window_s: self.window_s, hits, debt };
        let debt = self.debt().div_ceil(terms.unit);
        let (needed, wanted) = match purpose {
            Purpose::Probe => return self.asking(asked(1, 0), until_ns),
            // So that no more than a lease is forgotten if the answer is lost.
            _ if debt > terms.lease => (1, terms.lease),
            Purpose::Calls { first, all } => {
                let needed = self.needed(terms, first);
                if needed == 0 {
                    return None;
                }
                (needed, self.needed(terms, all).max(debt.saturating_add(terms.lease)))
            }
            Purpose::Ahead if self.wants(terms) => (1, debt.saturating_add(terms.lease)),
            Purpose::Ahead => return None,
        };
        let hits = match self.refused_at {
            0 => wanted.max(needed),
            // What is no longer believed is tried with as little as possible.
            _ if self.refused_until_ns <= now_ns => needed,
            at if needed >= at => return None,
            at if wanted < at => wanted.max(needed),
            at if self.exact => at - 1,
            at => (at / 2).max(needed),
        };
        let hits = hits.min(terms.limit);
        self.asking(asked(hits, debt.min(hits)), until_ns)
    }

    fn asking(&mut self, asked: Asked, until_ns: u64) -> Option<Asked> {
        self.asking_until_ns = until_ns;
        Some(asked)
    }

    /// What comes of an ask.
    pub(super) fn finish(&mut self, terms: &Terms, asked: &Asked, answer: Answer, now_ns: u64) {
        if self.window_s != asked.window_s {
            return;
        }
        self.asking_until_ns = 0;
        match answer {
            Answer::Granted(left) => {
                self.granted = self.granted.saturating_add(asked.hits.saturating_mul(terms.unit));
                match left {
                    Some(left) => self.known(terms, left.saturating_add(1), true, now_ns),
                    None if self.refused_until_ns <= now_ns => self.refused_at = 0,
                    // Counters only rise: what was too much is so now, and by as much as was just counted.
                    None if self.refused_at > 0 => self.refused_at = self.refused_at.saturating_sub(asked.hits).max(1),
                    None => {}
                }
            }
            Answer::Refused(left) => {
                let at = left.map_or(asked.hits, |left| left.saturating_add(1).min(asked.hits));
                self.known(terms, at, left.is_some(), now_ns);
            }
            Answer::Unsent => {}
            // A lease that may have been counted is not used; a debt that may have been is not told again: nothing
            // counts twice.
            Answer::Lost => self.granted = self.granted.saturating_add(asked.debt.saturating_mul(terms.unit)),
        }
    }

    fn known(&mut self, terms: &Terms, refused_at: u64, exact: bool, now_ns: u64) {
        self.refused_at = refused_at;
        self.exact = exact;
        self.refused_until_ns = match terms.span {
            Span::Minute => u64::MAX,
            Span::Period(_) => now_ns.saturating_add(REFUSAL_NS),
        };
    }

    /// Amount that is left for this Envoy at most, where that is known.
    pub(super) fn left(&self, terms: &Terms, now_ns: u64) -> Option<u64> {
        let believed = self.refused_at > 0 && self.refused_until_ns > now_ns;
        believed.then(|| self.free().saturating_add((self.refused_at - 1).saturating_mul(terms.unit)).saturating_sub(self.debt()))
    }

    /// Hits that are missing for an amount.
    fn needed(&self, terms: &Terms, amount: u64) -> u64 {
        self.used.saturating_add(amount).saturating_sub(self.granted).div_ceil(terms.unit)
    }

    fn refuses(&self, hits: u64, now_ns: u64) -> bool {
        self.refused_at > 0 && hits >= self.refused_at && self.refused_until_ns > now_ns
    }

    /// Unix second at which its window begins.
    pub(super) fn window_s(&self) -> u64 {
        self.window_s
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> [u8; BYTES] {
        let Self { window_s, granted, used, refused_at, exact, refused_until_ns, asking_until_ns } = *self;
        let numbers = [window_s, granted, used, refused_at, exact.into(), refused_until_ns, asking_until_ns];
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(numbers.map(u64::to_le_bytes).as_flattened());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let numbers: [[u8; 8]; NUMBERS] = numbers.try_into().ok()?;
        let [window_s, granted, used, refused_at, exact, refused_until_ns, asking_until_ns] = numbers.map(u64::from_le_bytes);
        let exact = exact == 1;
        rest.is_empty().then_some(Self { window_s, granted, used, refused_at, exact, refused_until_ns, asking_until_ns })
    }
}

const NUMBERS: usize = 7;
const BYTES: usize = NUMBERS * 8;
