//! Turns and roles, and the names of what is wrong.

use super::*;

fn translated(model: &str, messages: &str) -> Result<(String, String, Vec<String>), Failed> {
    translated_for(Service::GeminiApi, model, messages)
}

fn translated_for(service: Service, model: &str, messages: &str) -> Result<(String, String, Vec<String>), Failed> {
    let conversation = Conversation::translate(Vec::new(), service, Generation::of(model), Messages::read(messages))?;
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ok((text(conversation.out), text(conversation.system), conversation.adjustments.into_list()))
}

fn content(role: &str, parts: &[String]) -> String {
    format!(r#"{{"role":"{role}","parts":[{}]}}"#, parts.join(","))
}

fn text(text: &str) -> String {
    format!(r#"{{"text":"{text}"}}"#)
}

#[test]
fn roles_fold_into_two_and_results_stand_alone() {
    let user = |content: &str| format!(r#"{{"role":"user","content":"{content}"}}"#);
    let calls = r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"function":{"name":"g","arguments":"null"}}]}"#;
    let called =
        [r#"{"functionCall":{"id":"c1","name":"f","args":{"a":1}}}"#.to_owned(), r#"{"functionCall":{"name":"g","args":{}}}"#.to_owned()];
    let result = |response: &str| format!(r#"{{"functionResponse":{{"id":"c1","name":"f","response":{response}}}}}"#);
    for (messages, expected) in [
        (user("hi"), vec![content("user", &[text("hi")])]),
        ([user("a"), user("b")].join(","), vec![content("user", &[text("a"), text("b")])]),
        ([user("a"), r#"{"role":"assistant","content":""}"#.into(), user(" ")].join(","), vec![content("user", &[text("a"), text(" ")])]),
        (
            r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"refusal":"never"}"#.into(),
            vec![content("model", &[text("no"), text("never")])],
        ),
        (
            [calls, r#"{"role":"tool","tool_call_id":"c\u0031","content":"{\"b\": [2]}"}"#, &user("x")].join(","),
            vec![
                content("model", &called),
                content("user", &[r#"{"functionResponse":{"id":"c\u0031","name":"f","response":{"b": [2]}}}"#.into()]),
                content("user", &[text("x")]),
            ],
        ),
        (
            [calls, r#"{"role":"tool","tool_call_id":"c1","content":"{\"b\""},{"role":"tool","tool_call_id":"c1"}"#].join(","),
            vec![content("model", &called), content("user", &[result(r#"{"result":"{\"b\""}"#), result(r#"{"result":""}"#)])],
        ),
        (r#"{"role":"tool","name":"f","tool_call_id":"c1","content":[]}"#.into(), vec![content("user", &[result(r#"{"result":""}"#)])]),
    ] {
        let (out, system, changes) = translated("gemini-2.5-flash", &format!("[{messages}]")).expect(&messages);
        assert_eq!((out, system.as_str(), changes), (format!("[{}]", expected.join(",")), "", vec![]), "{messages}");
    }
}

#[test]
fn the_first_call_of_a_step_is_signed_where_it_has_to_be() {
    let call = |extra: &str| format!(r#"{{"function":{{"name":"f"}}{extra}}}"#);
    let signed = call(r#","extra_content":{"google":{"thought_signature":"c2ln"}}"#);
    let step = |calls: &[String]| format!(r#"[{{"role":"assistant","tool_calls":[{}]}}]"#, calls.join(","));
    let sent = |signature: &str| format!(r#"{{"functionCall":{{"name":"f","args":{{}}}}{signature}}}"#);
    let (own, none, dummy) =
        (sent(r#","thoughtSignature":"c2ln""#), sent(""), sent(r#","thoughtSignature":"skip_thought_signature_validator""#));
    for (model, calls, expected, noted) in [
        ("gemini-3-pro-preview", vec![signed.clone(), call("")], [&own, &none], false),
        ("gemini-3-pro-preview", vec![call(""), signed.clone()], [&dummy, &own], true),
        ("gemini-flash-latest", vec![call(""), call("")], [&dummy, &none], true),
        ("gemini-2.5-pro", vec![call(""), call("")], [&none, &none], false),
        ("gemini-2.5-pro", vec![signed.clone(), call("")], [&own, &none], false),
        ("endpoints/1", vec![call(""), call("")], [&none, &none], false),
    ] {
        let (out, _, changes) = translated(model, &step(&calls)).expect(model);
        assert_eq!(out, format!(r#"[{{"role":"model","parts":[{},{}]}}]"#, expected[0], expected[1]), "{model} {calls:?}");
        assert_eq!(!changes.is_empty(), noted, "{model} {calls:?}");
    }
}

#[test]
fn results_stand_in_the_order_of_their_calls_and_vertex_knows_no_ids() {
    let call = |id: &str| format!(r#"{{"id":"{id}","function":{{"name":"f","arguments":"{{}}"}}}}"#);
    let calls = |ids: [&str; 2]| format!(r#"{{"role":"assistant","tool_calls":[{},{}]}}"#, call(ids[0]), call(ids[1]));
    let result = |id: &str, says: &str| format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"{says}"}}"#);
    let steps = [calls(["a", "b"]), result("b", "2"), result("a", "1"), calls(["a", "b"]), result("b", "4"), result("a", "3")];
    let called = |id: &str| format!(r#"{{"functionCall":{{{id}"name":"f","args":{{}}}}}}"#);
    let answered = |id: &str, says: &str| format!(r#"{{"functionResponse":{{{id}"name":"f","response":{{"result":"{says}"}}}}}}"#);
    for (service, a, b) in [(Service::VertexAi, "", ""), (Service::GeminiApi, r#""id":"a","#, r#""id":"b","#)] {
        let expected = [["1", "2"], ["3", "4"]].map(|[first, second]| {
            [content("model", &[called(a), called(b)]), content("user", &[answered(a, first), answered(b, second)])].join(",")
        });
        let (out, ..) = translated_for(service, "gemini-2.5-pro", &format!("[{}]", steps.join(","))).expect("contents");
        assert_eq!(out, format!("[{}]", expected.join(",")), "{service:?}");
    }
}

#[test]
fn what_cannot_be_translated_is_named_and_never_quoted() {
    let call = |call: &str| format!(r#"[{{"role":"assistant","tool_calls":[{call}]}}]"#);
    let part = |part: &str| format!(r#"[{{"role":"user","content":[{{"type":"text","text":"x"}},{part}]}}]"#);
    for (messages, param) in [
        (r#""secret""#.to_owned(), "messages"),
        ("[]".into(), "messages"),
        (r#"[{"role":"user","content":""}]"#.into(), "messages"),
        (r#"["secret"]"#.into(), "messages[0]"),
        (r#"[{"content":"secret"}]"#.into(), "messages[0].role"),
        (r#"[{"role":"secret"}]"#.into(), "messages[0].role"),
        (r#"[{"role":"function","name":"secret"}]"#.into(), "messages[0].role"),
        (r#"[{"role":"user","content":7}]"#.into(), "messages[0].content"),
        (r#"[{"role":"tool","content":"secret"}]"#.into(), "messages[0].tool_call_id"),
        (r#"[{"role":"tool","tool_call_id":"secret"}]"#.into(), "messages[0].tool_call_id"),
        (r#"[{"role":"tool","tool_call_id":"c","name":"f","content":7}]"#.into(), "messages[0].content"),
        (r#"[{"role":"tool","tool_call_id":"c","name":"f","content":[{"type":"secret"}]}]"#.into(), "messages[0].content[0].type"),
        (r#"[{"role":"assistant","function_call":{}}]"#.into(), "messages[0].function_call"),
        (r#"[{"role":"assistant","tool_calls":{}}]"#.into(), "messages[0].tool_calls"),
        (r#"[{"role":"assistant","content":[{"type":"image_url"}]}]"#.into(), "messages[0].content[0].type"),
        (call("7"), "messages[0].tool_calls[0]"),
        (call(r#"{"id":"c","type":"custom"}"#), "messages[0].tool_calls[0].type"),
        (call(r#"{"id":7,"function":{"name":"f"}}"#), "messages[0].tool_calls[0].id"),
        (call(r#"{"id":"c"}"#), "messages[0].tool_calls[0].function"),
        (call(r#"{"id":"c","function":{"name":7}}"#), "messages[0].tool_calls[0].function.name"),
        (call(r#"{"id":"c","function":{"name":"f","arguments":"{secret"}}"#), "messages[0].tool_calls[0].function.arguments"),
        (part("7"), "messages[0].content[1]"),
        (part(r#"{"text":"secret"}"#), "messages[0].content[1].type"),
        (part(r#"{"type":"text"}"#), "messages[0].content[1].text"),
        (part(r#"{"type":"secret"}"#), "messages[0].content[1].type"),
        (part(r#"{"type":"input_audio","input_audio":{"data":"secret","format":"pcm16"}}"#), "messages[0].content[1].input_audio.format"),
        (part(r#"{"type":"input_audio","input_audio":{"format":"wav"}}"#), "messages[0].content[1].input_audio.data"),
        (part(r#"{"type":"image_url","image_url":"https://secret"}"#), "messages[0].content[1].image_url"),
        (part(r#"{"type":"image_url","image_url":{"url":"https://secret"}}"#), "messages[0].content[1].image_url.url"),
        (part(r#"{"type":"image_url","image_url":{"url":"secret"}}"#), "messages[0].content[1].image_url.url"),
        (part(r#"{"type":"file","file":{"file_id":"secret"}}"#), "messages[0].content[1].file.file_id"),
        (part(r#"{"type":"file","file":{"file_data":"secret"}}"#), "messages[0].content[1].file.file_data"),
    ] {
        let failed = translated("", &messages).expect_err(&messages);
        assert_eq!(failed.param.as_deref(), Some(param), "{messages}: {failed:?}");
        assert!(!failed.message.contains("secret"), "{messages}: {failed:?}");
    }
}
