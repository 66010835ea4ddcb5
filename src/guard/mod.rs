//! Content rules: phrases, detectors and bounds, on what goes out and on what comes back.

mod answer;
mod compile;
mod detect;
mod lanes;
mod order;
mod patterns;
mod phrases;
mod prefilter;
mod request;
mod rules;
mod stream;
mod text;

pub use crate::openai::Counts;
pub use compile::{Exceeded, Guard, Refused};
pub use request::Verdict;
pub use rules::{LOOKBEHIND, Match, Rule, RuleIndex, Rules};
pub use stream::{Flow, StreamGuard};

/// One rule, as an operator states it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// Shown to the caller; letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Kinds of text that are known by their form: `api_key`, `credit_card`, `email`, `iban`, `ipv4`, `phone`.
    pub detect: Vec<String>,
    /// Phrases, whatever their case.
    pub terms: Vec<String>,
    /// Regular expressions; only in a build with the feature `regex`.
    pub patterns: Vec<String>,
    /// Bounds of a request.
    pub limit: Bounds,
    /// Looks at requests.
    pub input: bool,
    /// Looks at answers.
    pub output: bool,
    /// What happens.
    pub action: Action,
}

/// What happens when a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Action {
    /// The call ends with 403.
    #[default]
    Block,
    /// The text is replaced by a placeholder.
    Redact,
}

/// Upper bounds of a request; only with [`Action::Block`] and on input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Bytes of prompt text.
    pub prompt_bytes: Option<u64>,
    /// Messages, or inputs of an embedding call.
    pub messages: Option<u64>,
    /// Tools.
    pub tools: Option<u64>,
    /// Choices.
    pub n: Option<u64>,
    /// Longest answer asked for; a request that names none is above it.
    pub max_tokens: Option<u64>,
}
