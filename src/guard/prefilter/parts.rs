//! Whether a message can have a content of several parts, between which nobody looks who takes the
//! body as it is written. Such a content is an array of objects. There are others, and what stands
//! before their brackets tells most of them apart: names that the caller gives.

use super::signs::Sign;

/// What such an array begins with.
pub(super) const SIGN: Sign = Sign::pair([b"[", b"{ \t\n\r"]);

/// Whether one may be anywhere in a body.
pub(in crate::guard) fn may_have_parts(body: &[u8], without_parts: &[&str]) -> bool {
    memchr::memchr_iter(b'[', body).any(|at| begin_at(body, at, without_parts))
}

/// Whether one may begin with the bracket that stands here.
pub(super) fn begin_at(body: &[u8], at: usize, without_parts: &[&str]) -> bool {
    let Some((before, after)) = body.split_at_checked(at) else { return false };
    let Some(inside) = after.strip_prefix(b"[") else { return false };
    inside.trim_ascii_start().first() == Some(&b'{')
        && before.trim_ascii_end().strip_suffix(b":").is_some_and(|name| {
            let name = name.trim_ascii_end();
            name.ends_with(b"\"") && !without_parts.iter().any(|known| name.ends_with(known.as_bytes()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Guard, Spec};

    #[test]
    fn the_sign_is_seen_wherever_an_array_of_objects_begins() {
        const KNOWN: [&str; 1] = [r#""messages""#];
        let spec = Spec { name: "rule".to_owned(), terms: vec!["zebra crossing".to_owned()], input: true, ..Spec::default() };
        let guard = Guard::compile(&[spec]).expect("a valid rule");
        let rules = guard.input().expect("a rule for requests");
        let mut with = 0;
        for before in 0..80 {
            for name in [r#""content":"#, r#""messages":"#, "\"messages\" :\n", "\"content\" : ", "", ":"] {
                for array in ["[{", "[ {", "[\n\t\r {", "[ 1", "[\"{", "{[", "["] {
                    let body = [r#"{"a":""#, &"x".repeat(before), r#"","#, name, array].concat();
                    let has_parts = may_have_parts(body.as_bytes(), &KNOWN);
                    assert_eq!(rules.may_match_or_have_parts(body.as_bytes(), &KNOWN), has_parts, "{body:?}");
                    with += usize::from(has_parts);
                }
            }
        }
        assert_eq!(with, 80 * 2 * 3);
    }
}
