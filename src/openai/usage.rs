//! Token accounting, one form for every provider.

use super::chat::BYTES_PER_TOKEN;
use super::members::{decode, encode_number};
use super::scan::{Scan, Stop};

/// More than any call takes: windows have ten millions at most, and answers are shorter. A provider that says more has
/// not counted, and would use up a budget at once.
const MAX_TOKENS: u64 = 100_000_000;

/// What one answer used. The kinds do not overlap, except that reasoning is part of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens at the full price.
    pub uncached_input: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
    /// Answer tokens, reasoning included.
    pub output: u64,
    /// Answer tokens the client does not see.
    pub reasoning: u64,
}

impl Usage {
    /// All prompt tokens, OpenAI's `prompt_tokens`.
    pub fn prompt(&self) -> u64 {
        self.uncached_input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    /// The same of an answer in which so many bytes were written: who has counted the prompt and none of them has not
    /// counted them.
    #[must_use]
    pub fn of_answer(self, produced: u64) -> Self {
        Running { said: Some(self), produced }.usage(produced).unwrap_or(self)
    }

    /// Reads OpenAI's `usage` object
    /// (<https://platform.openai.com/docs/api-reference/chat/object>), as it is and as vendors that speak
    /// OpenAI's protocol write it; `None` if it is none.
    ///
    /// Tokens read from a cache are beside the details at DeepSeek and Moonshot
    /// (<https://api-docs.deepseek.com/guides/kv_cache>); tokens written to one are at OpenRouter
    /// (<https://openrouter.ai/docs/features/prompt-caching>). xAI counts reasoning outside the completion,
    /// and the total says so (<https://docs.x.ai/docs/key-information/consumption-and-rate-limits>); of Google's
    /// compatible endpoint the total alone does (<https://github.com/Clarifai/clarifai-python/pull/978>).
    pub fn parse(value: &str) -> Option<Self> {
        let mut scan = Scan::new(value);
        let said = Self::read(&mut scan).ok()?;
        scan.end().ok().and(said)
    }

    /// The same of the next value, which is gone over.
    pub(crate) fn read(scan: &mut Scan<'_>) -> Result<Option<Self>, Stop> {
        if scan.peek() != Some(b'{') {
            return scan.value().map(|_| None);
        }
        let mut said = Said::default();
        scan.object(|scan, name| {
            match decode(name).as_deref() {
                Some("prompt_tokens") => first(&mut said.prompt, scan)?,
                Some("completion_tokens") => first(&mut said.completion, scan)?,
                Some("total_tokens") => first(&mut said.total, scan)?,
                Some("reasoning_tokens") => first(&mut said.reasoning_beside, scan)?,
                Some("prompt_cache_hit_tokens" | "cached_tokens") => first(&mut said.cached_beside, scan)?,
                Some("prompt_tokens_details") => details(scan, |scan, name| match name {
                    "cached_tokens" => first(&mut said.cached, scan),
                    "cache_write_tokens" => first(&mut said.written, scan),
                    _ => scan.value().map(drop),
                })?,
                Some("completion_tokens_details") => details(scan, |scan, name| match name {
                    "reasoning_tokens" => first(&mut said.reasoning, scan),
                    _ => scan.value().map(drop),
                })?,
                _ => drop(scan.value()?),
            }
            Ok::<_, Stop>(())
        })?;
        Ok(said.usage())
    }

    /// Appends OpenAI's `usage` object.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (prompt, output) = (self.prompt(), self.output);
        for (before, number) in [
            (r#"{"prompt_tokens":"#, prompt),
            (r#","completion_tokens":"#, output),
            (r#","total_tokens":"#, prompt.saturating_add(output)),
            (r#","prompt_tokens_details":{"cached_tokens":"#, self.cache_read),
            (r#"},"completion_tokens_details":{"reasoning_tokens":"#, self.reasoning),
        ] {
            out.extend_from_slice(before.as_bytes());
            encode_number(number, out);
        }
        out.extend_from_slice(b"}}");
    }
}

/// The last that was said of a stream's usage, and how much of its answer had come by then.
#[derive(Debug, Clone, Copy, Default)]
pub struct Running {
    said: Option<Usage>,
    produced: u64,
}

impl Running {
    /// Notes what is said when so many bytes have been written.
    pub fn note(&mut self, said: Usage, produced: u64) {
        *self = Self { said: Some(said), produced };
    }

    /// What was said last covers all that has been written, which is so many bytes.
    pub fn covers(&mut self, produced: u64) {
        self.produced = produced;
    }

    /// As it was said.
    pub fn said(&self) -> Option<Usage> {
        self.said
    }

    /// What is known when so many bytes have been written: what has come since it was said is estimated. Before the
    /// first byte a provider can only have said how the answer would begin.
    pub fn usage(&self, produced: u64) -> Option<Usage> {
        let said = self.said?;
        let counted = if said.output == 0 { 0 } else { self.produced };
        let since = produced.saturating_sub(counted).div_ceil(BYTES_PER_TOKEN);
        let output = match (said.prompt(), counted) {
            // Nothing reached the model.
            (0, _) if said.output == 0 => 0,
            (_, 0) => said.output.max(since),
            _ => said.output.saturating_add(since),
        };
        Some(Usage { output, ..said })
    }
}

/// A number of tokens; some vendors write it as a fraction (`7.0`).
pub(crate) fn count(value: &str) -> Option<u64> {
    let whole = |number: f64| (0.0..=MAX_TOKENS as f64).contains(&number).then_some(number as u64);
    let number = value.parse().ok().or_else(|| whole(value.parse().ok()?))?;
    (number <= MAX_TOKENS).then_some(number)
}

/// A number: not there, there but no number, or there.
type Count = Option<Option<u64>>;

/// The figures of a `usage` object, as they were said.
#[derive(Default)]
struct Said {
    prompt: Count,
    completion: Count,
    total: Count,
    cached: Count,
    cached_beside: Count,
    written: Count,
    reasoning: Count,
    reasoning_beside: Count,
}

impl Said {
    fn usage(self) -> Option<Usage> {
        let prompt = self.prompt.flatten()?;
        let cache_read = self.cached.flatten().or(self.cached_beside.flatten()).unwrap_or(0).min(prompt);
        let cache_write = self.written.flatten().unwrap_or(0).min(prompt - cache_read);
        let reasoning = self.reasoning.flatten().or(self.reasoning_beside.flatten()).unwrap_or(0);
        let completion = self.completion.flatten().unwrap_or(0);
        let counted = if reasoning > completion { completion.saturating_add(reasoning) } else { completion };
        let beside = self.total.flatten().map_or(0, |total| total.saturating_sub(prompt));
        // Unless that is the cache, beside a prompt without it.
        let is_cache = beside.checked_sub(completion).is_some_and(|beyond| beyond > 0 && beyond == cache_read + cache_write);
        Some(Usage {
            uncached_input: prompt - cache_read - cache_write,
            cache_read,
            cache_write,
            output: if is_cache { counted } else { counted.max(beside) },
            reasoning,
        })
    }
}

/// Goes over a value and keeps it, unless one of this name came before.
fn first(kept: &mut Count, scan: &mut Scan<'_>) -> Result<(), Stop> {
    let value = scan.value()?;
    kept.get_or_insert_with(|| count(value));
    Ok(())
}

/// Goes over a group of details, and over another value as it is.
fn details(scan: &mut Scan<'_>, mut each: impl FnMut(&mut Scan<'_>, &str) -> Result<(), Stop>) -> Result<(), Stop> {
    if scan.peek() != Some(b'{') {
        return scan.value().map(drop);
    }
    scan.object(|scan, name| match decode(name) {
        Some(name) => each(scan, &name),
        None => scan.value().map(drop),
    })
}

#[cfg(test)]
mod tests {
    use super::{Running, Usage, count};

    #[test]
    fn survives_a_round_trip_through_openais_form() {
        let usage = Usage { uncached_input: 90, cache_read: 10, cache_write: 0, output: 30, reasoning: 20 };
        let mut text = Vec::new();
        usage.write(&mut text);
        let text = String::from_utf8(text).expect("UTF-8");
        assert_eq!(Usage::parse(&text), Some(usage), "{text}");
    }

    #[test]
    fn a_cached_count_above_the_prompt_does_not_wrap() {
        let usage = Usage::parse(r#"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}"#);
        assert_eq!(usage.map(|u| (u.prompt(), u.cache_read)), Some((5, 5)));
    }

    #[test]
    fn every_vendors_form_gives_one_account() {
        let of = |uncached_input, cache_read, cache_write, output, reasoning| Usage {
            uncached_input,
            cache_read,
            cache_write,
            output,
            reasoning,
        };
        for (vendor, value, expected) in [
            (
                "deepseek",
                r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#,
                of(36, 64, 0, 20, 0),
            ),
            ("moonshot", r#"{"prompt_tokens":19,"completion_tokens":21,"total_tokens":40,"cached_tokens":10}"#, of(9, 10, 0, 21, 0)),
            (
                "openrouter",
                r#"{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":90,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0},"cost":0.95}"#,
                of(4, 100, 90, 2, 0),
            ),
            (
                "xai",
                r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}"#,
                of(32, 0, 0, 103, 94),
            ),
            (
                "xai, little thought",
                r#"{"prompt_tokens":10,"completion_tokens":9,"total_tokens":23,"completion_tokens_details":{"reasoning_tokens":4}}"#,
                of(10, 0, 0, 13, 4),
            ),
            (
                "perplexity",
                r#"{"prompt_tokens":33,"completion_tokens":11395,"total_tokens":11428,"citation_tokens":19028,"num_search_queries":47,"reasoning_tokens":193}"#,
                of(33, 0, 0, 11_395, 193),
            ),
            ("google", r#"{"prompt_tokens":20,"completion_tokens":424,"total_tokens":1016}"#, of(20, 0, 0, 996, 0)),
            (
                "a prompt without what was cached",
                r#"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":4}}"#,
                of(1, 4, 0, 1, 0),
            ),
            (
                "null details",
                r#"{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6,"prompt_tokens_details":null}"#,
                of(5, 0, 0, 1, 0),
            ),
            (
                "all of it cached twice",
                r#"{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":4}}"#,
                of(0, 4, 1, 1, 0),
            ),
        ] {
            assert_eq!(Usage::parse(value), Some(expected), "{vendor}");
        }
    }

    #[test]
    fn a_count_is_a_whole_number_that_a_call_can_take() {
        for (value, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("1e3", Some(1000)),
            ("100000000", Some(100_000_000)),
            ("100000001", None),
            ("18446744073709551615", None),
            ("1e400", None),
            ("-1", None),
            ("-1.0", None),
            (r#""7""#, None),
            ("null", None),
        ] {
            assert_eq!(count(value), expected, "{value}");
        }
    }

    #[test]
    fn what_a_provider_has_not_counted_of_an_answer_is_estimated() {
        for (said, produced, expected) in [
            (r#"{"prompt_tokens":7,"completion_tokens":3}"#, 400, (7, 3)),
            (r#"{"prompt_tokens":7,"completion_tokens":0}"#, 400, (7, 100)),
            (r#"{"prompt_tokens":7,"completion_tokens":0}"#, 0, (7, 0)),
            (r#"{"prompt_tokens":7,"completion_tokens":-3}"#, 400, (7, 100)),
            (r#"{"prompt_tokens":7,"completion_tokens":null}"#, 400, (7, 100)),
            (r#"{"prompt_tokens":7}"#, 400, (7, 100)),
            (r#"{"prompt_tokens":7,"total_tokens":57}"#, 400, (7, 50)),
            (r#"{"prompt_tokens":7.0,"completion_tokens":3.0}"#, 400, (7, 3)),
            (r#"{"prompt_tokens":0,"completion_tokens":0}"#, 400, (0, 0)),
        ] {
            let usage = Usage::parse(said).map(|usage| usage.of_answer(produced));
            assert_eq!(usage.map(|usage| (usage.prompt(), usage.output)), Some(expected), "{said} {produced}");
        }
    }

    #[test]
    fn what_has_come_since_the_last_word_on_usage_is_estimated() {
        for (output, at, produced, expected) in [
            (3, 100, 100, 3),
            (3, 100, 500, 103),
            // How the answer would begin.
            (1, 0, 400, 100),
            (30, 0, 40, 30),
            (0, 400, 400, 100),
        ] {
            let mut running = Running::default();
            assert_eq!(running.usage(produced), None);
            running.note(Usage { uncached_input: 7, output, ..Usage::default() }, at);
            assert_eq!(running.usage(produced).map(|usage| usage.output), Some(expected), "{output} at {at} of {produced}");
        }
    }

    #[test]
    fn what_is_not_usage_is_none() {
        for value in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"prompt_tokens":5"#,
            r#"{"prompt_tokens":5}}"#,
            r#"{"prompt_tokens":null,"prompt_tokens":5}"#,
            r#"{"prompt_tokens":-1}"#,
            r#"{"prompt_tokens":"5"}"#,
        ] {
            assert_eq!(Usage::parse(value), None, "{value}");
        }
    }
}
