//! What the model thinks, and its signature: the same for the same thought, and no other's.

use crate::completion::Ask;

/// What it thinks of a request.
pub(super) fn of(ask: &Ask) -> String {
    format!("The user asks something in {} turn(s); a short answer will do.", ask.messages)
}

/// How signatures begin.
const HEAD: &str = "EqQBCkYI";

/// A signature holds the thought, here as a sum, and vouches for itself.
pub(super) fn sign(thought: &str) -> String {
    let sum = sum(thought);
    format!("{HEAD}{sum:016x}{:016x}", self::sum(&format!("{HEAD}{sum:016x}")))
}

/// Whether this is the signature of a thought; what was not shown is known from the signature alone.
pub(super) fn is_signed(thought: &str, signature: &str) -> bool {
    let body = signature.get(..HEAD.len() + 16).unwrap_or_default();
    let genuine = signature.starts_with(HEAD) && signature == format!("{body}{:016x}", sum(body));
    genuine && (thought.is_empty() || signature == sign(thought))
}

/// FNV-1a.
fn sum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{is_signed, sign};

    #[test]
    fn only_the_same_thought_has_the_signature() {
        let signature = sign("a");
        assert!(is_signed("a", &signature) && is_signed("", &signature));
        for (thought, signature) in
            [("b", signature.as_str()), ("a", &signature[1..]), ("a", &signature.replace("EqQB", "EqQC")), ("", ""), ("", "x")]
        {
            assert!(!is_signed(thought, signature), "{thought} {signature}");
        }
    }
}
