//! Which candidates may answer a call, and in which order: eligibility first, then the objective.
//!
//! Deterministic: the same configuration, workspace, call and circumstances give the same order and the same figures
//! to the last bit, in the filter and in `nr explain`. docs/routing.md has every formula with an example.

mod affinity;
mod eligible;
mod explain;
mod explore;
mod figures;
mod objective;
mod question;
mod reason;
mod shortlist;

use crate::authenticate::Caller;
use crate::config::catalog::{Deployment, Model, Provider};
use crate::config::policy::NanoUsd;
use crate::config::{Config, Objective, TaskClass};
use crate::openai::{Endpoint, Request};
use crate::rejection::Rejection;
use crate::vitals::Snapshot;

pub use affinity::lot;
pub use explain::{fixed, table};
pub use figures::{ASSUMED_LATENCY, EXPECTED_OUTPUT};
pub use question::Question;
pub use shortlist::Excluded;

use shortlist::{Entry, Shortlist};

/// What is known besides the configuration and the call.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'v> {
    /// How the deployments have been doing.
    pub vitals: &'v Snapshot,
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// From 0 up to 1, by chance: whether this call explores, and whom it picks then.
    pub lot: f64,
}

/// What was decided.
#[derive(Debug)]
pub struct Plan<'c> {
    /// In the order they are tried; never empty, at most `routing.max_attempts`.
    pub candidates: Vec<Candidate<'c>>,
    /// The objective that applied.
    pub objective: Objective,
    /// The task class that the figures are for; `None` for embeddings.
    pub class: Option<TaskClass>,
    /// Short name of the workspace's policy.
    pub policy: &'c str,
    /// How hard the prompt looks, 0..1.
    pub difficulty: f64,
    /// How many candidates were eligible.
    pub considered: usize,
    /// Why the first one is first, for people.
    pub reason: String,
    /// What the call is expected to cost at the first candidate.
    pub estimated_cost: NanoUsd,
    /// How likely this choice of a model was, where some are made by lot.
    pub propensity: Option<f64>,
    /// Every model of the workspace with its figures or the reason for its exclusion; empty unless asked for.
    pub table: Vec<Row<'c>>,
}

impl Plan<'_> {
    /// Tries the first candidate last: another call is trying it out.
    pub fn put_off_first(&mut self) {
        const WHY: &str = "; the first choice is being tried out by another call";
        let model = |plan: &Self| plan.candidates.first().map(|candidate| core::ptr::from_ref(candidate.model));
        let before = model(self);
        if !self.candidates.is_empty() {
            self.candidates.rotate_left(1);
        }
        if let Some(first) = self.candidates.first() {
            self.estimated_cost = first.estimated_cost;
        }
        if model(self) != before {
            // That model was not chosen, neither by figures nor by lot.
            self.propensity = None;
        }
        if !self.reason.ends_with(WHY) {
            self.reason.push_str(WHY);
        }
    }
}

/// One deployment of one model.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'c> {
    /// The model.
    pub model: &'c Model,
    /// Where it is.
    pub deployment: &'c Deployment,
    /// Who runs it.
    pub provider: &'c Provider,
    /// How long the whole answer may well take, in milliseconds.
    pub likely_at_most_ms: f64,
    /// What the call is expected to cost here.
    pub estimated_cost: NanoUsd,
}

/// A candidate as `route.explain` shows it.
#[derive(Debug, Clone)]
pub struct Row<'c> {
    /// The model.
    pub model: &'c Model,
    /// The deployment, unless the model is excluded as a whole.
    pub deployment: Option<(&'c Deployment, &'c Provider)>,
    /// Figures and score, unless excluded.
    pub figures: Option<RowFigures>,
    /// Why it is not asked.
    pub excluded: Option<Excluded>,
}

/// The figures of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowFigures {
    /// q
    pub quality: f64,
    /// c
    pub cost: NanoUsd,
    /// L in milliseconds.
    pub latency_ms: f64,
    /// What the objective goes by; `None` below the floor, or too far below the best.
    pub score: Option<f64>,
}

