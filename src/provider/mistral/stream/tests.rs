//! Streams, event by event.

use super::*;

const ENVELOPE: Envelope<'static> = Envelope { id: "nrc_1", model: "m", created: 7, routing: "{}", include_usage: false, bill: None };

/// What every event came to, and the choices that were sent, one a line.
fn played(events: &[&str]) -> (Vec<Result<Progress, Fault>>, Vec<String>) {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let progress = events.iter().map(|data| stream.event(&ENVELOPE, &Event { name: "", data }, &mut out)).collect();
    let out = String::from_utf8(out).expect("UTF-8");
    let choice = |event: &str| {
        let rest = event.split_once(r#""choices":["#)?.1;
        Some(rest.rsplit_once("}]")?.0.replace(r#","logprobs":null,"finish_reason":null"#, ""))
    };
    (progress, out.split_terminator("\n\n").filter_map(choice).collect())
}

fn event(index: u64, delta: &str, finish: &str) -> String {
    format!(r#"{{"id":"c","model":"x","choices":[{{"index":{index},"delta":{{{delta}}},"finish_reason":{finish}}}]}}"#)
}

fn role(index: u64) -> String {
    format!(r#"{{"index":{index},"delta":{{"role":"assistant","content":"","refusal":null}}"#)
}

fn delta(index: u64, delta: &str) -> String {
    format!(r#"{{"index":{index},"delta":{{{delta}}}"#)
}

fn finish(index: u64, reason: &str) -> String {
    format!(r#"{{"index":{index},"delta":{{}},"logprobs":null,"finish_reason":"{reason}""#)
}

#[test]
fn thoughts_and_texts_come_in_chunks_or_plain() {
    let (progress, sent) = played(&[
        &event(0, r#""role":"assistant","content":"""#, "null"),
        &event(0, r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]"#, "null"),
        &event(0, r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"!"}]},{"type":"text","text":"a"}]"#, "null"),
        &event(0, r#""content":"b""#, r#""stop""#),
        &event(0, r#""content":"late""#, "null"),
        "[DONE]",
        "[DONE]",
    ]);
    let expected = [
        role(0),
        delta(0, r#""reasoning_content":"hm""#),
        delta(0, r#""reasoning_content":"!","content":"a""#),
        delta(0, r#""content":"b""#),
        finish(0, "stop"),
    ];
    assert_eq!(sent, expected);
    let content = || Ok(Progress::Content);
    assert_eq!(progress, [Ok(Progress::Preamble), content(), content(), content(), content(), Ok(Progress::Done), Ok(Progress::Done)]);
}

#[test]
fn calls_are_counted_from_zero_and_have_arguments() {
    let call = |id: &str, name: &str, arguments: &str, index: &str| {
        format!(r#"{{"id":"{id}","function":{{"name":"{name}","arguments":{arguments}}}{index}}}"#)
    };
    let begun = |index: u64, id: &str, name: &str, arguments: &str| {
        format!(r#"{{"index":{index},"id":"{id}","type":"function","function":{{"name":"{name}","arguments":"{arguments}"}}}}"#)
    };
    let more = |index: u64, arguments: &str| format!(r#"{{"index":{index},"function":{{"arguments":"{arguments}"}}}}"#);
    let calls = |calls: &[String]| format!(r#""tool_calls":[{}]"#, calls.join(","));
    let whole = [
        call("aaaaaaaaa", "f", r#""{\"a\":1}""#, ""),
        call("null", "g", r#"{"b": 2}"#, r#","index":0"#),
        call("ccccccccc", "h", r#""""#, ""),
    ];
    let (_, sent) = played(&[&event(0, &calls(&whole), r#""tool_calls""#)]);
    let expected = [
        role(0),
        delta(
            0,
            &calls(&[
                begun(0, "aaaaaaaaa", "f", r#"{\"a\":1}"#),
                begun(1, "call_nrc1_1", "g", r#"{\"b\":2}"#),
                begun(2, "ccccccccc", "h", ""),
            ]),
        ),
        delta(0, &calls(&[more(2, "{}")])),
        finish(0, "tool_calls"),
    ];
    assert_eq!(sent, expected);
    let pieces = [
        event(0, &calls(&[call("aaaaaaaaa", "f", r#""{\"a\"""#, r#","index":0"#)]), "null"),
        event(0, &calls(&[call("bbbbbbbbb", "g", r#""{""#, r#","index":1"#)]), "null"),
        event(0, &calls(&[call("aaaaaaaaa", "", r#"" ""#, r#","index":0"#)]), "null"),
        event(0, &calls(&[call("null", "", r#"":1}""#, r#","index":0"#)]), "null"),
        event(0, "", r#""length""#),
    ];
    let (_, sent) = played(&pieces.iter().map(String::as_str).collect::<Vec<_>>());
    let expected = [
        role(0),
        delta(0, &calls(&[begun(0, "aaaaaaaaa", "f", r#"{\"a\""#)])),
        delta(0, &calls(&[begun(1, "bbbbbbbbb", "g", "{")])),
        delta(0, &calls(&[more(0, " ")])),
        delta(0, &calls(&[more(0, ":1}")])),
        finish(0, "length"),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn several_choices_end_each_for_itself() {
    let (a, b) = (event(0, r#""content":"a""#, "null"), event(1, r#""content":"b""#, "null"));
    let (one, other) = (event(0, r#""content":"""#, r#""stop""#), event(1, "", r#""model_length""#));
    let (progress, sent) = played(&[&a, &b, &one, &other, "[DONE]"]);
    assert_eq!(
        sent,
        [role(0), delta(0, r#""content":"a""#), role(1), delta(1, r#""content":"b""#), finish(0, "stop"), finish(1, "length")]
    );
    assert_eq!(progress.last(), Some(&Ok(Progress::Done)));
    assert_eq!(played(&[&a, &b, &one, "[DONE]"]).0.last(), Some(&Err(Fault::Malformed)));
}

#[test]
fn an_end_that_is_none_is_told_apart() {
    let text = event(0, r#""content":"a""#, "null");
    for (events, expected) in [
        (vec!["[DONE]".to_owned()], Err(Fault::Malformed)),
        (vec![text.clone(), "[DONE]".into()], Err(Fault::Malformed)),
        (vec![event(0, r#""content":"""#, r#""stop""#)], Err(Fault::Malformed)),
        (vec![event(0, r#""content":"""#, r#""length""#)], Ok(Progress::Content)),
        (vec![text.clone(), event(0, "", r#""error""#)], Err(Fault::InBand("error".into()))),
        (vec![r#"{"object":"error","message":"x","type":"service_unavailable"}"#.into()], Err(Fault::InBand("service_unavailable".into()))),
        (vec![r#"{"choices":[],"error":{"message":"x"}}"#.into()], Err(Fault::InBand("error".into()))),
        (vec![r#"{"choices":[]}"#.into()], Ok(Progress::Preamble)),
        (vec!["{}".into()], Err(Fault::Malformed)),
        (vec![event(0, r#""tool_calls":[{"id":"a","function":{"name":""}}]"#, "null")], Err(Fault::Malformed)),
    ] {
        let given: Vec<&str> = events.iter().map(String::as_str).collect();
        assert_eq!(played(&given).0.last(), Some(&expected), "{events:?}");
    }
}
