//! Limitador's file of limits, <https://github.com/Kuadrant/limitador/blob/main/doc/how-it-works.md>.
//!
//! Version 2 reads conditions and variables as CEL over the descriptors; version 1 had a language of its own.

use neural_router::config::policy::Period;
use neural_router::config::sharing::{Sharing, Span, entry};
use serde_json::{Value, json};

use super::Scoped;

/// For version 2.
pub(super) fn two(sharing: &Sharing, limits: &[Scoped]) -> Value {
    list(sharing, limits, |key| format!("descriptors[0]['{key}']"))
}

/// For version 1.
pub(super) fn one(sharing: &Sharing, limits: &[Scoped]) -> Value {
    list(sharing, limits, str::to_owned)
}

fn list(sharing: &Sharing, limits: &[Scoped], value_of: impl Fn(&str) -> String) -> Value {
    let one = |Scoped { scope, limit }: &Scoped| {
        json!({
            "namespace": sharing.domain,
            "name": format!("{scope} {}", limit.kind.name()),
            "max_value": limit.hits,
            "seconds": seconds(limit.span),
            "conditions": [
                format!("{} == '{scope}'", value_of(entry::SCOPE)),
                format!("{} == '{}'", value_of(entry::LIMIT), limit.kind.name()),
            ],
            "variables": [value_of(entry::WINDOW)],
        })
    };
    limits.iter().map(one).collect()
}

/// How long a counter is kept after its first hit: twice its window, and ten years for ever.
fn seconds(span: Span) -> u64 {
    const DAY: u64 = 86_400;
    match span {
        Span::Minute => 120,
        Span::Period(Period::Day) => 2 * DAY,
        Span::Period(Period::Week) => 14 * DAY,
        Span::Period(Period::Month) => 62 * DAY,
        Span::Period(Period::Total) => 3_650 * DAY,
    }
}
