//! The record of a scope: what it counts, and its bytes.
//!
//! ```text
//! version u8 │ period u8 │ cells u8 │ leases u8
//! arrival u64 │ period's end u64 │ spent u64 │ newest cell u64
//! cells × u64                        tokens, newest first
//! leases × (expires u64, tokens u64, nano-dollars u64)
//! ```
//!
//! Numbers are little-endian. What does not have exactly this form is not trusted: the scope starts
//! anew.

use core::num::NonZeroU64;

use super::budget::Spent;
use super::leases::{Lease, Leases};
use super::requests::{self, Rate};
use super::tokens::{self, Window};
use super::{Ask, Gauge, Hold, Refusal, Spending, Standing, Terms, Usage};
use crate::config::policy::{NanoUsd, Period};

/// First byte; another layout gets another number.
const LAYOUT: u8 = 1;

/// 4 bytes, 4 words, all cells, and three words for each lease.
pub(super) const LONGEST_BYTES: usize = 4 + 8 * (4 + tokens::CELLS + 3 * super::leases::MOST);

const NS_PER_S: u64 = 1_000_000_000;

/// A scope at one moment: nothing in it is out of date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Record {
    /// Theoretical arrival time of the next request.
    arrival_ns: u64,
    tokens: Window,
    spent: Spent,
    leases: Leases,
}

impl Record {
    /// Reads a record and brings it up to `now_ns`: the window slides, a period ends, leases expire.
    pub(super) fn at(value: Option<&[u8]>, now_ns: u64) -> Self {
        let mut record = value.and_then(Self::decode).unwrap_or_default();
        record.tokens.slide(now_ns);
        record.spent.roll(now_ns / NS_PER_S);
        record.leases.expire(now_ns / NS_PER_S);
        record
    }

    /// Reserves what a call asks for. Nothing has changed where it is refused.
    pub(super) fn admit(&mut self, terms: &Terms, ask: &Ask, now_ns: u64) -> Result<Hold, Refusal> {
        let (reserved_tokens, reserved_nano) = self.leases.reserved();
        let mut hold = Hold::default();
        if let Some(budget) = terms.budget {
            self.spent.keep(budget.period, now_ns / NS_PER_S);
            let needed = ask.cost.0;
            // What costs nothing cannot overspend.
            if needed > 0 && self.spent.nano().saturating_add(reserved_nano).saturating_add(needed) > budget.cap.0 {
                return Err(Refusal::Budget { needed: ask.cost });
            }
            hold.nano_usd = needed;
        }
        if let Some(rate) = terms.limits.requests.map(Rate::of) {
            let arrival = rate.admit(self.arrival_ns, now_ns);
            hold.due_ns = arrival.map_err(|wait_ns| Refusal::Requests { retry_after_ms: ms(wait_ns) })?;
            hold.request_ns = rate.interval_ns();
        }
        if let Some(limit) = terms.limits.tokens_per_minute.map(NonZeroU64::get) {
            // A call above the limit may have the window for itself.
            hold.tokens = ask.tokens.min(limit);
            let free = self.tokens.admit(limit, reserved_tokens, hold.tokens, now_ns);
            free.map_err(|wait_ns| Refusal::Tokens { retry_after_ms: ms(wait_ns) })?;
        }
        if hold.request_ns > 0 {
            self.arrival_ns = hold.due_ns;
        }
        if hold.tokens > 0 || hold.nano_usd > 0 {
            hold.expires_s = self.leases.reserve(hold.tokens, hold.nano_usd, terms.lease_ms, now_ns / 1_000_000);
        }
        Ok(hold)
    }

    /// Ends a reservation, and takes the weight of its request away if that is wanted.
    pub(super) fn release(&mut self, hold: &Hold, now_ns: u64, give_back_request: bool) {
        self.leases.release(hold);
        if give_back_request {
            self.arrival_ns = requests::give_back(self.arrival_ns, hold, now_ns);
        }
    }

