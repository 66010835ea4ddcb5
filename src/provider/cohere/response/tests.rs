//! Answers and what is none.

use super::*;

const ENVELOPE: Envelope<'static> =
    Envelope { id: "nrc_1", model: "command", created: 7, routing: r#"{"selected":"command"}"#, include_usage: false, bill: None };

fn answer(reason: &str, message: &str) -> String {
    format!(
        r#"{{"id":"c14c80c3","finish_reason":"{reason}","message":{{"role":"assistant",{message}}},"usage":{{"billed_units":{{"input_tokens":3,"output_tokens":2}}}}}}"#
    )
}

/// The message and the reason of the end, as the client gets them.
fn translated(body: &str) -> Result<String, Fault> {
    let answer = translate(&ENVELOPE, body.as_bytes())?;
    let text = String::from_utf8(answer.body).expect("UTF-8");
    let (_, rest) = text.split_once(r#""message":{"role":"assistant","#).expect("a message");
    let (message, _) = rest.split_once(r#","usage""#).expect("usage");
    Ok(message.to_owned())
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (body, expected) in [
        (String::new(), Fault::Malformed),
        ("<html>".into(), Fault::Malformed),
        ("{}".into(), Fault::Malformed),
        (r#"{"message":"internal server error, this has been reported to our developers"}"#.into(), Fault::InBand("error".into())),
        (answer("ERROR", r#""content":[{"type":"text","text":"x"}]"#), Fault::InBand("error".into())),
        (answer("TIMEOUT", r#""content":[{"type":"text","text":"x"}]"#), Fault::InBand("timeout".into())),
        (answer("COMPLETE", r#""content":[]"#), Fault::Malformed),
        (answer("COMPLETE", r#""content":null"#), Fault::Malformed),
        (answer("COMPLETE", r#""content":[{"type":"thinking","thinking":"hm"}]"#), Fault::Malformed),
        (answer("COMPLETE", r#""content":[7]"#), Fault::Malformed),
        (answer("COMPLETE", r#""content":[{"type":"text","text":7}]"#), Fault::Malformed),
        (answer("TOOL_CALL", r#""tool_calls":[{"id":"a","function":{}}]"#), Fault::Malformed),
        (answer("TOOL_CALL", r#""tool_calls":[{"id":"a"}]"#), Fault::Malformed),
        (answer("TOOL_CALL", r#""tool_plan":7"#), Fault::Malformed),
    ] {
        assert_eq!(translated(&body), Err(expected), "{body}");
    }
}

#[test]
fn every_kind_of_content_has_its_place() {
    let call =
        |id: &str, arguments: &str| format!(r#"{{"id":"{id}","type":"function","function":{{"name":"f","arguments":{arguments}}}}}"#);
    let calls = |calls: &[String]| format!(r#""tool_calls":[{}]"#, calls.join(","));
    let end = |reason: &str| format!(r#"}},"logprobs":null,"finish_reason":"{reason}"}}]"#);
    for (body, expected) in [
        (
            answer(
                "COMPLETE",
                r#""content":[{"type":"thinking","thinking":"h\u00e9"},{"type":"text","text":"a\n"},{"type":"future"},{"type":"text","text":"b"}]"#,
            ),
            format!(r#""content":"a\nb","refusal":null,"reasoning_content":"h\u00e9"{}"#, end("stop")),
        ),
        (answer("COMPLETE", r#""content":"plain""#), format!(r#""content":"plain","refusal":null{}"#, end("stop"))),
        (
            answer("MAX_TOKENS", r#""content":[{"type":"thinking","thinking":"hm"}]"#),
            format!(r#""content":"","refusal":null,"reasoning_content":"hm"{}"#, end("length")),
        ),
        (answer("ERROR_TOXIC", r#""content":[]"#), format!(r#""content":"","refusal":null{}"#, end("content_filter"))),
        (
            answer(
                "TOOL_CALL",
                &format!(
                    r#""tool_plan":"I will.",{}"#,
                    calls(&[call("f_1", r#""{\"a\":1}""#), call("f_2", r#""""#), call("", "null"), call("f_4", r#"{ "b": 2 }"#)])
                ),
            ),
            format!(
                r#""content":null,"refusal":null,"reasoning_content":"I will.",{}{}"#,
                calls(&[
                    call("f_1", r#""{\"a\":1}""#),
                    call("f_2", r#""{}""#),
                    call("call_nrc1_2", r#""{}""#),
                    call("f_4", r#""{\"b\":2}""#)
                ]),
                end("tool_calls")
            ),
        ),
        (
            answer("MAX_TOKENS", &calls(&[call("f_1", r#""{\"a\"""#)])),
            format!(r#""content":null,"refusal":null,{}{}"#, calls(&[call("f_1", r#""{\"a\"""#)]), end("length")),
        ),
    ] {
        assert_eq!(translated(&body), Ok(expected), "{body}");
    }
}

#[test]
fn sources_with_an_address_become_annotations() {
    let cited = |members: &str| {
        let content = r#"[{"type":"text","text":"né: "},{"type":"thinking","thinking":"hm"},{"type":"text","text":"Paris"}]"#;
        translated(&answer("COMPLETE", &format!(r#""content":{content},"citations":[{{"start":0,"end":5,{members}}}]"#)))
    };
    let annotated = |url: &str, title: &str, start: u64, end: u64| {
        let citation = format!(r#"{{"url":"{url}","title":"{title}","start_index":{start},"end_index":{end}}}"#);
        Ok(format!(
            r#""content":"né: Paris","refusal":null,"reasoning_content":"hm","annotations":[{{"type":"url_citation","url_citation":{citation}}}]}},"logprobs":null,"finish_reason":"stop"}}]"#
        ))
    };
    let plain = Ok(r#""content":"né: Paris","refusal":null,"reasoning_content":"hm"},"logprobs":null,"finish_reason":"stop"}]"#.to_owned());
    for (members, expected) in [
        (r#""sources":[{"type":"document","id":"d","document":{"url":"https://x","title":"X"}}]"#, annotated("https://x", "X", 0, 5)),
        (
            r#""sources":[{"type":"tool","tool_output":{"url":"https://x"}}],"content_index":2,"type":"TEXT_CONTENT""#,
            annotated("https://x", "https://x", 4, 9),
        ),
        (r#""sources":[{"type":"tool","id":"t:0","tool_output":{"content":"x"}}]"#, plain.clone()),
        (r#""sources":[{"document":{"url":"https://x"}}],"type":"PLAN""#, plain.clone()),
        (r#""text":"Paris""#, plain),
    ] {
        assert_eq!(cited(members), expected, "{members}");
    }
}

#[test]
fn log_probabilities_become_openais() {
    for (items, expected) in [
        (
            r#"[{"text":"Hi","token_ids":[1],"logprobs":[-0.5]},{"text":" you","token_ids":[2,3],"logprobs":[-0.25,-1]}]"#,
            Some(
                r#"{"content":[{"token":"Hi","logprob":-0.5,"bytes":null,"top_logprobs":[]},{"token":" you","logprob":-1.25,"bytes":null,"top_logprobs":[]}],"refusal":null}"#,
            ),
        ),
        ("[]", None),
        (r#"[{"token_ids":[1]}]"#, None),
        (r#"[{"text":"x","logprobs":[-1e308,-1e308]}]"#, None),
        (r#"[{"text":"x","logprobs":["y"]}]"#, None),
        ("7", None),
    ] {
        let found = logprobs(items).map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        assert_eq!(found.as_deref(), expected, "{items}");
    }
}
