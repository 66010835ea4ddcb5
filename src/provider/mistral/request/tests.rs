//! A request, member by member.

use super::*;
use crate::openai::{Endpoint, Fields};

const PLAIN: &str = "mistral-large-2512";
const THINKS: &str = "mistral-medium-3-5";

/// What stands behind the messages.
fn rest(model: &str, extra: &str) -> Result<(String, Vec<String>), Failed> {
    let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 20_000, fields: Fields::default() };
    let comma = if extra.is_empty() { "" } else { "," };
    let (out, changes) = translate(&call, &format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{comma}{extra}}}"#))?;
    let out = String::from_utf8(out).expect("UTF-8");
    let head = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]"#);
    let rest = out.strip_prefix(&head).and_then(|rest| rest.strip_suffix('}')).unwrap_or_else(|| panic!("{out}"));
    Ok((rest.to_owned(), changes))
}

const TOOL: &str = r#"{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}"#;

#[test]
fn every_parameter_has_its_row() {
    let none: &[&str] = &[];
    let same = |extra: &str| format!(",{extra}");
    let tools = format!(r#""tools":[{TOOL}]"#);
    let with = |extra: &str| format!("{tools},{extra}");
    let named = r#""tool_choice":{"type":"function","function":{"name":"f"}}"#;
    let schema = r#""response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object"}}}"#;
    let passed = r#""frequency_penalty":0,"presence_penalty":-1.50,"n":2,"logprobs":true,"top_logprobs":3,"metadata":{"a":"b"},"prompt_cache_key":"k""#;
    for (model, extra, expected, changes) in [
        (PLAIN, String::new(), String::new(), none),
        (PLAIN, passed.to_owned(), same(passed), none),
        (PLAIN, r#""max_tokens":5,"max_completion_tokens":6"#.into(), same(r#""max_tokens":6"#), none),
        (PLAIN, r#""temperature":0.70,"top_p":0.9"#.into(), same(r#""temperature":0.70,"top_p":0.9"#), none),
        (PLAIN, r#""temperature":2"#.into(), same(r#""temperature":1.5"#), &["temperature lowered from 2 to 1.5"]),
        (PLAIN, r#""temperature":0,"top_p":0.9"#.into(), same(r#""temperature":0"#), &["dropped top_p"]),
        (PLAIN, r#""temperature":0,"top_p":1"#.into(), same(r#""temperature":0,"top_p":1"#), none),
        (PLAIN, r#""stop":"END""#.into(), same(r#""stop":["END"]"#), none),
        (PLAIN, r#""seed":7"#.into(), same(r#""random_seed":7"#), none),
        (PLAIN, r#""seed":-7"#.into(), String::new(), &["dropped seed"]),
        (PLAIN, r#""safe_prompt":true,"prompt_mode":"reasoning""#.into(), same(r#""safe_prompt":true,"prompt_mode":"reasoning""#), none),
        (PLAIN, r#""service_tier":"auto""#.into(), same(r#""service_tier":"auto""#), none),
        (PLAIN, r#""service_tier":"default""#.into(), same(r#""service_tier":"standard_only""#), none),
        (PLAIN, r#""service_tier":"flex""#.into(), String::new(), &["dropped service_tier"]),
        (
            PLAIN,
            r#""user":"u","store":true,"logit_bias":{"1":2},"verbosity":"low","stream_options":{},"future":1"#.into(),
            String::new(),
            &["dropped user", "dropped store", "dropped logit_bias", "dropped verbosity", "dropped future"],
        ),
        (PLAIN, r#""store":false,"logit_bias":{}"#.into(), String::new(), none),
        (PLAIN, r#""reasoning_effort":"high""#.into(), String::new(), &["dropped reasoning_effort"]),
        (PLAIN, r#""reasoning_effort":"none""#.into(), String::new(), none),
        (THINKS, r#""reasoning_effort":"none""#.into(), same(r#""reasoning_effort":"none""#), none),
        (THINKS, r#""reasoning_effort":"high""#.into(), same(r#""reasoning_effort":"high""#), none),
        (
            THINKS,
            r#""reasoning_effort":"low""#.into(),
            same(r#""reasoning_effort":"high""#),
            &["reasoning_effort changed from low to high"],
        ),
        (
            THINKS,
            r#""reasoning_effort":"minimal""#.into(),
            same(r#""reasoning_effort":"none""#),
            &["reasoning_effort changed from minimal to none"],
        ),
        (PLAIN, r#""response_format":{"type":"json_object"}"#.into(), same(r#""response_format":{"type":"json_object"}"#), none),
        (PLAIN, schema.into(), same(schema), none),
        (PLAIN, r#""prediction":{"type":"content","content":"a"}"#.into(), same(r#""prediction":{"type":"content","content":"a"}"#), none),
        (
            PLAIN,
            r#""prediction":{"type":"content","content":[{"type":"text","text":"a\n"},{"type":"text","text":"b"}]}"#.into(),
            same(r#""prediction":{"type":"content","content":"a\nb"}"#),
            none,
        ),
        (PLAIN, with(r#""tool_choice":"auto""#), same(&with(r#""tool_choice":"auto""#)), none),
        (
            PLAIN,
            with(r#""tool_choice":"required","parallel_tool_calls":false"#),
            same(&with(r#""tool_choice":"any","parallel_tool_calls":false"#)),
            none,
        ),
        (PLAIN, with(named), same(&with(named)), none),
        (
            PLAIN,
            r#""tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]"#.into(),
            same(r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]"#),
            &["dropped tools[].cache_control"],
        ),
        (PLAIN, r#""tools":[],"tool_choice":"required""#.into(), String::new(), &["dropped tool_choice"]),
    ] {
        let found = rest(model, &extra).unwrap_or_else(|failed| panic!("{extra}: {failed:?}"));
        assert_eq!(found, (expected, changes.iter().map(|change| (*change).to_owned()).collect()), "{model}: {extra}");
    }
}

#[test]
fn what_cannot_be_translated_is_named() {
    for (extra, param) in [
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""temperature":"hot""#, "temperature"),
        (r#""presence_penalty":3"#, "presence_penalty"),
        (r#""logprobs":1"#, "logprobs"),
        (r#""stop":7"#, "stop"),
        (r#""seed":1.5"#, "seed"),
        (r#""reasoning_effort":"much""#, "reasoning_effort"),
        (r#""response_format":{"type":"xml"}"#, "response_format.type"),
        (r#""response_format":{"type":"json_schema","json_schema":{"schema":{}}}"#, "response_format.json_schema.name"),
        (r#""response_format":{"type":"json_schema","json_schema":{"name":"x"}}"#, "response_format.json_schema.schema"),
        (r#""prediction":{"type":"content"}"#, "prediction.content"),
        (r#""prediction":{"type":"content","content":[{}]}"#, "prediction.content[0].text"),
        (r#""functions":[{"name":"f"}]"#, "functions"),
        (r#""tools":[7]"#, "tools[0]"),
        (r#""tools":[{"type":"custom"}]"#, "tools[0].type"),
        (r#""tools":[{"type":"function","function":{"name":"f","strict":1}}]"#, "tools[0].function.strict"),
        (r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools"}"#, "tool_choice.type"),
        (r#""parallel_tool_calls":"no""#, "parallel_tool_calls"),
    ] {
        let failed = rest(PLAIN, extra).expect_err(extra);
        assert_eq!(failed.param.as_deref(), Some(param), "{extra}: {failed:?}");
    }
}
