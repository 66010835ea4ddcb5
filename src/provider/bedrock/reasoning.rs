//! `reasoning_effort`, which every family of models is told in a way of its own, beside Converse's
//! common fields.

use super::conversation::Ending;
use super::family::Family;
use crate::provider::Failed;
use crate::provider::anthropic::generation::Rest;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Object, inner};

/// What reasoning depends on.
pub(super) struct Circumstances {
    pub family: Family,
    /// What the caller allows.
    pub max_tokens: Option<u64>,
    /// What the model can.
    pub max_output: u64,
    /// Whether a tool has to be called.
    pub forced: bool,
    pub ending: Ending,
    /// Whether the last turn of the assistant has its signed thinking.
    pub has_thought: bool,
}

/// How reasoning is asked for, and what that takes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reasoning {
    /// A member of `additionalModelRequestFields`.
    pub native: Option<String>,
    /// `outputConfig.effort`
    pub effort: Option<&'static str>,
    /// A bound that has to be said although the caller says none.
    pub max_tokens: Option<u64>,
    /// No temperature but 1 is taken.
    pub fixes_temperature: bool,
    /// The least `top_p` that is taken.
    pub least_top_p: f64,
}

/// The least budget Anthropic takes
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html>).
const MIN_BUDGET: u64 = 1024;

/// What an answer may have where a bound has to be said and the caller says none.
const DEFAULT_MAX_TOKENS: u64 = 32_000;

const EFFORT: Path<'static> = Path::root("reasoning_effort");

/// Reads `reasoning_effort`.
pub(super) fn read(body: &Object<'_>, circumstances: &Circumstances, adjustments: &mut Adjustments) -> Result<Reasoning, Failed> {
    let Some(effort) = body.find("reasoning_effort") else { return Ok(Reasoning::default()) };
    let effort = inner(effort)
        .and_then(|word| ["none", "minimal", "low", "medium", "high", "xhigh", "max"].into_iter().find(|known| *known == word))
        .ok_or_else(|| EFFORT.expected("one of none, minimal, low, medium, high, xhigh, max"))?;
    match circumstances.family {
        Family::Claude(_) => Ok(claude(effort, circumstances, adjustments)),
        Family::Nova { reasons: true } => Ok(nova(effort, circumstances, adjustments)),
        // It cannot be turned off (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html>).
        Family::GptOss => {
            let word = closest(effort, adjustments);
            Ok(Reasoning { native: Some(format!(r#""reasoning_effort":"{word}""#)), ..Reasoning::default() })
        }
        Family::Gpt => {
            let word = if effort == "minimal" { "low" } else { effort };
            Ok(Reasoning { native: Some(format!(r#""reasoning":{{"effort":"{word}"}}"#)), ..Reasoning::default() })
        }
        Family::Nova { reasons: false } | Family::Other => {
            if effort != "none" {
                adjustments.dropped("", "reasoning_effort");
            }
            Ok(Reasoning::default())
        }
    }
}

/// The closest of low, medium and high.
fn closest(effort: &'static str, adjustments: &mut Adjustments) -> &'static str {
    match effort {
        "none" => {
            adjustments.note("reasoning_effort raised from none to low");
            "low"
        }
        "minimal" => "low",
        "xhigh" | "max" => {
            adjustments.note(format!("reasoning_effort lowered from {effort} to high"));
            "high"
        }
        effort => effort,
    }
}

/// Newer models take the word; older ones get a budget of 1,024 (minimal), 2,048 (low), 8,192
/// (medium), 16,384 (high) or 32,000 tokens, at most three quarters of the answer's limit, so that
/// something is left for the answer.
fn claude(effort: &'static str, circumstances: &Circumstances, adjustments: &mut Adjustments) -> Reasoning {
    let Circumstances { family, max_tokens, max_output, forced, ending, has_thought } = *circumstances;
    let Family::Claude(generation) = family else { return Reasoning::default() };
    let effort = match (effort, generation.rest()) {
        ("none", Rest::ByDefault) => return Reasoning::default(),
        ("none", Rest::OnDemand) => {
            return Reasoning { native: Some(r#""thinking":{"type":"disabled"}"#.to_owned()), ..Reasoning::default() };
        }
        ("none", Rest::Never) => {
            adjustments.note("reasoning_effort raised from none to low, the least this model takes");
            "low"
        }
        (effort, _) => effort,
    };
    let by_budget = generation.thinks_by_budget();
    let limit = max_tokens.unwrap_or(max_output.min(DEFAULT_MAX_TOKENS));
    let obstacle = match () {
        () if forced => Some("a forced tool"),
        () if !by_budget => None,
        // A turn that goes on after a tool's result has to begin with its signed thinking.
        () if ending == Ending::Assistant || (ending == Ending::ToolResult && !has_thought) => Some("an unfinished turn of the assistant"),
        () if limit <= MIN_BUDGET => Some("so few max_tokens"),
        () => None,
    };
    if let Some(obstacle) = obstacle {
        adjustments.note(format!("dropped reasoning_effort, not possible with {obstacle}"));
        return Reasoning::default();
    }
    // <https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, "Feature compatibility".
    let thinking = Reasoning { fixes_temperature: true, least_top_p: 0.95, ..Reasoning::default() };
    if by_budget {
        let budget = match effort {
            "minimal" => MIN_BUDGET,
            "low" => 2_048,
            "medium" => 8_192,
            "high" => 16_384,
            _ => 32_000,
        };
        let budget = budget.min((limit / 4 * 3).max(MIN_BUDGET));
        let native = format!(r#""thinking":{{"type":"enabled","budget_tokens":{budget}}}"#);
        // The budget has to be below the bound, and the default may be lower.
        return Reasoning { native: Some(native), max_tokens: Some(limit), ..thinking };
    }
    let word = match effort {
        "minimal" => "low",
        "xhigh" | "max" if !generation.has_highest_efforts() => closest(effort, adjustments),
        effort => effort,
    };
    let display = if generation.hides_thoughts() { r#","display":"summarized""# } else { "" };
    Reasoning { native: Some(format!(r#""thinking":{{"type":"adaptive"{display}}}"#)), effort: Some(word), ..thinking }
}

/// With the highest effort Nova takes neither a bound nor sampling parameters
/// (<https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html>). A caller's
/// bound is worth more than effort.
fn nova(effort: &'static str, circumstances: &Circumstances, adjustments: &mut Adjustments) -> Reasoning {
    let word = match effort {
        "none" => return Reasoning::default(),
        effort => closest(effort, adjustments),
    };
    let bounded = word == "high" && circumstances.max_tokens.is_some();
    if bounded {
        adjustments.note("reasoning_effort lowered from high to medium, since high takes no max_tokens");
    }
    let word = if bounded { "medium" } else { word };
    let native = Some(format!(r#""reasoningConfig":{{"type":"enabled","maxReasoningEffort":"{word}"}}"#));
    let high = word == "high";
    Reasoning { native, fixes_temperature: high, least_top_p: if high { f64::INFINITY } else { 0.0 }, ..Reasoning::default() }
}
