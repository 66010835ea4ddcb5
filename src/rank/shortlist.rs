//! Who could answer a call: every model of the workspace with its figures, and why the others cannot.

use crate::authenticate::Caller;
use crate::config::catalog::{Deployment, Model, Provider};
use crate::config::{Config, ModelIndex};
use crate::rejection::Rejection;
use crate::vitals::Trial;

use super::affinity::{self, Begun};
use super::eligible::{self, Obstacle};
use super::figures::{cost, output, quality, wait};
use super::objective::{Figures, Scale};
use super::question::Question;
use super::{Candidate, Circumstances};

/// Why a model or deployment is not asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Excluded {
    /// It cannot take the request; in words.
    Incapable(String),
    /// Its provider has no words for what the request needs.
    Unsayable(&'static str),
    /// It is left alone for so many milliseconds.
    CoolingDown(u64),
    /// It would take so many milliseconds, which is longer than the caller waits.
    TooSlow(u64),
}

/// A model that could answer.
#[derive(Debug)]
pub(super) struct Entry<'c> {
    pub(super) figures: Figures<'c>,
    /// Its deployments, in the order they are tried.
    pub(super) candidates: Vec<Candidate<'c>>,
    /// The objective decides where it comes; otherwise the caller does.
    pub(super) ranked: bool,
}

/// Who could answer, and who could not.
#[derive(Debug)]
pub(super) struct Shortlist<'c> {
    pub(super) entries: Vec<Entry<'c>>,
    pub(super) excluded: Vec<(&'c Model, Option<(&'c Deployment, &'c Provider)>, Excluded)>,
    /// All of the entries should have been left alone, or are too slow; the least bad comes first.
    pub(super) least_bad: bool,
}

/// A deployment that could answer, but had better not.
struct Shunned<'c> {
    index: ModelIndex,
    candidate: Candidate<'c>,
    why: Excluded,
    /// Smaller is less bad: a slow one still answers; of those that cool down, who is soonest ready.
    badness: (bool, u64),
}

impl<'c> Shortlist<'c> {
    /// Finds them; an error if there is nobody.
    pub(super) fn of(config: &'c Config, caller: &Caller<'_>, question: &Question<'_>, now: &Circumstances<'_>) -> Result<Self, Rejection> {
        let mut list = Self { entries: Vec::new(), excluded: Vec::new(), least_bad: false };
        let mut obstacle: Option<Obstacle> = None;
        let mut shunned = Vec::new();
        for index in asked(config, caller, question) {
            let Some(model) = config.catalog.model(index) else { continue };
            if let Err(found) = eligible::check(&config.catalog, model, question) {
                list.excluded.push((model, None, Excluded::Incapable(found.reason())));
                obstacle = obstacle.take().max(Some(found));
                continue;
            }
            list.add(config, question, now, index, model, &mut shunned);
        }
        if list.entries.is_empty() {
            if shunned.is_empty() {
                return Err(obstacle.map_or_else(|| Rejection::model_not_found("auto", "model"), Obstacle::into_rejection));
            }
            list.take_least_bad(question, now, shunned);
        } else {
            list.excluded
                .extend(shunned.into_iter().map(|s| (s.candidate.model, Some((s.candidate.deployment, s.candidate.provider)), s.why)));
        }
        list.find_home(caller, question, now);
        Ok(list)
    }

    /// Adds a model by those of its deployments that can be asked now.
    fn add(
        &mut self,
        config: &'c Config,
        question: &Question<'_>,
        now: &Circumstances<'_>,
        index: ModelIndex,
        model: &'c Model,
        shunned: &mut Vec<Shunned<'c>>,
    ) {
        let output = output(model, question.endpoint, &question.demand, question.task, now.vitals);
        let mut candidates: Vec<Candidate<'c>> = Vec::with_capacity(model.deployments.len());
        let mut latency_ms = f64::INFINITY;
        for deployment in &model.deployments {
            let Some(provider) = config.catalog.provider(deployment) else { continue };
            if let Some(lacking) = eligible::lacks(provider, deployment, question) {
                self.excluded.push((model, Some((deployment, provider)), Excluded::Unsayable(lacking)));
                continue;
            }
            let wait = wait(deployment, output, now.vitals);
            let candidate = Candidate { model, deployment, provider, likely_at_most_ms: wait.likely_at_most_ms };
            let vital = now.vitals.of(deployment);
            let ready_in_ms = match vital.trial {
                // Another call will soon know.
                Trial::Claimed => 1,
                Trial::None | Trial::Free => vital.cooling_until_ms.map_or(0, |until| until.saturating_sub(now.now_ms)),
            };
            let bound = question.max_latency_ms.map_or(f64::INFINITY, f64::from);
            let why = match () {
                () if ready_in_ms > 0 => Some((Excluded::CoolingDown(ready_in_ms), (true, ready_in_ms))),
                () if wait.likely_at_most_ms > bound => {
                    let ms = wait.likely_at_most_ms as u64;
                    Some((Excluded::TooSlow(ms), (false, ms)))
                }
                () => None,
            };
            match why {
                Some((why, badness)) => shunned.push(Shunned { index, candidate, why, badness }),
                None => {
                    latency_ms = latency_ms.min(wait.expected_ms);
                    candidates.push(candidate);
                }
            }
        }
        if candidates.is_empty() {
            return;
        }
        by_preference(&mut candidates, question.begun);
        let figures = figures(question, index, model, output, latency_ms);
        self.entries.push(Entry { figures, candidates, ranked: question.requested.is_none() });
    }