/// Plans a call.
pub fn plan<'c>(config: &'c Config, caller: &Caller<'c>, request: &Request<'_>, now: &Circumstances<'_>) -> Result<Plan<'c>, Rejection> {
    let question = Question::of(config, caller, request)?;
    answer(config, caller, &question, now, request.route().explain)
}

/// Plans what has been read before; `explain` asks for the table.
pub fn answer<'c>(
    config: &'c Config,
    caller: &Caller<'c>,
    question: &Question<'_>,
    now: &Circumstances<'_>,
    explain: bool,
) -> Result<Plan<'c>, Rejection> {
    let list = Shortlist::of(config, caller, question, now)?;
    let order = order(&list, caller, question, now);
    let Some(first) = order.models.first().and_then(|position| list.entries.get(*position)) else {
        return Err(Rejection::model_not_found("auto", "model"));
    };
    let all = || order.models.iter().filter_map(|position| list.entries.get(*position)).map(|entry| list.candidates(entry));
    let considered = all().map(<[_]>::len).sum();
    let tried = order.models.iter().filter_map(|position| list.entries.get(*position)).flat_map(|entry| {
        let estimated_cost = NanoUsd(entry.figures.cost);
        list.candidates(entry).iter().map(move |candidate| Candidate { estimated_cost, ..*candidate })
    });
    let candidates = tried.take(config.routing.max_attempts as usize).collect();
    Ok(Plan {
        objective: question.objective,
        class: question.class(),
        policy: &caller.workspace.policy,
        difficulty: question.task.map_or(0.0, |task| task.difficulty.into()),
        considered,
        reason: reason::reason(&list, &order, question, first),
        estimated_cost: NanoUsd(first.figures.cost),
        propensity: order.propensity,
        table: if explain { explain::rows(&list, &order) } else { Vec::new() },
        candidates,
    })
}

/// The entries of a shortlist in the order they are tried.
struct Order {
    /// Positions in the shortlist.
    models: Vec<usize>,
    /// What decided, of an automatic choice.
    scale: objective::Scale,
    /// The first was drawn by lot, of so many.
    explored: Option<usize>,
    propensity: Option<f64>,
}

fn order(list: &Shortlist<'_>, caller: &Caller<'_>, question: &Question<'_>, now: &Circumstances<'_>) -> Order {
    let preferences = &caller.workspace.preferences;
    let mut ranked = Vec::with_capacity(list.entries.len());
    ranked.extend(list.entries.iter().filter(|entry| entry.ranked).map(|entry| entry.figures));
    let scale = objective::Scale::of(question.objective, preferences, question.class(), &ranked);
    let mut drawn = explore::Draw::default();
    if !list.least_bad {
        scale.sort(&mut ranked);
        drawn = explore::draw(&mut ranked, preferences, question, now.lot);
    }
    let position = |index| list.entries.iter().position(|entry: &Entry<'_>| entry.figures.index == index);
    let ranked = ranked.into_iter().map(|figures| figures.position);
    let fallbacks = question.fallbacks.iter().filter_map(|index| position(*index));
    let mut models: Vec<usize> = Vec::with_capacity(list.entries.len());
    let mut left = vec![true; list.entries.len()];
    let mut add = |position: usize| {
        if left.get_mut(position).is_some_and(core::mem::take) {
            models.push(position);
        }
    };
    match question.requested {
        // The least bad are in their order already.
        _ if list.least_bad => (0..list.entries.len()).for_each(add),
        Some(requested) => position(requested).into_iter().chain(fallbacks).for_each(add),
        None => {
            let mut ranked = ranked;
            ranked.next().into_iter().for_each(&mut add);
            fallbacks.for_each(&mut add);
            // Vectors of two models cannot be compared, whatever their length: only the caller may mix them.
            if question.endpoint == Endpoint::Chat {
                ranked.for_each(add);
            }
        }
    }
    Order { models, scale, explored: drawn.explored, propensity: drawn.propensity }
}
