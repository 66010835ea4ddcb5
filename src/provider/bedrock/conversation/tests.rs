//! Turns of conversations that the goldens do not have, and what is wrong with others.

use super::*;
use crate::provider::bedrock::family::Family;

const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

fn translated(model: &str, messages: &str) -> Result<(String, String, Vec<String>), Failed> {
    let conversation = Conversation::translate(Vec::new(), Messages::read(messages), Family::of(model))?;
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ok((text(conversation.out), text(conversation.system), conversation.adjustments.into_list()))
}

fn turn(role: &str, blocks: &[&str]) -> String {
    format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(","))
}

#[test]
fn neighbours_of_one_role_become_one_turn() {
    let messages = r#"[{"role":"user","content":"a"},{"role":"assistant","content":" "},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":""}]},
        {"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"refusal":"never"}]"#;
    let (out, _, changes) = translated(CLAUDE, messages).expect("turns");
    let expected = [turn("user", &[r#"{"text":"a"}"#, r#"{"text":"b"}"#]), turn("assistant", &[r#"{"text":"no"}"#, r#"{"text":"never"}"#])];
    assert_eq!((out, changes), (format!("[{}]", expected.join(",")), vec![]));
}

#[test]
fn a_model_that_does_not_go_on_by_itself_is_asked_to() {
    let user = r#"{"role":"user","content":"a"}"#;
    let said = r#"{"role":"assistant","content":"b"}"#;
    let called = r#"{"role":"assistant","content":"b","tool_calls":[{"id":"c","function":{"name":"f"}}]}"#;
    let (asked, spoken) = (turn("user", &[r#"{"text":"a"}"#]), turn("assistant", &[r#"{"text":"b"}"#]));
    let go_on = turn("user", &[r#"{"text":"Continue."}"#]);
    for (model, last, expected) in [
        ("anthropic.claude-opus-4-6-v1", said, format!("[{asked},{spoken},{go_on}]")),
        (CLAUDE, said, format!("[{asked},{spoken}]")),
        ("meta.llama3-3-70b-instruct-v1:0", said, format!("[{asked},{spoken}]")),
        (
            "anthropic.claude-opus-4-6-v1",
            called,
            format!("[{asked},{}]", turn("assistant", &[r#"{"text":"b"}"#, r#"{"toolUse":{"toolUseId":"c","name":"f","input":{}}}"#])),
        ),
    ] {
        let (out, _, changes) = translated(model, &format!("[{user},{last}]")).expect("turns");
        assert_eq!(
            (out.as_str(), changes.len()),
            (expected.as_str(), usize::from(expected.ends_with(&format!("{go_on}]")))),
            "{model} {last}"
        );
    }
}

#[test]
fn a_marker_inside_a_result_stands_behind_it() {
    let messages = r#"[{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"data:image/webp;base64,UklG"}}]}]"#;
    let (out, ..) = translated(CLAUDE, messages).expect("turns");
    let result = r#"{"toolResult":{"toolUseId":"c","content":[{"text":"x"},{"image":{"format":"webp","source":{"bytes":"UklG"}}}]}}"#;
    assert_eq!(out, format!("[{}]", turn("user", &[result, r#"{"cachePoint":{"type":"default"}}"#])));
}

#[test]
fn thinking_without_a_signature_or_amid_a_turn_stays_here() {
    let signed = r#"{"type":"thinking","thinking":"t","signature":"s"}"#;
    let sent = r#"{"reasoningContent":{"reasoningText":{"text":"t","signature":"s"}}}"#;
    let message = |blocks: &str| format!(r#"{{"role":"assistant","content":"x","thinking_blocks":[{blocks}]}}"#);
    let user = r#"{"role":"user","content":"u"}"#;
    let asked = turn("user", &[r#"{"text":"u"}"#]);
    for (messages, blocks, changes) in [
        (message(signed), vec![sent, r#"{"text":"x"}"#], &[][..]),
        (
            message(r#"{"type":"thinking","thinking":"t"},{"type":"redacted_thinking"},{"type":"tomorrow"}"#),
            vec![r#"{"text":"x"}"#],
            &["dropped messages[].thinking_blocks[]", "dropped messages[].thinking_blocks"],
        ),
        (
            format!("{},{}", message(signed), message(signed)),
            vec![sent, r#"{"text":"x"}"#, r#"{"text":"x"}"#],
            &["dropped messages[].thinking_blocks"],
        ),
    ] {
        let (out, _, found) = translated(CLAUDE, &format!("[{user},{messages}]")).expect(&messages);
        assert_eq!(out, format!("[{asked},{}]", turn("assistant", &blocks)), "{messages}");
        assert_eq!(found, changes, "{messages}");
    }
}

#[test]
fn documents_have_names_of_their_own_and_a_text_beside_them() {
    let file = r#"{"type":"file","file":{"file_data":"data:text/csv;base64,YSxi"}}"#;
    let messages = format!(
        r#"[{{"role":"user","content":[{file},{file}]}},{{"role":"user","content":"x"}},{{"role":"assistant","content":"y"}},{{"role":"user","content":[{file}]}}]"#
    );
    let (out, _, changes) = translated(CLAUDE, &messages).expect("turns");
    for name in ["Document 1", "Document 2", "Document 3"] {
        assert_eq!(out.matches(name).count(), 1, "{out}");
    }
    assert_eq!((out.matches(r#"{"text":"."}"#).count(), out.ends_with(r#"{"text":"."}]}]"#)), (1, true), "{out}");
    assert_eq!(changes, ["added a text beside a document, as the provider demands"]);
}

#[test]
fn what_cannot_be_translated_is_named_and_never_quoted() {
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
        (r#"[{"role":"user","content":"x","cache_control":7}]"#.into(), "messages[0].cache_control"),
        (r#"[{"role":"user","content":"x","cache_control":{"ttl":"secret"}}]"#.into(), "messages[0].cache_control.ttl"),
        (r#"[{"role":"tool","content":"secret"}]"#.into(), "messages[0].tool_call_id"),
        (r#"[{"role":"tool","tool_call_id":"c","content":7}]"#.into(), "messages[0].content"),
        (r#"[{"role":"assistant","function_call":{}}]"#.into(), "messages[0].function_call"),
        (r#"[{"role":"assistant","tool_calls":{}}]"#.into(), "messages[0].tool_calls"),
        (r#"[{"role":"assistant","thinking_blocks":7}]"#.into(), "messages[0].thinking_blocks"),
        (r#"[{"role":"assistant","thinking_blocks":["secret"]}]"#.into(), "messages[0].thinking_blocks[0]"),
        (r#"[{"role":"assistant","content":[{"type":"image_url"}]}]"#.into(), "messages[0].content[0].type"),
        (r#"[{"role":"assistant","tool_calls":[{"id":"c","type":"custom"}]}]"#.into(), "messages[0].tool_calls[0].type"),
        (part(r#"{"type":"input_audio","input_audio":{}}"#), "messages[0].content[1].type"),
        (part(r#"{"type":"image_url","image_url":{"url":"https://secret"}}"#), "messages[0].content[1].image_url.url"),
        (part(r#"{"type":"image_url","image_url":{"url":"data:image/svg;base64,x"}}"#), "messages[0].content[1].image_url.url"),
        (part(r#"{"type":"file","file":{"file_id":"secret"}}"#), "messages[0].content[1].file.file_id"),
        (part(r#"{"type":"file","file":{"file_data":"data:application/zip;base64,x"}}"#), "messages[0].content[1].file.file_data"),
    ] {
        let failed = translated(CLAUDE, &messages).map(|_| ()).expect_err(&messages);
        assert_eq!(failed.param.as_deref(), Some(param), "{messages}");
        assert!(!failed.message.contains("secret"), "{}", failed.message);
    }
}
