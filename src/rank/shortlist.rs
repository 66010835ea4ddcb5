//! Who could answer a call: every model of the workspace with its figures, and why the others cannot.

use core::ops::Range;

use crate::authenticate::Caller;
use crate::config::catalog::{Deployment, Model, Provider};
use crate::config::policy::NanoUsd;
use crate::config::{Config, ModelIndex};
use crate::openai::Demand;
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
    /// It cannot take the request.
    Incapable(Obstacle),
    /// Its provider has no words for what the request needs.
    Unsayable(&'static str),
    /// It is left alone for so many milliseconds.
    CoolingDown(u64),
    /// It has cooled down, and another call is trying it out.
    TriedOut,
    /// It would take so many milliseconds, which is longer than the caller waits.
    TooSlow(u64),
}

/// A model that could answer.
#[derive(Debug)]
pub(super) struct Entry<'c> {
    pub(super) figures: Figures<'c>,
    /// Where its deployments are among the candidates of the shortlist.
    candidates: Range<usize>,
    /// The objective decides where it comes; otherwise the caller does.
    pub(super) ranked: bool,
}

/// Who is not asked, as a whole or at one of its deployments, and why.
pub(super) type Outsider<'c> = (&'c Model, Option<(&'c Deployment, &'c Provider)>, Excluded);

/// Who could answer, and who could not.
#[derive(Debug)]
pub(super) struct Shortlist<'c> {
    pub(super) entries: Vec<Entry<'c>>,
    /// The deployments of all entries, those of one together, in the order they are tried.
    candidates: Vec<Candidate<'c>>,
    pub(super) excluded: Vec<Outsider<'c>>,
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
        let asked = asked(config, caller, question);
        let mut list = Self {
            entries: Vec::with_capacity(asked.len()),
            candidates: Vec::with_capacity(asked.len()),
            excluded: Vec::new(),
            least_bad: false,
        };
        let mut obstacle: Option<Obstacle> = None;
        let mut shunned = Vec::new();
        for index in asked {
            let Some(model) = config.catalog.model(index) else { continue };
            if let Err(found) = eligible::check(&config.catalog, model, question) {
                list.excluded.push((model, None, Excluded::Incapable(found)));
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

    /// The deployments of an entry, in the order they are tried.
    pub(super) fn candidates(&self, entry: &Entry<'c>) -> &[Candidate<'c>] {
        self.candidates.get(entry.candidates.clone()).unwrap_or_default()
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
        let from = self.candidates.len();
        let mut latency_ms = f64::INFINITY;
        for deployment in &model.deployments {
            let Some(provider) = config.catalog.provider(deployment) else { continue };
            if let Some(lacking) = eligible::lacks(provider, deployment, question) {
                self.excluded.push((model, Some((deployment, provider)), Excluded::Unsayable(lacking)));
                continue;
            }
            let wait = wait(deployment, output, now.vitals);
            let candidate =
                Candidate { model, deployment, provider, likely_at_most_ms: wait.likely_at_most_ms, estimated_cost: NanoUsd(0) };
            let vital = now.vitals.of(deployment);
            let ready_in_ms = vital.cooling_until_ms.map_or(0, |until| until.saturating_sub(now.now_ms));
            let bound = question.max_latency_ms.map_or(f64::INFINITY, f64::from);
            let why = match () {
                // The other call will soon know.
                () if vital.trial == Trial::Claimed => Some((Excluded::TriedOut, (true, 0))),
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
                    self.candidates.push(candidate);
                }
            }
        }
        let candidates = from..self.candidates.len();
        if let Some(candidates) = self.candidates.get_mut(from..).filter(|candidates| candidates.len() > 1) {
            by_preference(candidates, question.begun);
        }
        if !candidates.is_empty() {
            let figures = self.figures(question, index, model, output, latency_ms);
            self.entries.push(Entry { figures, candidates, ranked: question.requested.is_none() });
        }
    }

    /// The figures of the next entry.
    fn figures(&self, question: &Question<'_>, index: ModelIndex, model: &'c Model, output: u64, latency_ms: f64) -> Figures<'c> {
        let (quality, cost) = (quality(model, question.task), cost(model, &question.demand, output));
        Figures { position: self.entries.len(), index, model, quality, cost, latency_ms, home: false }
    }

    fn take_least_bad(&mut self, question: &Question<'_>, now: &Circumstances<'_>, mut shunned: Vec<Shunned<'c>>) {
        // The deployments of a model still stand together.
        let mut models: Vec<&mut [Shunned<'c>]> = shunned.chunk_by_mut(|a, b| a.index == b.index).collect();
        models.iter_mut().for_each(|deployments| deployments.sort_by_key(|shunned| shunned.badness));
        models.sort_by_key(|deployments| deployments.first().map(|shunned| shunned.badness));
        self.least_bad = true;
        for deployments in models {
            let Some(Shunned { index, candidate: Candidate { model, deployment, .. }, .. }) = deployments.first() else { continue };
            let output = output(model, question.endpoint, &question.demand, question.task, now.vitals);
            let expected_ms = wait(deployment, output, now.vitals).expected_ms;
            let figures = self.figures(question, *index, model, output, expected_ms);
            let from = self.candidates.len();
            self.candidates.extend(deployments.iter().map(|shunned| shunned.candidate));
            self.entries.push(Entry { figures, candidates: from..self.candidates.len(), ranked: true });
        }
    }

    /// Finds where a conversation under way began: the model that its opening would be given to now.
    fn find_home(&mut self, caller: &Caller<'_>, question: &Question<'_>, now: &Circumstances<'_>) {
        let Some(begun) = question.begun.filter(|_| question.requested.is_none() && !self.least_bad) else { return };
        let Some(task) = begun.task else { return };
        let demand = Demand { prompt_tokens: begun.prompt_tokens, ..question.demand };
        let mut models: Vec<Figures<'_>> = Vec::with_capacity(self.entries.len());
        for Entry { figures, .. } in self.entries.iter().filter(|entry| entry.ranked) {
            let output = output(figures.model, question.endpoint, &demand, Some(task), now.vitals);
            let (quality, cost) = (quality(figures.model, Some(task)), cost(figures.model, &demand, output));
            models.push(Figures { quality, cost, ..*figures });
        }
        Scale::of(question.objective, &caller.workspace.preferences, Some(task.class), &models).sort(&mut models);
        let home = models.first().map(|figures| figures.position);
        if let Some(entry) = home.and_then(|position| self.entries.get_mut(position)) {
            let saved = affinity::saving(&entry.figures.model.price, begun.cached_tokens.min(question.demand.prompt_tokens));
            entry.figures.home = true;
            entry.figures.cost = entry.figures.cost.saturating_sub(saved);
        }
    }
}

