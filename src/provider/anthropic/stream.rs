//! A stream of message events becomes a stream of chunks
//! (<https://platform.claude.com/docs/en/build-with-claude/streaming>).

use super::citation::{annotation, characters, page};
use super::response::{arguments, call, usage};
use super::thinking::{After, Entries};
use super::{failure, finish_reason, may_be_empty};
use crate::openai::{Running, Usage};
use crate::provider::translate::chunks::Chunks;
use crate::provider::translate::json::{Object, inner};
use crate::provider::{Envelope, Fault, Progress, StreamCodec};
use crate::sse::Event;

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    chunks: Chunks,
    usage: Running,
    /// Tool blocks whose end has not come.
    tools: Vec<Tool>,
    /// Which thinking blocks there were.
    thoughts: Entries,
    /// Characters of the text so far.
    written: u64,
    citations: Citations,
}

struct Tool {
    block: u64,
    call: usize,
    /// Arguments to send at the end, as long as no delta has brought any: a call without
    /// arguments comes without deltas, and nothing at all is not JSON.
    fallback: Option<Vec<u8>>,
}

/// Pages cited in the block under way. They come before the block's text or behind it, so that where it
/// stands is known at its end.
#[derive(Default)]
struct Citations {
    /// Where the block began, in characters of the text.
    start: u64,
    /// Addresses and titles, as literals.
    pages: Vec<(String, String)>,
    /// Annotations sent.
    sent: usize,
}

/// What makes a block good for later turns: its kind, and what stands before the value. The text of a
/// signed one may have been kept back altogether.
const SIGNATURE: (&str, &str) = ("thinking", r#","thinking":"","signature":"#);
const DATA: (&str, &str) = ("redacted_thinking", r#","data":"#);

/// What a block begins with that has nothing yet and does not say so.
const BEGINS_EMPTY: Option<&str> = Some(r#""""#);

/// More tools than any answer has open at once; they come one after the other.
const MAX_OPEN_TOOLS: usize = 256;

/// More pages than any text of an answer cites; those above it are not annotated.
const MAX_PAGES: usize = 256;

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        if event.name == "ping" {
            return Ok(self.chunks.progress());
        }
        // Other vendors of the protocol end with OpenAI's word, some with nothing else.
        if event.data.trim_ascii() == "[DONE]" {
            self.chunks.end(envelope, self.known(), out)?;
            return Ok(Progress::Done);
        }
        let Some(data) = Object::read(event.data) else {
            return if self.chunks.is_done() { Ok(Progress::Done) } else { Err(failure::in_list(event.data).unwrap_or(Fault::Malformed)) };
        };
        let kind = data.text("type");
        if self.chunks.is_done() {
            // Too late for the client, but not for the account.
            if kind.as_deref() == Some("message_delta") {
                self.note_usage(data.object("usage").as_ref());
            }
            return Ok(Progress::Done);
        }
        if event.name == "error" || kind.is_none() && data.find("error").is_some() {
            return Err(failure::in_band(&data));
        }
        match kind.as_deref().unwrap_or(event.name) {
            "message_start" => {
                let message = data.object("message").ok_or(Fault::Malformed)?;
                // A second start knows no more than the first, and less than what came since.
                if self.usage.said().is_none() {
                    self.note_usage(message.object("usage").as_ref());
                }
                self.chunks.open(envelope, out);
            }
            "content_block_start" => self.block_start(envelope, &data, out)?,
            "content_block_delta" => self.block_delta(envelope, &data, out)?,
            "content_block_stop" => self.block_stop(envelope, data.number("index").unwrap_or(0), out),
            "message_delta" => {
                let said = data.object("usage");
                self.note_usage(said.as_ref());
                let delta = data.object("delta").ok_or(Fault::Malformed)?;
                if let Some(stop_reason) = delta.text("stop_reason") {
                    if stop_reason == "refusal" {
                        self.refuse(envelope, &delta, out)?;
                    }
                    self.finish(envelope, &stop_reason, out)?;
                }
                if said.is_some() {
                    self.usage.covers(self.chunks.produced);
                }
            }
            "message_stop" => {
                self.finish(envelope, "", out)?;
                self.chunks.farewell(envelope, self.known(), out);
            }
            "error" => return Err(failure::in_band(&data)),
            // ping, and what is invented tomorrow.
            _ => {}
        }
        Ok(self.chunks.progress())
    }

    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.chunks.end(envelope, self.known(), out)
    }

    fn usage(&self) -> Option<Usage> {
        // An answer without a single token is a provider that does not say.
        self.known().filter(|usage| *usage != Usage::default())
    }

    fn produced(&self) -> u64 {
        self.chunks.produced
    }
}

impl Stream {
    fn known(&self) -> Option<Usage> {
        self.usage.usage(self.chunks.produced)
    }

    fn note_usage(&mut self, said: Option<&Object<'_>>) {
        if let Some(said) = said {
            self.usage.note(usage(said, self.usage.said().unwrap_or_default()), self.chunks.produced);
        }
    }