    fn take_least_bad(&mut self, question: &Question<'_>, now: &Circumstances<'_>, mut shunned: Vec<Shunned<'c>>) {
        shunned.sort_by_key(|shunned| shunned.badness);
        self.least_bad = true;
        for Shunned { index, candidate, .. } in shunned {
            match self.entries.iter_mut().find(|entry| entry.figures.index == index) {
                Some(entry) => entry.candidates.push(candidate),
                None => {
                    let output = output(candidate.model, question.endpoint, &question.demand, question.task, now.vitals);
                    let expected_ms = wait(candidate.deployment, output, now.vitals).expected_ms;
                    let figures = figures(question, index, candidate.model, output, expected_ms);
                    self.entries.push(Entry { figures, candidates: vec![candidate], ranked: true });
                }
            }
        }
    }

    /// Finds where a conversation under way began: the model that its opening would be given to now.
    fn find_home(&mut self, caller: &Caller<'_>, question: &Question<'_>, now: &Circumstances<'_>) {
        let Some(begun) = question.begun.filter(|_| question.requested.is_none() && !self.least_bad) else { return };
        let Some(task) = begun.task else { return };
        let opening = Question { task: Some(task), begun: None, demand: begun.demand(question), ..question.clone() };
        let mut models: Vec<Figures<'_>> = Vec::with_capacity(self.entries.len());
        for Entry { figures: f, .. } in self.entries.iter().filter(|entry| entry.ranked) {
            let output = output(f.model, opening.endpoint, &opening.demand, opening.task, now.vitals);
            models.push(figures(&opening, f.index, f.model, output, f.latency_ms));
        }
        Scale::of(question.objective, &caller.workspace.preferences, Some(task.class), &models).sort(&mut models);
        let Some(home) = models.first().map(|figures| figures.index) else { return };
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.figures.index == home) {
            let saved = affinity::saving(&entry.figures.model.price, begun.cached_tokens().min(question.demand.prompt_tokens));
            entry.figures.home = true;
            entry.figures.cost = entry.figures.cost.saturating_sub(saved);
        }
    }
}

fn figures<'c>(question: &Question<'_>, index: ModelIndex, model: &'c Model, output: u64, latency_ms: f64) -> Figures<'c> {
    Figures { index, model, quality: quality(model, question.task), cost: cost(model, question, output), latency_ms, home: false }
}

/// The models that are asked for: one by its id, or all the caller may use; and those it names besides.
fn asked(config: &Config, caller: &Caller<'_>, question: &Question<'_>) -> Vec<ModelIndex> {
    let mut all: Vec<ModelIndex> = match question.requested {
        Some(index) => vec![index],
        None => config.catalog.models().map(|(index, _)| index).filter(|index| caller.may_use(*index)).collect(),
    };
    for index in &question.fallbacks {
        if !all.contains(index) {
            all.push(*index);
        }
    }
    all
}

/// Smaller priority first; of equals the one that the conversation belongs to.
fn by_preference(candidates: &mut [Candidate<'_>], begun: Option<Begun>) {
    let equals = |[a, b]: &[Candidate<'_>; 2]| a.deployment.priority == b.deployment.priority;
    candidates.sort_by_key(|candidate| candidate.deployment.priority);
    let Some(begun) = begun.filter(|_| candidates.array_windows().any(equals)) else { return };
    let weight = |candidate: &Candidate<'_>| affinity::weight(begun.name, candidate.provider, candidate.deployment);
    candidates.sort_by_key(|candidate| (candidate.deployment.priority, core::cmp::Reverse(weight(candidate))));
}

/// Tokens as the requests count them.
const BYTES_PER_TOKEN: u64 = 4;

impl Begun {
    fn cached_tokens(&self) -> u64 {
        self.cached_bytes / BYTES_PER_TOKEN
    }

    fn demand(&self, question: &Question<'_>) -> crate::openai::Demand {
        crate::openai::Demand { prompt_tokens: self.prompt_bytes / BYTES_PER_TOKEN, ..question.demand }
    }
}
