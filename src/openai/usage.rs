//! Token accounting, one form for every provider.

use super::members::Members;

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
    /// (<https://platform.openai.com/docs/api-reference/chat/object>); `None` if it is none.
    pub fn parse(value: &str) -> Option<Self> {
        let usage = Members::read(value).ok()?;
        let number = |members: &Members<'_>, name: &str| members.find(name).and_then(|m| m.value.parse::<u64>().ok());
        let detail = |group: &str, name: &str| {
            let group = Members::read(usage.find(group)?.value).ok()?;
            number(&group, name)
        };
        let prompt = number(&usage, "prompt_tokens")?;
        let cached = detail("prompt_tokens_details", "cached_tokens").unwrap_or(0).min(prompt);
        Some(Self {
            uncached_input: prompt - cached,
            cache_read: cached,
            cache_write: 0,
            output: number(&usage, "completion_tokens").unwrap_or(0),
            reasoning: detail("completion_tokens_details", "reasoning_tokens").unwrap_or(0),
        })
    }

    /// Appends OpenAI's `usage` object.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (prompt, output) = (self.prompt(), self.output);
        let text = format!(
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{output},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":{}}},"completion_tokens_details":{{"reasoning_tokens":{}}}}}"#,
            prompt.saturating_add(output),
            self.cache_read,
            self.reasoning,
        );
        out.extend_from_slice(text.as_bytes());
    }
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
    fn what_is_not_usage_is_none() {
        for value in ["null", "[]", "{}", r#"{"prompt_tokens":-1}"#, r#"{"prompt_tokens":"5"}"#] {
            assert_eq!(Usage::parse(value), None, "{value}");
        }
    }
}
