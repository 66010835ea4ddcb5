//! A message becomes a chat completion
//! (<https://platform.claude.com/docs/en/api/messages/create>, "Returns").

use std::borrow::Cow;

use super::thinking::{self, After};
use super::{citation, failure, finish_reason, may_be_empty};
use crate::openai::Usage;
use crate::provider::translate::answer::{Message, call_id};
use crate::provider::translate::json::{Halt, Object, elements, inner, write_dense};
use crate::provider::{Answer, Envelope, Fault};

/// More blocks than any answer has.
const MAX_BLOCKS: usize = 65_536;

/// The whole answer.
pub(super) fn translate(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let Some(message) = Object::read(text) else { return Err(failure::in_list(text).unwrap_or(Fault::Malformed)) };
    match message.text("type").as_deref() {
        Some("message") => {}
        _ if message.find("error").is_some() => return Err(failure::in_band(&message)),
        Some("error") => return Err(failure::in_band(&message)),
        _ => return Err(Fault::Malformed),
    }
    let blocks = message.find("content").ok_or(Fault::Malformed)?;
    let mut content = Content::default();
    content.message.text.reserve(blocks.len());
    elements(blocks, MAX_BLOCKS, |_, block: Object<'_>| content.take(envelope, &block)).map_err(|halt| match halt {
        Halt::NotAnArray | Halt::Element(_) => Fault::Malformed,
        Halt::Visitor(fault) => fault,
    })?;
    let stop_reason = message.text("stop_reason").unwrap_or_default();
    if stop_reason == "refusal"
        && let Some(explanation) = message.object("stop_details").and_then(|details| details.literal("explanation"))
    {
        content.message.refusal.extend_from_slice(explanation.as_bytes());
    }
    let answer = content.finish();
    // Thoughts alone are no answer either.
    let says_nothing = answer.text.is_empty() && answer.refusal.is_empty() && answer.count == 0;
    if says_nothing && !may_be_empty(&stop_reason) {
        return Err(Fault::Malformed);
    }
    // An answer without a single token is a provider that does not say.
    let usage = message.object("usage").map(|said| usage(&said, Usage::default())).filter(|usage| *usage != Usage::default());
    Ok(answer.answer(envelope, finish_reason(&stop_reason, answer.count > 0), None, usage))
}

/// Reads `usage` on top of what is known. Streams repeat it with cumulative figures, and what they say
/// last counts, be it less
/// (<https://platform.claude.com/docs/en/build-with-claude/streaming#event-types>). No prompt is empty: of
/// vendors that end with zeros the first word on it stands.
pub(super) fn usage(usage: &Object<'_>, known: Usage) -> Usage {
    let said = read_usage(usage, known);
    if said.prompt() > 0 {
        return said;
    }
    Usage { uncached_input: known.uncached_input, cache_read: known.cache_read, cache_write: known.cache_write, ..said }
}

fn read_usage(usage: &Object<'_>, known: Usage) -> Usage {
    let count = |name: &str, known: u64| usage.count(name).unwrap_or(known);
    let lifetimes = usage.object("cache_creation").map(|written| {
        let of = |name: &str| written.count(name).unwrap_or(0);
        of("ephemeral_5m_input_tokens").saturating_add(of("ephemeral_1h_input_tokens"))
    });
    let output = count("output_tokens", known.output);
    let thinking = usage.object("output_tokens_details").and_then(|details| details.count("thinking_tokens"));
    Usage {
        uncached_input: count("input_tokens", known.uncached_input),
        cache_read: count("cache_read_input_tokens", known.cache_read),
        cache_write: count("cache_creation_input_tokens", lifetimes.unwrap_or(known.cache_write)),
        output,
        reasoning: thinking.unwrap_or(known.reasoning).min(output),
    }
}

