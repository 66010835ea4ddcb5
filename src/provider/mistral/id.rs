//! Ids of tool calls: nine letters and digits, whoever made the call.

use crate::openai::members::{decode, encode};
use crate::provider::Failed;
use crate::provider::translate::Path;

/// The length that Mistral demands.
const LENGTH: usize = 9;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Appends the literal of an id. One of another form becomes its hash, the same in call and result.
pub(super) fn write(literal: &str, at: Path<'_>, out: &mut Vec<u8>) -> Result<(), Failed> {
    let id = decode(literal).filter(|id| !id.is_empty()).ok_or_else(|| at.expected("a string that is not empty"))?;
    if id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        encode(&id, out);
        return Ok(());
    }
    // FNV-1a, stirred so that ids with the same beginning differ in every digit.
    let mut hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^= hash >> 29;
    out.push(b'"');
    for _ in 0..LENGTH {
        out.push(DIGITS.get((hash % 62) as usize).copied().unwrap_or(b'0'));
        hash /= 62;
    }
    out.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn written(literal: &str) -> Option<String> {
        let mut out = Vec::new();
        write(literal, Path::root("messages"), &mut out).ok()?;
        Some(String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn ids_of_other_vendors_become_nine_letters_and_digits() {
        assert_eq!(written(r#""D681PevKs""#).as_deref(), Some(r#""D681PevKs""#));
        for literal in
            [r#""call_PTLP8xhu3uwZk4l3nlnrrJha""#, r#""toolu_01""#, r#""functions.weather:0""#, r#""D681-evKs""#, r#""ééééa""#, r#""x""#]
        {
            let id = written(literal).expect("an id");
            assert!(id.len() == 11 && id.trim_matches('"').bytes().all(|byte| byte.is_ascii_alphanumeric()), "{literal}: {id}");
        }
        assert_eq!(written(r#""a\u002fb""#), written(r#""a/b""#));
        for literal in [r#""""#, "7", "{}", r#""\ud800""#] {
            assert_eq!(written(literal), None, "{literal}");
        }
    }

    #[test]
    fn ids_stay_apart() {
        let ids: BTreeSet<_> = (0..10_000).map(|n| written(&format!("\"call_{n}\""))).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