/// The models that are asked for: one by its id, or all the caller may use; and those it names besides.
fn asked(config: &Config, caller: &Caller<'_>, question: &Question<'_>) -> Vec<ModelIndex> {
    let usable = caller.workspace.models(&config.catalog);
    let count = if question.requested.is_some() { 1 } else { usable.size_hint().1.unwrap_or_default() };
    let mut all = Vec::with_capacity(count + question.fallbacks.len());
    match question.requested {
        Some(index) => all.push(index),
        None => all.extend(usable.map(|(index, _)| index).filter(|index| caller.key.may_use(*index))),
    }
    for index in &question.fallbacks {
        if !all.contains(index) {
            all.push(*index);
        }
    }
    all
}

/// Smaller priority first; of equals the one that the conversation belongs to.
fn by_preference(candidates: &mut [Candidate<'_>], begun: Option<Begun>) {
    let equals = |pair: &[Candidate<'_>]| matches!(pair, [a, b] if a.deployment.priority == b.deployment.priority);
    candidates.sort_by_key(|candidate| candidate.deployment.priority);
    let Some(begun) = begun.filter(|_| candidates.windows(2).any(equals)) else { return };
    let weight = |candidate: &Candidate<'_>| affinity::weight(begun.name, candidate.provider, candidate.deployment);
    candidates.sort_by_key(|candidate| (candidate.deployment.priority, core::cmp::Reverse(weight(candidate))));
}
