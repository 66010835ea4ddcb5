//! A stream of Converse becomes a stream of chunks
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>).

use super::response::{call, usage};
use super::thinking::{self, Block};
use super::{citations, finish_reason, may_be_empty};
use crate::framing::Event;
use crate::openai::Usage;
use crate::provider::translate::chunks::Chunks;
use crate::provider::translate::json::{Object, inner};
use crate::provider::{Envelope, Fault, Progress, StreamCodec, error_name};

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    chunks: Chunks,
    usage: Option<Usage>,
    /// Tool blocks whose end has not come.
    tools: Vec<Tool>,
    /// The block of reasoning last written, and how many there were.
    thought: Option<u64>,
    thoughts: usize,
    /// Characters of the text so far, and where the block of the citations begins.
    characters: usize,
    block_start: Option<(u64, usize)>,
    /// Addresses and titles cited in the block that is open, their bytes, and how many there were in all.
    citations: Vec<(String, String)>,
    citations_bytes: usize,
    cited: usize,
}

struct Tool {
    block: u64,
    call: usize,
    /// Whether it has no arguments so far: a call without arguments comes without deltas, and
    /// nothing at all is not JSON.
    is_bare: bool,
}

/// More tools than any answer has open at once; they come one after the other.
const MAX_OPEN_TOOLS: usize = 256;

/// More than the citations of any block take.
const MAX_CITATIONS_BYTES: usize = 256 << 10;

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        if self.chunks.is_done() {
            return Ok(Progress::Done);
        }
        if let Some((_, name)) = event.name.split_once(':') {
            // The answer stands, whatever happened to its figures.
            return if self.chunks.is_finished() { Ok(self.chunks.progress()) } else { Err(Fault::InBand(error_name(name))) };
        }
        let data = Object::read(event.data).ok_or(Fault::Malformed)?;
        match event.name {
            "messageStart" => self.chunks.open(envelope, out),
            "contentBlockStart" => self.block_start(envelope, &data, out)?,
            "contentBlockDelta" => self.block_delta(envelope, &data, out)?,
            "contentBlockStop" => self.block_stop(envelope, index(&data), out),
            "messageStop" => self.finish(envelope, &data.text("stopReason").unwrap_or_default(), out)?,
            "metadata" => {
                self.usage = data.object("usage").and_then(|said| usage(&said)).or(self.usage);
                // It comes last, behind the reason of the end.
                if self.chunks.is_finished() {
                    self.chunks.farewell(envelope, self.usage, out);
                }
            }
            // initial-response, and what is invented tomorrow; a message without a name is an error's.
            "" if data.find("message").is_some() => return Err(Fault::InBand("error".to_owned())),
            _ => {}
        }
        Ok(self.chunks.progress())
    }

    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.chunks.end(envelope, self.usage, out)
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn produced(&self) -> u64 {
        self.chunks.produced
    }
}

fn index(data: &Object<'_>) -> u64 {
    data.number("contentBlockIndex").unwrap_or(0)
}

impl Stream {
    fn block_start(&mut self, envelope: &Envelope<'_>, data: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(tool) = data.object("start").and_then(|start| start.object("toolUse")) else { return Ok(()) };
        let Some((id, name)) = call(envelope, &tool, self.chunks.calls)? else { return Ok(()) };
        if self.tools.len() == MAX_OPEN_TOOLS {
            return Err(Fault::Malformed);
        }
        let call = self.chunks.call(envelope, &id, name, b"", out);
        self.tools.push(Tool { block: index(data), call, is_bare: true });
        Ok(())
    }

    fn block_delta(&mut self, envelope: &Envelope<'_>, data: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let delta = data.object("delta").ok_or(Fault::Malformed)?;
        let block = index(data);
        if let Some(text) = delta.find("text") {
            let written = inner(text).ok_or(Fault::Malformed)?;
            if self.block_start.is_none_or(|(open, _)| open != block) {
                self.block_start = Some((block, self.characters));
            }
            self.characters += citations::characters(written.as_bytes());
            return self.chunks.text(envelope, "content", text, out);
        }
        if let Some(tool) = delta.object("toolUse") {
            let literal = tool.find("input").filter(|literal| inner(literal).is_some()).ok_or(Fault::Malformed)?;
            return self.arguments(envelope, block, literal, out);
        }
        if let Some(reasoning) = delta.object("reasoningContent") {
            return self.reasoning(envelope, block, &reasoning, out);
        }
        if let Some(citation) = delta.object("citation") {
            self.cite(&citation);
        }
        // Images, results of tools of the provider's own, and what is invented tomorrow.
        Ok(())
    }

