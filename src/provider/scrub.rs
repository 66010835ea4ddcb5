//! What providers write in error messages, made fit for a caller: no keys, hosts, account ids.

/// Longest message passed on, in characters.
const MAX_CHARS: usize = 600;

/// How identifiers and keys of the providers' own begin.
const PREFIXES: [&str; 12] = ["sk-", "sk_", "org-", "org_", "proj_", "proj-", "acct_", "req_", "gsk_", "xai-", "aiza", "key-"];

/// The message with every word that could be a key, an account id or an address replaced by
/// `[redacted]`, control characters replaced by spaces, cut to [`MAX_CHARS`].
pub fn scrub(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MAX_CHARS * 4));
    for word in message.split_inclusive(|c: char| c.is_whitespace() || c.is_control()) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let tail = word.chars().last().filter(|c| c.is_whitespace() || c.is_control());
        if is_private(bare) {
            out.push_str("[redacted]");
        } else {
            out.push_str(word.trim_end_matches(|c: char| c.is_whitespace() || c.is_control()));
        }
        if tail.is_some() {
            out.push(' ');
        }
    }
    out.chars().take(MAX_CHARS).collect()
}

fn is_private(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let long_mixed = word.len() >= 20
        && !word.contains(['.', ',', '/'])
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic());
    lower.contains("://")
        || lower.contains("www.")
        || lower.contains("***")
        || lower.contains('@')
        || lower
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .any(|part| PREFIXES.iter().any(|prefix| part.len() > prefix.len() + 3 && part.starts_with(prefix)))
        || is_host(&lower)
        || long_mixed
}

/// `api.example.com`: labels and a top-level domain, not `3.5` or `messages.0.content`.
fn is_host(word: &str) -> bool {
    const TOP: [&str; 8] = ["com", "net", "org", "io", "ai", "dev", "internal", "local"];
    let host = word.split([':', '/']).next().unwrap_or_default();
    host.rsplit_once('.').is_some_and(|(name, top)| !name.is_empty() && TOP.contains(&top))
}

#[cfg(test)]
mod tests {
    use super::scrub;

    #[test]
    fn what_identifies_us_is_gone_and_what_helps_stays() {
        for (message, expected) in [
            ("Incorrect API key provided: sk-proj-****abcd.", "Incorrect API key provided: [redacted]"),
            ("You can find your API key at https://platform.openai.com/account/api-keys.", "You can find your API key at [redacted]"),
            (
                "Rate limit reached for gpt-4o in organization org-AbC123 on tokens",
                "Rate limit reached for gpt-4o in organization [redacted] on tokens",
            ),
            (
                "max_tokens is too large: 999999. This model supports at most 16384 completion tokens",
                "max_tokens is too large: 999999. This model supports at most 16384 completion tokens",
            ),
            ("messages.0.content: Input should be a valid string", "messages.0.content: Input should be a valid string"),
            ("connect to api.internal.example.com:443 failed", "connect to [redacted] failed"),
            ("mail ops@example.com\r\nX: y", "mail [redacted]  X: y"),
            ("request 011CSHoEeqs5C35K2UUqR7Fy failed", "request [redacted] failed"),
        ] {
            assert_eq!(scrub(message), expected);
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        assert_eq!(scrub(&"ü ".repeat(5_000)).chars().count(), 600);
    }
}
