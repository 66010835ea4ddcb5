//! A small share of automatic choices made by lot, so that what is learned from traffic is not only learned of
//! yesterday's winners. Off unless configured; the probability of every choice is logged.

use crate::config::Preferences;
use crate::openai::Endpoint;

use super::objective::Figures;
use super::question::Question;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Draw {
    /// Where the lot decided: between how many.
    pub(super) explored: Option<usize>,
    /// How likely the choice was; `None` where nothing is left to chance.
    pub(super) propensity: Option<f64>,
}

/// With the probability of the share, puts one of the models that are good enough first, each as likely as the others.
/// A conversation under way stays where it is.
pub(super) fn draw(ranked: &mut [Figures<'_>], preferences: &Preferences, question: &Question<'_>, lot: f64) -> Draw {
    let share = preferences.exploration;
    let under_way = question.begun.is_some_and(|begun| begun.task.is_some());
    if share <= 0.0 || question.requested.is_some() || question.endpoint != Endpoint::Chat || under_way {
        return Draw::default();
    }
    let best = ranked.iter().map(|f| f.quality).fold(0.0, f64::max);
    let least = best - preferences.quality_per_dollar.delta;
    let good: Vec<usize> = ranked.iter().enumerate().filter(|(at, f)| *at == 0 || f.quality >= least).map(|(at, _)| at).collect();
    let each = share / good.len().max(1) as f64;
    let chosen = if lot < share { good.get((lot / each) as usize).copied().unwrap_or(0) } else { 0 };
    if let Some(front) = ranked.get_mut(..=chosen) {
        front.rotate_right(1);
    }
    let propensity = if chosen == 0 { 1.0 - share + each } else { each };
    Draw { explored: (lot < share).then_some(good.len()), propensity: Some(propensity) }
}