    /// Adds usage.
    pub(super) fn charge(&mut self, usage: &Usage) {
        self.tokens.charge(usage.tokens);
        self.spent.charge(usage.cost.0);
    }

    /// Where the scope stands under these terms.
    pub(super) fn standing(&self, terms: &Terms, now_ns: u64) -> Standing {
        let (reserved_tokens, reserved_nano) = self.leases.reserved();
        let requests = terms.limits.requests.map(|limit| {
            let (remaining, reset_ns) = Rate::of(limit).room(self.arrival_ns, now_ns);
            Gauge { limit: limit.per_minute.get(), remaining, reset_ms: ms(reset_ns), used: 0, reserved: 0 }
        });
        let tokens = terms.limits.tokens_per_minute.map(|limit| {
            let (limit, used) = (limit.get(), self.tokens.used());
            let remaining = limit.saturating_sub(used).saturating_sub(reserved_tokens);
            Gauge { limit, remaining, reset_ms: ms(self.tokens.reset_ns(reserved_tokens, now_ns)), used, reserved: reserved_tokens }
        });
        let budget = terms.budget.map(|budget| {
            let mut spent = self.spent;
            spent.keep(budget.period, now_ns / NS_PER_S);
            Spending {
                cap: budget.cap,
                spent: NanoUsd(spent.nano()),
                reserved: NanoUsd(reserved_nano),
                period: budget.period,
                resets_at_s: spent.resets_at_s(),
            }
        });
        Standing { requests, tokens, budget }
    }

    /// The bytes of the record.
    pub(super) fn encode(&self) -> Vec<u8> {
        let (period, ends_s, nano) = self.spent.parts();
        let (newest, cells) = self.tokens.parts();
        // Fewer than 256 of either, by the sizes of their arrays.
        let count = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let mut bytes = Vec::with_capacity(LONGEST_BYTES);
        bytes.extend([LAYOUT, code(period), count(cells.len()), count(self.leases.iter().count())]);
        let mut put = |word: u64| bytes.extend_from_slice(&word.to_le_bytes());
        [self.arrival_ns, ends_s, nano, newest].into_iter().for_each(&mut put);
        cells.iter().copied().for_each(&mut put);
        for lease in self.leases.iter() {
            [lease.expires_s, lease.tokens, lease.nano_usd].into_iter().for_each(&mut put);
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[LAYOUT, period, cells, leases], words) = bytes.split_first_chunk::<4>()? else { return None };
        let (words, []) = words.as_chunks::<8>() else { return None };
        let (&[arrival, ends, nano, newest], words) = words.split_first_chunk::<4>()?;
        let (cells, words) = words.split_at_checked(usize::from(cells))?;
        let (entries, []) = words.as_chunks::<3>() else { return None };
        if entries.len() != usize::from(leases) {
            return None;
        }
        let word = u64::from_le_bytes;
        let lease =
            |&[expires, tokens, nano]: &[[u8; 8]; 3]| Lease { expires_s: word(expires), tokens: word(tokens), nano_usd: word(nano) };
        Some(Self {
            arrival_ns: word(arrival),
            tokens: Window::from_parts(word(newest), cells.iter().copied().map(word))?,
            spent: Spent::from_parts(period_of(period)?, word(ends), word(nano)),
            leases: Leases::from_entries(entries.iter().map(lease))?,
        })
    }
}

fn code(period: Option<Period>) -> u8 {
    match period {
        None => 0,
        Some(Period::Day) => 1,
        Some(Period::Week) => 2,
        Some(Period::Month) => 3,
        Some(Period::Total) => 4,
    }
}

fn period_of(code: u8) -> Option<Option<Period>> {
    [None, Some(Period::Day), Some(Period::Week), Some(Period::Month), Some(Period::Total)].get(usize::from(code)).copied()
}

/// Rounded up, so that who waits as long as that has waited long enough.
fn ms(ns: u64) -> u64 {
    ns.div_ceil(1_000_000)
}
