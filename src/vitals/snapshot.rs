//! All deployments at one moment, as the router seat sees them.

use core::cell::RefCell;
use std::rc::Rc;

use super::breaker::State;
use super::mean::{Mean, trust};
use super::record::Record;
use super::{CLASSES, DOWN, MAX_AGE_MS, key};
use crate::config::catalog::{Deployment, Latency};
use crate::config::{Catalog, TaskClass};
use crate::ledger::Store;

/// Whether a deployment can be expected to answer. In rising order of how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// None of the below; also what nobody has asked yet.
    #[default]
    Healthy,
    /// It failed last, or cools down, or has not been tried since, or failed more often than not in
    /// the last minute (of at least ten attempts).
    Degraded,
    /// It has failed [`DOWN`] times in a row, or more often.
    Down,
}

/// Whether a call may try a deployment that has cooled down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trial {
    /// There is nothing to try out; it may still be cooling down.
    #[default]
    None,
    /// The cool-down is over: one call may [`claim`](super::claim) the trial.
    Free,
    /// A call has claimed it.
    Claimed,
}

/// A deployment at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vital {
    /// In one word.
    pub health: Health,
    /// Until when it is to be left alone, Unix milliseconds; `None` if that is over or never was.
    pub cooling_until_ms: Option<u64>,
    /// Whether it is to be tried out.
    pub trial: Trial,
    /// Share of the attempts of the last minute that succeeded; `None` without any.
    pub success_rate: Option<f32>,
    /// Attempts of the last minute.
    pub attempts: u64,
    /// Milliseconds to the first token, of streams and of embeddings.
    pub first_token: Mean,
    /// 95th percentile of the same, within 9.1 %.
    pub first_token_p95_ms: Option<f64>,
    /// Tokens per second after the first, of streams.
    pub tokens_per_second: Mean,
    /// Milliseconds that answers took which came whole.
    pub answer: Mean,
    /// Tokens that those had.
    pub answer_tokens: Mean,
    /// Tokens of an answer by task class, in the order of [`TaskClass::ALL`].
    pub output_tokens: [Mean; CLASSES],
}

/// What a deployment can be expected to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latencies {
    /// Milliseconds to the first token, on average.
    pub first_token_ms: f64,
    /// Milliseconds that 95 % of first tokens take at most.
    pub first_token_p95_ms: f64,
    /// Tokens per second after it.
    pub tokens_per_second: f64,
}

/// How the 95th percentile is expected to lie to the average, before anything is known.
const SPREAD: f64 = 2.0;

/// Whole answers are held to change an expectation at most by this factor, either way.
const MOST_SCALED: f64 = 20.0;

impl Vital {
    fn of(record: &Record, now_ms: u64) -> Self {
        let (succeeded, failed) = record.window.totals();
        let attempts = succeeded + failed;
        let state = record.breaker.state(now_ms);
        let health = match record.breaker.failures {
            DOWN.. => Health::Down,
            0 if state == State::Closed && !record.mostly_fails() => Health::Healthy,
            _ => Health::Degraded,
        };
        Self {
            health,
            cooling_until_ms: (state == State::Cooling).then_some(record.breaker.until_ms),
            trial: match state {
                State::Closed | State::Cooling => Trial::None,
                State::HalfOpen => Trial::Free,
                State::Claimed => Trial::Claimed,
            },
            success_rate: (attempts > 0).then(|| (succeeded as f64 / attempts as f64) as f32),
            attempts,
            first_token: record.first_token,
            first_token_p95_ms: record.sketch.quantile(0.95),
            tokens_per_second: record.tokens_per_second,
            answer: record.answer,
            answer_tokens: record.answer_tokens,
            output_tokens: record.output,
        }
    }

    /// What it can be expected to take, where `seed` is what the catalogue says.
    ///
    /// Whole answers, T milliseconds for o tokens on average of m, scale the seed: with
    /// k = T / (first token + o / speed), its first token becomes 1 + m/(m+5) · (k − 1) times as
    /// late, and its speed is divided by the same. Then n figures of streams weigh n/(n+5) against
    /// it. The percentile is expected to be twice the average.
    pub fn latency(&self, seed: Latency) -> Latencies {
        let scale = self.scale(seed);
        let first = seed.first_token_ms * scale;
        let (trust, expected_p95) = (trust(self.first_token.samples), first * SPREAD);
        Latencies {
            first_token_ms: self.first_token.blended(first),
            first_token_p95_ms: self.first_token_p95_ms.map_or(expected_p95, |known| expected_p95 + trust * (known - expected_p95)),
            tokens_per_second: self.tokens_per_second.blended(seed.tokens_per_second / scale),
        }
    }

