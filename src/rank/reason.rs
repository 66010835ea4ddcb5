//! Why the first candidate is first, in words for people.

use crate::config::Objective;

use super::Order;
use super::question::Question;
use super::shortlist::{Entry, Shortlist};

pub(super) fn reason(list: &Shortlist<'_>, order: &Order, question: &Question<'_>, first: &Entry<'_>) -> String {
    let models = order.models.len();
    let selected = &first.figures.model.id;
    let task = question.class().filter(|_| question.class_given).map_or(String::new(), |class| format!(" for {class}"));
    match question.requested {
        _ if list.least_bad => {
            format!("every candidate cools down or is likely to take longer than max_latency_ms; {selected} is the least bad")
        }
        Some(requested) if requested == first.figures.index => "requested by id".to_owned(),
        Some(_) => format!("the requested model cannot take this request now; {selected} is the first fallback that can"),
        None if models == 1 => "the only eligible model".to_owned(),
        None if order.explored.is_some() => {
            let few = order.explored.unwrap_or(models);
            format!("picked by lot among {few} of {models} eligible models, to learn how it does")
        }
        None if first.figures.home => format!("the conversation began here, and moving it{task} would cost more than it gains"),
        None => {
            let best = match question.objective {
                Objective::QualityPerDollar => "best quality for its price",
                Objective::Quality => "highest quality",
                Objective::Cost => "lowest price",
                Objective::Latency => "lowest expected latency",
            };
            format!("{best}{task} of {models} eligible models")
        }
    }
}
