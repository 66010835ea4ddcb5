//! What becomes of every parameter.

use super::*;
use crate::openai::{Endpoint, Fields};

/// Translates `{"messages": [a user who says hi], …}` and returns what stands behind the turns.
fn rest_for(model: &str, extra: &str) -> Result<(String, Vec<String>), Failed> {
    let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 20_000, fields: Fields::default() };
    let comma = if extra.is_empty() { "" } else { "," };
    let (out, adjustments) =
        translate(Host::Anthropic, &call, &format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{comma}{extra}}}"#))?;
    let out = String::from_utf8(out).expect("UTF-8");
    let head = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":[{{"type":"text","text":"hi"}}]}}],"#);
    let rest = out.strip_prefix(&head).and_then(|rest| rest.strip_suffix('}')).unwrap_or_else(|| panic!("{out}"));
    Ok((rest.to_owned(), adjustments))
}

fn check(model: &str, rows: &[(&str, &str, &[&str])]) {
    for (extra, expected, changes) in rows {
        let (rest, adjustments) = rest_for(model, extra).unwrap_or_else(|failed| panic!("{extra}: {failed:?}"));
        assert_eq!(
            (rest.as_str(), adjustments),
            (*expected, changes.iter().map(|change| (*change).to_owned()).collect()),
            "{model}: {extra}"
        );
    }
}

const TOOL: &str = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
const TOOL_SENT: &str = r#""tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]"#;