    /// Tokens that an answer to this class of work can be expected to have: n answers weigh n/(n+5)
    /// against `seed`.
    pub fn expected_output(&self, class: TaskClass, seed: f64) -> f64 {
        self.output_tokens.get(class as usize).map_or(seed, |mean| mean.blended(seed))
    }

    fn scale(&self, seed: Latency) -> f64 {
        let expected = seed.first_token_ms + f64::from(self.answer_tokens.value) * 1000.0 / seed.tokens_per_second;
        if self.answer.samples == 0 || expected <= 0.0 {
            return 1.0;
        }
        let ratio = (f64::from(self.answer.value) / expected).clamp(1.0 / MOST_SCALED, MOST_SCALED);
        1.0 + trust(self.answer.samples) * (ratio - 1.0)
    }
}

/// Every deployment of a catalogue, by its position.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot(pub Vec<Vital>);

/// One of which nothing is known.
static UNKNOWN: Vital = Vital {
    health: Health::Healthy,
    cooling_until_ms: None,
    trial: Trial::None,
    success_rate: None,
    attempts: 0,
    first_token: NOTHING,
    first_token_p95_ms: None,
    tokens_per_second: NOTHING,
    answer: NOTHING,
    answer_tokens: NOTHING,
    output_tokens: [NOTHING; CLASSES],
};

const NOTHING: Mean = Mean { value: 0.0, samples: 0 };

impl Snapshot {
    /// Reads all records.
    pub fn read(store: &dyn Store, catalog: &Catalog, now_ms: u64) -> Self {
        Self(catalog.deployments().map(|deployment| look(store, &key_of(catalog, deployment), now_ms)).collect())
    }

    /// What is known of a deployment; nothing, in the default snapshot.
    pub fn of(&self, deployment: &Deployment) -> &Vital {
        self.0.get(deployment.position).unwrap_or(&UNKNOWN)
    }
}

fn key_of(catalog: &Catalog, deployment: &Deployment) -> String {
    key(catalog.provider(deployment).map_or("", |provider| &provider.name), &deployment.model)
}

fn look(store: &dyn Store, key: &str, now_ms: u64) -> Vital {
    Vital::of(&Record::at(store.read(key).0.as_deref(), now_ms), now_ms)
}

/// A worker's snapshot, at most [`MAX_AGE_MS`] old.
#[derive(Debug)]
pub struct Cache {
    keys: Vec<String>,
    /// When it was read, Unix milliseconds.
    kept: RefCell<Option<(u64, Rc<Snapshot>)>>,
}

impl Cache {
    /// A cache for the deployments of this catalogue.
    pub fn of(catalog: &Catalog) -> Self {
        let keys = catalog.deployments().map(|deployment| key_of(catalog, deployment)).collect();
        Self { keys, kept: RefCell::new(None) }
    }

    /// The snapshot, read anew if it is too old.
    pub fn get(&self, store: &dyn Store, now_ns: u64) -> Rc<Snapshot> {
        let now_ms = now_ns / 1_000_000;
        let Ok(mut kept) = self.kept.try_borrow_mut() else { return Rc::default() };
        if let Some((read_ms, snapshot)) = kept.as_ref()
            && now_ms.abs_diff(*read_ms) < MAX_AGE_MS
        {
            return Rc::clone(snapshot);
        }
        let snapshot = Rc::new(Snapshot(self.keys.iter().map(|key| look(store, key, now_ms)).collect()));
        *kept = Some((now_ms, Rc::clone(&snapshot)));
        snapshot
    }

    /// The snapshot, read anew.
    pub fn fresh(&self, store: &dyn Store, now_ns: u64) -> Rc<Snapshot> {
        self.forget();
        self.get(store, now_ns)
    }

    /// The key of a deployment's record, for [`claim`](super::claim).
    pub fn key(&self, deployment: &Deployment) -> &str {
        self.keys.get(deployment.position).map_or("", String::as_str)
    }

    /// Makes the next [`get`](Self::get) read anew: this worker has just changed a record itself.
    pub fn forget(&self) {
        if let Ok(mut kept) = self.kept.try_borrow_mut() {
            *kept = None;
        }
    }
}
