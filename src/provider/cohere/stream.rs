//! A stream of events becomes a stream of chunks (<https://docs.cohere.com/v2/docs/streaming>).

use super::response::{Call, annotations, logprobs};
use super::{finish_reason, in_band, may_be_empty, usage};
use crate::openai::Usage;
use crate::provider::translate::answer::call_id;
use crate::provider::translate::chunks::Chunks;
use crate::provider::translate::json::Object;
use crate::provider::{Envelope, Fault, Progress, StreamCodec};
use crate::sse::Event;

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    chunks: Chunks,
    usage: Option<Usage>,
    /// Whether there was a text or a call, not thoughts alone.
    spoken: bool,
    /// Calls whose end has not come.
    open: Vec<Open>,
    /// Annotations sent.
    annotated: usize,
}

struct Open {
    /// The provider's index.
    index: u64,
    call: usize,
    /// Whether there were arguments: a call without any comes without deltas, and nothing at all is
    /// not JSON.
    argued: bool,
}

/// More calls than any answer has open at once; they come one after the other.
const MAX_OPEN: usize = 256;

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        if self.chunks.is_done() {
            return Ok(Progress::Done);
        }
        if event.data.trim_ascii() == "[DONE]" {
            self.chunks.end(envelope, self.usage, out)?;
            return Ok(Progress::Done);
        }
        let data = Object::read(event.data).ok_or(Fault::Malformed)?;
        let kind = data.text("type");
        let delta = data.object("delta");
        let message = delta.as_ref().and_then(|delta| delta.object("message"));
        match kind.as_deref().unwrap_or(event.name) {
            "message-start" => self.chunks.open(envelope, out),
            "content-start" | "content-delta" => {
                // A block may begin without anything in it.
                if let Some(content) = message.and_then(|message| message.object("content")) {
                    self.content(envelope, &data, &content, out)?;
                }
            }
            "tool-plan-delta" => {
                let message = message.ok_or(Fault::Malformed)?;
                self.chunks.text(envelope, "reasoning_content", message.find("tool_plan").ok_or(Fault::Malformed)?, out)?;
            }
            "tool-call-start" | "tool-call-delta" => {
                let calls = message.and_then(|message| message.object("tool_calls")).ok_or(Fault::Malformed)?;
                self.call(envelope, data.number("index").unwrap_or(0), &Call::read(&calls)?, out)?;
            }
            "tool-call-end" => self.call_end(envelope, data.number("index").unwrap_or(0), out),
            "citation-start" => {
                let mut written = Vec::new();
                if let Some(cited) = message.and_then(|message| message.object("citations")) {
                    annotations(&cited, 0, Some(&mut self.annotated), &mut written);
                }
                if !written.is_empty() {
                    self.chunks.aside(envelope, &[br#""annotations":["#, &written, b"]"], out);
                }
            }
            "message-end" => self.message_end(envelope, &delta.ok_or(Fault::Malformed)?, out)?,
            // content-end, citation-end, debug, and what is invented tomorrow.
            name if !name.is_empty() && name != "error" => {}
            _ => return Err(in_band(&data)),
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

impl Stream {
    fn content(&mut self, envelope: &Envelope<'_>, data: &Object<'_>, content: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(thinking) = content.find("thinking") {
            self.chunks.text(envelope, "reasoning_content", thinking, out)?;
        }
        let Some(text) = content.find("text") else { return Ok(()) };
        if let Some(found) = data.find("logprobs").and_then(|item| logprobs(&["[", item, "]"].concat())) {
            self.chunks.logprobs = Some(found);
        }
        self.spoken |= text != r#""""#;
        self.chunks.text(envelope, "content", text, out)
    }

    /// The beginning of a call, said by its name, or more of its arguments.
    fn call(&mut self, envelope: &Envelope<'_>, index: u64, call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let known = self.open.iter().position(|open| open.index == index);
        let at = match (known, call.name) {
            (Some(at), _) => at,
            // Arguments of nothing.
            (None, None) => return Ok(()),
            (None, Some(name)) => {
                if self.open.len() == MAX_OPEN {
                    return Err(Fault::Malformed);
                }
                let id = call.id.map_or_else(|| call_id(envelope, self.chunks.calls), str::to_owned);
                let call = self.chunks.call(envelope, &id, name, b"", out);
                self.spoken = true;
                self.open.push(Open { index, call, argued: false });
                self.open.len() - 1
            }
        };
        let Some(open) = self.open.get_mut(at) else { return Ok(()) };
        // Inside a call, a blank is part of the arguments.
        let piece = if open.argued {
            call.written.filter(|text| text.starts_with('"')).map(|text| text.as_bytes().to_vec())
        } else {
            call.piece()?
        };
        if let Some(piece) = piece {
            open.argued = true;
            let call = open.call;
            self.chunks.arguments(envelope, call, &piece, out);
        }
        Ok(())
    }

    fn call_end(&mut self, envelope: &Envelope<'_>, index: u64, out: &mut Vec<u8>) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else { return };
        let open = self.open.swap_remove(at);
        if !open.argued {
            self.chunks.arguments(envelope, open.call, br#""{}""#, out);
        }
    }

    fn message_end(&mut self, envelope: &Envelope<'_>, delta: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(said) = delta.object("usage") {
            self.usage = usage(&said).or(self.usage);
        }
        if !self.chunks.is_finished() {
            let reason = delta.text("finish_reason").unwrap_or_default();
            let finish = finish_reason(&reason, self.chunks.calls > 0)?;
            if delta.find("error").is_some_and(|error| error != r#""""#) {
                return Err(Fault::InBand("error".to_owned()));
            }
            if !self.spoken && !may_be_empty(&reason) {
                return Err(Fault::Malformed);
            }
            // What was cut stays cut; a call whose end was not told is complete.
            let ends: Vec<u64> = self.open.iter().map(|open| open.index).filter(|_| finish != "length").collect();
            ends.into_iter().for_each(|index| self.call_end(envelope, index, out));
            self.chunks.finish(envelope, finish, out);
        }
        // Usage may still come.
        if self.usage.is_some() {
            self.chunks.farewell(envelope, self.usage, out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