/// What the blocks of an answer come to.
#[derive(Default)]
struct Content {
    message: Message,
    /// `thinking_blocks`, separated by commas.
    thoughts: Vec<u8>,
    /// `annotations`, separated by commas.
    annotations: Vec<u8>,
    /// Bytes of the text whose characters were counted, and how many there are.
    counted: (usize, u64),
}

impl Content {
    fn take(&mut self, envelope: &Envelope<'_>, block: &Object<'_>) -> Result<(), Fault> {
        let kind = block.text("type").ok_or(Fault::Malformed)?;
        let message = &mut self.message;
        match kind.as_ref() {
            "text" => {
                let before = message.text.len();
                message.text.extend_from_slice(block.literal("text").ok_or(Fault::Malformed)?.as_bytes());
                if let Some(citations) = block.find("citations").filter(|citations| *citations != "[]") {
                    let start = self.characters_until(before);
                    let end = self.characters_until(self.message.text.len());
                    citation::annotate(citations, (start, end), &mut self.annotations);
                }
            }
            "thinking" => {
                // Kept from us, it may not be there at all.
                let thinking = block.find("thinking").unwrap_or(r#""""#);
                message.reasoning.extend_from_slice(inner(thinking).ok_or(Fault::Malformed)?.as_bytes());
                self.thought(block);
            }
            "redacted_thinking" => self.thought(block),
            "tool_use" => {
                let (id, name) = call(envelope, message.count, block)?;
                let mut arguments = Vec::new();
                self::arguments(block.find("input"), &mut arguments).ok_or(Fault::Malformed)?;
                message.call(&id, name, &arguments, b"");
            }
            // What tools of the provider's own leave behind.
            _ => {}
        }
        Ok(())
    }

    /// Keeps a block for later turns, if it is signed.
    fn thought(&mut self, block: &Object<'_>) {
        let after = After { characters: self.characters_until(self.message.text.len()), calls: self.message.count };
        let before = self.thoughts.len();
        if before > 0 {
            self.thoughts.push(b',');
        }
        if thinking::write(block, after, &mut self.thoughts).is_none() {
            self.thoughts.truncate(before);
        }
    }

    /// Characters of the first so many bytes of the text; these only grow.
    fn characters_until(&mut self, end: usize) -> u64 {
        let (from, count) = self.counted;
        let more = citation::characters(self.message.text.get(from..end).unwrap_or_default());
        self.counted = (end, count + more);
        self.counted.1
    }

    fn finish(mut self) -> Message {
        for (name, list) in [("thinking_blocks", &self.thoughts), ("annotations", &self.annotations)] {
            if !list.is_empty() {
                for piece in [b",\"", name.as_bytes(), b"\":[", list, b"]"] {
                    self.message.more.extend_from_slice(piece);
                }
            }
        }
        self.message
    }
}

/// Id and name of a call, as string literals; an id of ours for a provider that gives none.
pub(super) fn call<'a>(envelope: &Envelope<'_>, index: usize, block: &Object<'a>) -> Result<(Cow<'a, str>, &'a str), Fault> {
    let literal = |name: &str| block.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty()));
    let id = literal("id").map_or_else(|| Cow::Owned(call_id(envelope, index)), Cow::Borrowed);
    Ok((id, literal("name").ok_or(Fault::Malformed)?))
}

/// Appends the arguments of a call as a string literal: an object, or for some vendors the text of one;
/// nothing stands for none. `None` if it is something else.
pub(super) fn arguments(input: Option<&str>, out: &mut Vec<u8>) -> Option<()> {
    match input {
        None => out.extend_from_slice(br#""{}""#),
        Some(input) if input.starts_with('{') => {
            out.reserve(input.len() + 2);
            write_dense(input, out);
        }
        Some(input) => match inner(input)?.trim_ascii() {
            "" | "null" => out.extend_from_slice(br#""{}""#),
            _ => out.extend_from_slice(input.as_bytes()),
        },
    }
    Some(())
}

#[cfg(test)]
mod tests;
