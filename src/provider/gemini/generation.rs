//! What differs between generations of Gemini, read from the model's name: how thinking is asked for,
//! and which parameters are refused.
//!
//! A router that picks the model itself cannot leave this to the caller: the API answers 400, which
//! is final. A Gemini without a number, `gemini-flash-latest`, is newer than all; any other name, an
//! endpoint with a tuned model for example, gets what most of them take.

/// Major and minor number of a Gemini model, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation {
    number: Option<(u8, u8)>,
    pro: bool,
    lite: bool,
}

impl Generation {
    /// `gemini-2.5-flash`, `models/gemini-3-pro-preview`, `gemini-2.0-flash-lite-001`.
    pub(super) fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let rest = model.split_once("gemini-").map(|(_, rest)| rest).unwrap_or_default();
        let mut words = rest.split('-');
        let (major, minor) = words.next().map(|number| number.split_once('.').unwrap_or((number, "0"))).unwrap_or_default();
        let newest = (!rest.is_empty()).then_some((u8::MAX, 0));
        let number = major.parse().ok().zip(minor.parse().ok()).or(newest);
        Self { number, pro: rest.contains("-pro"), lite: rest.contains("-lite") }
    }

    fn is_known_before(self, major: u8, minor: u8) -> bool {
        self.number.is_some_and(|number| number < (major, minor))
    }

    fn is_known_since(self, major: u8, minor: u8) -> bool {
        self.number.is_some_and(|number| number >= (major, minor))
    }

    /// Whether it thinks at all (<https://ai.google.dev/gemini-api/docs/thinking>).
    pub(super) fn thinks(self) -> bool {
        !self.is_known_before(2, 5)
    }

    /// Whether thinking is asked for by a word; otherwise by a number of tokens (same page), which
    /// the later ones take too.
    pub(super) fn thinks_by_level(self) -> bool {
        self.is_known_since(3, 0)
    }

    /// Whether its least thinking is more than none or minimal (same page).
    pub(super) fn always_thinks(self) -> bool {
        self.pro && !self.lite
    }

    /// Whether the level between low and high is missing: the first one to have levels.
    pub(super) fn lacks_medium(self) -> bool {
        self.number == Some((3, 0)) && self.pro
    }

    /// Whether penalties are taken; the later ones answer `Penalty is not enabled`.
    pub(super) fn takes_penalties(self) -> bool {
        !self.is_known_since(2, 5)
    }

    /// Whether the calls of a conversation have to carry their signatures
    /// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
    pub(super) fn wants_signatures(self) -> bool {
        self.is_known_since(3, 0)
    }

    /// Whether the result of a tool can hold images
    /// (<https://ai.google.dev/gemini-api/docs/function-calling#multimodal>).
    pub(super) fn has_media_in_results(self) -> bool {
        self.is_known_since(3, 0)
    }

    /// Whether tools and a format of the answer are taken together
    /// (<https://ai.google.dev/gemini-api/docs/structured-output>).
    pub(super) fn formats_with_tools(self) -> bool {
        !self.is_known_before(3, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn the_generation_is_read_from_every_form_of_the_name() {
        for (model, number, pro, lite) in [
            ("gemini-2.5-pro", Some((2, 5)), true, false),
            ("models/gemini-2.0-flash-lite-001", Some((2, 0)), false, true),
            ("publishers/google/models/gemini-3-pro-preview", Some((3, 0)), true, false),
            ("gemini-3.1-flash-lite-preview", Some((3, 1)), false, true),
            ("gemini-10-flash", Some((10, 0)), false, false),
            ("gemini-flash-latest", Some((255, 0)), false, false),
            ("endpoints/123", None, false, false),
            ("gemma-3-27b-it", None, false, false),
            ("", None, false, false),
        ] {
            assert_eq!(Generation::of(model), Generation { number, pro, lite }, "{model}");
        }
    }
}
