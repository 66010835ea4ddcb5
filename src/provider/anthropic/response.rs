//! A message becomes a chat completion
//! (<https://platform.claude.com/docs/en/api/messages/create>, "Returns").

use super::json::{Halt, Object, elements, inner, write_dense};
use super::{finish_reason, in_band, may_be_empty};
use crate::openai::Usage;
use crate::openai::members::encode;
use crate::provider::{Answer, Envelope, Fault};

/// More blocks than any answer has.
const MAX_BLOCKS: usize = 65_536;

/// The whole answer.
pub(super) fn translate(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let message = Object::read(text).ok_or(Fault::Malformed)?;
    match message.text("type").as_deref() {
        Some("message") => {}
        Some("error") => return Err(in_band(&message)),
        _ => return Err(Fault::Malformed),
    }
    let blocks = message.find("content").ok_or(Fault::Malformed)?;
    let mut content = Content::with_capacity(blocks.len());
    elements(blocks, MAX_BLOCKS, |_, block: Object<'_>| content.take(&block)).map_err(|halt| match halt {
        Halt::NotAnArray | Halt::Element(_) => Fault::Malformed,
        Halt::Visitor(fault) => fault,
    })?;
    let stop_reason = message.text("stop_reason").unwrap_or_default();
    if content.is_empty() && !may_be_empty(&stop_reason) {
        return Err(Fault::Malformed);
    }
    // An answer without a single token is a provider that does not say.
    let usage = message.object("usage").map(|said| usage(&said, Usage::default())).filter(|usage| *usage != Usage::default());
    let mut out = Vec::with_capacity(text.len() + envelope.routing.len() + 512);
    head(envelope, "chat.completion", &mut out);
    out.extend_from_slice(br#","choices":[{"index":0,"message":{"role":"assistant","content":"#);
    content.write(&mut out);
    out.extend_from_slice(br#"},"logprobs":null,"finish_reason":""#);
    out.extend_from_slice(finish_reason(&stop_reason, !content.calls.is_empty()).as_bytes());
    out.extend_from_slice(br#""}],"usage":"#);
    usage.unwrap_or_default().write(&mut out);
    out.extend_from_slice(br#","routing":"#);
    out.extend_from_slice(envelope.routing.as_bytes());
    out.push(b'}');
    Ok(Answer { body: out, usage, produced: content.bytes() })
}

/// Appends `{"id", "object", "created", "model"` and leaves the object open.
pub(super) fn head(envelope: &Envelope<'_>, object: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"id":"#);
    encode(envelope.id, out);
    out.extend_from_slice(format!(r#","object":"{object}","created":{},"model":"#, envelope.created).as_bytes());
    encode(envelope.model, out);
}

/// Reads `usage` on top of what is known; streams repeat it with cumulative figures
/// (<https://platform.claude.com/docs/en/build-with-claude/streaming#event-types>).
pub(super) fn usage(usage: &Object<'_>, known: Usage) -> Usage {
    let count = |name: &str, known: u64| usage.number(name).unwrap_or(0).max(known);
    let thinking = usage.object("output_tokens_details").and_then(|details| details.number("thinking_tokens"));
    Usage {
        uncached_input: count("input_tokens", known.uncached_input),
        cache_read: count("cache_read_input_tokens", known.cache_read),
        cache_write: count("cache_creation_input_tokens", known.cache_write),
        output: count("output_tokens", known.output),
        reasoning: thinking.unwrap_or(0).max(known.reasoning),
    }
}

/// What the blocks hold, as the insides of literals.
struct Content {
    text: Vec<u8>,
    reasoning: Vec<u8>,
    calls: Vec<u8>,
}

impl Content {
    fn with_capacity(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), reasoning: Vec::new(), calls: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    fn bytes(&self) -> u64 {
        (self.text.len() + self.reasoning.len() + self.calls.len()) as u64
    }

    fn take(&mut self, block: &Object<'_>) -> Result<(), Fault> {
        let kind = block.text("type").ok_or(Fault::Malformed)?;
        match kind.as_ref() {
            "text" => self.text.extend_from_slice(block.literal("text").ok_or(Fault::Malformed)?.as_bytes()),
            "thinking" => self.reasoning.extend_from_slice(block.literal("thinking").ok_or(Fault::Malformed)?.as_bytes()),
            "tool_use" => {
                if !self.calls.is_empty() {
                    self.calls.push(b',');
                }
                call(block, &mut self.calls)?;
                let input = block.find("input").unwrap_or("{}");
                if !input.starts_with('{') {
                    return Err(Fault::Malformed);
                }
                write_dense(input, &mut self.calls);
                self.calls.extend_from_slice(b"}}");
            }
            // Redacted thinking, and what tools of the provider's own leave behind.
            _ => {}
        }
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self.text.is_empty() && !self.calls.is_empty() {
            true => out.extend_from_slice(b"null"),
            false => quoted(&self.text, out),
        }
        out.extend_from_slice(br#","refusal":null"#);
        if !self.reasoning.is_empty() {
            out.extend_from_slice(br#","reasoning_content":"#);
            quoted(&self.reasoning, out);
        }
        if !self.calls.is_empty() {
            out.extend_from_slice(br#","tool_calls":["#);
            out.extend_from_slice(&self.calls);
            out.push(b']');
        }
    }
}

/// Appends `{"id", "type", "function": {"name", "arguments":`, without the arguments.
fn call(block: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    out.push(b'{');
    call_members(block, out)
}

/// The members of [`call`], for streams, where the index comes first.
pub(super) fn call_members(block: &Object<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let literal = |name: &str| block.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty())).ok_or(Fault::Malformed);
    for piece in [r#""id":"#, literal("id")?, r#","type":"function","function":{"name":"#, literal("name")?, r#","arguments":"#] {
        out.extend_from_slice(piece.as_bytes());
    }
    Ok(())
}

fn quoted(inside: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(inside);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: Envelope<'static> =
        Envelope { id: "nrc_1", model: "claude-sonnet", created: 7, routing: r#"{"selected":"claude-sonnet"}"#, include_usage: false };

    fn message(content: &str, stop_reason: &str) -> String {
        format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","content":{content},"stop_reason":{stop_reason},"usage":{{"input_tokens":3,"output_tokens":2}}}}"#
        )
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        for (body, expected) in [
            (String::new(), Fault::Malformed),
            ("<html>".into(), Fault::Malformed),
            ("{}".into(), Fault::Malformed),
            (r#"{"type":"message"}"#.into(), Fault::Malformed),
            (message("[]", r#""end_turn""#), Fault::Malformed),
            (message("[]", "null"), Fault::Malformed),
            (message("{}", r#""end_turn""#), Fault::Malformed),
            (message("[7]", r#""end_turn""#), Fault::Malformed),
            (message(r#"[{"type":"text","text":7}]"#, r#""end_turn""#), Fault::Malformed),
            (message(r#"[{"type":"text","text":""}]"#, r#""end_turn""#), Fault::Malformed),
            (message(r#"[{"type":"tool_use","id":"a","input":{}}]"#, r#""tool_use""#), Fault::Malformed),
            (message(r#"[{"type":"tool_use","id":"a","name":"b","input":[]}]"#, r#""tool_use""#), Fault::Malformed),
            (message(r#"[{"type":"text","text":"x"}"#, r#""end_turn""#), Fault::Malformed),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#.into(), Fault::InBand("overloaded_error".into())),
            (r#"{"type":"error"}"#.into(), Fault::InBand("error".into())),
        ] {
            assert_eq!(translate(&ENVELOPE, body.as_bytes()), Err(expected), "{body}");
        }
        assert_eq!(translate(&ENVELOPE, b"\xff"), Err(Fault::Malformed));
    }

    #[test]
    fn an_answer_cut_before_its_first_word_is_delivered() {
        for (stop_reason, finish) in [("max_tokens", "length"), ("refusal", "content_filter"), ("stop_sequence", "stop")] {
            let answer = translate(&ENVELOPE, message("[]", &format!("{stop_reason:?}")).as_bytes()).expect("an answer");
            let body = String::from_utf8(answer.body).expect("UTF-8");
            assert!(body.contains(r#""content":"","#) && body.contains(&format!(r#""finish_reason":"{finish}""#)), "{body}");
        }
    }

    #[test]
    fn texts_are_joined_and_stay_as_they_were_written() {
        let body =
            message(r#"[{"type":"text","text":"a\n\u00e9\ud800"},{"type":"future"},{"type":"text","text":"b \"c\""}]"#, r#""end_turn""#);
        let answer = translate(&ENVELOPE, body.as_bytes()).expect("an answer");
        let expected = r#"{"id":"nrc_1","object":"chat.completion","created":7,"model":"claude-sonnet","choices":[{"index":0,"message":{"role":"assistant","content":"a\n\u00e9\ud800b \"c\"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"routing":{"selected":"claude-sonnet"}}"#;
        assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
    }

    #[test]
    fn kinds_of_input_tokens_do_not_overlap() {
        let object = Object::read(
            r#"{"input_tokens":10,"cache_read_input_tokens":200,"cache_creation_input_tokens":30,"output_tokens":5,"output_tokens_details":{"thinking_tokens":4}}"#,
        );
        let expected = Usage { uncached_input: 10, cache_read: 200, cache_write: 30, output: 5, reasoning: 4 };
        assert_eq!(object.map(|said| usage(&said, Usage::default())), Some(expected));
        assert_eq!((expected.prompt(), Object::read("{}").map(|said| usage(&said, expected))), (240, Some(expected)));
    }

    #[test]
    fn a_provider_that_does_not_say_what_was_used_leaves_it_unknown() {
        for (usage, expected) in [
            (r#""usage":{"input_tokens":3,"output_tokens":2}"#, Some(Usage { uncached_input: 3, output: 2, ..Usage::default() })),
            (r#""usage":{"input_tokens":0}"#, None),
            (r#""usage":{}"#, None),
            (r#""usage":null"#, None),
            (r#""future":1"#, None),
        ] {
            let content = r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Hello."}]"#;
            let body = format!(r#"{{"type":"message","content":{content},"stop_reason":"end_turn",{usage}}}"#);
            let answer = translate(&ENVELOPE, body.as_bytes()).expect("an answer");
            assert_eq!((answer.usage, answer.produced), (expected, 8), "{usage}");
        }
    }
}
