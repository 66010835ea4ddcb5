//! Regular expressions: `cargo test --features regex --test guard_search`.

use super::*;

fn with(patterns: &[&str]) -> Result<Guard, String> {
    let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let spec = Spec { name: "pattern".into(), patterns, input: true, ..Spec::default() };
    Guard::compile(&[spec]).map_err(|refused| format!("{}: {}", refused.member, refused.message))
}

#[test]
fn are_found_and_make_every_body_worth_a_look() {
    let guard = with(&["[A-Z]{2,5}-[0-9]{1,6}", r"(?i)\bticket\b"]).expect("valid patterns");
    let rules = guard.input().expect("rules");
    let mut all = Vec::new();
    rules.find("see ABC-123 and Ticket XY-7, no tickets", |m| all.push((m.what, m.range)));
    assert_eq!(all, [("patterns", 4..11), ("patterns", 16..22), ("patterns", 23..27)]);
    assert!(rules.may_match(b"{}"));
}

#[test]
fn are_refused_if_they_match_nothing_or_take_too_much() {
    for (pattern, message) in [
        ("a*", "patterns: pattern 0 has to match one character at least"),
        (r"\b", "patterns: pattern 0 has to match one character at least"),
        ("(a|b?)", "patterns: pattern 0 has to match one character at least"),
    ] {
        assert_eq!(with(&[pattern]).expect_err(pattern), message);
    }
    assert!(with(&["a", "("]).expect_err("no pattern").starts_with("patterns: pattern 1 cannot be read: "));
    assert!(with(&[r"\w{1000}"]).expect_err("too long").starts_with("patterns: pattern 0 cannot be compiled: "));
    assert_eq!(with(&["a".repeat(1025).as_str()]).expect_err("long"), "patterns: pattern 0 has 1025 bytes; at most 1024 are allowed");
    assert_eq!(with(&["a"; 33]).expect_err("many"), "patterns: a rule has at most 32 patterns");
}

#[test]
fn are_found_in_streams_if_they_fit_the_window() {
    let guard = with(&["[A-Z]{2,5}-[0-9]{1,6}", r"é+x", r"\bab\b"]).expect("valid patterns");
    let rules = guard.input().expect("rules");
    let mut random = Random(5);
    let mut total = 0;
    for _ in 0..2_000 {
        let pieces = random.below(30);
        let text = random.text(&["AB", "C", "-", "1", "23", " ", "é", "éx", "ab", "xyz", "."], pieces);
        let expected = found(rules, &text);
        total += expected.len();
        let (streamed, held) = streamed(rules, &text, &mut random);
        assert_eq!(streamed, expected, "{text:?}");
        assert!(held <= rules.longest_held());
    }
    assert!(total > 2_000, "there is something to find: {total}");
}
