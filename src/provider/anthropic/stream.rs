//! A stream of message events becomes a stream of chunks
//! (<https://platform.claude.com/docs/en/build-with-claude/streaming>).

use super::json::{Object, inner, write_dense};
use super::response::{call_members, head, usage};
use super::{finish_reason, in_band, may_be_empty};
use crate::openai::Usage;
use crate::provider::{Envelope, Fault, Progress, StreamCodec};
use crate::sse::{Event, write_data};

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    /// How every chunk begins; empty until the first was written.
    head: Vec<u8>,
    usage: Option<Usage>,
    produced: u64,
    /// Tool blocks whose end has not come.
    tools: Vec<Tool>,
    /// Tool calls begun; OpenAI counts them alone, Anthropic counts all blocks.
    calls: usize,
    content: bool,
    finished: bool,
    done: bool,
}

struct Tool {
    block: u64,
    call: usize,
    /// Arguments to send at the end, as long as no delta has brought any: a call without
    /// arguments comes without deltas, and nothing at all is not JSON.
    fallback: Option<Vec<u8>>,
}

/// More tools than any answer has open at once; they come one after the other.
const MAX_OPEN_TOOLS: usize = 256;

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        if self.done {
            return Ok(Progress::Done);
        }
        let data = Object::read(event.data).ok_or(Fault::Malformed)?;
        let kind = data.text("type");
        match kind.as_deref().unwrap_or(event.name) {
            "message_start" => {
                let message = data.object("message").ok_or(Fault::Malformed)?;
                self.note_usage(message.object("usage").as_ref());
                self.open(envelope, out);
            }
            "content_block_start" => self.block_start(envelope, &data, out)?,
            "content_block_delta" => self.block_delta(envelope, &data, out)?,
            "content_block_stop" => self.block_stop(envelope, data.number("index").unwrap_or(0), out),
            "message_delta" => {
                self.note_usage(data.object("usage").as_ref());
                let delta = data.object("delta").ok_or(Fault::Malformed)?;
                if let Some(stop_reason) = delta.text("stop_reason") {
                    self.finish(envelope, &stop_reason, out)?;
                }
            }
            "message_stop" => {
                self.finish(envelope, "", out)?;
                self.farewell(envelope, out);
            }
            "error" => return Err(in_band(&data)),
            // ping, and what is invented tomorrow.
            _ => {}
        }
        Ok(match (self.done, self.content) {
            (true, _) => Progress::Done,
            (false, true) => Progress::Content,
            (false, false) => Progress::Preamble,
        })
    }

    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match (self.done, self.finished) {
            (true, _) => Ok(()),
            // Complete, but for the farewell.
            (false, true) => {
                self.farewell(envelope, out);
                Ok(())
            }
            (false, false) => Err(Fault::Malformed),
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn produced(&self) -> u64 {
        self.produced
    }
}

impl Stream {
    fn note_usage(&mut self, said: Option<&Object<'_>>) {
        if let Some(said) = said {
            self.usage = Some(usage(said, self.usage.unwrap_or_default()));
        }
    }