    fn arguments(&mut self, envelope: &Envelope<'_>, block: u64, literal: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(tool) = self.tools.iter_mut().find(|tool| tool.block == block) else { return Ok(()) };
        let nothing = literal == r#""""# || (tool.is_bare && literal == r#""null""#);
        if !nothing {
            tool.is_bare = false;
            let call = tool.call;
            self.chunks.arguments(envelope, call, literal.as_bytes(), out);
        }
        Ok(())
    }

    fn reasoning(&mut self, envelope: &Envelope<'_>, block: u64, reasoning: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let literal = |name: &str| match reasoning.find(name) {
            Some(value) => inner(value).map(|text| Some((value, text.len()))).ok_or(Fault::Malformed),
            None => Ok(None),
        };
        let (text, signature, redacted) = (literal("text")?, literal("signature")?, literal("redactedContent")?);
        let said = text.filter(|(_, length)| *length > 0);
        let entry = match (said, signature, redacted) {
            (Some((text, _)), signature, _) => Block::Thinking { text: Some(text), signature: signature.map(|(value, _)| value) },
            (None, Some((signature, _)), _) => Block::Thinking { text: None, signature: Some(signature) },
            (None, None, Some((data, _))) => Block::Redacted(data),
            (None, None, None) => return Ok(()),
        };
        if self.thought != Some(block) {
            self.thought = Some(block);
            self.thoughts += 1;
        }
        let mut delta = Vec::new();
        if let Some((text, _)) = said {
            for piece in [r#""reasoning_content":"#, text, ","] {
                delta.extend_from_slice(piece.as_bytes());
            }
        }
        delta.extend_from_slice(br#""thinking_blocks":["#);
        thinking::entry(entry, Some(self.thoughts - 1), &mut delta);
        delta.push(b']');
        match said {
            Some((_, length)) => self.chunks.delta(envelope, length, &[&delta], out),
            None => self.chunks.aside(envelope, &[&delta], out),
        }
        Ok(())
    }

    /// Notes a citation; where it ends is known with its block.
    fn cite(&mut self, citation: &Object<'_>) {
        let Some((url, title)) = citations::of_web(citation) else { return };
        self.citations_bytes += url.len() + title.len();
        if self.citations_bytes <= MAX_CITATIONS_BYTES {
            self.citations.push((url.to_owned(), title.to_owned()));
        }
    }

    fn block_stop(&mut self, envelope: &Envelope<'_>, block: u64, out: &mut Vec<u8>) {
        if let Some(at) = self.tools.iter().position(|tool| tool.block == block) {
            let tool = self.tools.swap_remove(at);
            self.close(envelope, &tool, out);
        }
        self.write_citations(envelope, out);
    }

    fn write_citations(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
        let start = self.block_start.take().map_or(self.characters, |(_, start)| start);
        self.citations_bytes = 0;
        let mut entries = Vec::new();
        for (url, title) in core::mem::take(&mut self.citations) {
            citations::entry((&url, &title), (start, self.characters), Some(self.cited), &mut entries);
            self.cited += 1;
        }
        if !entries.is_empty() {
            self.chunks.aside(envelope, &[br#""annotations":["#, &entries, b"]"], out);
        }
    }

    fn close(&mut self, envelope: &Envelope<'_>, tool: &Tool, out: &mut Vec<u8>) {
        if tool.is_bare {
            self.chunks.arguments(envelope, tool.call, br#""{}""#, out);
        }
    }

    fn finish(&mut self, envelope: &Envelope<'_>, stop_reason: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
        let finish_reason = finish_reason(stop_reason, self.chunks.calls > 0)?;
        if !self.chunks.has_content() && !may_be_empty(stop_reason) {
            return Err(Fault::Malformed);
        }
        for tool in core::mem::take(&mut self.tools) {
            self.close(envelope, &tool, out);
        }
        self.write_citations(envelope, out);
        self.chunks.finish(envelope, finish_reason, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