#[test]
fn every_parameter_has_its_row() {
    let none: &[&str] = &[];
    check(
        "claude-sonnet-4-5",
        &[
            ("", r#""max_tokens":20000"#, none),
            (r#""max_tokens":5"#, r#""max_tokens":5"#, none),
            (r#""max_tokens":5,"max_completion_tokens":6"#, r#""max_tokens":6"#, none),
            (r#""max_tokens":99999"#, r#""max_tokens":20000"#, &["max_tokens lowered from 99999 to 20000, the most this model gives"]),
            (r#""max_tokens":null,"temperature":null,"stop":null,"tools":null,"seed":null"#, r#""max_tokens":20000"#, none),
            (r#""temperature":0.70"#, r#""max_tokens":20000,"temperature":0.70"#, none),
            (r#""temperature":1.5"#, r#""max_tokens":20000,"temperature":1"#, &["temperature lowered from 1.5 to 1"]),
            (r#""top_p":0.9"#, r#""max_tokens":20000,"top_p":0.9"#, none),
            (r#""temperature":0,"top_p":0.9"#, r#""max_tokens":20000,"temperature":0"#, &["dropped top_p"]),
            (r#""temperature":0,"top_p":1"#, r#""max_tokens":20000,"temperature":0"#, none),
            (r#""stop":"\n\nEND""#, r#""max_tokens":20000,"stop_sequences":["\n\nEND"]"#, none),
            (r#""stop":["a","\n","b"]"#, r#""max_tokens":20000,"stop_sequences":["a","b"]"#, &["dropped a stop sequence of whitespace"]),
            (r#""stop":[]"#, r#""max_tokens":20000"#, none),
            (r#""user":"u-1""#, r#""max_tokens":20000,"metadata":{"user_id":"u-1"}"#, none),
            (r#""user":"u","safety_identifier":"s""#, r#""max_tokens":20000,"metadata":{"user_id":"s"}"#, &["dropped user"]),
            (r#""service_tier":"auto""#, r#""max_tokens":20000,"service_tier":"auto""#, none),
            (r#""service_tier":"default""#, r#""max_tokens":20000,"service_tier":"standard_only""#, none),
            (r#""service_tier":"flex""#, r#""max_tokens":20000"#, &["dropped service_tier"]),
            (
                r#""n":1,"stream":false,"stream_options":{},"presence_penalty":0,"logprobs":false,"store":false"#,
                r#""max_tokens":20000"#,
                none,
            ),
            (
                r#""seed":7,"logprobs":true,"future":{"a":[1]}"#,
                r#""max_tokens":20000"#,
                &["dropped seed", "dropped logprobs", "dropped future"],
            ),
        ],
    );
}

#[test]
fn every_choice_of_a_tool_has_its_row() {
    let sent = |choice: &str| format!(r#""max_tokens":20000,{TOOL_SENT}{choice}"#);
    for (extra, choice) in [
        ("", ""),
        (r#","tool_choice":"auto""#, r#","tool_choice":{"type":"auto"}"#),
        (r#","tool_choice":"none""#, r#","tool_choice":{"type":"none"}"#),
        (r#","tool_choice":"required""#, r#","tool_choice":{"type":"any"}"#),
        (r#","tool_choice":{"type":"function","function":{"name":"f"}}"#, r#","tool_choice":{"type":"tool","name":"f"}"#),
        (r#","parallel_tool_calls":true"#, ""),
        (r#","parallel_tool_calls":false"#, r#","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#),
        (r#","parallel_tool_calls":false,"tool_choice":"required""#, r#","tool_choice":{"type":"any","disable_parallel_tool_use":true}"#),
        (r#","parallel_tool_calls":false,"tool_choice":"none""#, r#","tool_choice":{"type":"none"}"#),
    ] {
        check("claude-sonnet-4-5", &[(&format!("{TOOL}{extra}"), &sent(choice), &[])]);
    }
    let strict = r#""tools":[{"type":"function","function":{"name":"f","strict":true}}]"#;
    check("claude-sonnet-4-20250514", &[(strict, &sent(""), &["dropped tools[].function.strict"])]);
    let limit = r#""max_tokens":20000"#;
    check(
        "claude-sonnet-4-5",
        &[(r#""tools":[],"tool_choice":"auto""#, limit, &[]), (r#""tool_choice":"required""#, limit, &["dropped tool_choice"])],
    );
}

#[test]
fn thinking_is_asked_for_as_the_model_wants_it() {
    let budget = |tokens: u64| format!(r#""max_tokens":20000,"thinking":{{"type":"enabled","budget_tokens":{tokens}}}"#);
    let adaptive = |effort: &str| format!(r#""max_tokens":20000,"thinking":{{"type":"adaptive"}},"output_config":{{"effort":"{effort}"}}"#);
    let shown = |effort: &str| adaptive(effort).replace(r#""adaptive""#, r#""adaptive","display":"summarized""#);
    for (model, effort, expected, changes) in [
        ("claude-sonnet-4-5", "none", r#""max_tokens":20000"#.to_owned(), &[][..]),
        ("claude-sonnet-4-5", "minimal", budget(1024), &[]),
        ("claude-sonnet-4-5", "low", budget(2048), &[]),
        ("claude-sonnet-4-5", "medium", budget(8192), &[]),
        ("claude-sonnet-4-5", "high", budget(15000), &[]),
        ("claude-sonnet-4-6", "minimal", adaptive("low"), &[]),
        ("claude-sonnet-4-6", "xhigh", adaptive("high"), &["reasoning_effort lowered from xhigh to high"]),
        ("claude-opus-4-8", "xhigh", shown("xhigh"), &[]),
        ("claude-opus-5", "none", r#""max_tokens":20000,"thinking":{"type":"disabled"}"#.to_owned(), &[]),
        ("claude-opus-5-5", "none", shown("low"), &["reasoning_effort raised from none to low, the least this model takes"]),
    ] {
        check(model, &[(&format!(r#""reasoning_effort":"{effort}""#), &expected, changes)]);
    }
    let (thinks, limit) = (r#""thinking":{"type":"enabled","budget_tokens":1024}"#, r#""max_tokens":1025,"#);
    check(
        "claude-sonnet-4-5",
        &[
            (r#""reasoning_effort":"low","max_tokens":1025,"temperature":0.2"#, &format!("{limit}{thinks}"), &["dropped temperature"]),
            (
                r#""reasoning_effort":"low","max_tokens":1024"#,
                r#""max_tokens":1024"#,
                &["dropped reasoning_effort, not possible with so few max_tokens"],
            ),
            (
                &format!(r#""reasoning_effort":"low","tool_choice":"required",{TOOL}"#),
                &format!(r#""max_tokens":20000,{TOOL_SENT},"tool_choice":{{"type":"any"}}"#),
                &["dropped reasoning_effort, not possible with a forced tool"],
            ),
        ],
    );
    check("claude-opus-4-7", &[(r#""temperature":0.2,"top_p":0.5"#, r#""max_tokens":20000"#, &["dropped temperature", "dropped top_p"])]);
}

#[test]
fn what_cannot_be_translated_is_named() {
    for (extra, param) in [
        (r#""n":2"#, "n"),
        (r#""n":"1""#, "n"),
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""max_tokens":1.5"#, "max_tokens"),
        (r#""max_completion_tokens":"5""#, "max_completion_tokens"),
        (r#""temperature":"hot""#, "temperature"),
        (r#""temperature":2.1"#, "temperature"),
        (r#""temperature":1e400"#, "temperature"),
        (r#""top_p":-0.1"#, "top_p"),
        (r#""stop":7"#, "stop"),
        (r#""stop":["a",7]"#, "stop[1]"),
        (r#""user":7"#, "user"),
        (r#""reasoning_effort":"much""#, "reasoning_effort"),
        (r#""response_format":"json""#, "response_format"),
        (r#""response_format":{"type":"xml"}"#, "response_format.type"),
        (r#""response_format":{"type":"json_schema"}"#, "response_format.json_schema"),
        (r#""response_format":{"type":"json_schema","json_schema":{"name":"x"}}"#, "response_format.json_schema.schema"),
        (r#""functions":[{"name":"f"}]"#, "functions"),
        (r#""tools":{}"#, "tools"),
        (r#""tools":[7]"#, "tools[0]"),
        (r#""tools":[{"type":"custom"}]"#, "tools[0].type"),
        (r#""tools":[{"type":"function"}]"#, "tools[0].function"),
        (r#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name"),
        (r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#, "tools[0].function.parameters"),
        (r#""tools":[{"type":"function","function":{"name":"f","strict":1}}]"#, "tools[0].function.strict"),
        (&format!(r#"{TOOL},"tool_choice":"some""#), "tool_choice"),
        (&format!(r#"{TOOL},"tool_choice":7"#), "tool_choice"),
        (&format!(r#"{TOOL},"tool_choice":{{"type":"allowed_tools"}}"#), "tool_choice.allowed_tools"),
        (&format!(r#"{TOOL},"tool_choice":{{"type":"custom"}}"#), "tool_choice.type"),
        (r#""metadata":[]"#, "metadata"),
        (&format!(r#"{TOOL},"tool_choice":{{"type":"function","function":{{"name":7}}}}"#), "tool_choice.function.name"),
        (&format!(r#"{TOOL},"parallel_tool_calls":"no""#), "parallel_tool_calls"),
    ] {
        let failed = rest_for("claude-sonnet-4-5", extra).expect_err(extra);
        assert_eq!(failed.param.as_deref(), Some(param), "{extra}: {failed:?}");
    }
}

#[test]
fn only_the_allowed_tools_are_declared() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#;
    let allowed = |mode: &str, name: &str| {
        format!(
            r#"{tools},"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"{mode}","tools":[{{"type":"function","function":{{"name":"{name}"}}}}]}}}}"#
        )
    };
    let sent = |kind: &str| format!(r#""max_tokens":20000,{TOOL_SENT},"tool_choice":{{"type":"{kind}"}}"#);
    let left_out = &["left out the tools that tool_choice does not allow"][..];
    check(
        "claude-sonnet-4-5",
        &[(&allowed("auto", "f"), &sent("auto"), left_out), (&allowed("required", r"\u0066"), &sent("any"), left_out)],
    );
    let failed = rest_for("claude-sonnet-4-5", &allowed("auto", "h")).expect_err("nothing is left");
    assert_eq!(failed.param.as_deref(), Some("tool_choice"));
}

#[test]
fn a_model_that_cannot_be_forced_is_asked() {
    let call = |body: &str| {
        let call = Call {
            endpoint: Endpoint::Chat,
            model: "claude-opus-5-5",
            stream: false,
            stream_options: None,
            max_output: 20_000,
            fields: Fields::default(),
        };
        translate(Host::Anthropic, &call, &format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{body}}}"#)).expect("a body")
    };
    let named = r#""tool_choice":{"type":"function","function":{"name":"f"}}"#;
    for (choice, words) in [
        (r#""tool_choice":"required""#, "Answer with a call of a tool, not with a text."),
        (named, "Answer with a call of the tool f, not with a text."),
    ] {
        let (out, changes) = call(&format!("{TOOL},{choice}"));
        let system = format!(r#""system":[{{"type":"text","text":"{words}"}}]"#);
        let end = format!(r#"{system},"max_tokens":20000,{TOOL_SENT},"tool_choice":{{"type":"auto"}}}}"#);
        assert!(out.ends_with(end.as_bytes()), "{}", String::from_utf8_lossy(&out));
        assert_eq!(changes, ["tool_choice asked for in the system prompt"]);
    }
}

#[test]
fn the_end_user_is_named_once() {
    let sent = |id: &str| format!(r#""max_tokens":20000,"metadata":{{"user_id":"{id}"}}"#);
    check(
        "claude-sonnet-4-5",
        &[
            (r#""metadata":{}"#, r#""max_tokens":20000"#, &[]),
            (r#""metadata":{"user_id":"m"}"#, &sent("m"), &[]),
            (r#""metadata":{"user_id":"m","team":"t"}"#, &sent("m"), &["dropped metadata"]),
            (r#""metadata":{"user_id":"m"},"user":"u""#, &sent("u"), &["dropped metadata"]),
        ],
    );
}

#[test]
fn schemas_keep_what_the_api_enforces() {
    let format = |schema: &str| {
        format!(r#""response_format":{{"type":"json_schema","json_schema":{{"name":"x","strict":true,"schema":{schema}}}}}"#)
    };
    let sent = |schema: &str| format!(r#""max_tokens":20000,"output_config":{{"format":{{"type":"json_schema","schema":{schema}}}}}"#);
    let closed = r#"{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"],"additionalProperties":false}"#;
    check(
        "claude-sonnet-4-5",
        &[
            (&format(closed), &sent(closed), &[]),
            (
                &format(r#"{"type":"number","minimum":1}"#),
                &sent(r#"{"type":"number","description":"{minimum: 1}"}"#),
                &["moved minimum to the description in response_format.json_schema.schema"],
            ),
        ],
    );
    let tool = |extra: &str| {
        format!(r#""tools":[{{"type":"function","function":{{"name":"f","parameters":{{"minimum":1,"type":"object"}}{extra}}}}}]"#)
    };
    let sent = |schema: &str| format!(r#""max_tokens":20000,"tools":[{{"name":"f","input_schema":{schema}}}]"#);
    check(
        "claude-sonnet-4-5",
        &[
            (&tool(""), &sent(r#"{"minimum":1,"type":"object"}"#), &[]),
            (
                &tool(r#","strict":true"#),
                &sent(r#"{"type":"object","additionalProperties":false,"description":"{minimum: 1}"},"strict":true"#),
                &["moved minimum to the description in tools[].function.parameters", "closed the objects of tools[].function.parameters"],
            ),
        ],
    );
}
