//! Token counts (<https://ai.google.dev/api/generate-content#UsageMetadata>).

use crate::openai::Usage;
use crate::provider::translate::json::Object;

/// The counts as Google names them; what has not been said is 0.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// Of the prompt, the cached ones included.
    prompt: u64,
    cached: u64,
    /// What tools of the provider's own have added to the prompt.
    tool_use: u64,
    candidates: u64,
    thoughts: u64,
    total: u64,
}

impl Counts {
    /// Reads `usageMetadata` on top of what is known: in a stream every event repeats it with the
    /// figures so far, or with some of them.
    pub(super) fn note(&mut self, said: &Object<'_>) {
        for (name, count) in [
            ("promptTokenCount", &mut self.prompt),
            ("cachedContentTokenCount", &mut self.cached),
            ("toolUsePromptTokenCount", &mut self.tool_use),
            ("candidatesTokenCount", &mut self.candidates),
            ("thoughtsTokenCount", &mut self.thoughts),
            ("totalTokenCount", &mut self.total),
        ] {
            *count = said.count(name).unwrap_or(*count);
        }
    }

    /// In our terms; `None` if nothing was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        let prompt = self.prompt.saturating_add(self.tool_use);
        let cached = self.cached.min(prompt);
        // Thoughts are counted beside the candidates, but some versions of Vertex AI count them among
        // them; the sum tells.
        let among = self.thoughts > 0 && self.thoughts <= self.candidates && prompt.saturating_add(self.candidates) == self.total;
        let output = if among { self.candidates } else { self.candidates.saturating_add(self.thoughts) };
        let usage = Usage { uncached_input: prompt - cached, cache_read: cached, cache_write: 0, output, reasoning: self.thoughts };
        Some(usage).filter(|usage| *usage != Usage::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(said: &[&str]) -> Option<Usage> {
        let mut counts = Counts::default();
        said.iter().for_each(|said| counts.note(&Object::read(said).expect("an object")));
        counts.usage()
    }

    #[test]
    fn kinds_of_tokens_do_not_overlap() {
        for (said, expected) in [
            (&[r#"{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}"#][..], Some((10, 0, 5, 0))),
            (
                &[
                    r#"{"promptTokenCount":100,"cachedContentTokenCount":80,"toolUsePromptTokenCount":7,"candidatesTokenCount":5,"thoughtsTokenCount":20,"totalTokenCount":132}"#,
                ],
                Some((27, 80, 25, 20)),
            ),
            (&[r#"{"promptTokenCount":10,"candidatesTokenCount":25,"thoughtsTokenCount":20,"totalTokenCount":35}"#], Some((10, 0, 25, 20))),
            (&[r#"{"promptTokenCount":10,"thoughtsTokenCount":20,"totalTokenCount":30}"#], Some((10, 0, 20, 20))),
            (
                &[
                    r#"{"promptTokenCount":10,"totalTokenCount":12,"candidatesTokenCount":2}"#,
                    r#"{"trafficType":"ON_DEMAND"}"#,
                    r#"{"promptTokenCount":10,"candidatesTokenCount":9,"totalTokenCount":19}"#,
                ],
                Some((10, 0, 9, 0)),
            ),
            (&[r#"{"promptTokenCount":5,"cachedContentTokenCount":9}"#], Some((0, 5, 0, 0))),
            (&[r#"{"trafficType":"ON_DEMAND"}"#], None),
            (&[], None),
        ] {
            let found = usage(said).map(|u| (u.uncached_input, u.cache_read, u.output, u.reasoning));
            assert_eq!(found, expected, "{said:?}");
        }
    }
}
