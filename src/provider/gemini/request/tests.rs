//! Parameters, row by row, and the table of treatments.

use super::*;
use crate::openai::{Endpoint, Fields};
use crate::provider::Treatment;
use crate::provider::gemini::treatment::{GEMINI_API, VERTEX_AI};

/// Translates `{"messages": [a user who says hi], …}` and returns what stands behind the contents.
fn rest_for(service: Service, model: &str, extra: &str) -> Result<(String, Vec<String>), Failed> {
    let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 20_000, fields: Fields::default() };
    let comma = if extra.is_empty() { "" } else { "," };
    let (out, adjustments) = translate(service, &call, &format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{comma}{extra}}}"#))?;
    let out = String::from_utf8(out).expect("UTF-8");
    let head = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]"#;
    let rest = out.strip_prefix(head).and_then(|rest| rest.strip_suffix('}')).unwrap_or_else(|| panic!("{out}"));
    Ok((rest.strip_prefix(',').unwrap_or(rest).to_owned(), adjustments))
}

fn check(model: &str, rows: &[(&str, &str, &[&str])]) {
    for (extra, expected, changes) in rows {
        let (rest, adjustments) = rest_for(Service::GeminiApi, model, extra).unwrap_or_else(|failed| panic!("{extra}: {failed:?}"));
        assert_eq!(
            (rest.as_str(), adjustments),
            (*expected, changes.iter().map(|change| (*change).to_owned()).collect()),
            "{model}: {extra}"
        );
    }
}

