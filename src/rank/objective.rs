//! The objectives: in which order models are worth asking.
//!
//! `quality` takes the largest q, of those within 0.01 the cheapest; `cost` the smallest c and `latency` the smallest
//! L among those that reach the floor of the task class; `quality-per-dollar` the largest q − λ·ln(1 + c/c₀) among
//! those with q ≥ q_max − δ. A plain ratio would always take the cheapest, since prices differ a hundredfold and
//! qualities do not.

use core::cmp::Reverse;

use crate::config::catalog::Model;
use crate::config::preference::{Preferences, QualityPerDollar};
use crate::config::{ModelIndex, Objective, TaskClass};

/// A model with its figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures<'c> {
    /// Where it is in the shortlist.
    pub(super) position: usize,
    pub(super) index: ModelIndex,
    pub(super) model: &'c Model,
    /// q, from 0 to 1.
    pub(super) quality: f64,
    /// c in nano-dollars, less what a cache saves.
    pub(super) cost: u64,
    /// L in milliseconds.
    pub(super) latency_ms: f64,
    /// The conversation began here.
    pub(super) home: bool,
}

/// Qualities nearer than this are the same: figures are not better known.
pub(super) const SAME_QUALITY: f64 = 0.01;

/// What another model must be better by for a conversation to move.
const MOVING_QUALITY: f64 = 0.02;

/// What a prompt that is read from a cache leaves of the wait.
const CACHED_WAIT: f64 = 0.9;

const NANOS_PER_USD: f64 = 1e9;

impl Figures<'_> {
    fn worth(&self) -> f64 {
        if self.home { self.quality + MOVING_QUALITY } else { self.quality }
    }

    fn wait(&self) -> f64 {
        if self.home { self.latency_ms * CACHED_WAIT } else { self.latency_ms }
    }
}

/// What an objective goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    objective: Objective,
    constants: QualityPerDollar,
    /// Models below it come last.
    least: f64,
}

impl Scale {
    pub(super) fn of(objective: Objective, preferences: &Preferences, class: Option<TaskClass>, models: &[Figures<'_>]) -> Self {
        let best = models.iter().map(|f| f.quality).fold(0.0, f64::max);
        let constants = preferences.quality_per_dollar;
        let least = match objective {
            Objective::Quality => 0.0,
            Objective::QualityPerDollar => best - constants.delta,
            // Where nobody reaches the floor, the best is still an answer. Vectors have no task.
            Objective::Cost | Objective::Latency => class.map_or(0.0, |class| preferences.floor(class)).min(best),
        };
        Self { objective, constants, least }
    }

    /// What counts, larger being better; `None` for a model that is not good enough to be picked.
    pub(super) fn score(&self, figures: &Figures<'_>) -> Option<f64> {
        if figures.quality < self.least {
            return None;
        }
        let usd = figures.cost as f64 / NANOS_PER_USD;
        Some(match self.objective {
            Objective::Quality => figures.worth(),
            Objective::Cost => -usd,
            Objective::Latency => -figures.wait(),
            // Not the platform's logarithm: the filter and `nr` have to agree to the last bit.
            Objective::QualityPerDollar => figures.worth() - self.constants.lambda * libm::log1p(usd / self.constants.c0_usd),
        })
    }

    /// Puts the best first. What is equal in everything stays in the order of the file.
    pub(super) fn sort(&self, models: &mut [Figures<'_>]) {
        // Each score once: a logarithm costs more than all comparisons of a model.
        models.sort_by_cached_key(|f| (Reverse(self.score(f).map(ordered)), Reverse(ordered(f.quality)), f.cost));
        if self.objective == Objective::Quality {
            sort_ties(models);
        }
    }
}

/// A figure as a number in the order of [`f64::total_cmp`].
fn ordered(figure: f64) -> i64 {
    let bits = figure.to_bits().cast_signed();
    // Of a negative number, every bit but the sign is turned around.
    bits ^ ((bits >> 63) & i64::MAX)
}

/// Of models whose quality is the same, the cheaper comes first: each run of them that begins with the best left.
fn sort_ties(models: &mut [Figures<'_>]) {
    let mut rest = models;
    while let Some(best) = rest.first().map(Figures::worth) {
        let same = rest.iter().take_while(|f| f.worth() >= best - SAME_QUALITY).count();
        let (ties, others) = rest.split_at_mut(same.max(1));
        ties.sort_by_key(|f| f.cost);
        rest = others;
    }
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn figures_are_ordered_as_numbers() {
        let rising = [f64::NEG_INFINITY, -2.5, -1e-9, -0.0, 0.0, 1e-9, 0.3, 2.5, f64::INFINITY];
        for pair in rising.windows(2) {
            assert!(ordered(pair[0]) < ordered(pair[1]), "{pair:?}");
            assert!(pair[0].total_cmp(&pair[1]).is_lt(), "{pair:?}");
        }
    }
}
