//! The record of a deployment: what is counted there, and its bytes.
//!
//! ```text
//! layout u64 │ failed │ opened │ until │ advised │ claimed │ claim's end │ newest cell   u64
//! failures │ cool-downs │ 12 × (succeeded, failed)                                       u32
//! 4 + 11 × (average f32, figures u32)
//! newest weight │ 74 weights                                                             f32
//! ```
//!
//! Little-endian, always of one length. What does not have exactly this form, or holds a number
//! that no arithmetic of ours yields, is not trusted: the deployment starts anew.

use super::breaker::Breaker;
use super::mean::Mean;
use super::quantile::{BUCKETS, Sketch};
use super::window::{CELLS, Cell, Window};
use super::{CLASSES, Event};

/// First number; another layout gets another.
const LAYOUT: u64 = 0x0001_4c41_5449_564e;

/// Length of every record in bytes.
pub(super) const LENGTH: usize = 8 * 8 + 4 * (2 + 2 * CELLS) + 8 * (4 + CLASSES) + 4 * (1 + BUCKETS);

/// Figures that an average of durations or speeds remembers.
const SPEED_MEMORY: u32 = 10;

/// Figures that an average of lengths remembers: they vary from call to call more than with time.
const LENGTH_MEMORY: u32 = 32;

/// Attempts in the minute from which on their share of successes says something.
pub(super) const ENOUGH: u64 = 10;

/// A deployment, as it was last written.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Record {
    pub(super) breaker: Breaker,
    pub(super) window: Window,
    /// Milliseconds to the first token, of streams and of embeddings.
    pub(super) first_token: Mean,
    /// Of streams, after the first token.
    pub(super) tokens_per_second: Mean,
    /// Milliseconds that answers took which came whole.
    pub(super) answer: Mean,
    /// Tokens that those had.
    pub(super) answer_tokens: Mean,
    /// Tokens of an answer, by task class.
    pub(super) output: [Mean; CLASSES],
    pub(super) sketch: Sketch,
}

impl Record {
    /// Reads a record and brings it up to `now_ms`.
    pub(super) fn at(value: Option<&[u8]>, now_ms: u64) -> Self {
        let mut record = value.and_then(decode).unwrap_or_default();
        record.breaker.check(now_ms);
        record.window.slide(now_ms);
        record
    }

    /// Takes a piece of news.
    pub(super) fn apply(&mut self, event: &Event) {
        match *event {
            Event::Answered { began_ms, at_ms, first_token_ms, wait_ms } => {
                if self.breaker.succeeded(began_ms, at_ms) {
                    // The past that opened it is no reason to open it again.
                    self.window.clear();
                }
                self.window.count(at_ms, true);
                if let Some(wait_ms) = wait_ms {
                    self.breaker.advised(at_ms, wait_ms);
                }
                if let Some(ms) = first_token_ms {
                    self.first_token.add(ms as f32, SPEED_MEMORY);
                    self.sketch.add(ms);
                }
            }
            Event::Failed { began_ms, at_ms, wait_ms } => {
                self.window.count(at_ms, false);
                let mostly_fails = self.mostly_fails();
                self.breaker.failed(began_ms, at_ms, wait_ms, mostly_fails);
            }
            Event::Broke { began_ms, answered_ms, at_ms } => {
                self.window.slide(at_ms);
                self.window.revoke(answered_ms);
                let mostly_fails = self.mostly_fails();
                self.breaker.failed(began_ms, at_ms, None, mostly_fails);
            }
            Event::Excused { claimed_ms } => self.breaker.give_back(claimed_ms),
            Event::Complete { class, output, tokens_per_second, whole_ms } => {
                if let Some(mean) = class.and_then(|class| self.output.get_mut(class as usize)) {
                    mean.add(output as f32, LENGTH_MEMORY);
                }
                if let Some(speed) = tokens_per_second {
                    self.tokens_per_second.add(speed as f32, SPEED_MEMORY);
                }
                if let Some(ms) = whole_ms {
                    self.answer.add(ms as f32, SPEED_MEMORY);
                    self.answer_tokens.add(output as f32, SPEED_MEMORY);
                }
            }
        }
    }

    /// Whether less than half of the attempts of the minute succeeded, of enough.
    pub(super) fn mostly_fails(&self) -> bool {
        let (succeeded, failed) = self.window.totals();
        succeeded + failed >= ENOUGH && succeeded < failed
    }

    /// Whether a success would change nothing but figures.
    pub(super) fn is_at_rest(&self) -> bool {
        self.breaker.failures == 0 && self.breaker.until_ms == 0
    }

