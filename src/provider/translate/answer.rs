//! A whole answer as the client gets it: a `chat.completion`
//! (<https://platform.openai.com/docs/api-reference/chat/object>) with one choice.

use crate::openai::Usage;
use crate::openai::members::encode;
use crate::provider::{Answer, Envelope};

/// What the message holds, as the insides of string literals: nothing is decoded on its way.
#[derive(Default)]
pub(in crate::provider) struct Message {
    /// `content`
    pub text: Vec<u8>,
    /// `refusal`
    pub refusal: Vec<u8>,
    /// `reasoning_content`
    pub reasoning: Vec<u8>,
    /// Further members of the message, with a comma before each.
    pub more: Vec<u8>,
    /// Number of tool calls.
    pub count: usize,
    calls: Vec<u8>,
}

/// Appends `{"id", "object", "created", "model"` and leaves the object open.
pub(in crate::provider) fn head(envelope: &Envelope<'_>, object: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"id":"#);
    encode(envelope.id, out);
    out.extend_from_slice(format!(r#","object":"{object}","created":{},"model":"#, envelope.created).as_bytes());
    encode(envelope.model, out);
}

/// Appends what was used and, if anybody knows, what that cost; ends the chunk and its event.
pub(in crate::provider) fn told(envelope: &Envelope<'_>, usage: &Usage, out: &mut Vec<u8>) {
    usage.write(out);
    if let Some(routing) = envelope.routing_of_usage(Some(usage)) {
        out.extend_from_slice(br#","routing":"#);
        out.extend_from_slice(routing.as_bytes());
    }
    out.extend_from_slice(b"}\n\n");
}

/// Longest id OpenAI takes back in a later turn is 40 characters.
const ID_TAIL: usize = 24;

/// An id for a tool call whose provider gives none, as a string literal: unique by the id of the call.
pub(in crate::provider) fn call_id(envelope: &Envelope<'_>, index: usize) -> String {
    let tail: String = envelope.id.chars().rev().filter(char::is_ascii_alphanumeric).take(ID_TAIL).collect();
    let tail: String = tail.chars().rev().collect();
    format!(r#""call_{tail}_{index}""#)
}

impl Message {
    /// Adds a tool call. `id`, `name` and `arguments` are string literals, quotes included; `more` is
    /// further members of the call with a comma before each.
    pub fn call(&mut self, id: &str, name: &str, arguments: &[u8], more: &[u8]) {
        if self.count > 0 {
            self.calls.push(b',');
        }
        self.count += 1;
        let begin: [&[u8]; 9] = [
            br#"{"id":"#,
            id.as_bytes(),
            br#","type":"function","function":{"name":"#,
            name.as_bytes(),
            br#","arguments":"#,
            arguments,
            b"}",
            more,
            b"}",
        ];
        begin.iter().for_each(|piece| self.calls.extend_from_slice(piece));
    }

    /// Bytes the model has written, about.
    pub fn bytes(&self) -> u64 {
        (self.text.len() + self.refusal.len() + self.reasoning.len() + self.calls.len()) as u64
    }

    /// The whole answer. `logprobs` is OpenAI's object.
    pub fn answer(&self, envelope: &Envelope<'_>, finish_reason: &str, logprobs: Option<&[u8]>, usage: Option<Usage>) -> Answer {
        let bytes = self.bytes();
        // Why an answer was refused is nothing that a model has written.
        let usage = usage.map(|usage| usage.of_answer(bytes - self.refusal.len() as u64));
        let mut out = Vec::with_capacity(bytes as usize + self.more.len() + envelope.routing.len() + 512);
        head(envelope, "chat.completion", &mut out);
        out.extend_from_slice(br#","choices":[{"index":0,"message":{"role":"assistant","content":"#);
        self.write(&mut out);
        out.extend_from_slice(br#"},"logprobs":"#);
        out.extend_from_slice(logprobs.unwrap_or(b"null"));
        out.extend_from_slice(br#","finish_reason":""#);
        out.extend_from_slice(finish_reason.as_bytes());
        out.extend_from_slice(br#""}],"usage":"#);
        usage.unwrap_or_default().write(&mut out);
        out.extend_from_slice(br#","routing":"#);
        out.extend_from_slice(envelope.routing_with(usage.as_ref()).as_bytes());
        out.push(b'}');
        Answer { body: out, usage, produced: bytes }
    }

    /// Appends the value of `content` and the members behind it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self.text.is_empty() && (self.count > 0 || !self.refusal.is_empty()) {
            true => out.extend_from_slice(b"null"),
            false => quoted(&self.text, out),
        }
        out.extend_from_slice(br#","refusal":"#);
        match self.refusal.is_empty() {
            true => out.extend_from_slice(b"null"),
            false => quoted(&self.refusal, out),
        }
        if !self.reasoning.is_empty() {
            out.extend_from_slice(br#","reasoning_content":"#);
            quoted(&self.reasoning, out);
        }
        if self.count > 0 {
            out.extend_from_slice(br#","tool_calls":["#);
            out.extend_from_slice(&self.calls);
            out.push(b']');
        }
        out.extend_from_slice(&self.more);
    }
}

fn quoted(inside: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(inside);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_calls_are_unique_and_short_enough_to_come_back() {
        let envelope = |id| Envelope { id, model: "m", created: 7, routing: "{}", include_usage: false, bill: None };
        let long = ["nrc_", &"0123456789abcdef".repeat(2)].concat();
        assert_eq!(call_id(&envelope("nrc_1"), 0), r#""call_nrc1_0""#);
        assert_eq!(call_id(&envelope(&long), 12), r#""call_89abcdef0123456789abcdef_12""#);
        assert!(call_id(&envelope(&long), 99_999).len() <= 42);
    }
}
