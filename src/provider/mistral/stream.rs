//! A stream of chunks in Mistral's form becomes one in OpenAI's
//! (<https://docs.mistral.ai/capabilities/completion/>). There may be several choices.

use super::response::{logprobs, usage};
use super::said::{Call, content, each};
use super::{finish_reason, in_band};
use crate::openai::{Running, Usage};
use crate::provider::translate::answer::{call_id, head, told};
use crate::provider::translate::json::{Object, inner};
use crate::provider::{Envelope, Fault, Progress, StreamCodec};
use crate::sse::{Event, write_data};

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    /// How every chunk begins; empty until the first was written.
    head: Vec<u8>,
    usage: Running,
    produced: u64,
    choices: Vec<Choice>,
    /// Calls of all choices.
    calls: usize,
    content: bool,
    done: bool,
}

struct Choice {
    index: u64,
    calls: Vec<Begun>,
    /// Whether there was a text or a call, not thoughts alone.
    spoken: bool,
    finished: bool,
}

/// A call that has been announced.
struct Begun {
    id: Option<String>,
    index: Option<u64>,
    /// Whether there were arguments.
    argued: bool,
}

/// OpenAI's most; one list for each is kept.
const MAX_CHOICES: usize = 128;

/// More calls than any answer has; the list is searched for each piece.
const MAX_CALLS: usize = 512;

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        if self.done {
            return Ok(Progress::Done);
        }
        if event.data.trim_ascii() == "[DONE]" {
            self.end(envelope, out)?;
            return Ok(Progress::Done);
        }
        let data = Object::read(event.data).ok_or(Fault::Malformed)?;
        let choices = data.find("choices").ok_or_else(|| in_band(&data))?;
        if data.find("error").is_some() {
            return Err(in_band(&data));
        }
        let said = data.find("usage").and_then(usage);
        if let Some(said) = said {
            self.usage.note(said, self.produced);
        }
        each(choices, |_, choice| self.choice(envelope, &choice, out))?;
        if said.is_some() {
            self.usage.covers(self.produced);
        }
        Ok(if self.content { Progress::Content } else { Progress::Preamble })
    }

    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.done {
            return Ok(());
        }
        if self.choices.is_empty() || self.choices.iter().any(|choice| !choice.finished) {
            return Err(Fault::Malformed);
        }
        self.done = true;
        if envelope.include_usage {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(br#","choices":[],"usage":"#);
            told(envelope, &self.usage().unwrap_or_default(), out);
        }
        write_data(b"[DONE]", out);
        Ok(())
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.usage(self.produced)
    }

    fn produced(&self) -> u64 {
        self.produced
    }
}

