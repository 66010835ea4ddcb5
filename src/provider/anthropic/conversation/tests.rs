//! Messages and the turns they become.

use super::*;

fn translated(messages: &str) -> Result<(String, String, Vec<String>), Failed> {
    let conversation = Conversation::translate(Vec::new(), Messages::read(messages), true)?;
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ok((text(conversation.out), text(conversation.system), conversation.adjustments.into_list()))
}

#[test]
fn roles_fold_into_two_that_alternate() {
    let text = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let turn = |role: &str, blocks: &[String]| format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(","));
    let user = |content: &str| format!(r#"{{"role":"user","content":"{content}"}}"#);
    let call = r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","function":{"name":"g","arguments":""}}]}"#;
    let calls = [
        r#"{"type":"tool_use","id":"c1","name":"f","input":{"a":1}}"#.to_owned(),
        r#"{"type":"tool_use","id":"c2","name":"g","input":{}}"#.to_owned(),
    ];
    let result = |id: &str, content: &str| format!(r#"{{"type":"tool_result","tool_use_id":"{id}"{content}}}"#);
    for (messages, expected) in [
        (user("hi"), vec![turn("user", &[text("hi")])]),
        ([user("a"), user("b")].join(","), vec![turn("user", &[text("a"), text("b")])]),
        ([user("a"), r#"{"role":"assistant","content":" "}"#.into(), user("b")].join(","), vec![turn("user", &[text("a"), text("b")])]),
        ([user("a"), r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"refusal":"never"}"#.into()].join(","), vec![turn("user", &[text("a")]), turn("assistant", &[text("no"), text("never")])]),
        (
            [&user("a"), call, r#"{"role":"tool","tool_call_id":"c1","content":"1"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":""}]}"#, &user("b")].join(","),
            vec![turn("user", &[text("a")]), turn("assistant", &calls), turn("user", &[result("c1", r#","content":"1""#), result("c2", ""), text("b")])],
        ),
        (
            r#"{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}],"cache_control":{"type":"ephemeral"}}"#.into(),
            vec![turn("user", &[result("c", &format!(r#","content":[{},{}],"cache_control":{{"type":"ephemeral"}}"#, text("x"), text("y")))])],
        ),
    ] {
        let (out, system, changes) = translated(&format!("[{messages}]")).expect(&messages);
        assert_eq!((out, system.as_str(), changes), (format!("[{}]", expected.join(",")), "", vec![]), "{messages}");
    }
}

#[test]
fn instructions_move_to_the_system_prompt_in_their_order() {
    let messages = r#"[{"role":"system","content":"a"},{"role":"user","content":"b"},{"role":"developer","content":[{"type":"text","text":"c","cache_control":{"type":"ephemeral"}}]}]"#;
    let (_, system, changes) = translated(messages).expect("turns");
    assert_eq!(system, r#"{"type":"text","text":"a"},{"type":"text","text":"c","cache_control":{"type":"ephemeral"}}"#);
    assert_eq!(changes, ["moved 1 system message(s) from inside the conversation to its beginning"]);
    let (out, system, changes) = translated(r#"[{"role":"system","content":"a"}]"#).expect("a turn");
    assert_eq!((out.as_str(), system.as_str()), (r#"[{"role":"user","content":[{"type":"text","text":"a"}]}]"#, ""));
    assert_eq!(changes, ["sent the system prompt as a user message, since there is no other"]);
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
        (r#"[{"role":"user","content":{"secret":1}}]"#.into(), "messages[0].content"),
        (r#"[{"role":"user","content":"x","cache_control":7}]"#.into(), "messages[0].cache_control"),
        (r#"[{"role":"tool","content":"secret"}]"#.into(), "messages[0].tool_call_id"),
        (r#"[{"role":"tool","tool_call_id":"c","content":7}]"#.into(), "messages[0].content"),
        (r#"[{"role":"assistant","function_call":{}}]"#.into(), "messages[0].function_call"),
        (r#"[{"role":"assistant","tool_calls":{}}]"#.into(), "messages[0].tool_calls"),
        (r#"[{"role":"assistant","content":[{"type":"image_url"}]}]"#.into(), "messages[0].content[0].type"),
        (call("7"), "messages[0].tool_calls[0]"),
        (call(r#"{"id":"c","type":"custom"}"#), "messages[0].tool_calls[0].type"),
        (call(r#"{"function":{"name":"f"}}"#), "messages[0].tool_calls[0].id"),
        (call(r#"{"id":7,"function":{"name":"f"}}"#), "messages[0].tool_calls[0].id"),
        (call(r#"{"id":"c"}"#), "messages[0].tool_calls[0].function"),
        (call(r#"{"id":"c","function":{"name":7}}"#), "messages[0].tool_calls[0].function.name"),
        (call(r#"{"id":"c","function":{"name":"f","arguments":"{secret"}}"#), "messages[0].tool_calls[0].function.arguments"),
        (part("7"), "messages[0].content[1]"),
        (part(r#"{"text":"secret"}"#), "messages[0].content[1].type"),
        (part(r#"{"type":"text"}"#), "messages[0].content[1].text"),
        (part(r#"{"type":"secret"}"#), "messages[0].content[1].type"),
        (part(r#"{"type":"input_audio"}"#), "messages[0].content[1].type"),
        (part(r#"{"type":"image_url","image_url":"https://secret"}"#), "messages[0].content[1].image_url"),
        (part(r#"{"type":"image_url","image_url":{"url":"secret"}}"#), "messages[0].content[1].image_url.url"),
        (part(r#"{"type":"image_url","image_url":{"url":"data:image/tiff;base64,secret"}}"#), "messages[0].content[1].image_url.url"),
        (part(r#"{"type":"file","file":{"file_id":"secret"}}"#), "messages[0].content[1].file.file_id"),
        (part(r#"{"type":"file","file":{"file_data":"data:text/plain;base64,secret"}}"#), "messages[0].content[1].file.file_data"),
    ] {
        let failed = translated(&messages).expect_err(&messages);
        assert_eq!(failed.param.as_deref(), Some(param), "{messages}: {failed:?}");
        assert!(!failed.message.contains("secret"), "{messages}: {failed:?}");
    }
}

const USER: &str = r#"{"role":"user","content":"a"}"#;
const USER_SENT: &str = r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#;

#[test]
fn what_tools_returned_comes_first_in_the_turn_of_the_user() {
    let messages = r#"[
        {"role":"user","content":"a"},
        {"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f"}},{"id":"c2","function":{"name":"f"}}]},
        {"role":"user","content":"b"},
        {"role":"tool","tool_call_id":"c1","content":"1"},
        {"role":"user","content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"https://x/y"}}]},
        {"role":"tool","tool_call_id":"c2","content":[{"type":"image_url","image_url":{"url":"https://x/z"}}]},
        {"role":"assistant","content":"d"},
        {"role":"user","content":"e"}]"#;
    let image = |name: &str| format!(r#"{{"type":"image","source":{{"type":"url","url":"https://x/{name}"}}}}"#);
    let call = |id: &str| format!(r#"{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}"#);
    let text = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let expected = [
        format!(r#"[{USER_SENT},{{"role":"assistant","content":[{},{}]}},"#, call("c1"), call("c2")),
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"1"},"#.into(),
        format!(r#"{{"type":"tool_result","tool_use_id":"c2","content":[{}]}},"#, image("z")),
        format!(r#"{},{},{}]}},"#, text("b"), text("c"), image("y")),
        format!(r#"{{"role":"assistant","content":[{}]}},{{"role":"user","content":[{}]}}]"#, text("d"), text("e")),
    ];
    assert_eq!(translated(messages), Ok((expected.concat(), String::new(), vec![])));
    // Nobody answers: the API says so.
    let unanswered = format!(
        r#"[{USER},{{"role":"assistant","tool_calls":[{{"id":"c1","function":{{"name":"f"}}}}]}},{{"role":"user","content":"b"}}]"#
    );
    let (out, ..) = translated(&unanswered).expect("turns");
    assert!(out.ends_with(&format!(r#"{{"role":"user","content":[{}]}}]"#, text("b"))), "{out}");
}

#[test]
fn thoughts_come_back_before_texts_and_calls() {
    let thought = r#"{"type":"thinking","thinking":"hm","signature":"c2ln"}"#;
    let call = r#""tool_calls":[{"id":"c","function":{"name":"f"}}]"#;
    let result = r#"{"role":"tool","tool_call_id":"c","content":"1"}"#;
    for (message, blocks, thinks, changes) in [
        (
            format!(r#"{{"role":"assistant","content":"x","reasoning_content":"hm","thinking_blocks":[{thought}],{call}}}"#),
            format!(r#"{thought},{{"type":"text","text":"x"}},"#),
            true,
            vec![],
        ),
        (format!(r#"{{"role":"assistant","thinking_blocks":[],{call}}}"#), String::new(), false, vec![]),
        (
            format!(r#"{{"role":"assistant","thinking_blocks":[{thought},{{"type":"thinking","thinking":"unsigned"}}],{call}}}"#),
            String::new(),
            false,
            vec!["dropped messages[].thinking_blocks"],
        ),
        (
            format!(r#"{{"role":"assistant","reasoning_content":"hm",{call}}}"#),
            String::new(),
            false,
            vec!["dropped messages[].reasoning_content"],
        ),
    ] {
        let messages = format!("[{USER},{message},{result}]");
        let conversation = Conversation::translate(Vec::new(), Messages::read(&messages), true).expect("turns");
        let (out, thought) = (String::from_utf8(conversation.out).expect("UTF-8"), conversation.thought);
        let begin = format!(r#"[{USER_SENT},{{"role":"assistant","content":[{blocks}{{"type":"tool_use","#);
        assert!(out.starts_with(&begin), "{out}");
        assert_eq!((thought, conversation.adjustments.into_list()), (thinks, changes.iter().map(|c| (*c).to_owned()).collect()));
    }
}

#[test]
fn only_a_turn_that_begins_with_thoughts_counts_as_thought_through() {
    let thought = r#"{"role":"assistant","content":"y","thinking_blocks":[{"type":"redacted_thinking","data":"x"}]}"#;
    let plain = r#"{"role":"assistant","content":"x"}"#;
    for (messages, expected) in [
        (format!("[{USER},{plain},{thought}]"), false),
        (format!("[{USER},{thought},{plain}]"), true),
        (format!("[{USER},{thought},{USER},{plain}]"), false),
    ] {
        assert_eq!(Conversation::translate(Vec::new(), Messages::read(&messages), false).map(|c| c.thought), Ok(expected), "{messages}");
    }
}

#[test]
fn what_was_thought_in_between_goes_back_to_its_place() {
    let thought = |n: u64, after: &str| format!(r#"{{"type":"thinking","thinking":"{n}","signature":"s{n}"{after}}}"#);
    let after = |characters: u64, calls: u64| format!(r#","after":{{"characters":{characters},"tool_calls":{calls}}}"#);
    let call = |id: &str| format!(r#"{{"id":"{id}","function":{{"name":"f","arguments":"{{}}"}}}}"#);
    let called = |id: &str| format!(r#"{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}"#);
    let said = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let results = ["a", "b"].map(|id| format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"1"}}"#)).join(",");
    let sent = |content: &str, blocks: &[String], calls: &[String]| {
        let calls = if calls.is_empty() { String::new() } else { format!(r#","tool_calls":[{}]"#, calls.join(",")) };
        let message = format!(r#"{{"role":"assistant","content":{content},"thinking_blocks":[{}]{calls}}}"#, blocks.join(","));
        let behind = if calls.is_empty() { USER } else { &results };
        let (out, _, changes) = translated(&format!("[{USER},{message},{behind}]")).expect("turns");
        let turn = out.strip_prefix(&format!(r#"[{USER_SENT},{{"role":"assistant","content":["#)).expect("a turn of the assistant's");
        (turn.split_once(r#"]},{"role":"user""#).expect("a turn of the user's").0.to_owned(), changes)
    };
    let (one, two) = (thought(1, ""), |place: (u64, u64)| thought(2, &after(place.0, place.1)));
    let both = [call("a"), call("b")];
    for (content, place, calls, expected) in [
        // Between two texts, of which the first ends with an escape.
        (r#""é\u00e9. So.""#, (3, 0), &both[..0], vec![one.clone(), said(r"é\u00e9."), thought(2, ""), said(" So.")]),
        ("null", (0, 1), &both, vec![one.clone(), called("a"), thought(2, ""), called("b")]),
        (r#""So.""#, (3, 1), &both, vec![one.clone(), said("So."), called("a"), thought(2, ""), called("b")]),
        // A text behind the first call.
        (r#""So.""#, (0, 1), &both, vec![one.clone(), called("a"), thought(2, ""), said("So."), called("b")]),
        // More than there is: somebody has cut the text, or written parts.
        (r#""So""#, (9, 0), &both[..1], vec![one.clone(), said("So"), thought(2, ""), called("a")]),
        (r#"[{"type":"text","text":"So."}]"#, (3, 0), &both[..1], vec![one.clone(), thought(2, ""), said("So."), called("a")]),
    ] {
        assert_eq!(sent(content, &[one.clone(), two(place)], calls), (expected.join(","), vec![]), "{content} {place:?}");
    }
    // What nothing follows is refused.
    let lost = vec!["dropped what the assistant thought last, since nothing follows it".to_owned()];
    assert_eq!(sent(r#""So.""#, &[one.clone(), two((3, 0))], &[]), ([one.clone(), said("So.")].join(","), lost.clone()));
    let silent = format!(r#"[{USER},{{"role":"assistant","content":"","thinking_blocks":[{one}]}},{USER}]"#);
    let (out, _, changes) = translated(&silent).expect("turns");
    assert_eq!((out.contains("assistant"), changes), (false, lost));
}

#[test]
fn a_message_that_the_model_goes_on_with_has_no_thoughts() {
    let message = r#"{"role":"assistant","content":"So ","thinking_blocks":[{"type":"thinking","thinking":"1","signature":"s"},{"type":"redacted_thinking","data":"d","after":{"characters":1,"tool_calls":0}}]}"#;
    let (out, _, changes) = translated(&format!("[{USER},{message}]")).expect("turns");
    let texts = r#"{"type":"text","text":"S"},{"type":"text","text":"o"}"#;
    assert_eq!(out, format!(r#"[{USER_SENT},{{"role":"assistant","content":[{texts}]}}]"#));
    assert_eq!(changes, ["dropped messages[].thinking_blocks of the last message", "trimmed the last message"]);
}

#[test]
fn a_last_message_of_the_assistants_is_what_the_model_takes() {
    let ends = |content: &str, continues: bool| {
        let messages = format!(r#"[{USER},{{"role":"assistant","content":{content}}}]"#);
        let conversation = Conversation::translate(Vec::new(), Messages::read(&messages), continues).expect("turns");
        let out = String::from_utf8(conversation.out).expect("UTF-8");
        (out.strip_prefix(&format!("[{USER_SENT},")).map(str::to_owned), conversation.adjustments.into_list())
    };
    let sent = |text: &str| Some(format!(r#"{{"role":"assistant","content":[{{"type":"text","text":"{text}"}}]}}]"#));
    let trimmed = vec!["trimmed the last message".to_owned()];
    assert_eq!(ends(r#""The answer is (""#, true), (sent("The answer is ("), vec![]));
    assert_eq!(ends(r#""x \n\t ""#, true), (sent("x"), trimmed.clone()));
    assert_eq!(ends(r#""x\\n ""#, true), (sent(r"x\\n"), trimmed));
    assert_eq!(ends(r#"[{"type":"text","text":"x"}]"#, true), (sent("x"), vec![]));
    let asked =
        r#"{"role":"assistant","content":[{"type":"text","text":"x "}]},{"role":"user","content":[{"type":"text","text":"Continue."}]}]"#;
    assert_eq!(
        ends(r#""x ""#, false),
        (Some(asked.to_owned()), vec!["asked the model to continue, which it does not by itself".to_owned()])
    );
}

#[test]
fn the_first_turn_is_the_users() {
    let (out, _, changes) = translated(r#"[{"role":"assistant","content":"x"},{"role":"user","content":"a"}]"#).expect("turns");
    let expected =
        r#"[{"role":"user","content":[{"type":"text","text":"."}]},{"role":"assistant","content":[{"type":"text","text":"x"}]},"#;
    assert_eq!(out, format!("{expected}{USER_SENT}]"));
    assert_eq!(changes, ["put a message of the user's before the first of the assistant's"]);
}

#[test]
fn a_turn_with_results_is_one_whatever_else_the_user_says() {
    let call = r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f"}}]}"#;
    let result = r#"{"role":"tool","tool_call_id":"c","content":"1"}"#;
    let plain = r#"{"role":"assistant","content":"x"}"#;
    for (messages, expected) in [
        (vec![USER], Ending::User),
        (vec![USER, plain], Ending::Assistant),
        (vec![USER, call, result], Ending::ToolResult),
        (vec![USER, call, result, USER], Ending::ToolResult),
        (vec![USER, call, USER, result], Ending::ToolResult),
        (vec![USER, call, result, plain, USER], Ending::User),
    ] {
        let messages = format!("[{}]", messages.join(","));
        assert_eq!(Conversation::translate(Vec::new(), Messages::read(&messages), true).map(|c| c.ending), Ok(expected), "{messages}");
    }
}
