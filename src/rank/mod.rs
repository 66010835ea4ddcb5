//! Which candidates may answer a call, and in which order: eligibility first, then the objective.
//!
//! Deterministic: the same configuration, workspace and request give the same order.

mod eligible;
mod objective;

use crate::authenticate::Caller;
use crate::config::catalog::{Deployment, Model, Provider};
use crate::config::{Config, ModelIndex, Objective, TaskClass, Workspace};
use crate::openai::{Endpoint, Request};
use crate::rejection::Rejection;

use eligible::Obstacle;
pub use objective::{EXPECTED_OUTPUT, QualityPerDollar};

/// What was decided.
#[derive(Debug)]
pub struct Plan<'c> {
    /// In the order they are tried; never empty, at most `routing.max_attempts`.
    pub candidates: Vec<Candidate<'c>>,
    /// The objective that applied.
    pub objective: Objective,
    /// How many candidates were eligible.
    pub considered: usize,
    /// Why the first one is first, for people.
    pub reason: String,
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
}

/// Plans a call.
pub fn plan<'c>(config: &'c Config, caller: &Caller<'_>, request: &Request<'_>) -> Result<Plan<'c>, Rejection> {
    let workspace = caller.workspace;
    let objective = objective_of(workspace, request)?;
    let class = class_of(request)?;
    let fallbacks = fallbacks(config, caller, request)?;
    let automatic = request.model() == "auto";
    let requested = if automatic { None } else { Some(caller.known(&config.catalog, request.model(), || "model".to_owned())?) };

    let mut obstacle = None;
    let mut usable = |index: ModelIndex| -> Option<(ModelIndex, &'c Model)> {
        let model = config.catalog.model(index)?;
        match eligible::check(&config.catalog, model, request) {
            Ok(()) => Some((index, model)),
            Err(found) => {
                obstacle = obstacle.take().max(Some(found));
                None
            }
        }
    };
    let (first, rest): (Vec<_>, Vec<_>) = match requested {
        Some(index) => (usable(index).into_iter().collect(), Vec::new()),
        None => {
            let allowed = config.catalog.models().map(|(index, _)| index).filter(|index| caller.may_use(*index));
            let mut ranked = objective::rank(allowed.filter_map(&mut usable).collect(), objective, class, request).into_iter();
            let first = ranked.next().into_iter().collect();
            // Vectors of two models cannot be compared, whatever their length: only the caller may mix them.
            (first, if request.endpoint() == Endpoint::Embeddings { Vec::new() } else { ranked.collect() })
        }
    };
    let fallbacks = fallbacks.into_iter().filter_map(&mut usable);

    let mut models: Vec<(ModelIndex, &Model)> = Vec::new();
    for (index, model) in first.into_iter().chain(fallbacks).chain(rest) {
        if !models.iter().any(|(known, _)| *known == index) {
            models.push((index, model));
        }
    }
    let Some((_, selected)) = models.first() else {
        return Err(obstacle.map_or_else(|| Rejection::model_not_found("auto", "model"), Obstacle::into_rejection));
    };
    let reason = reason(requested.is_some(), request.model(), selected, objective, class, models.len());
    let mut candidates: Vec<Candidate<'c>> = Vec::new();
    for (_, model) in &models {
        for deployment in &model.deployments {
            if let Some(provider) =
                config.catalog.provider(deployment).filter(|provider| eligible::can_be_said(provider, deployment, request))
            {
                candidates.push(Candidate { model, deployment, provider });
            }
        }
    }
    let considered = candidates.len();
    candidates.truncate(config.routing.max_attempts as usize);
    Ok(Plan { candidates, objective, considered, reason })
}

fn objective_of(workspace: &Workspace, request: &Request<'_>) -> Result<Objective, Rejection> {
    let Some(name) = &request.route().objective else { return Ok(workspace.objective) };
    Objective::parse(name).ok_or_else(|| one_of("route.objective", Objective::NAMES))
}

fn class_of(request: &Request<'_>) -> Result<Option<TaskClass>, Rejection> {
    let Some(name) = &request.route().task_class else { return Ok(None) };
    TaskClass::parse(name).map(Some).ok_or_else(|| one_of("route.task_class", TaskClass::NAMES))
}

fn one_of(param: &str, names: &[&str]) -> Rejection {
    Rejection::invalid(param, format!("{param}: expected one of {}", names.join(", ")))
}

fn fallbacks(config: &Config, caller: &Caller<'_>, request: &Request<'_>) -> Result<Vec<ModelIndex>, Rejection> {
    let known = |(i, id): (usize, &std::borrow::Cow<'_, str>)| caller.known(&config.catalog, id, || format!("route.fallbacks[{i}]"));
    request.route().fallbacks.iter().enumerate().map(known).collect()
}

fn reason(requested: bool, wanted: &str, selected: &Model, objective: Objective, class: Option<TaskClass>, models: usize) -> String {
    let task = class.map_or(String::new(), |class| format!(" for {class}"));
    match (requested, selected.id == wanted) {
        (true, true) => "requested by id".to_owned(),
        (true, false) => format!("the requested model cannot take this request; {} is the first fallback that can", selected.id),
        (false, _) if models == 1 => "the only eligible model".to_owned(),
        (false, _) => {
            let best = match objective {
                Objective::QualityPerDollar => "best quality for its price",
                Objective::Quality => "highest quality",
                Objective::Cost => "lowest price",
                Objective::Latency => "lowest expected latency",
            };
            format!("{best}{task} of {models} eligible models")
        }
    }
}
