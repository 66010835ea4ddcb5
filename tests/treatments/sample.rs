//! A request with one member, or one kind of content, and the same request without it.

use neural_router::provider::Protocol;
use serde_json::Value;

/// Kinds of content that tables have besides the documented members.
pub const KINDS: [&str; 7] =
    ["image_url (web)", "image_url (data)", "input_audio", "file", "custom tools", "messages[].name", "cache_control"];

/// One thing that a caller may ask for.
pub struct Sample {
    /// As tables call it.
    name: &'static str,
    /// The member that holds it, and its value.
    member: &'static str,
    value: Value,
    /// Whether the member is one of the body's own.
    at_root: bool,
    /// A request that has it.
    pub with: String,
    /// The same request without it.
    pub without: String,
}

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]"#;
const FUNCTIONS: &str = r#""functions":[{"name":"f","parameters":{"type":"object","properties":{}}}]"#;
const SCHEMA: &str = r#"{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false},"strict":true}}"#;

/// A documented member, a value that is none's default, and what it makes no sense without.
const MEMBERS: [(&str, &str, &str); 33] = [
    ("temperature", "0.5", ""),
    ("max_tokens", "100", ""),
    ("max_completion_tokens", "100", ""),
    ("tools", "", TOOLS),
    ("tool_choice", r#""required""#, TOOLS),
    ("parallel_tool_calls", "false", TOOLS),
    ("response_format", SCHEMA, ""),
    ("top_p", "0.9", ""),
    ("n", "2", ""),
    ("stop", r#"["END"]"#, ""),
    ("audio", r#"{"voice":"alloy","format":"wav"}"#, r#""modalities":["text","audio"]"#),
    ("frequency_penalty", "0.5", ""),
    ("function_call", r#"{"name":"f"}"#, FUNCTIONS),
    ("functions", "", FUNCTIONS),
    ("logit_bias", r#"{"50256":-100}"#, ""),
    ("logprobs", "true", ""),
    ("metadata", r#"{"team":"search"}"#, ""),
    ("modalities", r#"["text","audio"]"#, ""),
    ("moderation", r#"{"model":"omni-moderation-latest"}"#, ""),
    ("prediction", r#"{"type":"content","content":"The answer."}"#, ""),
    ("presence_penalty", "0.5", ""),
    ("prompt_cache_key", r#""tenant-7""#, ""),
    ("prompt_cache_options", r#"{"mode":"explicit"}"#, ""),
    ("prompt_cache_retention", r#""24h""#, ""),
    ("reasoning_effort", r#""low""#, ""),
    ("safety_identifier", r#""user-7""#, ""),
    ("seed", "7", ""),
    ("service_tier", r#""flex""#, ""),
    ("store", "true", ""),
    ("top_logprobs", "3", r#""logprobs":true"#),
    ("user", r#""user-7""#, ""),
    ("verbosity", r#""low""#, ""),
    ("web_search_options", r#"{"search_context_size":"low"}"#, ""),
];

/// Values that a protocol knows where it does not know the one above.
const KNOWN: [(&str, &str, &str); 3] = [
    ("anthropic", "service_tier", r#""default""#),
    ("mistral", "service_tier", r#""default""#),
    ("deepseek", "response_format", r#"{"type":"json_object"}"#),
];

const TEXT: &str = r#"{"type":"text","text":"What is this?"}"#;

/// A kind of content that is a part, or in one, and the member of the part.
const PARTS: [(&str, &str, &str); 5] = [
    ("image_url (web)", "image_url", r#"{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}"#),
    ("image_url (data)", "image_url", r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}"#),
    ("input_audio", "input_audio", r#"{"type":"input_audio","input_audio":{"data":"UklGRiQAAABXQVZF","format":"wav"}}"#),
    ("file", "file", r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQ="}}"#),
    ("cache_control", "cache_control", r#"{"type":"text","text":"And this.","cache_control":{"type":"ephemeral"}}"#),
];

impl Sample {
    /// The sample of a row of a table.
    pub fn of(name: &str) -> Self {
        if let Some((name, value, presupposed)) = MEMBERS.iter().find(|(member, ..)| *member == name) {
            return Self::member(name, value, presupposed);
        }
        if let Some((name, member, part)) = PARTS.iter().find(|(kind, ..)| *kind == name) {
            let with = request(&format!(r#"[{TEXT},{part}]"#), "", "");
            let without = match *name {
                "cache_control" => request(&format!(r#"[{TEXT},{{"type":"text","text":"And this."}}]"#), "", ""),
                _ => request(&format!("[{TEXT}]"), "", ""),
            };
            let value = json(part).get(member).expect("the member of a part").clone();
            return Self { name, member, value, at_root: false, with, without };
        }
        match name {
            "custom tools" => {
                let custom = r#"{"name":"f","description":"Runs a script."}"#;
                let with = request(r#""hi""#, "", &format!(r#""tools":[{{"type":"custom","custom":{custom}}}]"#));
                Self {
                    name: "custom tools",
                    member: "custom",
                    value: json(custom),
                    at_root: false,
                    with,
                    without: request(r#""hi""#, "", ""),
                }
            }
            "messages[].name" => {
                let with = request(r#""hi""#, r#","name":"alice""#, "");
                let value = Value::from("alice");
                Self { name: "messages[].name", member: "name", value, at_root: false, with, without: request(r#""hi""#, "", "") }
            }
            other => panic!("{other} is neither a documented member nor a kind of content"),
        }
    }

    fn member(name: &'static str, value: &str, presupposed: &str) -> Self {
        // What is presupposed of itself is the sample.
        let (member, presupposed) = match value {
            "" => (presupposed.to_owned(), ""),
            _ => (format!("\"{name}\":{value}"), presupposed),
        };
        let both = if presupposed.is_empty() { member.clone() } else { format!("{presupposed},{member}") };
        let value = json(&format!("{{{member}}}")).get(name).expect("the member").clone();
        let request = |members: &str| request(r#""hi""#, "", members);
        Self { name, member: name, value, at_root: true, with: request(&both), without: request(presupposed) }
    }

    /// The sample with a value that this protocol knows.
    pub fn known_to(self, protocol: &Protocol) -> Self {
        match KNOWN.iter().find(|(known, member, _)| [protocol.name, protocol.wire].contains(known) && *member == self.name) {
            Some((_, member, value)) => Self::member(member, value, ""),
            None => self,
        }
    }

    /// The sample without what it makes no sense without, for who lacks that.
    pub fn alone(&self) -> Option<Self> {
        let (name, value, _) = MEMBERS.iter().find(|(member, ..)| *member == self.name).filter(|(_, value, _)| !value.is_empty())?;
        Some(Self::member(name, value, ""))
    }

    /// Whether a translation has the member with its value.
    pub fn stands_in(&self, translated: &Value) -> bool {
        fn anywhere(value: &Value, member: &str, wanted: &Value) -> bool {
            match value {
                Value::Object(members) => {
                    members.get(member) == Some(wanted) || members.values().any(|value| anywhere(value, member, wanted))
                }
                Value::Array(elements) => elements.iter().any(|value| anywhere(value, member, wanted)),
                _ => false,
            }
        }
        match self.at_root {
            true => translated.get(self.member) == Some(&self.value),
            false => anywhere(translated, self.member, &self.value),
        }
    }

    /// Whether an adjustment is about it, and not about what is below it. `custom tools` are a kind of `tools`.
    pub fn is_named_in(&self, adjustment: &str) -> bool {
        let member = if self.member == "custom" { "tools" } else { self.member };
        let paths = adjustment.split(|c: char| !c.is_ascii_alphanumeric() && !"_.[]".contains(c));
        paths.filter_map(|path| path.trim_end_matches('.').rsplit('.').next()).any(|name| name.trim_end_matches("[]") == member)
    }

    /// Whether what is lacking is this: by its name, or by that of what it makes no sense without.
    pub fn is_lack(&self, lack: &str) -> bool {
        let also: &[&str] = match self.name {
            "audio" => &["modalities"],
            "modalities" => &["audio"],
            "function_call" => &["functions"],
            "top_logprobs" => &["logprobs"],
            "response_format" => &["json_schema"],
            "image_url (web)" | "image_url (data)" => &["image_url", "images by address", "image_url (web)"],
            _ => &[],
        };
        lack == self.name || also.contains(&lack)
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn request(content: &str, of_message: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}{of_message}}}]{comma}{members}}}"#)
}
