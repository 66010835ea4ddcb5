//! The figures of the policies and of their controls, with their intervals.

use super::chance::{Interval, Means};
use super::replay::{Choice, Policy};
use super::{Replayed, control};

/// What is compared, of all calls: quality, cost in US dollars, latency in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    pub(super) quality: Interval,
    pub(super) usd_per_1000: Interval,
    pub(super) latency_ms: Interval,
}

/// One policy.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) own: Figures,
    pub(super) control: Figures,
    pub(super) over_control: Figures,
    /// Calls by model, most first.
    pub(super) mix: Vec<(String, usize)>,
    /// Calls for which it chose the model that the log names.
    pub(super) as_logged: usize,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) calls: usize,
    pub(super) outcomes: Vec<Outcome>,
    /// B less A.
    pub(super) difference: Option<Figures>,
}

/// Figures of a call: three of each policy, and three of its control.
const PER_POLICY: usize = 6;
const CONTROL: usize = 3;
const SERIES: usize = 2 * PER_POLICY;

impl Comparison {
    /// `None` if there is no call.
    pub(super) fn of(policies: &[Policy], replayed: &Replayed<'_>, seed: u64) -> Option<Self> {
        let calls = replayed.calls.len();
        if calls == 0 {
            return None;
        }
        let mut series = vec![[0.0; SERIES]; calls];
        for (choices, at) in replayed.choices.iter().zip([0, PER_POLICY]) {
            for ((row, choice), control) in series.iter_mut().zip(choices).zip(control::figures(choices, seed)) {
                let own = choice.chosen();
                row[at..at + CONTROL].copy_from_slice(&[own.quality, own.cost_usd, own.latency_ms]);
                row[at + CONTROL..at + PER_POLICY].copy_from_slice(&control);
            }
        }
        let means = Means::of(&series, seed);
        let outcome = |(policy, at): (&Policy, usize)| {
            let choices = &replayed.choices[at / PER_POLICY];
            let logged = replayed.calls.iter().zip(choices).filter(|(call, choice)| policy.model(choice.chosen().model) == call.selected);
            Outcome {
                own: figures(&means, |means, figure| means[at + figure]),
                control: figures(&means, |means, figure| means[at + CONTROL + figure]),
                over_control: figures(&means, |means, figure| means[at + figure] - means[at + CONTROL + figure]),
                mix: mix(policy, choices),
                as_logged: logged.count(),
            }
        };
        let outcomes: Vec<Outcome> = policies.iter().zip([0, PER_POLICY]).map(outcome).collect();
        let difference = (policies.len() == 2).then(|| figures(&means, |means, figure| means[PER_POLICY + figure] - means[figure]));
        Some(Self { calls, outcomes, difference })
    }
}

fn figures(means: &Means<SERIES>, of: impl Fn(&[f64; SERIES], usize) -> f64) -> Figures {
    Figures {
        quality: means.interval(|means| of(means, 0)),
        usd_per_1000: means.interval(|means| of(means, 1) * 1000.0),
        latency_ms: means.interval(|means| of(means, 2)),
    }
}

fn mix(policy: &Policy, choices: &[Choice]) -> Vec<(String, usize)> {
    let models = policy.config.catalog.models().enumerate();
    let count = |position| choices.iter().filter(|choice| choice.chosen().model == position).count();
    let mut mix: Vec<(String, usize)> = models.map(|(position, (_, model))| (model.id.clone(), count(position))).collect();
    mix.retain(|(_, calls)| *calls > 0);
    mix.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    mix
}
