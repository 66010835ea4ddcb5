//! What differs between generations of Claude, read from the model's name: how thinking is asked
//! for, and which sampling parameters are refused.
//!
//! A router that picks the model itself cannot leave this to the caller: the API answers 400, which
//! is final. Other vendors of the protocol get what its first generations take.

/// Major and minor number of a Claude model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u8, u8);

impl Generation {
    /// `claude-sonnet-4-5`, `claude-3-5-haiku-20241022`, `us.anthropic.claude-opus-4-20250514-v1:0`.
    /// A Claude without a number is newer than all, anything else older.
    pub(super) fn of(model: &str) -> Self {
        let mut words = model.split(|c: char| !c.is_ascii_alphanumeric()).skip_while(|word| !word.eq_ignore_ascii_case("claude")).skip(1);
        let number = |word: &str| word.parse::<u8>().ok();
        if !model.to_ascii_lowercase().contains("claude") {
            return Self(0, 0);
        }
        match words.find_map(number) {
            Some(major) => Self(major, words.next().and_then(number).unwrap_or(0)),
            None => Self(u8::MAX, 0),
        }
    }

    /// Whether thinking is asked for by a token budget; otherwise it is adaptive, steered by effort
    /// (<https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>).
    pub(super) fn thinks_by_budget(self) -> bool {
        self < Self(4, 6)
    }

    /// Whether tools can be `strict`
    /// (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>).
    pub(super) fn has_strict_tools(self) -> bool {
        self >= Self(4, 5)
    }

    /// Whether effort goes beyond `high` (<https://platform.claude.com/docs/en/build-with-claude/effort>).
    pub(super) fn has_highest_efforts(self) -> bool {
        self >= Self(4, 7)
    }

    /// Whether `temperature` and `top_p` are taken at all
    /// (<https://platform.claude.com/docs/en/about-claude/models/migration-guide>).
    pub(super) fn samples(self) -> bool {
        self < Self(4, 7)
    }

    /// Whether `temperature` and `top_p` are taken together (same guide).
    pub(super) fn samples_twice(self) -> bool {
        self < Self(4, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn the_generation_is_read_from_every_form_of_the_name() {
        for (model, expected) in [
            ("claude-sonnet-4-5", Generation(4, 5)),
            ("claude-sonnet-4-5-20250929", Generation(4, 5)),
            ("claude-3-5-haiku-20241022", Generation(3, 5)),
            ("claude-3-opus-20240229", Generation(3, 0)),
            ("claude-opus-4-20250514", Generation(4, 0)),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", Generation(4, 1)),
            ("claude-opus-4-7@20260416", Generation(4, 7)),
            ("claude-fable-5", Generation(5, 0)),
            ("claude-mythos-preview", Generation(255, 0)),
            ("MiniMax-M2", Generation(0, 0)),
            ("", Generation(0, 0)),
        ] {
            assert_eq!(Generation::of(model), expected, "{model}");
        }
    }
}
