//! An answer in Mistral's form becomes one in OpenAI's (<https://docs.mistral.ai/api/#tag/chat>).

use super::said::{Call, content, each};
use super::{finish_reason, in_band};
use crate::openai::Usage;
use crate::provider::translate::answer::{Message, call_id, head};
use crate::provider::translate::json::Object;
use crate::provider::{Answer, Envelope, Fault};

/// The whole answer.
pub(super) fn translate(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let answer = Object::read(text).ok_or(Fault::Malformed)?;
    let choices = answer.find("choices").ok_or_else(|| in_band(&answer))?;
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + envelope.routing.len() + 512);
    head(envelope, "chat.completion", &mut out);
    out.extend_from_slice(br#","choices":["#);
    let mut sum = Sum::default();
    each(choices, |index, choice| self::choice(envelope, index, &choice, &mut sum, &mut out))?;
    if !sum.is_answer {
        return Err(Fault::Malformed);
    }
    let usage = answer.find("usage").and_then(usage).map(|usage| usage.of_answer(sum.bytes));
    out.extend_from_slice(br#"],"usage":"#);
    usage.unwrap_or_default().write(&mut out);
    out.extend_from_slice(br#","routing":"#);
    out.extend_from_slice(envelope.routing_with(usage.as_ref()).as_bytes());
    out.push(b'}');
    Ok(Answer { body: out, usage, produced: sum.bytes })
}

/// Of all choices.
#[derive(Default)]
struct Sum {
    bytes: u64,
    calls: usize,
    /// One says something, or was cut before it could.
    is_answer: bool,
}

fn choice(envelope: &Envelope<'_>, index: usize, choice: &Object<'_>, sum: &mut Sum, out: &mut Vec<u8>) -> Result<(), Fault> {
    let message = choice.object("message").ok_or(Fault::Malformed)?;
    let mut said = Message::default();
    if let Some(content) = message.find("content") {
        said.text.reserve(content.len());
        self::content(content, &mut said.text, &mut said.reasoning)?;
    }
    each(message.find("tool_calls").unwrap_or("[]"), |_, made| {
        let call = Call::read(&made)?;
        let id = call.id.map_or_else(|| call_id(envelope, sum.calls), str::to_owned);
        sum.calls += 1;
        let arguments = call.arguments(false)?.unwrap_or_else(|| br#""{}""#.to_vec());
        said.call(&id, call.name.ok_or(Fault::Malformed)?, &arguments, b"");
        Ok(())
    })?;
    let finish = finish_reason(&choice.text("finish_reason").unwrap_or_default(), said.count > 0)?;
    sum.is_answer |= !said.text.is_empty() || said.count > 0 || finish != "stop";
    sum.bytes += said.bytes();
    let comma = if index == 0 { "" } else { "," };
    let number = choice.number("index").unwrap_or(index as u64);
    out.extend_from_slice(format!(r#"{comma}{{"index":{number},"message":{{"role":"assistant","content":"#).as_bytes());
    said.write(out);
    out.extend_from_slice(br#"},"logprobs":"#);
    out.extend_from_slice(logprobs(choice).as_bytes());
    out.extend_from_slice(format!(r#","finish_reason":"{finish}"}}"#).as_bytes());
    Ok(())
}

/// OpenAI's object, or null.
pub(super) fn logprobs<'a>(choice: &Object<'a>) -> &'a str {
    choice.find("logprobs").filter(|logprobs| logprobs.starts_with('{')).unwrap_or("null")
}

/// `usage`, where the tokens from the cache may be told apart in either of two places. An answer
/// without a single token is a provider that does not say.
pub(super) fn usage(said: &str) -> Option<Usage> {
    let mut usage = Usage::parse(said).filter(|usage| *usage != Usage::default())?;
    let cached = Object::read(said)?.count("num_cached_tokens").unwrap_or(0).clamp(usage.cache_read, usage.prompt());
    usage.uncached_input = usage.prompt() - cached;
    usage.cache_read = cached;
    Some(usage)
}

#[cfg(test)]
mod tests;
