//! The `route` member that callers add to OpenAI's request.

use std::borrow::Cow;

use serde::Deserialize;

use super::chat::BadRequest;
use crate::json_path::path_at;

/// What the caller wants of the choice. Names are checked against the catalogue when it is ranked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route<'a> {
    /// Overrides the workspace's objective.
    #[serde(borrow, default)]
    pub objective: Option<Cow<'a, str>>,
    /// Model ids to try after the first choice, in this order.
    #[serde(borrow, default)]
    pub fallbacks: Vec<Cow<'a, str>>,
    /// Milliseconds each attempt and the whole call may take.
    #[serde(default)]
    pub max_latency_ms: Option<u32>,
    /// Which column of the catalogue's quality figures counts.
    #[serde(borrow, default)]
    pub task_class: Option<Cow<'a, str>>,
}

/// Sixteen model ids of the longest kind and the rest take 3 KB.
const MAX_ROUTE_BYTES: usize = 16 << 10;

/// More fallbacks than any catalogue needs only make the plan long.
const MAX_FALLBACKS: usize = 16;

/// An hour, as for every timeout of the configuration.
const MAX_LATENCY_MS: u32 = 3_600_000;

impl<'a> Route<'a> {
    /// Reads the member's value; `null` is as good as nothing.
    pub(super) fn parse(value: &'a str) -> Result<Self, BadRequest> {
        if value.len() > MAX_ROUTE_BYTES {
            return Err(BadRequest::invalid("route", format!("at most {MAX_ROUTE_BYTES} bytes")));
        }
        // Serde would also read a struct from an array.
        if value != "null" && !value.starts_with('{') {
            return Err(BadRequest::invalid("route", "expected an object"));
        }
        let route = serde_json::from_str::<Option<Self>>(value).map_err(|error| {
            let path = path_at(value.as_bytes(), error.line(), error.column());
            let param = if path == "." { "route".to_owned() } else { ["route.", &path].concat() };
            BadRequest::invalid(param, describe(&error))
        })?;
        let route = route.unwrap_or_default();
        if route.fallbacks.len() > MAX_FALLBACKS {
            return Err(BadRequest::invalid("route.fallbacks", format!("at most {MAX_FALLBACKS} model ids")));
        }
        if route.max_latency_ms.is_some_and(|ms| !(1..=MAX_LATENCY_MS).contains(&ms)) {
            return Err(BadRequest::invalid("route.max_latency_ms", format!("milliseconds from 1 to {MAX_LATENCY_MS}")));
        }
        Ok(route)
    }
}

/// Serde's sentence without the position inside `route`, which would mislead.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(sentence, _)| sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_member() {
        let route = Route::parse(r#"{"objective":"cost","fallbacks":["a","b"],"max_latency_ms":800,"task_class":"code"}"#);
        let expected = Route {
            objective: Some("cost".into()),
            fallbacks: vec!["a".into(), "b".into()],
            max_latency_ms: Some(800),
            task_class: Some("code".into()),
        };
        assert_eq!(route, Ok(expected));
        assert_eq!(Route::parse("null"), Ok(Route::default()));
        assert_eq!(Route::parse("{}"), Ok(Route::default()));
    }

    #[test]
    fn an_error_names_the_member() {
        for (value, param) in [
            (r#"[]"#, "route"),
            (&format!(r#"{{"fallbacks":["{}"]}}"#, "x".repeat(20_000)), "route"),
            (r#"{"objectives":"cost"}"#, "route.objectives"),
            (r#"{"objective":5}"#, "route.objective"),
            (r#"{"fallbacks":"a"}"#, "route.fallbacks"),
            (r#"{"fallbacks":["a",7]}"#, "route.fallbacks[1]"),
            (r#"{"max_latency_ms":0}"#, "route.max_latency_ms"),
            (r#"{"max_latency_ms":1.5}"#, "route.max_latency_ms"),
            (r#"{"max_latency_ms":18446744073709551616}"#, "route.max_latency_ms"),
        ] {
            match Route::parse(value) {
                Err(BadRequest::Invalid { param: named, .. }) => assert_eq!(named, param, "{value}"),
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
