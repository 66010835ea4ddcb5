//! A stream of chunks (<https://platform.openai.com/docs/api-reference/chat-streaming>) on its way:
//! `routing` goes into the first, usage nobody asked for is taken out.

use std::borrow::Cow;

use super::{in_band_error, is_empty_array, rewrite};
use crate::openai::members::{Member, Members};
use crate::openai::scan::{Scan, Stop};
use crate::openai::{Endpoint, Usage};
use crate::provider::{Envelope, Fault, Progress, StreamCodec};
use crate::sse::{Event, write_data};

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    usage: Option<Usage>,
    produced: u64,
    routed: bool,
    content: bool,
    finished: bool,
    done: bool,
}

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        if self.done {
            return Ok(Progress::Done);
        }
        if event.data.trim_ascii() == "[DONE]" {
            if !self.content {
                return Err(Fault::Malformed);
            }
            self.done = true;
            write_data(b"[DONE]", out);
            return Ok(Progress::Done);
        }
        // Several `data` lines are joined by line feeds, which a JSON text may have between its tokens
        // and a `data` line may not.
        let data = if event.data.contains('\n') { Cow::Owned(event.data.replace('\n', " ")) } else { Cow::Borrowed(event.data) };
        let members = Members::read(&data).map_err(|_| Fault::Malformed)?;
        in_band_error(&members)?;
        let Some(choices) = members.find("choices").map(|member| member.value) else { return Err(Fault::Malformed) };
        let mut more = Vec::new();
        if let Some(usage) = members.find("usage").and_then(|member| Usage::parse(member.value)) {
            self.usage = Some(usage);
            if is_empty_array(choices) && !envelope.include_usage {
                return Ok(self.progress());
            }
            // Some vendors report in the last chunk that has choices.
            if !envelope.include_usage {
                more.push(("usage", "null"));
            }
        }
        let said = Said::in_choices(choices);
        self.finished |= said.finishes;
        self.content |= said.finishes || said.anything;
        self.produced = self.produced.saturating_add(said.bytes);
        out.extend_from_slice(b"data: ");
        if !core::mem::replace(&mut self.routed, true) {
            more.push(("routing", envelope.routing));
        }
        rewrite(&members, Endpoint::Chat, envelope, &more, out);
        out.extend_from_slice(b"\n\n");
        Ok(self.progress())
    }

    fn end(&mut self, _: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match (self.done, self.finished) {
            (true, _) => Ok(()),
            // Complete, but for the farewell that some vendors leave out.
            (false, true) => {
                self.done = true;
                write_data(b"[DONE]", out);
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
    fn progress(&self) -> Progress {
        if self.content { Progress::Content } else { Progress::Preamble }
    }
}

/// What the choices of a chunk bring.
#[derive(Default)]
struct Said {
    /// One says why it ended.
    finishes: bool,
    /// A delta has anything but a role: text, a tool call, a refusal, reasoning.
    anything: bool,
    /// How much of it the model has written.
    bytes: u64,
}

impl Said {
    fn in_choices(choices: &str) -> Self {
        let mut said = Self::default();
        each_object(choices, |choice| {
            said.finishes |= choice.find("finish_reason").is_some_and(|member| member.value != "null");
            let Some(Ok(delta)) = choice.find("delta").map(|member| Members::read(member.value)) else { return };
            for member in delta.iter().filter(|member| member.name != "role" && !is_blank(member.value)) {
                said.anything = true;
                said.bytes += written(member);
            }
        });
        said
    }
}

fn is_blank(value: &str) -> bool {
    matches!(value, "null" | r#""""# | "[]" | "{}")
}

/// Bytes the model has written of a member of a delta. Around a few bytes of arguments there are
/// many more of JSON, anew in every chunk.
fn written(member: &Member<'_>) -> u64 {
    match member.name.as_ref() {
        "tool_calls" => {
            let mut bytes = 0;
            each_object(member.value, |call| bytes += call.find("function").map_or(0, |function| call_bytes(function.value)));
            bytes
        }
        "function_call" => call_bytes(member.value),
        _ => text_bytes(member.value),
    }
}

fn call_bytes(function: &str) -> u64 {
    let Ok(function) = Members::read(function) else { return 0 };
    ["name", "arguments"].iter().filter_map(|name| function.find(name)).map(|member| text_bytes(member.value)).sum()
}

fn text_bytes(value: &str) -> u64 {
    let quotes = if value.starts_with('"') { 2 } else { 0 };
    value.len().saturating_sub(quotes) as u64
}

/// Visits the objects of an array.
fn each_object(array: &str, mut visit: impl FnMut(&Members<'_>)) {
    // The text has been gone over before: an error means that it is no array.
    let _ = Scan::new(array).array(|scan, _| {
        if let Ok(object) = Members::read(scan.value()?) {
            visit(&object);
        }
        Ok::<_, Stop>(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: Envelope<'static> =
        Envelope { id: "nrc_1", model: "gpt-4o", created: 7, routing: r#"{"selected":"gpt-4o"}"#, include_usage: false };

    fn run(datas: &[&str], envelope: &Envelope<'_>) -> (String, Vec<Result<Progress, Fault>>) {
        let mut stream = Stream::default();
        let mut out = Vec::new();
        let progress = datas.iter().map(|data| stream.event(envelope, &Event { name: "", data }, &mut out)).collect();
        (String::from_utf8(out).expect("UTF-8"), progress)
    }

    #[test]
    fn a_stream_gets_routing_once_and_hides_usage_nobody_asked_for() {
        let datas = [
            r#"{"id":"c","model":"m","choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            r#"{"id":"c","model":"m","choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}"#,
            r#"{"id":"c","model":"m","choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
            "[DONE]",
        ];
        let (hidden, progress) = run(&datas, &ENVELOPE);
        assert_eq!(
            progress,
            [Ok(Progress::Preamble), Ok(Progress::Content), Ok(Progress::Content), Ok(Progress::Content), Ok(Progress::Done)]
        );
        assert_eq!(hidden.matches(r#""routing":"#).count(), 1);
        assert_eq!(hidden.matches("data: ").count(), 4);
        assert!(hidden.ends_with("data: [DONE]\n\n"), "{hidden}");
        let (shown, _) = run(&datas, &Envelope { include_usage: true, ..ENVELOPE });
        assert_eq!(shown.matches("data: ").count(), 5);
    }

    #[test]
    fn usage_beside_choices_is_hidden_from_a_client_that_did_not_ask() {
        let chunk = r#"{"model":"m","choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
        let (hidden, _) = run(&[chunk], &ENVELOPE);
        assert!(hidden.contains(r#""usage":null"#) && !hidden.contains("prompt_tokens"), "{hidden}");
        let (shown, _) = run(&[chunk], &Envelope { include_usage: true, ..ENVELOPE });
        assert!(shown.contains(r#""usage":{"prompt_tokens":1"#), "{shown}");
    }

    #[test]
    fn an_event_of_several_lines_reaches_the_client_in_one() {
        let (out, progress) = run(&["{\n \"model\": \"m\",\n \"choices\": [{\"delta\":{\"content\":\"a\\nb\"}}]\n}"], &ENVELOPE);
        assert_eq!(progress, [Ok(Progress::Content)]);
        assert_eq!(out.matches('\n').count(), 2, "{out}");
        assert!(out.ends_with("\n\n") && out.contains(r#""a\nb""#), "{out}");
    }

    #[test]
    fn a_done_without_content_is_no_answer() {
        assert_eq!(run(&["[DONE]"], &ENVELOPE).1, [Err(Fault::Malformed)]);
    }

    #[test]
    fn a_stream_that_finished_without_done_is_completed_and_one_that_did_not_is_cut() {
        for (finish, expected) in [(r#""stop""#, Ok(())), ("null", Err(Fault::Malformed))] {
            let mut stream = Stream::default();
            let mut out = Vec::new();
            let data = format!(r#"{{"choices":[{{"delta":{{"content":"x"}},"finish_reason":{finish}}}]}}"#);
            assert_eq!(stream.event(&ENVELOPE, &Event { name: "", data: &data }, &mut out), Ok(Progress::Content));
            assert_eq!(stream.end(&ENVELOPE, &mut out), expected, "{finish}");
        }
    }

    #[test]
    fn what_the_model_wrote_is_counted_and_the_json_around_it_is_not() {
        let call = |function: &str| format!(r#"{{"tool_calls":[{{"index":0,"id":"call_1","type":"function","function":{function}}}]}}"#);
        for (delta, bytes, progress) in [
            (r#"{"role":"assistant","content":""}"#.to_owned(), 0, Progress::Preamble),
            (r#"{"content":"Hi\n"}"#.to_owned(), 4, Progress::Content),
            (r#"{"role":"assistant","content":null,"refusal":"No"}"#.to_owned(), 2, Progress::Content),
            (r#"{"reasoning_content":"hm"}"#.to_owned(), 2, Progress::Content),
            (r#"{"audio":{"data":"x"}}"#.to_owned(), 12, Progress::Content),
            (call(r#"{"name":"weather","arguments":""}"#), 7, Progress::Content),
            (call(r#"{"arguments":"{\"city"}"#), 7, Progress::Content),
            (r#"{"tool_calls":[7]}"#.to_owned(), 0, Progress::Content),
            (r#"{"function_call":{"name":"f","arguments":"{}"}}"#.to_owned(), 3, Progress::Content),
            ("7".to_owned(), 0, Progress::Preamble),
        ] {
            let mut stream = Stream::default();
            let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}},{{"index":1,"delta":{{}}}}]}}"#);
            assert_eq!(stream.event(&ENVELOPE, &Event { name: "", data: &data }, &mut Vec::new()), Ok(progress), "{delta}");
            assert_eq!(stream.produced(), bytes, "{delta}");
        }
        let mut stream = Stream::default();
        for data in [
            r#"{"choices":[{"delta":{"content":"abc"}},{"delta":{"content":"de"}}]}"#,
            r#"{"choices":[{"delta":{"content":"f"},"finish_reason":"stop"}]}"#,
            "[DONE]",
            r#"{"choices":[{"delta":{"content":"after the end"}}]}"#,
        ] {
            let _ = stream.event(&ENVELOPE, &Event { name: "", data }, &mut Vec::new());
        }
        assert_eq!(stream.produced(), 6);
    }
}
