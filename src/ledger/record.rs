//! The record of a scope: what it counts, and its bytes.
//!
//! ```text
//! layout u8 │ period u8 │ cells u8 │ leases u8 │ 0 u32
//! arrival │ period's end │ spent │ newest cell
//! cells × tokens, newest first
//! leases × (end, tokens, nano-dollars)
//! ```
//!
//! All below the first line are `u64`, little-endian. What does not have exactly this form is not
//! trusted: the scope starts anew.

use core::num::NonZeroU64;

use super::budget::Spent;
use super::leases::{self, Lease, Leases};
use super::requests::{self, Rate};
use super::tokens::{self, Window};
use super::{Ask, Gauge, Hold, Refusal, Spending, Standing, Terms, Usage};
use crate::config::policy::{NanoUsd, Period};

/// First byte; another layout gets another number.
const LAYOUT: u8 = 1;

/// One number of a record, as it is written.
type Word = [u8; 8];

/// The head, four numbers, all cells, and three for each lease: 840 bytes.
const MOST_WORDS: usize = 5 + tokens::CELLS + 3 * leases::MOST;

/// Where a record is written to.
pub(super) type Buffer = [Word; MOST_WORDS];

/// An empty one.
pub(super) const BLANK: Buffer = [[0; 8]; MOST_WORDS];

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
        let mut record = Self::default();
        if let Some(written) = value.and_then(Written::read) {
            record.fill(&written);
        }
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
    pub(super) fn encode<'b>(&self, buffer: &'b mut Buffer) -> &'b [u8] {
        let (period, ends_s, nano) = self.spent.parts();
        let (newest, cells) = self.tokens.parts();
        // Fewer than 256 of either, by the sizes of their arrays.
        let count = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let head = [LAYOUT, code(period), count(cells.len()), count(self.leases.iter().count()), 0, 0, 0, 0];
        let mut words = buffer.iter_mut();
        let mut put = |number: u64| words.next().into_iter().for_each(|word| *word = number.to_le_bytes());
        [u64::from_le_bytes(head), self.arrival_ns, ends_s, nano, newest].into_iter().for_each(&mut put);
        cells.iter().copied().for_each(&mut put);
        for lease in self.leases.iter() {
            [lease.expires_s, lease.tokens, lease.nano_usd].into_iter().for_each(&mut put);
        }
        let left = words.len();
        buffer.get(..MOST_WORDS - left).unwrap_or_default().as_flattened()
    }

    /// Takes over what was written.
    fn fill(&mut self, written: &Written<'_>) {
        let [arrival, ends, nano, newest] = written.numbers.map(u64::from_le_bytes);
        self.arrival_ns = arrival;
        self.tokens.fill(newest, written.cells.iter().copied().map(u64::from_le_bytes));
        self.spent = Spent::from_parts(written.period, ends, nano);
        self.leases.fill(written.leases.iter().map(|lease| {
            let [expires_s, tokens, nano_usd] = lease.map(u64::from_le_bytes);
            Lease { expires_s, tokens, nano_usd }
        }));
    }
}

/// The parts of a record where they stand.
struct Written<'v> {
    period: Option<Period>,
    numbers: [Word; 4],
    cells: &'v [Word],
    leases: &'v [[Word; 3]],
}

impl<'v> Written<'v> {
    /// `None` for what is not a record.
    fn read(bytes: &'v [u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let (&[head, numbers @ ..], words) = words.split_first_chunk::<5>()?;
        let [LAYOUT, period, cells, sums, 0, 0, 0, 0] = head else { return None };
        let (cells, words) = words.split_at_checked(usize::from(cells))?;
        let (entries, []) = words.as_chunks::<3>() else { return None };
        let counted = entries.len() == usize::from(sums) && cells.len() <= tokens::CELLS && entries.len() <= leases::MOST;
        counted.then_some(Self { period: period_of(period)?, numbers, cells, leases: entries })
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
