//! The three figures of a model for a call: q, how well it would answer; c, what that would cost; L, how long it
//! would take.

use crate::config::catalog::{Deployment, Latency, Model, Tokens};
use crate::openai::{Demand, Endpoint};
use crate::task::Task;
use crate::vitals::Snapshot;

/// What an answer is taken to be when the request does not bound it and nobody has seen one.
pub const EXPECTED_OUTPUT: u64 = 500;

/// What a deployment is taken to do when the catalogue does not say; median figures of hosted models.
pub const ASSUMED_LATENCY: Latency = Latency { first_token_ms: 800.0, tokens_per_second: 60.0 };

/// κ: how much of what a figure for a class says beyond the default is believed. Benchmarks of one class are few and
/// noisy; the default is the mean of many.
const BELIEVED: f64 = 0.8;

/// The hardest prompt counts no more than this: difficulty is a guess.
const MAX_DIFFICULTY: f64 = 0.6;

/// q: the figure of the class, drawn towards the default, less what a hard prompt takes from this model.
pub(super) fn quality(model: &Model, task: Option<Task>) -> f64 {
    let Some(Task { class, difficulty }) = task else { return model.quality.default };
    let default = model.quality.default;
    let known = default + BELIEVED * (model.quality.of(Some(class)) - default);
    let lost = f64::from(difficulty).min(MAX_DIFFICULTY) * model.sensitivity * HARDNESS;
    (known - lost).max(0.0)
}

/// What a sensitivity of 1 costs on a prompt of difficulty 1.
const HARDNESS: f64 = 0.5;

/// Tokens of one answer: what this model has been seen to write for such tasks, never more than it may.
pub(super) fn output(model: &Model, endpoint: Endpoint, demand: &Demand, task: Option<Task>, vitals: &Snapshot) -> u64 {
    if endpoint == Endpoint::Embeddings {
        // A vector is no answer in tokens.
        return 0;
    }
    let most = demand.max_output.unwrap_or(u64::MAX).min(model.max_output.0);
    // Who sets a bound means to come near it, for all that is known.
    let assumed = demand.max_output.unwrap_or(EXPECTED_OUTPUT).min(most);
    let expected = task.map_or(assumed, |task| seen(model, task, assumed, vitals));
    expected.clamp(u64::from(most > 0), most.max(1)).min(most)
}

/// What the deployments of a model have written for such tasks, each weighing as much as it has answered.
fn seen(model: &Model, task: Task, assumed: u64, vitals: &Snapshot) -> u64 {
    let known = model.deployments.iter().filter_map(|deployment| vitals.of(deployment).output_tokens.get(task.class as usize));
    let (mut sum, mut samples) = (0.0, 0.0);
    for mean in known {
        let weight = f64::from(mean.samples.min(MOST_SAMPLES));
        (sum, samples) = (sum + weight * f64::from(mean.value), samples + weight);
    }
    ((sum + ASSUMED_SAMPLES * assumed as f64) / (samples + ASSUMED_SAMPLES)).round() as u64
}

/// As many answers weigh as much as what is assumed without any.
const ASSUMED_SAMPLES: f64 = 5.0;

/// Averages follow what is recent; more answers than this say no more.
const MOST_SAMPLES: u32 = 100;

/// c: price of the prompt and of the answers, in nano-dollars.
pub(super) fn cost(model: &Model, demand: &Demand, output: u64) -> u64 {
    model.price.of(Tokens(demand.prompt_tokens), Tokens(output.saturating_mul(demand.choices)))
}

/// L and its upper estimate, in milliseconds: to the first token, and the answer at the speed of the deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wait {
    pub(super) expected_ms: f64,
    pub(super) likely_at_most_ms: f64,
}

pub(super) fn wait(deployment: &Deployment, output: u64, vitals: &Snapshot) -> Wait {
    let seed = deployment.latency.unwrap_or(ASSUMED_LATENCY);
    let speed = vitals.of(deployment).latency(seed);
    let answer_ms = output as f64 / speed.tokens_per_second * 1000.0;
    Wait { expected_ms: speed.first_token_ms + answer_ms, likely_at_most_ms: speed.first_token_p95_ms + answer_ms }
}
