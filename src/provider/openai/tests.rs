//! The codec as the seats use it.

use super::dialects::OPENAI;
use super::*;
use crate::openai::Fields;

const ENVELOPE: Envelope<'static> =
    Envelope { id: "nrc_1", model: "gpt-4o", created: 7, routing: r#"{"selected":"gpt-4o"}"#, include_usage: false, bill: None };

#[test]
fn the_head_names_the_providers_model_and_asks_for_usage() {
    let stream_options = Some(r#"{"include_usage":true}"#);
    let call = Call {
        endpoint: Endpoint::Chat,
        model: "gpt-4o-2024-11-20",
        stream: true,
        stream_options,
        max_output: 10,
        fields: Fields::default(),
    };
    let head = br#"{"model":"gpt-4o-2024-11-20","stream_options":{"include_usage":true},"#.to_vec();
    assert_eq!(OPENAI.body(&call), RequestBody::Head(head));
}

#[test]
fn an_answer_keeps_everything_but_id_and_model() {
    let body = br#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-2024-11-20","choices":[{"index":0,"message":{"role":"assistant","content":"hi","future":1},"finish_reason":"stop","future":1}],"usage":{"prompt_tokens":3,"completion_tokens":2},"system_fingerprint":"fp"}"#;
    let answer = OPENAI.response(Endpoint::Chat, &ENVELOPE, body).expect("an answer");
    let expected = r#"{"id":"nrc_1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hi","future":1},"finish_reason":"stop","future":1}],"usage":{"prompt_tokens":3,"completion_tokens":2},"system_fingerprint":"fp","routing":{"selected":"gpt-4o"}}"#;
    assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
    assert_eq!(answer.usage, Some(Usage { uncached_input: 3, output: 2, ..Usage::default() }));
    assert_eq!(
        answer.produced,
        r#"[{"index":0,"message":{"role":"assistant","content":"hi","future":1},"finish_reason":"stop","future":1}]"#.len() as u64
    );
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (body, expected) in [
        ("", Fault::Malformed),
        ("<html>", Fault::Malformed),
        (r#"{"id":"x","choices":[{"index":0"#, Fault::Malformed),
        (r#"{"id":"x"}"#, Fault::Malformed),
        (r#"{"choices":[]}"#, Fault::Malformed),
        (r#"{"choices":null}"#, Fault::Malformed),
        (r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#, Fault::Malformed),
        (r#"{"choices":[{"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#, Fault::Malformed),
        (r#"{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[]},"finish_reason":null}]}"#, Fault::Malformed),
        (
            r#"{"choices":[{"message":{"content":"x"},"finish_reason":"insufficient_system_resource"}]}"#,
            Fault::InBand("insufficient_system_resource".into()),
        ),
        (
            r#"{"choices":[{"error":{"code":502,"message":"m"},"message":{"content":""},"finish_reason":"error"}]}"#,
            Fault::InBand("502".into()),
        ),
        (r#"{"error":"Model is overloaded","error_type":"overloaded"}"#, Fault::InBand("overloaded".into())),
        (r#"{"object":"error","message":"m","type":"BadRequestError","code":400}"#, Fault::InBand("BadRequestError".into())),
        (r#"{"detail":"Inference error"}"#, Fault::InBand("error".into())),
        (r#"{"error":{"message":"m","type":"server_error"}}"#, Fault::InBand("server_error".into())),
        (r#"{"error":"overloaded"}"#, Fault::InBand("error".into())),
        (r#"{"error":{"type":"","code":429,"message":""}}"#, Fault::InBand("429".into())),
        (r#"{"error":{"type":""}}"#, Fault::InBand("error".into())),
        (r#"{"object":"error","message":"","type":"","code":"x"}"#, Fault::InBand("x".into())),
    ] {
        assert_eq!(OPENAI.response(Endpoint::Chat, &ENVELOPE, body.as_bytes()), Err(expected), "{body}");
    }
}

#[test]
fn embeddings_keep_everything_but_the_model_and_have_no_id() {
    let body = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.006929283495992422, 1e-5,0]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let answer = OPENAI.response(Endpoint::Embeddings, &ENVELOPE, body.as_bytes()).expect("an answer");
    let expected = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[-0.006929283495992422, 1e-5,0]}],"model":"gpt-4o","usage":{"prompt_tokens":5,"total_tokens":5},"routing":{"selected":"gpt-4o"}}"#;
    assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
    assert_eq!((answer.usage, answer.produced), (Some(Usage { uncached_input: 5, ..Usage::default() }), 0));
    let vendor = r#"{"id":"theirs","data":[{"embedding":"AAA="}]}"#;
    let answer = OPENAI.response(Endpoint::Embeddings, &ENVELOPE, vendor.as_bytes()).expect("an answer");
    let expected = r#"{"id":"nrc_1","data":[{"embedding":"AAA="}],"model":"gpt-4o","object":"list","routing":{"selected":"gpt-4o"}}"#;
    assert_eq!((String::from_utf8(answer.body).as_deref(), answer.usage), (Ok(expected), None));
}

#[test]
fn an_answer_of_the_other_endpoint_is_none() {
    let (chat, embeddings) = (r#"{"choices":[{}]}"#, r#"{"data":[{"embedding":[1]}]}"#);
    for (endpoint, body) in [
        (Endpoint::Chat, embeddings),
        (Endpoint::Embeddings, chat),
        (Endpoint::Embeddings, r#"{"data":[]}"#),
        (Endpoint::Embeddings, r#"{"data":[ ]}"#),
        (Endpoint::Embeddings, r#"{"data":{}}"#),
        (Endpoint::Embeddings, r#"{"data":[{}]}"#),
        (Endpoint::Embeddings, r#"{"data":[{"embedding":[1]},7]}"#),
        (Endpoint::Embeddings, r#"{"data":[{"embedding":null}]}"#),
        (Endpoint::Embeddings, r#"{"data":[{"embedding":[1.]}]}"#),
    ] {
        assert_eq!(OPENAI.response(endpoint, &ENVELOPE, body.as_bytes()), Err(Fault::Malformed), "{endpoint:?} {body}");
    }
}

#[test]
fn each_endpoint_has_its_path() {
    for (endpoint, path) in [(Endpoint::Chat, "/chat/completions"), (Endpoint::Embeddings, "/embeddings")] {
        let call = Call { endpoint, model: "m", stream: false, stream_options: None, max_output: 1, fields: Fields::default() };
        assert_eq!(OPENAI.path("/v1", &call), path);
    }
}

#[test]
fn an_answer_that_was_cut_before_its_first_word_says_so() {
    for word in ["length", "max_tokens", "content_filter"] {
        let body = format!(r#"{{"choices":[{{"message":{{"role":"assistant","content":""}},"finish_reason":"{word}"}}]}}"#);
        let answer = OPENAI.response(Endpoint::Chat, &ENVELOPE, body.as_bytes()).expect("an answer");
        let finish = if word == "max_tokens" { "length" } else { word };
        let expected = format!(r#""finish_reason":"{finish}""#);
        assert!(String::from_utf8(answer.body).is_ok_and(|body| body.contains(&expected)), "{word}");
    }
}

#[test]
fn an_answer_that_does_not_say_what_it_is_says_so() {
    let body = r#"{"id":"","object":"","created":0,"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"error":""}"#;
    let answer = OPENAI.response(Endpoint::Chat, &ENVELOPE, body.as_bytes()).expect("an answer");
    let expected = r#"{"id":"nrc_1","object":"chat.completion","created":7,"choices":[{"message":{"content":"x","role":"assistant"},"finish_reason":"stop"}],"error":"","model":"gpt-4o","routing":{"selected":"gpt-4o"}}"#;
    assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
}
