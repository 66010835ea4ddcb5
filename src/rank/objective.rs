//! The objectives, on the catalogue's figures.
//!
//! A candidate's figures are q, its quality for the task class; c, the price of the estimated
//! prompt and an expected answer; and L, the expected time to the whole answer. `quality` takes
//! the largest q, `cost` the smallest c, `latency` the smallest L, and `quality-per-dollar` the
//! largest q − λ·ln(1 + c/c₀) among those with q ≥ q_max − δ: a plain ratio would always take the
//! cheapest, since prices differ a hundredfold and qualities do not.

use core::cmp::Ordering;

use crate::config::catalog::{Deployment, Latency, Model, Tokens};
use crate::config::{ModelIndex, Objective, TaskClass};
use crate::openai::{Endpoint, Request};

/// The constants of the default objective.
#[derive(Debug, Clone, Copy)]
pub struct QualityPerDollar {
    /// λ: how much quality a factor of e in price is worth.
    pub lambda: f64,
    /// c₀ in US dollars: below it, price hardly matters.
    pub c0_usd: f64,
    /// δ: how far below the best quality a candidate may be.
    pub delta: f64,
}

impl QualityPerDollar {
    /// What is used unless configured otherwise.
    pub const DEFAULT: Self = Self { lambda: 0.05, c0_usd: 0.001, delta: 0.15 };

    fn score(&self, figures: &Figures<'_>, best_quality: f64) -> f64 {
        if figures.quality < best_quality - self.delta {
            return f64::NEG_INFINITY;
        }
        let usd = figures.cost as f64 / NANOS_PER_USD;
        figures.quality - self.lambda * (1.0 + usd / self.c0_usd).ln()
    }
}

const NANOS_PER_USD: f64 = 1e9;

/// What an answer is taken to be when the request does not bound it.
pub const EXPECTED_OUTPUT: u64 = 500;

/// What a deployment is taken to do when the catalogue does not say; median figures of hosted models.
const ASSUMED_LATENCY: Latency = Latency { first_token_ms: 800.0, tokens_per_second: 60.0 };

struct Figures<'c> {
    index: ModelIndex,
    model: &'c Model,
    quality: f64,
    cost: u64,
    latency_ms: f64,
}

pub(super) fn rank<'c>(
    models: Vec<(ModelIndex, &'c Model)>,
    objective: Objective,
    class: Option<TaskClass>,
    request: &Request<'_>,
) -> Vec<(ModelIndex, &'c Model)> {
    let mut figures: Vec<Figures<'c>> = models.into_iter().map(|(index, model)| figures(index, model, class, request)).collect();
    let best = figures.iter().map(|f| f.quality).fold(0.0, f64::max);
    let by_quality = |a: &Figures<'_>, b: &Figures<'_>| b.quality.total_cmp(&a.quality);
    let by_cost = |a: &Figures<'_>, b: &Figures<'_>| a.cost.cmp(&b.cost);
    let by_latency = |a: &Figures<'_>, b: &Figures<'_>| a.latency_ms.total_cmp(&b.latency_ms);
    let by_score =
        |a: &Figures<'_>, b: &Figures<'_>| QualityPerDollar::DEFAULT.score(b, best).total_cmp(&QualityPerDollar::DEFAULT.score(a, best));
    // The sort is stable: what is equal in everything stays in the order of the file.
    figures.sort_by(|a, b| -> Ordering {
        match objective {
            Objective::Quality => by_quality(a, b).then(by_cost(a, b)),
            Objective::Cost => by_cost(a, b).then(by_quality(a, b)),
            Objective::Latency => by_latency(a, b).then(by_quality(a, b)).then(by_cost(a, b)),
            Objective::QualityPerDollar => by_score(a, b).then(by_quality(a, b)).then(by_cost(a, b)),
        }
    });
    figures.into_iter().map(|f| (f.index, f.model)).collect()
}

fn figures<'c>(index: ModelIndex, model: &'c Model, class: Option<TaskClass>, request: &Request<'_>) -> Figures<'c> {
    let demand = request.demand();
    // A vector is no answer in tokens.
    let output = match request.endpoint() {
        Endpoint::Chat => demand.max_output.unwrap_or(EXPECTED_OUTPUT).min(model.max_output.0),
        Endpoint::Embeddings => 0,
    };
    let whole_answer = |deployment: &Deployment| {
        let latency = deployment.latency.unwrap_or(ASSUMED_LATENCY);
        latency.first_token_ms + output as f64 / latency.tokens_per_second * 1000.0
    };
    Figures {
        index,
        model,
        quality: model.quality.of(class),
        cost: model.price.of(Tokens(demand.prompt_tokens), Tokens(output)),
        latency_ms: model.deployments.first().map_or(f64::INFINITY, whole_answer),
    }
}
