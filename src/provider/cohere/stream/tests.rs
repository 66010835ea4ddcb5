//! Streams, event by event.

use super::*;

const ENVELOPE: Envelope<'static> = Envelope { id: "nrc_1", model: "command", created: 7, routing: "{}", include_usage: false, bill: None };

/// What every event came to, and the deltas that were sent.
fn played(events: &[&str]) -> (Vec<Result<Progress, Fault>>, String) {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let progress = events.iter().map(|data| stream.event(&ENVELOPE, &Event { name: "", data }, &mut out)).collect();
    let out = String::from_utf8(out).expect("UTF-8");
    let deltas =
        out.split_terminator("\n\n").filter_map(|event| Some(event.split_once(r#""delta":"#)?.1.split_once(r#"}]"#)?.0.to_owned()));
    (progress, deltas.collect::<Vec<_>>().join("\n"))
}

fn text(text: &str) -> String {
    format!(r#"{{"type":"content-delta","index":0,"delta":{{"message":{{"content":{{"text":"{text}"}}}}}}}}"#)
}

fn call(kind: &str, index: u64, calls: &str) -> String {
    format!(r#"{{"type":"tool-call-{kind}","index":{index},"delta":{{"message":{{"tool_calls":{calls}}}}}}}"#)
}

const START: &str = r#"{"type":"message-start","id":"x","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#;

fn end(reason: &str) -> String {
    format!(
        r#"{{"type":"message-end","delta":{{"finish_reason":"{reason}","usage":{{"billed_units":{{"input_tokens":3,"output_tokens":2}}}}}}}}"#
    )
}

#[test]
fn nothing_is_content_before_the_first_word() {
    let begin = r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#;
    let (progress, deltas) =
        played(&[START, START, begin, &text(""), r#"{"type":"debug","prompt":"x"}"#, &text("Hi"), &end("COMPLETE"), &text("late")]);
    let before = || Ok(Progress::Preamble);
    assert_eq!(progress, [before(), before(), before(), before(), before(), Ok(Progress::Content), Ok(Progress::Done), Ok(Progress::Done)]);
    assert_eq!(
        deltas,
        "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null\n{\"content\":\"Hi\"},\"logprobs\":null,\"finish_reason\":null\n{},\"logprobs\":null,\"finish_reason\":\"stop\""
    );
}

#[test]
fn calls_are_counted_from_zero_and_have_arguments() {
    let plan = r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#;
    let begin = |id: &str, name: &str| format!(r#"{{"id":"{id}","type":"function","function":{{"name":"{name}","arguments":""}}}}"#);
    let (progress, deltas) = played(&[
        plan,
        &call("delta", 9, r#"{"function":{"arguments":"of nothing"}}"#),
        &call("start", 3, &begin("f_1", "f")),
        &call("start", 3, &begin("f_1", "f")),
        &call("delta", 3, r#"{"function":{"arguments":"{\"a\""}}"#),
        &call("delta", 3, r#"{"function":{"arguments":" "}}"#),
        &call("delta", 3, r#"{"function":{"arguments":":1}"}}"#),
        r#"{"type":"tool-call-end","index":3}"#,
        &call("start", 4, &begin("", "g")),
        r#"{"type":"tool-call-end","index":4}"#,
        &call("start", 5, &begin("f_3", "h")),
        &end("TOOL_CALL"),
    ]);
    assert!(progress.iter().all(Result::is_ok), "{progress:?}");
    let calls: Vec<&str> = deltas.lines().filter_map(|delta| delta.strip_prefix(r#"{"tool_calls":[{"#)?.strip_suffix('}')).collect();
    let argued = |index: u64, text: &str| format!(r#""index":{index},"function":{{"arguments":"{text}""#);
    let expected = [
        r#""index":0,"id":"f_1","type":"function","function":{"name":"f","arguments":"""#.to_owned(),
        argued(0, r#"{\"a\""#),
        argued(0, " "),
        argued(0, ":1}"),
        r#""index":1,"id":"call_nrc1_1","type":"function","function":{"name":"g","arguments":"""#.to_owned(),
        argued(1, "{}"),
        r#""index":2,"id":"f_3","type":"function","function":{"name":"h","arguments":"""#.to_owned(),
        argued(2, "{}"),
    ];
    assert_eq!(calls, expected, "{deltas}");
    assert!(deltas.contains(r#"{"reasoning_content":"I will"}"#) && deltas.ends_with(r#""finish_reason":"tool_calls""#), "{deltas}");
}

#[test]
fn an_end_that_is_none_is_told_apart() {
    let thought = r#"{"type":"content-delta","delta":{"message":{"content":{"thinking":"hm"}}}}"#;
    for (events, expected) in [
        (vec![START.to_owned(), end("COMPLETE")], Err(Fault::Malformed)),
        (vec![thought.to_owned(), end("COMPLETE")], Err(Fault::Malformed)),
        (vec![thought.to_owned(), end("MAX_TOKENS")], Ok(Progress::Done)),
        (vec![text("x"), end("ERROR")], Err(Fault::InBand("error".into()))),
        (
            vec![text("x"), r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","error":"x"}}"#.into()],
            Err(Fault::InBand("error".into())),
        ),
        (vec![text("x"), end("COMPLETE").replace(r#""delta":{"#, r#""delta":{"error":"","#)], Ok(Progress::Done)),
        (vec![START.to_owned(), r#"{"message":"upstream failed"}"#.into()], Err(Fault::InBand("error".into()))),
        (vec![r#"{"future":1}"#.into()], Err(Fault::Malformed)),
        (vec!["[DONE]".into()], Err(Fault::Malformed)),
        (vec![text("x"), r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#.into()], Ok(Progress::Content)),
        (vec![text("x"), r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#.into(), end("MAX_TOKENS")], Ok(Progress::Done)),
        (vec![text("x"), r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#.into(), "[DONE]".into()], Ok(Progress::Done)),
    ] {
        let given: Vec<&str> = events.iter().map(String::as_str).collect();
        assert_eq!(played(&given).0.last(), Some(&expected), "{events:?}");
    }
}

#[test]
fn log_probabilities_and_sources_go_with_the_text() {
    let (_, deltas) = played(&[
        r#"{"type":"content-delta","delta":{"message":{"content":{"text":"Hi"}}},"logprobs":{"text":"Hi","token_ids":[1],"logprobs":[-0.5]}}"#,
        &text("you"),
        r#"{"type":"citation-start","delta":{"message":{"citations":{"start":0,"end":2,"sources":[{"type":"document","document":{"url":"https://x"}}]}}}}"#,
        r#"{"type":"citation-start","delta":{"message":{"citations":{"start":0,"end":2,"sources":[]}}}}"#,
        r#"{"type":"citation-start","delta":{"message":{"citations":{"start":2,"end":5,"sources":[{"type":"document","document":{"url":"https://y","title":"Y"}}]}}}}"#,
    ]);
    let lines: Vec<&str> = deltas.lines().collect();
    assert_eq!(lines.len(), 5, "{deltas}");
    assert!(deltas.contains(r#"{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.5"#), "{deltas}");
    assert!(deltas.contains(r#"{"content":"you"},"logprobs":null"#), "{deltas}");
    assert!(
        deltas.contains(
            r#"{"annotations":[{"index":0,"type":"url_citation","url_citation":{"url":"https://x","title":"https://x","start_index":0,"end_index":2}"#
        ),
        "{deltas}"
    );
    assert!(
        deltas.contains(r#"{"annotations":[{"index":1,"type":"url_citation","url_citation":{"url":"https://y","title":"Y","#),
        "{deltas}"
    );
}
