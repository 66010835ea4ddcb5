//! Good and bad values of every documented member, and the path by which a bad one is named.

use super::*;
use crate::openai::{BadRequest, ChatRequest};

/// Members and the rest of the body, as a call needs it.
fn body(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{members}}}"#)
}

/// Member, good values, and bad ones with the path that is named.
type Row = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const ROWS: &[Row] = &[
    ("stream", &["true", "false"], &[("1", "stream"), (r#""true""#, "stream"), ("[]", "stream")]),
    (
        "stream_options",
        &["{}", r#"{"include_usage":true,"include_obfuscation":false,"new":[1]}"#, r#"{"include_usage":null}"#],
        &[
            ("true", "stream_options"),
            ("[]", "stream_options"),
            (r#"{"include_usage":1}"#, "stream_options.include_usage"),
            (r#"{"include_obfuscation":"no"}"#, "stream_options.include_obfuscation"),
            (r#"{"include_usage":true,"include_usage":false}"#, "stream_options.include_usage"),
        ],
    ),
    (
        "temperature",
        &["0", "-0.0", "2", "0.70", "2.0e0", "1E-2"],
        &[("-0.1", "temperature"), ("2.01", "temperature"), ("1e400", "temperature"), (r#""1""#, "temperature"), ("true", "temperature")],
    ),
    ("top_p", &["0", "1", "0.5"], &[("-1", "top_p"), ("1.1", "top_p"), ("[]", "top_p")]),
    (
        "max_tokens",
        &["1", "4294967295"],
        &[("0", "max_tokens"), ("-1", "max_tokens"), ("1.5", "max_tokens"), ("1e3", "max_tokens"), ("4294967296", "max_tokens")],
    ),
    (
        "max_completion_tokens",
        &["1", "128000"],
        &[("0", "max_completion_tokens"), ("1.0", "max_completion_tokens"), (r#""9""#, "max_completion_tokens")],
    ),
    ("n", &["1", "128"], &[("0", "n"), ("129", "n"), ("-1", "n"), ("1.0", "n"), ("true", "n"), ("18446744073709551616", "n")]),
    (
        "stop",
        &[r#""END""#, r#""""#, "[]", r#"["a","b","c","d"]"#],
        &[("7", "stop"), ("{}", "stop"), (r#"["a",7]"#, "stop[1]"), ("[null]", "stop[0]"), (r#"["a","b","c","d","e"]"#, "stop[4]")],
    ),
    ("presence_penalty", &["-2", "2.0", "0"], &[("-2.1", "presence_penalty"), ("3", "presence_penalty"), (r#""0""#, "presence_penalty")]),
    ("frequency_penalty", &["-2", "2.0", "0"], &[("-3", "frequency_penalty"), ("2.1", "frequency_penalty"), ("{}", "frequency_penalty")]),
    (
        "logit_bias",
        &["{}", r#"{"50256":-100,"0":100,"1":0.5}"#],
        &[
            ("[]", "logit_bias"),
            (r#"{"50256":-101}"#, "logit_bias.50256"),
            (r#"{"1":0,"50256":"1"}"#, "logit_bias.50256"),
            (r#"{"1":null}"#, "logit_bias.1"),
            (r#"{"hello":1}"#, "logit_bias"),
            (r#"{"":1}"#, "logit_bias"),
        ],
    ),
    ("logprobs", &["true", "false"], &[("1", "logprobs"), (r#""true""#, "logprobs")]),
    (
        "top_logprobs",
        &["0", r#"20,"logprobs":true"#],
        &[
            (r#"21,"logprobs":true"#, "top_logprobs"),
            (r#"-1,"logprobs":true"#, "top_logprobs"),
            ("1", "top_logprobs"),
            (r#"1,"logprobs":false"#, "top_logprobs"),
            (r#"1.5,"logprobs":true"#, "top_logprobs"),
        ],
    ),
    ("seed", &["-9223372036854775808", "9223372036854775807"], &[("1.5", "seed"), ("9223372036854775808", "seed"), (r#""1""#, "seed")]),
    ("user", &[r#""u""#, r#""\ud83d\ude00""#], &[("7", "user"), ("[]", "user"), ("{}", "user")]),
    ("store", &["true", "false"], &[("0", "store"), (r#""no""#, "store")]),
    (
        "metadata",
        &["{}", r#"{"a":"b","":""}"#],
        &[("[]", "metadata"), (r#""a""#, "metadata"), (r#"{"foo":1}"#, "metadata.foo"), (r#"{"a":"","foo":null}"#, "metadata.foo")],
    ),
    (
        "tools",
        &[
            "[]",
            r#"[{"type":"function","function":{"name":"get_weather-2","description":"d","parameters":{"type":"object"},"strict":true}}]"#,
            r#"[{"function":{"name":"f","parameters":null,"new":1},"type":"function","cache_control":{}},{"type":"browser_search"}]"#,
            r#"[{"type":"custom","custom":{"name":"c","format":{"type":"grammar","grammar":{"definition":"g","syntax":"lark"}}}}]"#,
        ],
        &[
            ("{}", "tools"),
            ("[7]", "tools[0]"),
            ("[{}]", "tools[0].type"),
            (r#"[{"type":7}]"#, "tools[0].type"),
            (r#"[{"type":"a word"}]"#, "tools[0].type"),
            (r#"[{"type":"function"}]"#, "tools[0].function"),
            (r#"[{"type":"function","function":"f"}]"#, "tools[0].function"),
            (r#"[{"type":"x"},{"type":"x"},{"type":"function","function":{}}]"#, "tools[2].function.name"),
            (r#"[{"type":"function","function":{"name":""}}]"#, "tools[0].function.name"),
            (r#"[{"type":"function","function":{"name":"a b"}}]"#, "tools[0].function.name"),
            (r#"[{"type":"function","function":{"name":"ü"}}]"#, "tools[0].function.name"),
            (r#"[{"type":"function","function":{"name":"f","description":1}}]"#, "tools[0].function.description"),
            (r#"[{"type":"function","function":{"name":"f","parameters":[]}}]"#, "tools[0].function.parameters"),
            (r#"[{"type":"function","function":{"name":"f","strict":"yes"}}]"#, "tools[0].function.strict"),
            (r#"[{"type":"custom","custom":{}}]"#, "tools[0].custom.name"),
            (r#"[{"type":"custom","custom":{"name":"c","format":{"type":"grammar"}}}]"#, "tools[0].custom.format.grammar"),
        ],
    ),
    (
        "tool_choice",
        &[
            r#""none""#,
            r#""auto""#,
            r#""required""#,
            r#"{"type":"function","function":{"name":"f"}}"#,
            r#"{"type":"custom","custom":{"name":"c"}}"#,
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function"}]}}"#,
            r#"{"type":"browser_search"}"#,
        ],
        &[
            (r#""any""#, "tool_choice"),
            ("[]", "tool_choice"),
            ("{}", "tool_choice.type"),
            (r#"{"type":"function"}"#, "tool_choice.function"),
            (r#"{"type":"function","function":{"name":7}}"#, "tool_choice.function.name"),
            (r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto"}}"#, "tool_choice.allowed_tools.tools"),
            (r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[1]}}"#, "tool_choice.allowed_tools.tools[0]"),
        ],
    ),
    ("parallel_tool_calls", &["true", "false"], &[("1", "parallel_tool_calls"), (r#""true""#, "parallel_tool_calls")]),
    (
        "functions",
        &["[]", r#"[{"name":"f","parameters":{}}]"#],
        &[("{}", "functions"), ("[{}]", "functions[0].name"), (r#"[{"name":"f"},{"name":"a.b"}]"#, "functions[1].name")],
    ),
    (
        "function_call",
        &[r#""none""#, r#""auto""#, r#"{"name":"f"}"#],
        &[(r#""required""#, "function_call"), ("7", "function_call"), ("{}", "function_call.name")],
    ),
    (
        "response_format",
        &[
            r#"{"type":"text"}"#,
            r#"{"type":"json_object"}"#,
            r#"{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"x":[]},"strict":null}}"#,
        ],
        &[
            (r#""json""#, "response_format"),
            ("{}", "response_format.type"),
            (r#"{"type":"xml"}"#, "response_format.type"),
            (r#"{"type":"json_schema"}"#, "response_format.json_schema"),
            (r#"{"type":"json_schema","json_schema":{}}"#, "response_format.json_schema.name"),
            (r#"{"json_schema":{"name":"a b"},"type":"json_schema"}"#, "response_format.json_schema.name"),
            (r#"{"type":"json_schema","json_schema":{"name":"n","schema":"s"}}"#, "response_format.json_schema.schema"),
            (r#"{"type":"json_schema","json_schema":{"name":"n","strict":1}}"#, "response_format.json_schema.strict"),
        ],
    ),
    ("modalities", &[r#"["text"]"#, r#"["text","audio"]"#], &[(r#""text""#, "modalities"), (r#"["text",7]"#, "modalities[1]")]),
    (
        "audio",
        &[r#"{"voice":"alloy","format":"wav"}"#, r#"{"voice":{"id":"voice_1"},"format":"pcm16"}"#],
        &[
            (r#""alloy""#, "audio"),
            ("{}", "audio.voice"),
            (r#"{"voice":"alloy"}"#, "audio.format"),
            (r#"{"voice":{},"format":"wav"}"#, "audio.voice.id"),
            (r#"{"voice":7,"format":"wav"}"#, "audio.voice"),
        ],
    ),
    (
        "moderation",
        &[r#"{"model":"omni-moderation-latest"}"#, r#"{"model":"m","policy":{"input":{"mode":"block"},"output":null}}"#],
        &[("true", "moderation"), ("{}", "moderation.model"), (r#"{"model":"m","policy":{"input":{}}}"#, "moderation.policy.input.mode")],
    ),
    (
        "prediction",
        &[r#"{"type":"content","content":"x"}"#, r#"{"type":"content","content":[{"type":"text","text":"x"}]}"#],
        &[
            (r#""x""#, "prediction"),
            (r#"{"content":"x"}"#, "prediction.type"),
            (r#"{"type":"content"}"#, "prediction.content"),
            (r#"{"type":"content","content":7}"#, "prediction.content"),
            (r#"{"type":"content","content":[{"type":"text"}]}"#, "prediction.content[0].text"),
        ],
    ),
    (
        "reasoning_effort",
        &[r#""minimal""#, r#""default""#],
        &[("1", "reasoning_effort"), (r#""""#, "reasoning_effort"), (r#""as much as it takes""#, "reasoning_effort")],
    ),
    ("verbosity", &[r#""low""#, r#""of_next_year""#], &[("1", "verbosity"), (r#""very low""#, "verbosity")]),
    ("service_tier", &[r#""auto""#, r#""on_demand""#], &[("{}", "service_tier"), (r#""""#, "service_tier")]),
    ("prompt_cache_key", &[r#""k""#], &[("1", "prompt_cache_key"), ("[]", "prompt_cache_key")]),
    (
        "prompt_cache_retention",
        &[r#""24h""#, r#""in-memory""#],
        &[("24", "prompt_cache_retention"), (r#""a day""#, "prompt_cache_retention")],
    ),
    (
        "prompt_cache_options",
        &["{}", r#"{"mode":"explicit","ttl":"30m"}"#],
        &[("7", "prompt_cache_options"), (r#"{"mode":1}"#, "prompt_cache_options.mode"), (r#"{"ttl":30}"#, "prompt_cache_options.ttl")],
    ),
    ("safety_identifier", &[r#""s""#], &[("1", "safety_identifier"), ("true", "safety_identifier")]),
    (
        "web_search_options",
        &["{}", r#"{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Paris","country":"FR"}}}"#],
        &[
            ("true", "web_search_options"),
            (r#"{"search_context_size":1}"#, "web_search_options.search_context_size"),
            (r#"{"user_location":{}}"#, "web_search_options.user_location.type"),
            (r#"{"user_location":{"type":"approximate"}}"#, "web_search_options.user_location.approximate"),
            (r#"{"user_location":{"type":"approximate","approximate":{"city":7}}}"#, "web_search_options.user_location.approximate.city"),
        ],
    ),
];

#[test]
fn every_documented_member_is_in_the_public_document() {
    let document = include_str!("../../../docs/openapi.yaml");
    let (_, request) = document.split_once("\n    ChatCompletionRequest:\n").expect("the schema");
    let (request, _) = request.split_once("\n    Moderated:\n").expect("the schema behind it");
    let listed: Vec<&str> = request
        .lines()
        .filter_map(|line| line.strip_prefix("        ").filter(|line| !line.starts_with(' '))?.split_once(':').map(|(name, _)| name))
        .collect();
    for field in REQUEST {
        assert!(listed.contains(&field.name), "{} is not in docs/openapi.yaml", field.name);
    }
    assert_eq!(listed.len(), REQUEST.len(), "{listed:?}");
}

fn refused(body: &str) -> (String, String) {
    match ChatRequest::parse(body.as_bytes()) {
        Err(BadRequest::Invalid { param, message }) => (param, message),
        other => panic!("{body:.200}: {other:?}"),
    }
}

#[test]
fn every_documented_member_has_a_row_and_every_row_a_member() {
    let own_readers = ["model", "messages", "route"];
    let documented: Vec<&str> = REQUEST.iter().map(|field| field.name).filter(|name| !own_readers.contains(name)).collect();
    for name in &documented {
        assert_eq!(ROWS.iter().filter(|row| row.0 == *name).count(), 1, "{name}");
    }
    assert_eq!(ROWS.len(), documented.len());
}

#[test]
fn good_values_pass_and_so_does_null() {
    for (name, good, _) in ROWS {
        for value in good.iter().chain(&["null"]) {
            let body = body(&format!(r#""{name}":{value}"#));
            assert!(ChatRequest::parse(body.as_bytes()).is_ok(), "{body}: {:?}", ChatRequest::parse(body.as_bytes()));
        }
    }
}

#[test]
fn bad_values_are_refused_by_their_path() {
    for (name, _, bad) in ROWS {
        assert!(bad.len() > 1, "{name}");
        for (value, path) in *bad {
            let (param, message) = refused(&body(&format!(r#""{name}":{value}"#)));
            assert_eq!(param, *path, "{name}: {value}");
            assert!(!message.is_empty() && message.len() < 200, "{name}: {message}");
        }
    }
}

#[test]
fn a_documented_member_stands_once() {
    for (name, good, _) in ROWS {
        let value = good.first().expect("a good value").split(",\"logprobs\"").next().expect("a value");
        assert_eq!(refused(&body(&format!(r#""{name}":{value},"{name}":{value}"#))).0, *name);
    }
}

#[test]
fn lengths_and_numbers_are_bounded_as_documented() {
    let text = |count: usize| "x".repeat(count);
    let list = |count: usize, element: &str| vec![element; count].join(",");
    let entries = |count: usize, value: &str| (0..count).map(|i| format!(r#""{i}":{value}"#)).collect::<Vec<_>>().join(",");
    let tool = |name: &str| format!(r#""tools":[{{"type":"function","function":{{"name":"{name}"}}}}]"#);
    for (good, bad, path) in [
        (format!(r#""metadata":{{{}}}"#, entries(16, r#""""#)), format!(r#""metadata":{{{}}}"#, entries(17, r#""""#)), "metadata"),
        (format!(r#""metadata":{{"{}":""}}"#, text(64)), format!(r#""metadata":{{"{}":""}}"#, text(65)), "metadata"),
        (format!(r#""metadata":{{"a":"{}"}}"#, text(512)), format!(r#""metadata":{{"a":"{}"}}"#, text(513)), "metadata.a"),
        (format!(r#""safety_identifier":"{}""#, text(128)), format!(r#""safety_identifier":"{}""#, text(129)), "safety_identifier"),
        (tool(&text(64)), tool(&text(65)), "tools[0].function.name"),
        (format!(r#""tools":[{}]"#, list(128, r#"{"type":"x"}"#)), format!(r#""tools":[{}]"#, list(129, r#"{"type":"x"}"#)), "tools[128]"),
        (
            format!(r#""functions":[{}]"#, list(128, r#"{"name":"f"}"#)),
            format!(r#""functions":[{}]"#, list(129, r#"{"name":"f"}"#)),
            "functions[128]",
        ),
        (format!(r#""logit_bias":{{{}}}"#, entries(MANY, "0")), format!(r#""logit_bias":{{{}}}"#, entries(MANY + 1, "0")), "logit_bias"),
    ] {
        assert!(ChatRequest::parse(body(&good).as_bytes()).is_ok(), "{good:.200}");
        assert_eq!(refused(&body(&bad)).0, path, "{bad:.200}");
    }
}

#[test]
fn messages_say_what_was_expected_and_not_what_was_there() {
    for (members, message) in [
        (r#""temperature":3"#, "expected a number from 0 to 2"),
        (r#""n":0"#, "expected a whole number from 1 to 128"),
        (r#""stop":7"#, "expected a string or an array"),
        (r#""tool_choice":"secret""#, "expected one of none, auto, required or an object"),
        (r#""safety_identifier":7"#, "expected a string of at most 128 characters"),
        (r#""top_logprobs":2"#, "takes `logprobs: true`"),
    ] {
        assert_eq!(refused(&body(members)).1, message, "{members}");
    }
}

#[test]
fn what_is_not_documented_passes() {
    for members in [r#""of_next_year":[{"x":1e999}]"#, r#""Temperature":"hot""#, r#""top_k":-1,"top_k":-2"#] {
        assert!(ChatRequest::parse(body(members).as_bytes()).is_ok(), "{members}");
    }
}
