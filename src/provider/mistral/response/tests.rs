//! Answers and what is none.

use super::*;

const ENVELOPE: Envelope<'static> = Envelope { id: "nrc_1", model: "m", created: 7, routing: "{}", include_usage: false, bill: None };

fn choice(message: &str, finish: &str) -> String {
    format!(r#"{{"index":0,"message":{{"role":"assistant",{message}}},"finish_reason":"{finish}"}}"#)
}

fn answer(choices: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion","model":"x","choices":[{choices}],"usage":{{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}}}"#
    )
}

/// The choices as the client gets them.
fn translated(choices: &str) -> Result<String, Fault> {
    let answer = translate(&ENVELOPE, answer(choices).as_bytes())?;
    let text = String::from_utf8(answer.body).expect("UTF-8");
    let (_, rest) = text.split_once(r#""choices":["#).expect("choices");
    Ok(rest.split_once(r#"],"usage""#).expect("usage").0.to_owned())
}

#[test]
fn every_kind_of_content_has_its_place() {
    let call = |id: &str, arguments: &str| format!(r#"{{"id":{id},"function":{{"name":"f","arguments":{arguments}}}}}"#);
    let made =
        |id: &str, arguments: &str| format!(r#"{{"id":"{id}","type":"function","function":{{"name":"f","arguments":{arguments}}}}}"#);
    let said = |message: &str, finish: &str| {
        Ok(format!(r#"{{"index":0,"message":{{"role":"assistant",{message}}},"logprobs":null,"finish_reason":"{finish}"}}"#))
    };
    let chunks = r#"[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"reference","reference_ids":[1]},{"type":"text","text":"m"}]},{"type":"text","text":"a\n"},{"type":"reference","reference_ids":[1]},{"type":"text","text":"b"}]"#;
    for (given, expected) in [
        (choice(r#""content":"a\u00e9""#, "stop"), said(r#""content":"a\u00e9","refusal":null"#, "stop")),
        (choice(&format!(r#""content":{chunks}"#), "stop"), said(r#""content":"a\nb","refusal":null,"reasoning_content":"hm""#, "stop")),
        (
            choice(r#""content":[{"type":"thinking","thinking":"hm"}]"#, "length"),
            said(r#""content":"","refusal":null,"reasoning_content":"hm""#, "length"),
        ),
        (choice(r#""content":"a""#, "model_length"), said(r#""content":"a","refusal":null"#, "length")),
        (
            choice(
                &format!(
                    r#""content":"","tool_calls":[{},{},{},{}]"#,
                    call(r#""D681PevKs""#, r#""{\"a\":1}""#),
                    call(r#""null""#, r#"{"a": [1, 2]}"#),
                    call("null", r#""""#),
                    call(r#""x""#, "null")
                ),
                "tool_calls",
            ),
            said(
                &format!(
                    r#""content":null,"refusal":null,"tool_calls":[{},{},{},{}]"#,
                    made("D681PevKs", r#""{\"a\":1}""#),
                    made("call_nrc1_1", r#""{\"a\":[1,2]}""#),
                    made("call_nrc1_2", r#""{}""#),
                    made("x", r#""{}""#)
                ),
                "tool_calls",
            ),
        ),
        (choice(r#""content":"""#, "stop"), Err(Fault::Malformed)),
        (choice(r#""content":[{"type":"thinking","thinking":"hm"}]"#, "stop"), Err(Fault::Malformed)),
        (choice(r#""content":"a""#, "error"), Err(Fault::InBand("error".into()))),
        (choice(r#""content":7"#, "stop"), Err(Fault::Malformed)),
        (choice(r#""tool_calls":[{"id":"a"}]"#, "stop"), Err(Fault::Malformed)),
        (choice(&format!(r#""tool_calls":[{}]"#, call(r#""a""#, "[]")), "stop"), Err(Fault::Malformed)),
        (r#"{"index":0}"#.to_owned(), Err(Fault::Malformed)),
        (String::new(), Err(Fault::Malformed)),
    ] {
        assert_eq!(translated(&given), expected, "{given}");
    }
}

#[test]
fn every_choice_is_kept() {
    let second = choice(r#""content":"b""#, "length").replace(r#""index":0"#, r#""index":1,"logprobs":{"content":[]}"#);
    let found = translated(&[choice(r#""content":"a""#, "stop"), second].join(",")).expect("choices");
    let expected = [
        r#"{"index":0,"message":{"role":"assistant","content":"a","refusal":null},"logprobs":null,"finish_reason":"stop"}"#,
        r#"{"index":1,"message":{"role":"assistant","content":"b","refusal":null},"logprobs":{"content":[]},"finish_reason":"length"}"#,
    ];
    assert_eq!(found, expected.join(","));
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (body, expected) in [
        ("", Fault::Malformed),
        ("<html>", Fault::Malformed),
        ("{}", Fault::Malformed),
        (r#"{"choices":{}}"#, Fault::Malformed),
        (r#"{"object":"error","message":"x","type":"internal_server_error"}"#, Fault::InBand("internal_server_error".into())),
        (r#"{"error":{"message":"x","code":"3505"}}"#, Fault::InBand("3505".into())),
        (r#"{"detail":"x"}"#, Fault::InBand("error".into())),
    ] {
        assert_eq!(translate(&ENVELOPE, body.as_bytes()), Err(expected), "{body}");
    }
}

#[test]
fn tokens_from_the_cache_are_part_of_the_prompt() {
    let of = |uncached_input, cache_read| Some(Usage { uncached_input, cache_read, output: 2, ..Usage::default() });
    for (said, expected) in [
        (r#"{"prompt_tokens":10,"completion_tokens":2}"#, of(10, 0)),
        (r#"{"prompt_tokens":10,"completion_tokens":2,"num_cached_tokens":4}"#, of(6, 4)),
        (r#"{"prompt_tokens":10,"completion_tokens":2,"num_cached_tokens":null,"prompt_tokens_details":{"cached_tokens":4}}"#, of(6, 4)),
        (r#"{"prompt_tokens":10,"completion_tokens":2,"num_cached_tokens":99}"#, of(0, 10)),
        (r#"{"prompt_tokens":0,"completion_tokens":0}"#, None),
        ("{}", None),
    ] {
        assert_eq!(usage(said), expected, "{said}");
    }
}
