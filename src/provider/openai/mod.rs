//! OpenAI's own protocol, and every vendor that speaks it: the call passes through, and the answer
//! gets our id, the served model and `routing` spliced in.

mod stream;

use super::codec::{Answer, Call, Codec, Envelope, Failed, Fault, RequestBody, StreamCodec};
use super::scrub;
use crate::openai::members::{Members, decode, encode};
use crate::openai::{Endpoint, Needs, Usage};

/// `POST /chat/completions` and `POST /embeddings` (<https://platform.openai.com/docs/api-reference>).
pub struct OpenAi;

impl Codec for OpenAi {
    fn path(&self, call: &Call<'_>) -> &'static str {
        call.endpoint.path()
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
        // `messages` or `input` always follows.
        head.push(b',');
        RequestBody::Head(head)
    }

    fn request(&self, call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
        let RequestBody::Head(mut translated) = self.body(call) else { return Ok((body.into(), Vec::new())) };
        translated.extend_from_slice(body.trim_start().strip_prefix('{').unwrap_or(body).as_bytes());
        Ok((translated, Vec::new()))
    }

    fn response(&self, endpoint: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
        let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
        let members = Members::read(text).map_err(|_| Fault::Malformed)?;
        in_band_error(&members)?;
        let name = match endpoint {
            Endpoint::Chat => "choices",
            Endpoint::Embeddings => "data",
        };
        let parts = members.find(name).map(|member| member.value).filter(|value| value.starts_with('[') && !is_empty_array(value));
        let Some(parts) = parts else { return Err(Fault::Malformed) };
        let mut body = Vec::with_capacity(text.len() + envelope.routing.len() + 128);
        rewrite(&members, endpoint, envelope, &[("routing", envelope.routing)], &mut body);
        let usage = members.find("usage").and_then(|member| Usage::parse(member.value));
        let produced = if endpoint == Endpoint::Chat { parts.len() as u64 } else { 0 };
        Ok(Answer { body, usage, produced })
    }

    fn billed(&self, body: &[u8]) -> Option<Usage> {
        let members = Members::read(core::str::from_utf8(body).ok()?).ok()?;
        Usage::parse(members.find("usage")?.value)
    }

    fn stream(&self) -> Box<dyn StreamCodec> {
        Box::new(stream::Stream::default())
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

/// Appends the object with our id and model, and these members set. Embeddings have no id, but for
/// those of some vendors.
fn rewrite(members: &Members<'_>, endpoint: Endpoint, envelope: &Envelope<'_>, more: &[(&str, &str)], out: &mut Vec<u8>) {
    let (id, model) = (quoted(envelope.id), quoted(envelope.model));
    let mut values = vec![("model", model.as_str())];
    if endpoint == Endpoint::Chat || members.find("id").is_some() {
        values.insert(0, ("id", id.as_str()));
    }
    values.extend_from_slice(more);
    members.rewrite(&values, out);
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    encode(text, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPE: Envelope<'static> =
        Envelope { id: "nrc_1", model: "gpt-4o", created: 7, routing: r#"{"selected":"gpt-4o"}"#, include_usage: false };

    #[test]
    fn the_head_names_the_providers_model_and_asks_for_usage() {
        let stream_options = Some(r#"{"include_usage":true}"#);
        let call = Call { endpoint: Endpoint::Chat, model: "gpt-4o-2024-11-20", stream: true, stream_options, max_output: 10 };
        let head = br#"{"model":"gpt-4o-2024-11-20","stream_options":{"include_usage":true},"#.to_vec();
        assert_eq!(OpenAi.body(&call), RequestBody::Head(head));
    }

    #[test]
    fn an_answer_keeps_everything_but_id_and_model() {
        let body = br#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024-11-20","choices":[{"index":0,"future":1}],"usage":{"prompt_tokens":3,"completion_tokens":2},"system_fingerprint":"fp"}"#;
        let answer = OpenAi.response(Endpoint::Chat, &ENVELOPE, body).expect("an answer");
        let expected = r#"{"id":"nrc_1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"future":1}],"usage":{"prompt_tokens":3,"completion_tokens":2},"system_fingerprint":"fp","routing":{"selected":"gpt-4o"}}"#;
        assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
        assert_eq!(answer.usage, Some(Usage { uncached_input: 3, output: 2, ..Usage::default() }));
        assert_eq!(answer.produced, r#"[{"index":0,"future":1}]"#.len() as u64);
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
            assert_eq!(OpenAi.response(Endpoint::Chat, &ENVELOPE, body.as_bytes()), Err(expected), "{body}");
        }
    }

    #[test]
    fn embeddings_keep_everything_but_the_model_and_have_no_id() {
        let body = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.006929283495992422, 1e-5,0]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
        let answer = OpenAi.response(Endpoint::Embeddings, &ENVELOPE, body.as_bytes()).expect("an answer");
        let expected = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.006929283495992422, 1e-5,0]}],"model":"gpt-4o","usage":{"prompt_tokens":5,"total_tokens":5},"routing":{"selected":"gpt-4o"}}"#;
        assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
        assert_eq!((answer.usage, answer.produced), (Some(Usage { uncached_input: 5, ..Usage::default() }), 0));
        let vendor = r#"{"id":"theirs","data":[{}]}"#;
        let answer = OpenAi.response(Endpoint::Embeddings, &ENVELOPE, vendor.as_bytes()).expect("an answer");
        let expected = r#"{"id":"nrc_1","data":[{}],"model":"gpt-4o","routing":{"selected":"gpt-4o"}}"#;
        assert_eq!((String::from_utf8(answer.body).as_deref(), answer.usage), (Ok(expected), None));
    }

    #[test]
    fn an_answer_of_the_other_endpoint_is_none() {
        let (chat, embeddings) = (r#"{"choices":[{}]}"#, r#"{"data":[{}]}"#);
        for (endpoint, body) in [
            (Endpoint::Chat, embeddings),
            (Endpoint::Embeddings, chat),
            (Endpoint::Embeddings, r#"{"data":[]}"#),
            (Endpoint::Embeddings, r#"{"data":[ ]}"#),
            (Endpoint::Embeddings, r#"{"data":{}}"#),
            (Endpoint::Embeddings, r#"{"data":[{"embedding":[1.]}]}"#),
        ] {
            assert_eq!(OpenAi.response(endpoint, &ENVELOPE, body.as_bytes()), Err(Fault::Malformed), "{endpoint:?} {body}");
        }
    }

    #[test]
    fn each_endpoint_has_its_path() {
        for (endpoint, path) in [(Endpoint::Chat, "/chat/completions"), (Endpoint::Embeddings, "/embeddings")] {
            assert_eq!(OpenAi.path(&Call { endpoint, model: "m", stream: false, stream_options: None, max_output: 1 }), path);
        }
    }
}
