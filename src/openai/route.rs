//! The `route` member that callers add to OpenAI's request.

use std::borrow::Cow;

use super::body::{Fault, invalid};
use super::chat::BadRequest;
use super::members::decode;
use super::scan::Scan;
use super::shape::{Shape, optional, within};

/// What the caller wants of the choice. Names are checked against the catalogue when it is ranked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route<'a> {
    /// Overrides the workspace's objective.
    pub objective: Option<Cow<'a, str>>,
    /// Model ids to try after the first choice, in this order.
    pub fallbacks: Vec<Cow<'a, str>>,
    /// Milliseconds each attempt and the whole call may take.
    pub max_latency_ms: Option<u32>,
    /// Which column of the catalogue's quality figures counts.
    pub task_class: Option<Cow<'a, str>>,
    /// `routing` is to show every candidate with its figures.
    pub explain: bool,
    /// Only the decision is wanted: nobody is asked, nothing is charged.
    pub dry_run: bool,
}

/// Sixteen model ids of the longest kind and the rest take 3 KB.
const MAX_ROUTE_BYTES: usize = 16 << 10;

/// More fallbacks than any catalogue needs only make the plan long.
const MAX_FALLBACKS: usize = 16;

/// An hour, as for every timeout of the configuration.
const MAX_LATENCY_MS: i64 = 3_600_000;

/// Closed, unlike OpenAI's objects: the member is ours, so what we do not know is a mistake.
const SHAPE: Shape = Shape::Closed(&[
    optional("objective", Shape::Text),
    optional("fallbacks", Shape::Array(usize::MAX, &Shape::Text)),
    optional("max_latency_ms", Shape::Integer(1, MAX_LATENCY_MS)),
    optional("task_class", Shape::Text),
    optional("explain", Shape::Bool),
    optional("dry_run", Shape::Bool),
]);

impl<'a> Route<'a> {
    /// Reads the member's value; `null` is as good as nothing.
    pub(super) fn parse(value: &'a str) -> Result<Self, BadRequest> {
        if value == "null" {
            return Ok(Self::default());
        }
        if value.len() > MAX_ROUTE_BYTES {
            return Err(BadRequest::invalid("route", format!("at most {MAX_ROUTE_BYTES} bytes")));
        }
        let read = SHAPE.check(&mut Scan::new(value)).and_then(|_| Self::read(value));
        read.map_err(|fault| match within(fault, "route") {
            // The walk over the body has been here.
            Fault::Text(_) => BadRequest::invalid("route", "expected an object"),
            Fault::Invalid(bad) => bad,
        })
    }

    /// Reads what has the right shape.
    fn read(value: &'a str) -> Result<Self, Fault> {
        let mut route = Self::default();
        Scan::new(value).object(|scan, name| {
            let name = decode(name).unwrap_or_default();
            if scan.peek() == Some(b'n') {
                scan.value()?;
                return Ok(());
            }
            match name.as_ref() {
                "fallbacks" => scan.array(|scan, index| {
                    route.fallbacks.push(text(scan.value()?, || format!("fallbacks[{index}]"))?);
                    Ok::<_, Fault>(())
                })?,
                "max_latency_ms" => route.max_latency_ms = scan.value()?.parse().ok(),
                "explain" => route.explain = scan.value()? == "true",
                "dry_run" => route.dry_run = scan.value()? == "true",
                "objective" => route.objective = Some(text(scan.value()?, || name.to_string())?),
                _ => route.task_class = Some(text(scan.value()?, || name.to_string())?),
            }
            Ok::<_, Fault>(())
        })?;
        if route.fallbacks.len() > MAX_FALLBACKS {
            return Err(invalid(&format!("at most {MAX_FALLBACKS} model ids"), "fallbacks".to_owned()));
        }
        Ok(route)
    }
}

fn text(literal: &str, param: impl FnOnce() -> String) -> Result<Cow<'_, str>, Fault> {
    decode(literal).ok_or_else(|| invalid("has half of a surrogate pair", param()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_member() {
        let route = Route::parse(
            r#"{"objective":"cost","fallbacks":["a","b"],"max_latency_ms":800,"task_class":"code","explain":true,"dry_run":true}"#,
        );
        let expected = Route {
            objective: Some("cost".into()),
            fallbacks: vec!["a".into(), "b".into()],
            max_latency_ms: Some(800),
            task_class: Some("code".into()),
            explain: true,
            dry_run: true,
        };
        assert_eq!(route, Ok(expected));
        assert_eq!(Route::parse("null"), Ok(Route::default()));
        assert_eq!(Route::parse("{}"), Ok(Route::default()));
        let nulls = r#"{"objective":null,"fallbacks":null,"max_latency_ms":null,"task_class":null,"explain":null,"dry_run":null}"#;
        assert_eq!(Route::parse(nulls), Ok(Route::default()));
    }

    #[test]
    fn an_unknown_member_is_answered_with_the_known_ones() {
        let expected = BadRequest::invalid(
            "route.fallback",
            "unknown; expected one of objective, fallbacks, max_latency_ms, task_class, explain, dry_run",
        );
        assert_eq!(Route::parse(r#"{"objective":"cost","fallback":["a"]}"#), Err(expected));
    }

    #[test]
    fn an_error_names_the_member() {
        for (value, param) in [
            (r#"[]"#, "route"),
            (&format!(r#"{{"fallbacks":["{}"]}}"#, "x".repeat(20_000)), "route"),
            (r#"{"objectives":"cost"}"#, "route.objectives"),
            (r#"{"objective":"cost","object\u0069ve":"quality"}"#, "route.objective"),
            (r#"{"objective":5}"#, "route.objective"),
            (r#"{"fallbacks":"a"}"#, "route.fallbacks"),
            (r#"{"fallbacks":["a",7]}"#, "route.fallbacks[1]"),
            (r#"{"fallbacks":[null]}"#, "route.fallbacks[0]"),
            (r#"{"fallbacks":["a","\ud800"]}"#, "route.fallbacks[1]"),
            (r#"{"task_class":"\udc00"}"#, "route.task_class"),
            (r#"{"fallbacks":["","","","","","","","","","","","","","","","",""]}"#, "route.fallbacks"),
            (r#"{"max_latency_ms":3600001}"#, "route.max_latency_ms"),
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
