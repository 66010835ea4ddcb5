//! A request, member by member and message by message.

use super::*;
use crate::openai::{Endpoint, Fields};

const REASONING: &str = "command-a-reasoning-08-2025";
const PLAIN: &str = "command-r-plus-08-2024";

fn translated(model: &str, messages: &str, extra: &str) -> Result<(String, Vec<String>), Failed> {
    let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 20_000, fields: Fields::default() };
    let comma = if extra.is_empty() { "" } else { "," };
    let (out, changes) = translate(&call, &format!(r#"{{"messages":{messages}{comma}{extra}}}"#))?;
    Ok((String::from_utf8(out).expect("UTF-8"), changes))
}

/// What stands between the messages and `stream`.
fn rest(model: &str, extra: &str) -> Result<(String, Vec<String>), Failed> {
    let (out, changes) = translated(model, r#"[{"role":"user","content":"hi"}]"#, extra)?;
    let head = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]"#);
    let rest = out.strip_prefix(&head).and_then(|rest| rest.strip_suffix(r#","stream":false}"#)).unwrap_or_else(|| panic!("{out}"));
    Ok((rest.to_owned(), changes))
}

const TOOL: &str = r#"{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}"#;
const OTHER: &str = r#"{"type":"function","function":{"name":"g","parameters":{"type":"object"}}}"#;

#[test]
fn every_parameter_has_its_row() {
    let none: &[&str] = &[];
    let tools = format!(r#""tools":[{TOOL},{OTHER}]"#);
    let with = |extra: &str| format!("{tools},{extra}");
    let named = r#""tool_choice":{"type":"function","function":{"name":"g"}}"#;
    let strict = TOOL.replace(r#""name":"f""#, r#""name":"f","strict":true"#);
    for (model, extra, expected, changes) in [
        (PLAIN, String::new(), String::new(), none),
        (PLAIN, r#""max_tokens":5,"max_completion_tokens":6"#.into(), r#","max_tokens":6"#.into(), none),
        (PLAIN, r#""temperature":0.70,"top_p":0.9"#.into(), r#","temperature":0.70,"p":0.9"#.into(), none),
        (
            PLAIN,
            r#""temperature":1.5,"top_p":1"#.into(),
            r#","temperature":1,"p":0.99"#.into(),
            &["temperature lowered from 1.5 to 1", "top_p lowered from 1 to 0.99"],
        ),
        (
            PLAIN,
            r#""frequency_penalty":0.5,"presence_penalty":-1"#.into(),
            r#","frequency_penalty":0.5,"presence_penalty":0"#.into(),
            &["presence_penalty raised from -1 to 0"],
        ),
        (PLAIN, r#""stop":"END""#.into(), r#","stop_sequences":["END"]"#.into(), none),
        (PLAIN, r#""seed":7,"logprobs":true,"top_logprobs":0"#.into(), r#","seed":7,"logprobs":true"#.into(), none),
        (
            PLAIN,
            r#""seed":-7,"logprobs":true,"top_logprobs":3"#.into(),
            r#","logprobs":true"#.into(),
            &["dropped seed", "dropped top_logprobs"],
        ),
        (
            PLAIN,
            r#""n":1,"store":false,"user":"u","metadata":{"a":"b"},"service_tier":"flex","future":[1]"#.into(),
            String::new(),
            &["dropped user", "dropped metadata", "dropped service_tier", "dropped future"],
        ),
        (PLAIN, r#""reasoning_effort":"none""#.into(), String::new(), none),
        (PLAIN, r#""reasoning_effort":"low""#.into(), String::new(), &["dropped reasoning_effort"]),
        (REASONING, r#""reasoning_effort":"none""#.into(), r#","thinking":{"type":"disabled"}"#.into(), none),
        (REASONING, r#""reasoning_effort":"low""#.into(), r#","thinking":{"type":"enabled","token_budget":2048}"#.into(), none),
        (REASONING, r#""reasoning_effort":"high""#.into(), r#","thinking":{"type":"enabled"}"#.into(), none),
        (
            REASONING,
            r#""reasoning_effort":"high","max_tokens":1000"#.into(),
            r#","max_tokens":1000,"thinking":{"type":"enabled","token_budget":750}"#.into(),
            none,
        ),
        (PLAIN, r#""response_format":{"type":"text"}"#.into(), String::new(), none),
        (PLAIN, r#""response_format":{"type":"json_object"}"#.into(), r#","response_format":{"type":"json_object"}"#.into(), none),
        (
            PLAIN,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object"}}}"#.into(),
            r#","response_format":{"type":"json_object","json_schema":{"type":"object"}}"#.into(),
            none,
        ),
        (PLAIN, with(r#""tool_choice":"auto""#), format!(",{tools}"), none),
        (PLAIN, with(r#""tool_choice":"none""#), format!(r#",{tools},"tool_choice":"NONE""#), none),
        (PLAIN, with(r#""tool_choice":"required""#), format!(r#",{tools},"tool_choice":"REQUIRED""#), none),
        (PLAIN, with(named), format!(r#","tools":[{OTHER}],"tool_choice":"REQUIRED""#), none),
        (PLAIN, with(r#""parallel_tool_calls":true"#), format!(",{tools}"), none),
        (PLAIN, with(r#""parallel_tool_calls":false"#), format!(",{tools}"), &["dropped parallel_tool_calls"]),
        (PLAIN, format!(r#""tools":[{strict}]"#), format!(r#","tools":[{TOOL}],"strict_tools":true"#), none),
        (PLAIN, format!(r#""tools":[{strict},{OTHER}]"#), format!(",{tools}"), &["dropped tools[].function.strict"]),
        (
            PLAIN,
            r#""tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]"#.into(),
            r#","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]"#.into(),
            &["dropped tools[].cache_control"],
        ),
        (PLAIN, r#""tools":[],"tool_choice":"auto""#.into(), String::new(), none),
        (PLAIN, r#""tool_choice":"required""#.into(), String::new(), &["dropped tool_choice"]),
    ] {
        let found = rest(model, &extra).unwrap_or_else(|failed| panic!("{extra}: {failed:?}"));
        assert_eq!(found, (expected, changes.iter().map(|change| (*change).to_owned()).collect()), "{model}: {extra}");
    }
}

#[test]
fn messages_keep_their_roles_and_texts() {
    let user = r#"{"role":"user","content":"hi"}"#;
    let call = |arguments: &str| format!(r#"{{"id":"c:1","type":"function","function":{{"name":"f","arguments":{arguments}}}}}"#);
    let thoughts = r#"{"role":"assistant","content":"so","reasoning_content":"hm"}"#;
    let part = r#"{"type":"text","text":"x"}"#;
    let image = |detail: &str| format!(r#"{{"type":"image_url","image_url":{{"url":"https://x/y.png"{detail}}}}}"#);
    for (model, given, expected, changes) in [
        (PLAIN, r#"{"role":"developer","content":"a"}"#.to_owned(), r#"{"role":"system","content":"a"}"#.to_owned(), &[][..]),
        (PLAIN, r#"{"role":"user","name":"n","content":[{"type":"text","text":""}]}"#.into(), String::new(), &["dropped messages[].name"]),
        (
            PLAIN,
            format!(r#"{{"role":"user","content":[{part},{}]}}"#, image(r#","detail":"low","future":1"#)),
            format!(r#"{{"role":"user","content":[{part},{}]}}"#, image(r#","detail":"low""#)),
            &["dropped messages[].content[].image_url.future"],
        ),
        (PLAIN, thoughts.into(), r#"{"role":"assistant","content":"so"}"#.into(), &["dropped messages[].reasoning_content"]),
        (
            REASONING,
            thoughts.into(),
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"so"}]}"#.into(),
            &[],
        ),
        (
            PLAIN,
            format!(r#"{{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{}]}}"#, call(r#"" ""#)),
            format!(r#"{{"role":"assistant","tool_plan":"hm","tool_calls":[{}]}}"#, call(r#""{}""#)),
            &[],
        ),
        (
            REASONING,
            format!(r#"{{"role":"assistant","reasoning_content":"hm","tool_calls":[{}]}}"#, call(r#""{\"a\":1}""#)),
            format!(
                r#"{{"role":"assistant","content":[{{"type":"thinking","thinking":"hm"}}],"tool_calls":[{}]}}"#,
                call(r#""{\"a\":1}""#)
            ),
            &[],
        ),
        (
            PLAIN,
            r#"{"role":"assistant","refusal":"no","thinking_blocks":[{}]}"#.into(),
            r#"{"role":"assistant","content":[{"type":"text","text":"no"}]}"#.into(),
            &["dropped messages[].thinking_blocks"],
        ),
        (
            PLAIN,
            r#"{"role":"tool","tool_call_id":"c:1","content":"1"},{"role":"tool","tool_call_id":"d","content":null}"#.into(),
            r#"{"role":"tool","tool_call_id":"c:1","content":"1"},{"role":"tool","tool_call_id":"d","content":""}"#.into(),
            &[],
        ),
    ] {
        let found = translated(model, &format!("[{user},{given}]"), "").unwrap_or_else(|failed| panic!("{given}: {failed:?}"));
        let comma = if expected.is_empty() { "" } else { "," };
        let whole = format!(r#"{{"model":"{model}","messages":[{user}{comma}{expected}],"stream":false}}"#);
        assert_eq!(found, (whole, changes.iter().map(|change| (*change).to_owned()).collect()), "{model}: {given}");
    }
}

#[test]
fn instructions_alone_are_sent_as_the_users() {
    let (out, changes) = translated(PLAIN, r#"[{"role":"system","content":"a"},{"role":"developer","content":"b"}]"#, "").expect("a body");
    let messages = r#"[{"role":"system","content":"a"},{"role":"user","content":"b"}]"#;
    assert_eq!(out, format!(r#"{{"model":"{PLAIN}","messages":{messages},"stream":false}}"#));
    assert_eq!(changes, ["sent the last system message as a user message, since there is no other"]);
}

#[test]
fn what_cannot_be_translated_is_named_and_never_quoted() {
    let call = |call: &str| format!(r#"{{"role":"assistant","tool_calls":[{call}]}}"#);
    let part = |part: &str| format!(r#"{{"role":"user","content":[{part}]}}"#);
    for (message, param) in [
        (r#""secret""#.to_owned(), "messages[0]"),
        (r#"{"content":"secret"}"#.into(), "messages[0].role"),
        (r#"{"role":"secret"}"#.into(), "messages[0].role"),
        (r#"{"role":"function","name":"secret"}"#.into(), "messages[0].role"),
        (r#"{"role":"user","content":7}"#.into(), "messages[0].content"),
        (r#"{"role":"user","content":""}"#.into(), "messages"),
        (r#"{"role":"tool","content":"secret"}"#.into(), "messages[0].tool_call_id"),
        (r#"{"role":"assistant","function_call":{}}"#.into(), "messages[0].function_call"),
        (r#"{"role":"assistant","content":"x","reasoning_content":7}"#.into(), "messages[0].reasoning_content"),
        (r#"{"role":"assistant","content":[{"type":"image_url"}]}"#.into(), "messages[0].content[0].type"),
        (call("7"), "messages[0].tool_calls[0]"),
        (call(r#"{"id":"c","type":"custom"}"#), "messages[0].tool_calls[0].type"),
        (call(r#"{"function":{"name":"f"}}"#), "messages[0].tool_calls[0].id"),
        (call(r#"{"id":"c"}"#), "messages[0].tool_calls[0].function"),
        (call(r#"{"id":"c","function":{"name":""}}"#), "messages[0].tool_calls[0].function.name"),
        (call(r#"{"id":"c","function":{"name":"f","arguments":{}}}"#), "messages[0].tool_calls[0].function.arguments"),
        (part("7"), "messages[0].content[0]"),
        (part(r#"{"type":"text"}"#), "messages[0].content[0].text"),
        (part(r#"{"type":"secret"}"#), "messages[0].content[0].type"),
        (part(r#"{"type":"input_audio"}"#), "messages[0].content[0].type"),
        (part(r#"{"type":"image_url","image_url":"https://secret"}"#), "messages[0].content[0].image_url"),
        (part(r#"{"type":"image_url","image_url":{"url":"ftp://secret"}}"#), "messages[0].content[0].image_url.url"),
    ] {
        let failed = translated(PLAIN, &format!("[{message}]"), "").expect_err(&message);
        assert_eq!(failed.param.as_deref(), Some(param), "{message}: {failed:?}");
        assert!(!failed.message.contains("secret"), "{message}: {failed:?}");
    }
    for (extra, param) in [
        (r#""n":2"#, "n"),
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""temperature":"hot""#, "temperature"),
        (r#""top_p":2"#, "top_p"),
        (r#""stop":["a","b","c","d","e","f"]"#, "stop[5]"),
        (r#""seed":1.5"#, "seed"),
        (r#""logprobs":1"#, "logprobs"),
        (r#""reasoning_effort":"much""#, "reasoning_effort"),
        (r#""response_format":{"type":"xml"}"#, "response_format.type"),
        (r#""response_format":{"type":"json_schema","json_schema":{}}"#, "response_format.json_schema.schema"),
        (r#""functions":[{"name":"f"}]"#, "functions"),
        (r#""tools":[{"type":"custom"}]"#, "tools[0].type"),
        (r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#, "tools[0].function.parameters"),
        (r#""tool_choice":{"type":"allowed_tools"}"#, "tool_choice.type"),
        (
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"g"}}"#,
            "tool_choice.function.name",
        ),
        (r#""parallel_tool_calls":"no""#, "parallel_tool_calls"),
    ] {
        let failed = rest(PLAIN, extra).expect_err(extra);
        assert_eq!(failed.param.as_deref(), Some(param), "{extra}: {failed:?}");
    }
}
