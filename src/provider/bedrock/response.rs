//! An answer of Converse becomes a chat completion
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>, "Response Elements").

use std::borrow::Cow;

use super::thinking::{self, Block};
use super::{citations, failure, finish_reason, may_be_empty};
use crate::openai::Usage;
use crate::provider::translate::answer::{Message, call_id};
use crate::provider::translate::json::{Halt, Object, elements, inner, write_dense};
use crate::provider::{Answer, Envelope, Fault, error_name};

/// More blocks than any answer has.
const MAX_BLOCKS: usize = 65_536;

/// What is gathered while the blocks are gone through.
#[derive(Default)]
struct Gathered {
    message: Message,
    /// Entries of `thinking_blocks`, separated by commas.
    thoughts: Vec<u8>,
    /// Entries of `annotations`.
    annotations: Vec<u8>,
    /// Bytes of the text whose characters are counted, and the characters.
    counted: (usize, usize),
}

/// The whole answer.
pub(super) fn translate(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let answer = Object::read(text).ok_or(Fault::Malformed)?;
    let Some(output) = answer.object("output") else { return Err(in_band(&answer)) };
    let said = output.object("message").ok_or(Fault::Malformed)?;
    let blocks = said.find("content").ok_or(Fault::Malformed)?;
    let mut gathered = Gathered::default();
    gathered.message.text.reserve(blocks.len());
    elements(blocks, MAX_BLOCKS, |_, block: Object<'_>| gathered.take(envelope, &block)).map_err(|halt| match halt {
        Halt::NotAnArray | Halt::Element(_) => Fault::Malformed,
        Halt::Visitor(fault) => fault,
    })?;
    let stop_reason = answer.text("stopReason").unwrap_or_default();
    let usage = answer.object("usage").and_then(|said| usage(&said));
    gathered.answer(envelope, &stop_reason, usage)
}

/// The exception that stands where an answer is due, if that is what it is.
fn in_band(answer: &Object<'_>) -> Fault {
    match (answer.text("__type"), answer.text("message").or_else(|| answer.text("Message"))) {
        (Some(name), _) => Fault::InBand(error_name(failure::exception(&name))),
        (None, Some(_)) => Fault::InBand("error".to_owned()),
        (None, None) => Fault::Malformed,
    }
}

/// `usage`, whose kinds of input do not overlap
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>). Zeros are meant: what
/// a guardrail stops never reaches the model.
pub(super) fn usage(usage: &Object<'_>) -> Option<Usage> {
    let count = |name: &str| usage.count(name).unwrap_or(0);
    usage.count("inputTokens").or_else(|| usage.count("outputTokens"))?;
    Some(Usage {
        uncached_input: count("inputTokens"),
        cache_read: count("cacheReadInputTokens"),
        cache_write: count("cacheWriteInputTokens"),
        output: count("outputTokens"),
        reasoning: 0,
    })
}

impl Gathered {
    /// A block; it is a union, so it has one member.
    fn take(&mut self, envelope: &Envelope<'_>, block: &Object<'_>) -> Result<(), Fault> {
        if let Some(text) = block.find("text") {
            return self.text(text);
        }
        if let Some(tool) = block.object("toolUse") {
            return self.call(envelope, &tool);
        }
        if let Some(reasoning) = block.object("reasoningContent") {
            return self.reasoning(&reasoning);
        }
        if let Some(cited) = block.object("citationsContent") {
            return self.cited(&cited);
        }
        // Images, results of tools of the provider's own, and what is invented tomorrow.
        Ok(())
    }

    fn text(&mut self, literal: &str) -> Result<(), Fault> {
        self.message.text.extend_from_slice(inner(literal).ok_or(Fault::Malformed)?.as_bytes());
        Ok(())
    }

