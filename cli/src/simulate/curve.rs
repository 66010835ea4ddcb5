//! What is drawn: the policies and their controls, what other weights of price would give, and every model alone.

use super::Replayed;
use super::chance::Interval;
use super::comparison::Comparison;
use super::replay::{Figures, Policy};

/// Mean cost and quality over the calls, with their intervals where there are any.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) label: String,
    pub(super) usd_per_1000: Interval,
    pub(super) quality: Interval,
}

/// All points of one policy; its name tells its colour.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) own: Point,
    pub(super) control: Point,
    /// By rising λ; none where it is that of the series before.
    pub(super) curve: Vec<Point>,
}

/// What a drawing shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) calls: usize,
    pub(super) series: Vec<Series>,
    /// Every model alone; what it cannot take goes where the policy sends it.
    pub(super) models: Vec<Point>,
}

/// From "price does not matter" to "nothing else does".
const LAMBDAS: [f64; 19] = [0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 1.0];

/// The figure, and what to know of it.
pub(super) fn figure(policies: &[Policy], replayed: &Replayed<'_>, comparison: &Comparison) -> (Figure, Vec<String>) {
    let series = policies.iter().zip(&comparison.outcomes).map(|(policy, outcome)| Series {
        name: policy.name,
        own: Point { label: policy.name.to_owned(), usd_per_1000: outcome.own.usd_per_1000, quality: outcome.own.quality },
        control: Point {
            label: format!("{}'s control", policy.name),
            usd_per_1000: outcome.control.usd_per_1000,
            quality: outcome.control.quality,
        },
        curve: LAMBDAS.iter().filter_map(|lambda| swept(policy, replayed, *lambda)).collect(),
    });
    let mut series: Vec<Series> = series.collect();
    if let [a, b] = series.as_mut_slice()
        && a.curve == b.curve
    {
        b.curve.clear();
    }
    let (mut models, mut notes) = (Vec::<Point>::new(), Vec::new());
    for (policy, choices) in policies.iter().zip(&replayed.choices) {
        for (position, id) in policy.config.catalog.models().map(|(_, model)| &model.id).enumerate() {
            let cannot = choices.iter().filter(|choice| choice.by(position).is_none()).count();
            if cannot == choices.len() || models.iter().any(|model| model.label == *id) {
                continue;
            }
            if cannot > 0 {
                notes.push(format!("{id} alone: {cannot} of the calls, which it cannot take, are as {} has them", policy.name));
            }
            models.extend(mean(id.clone(), choices.iter().map(|choice| choice.by(position).unwrap_or(choice.chosen())).collect()));
        }
    }
    (Figure { calls: replayed.calls.len(), series, models }, notes)
}

/// A policy with another λ.
fn swept(policy: &Policy, replayed: &Replayed<'_>, lambda: f64) -> Option<Point> {
    let choices: Vec<_> = replayed.calls.iter().filter_map(|call| policy.replay(call, Some(lambda)).ok()).collect();
    mean(format!("λ {lambda}"), choices.iter().map(|choice| choice.chosen()).collect())
}

fn mean(label: String, figures: Vec<&Figures>) -> Option<Point> {
    let calls = figures.len() as f64;
    let exact = |mean: f64| Interval { mean, low: mean, high: mean };
    let of = |figure: fn(&Figures) -> f64| figures.iter().map(|f| figure(f)).sum::<f64>() / calls;
    (calls > 0.0).then(|| Point { label, usd_per_1000: exact(of(|f| f.cost_usd) * 1000.0), quality: exact(of(|f| f.quality)) })
}
