//! The calls of a log under one policy: whom each goes to, and what everybody else would have been.

use std::path::Path;

use neural_router::config::{Config, Objective};
use neural_router::rank::{self, Circumstances};
use neural_router::vitals::Snapshot;

use super::record::Record;
use crate::caller::Who;

/// A configuration under which calls are replayed.
#[derive(Debug)]
pub(super) struct Policy {
    /// `A` or `B`.
    pub(super) name: &'static str,
    /// Its file.
    pub(super) file: String,
    pub(super) config: Config,
}

/// The figures of one model for one call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// Position of the model in the catalogue.
    pub(super) model: usize,
    /// q, from 0 to 1.
    pub(super) quality: f64,
    /// What the call used at this model's price; the estimate if that is not known.
    pub(super) cost_usd: f64,
    /// As predicted.
    pub(super) latency_ms: f64,
}

/// Those who could take a call; the first is the policy's choice.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice(Vec<Figures>);

impl Choice {
    /// At least one model.
    pub(super) fn new(first: Figures, others: impl IntoIterator<Item = Figures>) -> Self {
        Self(std::iter::once(first).chain(others).collect())
    }

    /// The figures of the model that the policy chose.
    pub(super) fn chosen(&self) -> &Figures {
        &self.0[0]
    }

    /// The figures of another model; `None` if it cannot take the call.
    pub(super) fn by(&self, model: usize) -> Option<&Figures> {
        self.0.iter().find(|figures| figures.model == model)
    }
}

const NANOS_PER_USD: f64 = 1e9;

impl Policy {
    /// The policy of a configuration.
    pub(super) fn new(name: &'static str, file: &Path, config: Config) -> Self {
        Self { name, file: file.display().to_string(), config }
    }

    /// The id of a model.
    pub(super) fn model(&self, position: usize) -> &str {
        self.config.catalog.models().nth(position).map_or("", |(_, model)| &model.id)
    }

    /// What becomes of a call; the error says why nobody takes it. With `lambda`, calls that named no objective want
    /// quality for their price by that λ.
    pub(super) fn replay(&self, call: &Record, lambda: Option<f64>) -> Result<Choice, String> {
        let who = Who::logged(&self.config, &call.workspace, call.key.as_deref());
        let who = who.ok_or_else(|| format!("no workspace `{}`", call.workspace))?;
        let mut caller = who.caller();
        let mut workspace;
        if let Some(lambda) = lambda {
            workspace = caller.workspace.clone();
            workspace.objective = Objective::QualityPerDollar;
            workspace.preferences.quality_per_dollar.lambda = lambda;
            caller.workspace = &workspace;
        }
        let now = Circumstances { vitals: &Snapshot::default(), now_ms: 0, lot: call.lot };
        let plan = rank::answer(&self.config, &caller, &call.question(&caller), &now, true);
        let plan = plan.map_err(|rejection| message(&rejection.body()))?;
        let catalog = &self.config.catalog;
        let mut all: Vec<Figures> = Vec::with_capacity(plan.table.len());
        for row in &plan.table {
            let position = catalog.models().position(|(_, model)| std::ptr::eq(model, row.model));
            let (Some(figures), Some(model)) = (row.figures, position) else { continue };
            let cost = call.usage.map_or(figures.cost, |usage| row.model.price.cost(&usage));
            // A model has as many rows as deployments.
            if all.iter().all(|known| known.model != model) {
                all.push(Figures {
                    model,
                    quality: figures.quality,
                    cost_usd: cost.0 as f64 / NANOS_PER_USD,
                    latency_ms: figures.latency_ms,
                });
            }
        }
        let mut all = all.into_iter();
        let first = all.next().ok_or("nobody may take it")?;
        Ok(Choice::new(first, all))
    }
}

/// What a refusal says.
fn message(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["error"]["message"].as_str().unwrap_or_default().to_owned()
}
