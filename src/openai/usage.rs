//! Token accounting, one form for every provider.

use super::members::{decode, encode_number};
use super::scan::{Scan, Stop};

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

    /// Reads OpenAI's `usage` object
    /// (<https://platform.openai.com/docs/api-reference/chat/object>), as it is and as vendors that speak
    /// OpenAI's protocol write it; `None` if it is none.
    ///
    /// Tokens read from a cache are beside the details at DeepSeek and Moonshot
    /// (<https://api-docs.deepseek.com/guides/kv_cache>); tokens written to one are at OpenRouter
    /// (<https://openrouter.ai/docs/features/prompt-caching>). xAI counts reasoning outside the completion,
    /// and the total says so (<https://docs.x.ai/docs/key-information/consumption-and-rate-limits>).
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
        let with_reasoning = completion.saturating_add(reasoning);
        let outside = reasoning > completion || self.total.flatten() == Some(prompt.saturating_add(with_reasoning));
        Some(Usage {
            uncached_input: prompt - cache_read - cache_write,
            cache_read,
            cache_write,
            output: if outside { with_reasoning } else { completion },
            reasoning,
        })
    }
}

/// Goes over a value and keeps it, unless one of this name came before.
fn first(kept: &mut Count, scan: &mut Scan<'_>) -> Result<(), Stop> {
    let value = scan.value()?;
    kept.get_or_insert_with(|| value.parse().ok());
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
    use super::Usage;

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
