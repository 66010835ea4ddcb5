//! Limits, budgets and guardrails: what a workspace or a key may use, in whole numbers.

use core::num::NonZeroU64;

use super::{Checked, err, name, one_of};
use crate::config::ConfigError;
use crate::config::document;
use crate::config::policy::{Budget, Limits, NanoUsd, RequestRate};
use crate::guard::{Action, Bounds, Guard, Spec};

/// More than one machine can serve in a minute, so a larger figure is a slip.
const MAX_RATE: u64 = 1_000_000_000;

/// Larger caps would come near the end of 64 bits in nano-dollars.
const MAX_BUDGET_USD: f64 = 1e9;

/// From here on a budget has at most six decimals: with more, two amounts would be one number to
/// whoever reads the file.
const COARSE_FROM_USD: f64 = 1e6;

pub(super) fn limits(path: &str, limits: Option<&document::Limits>) -> Checked<Limits> {
    let Some(limits) = limits else { return Ok(Limits::default()) };
    let rate = |name: &str, figure: Option<u64>| -> Checked<Option<NonZeroU64>> {
        let Some(figure) = figure else { return Ok(None) };
        match NonZeroU64::new(figure).filter(|_| figure <= MAX_RATE) {
            Some(figure) => Ok(Some(figure)),
            None => err(format!("{path}.{name}"), format!("from 1 to {MAX_RATE}; leave it out for no limit")),
        }
    };
    let per_minute = rate("requests_per_minute", limits.requests_per_minute)?;
    let burst = rate("burst", limits.burst)?;
    if burst.is_some() && per_minute.is_none() {
        return err(format!("{path}.burst"), "only beside requests_per_minute");
    }
    Ok(Limits {
        requests: per_minute.map(|per_minute| RequestRate { per_minute, burst: burst.unwrap_or(per_minute) }),
        tokens_per_minute: rate("tokens_per_minute", limits.tokens_per_minute)?,
    })
}

pub(super) fn budget(path: &str, budget: Option<&document::Budget>) -> Checked<Option<Budget>> {
    let Some(budget) = budget else { return Ok(None) };
    let Some(cap) = nano_usd(budget.usd) else {
        return err(format!("{path}.usd"), "above 0 and at most 1000000000 USD, with at most 9 decimals, from 1000000 USD on at most 6");
    };
    Ok(Some(Budget { cap, period: budget.period }))
}

/// An amount in nano-dollars, if it is a whole number of them.
///
/// Below 2^53 a whole number divided by a power of ten gives exactly what a reader makes of that
/// decimal, so the comparison tells whether the file had such a decimal.
fn nano_usd(usd: f64) -> Option<NanoUsd> {
    if !(usd > 0.0 && usd <= MAX_BUDGET_USD) {
        return None;
    }
    let (scale, unit) = if usd < COARSE_FROM_USD { (1e9, 1) } else { (1e6, 1000) };
    let scaled = (usd * scale).round();
    (scaled / scale == usd).then_some(NanoUsd(scaled as u64 * unit))
}

pub(super) fn guard(path: &str, rules: &[document::Guardrail]) -> Checked<Guard> {
    let mut specs: Vec<Spec> = Vec::with_capacity(rules.len());
    for (i, rule) in rules.iter().enumerate() {
        let path = format!("{path}[{i}]");
        if specs.iter().any(|other| other.name == rule.name) {
            return err(format!("{path}.name"), format!("`{}` stands twice in this workspace", rule.name));
        }
        specs.push(spec(&path, rule)?);
    }
    Guard::compile(&specs).map_err(|refused| ConfigError::new(format!("{path}[{}].{}", refused.rule, refused.member), refused.message))
}

fn spec(path: &str, rule: &document::Guardrail) -> Checked<Spec> {
    let action = match rule.action.as_str() {
        "block" => Action::Block,
        "redact" => Action::Redact,
        _ => return err(format!("{path}.action"), one_of(&["block", "redact"])),
    };
    let (mut input, mut output) = (false, false);
    for (i, side) in rule.on.iter().enumerate() {
        match side.as_str() {
            "input" => input = true,
            "output" => output = true,
            _ => return err(format!("{path}.on[{i}]"), one_of(&["input", "output"])),
        }
    }
    if !input && !output {
        return err(format!("{path}.on"), "at least one of input, output");
    }
    if let Some(limit) = &rule.limit {
        bounds(&format!("{path}.limit"), limit)?;
        if output || action != Action::Block {
            return err(format!("{path}.limit"), "bounds a request: only with `on: [input]` and `action: block`");
        }
    }
    if rule.detect.is_empty() && rule.terms.is_empty() && rule.patterns.is_empty() && rule.limit.is_none() {
        return err(path, "a rule has something to look for: detect, terms, patterns or limit");
    }
    Ok(Spec {
        name: name(format!("{path}.name"), &rule.name)?,
        detect: rule.detect.clone(),
        terms: rule.terms.clone(),
        patterns: rule.patterns.clone(),
        limit: rule
            .limit
            .as_ref()
            .map(|limit| Bounds {
                prompt_bytes: limit.prompt_bytes,
                messages: limit.messages,
                tools: limit.tools,
                n: limit.n,
                max_tokens: limit.max_tokens,
            })
            .unwrap_or_default(),
        input,
        output,
        action,
    })
}

/// No tools is a bound one may want; no prompt, messages, choices or answer would be no call.
fn bounds(path: &str, limit: &document::Bounds) -> Checked<()> {
    let above_zero = [("prompt_bytes", limit.prompt_bytes), ("messages", limit.messages), ("n", limit.n), ("max_tokens", limit.max_tokens)];
    if let Some((name, _)) = above_zero.iter().find(|(_, bound)| *bound == Some(0)) {
        return err(format!("{path}.{name}"), "at least 1");
    }
    if limit.tools.is_none() && above_zero.iter().all(|(_, bound)| bound.is_none()) {
        return err(path, "at least one of prompt_bytes, messages, tools, n, max_tokens");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{NanoUsd, nano_usd};

    #[test]
    fn a_budget_is_converted_exactly_or_not_at_all() {
        for (usd, expected) in [
            (250.0, Some(250_000_000_000)),
            (0.1, Some(100_000_000)),
            (0.3, Some(300_000_000)),
            (0.000_000_001, Some(1)),
            (999_999.999_999_999, Some(999_999_999_999_999)),
            (1_000_000.0, Some(1_000_000_000_000_000)),
            (123_456_789.012_345, Some(123_456_789_012_345_000)),
            (999_999_999.999_999, Some(999_999_999_999_999_000)),
            (1e9, Some(1_000_000_000_000_000_000)),
            (0.0, None),
            (-1.0, None),
            (0.000_000_000_5, None),
            (0.000_000_001_5, None),
            (1.000_000_000_1, None),
            (1_234_567.000_000_1, None),
            (1_000_000_000.5, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(nano_usd(usd), expected.map(NanoUsd), "{usd}");
        }
    }

    #[test]
    fn every_amount_of_nine_decimals_is_read_back_as_it_was_written() {
        let mut nanos = 1_u64;
        while nanos < 1_000_000_000_000_000 {
            let written = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            assert_eq!(nano_usd(written.parse().expect("a number")), Some(NanoUsd(nanos)), "{written}");
            nanos += nanos / 97 + 1;
        }
    }
}
