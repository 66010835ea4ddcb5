//! What providers write in error messages, made fit for a caller: no keys, hosts, account ids.

/// Longest message passed on, in characters.
const MAX_CHARS: usize = 600;

/// How identifiers and keys of the providers' own begin.
/// `eyj` is how a JSON web token begins: `{"` in base64.
const PREFIXES: [&str; 19] = [
    "sk-", "sk_", "org-", "org_", "proj_", "proj-", "acct_", "req_", "gsk_", "xai-", "aiza", "key-", "eyj", "hf_", "nvapi-", "pplx-",
    "csk-", "fw_", "tgp_v1_",
];

/// The message with every word that could be a key, an account id or an address replaced by
/// `[redacted]`, control characters replaced by spaces, cut to [`MAX_CHARS`].
pub fn scrub(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MAX_CHARS * 4));
    for word in message.split_inclusive(|c: char| c.is_whitespace() || c.is_control()) {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let tail = word.chars().last().filter(|c| c.is_whitespace() || c.is_control());
        // Who hides most of a key shows the rest of it.
        if word.contains("***") || is_private(bare) {
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

/// What a caller is told of a refusal: the provider's message scrubbed, or, if nothing is left of it, that there was one.
pub fn refusal(message: &str) -> String {
    or(message, "the provider refused the request")
}

/// How an error is called in `routing.attempts`: the provider's name for it scrubbed, or, if it has none, `error`.
pub fn error_name(name: &str) -> String {
    or(name, "error")
}

fn or(text: &str, otherwise: &str) -> String {
    let scrubbed = scrub(text);
    if scrubbed.trim().is_empty() { otherwise.to_owned() } else { scrubbed }
}

fn is_private(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let long_mixed = word.len() >= 20
        && !word.contains(['.', ',', '/'])
        && word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().any(|b| b.is_ascii_alphabetic());
    lower.contains("://")
        || lower.contains("projects/")
        || lower.contains("www.")
        || lower.contains('@')
        || lower.contains("ya29.")
        || has_arn(&lower)
        || has_account(&lower)
        || lower
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .any(|part| PREFIXES.iter().any(|prefix| part.len() > prefix.len() + 3 && part.starts_with(prefix)))
        || is_host(&lower)
        || has_address(&lower)
        || has_secret(word)
        || long_mixed
}

/// Whether something that nobody could read out stands in it: a long run of letters and digits, or, of base64, which
/// looks like a path but for its capitals, a longer one.
fn has_secret(word: &str) -> bool {
    let mixed = |run: &str| run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic());
    let both_cases = |run: &str| run.bytes().any(|b| b.is_ascii_uppercase()) && run.bytes().any(|b| b.is_ascii_lowercase());
    word.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| run.len() >= 24 && mixed(run))
        || word
            .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')))
            .any(|run| run.len() >= 32 && mixed(run) && both_cases(run))
}

/// Whether an address of the internet stands in it: four numbers of a byte with dots between them.
fn has_address(word: &str) -> bool {
    word.split(|c: char| !(c.is_ascii_digit() || c == '.')).any(|run| {
        let run = run.trim_matches('.');
        run.split('.').count() == 4 && run.split('.').all(|number| number.parse::<u8>().is_ok())
    })
}

/// Whether an Amazon resource name begins somewhere in it.
fn has_arn(word: &str) -> bool {
    word.match_indices("arn:").any(|(at, _)| !word.get(..at).unwrap_or_default().ends_with(char::is_alphanumeric))
}

/// Whether twelve digits stand together, no more and no less: Amazon's ids of accounts.
fn has_account(word: &str) -> bool {
    word.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() == 12)
}

/// `api.example.com`: labels and a top-level domain, not `3.5` or `messages.0.content`.
fn is_host(word: &str) -> bool {
    const TOP: [&str; 14] = ["com", "net", "org", "io", "ai", "dev", "internal", "local", "xyz", "cloud", "app", "co", "cn", "svc"];
    let host = word.split([':', '/']).next().unwrap_or_default();
    host.rsplit_once('.').is_some_and(|(name, top)| !name.is_empty() && TOP.contains(&top))
}

#[cfg(test)]
mod tests {
    use super::{error_name, refusal, scrub};

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
            (
                "User: arn:aws:sts::123456789012:assumed-role/gw/i-1 is not authorized to perform: bedrock:InvokeModel on resource: (arn:aws:bedrock:us-east-1::foundation-model/x)",
                "User: [redacted] is not authorized to perform: bedrock:InvokeModel on resource: [redacted]",
            ),
            ("account 123456789012, role 123456789012/gw", "account [redacted] role [redacted]"),
            ("1700000000000 ms, 12345678901 bytes, 7 of 16384", "1700000000000 ms, 12345678901 bytes, 7 of 16384"),
            ("to learn:more", "to learn:more"),
            ("Your api key: ****abcd is invalid", "Your api key: [redacted] is invalid"),
            (
                "Invalid token 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln' or ya29.a0Af-x_y.z given",
                "Invalid token [redacted] or [redacted] given",
            ),
            ("secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY was sent", "[redacted] was sent"),
            (r#"got {"key":"0123456789abcdef0123456789abcdef","n":1.5}"#, "got [redacted]"),
            ("dial tcp 10.0.3.17:8000: connect: refused by api.together.xyz", "dial tcp [redacted] connect: refused by [redacted]"),
            (
                "meta-llama/Llama-3.3-70B-Instruct-Turbo and accounts/fireworks/models/llama-v3p1-405b-instruct, version 1.2.3",
                "meta-llama/Llama-3.3-70B-Instruct-Turbo and accounts/fireworks/models/llama-v3p1-405b-instruct, version 1.2.3",
            ),
            ("Publisher Model `projects/my-project/locations/eu/x` was not found", "Publisher Model [redacted] was not found"),
        ] {
            assert_eq!(scrub(message), expected);
        }
    }

    #[test]
    fn of_nothing_something_is_said() {
        for nothing in ["", " ", "\u{0}\r\n"] {
            assert_eq!(refusal(nothing), "the provider refused the request");
            assert_eq!(error_name(nothing), "error");
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        assert_eq!(scrub(&"ü ".repeat(5_000)).chars().count(), 600);
    }
}
