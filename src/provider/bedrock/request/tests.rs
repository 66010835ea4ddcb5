//! Every parameter with its row, and what is wrong with others.

use super::*;
use crate::openai::{Endpoint, Fields};

const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS: &str = "anthropic.claude-opus-4-7-v1:0";
const OPUS_5_5: &str = "us.anthropic.claude-opus-5-5";
const NOVA: &str = "amazon.nova-pro-v1:0";
const NOVA_2: &str = "amazon.nova-2-lite-v1:0";
const GPT_OSS: &str = "openai.gpt-oss-20b-1:0";
const GPT: &str = "openai.gpt-5.4";
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";

/// Translates `{"messages": [a user who says hi], …}` and returns what stands behind the turns.
fn rest_for(model: &str, extra: &str) -> Result<(String, Vec<String>), Failed> {
    let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 20_000, fields: Fields::default() };
    let comma = if extra.is_empty() { "" } else { "," };
    let (out, adjustments) = translate(&call, &format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{comma}{extra}}}"#))?;
    let out = String::from_utf8(out).expect("UTF-8");
    let head = r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]"#;
    let rest = out.strip_prefix(head).and_then(|rest| rest.strip_suffix('}')).unwrap_or_else(|| panic!("{out}"));
    Ok((rest.to_owned(), adjustments))
}

fn check(rows: &[(&str, &str, &str, &[&str])]) {
    for (model, extra, expected, changes) in rows {
        let (rest, adjustments) = rest_for(model, extra).unwrap_or_else(|failed| panic!("{extra}: {failed:?}"));
        let found: Vec<&str> = adjustments.iter().map(String::as_str).collect();
        assert_eq!((rest.as_str(), found.as_slice()), (*expected, *changes), "{model}: {extra}");
    }
}