#[test]
fn vertex_has_no_tiers_in_the_body() {
    for (tier, changes) in [("auto", vec![]), ("default", vec![]), ("flex", vec!["dropped service_tier".to_owned()])] {
        let found = rest_for(Service::VertexAi, "gemini-2.5-pro", &format!(r#""service_tier":"{tier}""#)).expect(tier);
        assert_eq!(found, (String::new(), changes), "{tier}");
    }
}

#[test]
fn every_parameter_has_its_row() {
    let none: &[&str] = &[];
    check(
        "gemini-2.0-flash",
        &[
            ("", "", none),
            (r#""max_tokens":5"#, r#""generationConfig":{"maxOutputTokens":5}"#, none),
            (r#""max_tokens":5,"max_completion_tokens":6"#, r#""generationConfig":{"maxOutputTokens":6}"#, none),
            (r#""temperature":null,"stop":null,"tools":null,"seed":null"#, "", none),
            (r#""temperature":2.0,"top_p":0"#, r#""generationConfig":{"temperature":2.0,"topP":0}"#, none),
            (r#""stop":["a","","b"]"#, r#""generationConfig":{"stopSequences":["a","b"]}"#, none),
            (r#""stop":[]"#, "", none),
            (r#""seed":-5"#, r#""generationConfig":{"seed":-5}"#, none),
            (r#""seed":2147483648"#, "", &["dropped seed"]),
            (r#""presence_penalty":0.0,"frequency_penalty":1"#, r#""generationConfig":{"frequencyPenalty":1}"#, none),
            (r#""logprobs":true"#, r#""generationConfig":{"responseLogprobs":true}"#, none),
            (r#""logprobs":false,"top_logprobs":0"#, "", none),
            (r#""service_tier":"default""#, r#""serviceTier":"standard""#, none),
            (r#""service_tier":"on_demand""#, "", &["dropped service_tier"]),
            (r#""response_format":{"type":"text"}"#, "", none),
            (r#""reasoning_effort":"high""#, "", &["dropped reasoning_effort"]),
            (r#""reasoning_effort":"none""#, "", none),
            (r#""parallel_tool_calls":true,"tool_choice":"auto","modalities":[ "text" ],"metadata":{}"#, "", none),
        ],
    );
    check("gemini-2.5-flash", &[(r#""presence_penalty":1,"frequency_penalty":0"#, "", &["dropped presence_penalty"])]);
}

#[test]
fn every_choice_of_a_tool_has_its_row() {
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let sent = |config: &str| {
        let config = if config.is_empty() { String::new() } else { format!(r#","toolConfig":{{"functionCallingConfig":{{{config}}}}}"#) };
        format!(r#""tools":[{{"functionDeclarations":[{{"name":"f"}}]}}]{config}"#)
    };
    let named = r#"{"type":"function","function":{"name":"f"}}"#;
    for (choice, config) in [
        (String::new(), ""),
        (r#","tool_choice":"auto""#.into(), r#""mode":"AUTO""#),
        (r#","tool_choice":"none""#.into(), r#""mode":"NONE""#),
        (r#","tool_choice":"required""#.into(), r#""mode":"ANY""#),
        (format!(r#","tool_choice":{named}"#), r#""mode":"ANY","allowedFunctionNames":["f"]"#),
        (
            format!(r#","tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"required","tools":[{named}]}}}}"#),
            r#""mode":"ANY","allowedFunctionNames":["f"]"#,
        ),
    ] {
        check("gemini-2.5-flash", &[(&format!("{tool}{choice}"), &sent(config), &[])]);
    }
}

#[test]
fn thinking_is_asked_for_as_the_model_wants_it() {
    let config = |config: &str| format!(r#""generationConfig":{{"thinkingConfig":{{{config}}}}}"#);
    let shown = |how: &str| config(&format!(r#"{how},"includeThoughts":true"#));
    for (model, effort, expected, changes) in [
        ("gemini-2.5-flash", "none", config(r#""thinkingBudget":0"#), &[][..]),
        ("gemini-2.5-flash", "minimal", shown(r#""thinkingBudget":1024"#), &[]),
        ("gemini-2.5-flash", "medium", shown(r#""thinkingBudget":8192"#), &[]),
        ("gemini-2.5-pro", "xhigh", shown(r#""thinkingBudget":24576"#), &["reasoning_effort lowered from xhigh to high"]),
        ("gemini-2.5-pro", "none", config(r#""thinkingBudget":128"#), &["reasoning_effort raised from none to 128 tokens"]),
        ("endpoints/7", "low", shown(r#""thinkingBudget":1024"#), &[]),
        ("gemini-3-flash-preview", "none", config(r#""thinkingLevel":"minimal""#), &["reasoning_effort raised from none to minimal"]),
        ("gemini-3-flash-preview", "minimal", shown(r#""thinkingLevel":"minimal""#), &[]),
        ("gemini-3-pro-preview", "medium", shown(r#""thinkingLevel":"high""#), &["reasoning_effort raised from medium to high"]),
        ("gemini-3.1-pro-preview", "medium", shown(r#""thinkingLevel":"medium""#), &[]),
        ("gemini-3.1-pro-preview", "minimal", shown(r#""thinkingLevel":"low""#), &["reasoning_effort raised from minimal to low"]),
    ] {
        check(model, &[(&format!(r#""reasoning_effort":"{effort}""#), &expected, changes)]);
    }
}

#[test]
fn what_cannot_be_translated_is_named() {
    let tool = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    for (extra, param) in [
        (r#""n":2"#, "n"),
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""max_completion_tokens":"5""#, "max_completion_tokens"),
        (r#""temperature":2.1"#, "temperature"),
        (r#""top_p":1e400"#, "top_p"),
        (r#""presence_penalty":-3"#, "presence_penalty"),
        (r#""stop":7"#, "stop"),
        (r#""stop":["a",7]"#, "stop[1]"),
        (r#""stop":["a","b","c","d","e","f"]"#, "stop[5]"),
        (r#""logprobs":1"#, "logprobs"),
        (r#""top_logprobs":21"#, "top_logprobs"),
        (r#""metadata":7"#, "metadata"),
        (r#""reasoning_effort":"much""#, "reasoning_effort"),
        (r#""response_format":"json""#, "response_format"),
        (r#""response_format":{"type":"xml"}"#, "response_format.type"),
        (r#""response_format":{"type":"json_schema"}"#, "response_format.json_schema"),
        (r#""response_format":{"type":"json_schema","json_schema":{"schema":7}}"#, "response_format.json_schema.schema"),
        (r#""functions":[{"name":"f"}]"#, "functions"),
        (r#""tools":{}"#, "tools"),
        (r#""tools":[{"type":"custom"}]"#, "tools[0].type"),
        (r#""tools":[{"type":"function","function":{}}]"#, "tools[0].function.name"),
        (r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#, "tools[0].function.parameters"),
        (&format!(r#"{tool},"tool_choice":"some""#), "tool_choice"),
        (&format!(r#"{tool},"tool_choice":{{"type":"custom"}}"#), "tool_choice.type"),
        (&format!(r#"{tool},"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"x"}}}}"#), "tool_choice.allowed_tools.mode"),
        (&format!(r#"{tool},"tool_choice":{{"type":"function","function":{{"name":7}}}}"#), "tool_choice.function.name"),
        (&format!(r#"{tool},"parallel_tool_calls":"no""#), "parallel_tool_calls"),
    ] {
        let failed = rest_for(Service::VertexAi, "gemini-2.5-flash", extra).expect_err(extra);
        assert_eq!(failed.param.as_deref(), Some(param), "{extra}: {failed:?}");
    }
}

#[test]
fn the_table_of_treatments_says_what_happens() {
    let samples = [
        ("temperature", "0.5"),
        ("max_tokens", "7"),
        ("max_completion_tokens", "7"),
        ("tools", r#"[{"type":"function","function":{"name":"f"}}]"#),
        ("parallel_tool_calls", "false"),
        ("response_format", r#"{"type":"json_object"}"#),
        ("top_p", "0.5"),
        ("stop", r#""x""#),
        ("frequency_penalty", "1"),
        ("logit_bias", r#"{"1":1}"#),
        ("logprobs", "true"),
        ("metadata", r#"{"a":"b"}"#),
        ("prediction", r#"{"type":"content","content":"x"}"#),
        ("presence_penalty", "1"),
        ("prompt_cache_key", r#""k""#),
        ("prompt_cache_options", r#"{"mode":"x"}"#),
        ("prompt_cache_retention", r#""24h""#),
        ("reasoning_effort", r#""low""#),
        ("safety_identifier", r#""s""#),
        ("seed", "7"),
        ("service_tier", r#""flex""#),
        ("store", "true"),
        ("top_logprobs", "2"),
        ("user", r#""u""#),
        ("verbosity", r#""low""#),
    ];
    for (service, table) in [(Service::GeminiApi, GEMINI_API), (Service::VertexAi, VERTEX_AI)] {
        for (name, sample) in samples {
            let (rest, changes) = rest_for(service, "m", &format!(r#""{name}":{sample}"#)).expect(name);
            let (_, treatment) = table.iter().find(|(row, _)| *row == name).expect(name);
            match treatment {
                Treatment::Mapped(_) => assert!(!rest.is_empty() && changes.is_empty(), "{name}: {rest} {changes:?}"),
                Treatment::Dropped => assert_eq!((rest.as_str(), changes), ("", vec![format!("dropped {name}")]), "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