impl Stream {
    fn choice(&mut self, envelope: &Envelope<'_>, choice: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let index = choice.number("index").unwrap_or(0);
        let at = match self.choices.iter().position(|known| known.index == index) {
            Some(at) => at,
            None if self.choices.len() == MAX_CHOICES => return Err(Fault::Malformed),
            None => {
                self.choices.push(Choice { index, calls: Vec::new(), spoken: false, finished: false });
                self.chunk(envelope, index, br#""role":"assistant","content":"","refusal":null"#, "null", "null", out);
                self.choices.len() - 1
            }
        };
        let single = self.choices.len() == 1;
        let Some(known) = self.choices.get_mut(at).filter(|known| !known.finished) else { return Ok(()) };
        let reason = choice.text("finish_reason");
        let mut delta = Vec::new();
        if let Some(said) = choice.object("delta") {
            let (mut text, mut thoughts) = (Vec::new(), Vec::new());
            if let Some(said) = said.find("content") {
                content(said, &mut text, &mut thoughts)?;
            }
            self.produced = self.produced.saturating_add((text.len() + thoughts.len()) as u64);
            known.spoken |= !text.is_empty();
            piece("reasoning_content", &thoughts, &mut delta);
            piece("content", &text, &mut delta);
            if let Some(calls) = said.find("tool_calls").filter(|calls| *calls != "[]") {
                let mut pieces = Pieces { written: Vec::new(), bytes: 0, calls: &mut self.calls };
                each(calls, |_, made| pieces.take(envelope, known, &Call::read(&made)?))?;
                self.produced = self.produced.saturating_add(pieces.bytes);
                wrap(&pieces.written, &mut delta);
            }
        }
        let finish = reason.map(|reason| finish_reason(&reason, !known.calls.is_empty())).transpose()?;
        if finish == Some("stop") && !known.spoken && single {
            return Err(Fault::Malformed);
        }
        known.finished = finish.is_some();
        // A call without arguments is complete only when nothing can follow.
        let closing = if finish.is_some_and(|finish| finish != "length") { known.close() } else { Vec::new() };
        self.content |= !delta.is_empty() || finish.is_some();
        if !delta.is_empty() {
            self.chunk(envelope, index, &delta, logprobs(choice), "null", out);
        }
        if !closing.is_empty() {
            let mut delta = Vec::new();
            wrap(&closing, &mut delta);
            self.chunk(envelope, index, &delta, "null", "null", out);
        }
        if let Some(finish) = finish {
            self.chunk(envelope, index, b"", "null", &["\"", finish, "\""].concat(), out);
        }
        Ok(())
    }

    fn chunk(&mut self, envelope: &Envelope<'_>, index: u64, delta: &[u8], logprobs: &str, finish_reason: &str, out: &mut Vec<u8>) {
        let first = self.head.is_empty();
        if first {
            self.head.extend_from_slice(b"data: ");
            head(envelope, "chat.completion.chunk", &mut self.head);
        }
        out.extend_from_slice(&self.head);
        out.extend_from_slice(format!(r#","choices":[{{"index":{index},"delta":{{"#).as_bytes());
        out.extend_from_slice(delta);
        for piece in [r#"},"logprobs":"#, logprobs, r#","finish_reason":"#, finish_reason, "}]"] {
            out.extend_from_slice(piece.as_bytes());
        }
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

/// Appends a member of a delta, unless it says nothing.
fn piece(name: &str, text: &[u8], delta: &mut Vec<u8>) {
    if !text.is_empty() {
        let comma: &[u8] = if delta.is_empty() { b"" } else { b"," };
        for part in [comma, b"\"", name.as_bytes(), b"\":\"", text, b"\""] {
            delta.extend_from_slice(part);
        }
    }
}

/// Appends the pieces of calls to a delta.
fn wrap(pieces: &[u8], delta: &mut Vec<u8>) {
    if !pieces.is_empty() {
        let comma: &[u8] = if delta.is_empty() { b"" } else { b"," };
        for part in [comma, br#""tool_calls":["#, pieces, b"]"] {
            delta.extend_from_slice(part);
        }
    }
}

/// Pieces of calls in one delta, separated by commas.
struct Pieces<'s> {
    written: Vec<u8>,
    bytes: u64,
    /// Calls of all choices.
    calls: &'s mut usize,
}

impl Pieces<'_> {
    fn take(&mut self, envelope: &Envelope<'_>, choice: &mut Choice, call: &Call<'_>) -> Result<(), Fault> {
        let (at, begins) = match choice.continued(call) {
            Some(at) => (at, None),
            None if choice.calls.len() == MAX_CALLS => return Err(Fault::Malformed),
            None => {
                let name = call.name.ok_or(Fault::Malformed)?;
                choice.calls.push(Begun { id: call.id.map(str::to_owned), index: call.index, argued: false });
                choice.spoken = true;
                let id = call.id.map_or_else(|| call_id(envelope, *self.calls), str::to_owned);
                *self.calls += 1;
                (choice.calls.len() - 1, Some((id, name)))
            }
        };
        let Some(begun) = choice.calls.get_mut(at) else { return Ok(()) };
        let arguments = call.arguments(begun.argued)?;
        begun.argued |= arguments.is_some();
        let arguments = match (arguments, &begins) {
            (Some(arguments), _) => arguments,
            (None, Some(_)) => br#""""#.to_vec(),
            (None, None) => return Ok(()),
        };
        if !self.written.is_empty() {
            self.written.push(b',');
        }
        self.written.extend_from_slice(format!(r#"{{"index":{at},"#).as_bytes());
        self.bytes += arguments.len().saturating_sub(2) as u64;
        match begins {
            Some((id, name)) => {
                self.bytes += inner(name).map_or(0, str::len) as u64;
                self.written
                    .extend_from_slice(format!(r#""id":{id},"type":"function","function":{{"name":{name},"arguments":"#).as_bytes());
            }
            None => self.written.extend_from_slice(br#""function":{"arguments":"#),
        }
        self.written.extend_from_slice(&arguments);
        self.written.extend_from_slice(b"}}");
        Ok(())
    }
}

impl Choice {
    /// The call that a piece continues: the one of its id; without an id, the one of its index, unless
    /// the piece names a function and so begins a call.
    fn continued(&self, call: &Call<'_>) -> Option<usize> {
        match call.id {
            Some(id) => self.calls.iter().position(|begun| begun.id.as_deref() == Some(id)),
            None if call.name.is_some() => None,
            None => match call.index {
                Some(index) => self.calls.iter().rposition(|begun| begun.index == Some(index)),
                None => self.calls.len().checked_sub(1),
            },
        }
    }

    /// Empty objects for the calls that had no arguments.
    fn close(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        for (index, begun) in self.calls.iter_mut().enumerate().filter(|(_, begun)| !begun.argued) {
            begun.argued = true;
            let comma = if written.is_empty() { "" } else { "," };
            written.extend_from_slice(format!(r#"{comma}{{"index":{index},"function":{{"arguments":"{{}}"}}}}"#).as_bytes());
        }
        written
    }
}

#[cfg(test)]
mod tests;
