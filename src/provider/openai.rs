//! OpenAI's own protocol, and every vendor that speaks it: the call passes through, and the answer
//! gets our id, the served model and `routing` spliced in.

use std::borrow::Cow;

use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, Progress, RequestBody, StreamCodec};
use super::scrub;
use crate::openai::members::{Members, decode, encode};
use crate::openai::scan::{Scan, Stop};
use crate::openai::{Needs, Usage};
use crate::sse::{Event, write_data};

/// `POST /chat/completions` (<https://platform.openai.com/docs/api-reference/chat>).
pub struct OpenAi;

impl Codec for OpenAi {
    fn path(&self, _: &Call<'_>) -> &'static str {
        "/chat/completions"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn lacks(&self, _: &Needs) -> Option<&'static str> {
        None
    }

    fn body(&self, call: &Call<'_>) -> RequestBody {
        let mut head = br#"{"model":"#.to_vec();
        encode(call.model, &mut head);
        if let Some(options) = call.stream_options {
            head.extend_from_slice(br#","stream_options":"#);
            head.extend_from_slice(options.as_bytes());
        }
        // `messages` always follows.
        head.push(b',');
        RequestBody::Head(head)
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        let RequestBody::Head(mut translated) = self.body(call) else { return Ok((body.into(), Vec::new())) };
        translated.extend_from_slice(body.trim_start().strip_prefix('{').unwrap_or(body).as_bytes());
        Ok((translated, Vec::new()))
    }

    fn response(&self, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
        let members = Members::read(text).map_err(|_| Fault::Malformed)?;
        in_band_error(&members)?;
        let choices = members.find("choices").map(|member| member.value);
        if !choices.is_some_and(|value| value.starts_with('[') && !is_empty_array(value)) {
            return Err(Fault::Malformed);
        }
        let mut body = Vec::with_capacity(text.len() + envelope.routing.len() + 128);
        rewrite(&members, envelope, &[("routing", envelope.routing)], &mut body);
        let usage = members.find("usage").and_then(|member| Usage::parse(member.value));
        Ok(Answer { body, usage: usage.unwrap_or_default() })
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(Stream::default())
    }

    fn failed(&self, body: &[u8]) -> Failed {
        failed(body).unwrap_or_else(|| Failed { message: "the provider refused the request".to_owned(), param: None, code: None })
    }
}

/// `{"error": {"message", "param", "code"}}`, or with a string for an error.
fn failed(body: &[u8]) -> Option<Failed> {
    let members = Members::read(core::str::from_utf8(body).ok()?).ok()?;
    let error = members.find("error")?.value;
    if let Some(message) = decode(error) {
        return Some(Failed { message: scrub(&message), param: None, code: None });
    }
    let error = Members::read(error).ok()?;
    let text = |name: &str| error.find(name).and_then(|member| decode(member.value)).map(|text| scrub(&text));
    Some(Failed { message: text("message")?, param: text("param"), code: text("code") })
}

fn in_band_error(members: &Members<'_>) -> Result<(), Fault> {
    let Some(error) = members.find("error").map(|member| member.value).filter(|value| *value != "null") else { return Ok(()) };
    let name = Members::read(error).ok().and_then(|error| {
        ["type", "code"].iter().find_map(|name| error.find(name).and_then(|member| decode(member.value)).map(|name| scrub(&name)))
    });
    Err(Fault::InBand(name.unwrap_or_else(|| "error".to_owned())))
}

fn is_empty_array(value: &str) -> bool {
    value.strip_prefix('[').is_some_and(|rest| rest.trim_ascii_start() == "]")
}

/// Appends the object with our id and model, and these members set.
fn rewrite(members: &Members<'_>, envelope: &Envelope<'_>, more: &[(&str, &str)], out: &mut Vec<u8>) {
    let (id, model) = (quoted(envelope.id), quoted(envelope.model));
    let mut values = vec![("id", id.as_str()), ("model", model.as_str())];
    values.extend_from_slice(more);
    members.rewrite(&values, out);
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    encode(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// A stream of chunks (<https://platform.openai.com/docs/api-reference/chat-streaming>).
#[derive(Default)]
struct Stream {
    usage: Option<Usage>,
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
        let finishes = finishes(choices);
        self.finished |= finishes;
        self.content |= finishes || carries_content(choices);
        out.extend_from_slice(b"data: ");
        if !core::mem::replace(&mut self.routed, true) {
            more.push(("routing", envelope.routing));
        }
        rewrite(&members, envelope, &more, out);
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
}

impl Stream {
    fn progress(&self) -> Progress {
        if self.content { Progress::Content } else { Progress::Preamble }
    }
}

/// Whether a choice says why it ended.
fn finishes(choices: &str) -> bool {
    each_choice(choices, |choice| choice.find("finish_reason").is_some_and(|member| member.value != "null"))
}

/// Whether a delta has anything but a role: text, a tool call, a refusal, reasoning.
fn carries_content(choices: &str) -> bool {
    each_choice(choices, |choice| {
        let delta = choice.find("delta").and_then(|member| Members::read(member.value).ok());
        delta.is_some_and(|delta| {
            delta.iter().any(|member| member.name != "role" && !matches!(member.value, "null" | r#""""# | "[]" | "{}"))
        })
    })
}

fn each_choice(choices: &str, holds: impl Fn(&Members<'_>) -> bool) -> bool {
    let mut any = false;
    // The text has been gone over before: an error means that it is no array.
    let _ = Scan::new(choices).array(|scan, _| {
        let choice = scan.value()?;
        any = any || Members::read(choice).is_ok_and(|choice| holds(&choice));
        Ok::<_, Stop>(())
    });
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: Envelope<'static> =
        Envelope { id: "nrc_1", model: "gpt-4o", created: 7, routing: r#"{"selected":"gpt-4o"}"#, include_usage: false };

    #[test]
    fn the_head_names_the_providers_model_and_asks_for_usage() {
        let call = Call { model: "gpt-4o-2024-11-20", stream: true, stream_options: Some(r#"{"include_usage":true}"#), max_output: 10 };
        let head = br#"{"model":"gpt-4o-2024-11-20","stream_options":{"include_usage":true},"#.to_vec();
        assert_eq!(OpenAi.body(&call), RequestBody::Head(head));
    }

    #[test]
    fn an_answer_keeps_everything_but_id_and_model() {
        let body = br#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024-11-20","choices":[{"index":0,"future":1}],"usage":{"prompt_tokens":3,"completion_tokens":2},"system_fingerprint":"fp"}"#;
        let answer = OpenAi.response(&ENVELOPE, body).expect("an answer");
        let expected = r#"{"id":"nrc_1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"future":1}],"usage":{"prompt_tokens":3,"completion_tokens":2},"system_fingerprint":"fp","routing":{"selected":"gpt-4o"}}"#;
        assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
        assert_eq!(answer.usage, Usage { uncached_input: 3, output: 2, ..Usage::default() });
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        for (body, expected) in [
            ("", Fault::Malformed),
            ("<html>", Fault::Malformed),
            (r#"{"id":"x","choices":[{"index":0"#, Fault::Malformed),
            (r#"{"id":"x"}"#, Fault::Malformed),
            (r#"{"choices":[]}"#, Fault::Malformed),
            (r#"{"error":{"message":"m","type":"server_error"}}"#, Fault::InBand("server_error".into())),
            (r#"{"error":"overloaded"}"#, Fault::InBand("error".into())),
        ] {
            assert_eq!(OpenAi.response(&ENVELOPE, body.as_bytes()), Err(expected), "{body}");
        }
    }

    fn run(datas: &[&str], envelope: &Envelope<'_>) -> (String, Vec<Result<Progress, Fault>>) {
        let mut stream = OpenAi.stream();
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
            let mut stream = OpenAi.stream();
            let mut out = Vec::new();
            let data = format!(r#"{{"choices":[{{"delta":{{"content":"x"}},"finish_reason":{finish}}}]}}"#);
            assert_eq!(stream.event(&ENVELOPE, &Event { name: "", data: &data }, &mut out), Ok(Progress::Content));
            assert_eq!(stream.end(&ENVELOPE, &mut out), expected, "{finish}");
        }
    }
}
