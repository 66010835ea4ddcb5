//! The documented members of a chat completion request and what their values may be
//! (<https://platform.openai.com/docs/api-reference/chat/create>).
//!
//! A wrong value is refused here, with the member's name, before it costs anybody anything, and in
//! the same words whichever provider would have had it. Three rules decide what is not refused:
//!
//! * `null` is as good as nothing everywhere. OpenAI takes it for most members and clients send it
//!   for the others; a provider that minds says so.
//! * What is not in this table passes, in the body and in the objects below it. A field of next
//!   year needs no new gateway.
//! * A list of words is closed only where we act on the word ourselves: `response_format.type`
//!   decides who is asked, `tool_choice` and `function_call` are translated, and none of them has
//!   grown in years. `reasoning_effort`, `service_tier`, `verbosity`, `modalities`,
//!   `prompt_cache_retention`, the types of tools and the like are open: OpenAI keeps adding to
//!   them, and its imitators have words of their own (Groq's `default` effort, `on_demand` tier and
//!   `browser_search` tool). They have to look like a word; whether they are known is for the
//!   provider to say, whose refusal is final and names the member as well.
//!
//! `model`, `messages` and `route` have readers of their own and are here to be counted.

use super::mark;
use super::shape::Shape::{Any, Array, Bool, Either, Integer, Map, Name, Number, Object, OneOf, Opaque, Short, Text};
use super::shape::{Field, Key, MAX_FIELDS, Walk, of_type, optional, required};

/// A request, before its first member.
pub(super) const fn request() -> Walk {
    Walk::new(REQUEST)
}

/// Which documented members a request has, and what of [`mark`] is in its messages and tools. `null` counts
/// as absent, and so does `logprobs: false`, which asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields(u64);

impl Fields {
    /// The set of these members and marks. A name that is neither has no place in it.
    pub const fn of(mut names: &[&str]) -> Self {
        let mut bits = 0;
        while let [name, rest @ ..] = names {
            let (mut fields, mut index) = (REQUEST, 0);
            while let [field, others @ ..] = fields {
                if same(field.name.as_bytes(), name.as_bytes()) {
                    bits |= 1 << index;
                }
                (fields, index) = (others, index + 1);
            }
            let mut marks = mark::ALL;
            while let [mark, others @ ..] = marks {
                if same(mark.as_bytes(), name.as_bytes()) {
                    bits |= 1 << index;
                }
                (marks, index) = (others, index + 1);
            }
            names = rest;
        }
        Self(bits)
    }

    /// What is in one of them or in both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this one and not in the other.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether both have a member in common.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The documented name of the first member that both have.
    pub fn first_common(self, other: Self) -> Option<&'static str> {
        let common = self.0 & other.0;
        REQUEST.get(common.trailing_zeros() as usize).map(|field| field.name)
    }

    /// What is in both.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the member of this name is in it.
    pub fn has(self, name: &str) -> bool {
        REQUEST.iter().enumerate().any(|(index, field)| field.name == name && self.0 & 1 << index != 0)
    }

    /// The names of all documented members, in the order of their bits.
    pub fn documented() -> impl Iterator<Item = &'static str> {
        REQUEST.iter().map(|field| field.name)
    }

    /// The set as a number, for the other seat.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set that [`bits`](Self::bits) came from.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn with(self, bit: u64) -> Self {
        Self(self.0 | bit)
    }
}

