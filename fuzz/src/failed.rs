//! The body of a refusal, whatever it is: what the caller is told is short, printable, and names no
//! key of ours.

use neural_router::provider::{Class, Failed};

use super::{Given, Target};

/// The option is an index of [`STATUSES`].
pub const TARGET: Target = Target { name: "failed", check, memory: 64 };

/// Statuses that providers refuse with.
pub const STATUSES: [u16; 16] = [400, 401, 402, 403, 404, 408, 409, 413, 422, 424, 429, 500, 502, 503, 504, 529];

/// Longest text that a caller is told, in characters.
const MAX_CHARS: usize = 600;

/// How vendors' keys begin, and how many more letters and digits make one.
const KEYS: [&str; 12] = ["sk-", "sk_", "sk-ant-", "sk-proj-", "gsk_", "xai-", "AIza", "key-", "org-", "proj_", "acct_", "req_"];
const KEY_TAIL: usize = 8;

fn check(given: &Given, body: &[u8]) {
    let status = STATUSES[usize::from(given.option) % STATUSES.len()];
    let Failed { class, message, param, code } = given.protocol.codec(given.model).failed(status, body);
    assert!(!message.is_empty(), "the caller is told nothing");
    for text in [Some(message), param, code].iter().flatten() {
        assert!(text.chars().count() <= MAX_CHARS, "{text:?}");
        assert!(!text.contains(char::is_control), "{text:?}");
        assert_eq!(key(text), None, "{text:?}");
    }
    // What is not said to be the caller's fault must not end the call.
    assert!(status < 500 || !matches!(class, Class::Caller | Class::ContentPolicy | Class::ContextTooLong), "{status} is {class:?}");
}

/// The first key in a text.
fn key(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split(|c| !is_part(c)).find(|word| {
        let tail = KEYS.iter().filter_map(|key| word.strip_prefix(key)).max_by_key(|tail| tail.len());
        tail.is_some_and(|tail| tail.bytes().filter(u8::is_ascii_alphanumeric).count() >= KEY_TAIL)
    })
}
