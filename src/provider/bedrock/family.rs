//! What differs between the families of models that Bedrock serves, read from the model's id: which
//! fields beside the common ones they take
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html>).
//!
//! A field that a model does not know is a 400, which is final, so a model whose id says nothing (an
//! imported one, an application's inference profile) gets the common ones only.

use crate::provider::anthropic::generation::Generation;

/// Whose model it is, as far as requests differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude(Generation),
    /// Amazon's Nova; the second generation reasons.
    Nova {
        /// Whether it takes `reasoningConfig`.
        reasons: bool,
    },
    /// OpenAI's open weights.
    GptOss,
    /// OpenAI's others.
    Gpt,
    /// Anybody else's.
    Other,
}

impl Family {
    /// `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, or an ARN that ends in such an id.
    pub(super) fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        match () {
            () if model.contains("claude") => Self::Claude(Generation::of(&model)),
            () if model.contains("amazon.nova") => Self::Nova { reasons: model.contains("amazon.nova-2") },
            () if model.contains("openai.gpt-oss") => Self::GptOss,
            () if model.contains("openai.gpt") => Self::Gpt,
            () => Self::Other,
        }
    }

    /// Whether it is one of Anthropic's, the only ones whose signed thinking goes back to them.
    pub(super) fn is_claude(self) -> bool {
        matches!(self, Self::Claude(_))
    }

    /// Whether it goes on with a last message of the assistant's, as far as that is known.
    pub(super) fn continues(self) -> bool {
        !matches!(self, Self::Claude(generation) if !generation.continues())
    }

    /// Whether a call of a tool can be forced, as far as that is known.
    pub(super) fn forces_tools(self) -> bool {
        !matches!(self, Self::Claude(generation) if !generation.forces_tools())
    }

    /// Whether Anthropic's own `tool_choice` gets through to it: it knows `none`, and one call at a
    /// time, for which Converse has no words.
    pub(super) fn takes_native_choice(self) -> bool {
        matches!(self, Self::Claude(generation) if generation.has_strict_tools())
    }

    /// Whether tools can be `strict`
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>).
    pub(super) fn has_strict_tools(self) -> bool {
        match self {
            Self::Claude(generation) => generation.has_strict_tools(),
            Self::GptOss | Self::Gpt => true,
            Self::Nova { .. } | Self::Other => false,
        }
    }

    /// Whether prompts can have cache points
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>).
    pub(super) fn caches(self) -> bool {
        matches!(self, Self::Claude(_) | Self::Nova { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_read_from_every_form_of_the_id() {
        let sonnet = Family::Claude(Generation::of("claude-sonnet-4-5"));
        for (model, expected) in [
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", sonnet),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", sonnet),
            ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0", sonnet),
            ("amazon.nova-pro-v1:0", Family::Nova { reasons: false }),
            ("global.amazon.nova-2-lite-v1:0", Family::Nova { reasons: true }),
            ("openai.gpt-oss-120b-1:0", Family::GptOss),
            ("openai.gpt-5.4", Family::Gpt),
            ("meta.llama3-3-70b-instruct-v1:0", Family::Other),
            ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/4x3k9ab12cde", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(Family::of(model), expected, "{model}");
        }
    }
}
