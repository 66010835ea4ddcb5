//! Answers that the goldens do not have.

use super::*;

const ENVELOPE: Envelope<'static> = Envelope { id: "nrc_1", model: "m", created: 7, routing: "{}", include_usage: false, bill: None };

fn answer(content: &str, stop_reason: &str) -> String {
    format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":{content}}}}},"stopReason":{stop_reason},"usage":{{"inputTokens":3,"outputTokens":2}}}}"#
    )
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (body, expected) in [
        (String::new(), Fault::Malformed),
        ("<html>".into(), Fault::Malformed),
        ("{}".into(), Fault::Malformed),
        (r#"{"output":7}"#.into(), Fault::Malformed),
        (r#"{"output":{}}"#.into(), Fault::Malformed),
        (r#"{"output":{"message":{}}}"#.into(), Fault::Malformed),
        (answer("[]", r#""end_turn""#), Fault::Malformed),
        (answer("[]", "null"), Fault::Malformed),
        (answer("{}", r#""end_turn""#), Fault::Malformed),
        (answer("[7]", r#""end_turn""#), Fault::Malformed),
        (answer(r#"[{"text":7}]"#, r#""end_turn""#), Fault::Malformed),
        (answer(r#"[{"text":""}]"#, r#""end_turn""#), Fault::Malformed),
        (answer(r#"[{"toolUse":{"toolUseId":"a","input":{}}}]"#, r#""tool_use""#), Fault::Malformed),
        (answer(r#"[{"toolUse":{"toolUseId":"a","name":"b","input":[]}}]"#, r#""tool_use""#), Fault::Malformed),
        (answer(r#"[{"text":"x"}]"#, r#""malformed_model_output""#), Fault::InBand("malformed_model_output".into())),
        (r#"{"message":"Too many requests"}"#.into(), Fault::InBand("error".into())),
        (r#"{"__type":"ValidationException"}"#.into(), Fault::InBand("ValidationException".into())),
    ] {
        assert_eq!(translate(&ENVELOPE, body.as_bytes()), Err(expected), "{body}");
    }
    assert_eq!(translate(&ENVELOPE, b"\xff"), Err(Fault::Malformed));
}

#[test]
fn texts_are_joined_and_stay_as_they_were_written() {
    let body = answer(r#"[{"text":"a\n\u00e9\ud800"},{"future":{}},{"image":{}},{"text":"b \"c\""}]"#, r#""end_turn""#);
    let answer = translate(&ENVELOPE, body.as_bytes()).expect("an answer");
    assert!(String::from_utf8(answer.body).is_ok_and(|body| body.contains(r#""content":"a\n\u00e9\ud800b \"c\"","#)));
    assert_eq!(answer.usage, Some(Usage { uncached_input: 3, output: 2, ..Usage::default() }));
}

#[test]
fn kinds_of_input_tokens_do_not_overlap() {
    let said =
        Object::read(r#"{"inputTokens":7,"outputTokens":5,"totalTokens":2052,"cacheReadInputTokens":1800,"cacheWriteInputTokens":240}"#);
    let expected = Usage { uncached_input: 7, cache_read: 1800, cache_write: 240, output: 5, reasoning: 0 };
    assert_eq!((said.and_then(|said| usage(&said)), expected.prompt()), (Some(expected), 2047));
    for (said, expected) in
        [("{}", None), (r#"{"inputTokens":0,"outputTokens":0}"#, Some(Usage::default())), (r#"{"inputTokens":-1}"#, None)]
    {
        assert_eq!(Object::read(said).and_then(|said| usage(&said)), expected, "{said}");
    }
}
