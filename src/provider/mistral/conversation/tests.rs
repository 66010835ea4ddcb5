//! Messages, their order and their contents.

use super::*;

fn translated(messages: &str, thinks: bool) -> Result<(String, Vec<String>), Failed> {
    let to = Conversation::translate(Vec::new(), Messages::read(messages), thinks)?;
    Ok((String::from_utf8(to.out).expect("UTF-8"), to.adjustments.into_list()))
}

fn message(role: &str, content: &str) -> String {
    format!(r#"{{"role":"{role}","content":"{content}"}}"#)
}

fn call(id: &str, arguments: &str) -> String {
    format!(
        r#"{{"role":"assistant","content":"","tool_calls":[{{"id":"{id}","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}}"#
    )
}

fn result(id: &str) -> String {
    format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"1"}}"#)
}

#[test]
fn turns_stand_in_the_order_that_is_taken() {
    let (user, answer, system) = (message("user", "a"), message("assistant", "b"), message("system", "s"));
    let (call, result) = (call("D681PevKs", r#""{}""#), result("D681PevKs"));
    let moved = "moved system messages from inside the conversation to its beginning";
    let between = "put an assistant message between a tool's result and a user message";
    let prefix = answer.replace('}', r#","prefix":true}"#);
    let ok = message("assistant", "OK");
    let developer = message("developer", "s");
    for (given, expected, changes) in [
        (vec![&user], vec![&user], &[][..]),
        (vec![&system, &developer, &user, &developer, &user], vec![&system, &system, &user, &system, &user], &[]),
        (vec![&user, &answer, &user, &call, &result], vec![&user, &answer, &user, &call, &result], &[]),
        (vec![&user, &call, &result, &user], vec![&user, &call, &result, &ok, &user], &[between]),
        (vec![&user, &answer], vec![&user, &prefix], &["prefix set on the last assistant message"]),
        (vec![&user, &call], vec![&user, &call], &[]),
        (vec![&user, &answer, &developer, &user], vec![&system, &user, &answer, &user], &[moved]),
        (
            vec![&system, &user, &call, &result, &system, &developer, &user],
            vec![&system, &system, &system, &user, &call, &result, &ok, &user],
            &[between, moved],
        ),
        (vec![&user, &call, &result, &system], vec![&system, &user, &call, &result], &[moved]),
        (vec![&system], vec![&user], &["sent the last system message as a user message, since none follows"]),
    ] {
        let joined = |messages: Vec<&String>| format!("[{}]", messages.into_iter().cloned().collect::<Vec<_>>().join(","));
        let expected = if given.len() == 1 { joined(given.clone()).replace("system", "user") } else { joined(expected) };
        let found = translated(&joined(given.clone()), false).unwrap_or_else(|failed| panic!("{given:?}: {failed:?}"));
        assert_eq!(found, (expected, changes.iter().map(|change| (*change).to_owned()).collect()), "{given:?}");
    }
}

#[test]
fn contents_keep_their_texts_and_lose_what_is_refused() {
    let user = message("user", "a");
    let part = r#"{"type":"text","text":"x"}"#;
    let thoughts = r#"{"role":"assistant","content":"so","reasoning_content":"hm"}"#;
    let chunks =
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"so"}]}"#;
    for (thinks, given, expected, changes) in [
        (false, thoughts.to_owned(), message("assistant", "so"), &["dropped messages[].reasoning_content"][..]),
        (true, thoughts.into(), chunks.into(), &[]),
        (
            false,
            r#"{"role":"assistant","content":"so","name":"n","annotations":[],"audio":{"id":"a"},"thinking_blocks":[]}"#.into(),
            message("assistant", "so"),
            &["dropped messages[].name", "dropped messages[].annotations", "dropped messages[].audio", "dropped messages[].thinking_blocks"],
        ),
        (
            false,
            r#"{"role":"assistant","refusal":"no"}"#.into(),
            r#"{"role":"assistant","content":[{"type":"text","text":"no"}]}"#.into(),
            &[],
        ),
        (
            false,
            format!(
                r#"{{"role":"user","content":[{part},{{"type":"text","text":""}},{{"type":"image_url","image_url":{{"url":"https://x/y","detail":"low"}},"cache_control":{{}}}}]}}"#
            ),
            format!(r#"{{"role":"user","content":[{part},{{"type":"image_url","image_url":{{"url":"https://x/y","detail":"low"}}}}]}}"#),
            &["dropped messages[].content[].cache_control"],
        ),
        (
            false,
            r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}]}"#.into(),
            r#"{"role":"user","content":[{"type":"input_audio","input_audio":"AAAA"},{"type":"document_url","document_url":"data:application/pdf;base64,JVBE","document_name":"a.pdf"}]}"#.into(),
            &[],
        ),
    ] {
        let found = translated(&format!("[{given},{user}]"), thinks).unwrap_or_else(|failed| panic!("{given}: {failed:?}"));
        assert_eq!(found, (format!("[{expected},{user}]"), changes.iter().map(|change| (*change).to_owned()).collect()), "{given}");
    }
}

