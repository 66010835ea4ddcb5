//! What a client, the failover and the counters see of a stream.

use super::*;

const ENVELOPE: Envelope<'static> =
    Envelope { id: "nrc_1", model: "gemini", created: 7, routing: r#"{"selected":"gemini"}"#, include_usage: false, bill: None };

fn event(parts: &str, reason: &str) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!(r#","finishReason":"{reason}""#) };
    format!(r#"{{"candidates":[{{"content":{{"parts":[{parts}]}}{reason}}}]}}"#)
}

fn run(datas: &[String]) -> (String, Vec<Result<Progress, Fault>>, Result<(), Fault>) {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let progress = datas.iter().map(|data| stream.event(&ENVELOPE, &Event { name: "", data }, &mut out)).collect();
    let end = stream.end(&ENVELOPE, &mut out);
    (String::from_utf8(out).expect("UTF-8"), progress, end)
}

#[test]
fn nothing_before_the_first_word_commits_to_this_candidate() {
    let (out, progress, end) = run(&[
        r#"{"usageMetadata":{"promptTokenCount":3}}"#.into(),
        "{}".into(),
        event("", ""),
        event(r#"{"text":""}"#, ""),
        event(r#"{"executableCode":{"code":"x"}}"#, ""),
        event(r#"{"text":"","thoughtSignature":"cw=="}"#, ""),
        event(r#"{"text":"Hi"}"#, "STOP"),
        "[DONE]".into(),
    ]);
    let (preamble, content) = (Ok(Progress::Preamble), Ok(Progress::Content));
    let expected =
        [preamble.clone(), preamble.clone(), preamble.clone(), preamble.clone(), preamble.clone(), preamble, content.clone(), content];
    assert_eq!((progress.as_slice(), end), (expected.as_slice(), Ok(())));
    assert_eq!(out.matches(r#""routing":"#).count(), 1);
    assert!(out.ends_with("data: [DONE]\n\n"), "{out}");
}

#[test]
fn a_signature_is_sent_once_and_is_the_last() {
    let signed = |signature: &str| event(&format!(r#"{{"text":"a","thoughtSignature":"{signature}"}}"#), "STOP");
    let (out, _, end) = run(&[signed("one"), signed("two"), event(r#"{"text":"b"}"#, "STOP")]);
    assert_eq!(end, Ok(()));
    assert_eq!(out.matches("thought_signature").count(), 1);
    assert!(out.contains(r#""delta":{"extra_content":{"google":{"thought_signature":"two"}}}"#), "{out}");
    let (out, _, end) = run(&[event(r#"{"text":"a"}"#, ""), event(r#"{"thoughtSignature":"alone"}"#, "STOP")]);
    assert_eq!((out.matches(r#"{"thought_signature":"alone"}"#).count(), end), (1, Ok(())), "{out}");
}

#[test]
fn a_stream_is_complete_or_it_is_an_error() {
    let text = || event(r#"{"text":"Hi"}"#, "");
    let thought = || event(r#"{"text":"hm","thought":true}"#, "");
    let call = || event(r#"{"functionCall":{"name":"f"}}"#, "");
    for (datas, expected) in [
        (vec![text(), event("", "STOP")], Ok("stop")),
        (vec![event("", "STOP"), text()], Ok("stop")),
        (vec![text(), event("", "STOP"), text(), event("", "MAX_TOKENS")], Ok("length")),
        (vec![call(), event("", "STOP")], Ok("tool_calls")),
        (vec![call(), event("", "MALFORMED_FUNCTION_CALL")], Ok("tool_calls")),
        (vec![call(), event("", "SAFETY")], Ok("content_filter")),
        (vec![event("", "MAX_TOKENS")], Ok("length")),
        (vec![event("", "SPII")], Ok("content_filter")),
        (vec![thought(), event("", "STOP")], Ok("stop")),
        (vec![event(r#"{"text":""}"#, "STOP")], Err(Fault::Malformed)),
        (vec![thought(), event("", "SAFETY")], Ok("content_filter")),
        (vec![r#"{"promptFeedback":{"blockReason":"OTHER"}}"#.to_owned()], Ok("content_filter")),
        (vec![text()], Err(Fault::Malformed)),
        (vec![event("", "STOP")], Err(Fault::Malformed)),
        (vec![event("", "FINISH_REASON_UNSPECIFIED")], Err(Fault::Malformed)),
        (vec![event("", "UNEXPECTED_TOOL_CALL")], Err(Fault::InBand("UNEXPECTED_TOOL_CALL".into()))),
        (vec![], Err(Fault::Malformed)),
    ] {
        let (out, _, end) = run(&datas);
        assert_eq!(end, expected.clone().map(|_| ()), "{datas:?}");
        if let Ok(finish) = expected {
            assert_eq!(out.matches(&format!(r#""finish_reason":"{finish}""#)).count(), 1, "{out}");
            assert_eq!(out.matches(r#""finish_reason":""#).count(), 1, "{out}");
        }
        assert_eq!(out.ends_with("data: [DONE]\n\n"), expected.is_ok(), "{datas:?}");
    }
}

#[test]
fn an_answer_that_is_withheld_says_so_unless_some_of_it_was_said() {
    for (before, refused) in [("", true), (r#"{"text":""}"#, true), (r#"{"text":"hm","thought":true}"#, true), (r#"{"text":"Hi"}"#, false)]
    {
        let (out, _, end) = run(&[event(before, ""), event("", "SAFETY")]);
        assert_eq!((out.contains(r#""delta":{"refusal":"The provider"#), end), (refused, Ok(())), "{before}: {out}");
    }
}

#[test]
fn what_is_no_event_is_told_apart() {
    for (data, expected) in [
        ("", Fault::Malformed),
        ("7", Fault::Malformed),
        ("[]", Fault::Malformed),
        (r#"{"candidates":{}}"#, Fault::Malformed),
        (r#"{"candidates":[{"content":7}]}"#, Fault::Malformed),
        (r#"{"candidates":[{"content":{"parts":[{"text":7}]}}]}"#, Fault::Malformed),
        (r#"{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}"#, Fault::Malformed),
        (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, Fault::InBand("RESOURCE_EXHAUSTED".into())),
        (r#"[{"error":{"code":500}}]"#, Fault::InBand("500".into())),
    ] {
        let (_, progress, _) = run(&[data.to_owned()]);
        assert_eq!(progress, [Err(expected)], "{data}");
    }
}