    fn call(&mut self, envelope: &Envelope<'_>, tool: &Object<'_>) -> Result<(), Fault> {
        let Some((id, name)) = call(envelope, tool, self.message.count)? else { return Ok(()) };
        let mut arguments = Vec::new();
        match tool.find("input") {
            None | Some(r#""""# | r#""null""#) => arguments.extend_from_slice(br#""{}""#),
            Some(input) if input.starts_with('{') => {
                arguments.reserve(input.len() + 2);
                write_dense(input, &mut arguments);
            }
            // What the model wrote and Bedrock could not read.
            Some(input) => arguments.extend_from_slice(inner(input).map(|_| input).ok_or(Fault::Malformed)?.as_bytes()),
        }
        self.message.call(&id, name, &arguments, b"");
        Ok(())
    }

    fn reasoning(&mut self, reasoning: &Object<'_>) -> Result<(), Fault> {
        let block = match (reasoning.object("reasoningText"), reasoning.find("redactedContent")) {
            (Some(said), _) => {
                let text = said.find("text").unwrap_or(r#""""#);
                self.message.reasoning.extend_from_slice(inner(text).ok_or(Fault::Malformed)?.as_bytes());
                let signature = said.find("signature").filter(|signature| inner(signature).is_some());
                if text == r#""""# && signature.is_none() {
                    return Ok(());
                }
                Block::Thinking { text: Some(text), signature }
            }
            (None, Some(data)) if inner(data).is_some() => Block::Redacted(data),
            _ => return Ok(()),
        };
        if !self.thoughts.is_empty() {
            self.thoughts.push(b',');
        }
        thinking::entry(block, None, &mut self.thoughts);
        Ok(())
    }

    fn cited(&mut self, cited: &Object<'_>) -> Result<(), Fault> {
        let start = self.characters();
        if let Some(pieces) = cited.find("content") {
            elements(pieces, MAX_BLOCKS, |_, piece: Object<'_>| piece.find("text").map_or(Ok(()), |text| self.text(text))).map_err(
                |halt| match halt {
                    Halt::NotAnArray | Halt::Element(_) => Fault::Malformed,
                    Halt::Visitor(fault) => fault,
                },
            )?;
        }
        if let Some(list) = cited.find("citations") {
            let end = self.characters();
            let visit = |_: usize, citation: Object<'_>| {
                if let Some(web) = citations::of_web(&citation) {
                    citations::entry(web, (start, end), None, &mut self.annotations);
                }
                Ok::<_, Fault>(())
            };
            elements(list, MAX_BLOCKS, visit).map_err(|_| Fault::Malformed)?;
        }
        Ok(())
    }

    /// Characters of the text so far, each counted once.
    fn characters(&mut self) -> usize {
        let (bytes, characters) = self.counted;
        let more = citations::characters(self.message.text.get(bytes..).unwrap_or_default());
        self.counted = (self.message.text.len(), characters + more);
        self.counted.1
    }

    fn answer(mut self, envelope: &Envelope<'_>, stop_reason: &str, usage: Option<Usage>) -> Result<Answer, Fault> {
        let finish_reason = finish_reason(stop_reason, self.message.count > 0)?;
        // Reasoning alone answers nothing.
        if self.message.text.is_empty() && self.message.count == 0 && !may_be_empty(stop_reason) {
            return Err(Fault::Malformed);
        }
        for (name, entries) in [("thinking_blocks", &self.thoughts), ("annotations", &self.annotations)] {
            if !entries.is_empty() {
                for piece in [b",\"", name.as_bytes(), b"\":[", entries, b"]"] {
                    self.message.more.extend_from_slice(piece);
                }
            }
        }
        Ok(self.message.answer(envelope, finish_reason, None, usage))
    }
}

/// Id and name of the call with this index, as string literals; none if the provider itself runs the
/// tool.
pub(super) fn call<'a>(envelope: &Envelope<'_>, tool: &Object<'a>, index: usize) -> Result<Option<(Cow<'a, str>, &'a str)>, Fault> {
    if tool.text("type").as_deref() == Some("server_tool_use") {
        return Ok(None);
    }
    let literal = |name: &str| tool.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty()));
    let id = literal("toolUseId").map_or_else(|| Cow::Owned(call_id(envelope, index)), Cow::Borrowed);
    Ok(Some((id, literal("name").ok_or(Fault::Malformed)?)))
}

#[cfg(test)]
mod tests;