/// Values that say what would happen anyway: leaving them out changes nothing.
const NEUTRAL: &[(&str, &[&str])] = &[
    ("n", &["1"]),
    ("presence_penalty", &["0", "0.0"]),
    ("frequency_penalty", &["0", "0.0"]),
    ("logit_bias", &["{}"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("store", &["false"]),
    ("metadata", &["{}"]),
    ("modalities", &[r#"["text"]"#]),
    ("tools", &["[]"]),
    ("functions", &["[]"]),
];

/// Whether a documented member has a value that changes nothing, however it is spaced.
pub fn is_neutral(name: &str, value: &str) -> bool {
    let says = |neutral: &&str| value.bytes().filter(|byte| !byte.is_ascii_whitespace()).eq(neutral.bytes());
    value.len() < MAX_NEUTRAL && NEUTRAL.iter().any(|(member, values)| *member == name && values.iter().any(says))
}

/// Longest value looked at for being neutral.
const MAX_NEUTRAL: usize = 32;

/// Whether two texts are the same, in a constant.
const fn same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([a, ones @ ..], [b, others @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (ones, others);
    }
    one.is_empty() && other.is_empty()
}

/// The largest number of tokens that a request can name; more than any model gives.
const MAX_TOKENS: i64 = u32::MAX as i64;

/// OpenAI's most, for tools and functions alike.
const MAX_TOOLS: usize = 128;

/// Where OpenAI documents no most, so that no list costs more than a fraction of a millisecond.
const MANY: usize = 1024;

/// The ones that every request has come first: a member is looked up from the top.
const REQUEST: &[Field] = &[
    required("model", Any),
    required("messages", Any),
    optional("stream", Bool),
    optional("stream_options", Object(&[optional("include_usage", Bool), optional("include_obfuscation", Bool)])),
    optional("temperature", Number(0.0, 2.0)),
    optional("max_tokens", Integer(1, MAX_TOKENS)),
    optional("max_completion_tokens", Integer(1, MAX_TOKENS)),
    optional("tools", Array(MAX_TOOLS, &Object(TOOL))),
    optional("tool_choice", Either(&[OneOf(&["none", "auto", "required"]), Object(TOOL_CHOICE)])),
    optional("parallel_tool_calls", Bool),
    optional("response_format", Object(RESPONSE_FORMAT)),
    optional("top_p", Number(0.0, 1.0)),
    optional("n", Integer(1, 128)),
    optional("stop", Either(&[Text, Array(4, &Text)])),
    optional("route", Any),
    optional("audio", Object(&[required("voice", Either(&[Text, Object(&[required("id", Text)])])), required("format", Name)])),
    optional("frequency_penalty", Number(-2.0, 2.0)),
    optional("function_call", Either(&[OneOf(&["none", "auto"]), Object(&[required("name", Name)])])),
    optional("functions", Array(MAX_TOOLS, &Object(FUNCTION))),
    optional("logit_bias", Map(MANY, Key::TokenId, &Number(-100.0, 100.0))),
    optional("logprobs", Bool),
    optional("metadata", Map(16, Key::Short(64), &Short(512))),
    optional("modalities", Array(MANY, &Name)),
    optional("moderation", Object(&[required("model", Text), optional("policy", Object(MODERATION_POLICY))])),
    optional("prediction", Object(&[required("type", Name), of_type("content", Either(&[Text, Array(MANY, &Object(TEXT_PART))]))])),
    optional("presence_penalty", Number(-2.0, 2.0)),
    optional("prompt_cache_key", Text),
    optional("prompt_cache_options", Object(&[optional("mode", Name), optional("ttl", Name)])),
    optional("prompt_cache_retention", Name),
    optional("reasoning_effort", Name),
    optional("safety_identifier", Short(128)),
    optional("seed", Integer(i64::MIN, i64::MAX)),
    optional("service_tier", Name),
    optional("store", Bool),
    optional("top_logprobs", Integer(0, 20)),
    optional("user", Text),
    optional("verbosity", Name),
    optional("web_search_options", Object(&[optional("search_context_size", Name), optional("user_location", Object(LOCATION))])),
];

const _: () = assert!(REQUEST.len() + mark::ALL.len() <= MAX_FIELDS);

const TOOL: &[Field] = &[required("type", Name), of_type("function", Object(FUNCTION)), of_type("custom", Object(CUSTOM))];
const FUNCTION: &[Field] =
    &[required("name", Name), optional("description", Text), optional("parameters", Opaque), optional("strict", Bool)];
const CUSTOM: &[Field] = &[required("name", Text), optional("description", Text), optional("format", Object(CUSTOM_FORMAT))];
const CUSTOM_FORMAT: &[Field] =
    &[required("type", Name), of_type("grammar", Object(&[required("definition", Text), required("syntax", Name)]))];

const TOOL_CHOICE: &[Field] = &[
    required("type", Name),
    of_type("function", Object(&[required("name", Name)])),
    of_type("custom", Object(&[required("name", Text)])),
    of_type("allowed_tools", Object(&[required("mode", Name), required("tools", Array(MAX_TOOLS, &Opaque))])),
];

const RESPONSE_FORMAT: &[Field] =
    &[required("type", OneOf(&["text", "json_object", "json_schema"])), of_type("json_schema", Object(JSON_SCHEMA))];
const JSON_SCHEMA: &[Field] =
    &[required("name", Name), optional("description", Text), optional("schema", Opaque), optional("strict", Bool)];

const TEXT_PART: &[Field] = &[required("type", Name), of_type("text", Text)];

const MODERATION_POLICY: &[Field] = &[optional("input", Object(MODERATED)), optional("output", Object(MODERATED))];
const MODERATED: &[Field] = &[required("mode", Name)];

const LOCATION: &[Field] = &[required("type", Name), of_type("approximate", Object(PLACE))];
const PLACE: &[Field] = &[optional("city", Text), optional("country", Text), optional("region", Text), optional("timezone", Text)];

#[cfg(test)]
mod tests;
