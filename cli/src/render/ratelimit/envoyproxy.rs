//! The configuration of envoyproxy/ratelimit, <https://github.com/envoyproxy/ratelimit#configuration>.
//!
//! It cuts time into units of its own, counted from 1970, and begins a counter anew in each. The unit of a minute is
//! the hour and that of a day the day, whose edges are edges of ours. Weeks and months of the calendar, and time
//! without end, fit into no unit of its; a year of 365 days has the fewest edges.

use neural_router::config::policy::Period;
use neural_router::config::sharing::{Sharing, Span, entry};
use serde_json::{Value, json};

use super::Scoped;

/// The file of the domain.
pub(super) fn config(sharing: &Sharing, limits: &[Scoped]) -> Value {
    let mut scopes: Vec<(&str, Vec<Value>)> = Vec::new();
    for Scoped { scope, limit } in limits {
        let counted = json!({
            "key": entry::LIMIT,
            "value": limit.kind.name(),
            // A descriptor without a value is a counter for each.
            "descriptors": [{
                "key": entry::WINDOW,
                "rate_limit": {"unit": unit(limit.span), "requests_per_unit": limit.hits},
            }],
        });
        match scopes.iter_mut().find(|(name, _)| name == scope) {
            Some((_, all)) => all.push(counted),
            None => scopes.push((scope, vec![counted])),
        }
    }
    let descriptor = |(scope, limits): (&str, Vec<Value>)| json!({"key": entry::SCOPE, "value": scope, "descriptors": limits});
    json!({"domain": sharing.domain, "descriptors": scopes.into_iter().map(descriptor).collect::<Vec<Value>>()})
}

/// What an operator should know of a limit.
pub(super) fn warning(Scoped { scope, limit }: &Scoped) -> Option<String> {
    (unit(limit.span) == YEAR).then(|| {
        format!(
            "the {} of `{scope}`: envoyproxy/ratelimit begins every counter anew every 365 days since 1970, so once in that time this one \
             counts from nothing amid its period; Limitador does not",
            limit.kind.name()
        )
    })
}

const YEAR: &str = "year";

fn unit(span: Span) -> &'static str {
    match span {
        Span::Minute => "hour",
        Span::Period(Period::Day) => "day",
        Span::Period(Period::Week | Period::Month | Period::Total) => YEAR,
    }
}
