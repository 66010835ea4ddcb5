//! What a client, the failover and the counters see of a stream.

use super::*;

const ENVELOPE: Envelope<'static> = Envelope {
    id: "nrc_1",
    model: "claude-sonnet",
    created: 7,
    routing: r#"{"selected":"claude-sonnet"}"#,
    include_usage: false,
    bill: None,
};
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
        r#"[{"index":0,"delta":{"thinking_blocks":[{"index":0,"type":"thinking","thinking":"","signature":"x"}]},"logprobs":null,"finish_reason":null}]"#,
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
    assert_eq!(stream.usage().map(|usage| (usage.prompt(), usage.output)), Some((12, 2)), "of the answer it was only told the first token");
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

/// The deltas of every chunk but the first, without what stands around them.
fn deltas(out: &str) -> Vec<String> {
    let bare = |choice: &str| {
        let delta = choice.strip_prefix(r#"[{"index":0,"delta":{"#).and_then(|rest| rest.split_once(r#"},"logprobs""#));
        delta.map(|(delta, _)| delta.to_owned())
    };
    choices(out).iter().skip(1).filter_map(|choice| bare(choice)).filter(|delta| !delta.is_empty()).collect()
}

fn block_start(index: u64, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn block_delta(index: u64, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}

fn block_stop(index: u64) -> String {
    format!(r#"{{"type":"content_block_stop","index":{index}}}"#)
}

fn run_all(datas: &[String]) -> (String, Vec<Result<Progress, Fault>>, Stream) {
    let datas: Vec<&str> = datas.iter().map(String::as_str).collect();
    run(&datas, &ENVELOPE)
}

#[test]
fn thoughts_are_said_in_words_and_as_blocks_for_later_turns() {
    let datas = [
        START.to_owned(),
        block_start(0, r#"{"type":"thinking","thinking":"","signature":""}"#),
        block_delta(0, r#"{"type":"thinking_delta","thinking":"h\n"}"#),
        block_delta(0, r#"{"type":"signature_delta","signature":"c2ln"}"#),
        block_stop(0),
        block_start(1, r#"{"type":"redacted_thinking","data":"ZGF0YQ=="}"#),
        block_stop(1),
        // Nothing shown, and no beginning.
        block_delta(2, r#"{"type":"signature_delta","signature":"Zm9v"}"#),
        TEXT.replace(r#""index":0"#, r#""index":3"#),
    ];
    let (out, progress, stream) = run_all(&datas);
    let expected = [
        r#""reasoning_content":"h\n","thinking_blocks":[{"index":0,"type":"thinking","thinking":"h\n"}]"#,
        r#""thinking_blocks":[{"index":0,"type":"thinking","thinking":"","signature":"c2ln"}]"#,
        r#""thinking_blocks":[{"index":1,"type":"redacted_thinking","data":"ZGF0YQ=="}]"#,
        r#""thinking_blocks":[{"index":2,"type":"thinking","thinking":"","signature":"Zm9v"}]"#,
        r#""content":"Hi""#,
    ];
    assert_eq!(deltas(&out), expected);
    assert!(progress.iter().all(Result::is_ok));
    assert_eq!(stream.produced(), 3 + 2, "a signature is nothing that the model has written");
}

#[test]
fn sources_are_named_when_their_text_is_complete() {
    let citation = |kind: &str, url: &str| {
        format!(
            r#"{{"type":"citations_delta","citation":{{"type":"{kind}","url":"{url}","title":"T","cited_text":"c","encrypted_index":"E"}}}}"#
        )
    };
    let datas = [
        START.to_owned(),
        block_start(0, r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}"#),
        block_delta(0, r#"{"type":"input_json_delta","partial_json":"{\"query\":1}"}"#),
        block_stop(0),
        block_start(1, r#"{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}"#),
        block_stop(1),
        block_delta(2, r#"{"type":"text_delta","text":"\u00e9 "}"#),
        block_stop(2),
        block_start(3, r#"{"type":"text","text":"","citations":[]}"#),
        block_delta(3, &citation("web_search_result_location", "https://a")),
        block_delta(3, r#"{"type":"text_delta","text":"bc"}"#),
        block_delta(3, &citation("page_location", "https://b")),
        block_delta(3, &citation("web_search_result_location", "https://c")),
        block_stop(3),
        block_delta(4, &citation("web_search_result_location", "https://d")),
        FINISH.to_owned(),
    ];
    let (out, ..) = run_all(&datas);
    let note = |index: usize, url: &str, (start, end): (u64, u64)| {
        format!(
            r#"{{"index":{index},"type":"url_citation","url_citation":{{"url":"{url}","title":"T","start_index":{start},"end_index":{end}}}}}"#
        )
    };
    let expected = [
        r#""content":"\u00e9 ""#.to_owned(),
        r#""content":"bc""#.to_owned(),
        format!(r#""annotations":[{},{}]"#, note(0, "https://a", (2, 4)), note(1, "https://c", (2, 4))),
        format!(r#""annotations":[{}]"#, note(2, "https://d", (4, 4))),
    ];
    assert_eq!(deltas(&out), expected);
}

#[test]
fn calls_have_ids_and_arguments_even_if_the_provider_forgets_them() {
    let tool = r#"{"type":"tool_use","name":"f","input":null}"#;
    let json = |json: &str| format!(r#"{{"type":"input_json_delta","partial_json":"{json}"}}"#);
    let datas = [
        START.to_owned(),
        block_delta(9, &json("lost")),
        block_start(1, tool),
        block_delta(1, &json("null")),
        block_stop(1),
        block_start(2, tool),
        FINISH.replace("end_turn", "tool_use"),
    ];
    let (out, progress, _) = run_all(&datas);
    let begin = |index: usize| {
        format!(r#""tool_calls":[{{"index":{index},"id":"call_nrc1_{index}","type":"function","function":{{"name":"f","arguments":""}}}}]"#)
    };
    let end = |index: usize| format!(r#""tool_calls":[{{"index":{index},"function":{{"arguments":"{{}}"}}}}]"#);
    assert_eq!(deltas(&out), [begin(0), end(0), begin(1), end(1)]);
    assert!(out.contains(r#""finish_reason":"tool_calls""#) && progress.iter().all(Result::is_ok));
}

#[test]
fn errors_are_seen_in_every_form() {
    for (name, data, expected) in [
        ("error", r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "overloaded_error"),
        ("", r#"{"error":{"type":"api_error","message":"x"}}"#, "api_error"),
        ("error", r#"{"type":"overloaded_error","message":"x"}"#, "overloaded_error"),
        ("message_start", r#"{"type":"error","error":{"type":"api_error"}}"#, "api_error"),
        ("", r#"{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}"#, "UNAVAILABLE"),
        ("", r#"[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]"#, "RESOURCE_EXHAUSTED"),
        ("error", r#"{"error":"x"}"#, "error"),
    ] {
        let outcome = Stream::default().event(&ENVELOPE, &Event { name, data }, &mut Vec::new());
        assert_eq!(outcome, Err(Fault::InBand(expected.to_owned())), "{name} {data}");
    }
}

#[test]
fn pings_say_nothing_in_any_form_and_the_data_names_the_event() {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    for (name, data, expected) in [
        ("ping", "", Progress::Preamble),
        ("ping", r#"{"type": "ping"}"#, Progress::Preamble),
        ("", r#"{"type":"ping"}"#, Progress::Preamble),
        ("message_delta", START, Progress::Preamble),
        ("message_stop", TEXT, Progress::Content),
        ("message_start", FINISH, Progress::Content),
        ("message_stop", "{}", Progress::Done),
    ] {
        assert_eq!(stream.event(&ENVELOPE, &Event { name, data }, &mut out), Ok(expected), "{name} {data}");
    }
}

#[test]
fn the_account_follows_the_last_word() {
    let delta = |usage: &str| format!(r#"{{"type":"message_delta","delta":{{}},"usage":{usage}}}"#);
    let datas = [
        START.to_owned(),
        TEXT.to_owned(),
        delta(r#"{"input_tokens":2,"output_tokens":5}"#),
        // Once more, from the beginning.
        START.replace(r#""output_tokens":1"#, r#""output_tokens":77"#),
        FINISH.to_owned(),
        r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":11}}"#.to_owned(),
        STOP.to_owned(),
        delta(r#"{"output_tokens":10,"cache_read_input_tokens":null}"#),
    ];
    let (out, progress, stream) = run_all(&datas);
    assert_eq!(stream.usage(), Some(Usage { uncached_input: 2, cache_read: 9, output: 10, ..Usage::default() }));
    assert_eq!(progress.last(), Some(&Ok(Progress::Done)));
    assert_eq!((out.matches(r#""finish_reason":"stop""#).count(), out.matches(r#""finish_reason":"length""#).count()), (1, 0));
    let silent = r#"{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}"#;
    assert_eq!(run(&[silent, TEXT, STOP], &ENVELOPE).2.usage(), None, "nobody has said anything");
}

#[test]
fn a_refusal_says_why_where_the_provider_does() {
    let refused = r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","category":"bio","explanation":"No."}}}"#;
    let (out, progress, _) = run(&[START, refused, STOP], &ENVELOPE);
    assert_eq!(deltas(&out), [r#""refusal":"No.""#]);
    assert_eq!(progress, [Ok(Progress::Preamble), Ok(Progress::Content), Ok(Progress::Done)]);
    assert!(out.contains(r#""finish_reason":"content_filter""#));
}

#[test]
fn an_answer_whose_end_says_nothing_of_usage_is_more_than_its_first_token() {
    let start = r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":12,"output_tokens":1}}}"#;
    let text = format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}}"#, "x".repeat(400));
    for (usage, expected) in [("", 100), (r#","usage":{"output_tokens":90}"#, 90)] {
        let end = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}}{usage}}}"#);
        let (_, _, stream) = run(&[start, &text, &end, r#"{"type":"message_stop"}"#], &ENVELOPE);
        assert_eq!(stream.usage().map(|usage| (usage.prompt(), usage.output)), Some((12, expected)), "{end}");
    }
}
