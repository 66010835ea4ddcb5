//! A streamed answer as the client gets it: `chat.completion.chunk` events
//! (<https://platform.openai.com/docs/api-reference/chat-streaming>).

use super::answer::{head, told};
use super::json::inner;
use crate::openai::Usage;
use crate::provider::{Envelope, Fault, Progress};
use crate::sse::write_data;

/// One answer on its way, with one choice.
#[derive(Default)]
pub(in crate::provider) struct Chunks {
    /// How every chunk begins; empty until the first was written.
    head: Vec<u8>,
    /// Bytes the model has written, as they stand in JSON.
    pub produced: u64,
    /// Tool calls begun: OpenAI counts them alone, from 0.
    pub calls: usize,
    /// OpenAI's `logprobs` object for the next chunk.
    pub logprobs: Option<Vec<u8>>,
    content: bool,
    finished: bool,
    done: bool,
}

impl Chunks {
    /// Where the answer is.
    pub fn progress(&self) -> Progress {
        match (self.done, self.content) {
            (true, _) => Progress::Done,
            (false, true) => Progress::Content,
            (false, false) => Progress::Preamble,
        }
    }

    /// Whether the model has said anything.
    pub fn has_content(&self) -> bool {
        self.content
    }

    /// Whether the reason of the end has been said.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether everything has been said.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Appends the chunk with the role, before anything else.
    pub fn open(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            self.head.extend_from_slice(b"data: ");
            head(envelope, "chat.completion.chunk", &mut self.head);
            self.chunk(envelope, &[br#""role":"assistant","content":"","refusal":null"#], "null", true, out);
        }
    }

    /// Appends a piece of `content`, `refusal` or `reasoning_content`. `literal` is a string as it is
    /// written, quotes included; an empty one says nothing.
    pub fn text(&mut self, envelope: &Envelope<'_>, member: &str, literal: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
        match inner(literal) {
            None => return Err(Fault::Malformed),
            Some("") => {}
            Some(text) => self.delta(envelope, text.len(), &[b"\"", member.as_bytes(), b"\":", literal.as_bytes()], out),
        }
        Ok(())
    }

    /// Appends the beginning of a tool call, with empty arguments; `id` and `name` are string
    /// literals, `more` is further members with a comma before each. Returns its index.
    pub fn call(&mut self, envelope: &Envelope<'_>, id: &str, name: &str, more: &[u8], out: &mut Vec<u8>) -> usize {
        let index = self.calls;
        self.calls += 1;
        let begin = format!(r#""tool_calls":[{{"index":{index},"id":{id},"type":"function","function":{{"name":{name},"arguments":""}}"#);
        self.delta(envelope, inner(name).map_or(0, str::len), &[begin.as_bytes(), more, b"}]"], out);
        index
    }

    /// Appends a piece of a call's arguments, a string literal.
    pub fn arguments(&mut self, envelope: &Envelope<'_>, call: usize, literal: &[u8], out: &mut Vec<u8>) {
        let begin = format!(r#""tool_calls":[{{"index":{call},"function":{{"arguments":"#);
        self.delta(envelope, literal.len().saturating_sub(2), &[begin.as_bytes(), literal, b"}}]"], out);
    }

    /// Appends a chunk with part of the answer, of which the model has written so many bytes. After
    /// the end there is nothing left to say.
    pub fn delta(&mut self, envelope: &Envelope<'_>, bytes: usize, delta: &[&[u8]], out: &mut Vec<u8>) {
        if !self.finished {
            self.open(envelope, out);
            self.content = true;
            self.produced = self.produced.saturating_add(bytes as u64);
            self.chunk(envelope, delta, "null", false, out);
            self.logprobs = None;
        }
    }

    /// Appends a chunk with something beside the answer, such as a signature: nothing that commits to
    /// this candidate.
    pub fn aside(&mut self, envelope: &Envelope<'_>, delta: &[&[u8]], out: &mut Vec<u8>) {
        if !self.finished {
            self.open(envelope, out);
            self.chunk(envelope, delta, "null", false, out);
        }
    }

    /// Appends the chunk with the `finish_reason`, once. Whether an answer may end so without content
    /// is the codec's to know.
    pub fn finish(&mut self, envelope: &Envelope<'_>, finish_reason: &str, out: &mut Vec<u8>) {
        if !self.finished {
            self.open(envelope, out);
            self.content = true;
            self.finished = true;
            self.chunk(envelope, &[], &["\"", finish_reason, "\""].concat(), false, out);
        }
    }

    /// Appends what ends the stream: usage if it was asked for, and `[DONE]`.
    pub fn farewell(&mut self, envelope: &Envelope<'_>, usage: Option<Usage>, out: &mut Vec<u8>) {
        if core::mem::replace(&mut self.done, true) {
            return;
        }
        if envelope.include_usage {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(br#","choices":[],"usage":"#);
            told(envelope, &usage.unwrap_or_default(), out);
        }
        write_data(b"[DONE]", out);
    }

    /// The provider's body ended: complete if a reason was said, cut otherwise.
    pub fn end(&mut self, envelope: &Envelope<'_>, usage: Option<Usage>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if !self.finished {
            return Err(Fault::Malformed);
        }
        self.farewell(envelope, usage, out);
        Ok(())
    }

    fn chunk(&mut self, envelope: &Envelope<'_>, delta: &[&[u8]], finish_reason: &str, first: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(br#","choices":[{"index":0,"delta":{"#);
        delta.iter().for_each(|piece| out.extend_from_slice(piece));
        out.extend_from_slice(br#"},"logprobs":"#);
        // The role says nothing, so it has none.
        let logprobs = if first { None } else { self.logprobs.take() };
        out.extend_from_slice(logprobs.as_deref().unwrap_or(b"null"));
        out.extend_from_slice(br#","finish_reason":"#);
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
