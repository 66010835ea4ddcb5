//! Whole answers, and what is none.

use super::*;

const ENVELOPE: Envelope<'static> =
    Envelope { id: "nrc_1", model: "gemini", created: 7, routing: r#"{"selected":"gemini"}"#, include_usage: false, bill: None };

fn answer(parts: &str, reason: &str) -> String {
    format!(
        r#"{{"candidates":[{{"content":{{"parts":{parts},"role":"model"}},"finishReason":"{reason}","index":0}}],"usageMetadata":{{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}}}"#
    )
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let in_band = |name: &str| Fault::InBand(name.to_owned());
    for (body, expected) in [
        (String::new(), Fault::Malformed),
        ("<html>".into(), Fault::Malformed),
        ("{}".into(), Fault::Malformed),
        ("[]".into(), Fault::Malformed),
        (r#"{"candidates":7}"#.into(), Fault::Malformed),
        (r#"{"candidates":[]}"#.into(), Fault::Malformed),
        (r#"{"candidates":[7]}"#.into(), Fault::Malformed),
        (r#"{"candidates":[{"finishReason":"STOP"}]}"#.into(), Fault::Malformed),
        (r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}"#.into(), Fault::Malformed),
        (answer("[]", "STOP"), Fault::Malformed),
        (answer("{}", "STOP"), Fault::Malformed),
        (answer("[7]", "STOP"), Fault::Malformed),
        (answer(r#"[{"text":7}]"#, "STOP"), Fault::Malformed),
        (answer(r#"[{"text":""}]"#, "STOP"), Fault::Malformed),
        (answer(r#"[{"text":"hm","thought":true}]"#, "STOP"), Fault::Malformed),
        (answer(r#"[{"functionCall":{"args":{}}}]"#, "STOP"), Fault::Malformed),
        (answer(r#"[{"functionCall":{"name":"f","args":[]}}]"#, "STOP"), Fault::Malformed),
        (answer(r#"[{"inlineData":{"mimeType":"image/png","data":"x"}}]"#, "STOP"), Fault::Malformed),
        (answer("[]", "MALFORMED_FUNCTION_CALL"), in_band("MALFORMED_FUNCTION_CALL")),
        (answer("[]", "OTHER"), in_band("OTHER")),
        (r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#.into(), in_band("UNAVAILABLE")),
        (r#"[{"error":{"code":429}}]"#.into(), in_band("429")),
    ] {
        assert_eq!(translate(&ENVELOPE, body.as_bytes()), Err(expected), "{body}");
    }
    assert_eq!(translate(&ENVELOPE, b"\xff"), Err(Fault::Malformed));
}

#[test]
fn texts_are_joined_and_stay_as_they_were_written() {
    let parts = r#"[{"text":"a\n\u00e9\ud800"},{"future":{}},{"text":"t","thought":true},{"text":"b \"c\"","thoughtSignature":"cw=="}]"#;
    let whole = translate(&ENVELOPE, answer(parts, "STOP").as_bytes()).expect("an answer");
    let expected = r#"{"id":"nrc_1","object":"chat.completion","created":7,"model":"gemini","choices":[{"index":0,"message":{"role":"assistant","content":"a\n\u00e9\ud800b \"c\"","refusal":null,"reasoning_content":"t","extra_content":{"google":{"thought_signature":"cw=="}}},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"routing":{"selected":"gemini"}}"#;
    assert_eq!(String::from_utf8(whole.body).as_deref(), Ok(expected));
}

#[test]
fn only_the_first_of_several_candidates_is_the_answer() {
    let body = r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"B"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"A"}]},"finishReason":"MAX_TOKENS"}]}"#;
    let whole = translate(&ENVELOPE, body.as_bytes()).expect("an answer");
    let body = String::from_utf8(whole.body).expect("UTF-8");
    assert!(body.contains(r#""content":"A","#) && body.contains(r#""finish_reason":"length""#), "{body}");
    assert_eq!(whole.usage, None);
}

#[test]
fn what_an_unusable_answer_costs_is_known() {
    let cost = Some(Usage { uncached_input: 3, output: 2, ..Usage::default() });
    assert_eq!(billed(answer("[]", "STOP").as_bytes()), cost);
    assert_eq!(billed(b"<html>"), None);
}
