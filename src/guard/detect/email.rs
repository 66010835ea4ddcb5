//! Addresses of mailboxes, `local@domain`, in ASCII.

use super::{Candidate, Cursor, Text};

/// RFC 5321, 4.5.3.1.1.
const MAX_LOCAL: usize = 64;

/// RFC 5321 allows 255; a name in the DNS has 253 at most.
const MAX_DOMAIN: usize = 253;

/// Bytes of the longest match.
pub(super) const LONGEST: usize = MAX_LOCAL + 1 + MAX_DOMAIN;

/// Where the local part begins of which the last character stands before `end`. RFC 5322 allows more
/// characters, which stand between an address and what it is embedded in far more often than within it.
pub(super) fn start(text: Text<'_>, end: usize) -> Option<usize> {
    let is_local = |at: &usize| text.byte(*at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte));
    let begins = |at: &usize| text.byte(*at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let earliest = (end.saturating_sub(MAX_LOCAL)..end).rev().take_while(is_local).last()?;
    (earliest..end).find(begins)
}

/// Whether the address that has its `@` at `sign` ends like one: with a domain of two labels or
/// more, the last of which is a word, or an internationalised one as it is written in ASCII.
pub(super) fn candidate(text: Text<'_>, sign: usize) -> Candidate {
    let mut cursor = Cursor::new(text, sign + 1);
    let limit = sign + 1 + MAX_DOMAIN;
    let mut end = None;
    loop {
        let from = cursor.at;
        while cursor.at < limit && cursor.take(|byte| byte.is_ascii_alphanumeric() || byte == b'-').is_some() {}
        let label = text.between(from, cursor.at);
        if label.first().is_none_or(|byte| *byte == b'-') {
            break;
        }
        if from > sign + 1
            && let Some(length) = top_level(label)
        {
            end = Some(from + length);
        }
        if cursor.at >= limit || cursor.take(|byte| byte == b'.').is_none() {
            break;
        }
    }
    if cursor.is_starved() { Candidate::Open } else { end.map_or(Candidate::No, Candidate::Match) }
}

/// How much of a label can be a top-level domain.
fn top_level(label: &[u8]) -> Option<usize> {
    let letters = label.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    match label.get(letters) {
        None | Some(b'-') if letters > 2 || letters == 2 && !label.starts_with(b"xn--") => Some(letters),
        Some(b'-') if label.len() > 4 => label.iter().rposition(|byte| *byte != b'-').map(|last| last + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, finds_nothing};
    use crate::guard::detect::Detector::Email;

    #[test]
    fn finds_addresses() {
        for (text, expected) in [
            ("bob@example.com", "bob@example.com"),
            ("write to <first.last+tag@mail.example.co.uk>.", "first.last+tag@mail.example.co.uk"),
            ("mailto:a_b%c-d@x-y.io?subject=1", "a_b%c-d@x-y.io"),
            ("at bob@example.com. Then", "bob@example.com"),
            ("(BOB@EXAMPLE.COM)", "BOB@EXAMPLE.COM"),
            ("邮箱bob@example.com是", "bob@example.com"),
            ("...bob@example.com-", "bob@example.com"),
            ("bob@example.com-based", "bob@example.com"),
            ("bob@xn--bcher-kva.xn--p1ai", "bob@xn--bcher-kva.xn--p1ai"),
            ("1@2.example", "1@2.example"),
            ("a@b@example.org", "b@example.org"),
            ("bob@example.com.5", "bob@example.com"),
        ] {
            finds(Email, text, &[expected]);
        }
        finds(Email, "a@b.cd,e@f.gh", &["a@b.cd", "e@f.gh"]);
    }

    #[test]
    fn finds_nothing_in_what_is_none() {
        for text in [
            "@",
            "a@",
            "@b.cd",
            "a@b",
            "a@b.c",
            "a@b.c1",
            "a@.cd",
            "a@b..cd",
            "a @b.cd",
            "a@-b.cd",
            "@user and @other.",
            "...@b.cd",
            "1@2.3",
        ] {
            finds_nothing(Email, text);
        }
    }

    #[test]
    fn takes_as_much_of_what_is_too_long_as_an_address_can_have() {
        let local = "a".repeat(100);
        finds(Email, &format!("{local}@b.cd"), &[&format!("{}@b.cd", "a".repeat(64))]);
        let domain = ["a".repeat(49).as_str(), "."].concat().repeat(5);
        finds(Email, &format!("x@{domain}com"), &[&format!("x@{domain}com")]);
        finds(Email, &format!("x@{domain}example"), &[&format!("x@{domain}exa")]);
    }
}
