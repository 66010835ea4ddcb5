//! A chat completion request becomes a message request
//! (<https://platform.claude.com/docs/en/api/messages/create>).

use super::adjustments::Adjustments;
use super::complaint::Path;
use super::conversation::{Conversation, Ending};
use super::generation::Generation;
use super::json::Object;
use super::parameters::{self, Circumstances, Format, Thinking, member};
use super::part::{self, Place};
use super::tools;
use crate::openai::members::encode;
use crate::provider::{Call, Failed};

/// Members that are translated. `model` and `stream` are known from the call, `stream_options`
/// has no meaning here, and one answer is what both give by default.
const TRANSLATED: [&str; 19] = [
    "model",
    "stream",
    "stream_options",
    "n",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "temperature",
    "top_p",
    "stop",
    "reasoning_effort",
    "response_format",
    "user",
    "safety_identifier",
    "service_tier",
];

/// Values that say what would happen anyway: leaving them out changes nothing.
const NEUTRAL: [(&str, &[&str]); 8] = [
    ("presence_penalty", &["0", "0.0"]),
    ("frequency_penalty", &["0", "0.0"]),
    ("logit_bias", &["{}"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("store", &["false"]),
    ("metadata", &["{}"]),
    ("modalities", &[r#"["text"]"#]),
];

/// Stands for `response_format: {"type": "json_object"}`.
const JSON_ONLY: &str = "Answer with a single JSON object and nothing else: no introduction, no code fence.";

/// Room for what is added: the wrapping of a text in a turn and a block is about as long as
/// OpenAI's, so the body rarely grows.
const GROWTH: usize = 1024;

/// The provider's body and the list of changes.
pub(super) fn translate(call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Some(body_object) = Object::read(body) else {
        return Err(Failed { message: "expected a JSON object".to_owned(), param: None, code: None });
    };
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + GROWTH);
    out.extend_from_slice(br#"{"model":"#);
    encode(call.model, &mut out);
    out.extend_from_slice(br#","messages":"#);
    let messages = body_object.find("messages").ok_or_else(|| Path::root("messages").missing("an array of messages"))?;
    let mut conversation = Conversation::translate(out, messages)?;
    let format = parameters::format(&body_object, &mut conversation.adjustments)?;
    if format == Format::JsonObject {
        part::text(&mut conversation, Place::System, JSON_ONLY, None);
    }
    let Conversation { mut out, system, mut adjustments, called, ending, .. } = conversation;
    if !system.is_empty() {
        out.extend_from_slice(br#","system":["#);
        out.extend_from_slice(&system);
        out.push(b']');
    }
    parameters(call, &body_object, &Known { format, called: &called, ending }, &mut adjustments, &mut out)?;
    out.push(b'}');
    Ok((out, adjustments.into_list()))
}

/// What the conversation has told.
struct Known<'r> {
    format: Format<'r>,
    called: &'r [&'r str],
    ending: Ending,
}

/// Appends everything that is not conversation.
fn parameters(
    call: &Call<'_>,
    body: &Object<'_>,
    known: &Known<'_>,
    adjustments: &mut Adjustments,
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let Known { format, called, ending } = *known;
    if body.find("n").is_some_and(|n| n != "1") {
        return Err(Path::root("n").unsupported("this model's provider gives one answer"));
    }
    let generation = Generation::of(call.model);
    let max_tokens = parameters::max_tokens(body, call.max_output, adjustments)?;
    member("max_tokens", &max_tokens.to_string(), out);
    let choice = tools::write(body, generation, called, adjustments, out)?;
    let thinking = parameters::thinking(body, &Circumstances { generation, max_tokens, choice, ending }, adjustments)?;
    parameters::sampling(body, generation, thinking != Thinking::Off, adjustments, out)?;
    parameters::stop_sequences(body, adjustments, out)?;
    let effort = match thinking {
        Thinking::Off => None,
        Thinking::Budget(tokens) => {
            member("thinking", &format!(r#"{{"type":"enabled","budget_tokens":{tokens}}}"#), out);
            None
        }
        Thinking::Effort(word) => {
            member("thinking", r#"{"type":"adaptive"}"#, out);
            Some(word)
        }
    };
    output_config(effort, format, out);
    parameters::user(body, adjustments, out)?;
    parameters::service_tier(body, adjustments, out);
    if call.stream {
        member("stream", "true", out);
    }
    for (name, _) in body.others(&TRANSLATED).filter(|(name, value)| !is_neutral(name, value)) {
        adjustments.dropped("", name);
    }
    Ok(())
}

fn is_neutral(name: &str, value: &str) -> bool {
    let says = |neutral: &&str| value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(neutral.bytes());
    NEUTRAL.iter().any(|(member, values)| *member == name && values.iter().any(says))
}

fn output_config(effort: Option<&str>, format: Format<'_>, out: &mut Vec<u8>) {
    let effort = effort.map(|word| format!(r#""effort":"{word}""#));
    let schema = match format {
        Format::Schema(schema) => Some([r#""format":{"type":"json_schema","schema":"#, schema, "}"].concat()),
        Format::Text | Format::JsonObject => None,
    };
    let both: Vec<String> = effort.into_iter().chain(schema).collect();
    if !both.is_empty() {
        member("output_config", &format!("{{{}}}", both.join(",")), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Endpoint;

    /// Translates `{"messages": [a user who says hi], …}` and returns what stands behind the turns.
    fn rest_for(model: &str, extra: &str) -> Result<(String, Vec<String>), Failed> {
        let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 20_000 };
        let comma = if extra.is_empty() { "" } else { "," };
        let (out, adjustments) = translate(&call, &format!(r#"{{"messages":[{{"role":"user","content":"hi"}}]{comma}{extra}}}"#))?;
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
                (
                    r#""stop":["a","\n","b"]"#,
                    r#""max_tokens":20000,"stop_sequences":["a","b"]"#,
                    &["dropped a stop sequence of whitespace"],
                ),
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
            (
                r#","parallel_tool_calls":false,"tool_choice":"required""#,
                r#","tool_choice":{"type":"any","disable_parallel_tool_use":true}"#,
            ),
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
        let adaptive =
            |effort: &str| format!(r#""max_tokens":20000,"thinking":{{"type":"adaptive"}},"output_config":{{"effort":"{effort}"}}"#);
        for (model, effort, expected, changes) in [
            ("claude-sonnet-4-5", "none", r#""max_tokens":20000"#.to_owned(), &[][..]),
            ("claude-sonnet-4-5", "minimal", budget(1024), &[]),
            ("claude-sonnet-4-5", "low", budget(2048), &[]),
            ("claude-sonnet-4-5", "medium", budget(8192), &[]),
            ("claude-sonnet-4-5", "high", budget(15000), &[]),
            ("claude-sonnet-4-6", "minimal", adaptive("low"), &[]),
            ("claude-sonnet-4-6", "xhigh", adaptive("high"), &["reasoning_effort lowered from xhigh to high"]),
            ("claude-opus-4-8", "xhigh", adaptive("xhigh"), &[]),
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
        check(
            "claude-opus-4-7",
            &[(r#""temperature":0.2,"top_p":0.5"#, r#""max_tokens":20000"#, &["dropped temperature", "dropped top_p"])],
        );
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
            (&format!(r#"{TOOL},"tool_choice":{{"type":"allowed_tools"}}"#), "tool_choice.type"),
            (&format!(r#"{TOOL},"tool_choice":{{"type":"function","function":{{"name":7}}}}"#), "tool_choice.function.name"),
            (&format!(r#"{TOOL},"parallel_tool_calls":"no""#), "parallel_tool_calls"),
        ] {
            let failed = rest_for("claude-sonnet-4-5", extra).expect_err(extra);
            assert_eq!(failed.param.as_deref(), Some(param), "{extra}: {failed:?}");
        }
    }
}