#[test]
fn every_parameter_has_its_row() {
    check(&[
        (CLAUDE, "", "", &[]),
        (CLAUDE, r#""max_tokens":5,"max_completion_tokens":6"#, r#","inferenceConfig":{"maxTokens":6}"#, &[]),
        (CLAUDE, r#""temperature":0.70"#, r#","inferenceConfig":{"temperature":0.70}"#, &[]),
        (NOVA, r#""temperature":1.5"#, r#","inferenceConfig":{"temperature":1}"#, &["temperature lowered from 1.5 to 1"]),
        (CLAUDE, r#""temperature":0,"top_p":0.9"#, r#","inferenceConfig":{"temperature":0}"#, &["dropped top_p"]),
        (NOVA, r#""temperature":0,"top_p":0.9"#, r#","inferenceConfig":{"temperature":0,"topP":0.9}"#, &[]),
        (OPUS, r#""temperature":0.2,"top_p":0.5"#, "", &["dropped temperature", "dropped top_p"]),
        (OPUS, r#""temperature":1,"top_p":1"#, "", &[]),
        (NOVA, r#""stop":["a","\n"]"#, r#","inferenceConfig":{"stopSequences":["a","\n"]}"#, &[]),
        (CLAUDE, r#""stop":" ""#, "", &["dropped a stop sequence of whitespace"]),
        (CLAUDE, r#""stop":[],"seed":null,"metadata":{},"service_tier":"auto""#, "", &[]),
        (CLAUDE, r#""service_tier":"default""#, r#","serviceTier":{"type":"default"}"#, &[]),
        (CLAUDE, r#""service_tier":"scale""#, "", &["dropped service_tier"]),
        (CLAUDE, r#""metadata":{"a\u0062":"c"}"#, r#","requestMetadata":{"ab":"c"}"#, &[]),
        (
            CLAUDE,
            r#""n":1,"stream":true,"stream_options":{},"presence_penalty":0,"logit_bias":{ },"store":false,"function_call":"auto""#,
            "",
            &[],
        ),
        (CLAUDE, r#""seed":7,"user":"u","future":{"a":[1]}"#, "", &["dropped seed", "dropped user", "dropped future"]),
    ]);
}

const TOOL: &str = r#""tools":[{"type":"function","function":{"name":"f","description":""}}]"#;
const SPEC: &str = r#"{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}"#;

#[test]
fn every_choice_of_a_tool_has_its_row() {
    let config = |choice: &str| format!(r#","toolConfig":{{"tools":[{SPEC}]{choice}}}"#);
    let native = |choice: &str| format!(r#"{},"additionalModelRequestFields":{{"tool_choice":{choice}}}"#, config(""));
    let named = r#""tool_choice":{"type":"function","function":{"name":"f"}}"#;
    let allowed = |mode: &str, name: &str| {
        let tools = format!(r#"{{"mode":"{mode}","tools":[{{"type":"function","function":{{"name":"{name}"}}}}]}}"#);
        format!(r#","tool_choice":{{"type":"allowed_tools","allowed_tools":{tools}}}"#)
    };
    for (model, extra, expected, changes) in [
        (CLAUDE, "", config(""), &[][..]),
        (CLAUDE, r#","tool_choice":"auto","parallel_tool_calls":true"#, config(""), &[]),
        (CLAUDE, r#","tool_choice":"required""#, config(r#","toolChoice":{"any":{}}"#), &[]),
        (CLAUDE, &format!(",{named}"), config(r#","toolChoice":{"tool":{"name":"f"}}"#), &[]),
        (CLAUDE, r#","tool_choice":"none","parallel_tool_calls":false"#, native(r#"{"type":"none"}"#), &[]),
        (CLAUDE, r#","parallel_tool_calls":false"#, native(r#"{"type":"auto","disable_parallel_tool_use":true}"#), &[]),
        (
            CLAUDE,
            &format!(r#",{named},"parallel_tool_calls":false"#),
            native(r#"{"type":"tool","name":"f","disable_parallel_tool_use":true}"#),
            &[],
        ),
        (CLAUDE, &allowed("required", "f"), config(r#","toolChoice":{"any":{}}"#), &[]),
        (NOVA, &allowed("auto", "f"), config(""), &[]),
        (NOVA, r#","parallel_tool_calls":false"#, config(""), &["dropped parallel_tool_calls"]),
        (NOVA, r#","tool_choice":"none""#, String::new(), &["left out the tools, since none is to be called"]),
    ] {
        check(&[(model, &format!("{TOOL}{extra}"), &expected, changes)]);
    }
    let another = TOOL.replace("}]", r#"},{"type":"function","function":{"name":"g"}}]"#);
    check(&[(CLAUDE, &format!("{another}{}", allowed("auto", "f")), &config(""), &[])]);
    check(&[(CLAUDE, &format!("{another}{}", allowed("auto", "g")), &config("").replace(r#""f""#, r#""g""#), &[])]);
    let told = |words: &str, config: &str| format!(r#","system":[{{"text":"{words}"}}]{config}"#);
    for (extra, words) in [
        (r#","tool_choice":"required""#, "Answer with a call of a tool, not with a text."),
        (&format!(",{named}"), "Answer with a call of the tool f, not with a text."),
    ] {
        check(&[(OPUS_5_5, &format!("{TOOL}{extra}"), &told(words, &config("")), &["tool_choice asked for in the system prompt"])]);
    }
    check(&[
        (CLAUDE, r#""tools":[],"tool_choice":"auto","parallel_tool_calls":false"#, "", &[]),
        (CLAUDE, r#""tool_choice":"required""#, "", &["dropped tool_choice"]),
    ]);
}

#[test]
fn a_schema_has_nothing_that_claude_cannot_enforce() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"]}"#;
    let asked = format!(r#""response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}"#);
    let (claude, changes) = rest_for(CLAUDE, &asked).expect("a format");
    assert!(claude.contains(r#"\"additionalProperties\":false"#) && !claude.contains(r#"\"minimum\":"#) && !changes.is_empty(), "{claude}");
    let strict = format!(r#""tools":[{{"type":"function","function":{{"name":"f","strict":true,"parameters":{schema}}}}}]"#);
    let (tool, _) = rest_for(CLAUDE, &strict).expect("a tool");
    assert!(tool.contains(r#""additionalProperties":false"#) && !tool.contains(r#""minimum":"#), "{tool}");
    let (free, changes) = rest_for(CLAUDE, &strict.replace(r#""strict":true,"#, "")).expect("a tool");
    assert!(free.contains(schema) && changes.is_empty(), "{free}");
    let (other, changes) = rest_for(GPT_OSS, &asked).expect("a format");
    assert!(other.contains(r#"\"minimum\":1"#) && changes.is_empty(), "{other}");
}

#[test]
fn reasoning_is_asked_for_as_the_model_wants_it() {
    let native = |fields: &str| format!(r#","additionalModelRequestFields":{{{fields}}}"#);
    let budget = |tokens: u64| {
        let thinking = native(&format!(r#""thinking":{{"type":"enabled","budget_tokens":{tokens}}}"#));
        format!(r#","inferenceConfig":{{"maxTokens":20000}}{thinking}"#)
    };
    let adaptive = |effort: &str| format!(r#"{},"outputConfig":{{"effort":"{effort}"}}"#, native(r#""thinking":{"type":"adaptive"}"#));
    let shown = |effort: &str| adaptive(effort).replace("adaptive\"", r#"adaptive","display":"summarized""#);
    let nova = |effort: &str| native(&format!(r#""reasoningConfig":{{"type":"enabled","maxReasoningEffort":"{effort}"}}"#));
    let oss = |effort: &str| native(&format!(r#""reasoning_effort":"{effort}""#));
    let lowered = "reasoning_effort lowered from xhigh to high";
    for (model, effort, expected, changes) in [
        (CLAUDE, "none", String::new(), &[][..]),
        (CLAUDE, "minimal", budget(1024), &[]),
        (CLAUDE, "low", budget(2048), &[]),
        (CLAUDE, "high", budget(15_000), &[]),
        (OPUS, "xhigh", shown("xhigh"), &[]),
        (OPUS, "minimal", shown("low"), &[]),
        (OPUS, "none", String::new(), &[]),
        ("anthropic.claude-opus-5", "none", native(r#""thinking":{"type":"disabled"}"#), &[]),
        (OPUS_5_5, "none", shown("low"), &["reasoning_effort raised from none to low, the least this model takes"]),
        ("anthropic.claude-sonnet-4-6", "xhigh", adaptive("high"), &[lowered]),
        (NOVA_2, "none", String::new(), &[]),
        (NOVA_2, "minimal", nova("low"), &[]),
        (NOVA_2, "xhigh", nova("high"), &[lowered]),
        (NOVA, "low", String::new(), &["dropped reasoning_effort"]),
        (GPT_OSS, "none", oss("low"), &["reasoning_effort raised from none to low"]),
        (GPT_OSS, "high", oss("high"), &[]),
        (GPT, "minimal", native(r#""reasoning":{"effort":"low"}"#), &[]),
        (GPT, "none", native(r#""reasoning":{"effort":"none"}"#), &[]),
        (LLAMA, "none", String::new(), &[]),
        (LLAMA, "low", String::new(), &["dropped reasoning_effort"]),
    ] {
        check(&[(model, &format!(r#""reasoning_effort":"{effort}""#), &expected, changes)]);
    }
    check(&[
        (
            CLAUDE,
            r#""reasoning_effort":"low","max_tokens":1024"#,
            r#","inferenceConfig":{"maxTokens":1024}"#,
            &["dropped reasoning_effort, not possible with so few max_tokens"],
        ),
        (
            CLAUDE,
            &format!(r#""reasoning_effort":"low","tool_choice":"required",{TOOL}"#),
            &format!(r#","toolConfig":{{"tools":[{SPEC}],"toolChoice":{{"any":{{}}}}}}"#),
            &["dropped reasoning_effort, not possible with a forced tool"],
        ),
        (OPUS, r#""reasoning_effort":"low","top_p":0.97"#, &shown("low"), &["dropped top_p"]),
    ]);
}

#[test]
fn what_cannot_be_translated_is_named() {
    let allowed =
        |mode: &str, tools: &str| format!(r#","tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":{mode},"tools":{tools}}}}}"#);
    for (extra, param) in [
        (r#""n":2"#, "n"),
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""max_completion_tokens":"5""#, "max_completion_tokens"),
        (r#""temperature":2.1"#, "temperature"),
        (r#""top_p":-0.1"#, "top_p"),
        (r#""stop":7"#, "stop"),
        (r#""stop":["a",7]"#, "stop[1]"),
        (r#""metadata":7"#, "metadata"),
        (r#""metadata":{"a":7}"#, "metadata"),
        (r#""reasoning_effort":"much""#, "reasoning_effort"),
        (r#""response_format":"json""#, "response_format"),
        (r#""response_format":{"type":"xml"}"#, "response_format.type"),
        (r#""response_format":{"type":"json_schema"}"#, "response_format.json_schema"),
        (r#""response_format":{"type":"json_schema","json_schema":{"name":"x"}}"#, "response_format.json_schema.schema"),
        (r#""response_format":{"type":"json_schema","json_schema":{"name":7,"schema":{}}}"#, "response_format.json_schema.name"),
        (r#""functions":[{"name":"f"}]"#, "functions"),
        (r#""tools":{}"#, "tools"),
        (r#""tools":[7]"#, "tools[0]"),
        (r#""tools":[{"type":"custom"}]"#, "tools[0].type"),
        (r#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name"),
        (r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#, "tools[0].function.parameters"),
        (r#""tools":[{"type":"function","function":{"name":"f"},"cache_control":7}]"#, "tools[0].cache_control"),
        (&format!(r#"{TOOL},"tool_choice":"some""#), "tool_choice"),
        (&format!(r#"{TOOL},"tool_choice":{{"type":"allowed_tools"}}"#), "tool_choice.allowed_tools"),
        (&format!(r#"{TOOL},"tool_choice":{{"type":"custom"}}"#), "tool_choice.type"),
        (&format!("{TOOL}{}", allowed(r#""some""#, "[]")), "tool_choice.allowed_tools.mode"),
        (&format!("{TOOL}{}", allowed(r#""auto""#, "7")), "tool_choice.allowed_tools.tools"),
        (&format!("{TOOL}{}", allowed(r#""auto""#, "[7]")), "tool_choice.allowed_tools.tools[0]"),
        (&format!("{TOOL}{}", allowed(r#""auto""#, "[{}]")), "tool_choice.allowed_tools.tools[0].function"),
        (&format!(r#"{TOOL},"parallel_tool_calls":"no""#), "parallel_tool_calls"),
    ] {
        let failed = rest_for(CLAUDE, extra).expect_err(extra);
        assert_eq!(failed.param.as_deref(), Some(param), "{extra}: {failed:?}");
    }
}
