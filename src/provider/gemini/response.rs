//! A generated content becomes a chat completion
//! (<https://ai.google.dev/api/generate-content#generatecontentresponse>).

use super::candidate::{self, Said, extra_content};
use super::citation::{self, Boundaries};
use super::ending::Ending;
use super::logprobs;
use super::usage::Counts;
use crate::openai::Usage;
use crate::provider::translate::answer::{Message, call_id};
use crate::provider::translate::json::{Object, inner};
use crate::provider::{Answer, Envelope, Fault};

/// The whole answer.
pub(in crate::provider) fn translate(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let answer = candidate::answer(text).ok_or(Fault::Malformed)?;
    if let Some(fault) = candidate::in_band(&answer) {
        return Err(fault);
    }
    let mut ending = Ending::default();
    ending.note_prompt(&answer);
    let (mut message, mut probabilities) = (Message::default(), None);
    if let Some(candidate) = candidate::first(&answer)? {
        ending.note_candidate(&candidate);
        probabilities = logprobs::write(&candidate);
        take(envelope, &mut message, &candidate)?;
    }
    let written = message.bytes();
    // Thoughts alone are no answer.
    if message.text.is_empty() && message.count == 0 {
        let refusal = ending.without_content()?.unwrap_or_default();
        message.refusal.extend_from_slice(refusal.get(1..refusal.len().saturating_sub(1)).unwrap_or_default());
    }
    let finish_reason = ending.finish_reason(message.count > 0).ok_or(Fault::Malformed)?;
    let usage = answer.object("usageMetadata").and_then(|said| usage(&said));
    let answer = message.answer(envelope, finish_reason, probabilities.as_deref(), usage);
    Ok(Answer { produced: written, ..answer })
}

/// What an answer that cannot be used has cost.
pub(in crate::provider) fn billed(body: &[u8]) -> Option<Usage> {
    usage(&candidate::answer(core::str::from_utf8(body).ok()?)?.object("usageMetadata")?)
}

fn usage(said: &Object<'_>) -> Option<Usage> {
    let mut counts = Counts::default();
    counts.note(said);
    counts.usage()
}

fn take(envelope: &Envelope<'_>, message: &mut Message, candidate: &Object<'_>) -> Result<(), Fault> {
    let (mut boundaries, mut starts, mut bytes) = (Boundaries::default(), Vec::new(), 0);
    let has_sources = candidate.find("groundingMetadata").or_else(|| candidate.find("citationMetadata")).is_some();
    let mut signed = None;
    candidate::parts(candidate, |said, signature| {
        if has_sources {
            starts.push(bytes);
        }
        match said {
            Said::Text(literal) => {
                message.text.extend_from_slice(inner(literal).ok_or(Fault::Malformed)?.as_bytes());
                if has_sources {
                    boundaries.push(literal);
                    bytes = boundaries.len();
                }
                signed = signature.or(signed);
            }
            Said::Thought(literal) => message.reasoning.extend_from_slice(inner(literal).ok_or(Fault::Malformed)?.as_bytes()),
            Said::Call(call) => {
                let made = call_id(envelope, message.count);
                message.call(call.id.unwrap_or(&made), call.name, &call.arguments, &extra_content(signature));
            }
            Said::Other => {}
        }
        Ok(())
    })?;
    let annotations = citation::annotations(candidate, &boundaries, &starts);
    if !annotations.is_empty() {
        message.more.extend_from_slice(br#","annotations":["#);
        message.more.extend_from_slice(&annotations);
        message.more.push(b']');
    }
    message.more.extend_from_slice(&extra_content(signed));
    Ok(())
}

#[cfg(test)]
mod tests;