    /// The bytes of the record.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LENGTH);
        let Breaker { failures, streak, failed_ms, opened_ms, until_ms, advised_ms, claimed_ms, claim_until_ms } = self.breaker;
        for number in [LAYOUT, failed_ms, opened_ms, until_ms, advised_ms, claimed_ms, claim_until_ms, self.window.newest] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let mut half = |bytes: [u8; 4]| out.extend_from_slice(&bytes);
        half(failures.to_le_bytes());
        half(streak.to_le_bytes());
        for cell in &self.window.cells {
            half(cell.succeeded.to_le_bytes());
            half(cell.failed.to_le_bytes());
        }
        let means = [self.first_token, self.tokens_per_second, self.answer, self.answer_tokens];
        for mean in means.iter().chain(&self.output) {
            half(mean.value.to_le_bytes());
            half(mean.samples.to_le_bytes());
        }
        half(self.sketch.newest.to_le_bytes());
        self.sketch.weights.iter().for_each(|weight| half(weight.to_le_bytes()));
        out
    }
}

fn decode(value: &[u8]) -> Option<Record> {
    let mut from = Reader(value);
    let [layout, failed_ms, opened_ms, until_ms, advised_ms, claimed_ms, claim_until_ms, newest] = from.longs()?;
    if layout != LAYOUT || value.len() != LENGTH {
        return None;
    }
    let (failures, streak) = (from.number()?, from.number()?);
    let breaker = Breaker { failures, streak, failed_ms, opened_ms, until_ms, advised_ms, claimed_ms, claim_until_ms };
    let mut window = Window { newest, ..Window::default() };
    for cell in &mut window.cells {
        *cell = Cell { succeeded: from.number()?, failed: from.number()? };
    }
    let [first_token, tokens_per_second, answer, answer_tokens] = [from.mean()?, from.mean()?, from.mean()?, from.mean()?];
    let mut output = [Mean::default(); CLASSES];
    for mean in &mut output {
        *mean = from.mean()?;
    }
    let mut sketch = Sketch { newest: from.figure().filter(|newest| *newest >= 1.0)?, ..Sketch::default() };
    for weight in &mut sketch.weights {
        *weight = from.figure()?;
    }
    Some(Record { breaker, window, first_token, tokens_per_second, answer, answer_tokens, output, sketch })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn longs<const N: usize>(&mut self) -> Option<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = u64::from_le_bytes(self.bytes()?);
        }
        Some(numbers)
    }

    fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    /// Neither negative, nor infinite, nor no number.
    fn figure(&mut self) -> Option<f32> {
        self.bytes().map(f32::from_le_bytes).filter(|figure| (0.0..1e12).contains(figure))
    }

    fn mean(&mut self) -> Option<Mean> {
        Some(Mean { value: self.figure()?, samples: self.number()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TaskClass;

    const NOW: u64 = 1_700_000_000_000;

    fn full() -> Record {
        let mut record = Record::at(None, NOW);
        for event in [
            Event::Answered { began_ms: NOW - 400, at_ms: NOW, first_token_ms: Some(400.0), wait_ms: Some(50) },
            Event::Complete { class: Some(TaskClass::Tools), output: 77, tokens_per_second: Some(80.0), whole_ms: Some(900.0) },
            Event::Failed { began_ms: NOW, at_ms: NOW + 60, wait_ms: Some(2_000) },
        ] {
            record.apply(&event);
        }
        assert!(record.breaker.claim(NOW + 3_000, 500));
        record
    }

    #[test]
    fn a_record_survives_a_round_trip() {
        for record in [Record::at(None, NOW), full()] {
            let bytes = record.encode();
            assert_eq!(bytes.len(), LENGTH);
            assert_eq!(
                Record::at(Some(&bytes), NOW + 3_000),
                Record {
                    window: {
                        let mut w = record.window;
                        w.slide(NOW + 3_000);
                        w
                    },
                    ..record
                }
            );
        }
    }

    #[test]
    fn what_is_no_record_is_a_fresh_one() {
        let (fresh, bytes) = (Record::at(None, NOW), full().encode());
        let longer = [bytes.clone(), vec![0]].concat();
        let changed = |at: usize, to: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + to.len()].copy_from_slice(to);
            bytes
        };
        let newest = LENGTH - 4 * (1 + BUCKETS);
        for (name, garbage) in [
            ("empty", Vec::new()),
            ("short", bytes[..LENGTH - 1].to_vec()),
            ("long", longer),
            ("an old counter", 3_u32.to_le_bytes().to_vec()),
            ("zeros", vec![0; LENGTH]),
            ("ones", vec![0xff; LENGTH]),
            ("another layout", changed(0, &[2])),
            ("a weight that is no number", changed(LENGTH - 4, &f32::NAN.to_le_bytes())),
            ("a negative weight", changed(LENGTH - 4, &(-1.0_f32).to_le_bytes())),
            ("an infinite average", changed(newest - 8, &f32::INFINITY.to_le_bytes())),
            ("no newest weight", changed(newest, &0.0_f32.to_le_bytes())),
        ] {
            assert_eq!(Record::at(Some(&garbage), NOW), fresh, "{name}");
        }
    }

    #[test]
    fn times_that_cannot_be_do_not_close_a_deployment_for_ever() {
        for at in 1..7 {
            let mut bytes = full().encode();
            bytes[8 * at..8 * at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            assert_eq!(Record::at(Some(&bytes), NOW).breaker, Breaker::default(), "word {at}");
        }
    }
}
