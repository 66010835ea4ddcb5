//! What whole answers become.

use super::*;

const ENVELOPE: Envelope<'static> = Envelope {
    id: "nrc_1",
    model: "claude-sonnet",
    created: 7,
    routing: r#"{"selected":"claude-sonnet"}"#,
    include_usage: false,
    bill: None,
};

fn message(content: &str, stop_reason: &str) -> String {
    format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","content":{content},"stop_reason":{stop_reason},"usage":{{"input_tokens":3,"output_tokens":2}}}}"#
    )
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (body, expected) in [
        (String::new(), Fault::Malformed),
        ("<html>".into(), Fault::Malformed),
        ("{}".into(), Fault::Malformed),
        (r#"{"type":"message"}"#.into(), Fault::Malformed),
        (message("[]", r#""end_turn""#), Fault::Malformed),
        (message("[]", "null"), Fault::Malformed),
        (message("{}", r#""end_turn""#), Fault::Malformed),
        (message("[7]", r#""end_turn""#), Fault::Malformed),
        (message(r#"[{"type":"text","text":7}]"#, r#""end_turn""#), Fault::Malformed),
        (message(r#"[{"type":"text","text":""}]"#, r#""end_turn""#), Fault::Malformed),
        (message(r#"[{"type":"thinking","thinking":"hm","signature":"s"}]"#, r#""end_turn""#), Fault::Malformed),
        (message(r#"[{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]"#, r#""pause_turn""#), Fault::Malformed),
        (r#"{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}"#.into(), Fault::InBand("RESOURCE_EXHAUSTED".into())),
        (r#"[{"error":{"code":500,"message":"x","status":"INTERNAL"}}]"#.into(), Fault::InBand("INTERNAL".into())),
        (message(r#"[{"type":"tool_use","id":"a","input":{}}]"#, r#""tool_use""#), Fault::Malformed),
        (message(r#"[{"type":"tool_use","id":"a","name":"b","input":[]}]"#, r#""tool_use""#), Fault::Malformed),
        (message(r#"[{"type":"text","text":"x"}"#, r#""end_turn""#), Fault::Malformed),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#.into(), Fault::InBand("overloaded_error".into())),
        (r#"{"type":"error"}"#.into(), Fault::InBand("error".into())),
    ] {
        assert_eq!(translate(&ENVELOPE, body.as_bytes()), Err(expected), "{body}");
    }
    assert_eq!(translate(&ENVELOPE, b"\xff"), Err(Fault::Malformed));
}

#[test]
fn an_answer_cut_before_its_first_word_is_delivered() {
    for (stop_reason, finish) in [("max_tokens", "length"), ("refusal", "content_filter"), ("stop_sequence", "stop")] {
        let answer = translate(&ENVELOPE, message("[]", &format!("{stop_reason:?}")).as_bytes()).expect("an answer");
        let body = String::from_utf8(answer.body).expect("UTF-8");
        assert!(body.contains(r#""content":"","#) && body.contains(&format!(r#""finish_reason":"{finish}""#)), "{body}");
    }
}

#[test]
fn texts_are_joined_and_stay_as_they_were_written() {
    let body = message(r#"[{"type":"text","text":"a\n\u00e9\ud800"},{"type":"future"},{"type":"text","text":"b \"c\""}]"#, r#""end_turn""#);
    let answer = translate(&ENVELOPE, body.as_bytes()).expect("an answer");
    let expected = r#"{"id":"nrc_1","object":"chat.completion","created":7,"model":"claude-sonnet","choices":[{"index":0,"message":{"role":"assistant","content":"a\n\u00e9\ud800b \"c\"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"routing":{"selected":"claude-sonnet"}}"#;
    assert_eq!(String::from_utf8(answer.body).as_deref(), Ok(expected));
}

#[test]
fn kinds_of_input_tokens_do_not_overlap() {
    let object = Object::read(
        r#"{"input_tokens":10,"cache_read_input_tokens":200,"cache_creation_input_tokens":30,"output_tokens":5,"output_tokens_details":{"thinking_tokens":4}}"#,
    );
    let expected = Usage { uncached_input: 10, cache_read: 200, cache_write: 30, output: 5, reasoning: 4 };
    assert_eq!(object.map(|said| usage(&said, Usage::default())), Some(expected));
    assert_eq!((expected.prompt(), Object::read("{}").map(|said| usage(&said, expected))), (240, Some(expected)));
}

#[test]
fn a_provider_that_does_not_say_what_was_used_leaves_it_unknown() {
    for (usage, expected) in [
        (r#""usage":{"input_tokens":3,"output_tokens":2}"#, Some(Usage { uncached_input: 3, output: 2, ..Usage::default() })),
        (r#""usage":{"input_tokens":0}"#, None),
        (r#""usage":{}"#, None),
        (r#""usage":null"#, None),
        (r#""future":1"#, None),
    ] {
        let content = r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Hello."}]"#;
        let body = format!(r#"{{"type":"message","content":{content},"stop_reason":"end_turn",{usage}}}"#);
        let answer = translate(&ENVELOPE, body.as_bytes()).expect("an answer");
        assert_eq!((answer.usage, answer.produced), (expected, 8), "{usage}");
    }
}

/// The message of the one choice.
fn choice(body: &str) -> serde_json::Value {
    let answer = translate(&ENVELOPE, body.as_bytes()).expect("an answer");
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    answer.pointer("/choices/0/message").expect("a message").clone()
}

#[test]
fn what_was_thought_and_signed_is_kept_for_later_turns() {
    let blocks = r#"[{"type":"thinking","thinking":"a","signature":"s1"},{"type":"thinking","thinking":"b"},{"type":"redacted_thinking","data":"d"},{"type":"thinking","thinking":"","signature":"s2"},{"type":"text","text":"x"}]"#;
    let message = choice(&message(blocks, r#""end_turn""#));
    let expected = serde_json::json!([
        {"type": "thinking", "thinking": "a", "signature": "s1"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "", "signature": "s2"},
    ]);
    assert_eq!((message.get("thinking_blocks"), message.get("reasoning_content")), (Some(&expected), Some(&"ab".into())));
}

#[test]
fn arguments_are_never_nothing_and_ids_never_missing() {
    let call = |members: &str| message(&format!(r#"[{{"type":"tool_use","name":"f"{members}}}]"#), r#""tool_use""#);
    for (members, arguments) in [
        ("", "{}"),
        (r#","input":null"#, "{}"),
        (r#","input":"""#, "{}"),
        (r#","input":"null""#, "{}"),
        (r#","input":{ "a" : 1 }"#, r#"{"a":1}"#),
        (r#","input":"{\"a\": 1}""#, r#"{"a": 1}"#),
        (r#","id":"","input":{}"#, "{}"),
    ] {
        let message = choice(&call(members));
        let found = message.pointer("/tool_calls/0/function/arguments").and_then(|found| found.as_str());
        assert_eq!((found, message.pointer("/tool_calls/0/id")), (Some(arguments), Some(&"call_nrc1_0".into())), "{members}");
    }
    assert_eq!(translate(&ENVELOPE, call(r#","input":7"#).as_bytes()), Err(Fault::Malformed));
}

#[test]
fn a_refusal_says_why_where_the_provider_does() {
    let refused = |details: &str| message("[]", &format!(r#""refusal","stop_details":{details}"#));
    let why = choice(&refused(r#"{"type":"refusal","category":"cyber","explanation":"This could \"harm\"."}"#));
    assert_eq!((why.get("refusal"), why.get("content")), (Some(&r#"This could "harm"."#.into()), Some(&serde_json::Value::Null)));
    assert_eq!(choice(&refused("null")).get("refusal"), Some(&serde_json::Value::Null));
}

#[test]
fn tools_of_the_provider_leave_their_sources_and_no_calls() {
    let page =
        |url: &str| format!(r#"{{"type":"web_search_result_location","url":"{url}","title":"T","cited_text":"c","encrypted_index":"E"}}"#);
    let blocks = format!(
        r#"[{{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{{"query":"q"}}}},
            {{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}},
            {{"type":"text","text":"\u00e9 "}},
            {{"type":"text","text":"b😀","citations":[{},{}]}},
            {{"type":"text","text":"c","citations":[]}},
            {{"type":"text","text":"d","citations":[{}]}}]"#,
        page("https://a"),
        page("https://b"),
        page("https://c")
    );
    let message = choice(&message(&blocks, r#""end_turn""#));
    let span = |index: usize| {
        let of = |name: &str| message.pointer(&format!("/annotations/{index}/url_citation/{name}")).expect("a member").clone();
        (of("url"), of("start_index"), of("end_index"))
    };
    let expected = [("https://a", 2, 4), ("https://b", 2, 4), ("https://c", 5, 6)];
    assert_eq!([span(0), span(1), span(2)], expected.map(|(url, start, end)| (url.into(), start.into(), end.into())));
    assert_eq!((message.get("content"), message.get("tool_calls")), (Some(&"é b😀cd".into()), None));
}

#[test]
fn what_is_said_last_of_usage_counts() {
    let known = Usage { uncached_input: 25, cache_read: 7, cache_write: 3, output: 90, reasoning: 80 };
    for (said, expected) in [
        (r#"{"input_tokens":9,"output_tokens":60}"#, Usage { uncached_input: 9, output: 60, reasoning: 60, ..known }),
        (r#"{"input_tokens":null,"cache_read_input_tokens":null,"output_tokens":91}"#, Usage { output: 91, ..known }),
        (r#"{"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}"#, Usage { cache_write: 9, ..known }),
        (r#"{"cache_creation_input_tokens":8,"cache_creation":{"ephemeral_5m_input_tokens":4}}"#, Usage { cache_write: 8, ..known }),
        (r#"{"server_tool_use":{"web_search_requests":3},"output_tokens":-1}"#, known),
    ] {
        assert_eq!(Object::read(said).map(|said| usage(&said, known)), Some(expected), "{said}");
    }
}
