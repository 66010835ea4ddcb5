//! What a client, the failover and the counters see of a stream.

use super::*;

const ENVELOPE: Envelope<'static> =
    Envelope { id: "nrc_1", model: "claude-sonnet", created: 7, routing: r#"{"selected":"claude-sonnet"}"#, include_usage: false };
const START: &str = r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":9,"output_tokens":1}}}"#;
const TEXT: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#;
const FINISH: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":12}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn run(datas: &[&str], envelope: &Envelope<'_>) -> (String, Vec<Result<Progress, Fault>>, Stream) {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let progress = datas.iter().map(|data| stream.event(envelope, &Event { name: "", data }, &mut out)).collect();
    (String::from_utf8(out).expect("UTF-8"), progress, stream)
}

/// The choices of every chunk, one a line.
fn choices(out: &str) -> Vec<String> {
    let chunks = out.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").expect("data"));
    chunks.map(|data| Object::read(data).map_or(data.to_owned(), |chunk| chunk.find("choices").unwrap_or_default().to_owned())).collect()
}

#[test]
fn nothing_before_the_first_word_commits_to_this_candidate() {
    let datas = [
        START,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}"#,
        r#"{"type":"tomorrow"}"#,
        TEXT,
        r#"{"type":"content_block_stop","index":0}"#,
        FINISH,
        STOP,
        TEXT,
    ];
    let (out, progress, stream) = run(&datas, &ENVELOPE);
    let (preamble, content) = (Ok(Progress::Preamble), Ok(Progress::Content));
    let expected = [
        preamble.clone(),
        preamble.clone(),
        preamble.clone(),
        preamble.clone(),
        preamble,
        content.clone(),
        content.clone(),
        content,
        Ok(Progress::Done),
        Ok(Progress::Done),
    ];
    assert_eq!(progress, expected);
    assert_eq!(stream.usage(), Some(Usage { uncached_input: 3, cache_read: 9, output: 12, ..Usage::default() }));
    assert_eq!(stream.produced(), "Hi".len() as u64, "what comes after the end does not count");
    let expected = [
        r#"[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]"#,
        r#"[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]"#,
        r#"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#,
        "[DONE]",
    ];
    assert_eq!(choices(&out), expected);
}

#[test]
fn routing_is_in_the_first_chunk_alone_and_usage_in_the_last_if_asked() {
    let (out, ..) = run(&[START, TEXT, FINISH, STOP], &Envelope { include_usage: true, ..ENVELOPE });
    let events: Vec<&str> = out.split_terminator("\n\n").collect();
    let [role, .., usage, done] = events.as_slice() else { panic!("{out}") };
    assert!(role.ends_with(r#","usage":null,"routing":{"selected":"claude-sonnet"}}"#), "{role}");
    assert_eq!(out.matches(r#""routing":"#).count(), 1);
    assert!(usage.contains(r#""choices":[],"usage":{"prompt_tokens":12,"completion_tokens":12,"total_tokens":24"#), "{usage}");
    assert_eq!(*done, "data: [DONE]");
}

#[test]
fn tool_calls_are_numbered_alone_and_always_have_arguments() {
    let start = |index: u64, name: &str, input: &str| {
        format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"toolu_{index}","name":"{name}","input":{input}}}}}"#
        )
    };
    let delta = |index: u64, json: &str| {
        format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"input_json_delta","partial_json":"{json}"}}}}"#)
    };
    let stop = |index: u64| format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
    let datas = [
        START.to_owned(),
        TEXT.to_owned(),
        start(1, "a", "{}"),
        delta(1, ""),
        delta(1, r#"{\"x\":"#),
        delta(1, "1}"),
        stop(1),
        start(3, "b", "{}"),
        delta(3, ""),
        stop(3),
        start(4, "c", r#"{"y": "z"}"#),
        stop(4),
        delta(9, "lost"),
        stop(9),
    ];
    let (out, _, stream) = run(&datas.iter().map(String::as_str).collect::<Vec<_>>(), &ENVELOPE);
    assert_eq!(stream.produced(), ["Hi", "a", r#"{\"x\":"#, "1}", "b", "{}", "c", r#"{\"y\":\"z\"}"#].concat().len() as u64);
    let begin = |call: usize, index: usize, name: &str| {
        format!(
            r#"[{{"index":0,"delta":{{"tool_calls":[{{"index":{call},"id":"toolu_{index}","type":"function","function":{{"name":"{name}","arguments":""}}}}]}},"logprobs":null,"finish_reason":null}}]"#
        )
    };
    let arguments = |call: usize, json: &str| {
        format!(
            r#"[{{"index":0,"delta":{{"tool_calls":[{{"index":{call},"function":{{"arguments":"{json}"}}}}]}},"logprobs":null,"finish_reason":null}}]"#
        )
    };
    let expected = [
        begin(0, 1, "a"),
        arguments(0, r#"{\"x\":"#),
        arguments(0, "1}"),
        begin(1, 3, "b"),
        arguments(1, "{}"),
        begin(2, 4, "c"),
        arguments(2, r#"{\"y\":\"z\"}"#),
    ];
    assert_eq!(choices(&out).split_off(2), expected);
}

#[test]
fn a_stream_that_is_cut_says_how_much_was_written() {
    let thinking = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm\n"}}"#;
    let (_, _, stream) = run(&[START, thinking, TEXT, TEXT], &ENVELOPE);
    assert_eq!(stream.produced(), 8);
    assert_eq!(stream.usage().map(|usage| (usage.prompt(), usage.output)), Some((12, 1)), "of the answer it only knew the first token");
}

#[test]
fn a_stream_is_complete_or_it_is_an_error() {
    let cut = Err(Fault::Malformed);
    for (datas, expected) in [
        (&[START, TEXT, FINISH, STOP][..], Ok(())),
        (&[START, TEXT, FINISH], Ok(())),
        (&[START, TEXT, STOP], Ok(())),
        (&[TEXT, FINISH, STOP], Ok(())),
        (&[START, TEXT], cut.clone()),
        (&[START], cut.clone()),
        (&[], cut),
    ] {
        let (mut out, _, mut stream) = run(datas, &ENVELOPE);
        let mut rest = Vec::new();
        assert_eq!(stream.end(&ENVELOPE, &mut rest), expected, "{datas:?}");
        out.push_str(&String::from_utf8(rest).expect("UTF-8"));
        assert_eq!(out.ends_with("data: [DONE]\n\n"), expected.is_ok(), "{datas:?}");
    }
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let empty = FINISH;
    for (data, expected) in [
        (empty, Fault::Malformed),
        (STOP, Fault::Malformed),
        ("", Fault::Malformed),
        ("[DONE]", Fault::Malformed),
        (r#"{"type":"message_start"}"#, Fault::Malformed),
        (r#"{"type":"content_block_start","index":0}"#, Fault::Malformed),
        (r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}"#, Fault::Malformed),
        (r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}"#, Fault::Malformed),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Fault::InBand("overloaded_error".into())),
    ] {
        let (_, progress, _) = run(&[START, data], &ENVELOPE);
        assert_eq!(progress, [Ok(Progress::Preamble), Err(expected)], "{data}");
    }
}

#[test]
fn an_answer_cut_before_its_first_word_is_delivered() {
    let (out, progress, _) = run(&[START, r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#], &ENVELOPE);
    assert_eq!(progress, [Ok(Progress::Preamble), Ok(Progress::Content)]);
    assert!(out.contains(r#""finish_reason":"length""#), "{out}");
}
