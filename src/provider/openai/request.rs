//! A request as a vendor wants it. What needs no change stays byte for byte: members are cut out where they
//! stand, and what replaces them goes to the beginning, beside the model.

use std::borrow::Cow;

use super::dialect::{Dialect, Length, SAMPLING, Sampling};
use super::messages;
use super::patch::{Member, Patch};
use crate::openai::Endpoint;
use crate::openai::members::{NotAnObject, decode, encode};
use crate::openai::scan::{Scan, Stop};
use crate::provider::translate::Adjustments;
use crate::provider::{Call, Failed};

/// Values that say what would happen anyway: leaving them out changes nothing.
const NEUTRAL: [(&str, &[&str]); 16] = [
    ("frequency_penalty", &["0", "0.0"]),
    ("functions", &["[]"]),
    ("logit_bias", &["{}"]),
    ("logprobs", &["false"]),
    ("metadata", &["{}"]),
    ("modalities", &[r#"["text"]"#]),
    ("n", &["1"]),
    ("parallel_tool_calls", &["true"]),
    ("presence_penalty", &["0", "0.0"]),
    ("reasoning_effort", &[r#""none""#]),
    ("service_tier", &[r#""auto""#, r#""default""#]),
    ("store", &["false"]),
    ("temperature", &["1", "1.0"]),
    ("tool_choice", &[r#""auto""#]),
    ("top_logprobs", &["0"]),
    ("top_p", &["1", "1.0"]),
];

/// The members that stand before the caller's: `{"model":…,` and, of a stream, its options.
pub(super) fn head(dialect: &Dialect, call: &Call<'_>) -> Vec<u8> {
    let mut head = br#"{"model":"#.to_vec();
    encode(call.model, &mut head);
    if let Some(options) = call.stream_options.filter(|_| !dialect.without.has("stream_options")) {
        head.extend_from_slice(br#","stream_options":"#);
        head.extend_from_slice(options.as_bytes());
    }
    // `messages` or `input` always follows.
    head.push(b',');
    head
}

/// The vendor's body and the list of changes.
pub(super) fn translate(dialect: &Dialect, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let mut out = head(dialect, call);
    let mut adjustments = Adjustments::default();
    let mut patch = Patch::new(body);
    if call.endpoint == Endpoint::Chat {
        let members = read(dialect, body, &mut patch, &mut adjustments).map_err(|_| Failed::caller("expected a JSON object"))?;
        parameters(dialect, &members, &mut patch, &mut adjustments, &mut out);
    }
    let rest = body.trim_ascii_start();
    patch.write(rest.strip_prefix('{').unwrap_or(rest), &mut out);
    Ok((out, adjustments.into_list()))
}

/// More members than any request has.
const MAX_MEMBERS: usize = 512;

/// Goes over the body once; what is to be different in the messages is in the patch then.
fn read<'a>(
    dialect: &Dialect,
    body: &'a str,
    patch: &mut Patch<'a>,
    adjustments: &mut Adjustments,
) -> Result<Vec<Member<'a>>, NotAnObject> {
    let mut members = Vec::with_capacity(16);
    let mut scan = Scan::new(body);
    let outcome = scan.object(|scan, name| {
        if members.len() == MAX_MEMBERS {
            return Err(Stop::TooMany);
        }
        let (value, ()) = match decode(name).as_deref() {
            Some("messages") => scan.written(|scan| messages::clean(dialect, scan, patch, adjustments))?,
            Some("tools") if !dialect.cache_control => scan.written(|scan| messages::clean_tools(scan, patch, adjustments))?,
            _ => scan.written(|scan| scan.value().map(drop))?,
        };
        members.push((name, value));
        Ok(())
    });
    outcome.and_then(|()| scan.end()).map_err(|_| NotAnObject::OtherValue)?;
    Ok(members)
}

/// What becomes of a member.
enum Fate {
    Kept,
    LeftOut,
    Becomes(&'static str, String),
}

/// Members beside the messages.
fn parameters<'a>(dialect: &Dialect, members: &[Member<'a>], patch: &mut Patch<'a>, adjustments: &mut Adjustments, head: &mut Vec<u8>) {
    let names: Vec<Cow<'_, str>> = members.iter().map(|(name, _)| decode(name).unwrap_or_default()).collect();
    let given = |wanted: &str| names.iter().zip(members).any(|(name, (_, value))| name == wanted && *value != "null");
    let effort = names.iter().zip(members).find(|(name, _)| *name == "reasoning_effort").and_then(|(_, (_, value))| decode(value));
    let reasons = effort.is_some_and(|effort| effort != "none");
    let fixed = dialect.sampling == Sampling::WithoutReasoning && reasons;
    let fates: Vec<Fate> = names
        .iter()
        .zip(members)
        .map(|(name, (_, value))| match name.as_ref() {
            // Its value is the same, under the name that the vendor knows.
            "max_tokens" if dialect.length == Length::CompletionTokens && !given("max_completion_tokens") => {
                Fate::Becomes("max_completion_tokens", (*value).to_owned())
            }
            "max_completion_tokens" if dialect.length == Length::Tokens && !given("max_tokens") => {
                Fate::Becomes("max_tokens", (*value).to_owned())
            }
            "max_tokens" if dialect.length == Length::CompletionTokens => Fate::LeftOut,
            "max_completion_tokens" if dialect.length == Length::Tokens => Fate::LeftOut,
            name if dialect.without.has(name) || (fixed && SAMPLING.contains(&name)) => Fate::LeftOut,
            "reasoning_effort" => match dialect.efforts.iter().find(|(word, _)| decode(value).as_deref() == Some(*word)) {
                Some((word, nearest)) => {
                    adjustments.note(format!("reasoning_effort changed from {word} to {nearest}"));
                    Fate::Becomes("reasoning_effort", format!("\"{nearest}\""))
                }
                None => Fate::Kept,
            },
            "tool_choice" if !dialect.named_tool && value.starts_with('{') => {
                adjustments.note("tool_choice changed to required, since it cannot name a function");
                Fate::Becomes("tool_choice", r#""required""#.to_owned())
            }
            _ => Fate::Kept,
        })
        .collect();
    patch.remove(members, |index, _| !matches!(fates.get(index), None | Some(Fate::Kept)));
    for ((name, (_, value)), fate) in names.iter().zip(members).zip(&fates) {
        match fate {
            Fate::LeftOut if !is_neutral(name, value) => adjustments.dropped("", name),
            Fate::Becomes(name, value) => {
                for piece in ["\"", name, "\":", value, ","] {
                    head.extend_from_slice(piece.as_bytes());
                }
            }
            Fate::Kept | Fate::LeftOut => {}
        }
    }
}

fn is_neutral(name: &str, value: &str) -> bool {
    let says = |neutral: &&str| value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(neutral.bytes());
    value == "null" || NEUTRAL.iter().any(|(member, values)| *member == name && values.iter().any(says))
}

#[cfg(test)]
mod tests;
