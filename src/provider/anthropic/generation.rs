//! What differs between generations of Claude, read from the model's name: how thinking is asked
//! for, and which sampling parameters are refused.
//!
//! A router that picks the model itself cannot leave this to the caller: the API answers 400, which
//! is final. Other vendors of the protocol get what its first generations take.

/// Which Claude it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) struct Generation {
    /// Major and minor number.
    version: (u8, u8),
    /// Fable and Mythos, which think whatever the request says.
    restless: bool,
}

impl Generation {
    /// `claude-sonnet-4-5`, `claude-3-5-haiku-20241022`, `us.anthropic.claude-opus-4-20250514-v1:0`.
    /// A Claude without a number is newer than all, anything else older.
    pub(in crate::provider) fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let restless = model.contains("fable") || model.contains("mythos");
        if !model.contains("claude") {
            return Self { version: (0, 0), restless: false };
        }
        let mut words = model.split(|c: char| !c.is_ascii_alphanumeric()).skip_while(|word| *word != "claude").skip(1);
        let number = |word: &str| word.parse::<u8>().ok();
        let version = match words.find_map(number) {
            Some(major) => (major, words.next().and_then(number).unwrap_or(0)),
            None => (u8::MAX, 0),
        };
        Self { version, restless }
    }

    /// Whether thinking is asked for by a token budget; otherwise it is adaptive, steered by effort
    /// (<https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>).
    pub(in crate::provider) fn thinks_by_budget(self) -> bool {
        self.version < (4, 6)
    }

    /// Whether it keeps its thoughts to itself unless told otherwise
    /// (<https://platform.claude.com/docs/en/build-with-claude/thinking>, "Controlling thinking display").
    pub(in crate::provider) fn hides_thoughts(self) -> bool {
        self.version >= (4, 7)
    }

    /// What it takes not to think
    /// (<https://platform.claude.com/docs/en/build-with-claude/thinking-troubleshooting>, the table of models).
    pub(in crate::provider) fn rest(self) -> Rest {
        match self.version {
            (0..5, _) => Rest::ByDefault,
            (5, 0) if !self.restless => Rest::OnDemand,
            _ => Rest::Never,
        }
    }

    /// Whether a call of a tool can be forced
    /// (<https://platform.claude.com/docs/en/models/opus-5-5/whats-new-opus-5-5>).
    pub(in crate::provider) fn forces_tools(self) -> bool {
        self.version <= (5, 0) || self.version.0 == u8::MAX
    }

    /// Whether it goes on with a last message of the assistant's
    /// (<https://platform.claude.com/docs/en/build-with-claude/working-with-messages>).
    pub(in crate::provider) fn continues(self) -> bool {
        self.version < (4, 6)
    }

    /// Whether tools can be `strict`
    /// (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>).
    pub(in crate::provider) fn has_strict_tools(self) -> bool {
        self.version >= (4, 5)
    }

    /// Whether effort goes beyond `high` (<https://platform.claude.com/docs/en/build-with-claude/effort>).
    pub(in crate::provider) fn has_highest_efforts(self) -> bool {
        self.version >= (4, 7)
    }

    /// Whether `temperature` and `top_p` are taken at all
    /// (<https://platform.claude.com/docs/en/about-claude/models/migration-guide>).
    pub(in crate::provider) fn samples(self) -> bool {
        self.version < (4, 7)
    }

    /// Whether `temperature` and `top_p` are taken together (same guide).
    pub(in crate::provider) fn samples_twice(self) -> bool {
        self.version < (4, 1)
    }
}

/// How a model is brought not to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) enum Rest {
    /// It does not unless asked.
    ByDefault,
    /// By `thinking: {"type": "disabled"}`.
    OnDemand,
    /// It cannot be.
    Never,
}

#[cfg(test)]
mod tests {
    use super::{Generation, Rest};

    #[test]
    fn the_generation_is_read_from_every_form_of_the_name() {
        for (model, expected) in [
            ("claude-sonnet-4-5", (4, 5)),
            ("claude-sonnet-4-5-20250929", (4, 5)),
            ("claude-3-5-haiku-20241022", (3, 5)),
            ("claude-3-opus-20240229", (3, 0)),
            ("claude-opus-4-20250514", (4, 0)),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", (4, 1)),
            ("claude-opus-4-7@20260416", (4, 7)),
            ("claude-fable-5", (5, 0)),
            ("claude-mythos-preview", (255, 0)),
            ("MiniMax-M2", (0, 0)),
            ("", (0, 0)),
        ] {
            assert_eq!(Generation::of(model).version, expected, "{model}");
        }
    }

    #[test]
    fn what_a_model_refuses_is_known_from_its_name() {
        for (model, rest, forces_tools, continues) in [
            ("MiniMax-M2", Rest::ByDefault, true, true),
            ("claude-sonnet-4-5", Rest::ByDefault, true, true),
            ("claude-opus-4-6", Rest::ByDefault, true, false),
            ("claude-opus-5", Rest::OnDemand, true, false),
            ("claude-fable-5", Rest::Never, true, false),
            ("claude-fable-5-1", Rest::Never, false, false),
            ("claude-opus-5-5@20260922", Rest::Never, false, false),
            ("claude-mythos-preview", Rest::Never, true, false),
        ] {
            let generation = Generation::of(model);
            assert_eq!((generation.rest(), generation.forces_tools(), generation.continues()), (rest, forces_tools, continues), "{model}");
        }
    }
}
