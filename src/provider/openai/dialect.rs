//! What one vendor does otherwise than OpenAI's documentation says. A [`Dialect`] is data; everything that
//! follows from it is decided here and in `request.rs`.

use super::OpenAi;
use crate::openai::{Fields, Needs, mark};
use crate::provider::Treatment;

/// The differences of one vendor, or of one kind of its models.
pub(super) struct Dialect {
    /// Calls go to a deployment in the path, as at Azure.
    pub deployments: bool,
    /// Documented members that it refuses or ignores. Which of them a request cannot do without is the same
    /// for everybody.
    pub without: Fields,
    /// `POST /embeddings` is there.
    pub embeddings: bool,
    pub images: Images,
    /// Parts with audio.
    pub audio: bool,
    /// Parts with files.
    pub files: bool,
    /// Tools that are not functions.
    pub custom_tools: bool,
    /// `response_format: {"type": "json_object"}`
    pub json_object: bool,
    /// `response_format: {"type": "json_schema"}`
    pub json_schema: bool,
    /// `tool_choice` may name a function.
    pub named_tool: bool,
    /// The role `developer`; it becomes `system` otherwise.
    pub developer: bool,
    /// `messages[].name`
    pub names: bool,
    /// Anthropic's `cache_control`.
    pub cache_control: bool,
    /// Ids of tool calls as long as anybody makes them.
    pub long_ids: bool,
    pub messages: Messages,
    pub length: Length,
    pub sampling: Sampling,
    /// Words of `reasoning_effort` that it does not know, and the nearest that it does.
    pub efforts: &'static [(&'static str, &'static str)],
    /// Refuses tool calls of the past without the `reasoning_content` that led to them.
    pub wants_reasoning: bool,
    /// The codec of a model, by the vendor's name of it, where its models differ.
    pub of_model: fn(&str) -> Option<&'static OpenAi>,
}

/// Which images a vendor takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Images {
    Any,
    /// Only those in the request itself.
    Inline,
    None,
}

/// Which members of messages and tool calls a vendor takes. Clients echo an answer as they got it, and it may
/// have been another vendor's.
#[derive(Clone, Copy)]
pub(super) enum Messages {
    /// All of them.
    Any,
    /// All but what other vendors' answers have; of that only these.
    Foreign(&'static [&'static str]),
    /// Those that everybody knows, and these.
    Strict(&'static [&'static str]),
}

/// What the bound on the length of an answer is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Either,
    /// `max_tokens`
    Tokens,
    /// `max_completion_tokens`
    CompletionTokens,
}

/// Whether `temperature` and its like are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    Free,
    /// Only while the model does not reason.
    WithoutReasoning,
}

/// Members whose absence would make another answer of it: a candidate that lacks them is not asked.
const MEANT: Fields =
    Fields::of(&["audio", "function_call", "functions", "logprobs", "moderation", "stop", "tools", "top_logprobs", "web_search_options"]);

/// What a reasoning model does not let a caller choose.
pub(super) const SAMPLING: [&str; 4] = ["temperature", "top_p", "presence_penalty", "frequency_penalty"];

const N: Fields = Fields::of(&["n"]);

impl Dialect {
    /// Why a candidate is not asked.
    pub(super) fn lacks(&self, needs: &Needs) -> Option<&'static str> {
        let named = [
            (needs.embeddings && !self.embeddings, "embeddings"),
            (needs.several_choices && self.without.meets(N), "n"),
            (needs.vision && self.images == Images::None, "image_url"),
            (needs.remote_images && self.images != Images::Any, "image_url (web)"),
            (needs.audio && !self.audio, "input_audio"),
            (needs.files && !self.files, "file"),
            (needs.custom_tools && !self.custom_tools, "custom tools"),
            (needs.json_object && !self.json_object, "json_object"),
            (needs.json_schema && !self.json_schema, "json_schema"),
        ];
        let named = named.into_iter().find_map(|(lacking, name)| lacking.then_some(name));
        named.or_else(|| needs.asked.first_common(const { MEANT }.both(self.without)))
    }

    /// What cannot go through as it is, of all that a request can have.
    pub(super) fn touches(&self, fields: Fields) -> bool {
        let marks = [
            (!self.developer, const { Fields::of(&[mark::DEVELOPER]) }),
            (!self.names, const { Fields::of(&[mark::NAME]) }),
            (!self.cache_control, const { Fields::of(&[mark::CACHE_CONTROL]) }),
            (!self.long_ids, const { Fields::of(&[mark::LONG_ID]) }),
            (matches!(self.messages, Messages::Strict(_)), const { Fields::of(&[mark::RARE, mark::FOREIGN]) }),
            (matches!(self.messages, Messages::Foreign(_)), const { Fields::of(&[mark::FOREIGN]) }),
            (self.wants_reasoning, const { Fields::of(&[mark::UNREASONED]) }),
            (self.length == Length::Tokens, const { Fields::of(&["max_completion_tokens"]) }),
            (self.length == Length::CompletionTokens, const { Fields::of(&["max_tokens"]) }),
            (self.sampling != Sampling::Free || !self.efforts.is_empty(), const { Fields::of(&["reasoning_effort"]) }),
            (!self.named_tool, const { Fields::of(&["tool_choice"]) }),
        ];
        fields.meets(self.without) || marks.iter().any(|(differs, mark)| *differs && fields.meets(*mark))
    }

    /// The table of the documentation.
    pub(super) fn treatments(&self) -> Vec<(&'static str, Treatment)> {
        const KNOWN: [&str; 5] = ["model", "messages", "route", "stream", "stream_options"];
        let members = Fields::documented().filter(|name| !KNOWN.contains(name)).map(|name| (name, self.member(name)));
        let refused = |taken: bool| if taken { Treatment::Passed } else { Treatment::Refused };
        let dropped = |taken: bool| if taken { Treatment::Passed } else { Treatment::Dropped };
        let kinds = [
            ("image_url (web)", refused(self.images == Images::Any)),
            ("image_url (data)", refused(self.images != Images::None)),
            ("input_audio", refused(self.audio)),
            ("file", refused(self.files)),
            ("custom tools", refused(self.custom_tools)),
            (mark::NAME, dropped(self.names)),
            (mark::CACHE_CONTROL, dropped(self.cache_control)),
        ];
        members.chain(kinds).collect()
    }

    fn member(&self, name: &'static str) -> Treatment {
        match name {
            "max_tokens" if self.length == Length::CompletionTokens => Treatment::Mapped("max_completion_tokens"),
            "max_completion_tokens" if self.length == Length::Tokens => Treatment::Mapped("max_tokens"),
            "n" if self.without.has(name) => Treatment::Refused,
            _ if const { MEANT }.both(self.without).has(name) => Treatment::Refused,
            _ if self.without.has(name) => Treatment::Dropped,
            "response_format" if !self.json_object => Treatment::Mapped("`json_schema` only"),
            "response_format" if !self.json_schema => Treatment::Mapped("`json_object` only"),
            "tool_choice" if !self.named_tool => Treatment::Mapped("`required` for a named function"),
            "reasoning_effort" if !self.efforts.is_empty() => Treatment::Mapped("the nearest word it knows"),
            _ => Treatment::Passed,
        }
    }
}