    fn block_start(&mut self, envelope: &Envelope<'_>, data: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let block = data.object("content_block").ok_or(Fault::Malformed)?;
        let index = data.number("index").unwrap_or(0);
        match block.text("type").as_deref() {
            Some("text") => {
                self.cite(envelope, out);
                self.text(envelope, block.find("text").or(BEGINS_EMPTY), out)
            }
            Some("thinking") => {
                self.thought(envelope, index, block.find("thinking").or(BEGINS_EMPTY), out)?;
                self.signed(envelope, index, SIGNATURE, block.find("signature"), out)
            }
            Some("redacted_thinking") => self.signed(envelope, index, DATA, block.find("data"), out),
            Some("tool_use") => {
                let (id, name) = call(envelope, self.chunks.calls, &block)?;
                let mut fallback = Vec::new();
                arguments(block.find("input"), &mut fallback).ok_or(Fault::Malformed)?;
                if self.tools.len() == MAX_OPEN_TOOLS {
                    return Err(Fault::Malformed);
                }
                let call = self.chunks.call(envelope, &id, name, b"", out);
                self.tools.push(Tool { block: index, call, fallback: Some(fallback) });
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(Fault::Malformed),
        }
    }

    fn block_delta(&mut self, envelope: &Envelope<'_>, data: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let delta = data.object("delta").ok_or(Fault::Malformed)?;
        let index = data.number("index").unwrap_or(0);
        match delta.text("type").as_deref() {
            Some("text_delta") => self.text(envelope, delta.find("text"), out),
            Some("thinking_delta") => self.thought(envelope, index, delta.find("thinking"), out),
            Some("signature_delta") => self.signed(envelope, index, SIGNATURE, delta.find("signature"), out),
            Some("citations_delta") => {
                if let Some((url, title)) = delta.object("citation").as_ref().and_then(page)
                    && self.citations.pages.len() < MAX_PAGES
                {
                    self.citations.pages.push((url.to_owned(), title.to_owned()));
                }
                Ok(())
            }
            Some("input_json_delta") => {
                let literal = delta.find("partial_json").filter(|literal| inner(literal).is_some()).ok_or(Fault::Malformed)?;
                // Of a block that never began, or of a tool of the provider's own.
                let Some(tool) = self.tools.iter_mut().find(|tool| tool.block == index) else { return Ok(()) };
                if tool.fallback.is_none() || !matches!(literal, r#""""# | r#""null""#) {
                    tool.fallback = None;
                    let call = tool.call;
                    self.chunks.arguments(envelope, call, literal.as_bytes(), out);
                }
                Ok(())
            }
            // What is invented tomorrow.
            Some(_) => Ok(()),
            None => Err(Fault::Malformed),
        }
    }

    fn block_stop(&mut self, envelope: &Envelope<'_>, block: u64, out: &mut Vec<u8>) {
        if let Some(at) = self.tools.iter().position(|tool| tool.block == block) {
            let tool = self.tools.swap_remove(at);
            self.close(envelope, tool, out);
        }
        self.cite(envelope, out);
    }

    /// Ends a call, whose arguments are never nothing.
    fn close(&mut self, envelope: &Envelope<'_>, tool: Tool, out: &mut Vec<u8>) {
        if let Some(fallback) = tool.fallback {
            self.chunks.arguments(envelope, tool.call, &fallback, out);
        }
    }

    fn text(&mut self, envelope: &Envelope<'_>, literal: Option<&str>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let literal = literal.ok_or(Fault::Malformed)?;
        self.written = self.written.saturating_add(characters(inner(literal).unwrap_or_default().as_bytes()));
        self.chunks.text(envelope, "content", literal, out)
    }

    /// A piece of what the model thinks, in words and as part of a block for later turns.
    fn thought(&mut self, envelope: &Envelope<'_>, block: u64, literal: Option<&str>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let literal = literal.ok_or(Fault::Malformed)?;
        let text = inner(literal).ok_or(Fault::Malformed)?;
        if !text.is_empty() {
            let after = self.after();
            let entry = self.thoughts.of(block, "thinking", after);
            let said =
                [br#""reasoning_content":"#, literal.as_bytes(), b",", entry.as_bytes(), br#","thinking":"#, literal.as_bytes(), b"}]"];
            self.chunks.delta(envelope, text.len(), &said, out);
        }
        Ok(())
    }

    /// What stands before a block that begins here.
    fn after(&self) -> After {
        After { characters: self.written, calls: self.chunks.calls }
    }

    /// The signature of a block, or all that it has.
    fn signed(
        &mut self,
        envelope: &Envelope<'_>,
        block: u64,
        (kind, member): (&str, &str),
        literal: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let Some(literal) = literal.filter(|literal| *literal != r#""""#) else { return Ok(()) };
        inner(literal).ok_or(Fault::Malformed)?;
        let after = self.after();
        let entry = self.thoughts.of(block, kind, after);
        self.chunks.aside(envelope, &[entry.as_bytes(), member.as_bytes(), literal.as_bytes(), b"}]"], out);
        Ok(())
    }

    /// A text has come to its end: says which pages it cites, and begins the next.
    fn cite(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
        let Citations { start, pages, sent } = &mut self.citations;
        if !pages.is_empty() {
            let mut list = Vec::new();
            for (url, title) in pages.drain(..) {
                if !list.is_empty() {
                    list.push(b',');
                }
                annotation((&url, &title), (*start, self.written), Some(*sent), &mut list);
                *sent += 1;
            }
            self.chunks.aside(envelope, &[br#""annotations":["#, &list, b"]"], out);
        }
        self.citations.start = self.written;
    }

    /// Why the model has refused, if it says so.
    fn refuse(&mut self, envelope: &Envelope<'_>, delta: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match delta.object("stop_details").and_then(|details| details.find("explanation")) {
            // Nothing that the model has written.
            Some(literal) if inner(literal).is_some_and(|text| !text.is_empty()) => {
                self.chunks.delta(envelope, 0, &[br#""refusal":"#, literal.as_bytes()], out);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, envelope: &Envelope<'_>, stop_reason: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.chunks.is_finished() {
            return Ok(());
        }
        if !self.chunks.has_content() && !may_be_empty(stop_reason) {
            return Err(Fault::Malformed);
        }
        // Blocks whose end did not come.
        for tool in core::mem::take(&mut self.tools) {
            self.close(envelope, tool, out);
        }
        self.cite(envelope, out);
        self.chunks.finish(envelope, finish_reason(stop_reason, self.chunks.calls > 0), out);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