#[test]
fn an_id_is_the_same_in_the_call_and_its_result() {
    let messages = format!("[{},{}]", call("call_1", r#"" ""#), result(r"call\u005f1"));
    let (out, changes) = translated(&messages, false).expect("messages");
    let id = out.split(r#""id":""#).nth(1).and_then(|rest| rest.get(..9)).expect("an id");
    assert_eq!(out, format!("[{},{}]", call(id, r#""{}""#), result(id)));
    assert!(changes.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{out}");
}

#[test]
fn what_cannot_be_translated_is_named_and_never_quoted() {
    let call = |call: &str| format!(r#"{{"role":"assistant","tool_calls":[{call}]}}"#);
    let part = |part: &str| format!(r#"{{"role":"user","content":[{part}]}}"#);
    for (message, param) in [
        (r#""secret""#.to_owned(), "messages[0]"),
        (r#"{"content":"secret"}"#.into(), "messages[0].role"),
        (r#"{"role":"secret"}"#.into(), "messages[0].role"),
        (r#"{"role":"function"}"#.into(), "messages[0].role"),
        (r#"{"role":"user","content":7}"#.into(), "messages[0].content"),
        (r#"{"role":"user","content":""}"#.into(), "messages"),
        (r#"{"role":"tool","content":"secret"}"#.into(), "messages[0].tool_call_id"),
        (r#"{"role":"tool","tool_call_id":7}"#.into(), "messages[0].tool_call_id"),
        (r#"{"role":"tool","tool_call_id":"a","name":7}"#.into(), "messages[0].name"),
        (r#"{"role":"assistant","function_call":{}}"#.into(), "messages[0].function_call"),
        (r#"{"role":"system","content":[{"type":"image_url"}]}"#.into(), "messages[0].content[0].type"),
        (call(r#"{"id":"c","type":"custom"}"#), "messages[0].tool_calls[0].type"),
        (call(r#"{"function":{"name":"f"}}"#), "messages[0].tool_calls[0].id"),
        (call(r#"{"id":"c","function":{"name":""}}"#), "messages[0].tool_calls[0].function.name"),
        (call(r#"{"id":"c","function":{"name":"f","arguments":7}}"#), "messages[0].tool_calls[0].function.arguments"),
        (part(r#"{"type":"secret"}"#), "messages[0].content[0].type"),
        (part(r#"{"type":"image_url","image_url":{"url":"secret"}}"#), "messages[0].content[0].image_url.url"),
        (part(r#"{"type":"input_audio","input_audio":{"data":7}}"#), "messages[0].content[0].input_audio.data"),
        (part(r#"{"type":"file","file":{"file_id":"secret"}}"#), "messages[0].content[0].file.file_id"),
        (part(r#"{"type":"file","file":{"file_data":"secret"}}"#), "messages[0].content[0].file.file_data"),
    ] {
        let failed = translated(&format!("[{message}]"), false).expect_err(&message);
        assert_eq!(failed.param.as_deref(), Some(param), "{message}: {failed:?}");
        assert!(!failed.message.contains("secret"), "{message}: {failed:?}");
    }
}