    fn block_start(&mut self, envelope: &Envelope<'_>, data: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let block = data.object("content_block").ok_or(Fault::Malformed)?;
        match block.text("type").as_deref() {
            Some("text") => self.text(envelope, "content", block.find("text"), out),
            Some("thinking") => self.text(envelope, "reasoning_content", block.find("thinking"), out),
            Some("tool_use") => {
                let mut begin = format!(r#""tool_calls":[{{"index":{},"#, self.calls).into_bytes();
                call_members(&block, &mut begin)?;
                begin.extend_from_slice(br#"""}}]"#);
                let mut fallback = Vec::new();
                write_dense(block.find("input").filter(|input| input.starts_with('{')).unwrap_or("{}"), &mut fallback);
                if self.tools.len() == MAX_OPEN_TOOLS {
                    return Err(Fault::Malformed);
                }
                self.tools.push(Tool { block: data.number("index").unwrap_or(0), call: self.calls, fallback: Some(fallback) });
                self.calls += 1;
                let name = block.literal("name").map_or(0, str::len);
                self.say(envelope, name, &[&begin], out);
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(Fault::Malformed),
        }
    }

    fn block_delta(&mut self, envelope: &Envelope<'_>, data: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let delta = data.object("delta").ok_or(Fault::Malformed)?;
        match delta.text("type").as_deref() {
            Some("text_delta") => self.text(envelope, "content", delta.find("text"), out),
            Some("thinking_delta") => self.text(envelope, "reasoning_content", delta.find("thinking"), out),
            Some("input_json_delta") => {
                let literal = delta.find("partial_json").filter(|literal| inner(literal).is_some()).ok_or(Fault::Malformed)?;
                let block = data.number("index").unwrap_or(0);
                let Some(tool) = self.tools.iter_mut().find(|tool| tool.block == block) else { return Ok(()) };
                if literal != r#""""# {
                    tool.fallback = None;
                    let call = tool.call;
                    self.arguments(envelope, call, literal.as_bytes(), out);
                }
                Ok(())
            }
            // signature_delta, citations_delta, and what is invented tomorrow.
            Some(_) => Ok(()),
            None => Err(Fault::Malformed),
        }
    }

    fn block_stop(&mut self, envelope: &Envelope<'_>, block: u64, out: &mut Vec<u8>) {
        let Some(at) = self.tools.iter().position(|tool| tool.block == block) else { return };
        let tool = self.tools.swap_remove(at);
        if let Some(fallback) = tool.fallback {
            self.arguments(envelope, tool.call, &fallback, out);
        }
    }

    fn arguments(&mut self, envelope: &Envelope<'_>, call: usize, literal: &[u8], out: &mut Vec<u8>) {
        let begin = format!(r#""tool_calls":[{{"index":{call},"function":{{"arguments":"#);
        self.say(envelope, literal.len().saturating_sub(2), &[begin.as_bytes(), literal, b"}}]"], out);
    }

    fn text(&mut self, envelope: &Envelope<'_>, member: &str, literal: Option<&str>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(literal) = literal else { return Err(Fault::Malformed) };
        match inner(literal) {
            None => return Err(Fault::Malformed),
            Some("") => {}
            Some(text) => self.say(envelope, text.len(), &[b"\"", member.as_bytes(), b"\":", literal.as_bytes()], out),
        }
        Ok(())
    }

    /// Appends a chunk with part of the answer, of which the model has written so many bytes. After
    /// the end there is nothing left to say.
    fn say(&mut self, envelope: &Envelope<'_>, bytes: usize, delta: &[&[u8]], out: &mut Vec<u8>) {
        if !self.finished {
            self.open(envelope, out);
            self.content = true;
            self.produced = self.produced.saturating_add(bytes as u64);
            self.chunk(envelope, delta, "null", false, out);
        }
    }

    /// Appends the chunk with the role, before anything else.
    fn open(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            self.head.extend_from_slice(b"data: ");
            head(envelope, "chat.completion.chunk", &mut self.head);
            self.chunk(envelope, &[br#""role":"assistant","content":"","refusal":null"#], "null", true, out);
        }
    }

    /// Appends the chunk with the reason, once.
    fn finish(&mut self, envelope: &Envelope<'_>, stop_reason: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.finished {
            return Ok(());
        }
        if !self.content && !may_be_empty(stop_reason) {
            return Err(Fault::Malformed);
        }
        self.open(envelope, out);
        self.content = true;
        self.finished = true;
        self.chunk(envelope, &[], &format!("\"{}\"", finish_reason(stop_reason, self.calls > 0)), false, out);
        Ok(())
    }

    fn farewell(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
        self.done = true;
        if envelope.include_usage {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(br#","choices":[],"usage":"#);
            self.usage.unwrap_or_default().write(out);
            out.extend_from_slice(b"}\n\n");
        }
        write_data(b"[DONE]", out);
    }

    fn chunk(&self, envelope: &Envelope<'_>, delta: &[&[u8]], finish_reason: &str, first: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#","choices":[{"index":0,"delta":{"#);
        delta.iter().for_each(|piece| out.extend_from_slice(piece));
        out.extend_from_slice(br#"},"logprobs":null,"finish_reason":"#);
        out.extend_from_slice(finish_reason.as_bytes());
        out.extend_from_slice(b"}]");
        if envelope.include_usage {
            out.extend_from_slice(br#","usage":null"#);
        }
        if first {
            out.extend_from_slice(br#","routing":"#);
            out.extend_from_slice(envelope.routing.as_bytes());
        }
        out.extend_from_slice(b"}\n\n");
    }
}

#[cfg(test)]
mod tests;
