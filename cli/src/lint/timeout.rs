//! Time bounds that leave no time for a second candidate.

use super::Policy;
use crate::finding::{Finding, Rule};

pub(super) fn order(policy: &Policy<'_>) -> Vec<Finding> {
    let routing = &policy.config.routing;
    let (first, answer, total) = (routing.first_token_timeout_ms, routing.answer_timeout_ms, routing.total_timeout_ms);
    let written = policy.document.routing.answer_timeout_ms.is_some();
    let by_default = if written { "" } else { " (four times first_token_timeout_ms, unless it is written)" };
    let finding = |name: &str, what: String, why: &str, advice: String| Finding {
        rule: Rule::TimeoutOrder,
        path: format!("routing.{name}"),
        what,
        why: why.to_owned(),
        advice,
    };
    let mut findings = Vec::new();
    if first >= total {
        findings.push(finding(
            "first_token_timeout_ms",
            format!("{first} ms are not less than total_timeout_ms, {total} ms"),
            "the call ends before a silent candidate is left for the next one",
            "lower it to a fraction of total_timeout_ms, so that several candidates have their turn".to_owned(),
        ));
    }
    if answer >= total && (written || first < total) {
        findings.push(finding(
            "answer_timeout_ms",
            format!("{answer} ms{by_default} are not less than total_timeout_ms, {total} ms"),
            "a call that is not streamed ends before a silent candidate is left for the next one",
            format!("write one below {total}, or raise total_timeout_ms"),
        ));
    }
    if answer < first {
        findings.push(finding(
            "answer_timeout_ms",
            format!("{answer} ms are less than first_token_timeout_ms, {first} ms"),
            "an answer that is not streamed arrives whole, which takes longer than its first token, and its candidate is left earlier",
            format!("at least {first}; four times as much is the default"),
        ));
    }
    findings
}
