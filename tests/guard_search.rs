//! The search for what rules name, against the plainest way to do the same: random texts, random
//! rules, every cut.

#![expect(clippy::expect_used, clippy::string_slice, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[cfg(feature = "regex")]
#[path = "guard_search/patterns.rs"]
mod patterns;

use std::ops::Range;
use std::time::{Duration, Instant};

use neural_router::guard::{Action, Guard, LOOKBEHIND, Rules, Spec};

/// Rules of a side, one for each list of phrases, and one for each detector.
fn guard(phrases: &[Vec<String>], detectors: &[&str]) -> Guard {
    let spec = |name: String| Spec { name, input: true, action: Action::Redact, ..Spec::default() };
    let phrases = phrases.iter().enumerate().map(|(at, terms)| Spec { terms: terms.clone(), ..spec(format!("terms-{at}")) });
    let detectors = detectors.iter().map(|name| Spec { detect: vec![(*name).to_owned()], ..spec(format!("detect-{name}")) });
    Guard::compile(&phrases.chain(detectors).collect::<Vec<_>>()).expect("valid rules")
}

const DETECTORS: [&str; 6] = ["api_key", "credit_card", "email", "iban", "ipv4", "phone"];

/// Names of rules and ranges of the text.
type Found = Vec<(String, Range<usize>)>;

fn found(rules: &Rules, text: &str) -> Found {
    let mut found = Vec::new();
    rules.find(text, |m| found.push((rules.rule(m.rule).expect("a rule").name.clone(), m.range)));
    assert!(found.is_sorted_by_key(|(_, range)| range.start));
    found.sort_by_key(|(name, range)| (range.start, std::cmp::Reverse(range.end), name.clone()));
    found
}

struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).expect("small")
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn text(&mut self, choices: &[&str], pieces: usize) -> String {
        (0..pieces).map(|_| self.of(choices)).collect()
    }
}

/// Ranges that overlap become one.
fn united(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut united: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match united.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => united.push(range),
        }
    }
    united
}

fn same_letter(a: char, b: char) -> bool {
    let sigma = |letter: char| if letter == 'ς' { 'σ' } else { letter };
    a.to_lowercase().map(sigma).eq(b.to_lowercase().map(sigma))
}

/// Every place of every phrase, found by trying.
fn phrases_by_trying(phrases: &[Vec<String>], text: &str) -> Found {
    let mut all = Vec::new();
    for (rule, phrases) in phrases.iter().enumerate() {
        let mut ranges = Vec::new();
        for (start, _) in text.char_indices() {
            for phrase in phrases {
                let mut rest = text[start..].chars();
                if phrase.chars().all(|letter| rest.next().is_some_and(|other| same_letter(letter, other))) {
                    ranges.push(start..text.len() - rest.as_str().len());
                }
            }
        }
        all.extend(united(ranges).into_iter().map(|range| (format!("terms-{rule}"), range)));
    }
    all.sort_by_key(|(name, range)| (range.start, std::cmp::Reverse(range.end), name.clone()));
    all
}

/// Few enough that they meet all the time; some have cases of more bytes, some of another first byte.
const LETTERS: [&str; 18] = ["a", "a", "a", "b", "b", "A", "B", " ", "é", "É", "р", "Р", "σ", "ς", "Σ", "ß", "\"", "😀"];

#[test]
fn phrases_are_found_where_trying_finds_them() {
    let mut random = Random(1);
    let mut total = 0;
    for _ in 0..2_000 {
        let rules = 1 + random.below(3);
        let phrases: Vec<Vec<String>> = (0..rules)
            .map(|_| {
                (0..=random.below(4))
                    .map(|_| {
                        let length = 1 + random.below(6);
                        random.text(&LETTERS, length)
                    })
                    .collect()
            })
            .collect();
        let guard = guard(&phrases, &[]);
        let rules = guard.input().expect("rules");
        for _ in 0..5 {
            let length = random.below(40);
            let text = random.text(&LETTERS, length);
            let expected = phrases_by_trying(&phrases, &text);
            total += expected.len();
            assert_eq!(found(rules, &text), expected, "{phrases:?} in {text:?}");
        }
    }
    assert!(total > 20_000, "there is something to find: {total}");
}

const WORDS: [&str; 24] = [
    "project",
    "x",
    "alpha",
    "beta",
    "internal",
    "use",
    "only",
    "do",
    "not",
    "share",
    "merger",
    "with",
    "acme",
    "Zürich",
    "ПРОЕКТ",
    "проект",
    "a",
    "b/c",
    "\"q\"",
    "2024",
    "é",
    "IBM",
    "AWS",
    "σύνοψις",
];

#[test]
fn long_texts_are_searched_as_thoroughly_as_short_ones() {
    let mut random = Random(4);
    let (mut total, mut passed) = (0, 0);
    for round in 0..60 {
        // From one phrase to many, from short ones to long ones: all ways to look for them.
        let (count, words) = (1 + random.below([2, 12, 40, 300][round % 4]), [1, 3, 6][round % 3]);
        let sentence = |random: &mut Random, words: usize| (0..words).map(|_| random.of(&WORDS)).collect::<Vec<_>>().join(" ");
        let phrases: Vec<Vec<String>> = vec![
            (0..count)
                .map(|_| {
                    let words = 1 + random.below(words);
                    sentence(&mut random, words)
                })
                .collect(),
        ];
        let guard = guard(&phrases, if round % 2 == 0 { &DETECTORS } else { &[] });
        let rules = guard.input().expect("rules");
        for _ in 0..20 {
            let words = random.below(60);
            let padding = "plain words in between ".repeat(random.below(4));
            let text = [&padding, &sentence(&mut random, words), " ", &padding, " ", &sentence(&mut random, 3)].concat();
            let text = if random.below(2) == 0 { text.to_uppercase() } else { text };
            let expected = phrases_by_trying(&phrases, &text);
            total += expected.len();
            let found: Found = found(rules, &text).into_iter().filter(|(name, _)| name == "terms-0").collect();
            assert_eq!(found, expected, "{phrases:?} in {text:?}");
            let body = serde_json::json!({"messages": [{"content": text}]}).to_string();
            let may_match = rules.may_match(body.as_bytes());
            assert!(may_match || expected.is_empty(), "{phrases:?} in {body}");
            passed += usize::from(!may_match);
        }
    }
    assert!(total > 2_000 && passed > 100, "{total} found, {passed} passed unread");
}

/// Pieces of what detectors find, and what may stand around them.
const PIECES: [&str; 74] = [
    "bob",
    "@",
    "example",
    ".com",
    ".",
    "-",
    "+",
    " ",
    " ",
    " ",
    "(",
    ")",
    "_",
    "a",
    "x",
    "é",
    "是",
    "😀",
    "\n",
    "\"",
    "\\",
    "/",
    "1",
    "12",
    "415",
    "555",
    "0100",
    "+1",
    "+44 20 7946 0958",
    "(415) ",
    "415-555-0100",
    "+14155550100",
    "192.0.2.1",
    "10.",
    "255",
    "256",
    "4111",
    "1111",
    "4111111111111111",
    "4111 1111 1111 1111",
    "3782 822463 10005",
    "37828224631000",
    "5",
    "0",
    "GB",
    "DE",
    "de89",
    "GB82",
    "WEST",
    "1234",
    "5698",
    "7654",
    "32",
    "DE89370400440532013000",
    "GB82 WEST 1234 5698 7654 32",
    "sk-",
    "s",
    "k",
    "ghp_",
    "AKIA",
    "IOSFODNN7EXAMPLE",
    "AIza",
    "xoxb-",
    "0a1B2c3D4e5F6g7H8i9J",
    "0a1B2c3D4e5F6g7H",
    "github_pat_",
    "nr-3c1c5f6f77c23c0c",
    "project",
    " x",
    "Project X",
    "ect",
    "aa",
    "a@b.cd",
    "bob@example.com",
];

fn mixed_guard(random: &mut Random) -> Guard {
    let phrases: Vec<Vec<String>> =
        [&["project x", "aa", "ect x"][..], &["Σé", "1 1", "x", "0100 "], &["com", "example.com"], &["\"\n", "a/", "\\"]]
            .iter()
            .filter(|_| random.below(3) > 0)
            .map(|terms| terms.iter().map(|term| (*term).to_owned()).collect())
            .collect();
    let detectors: Vec<&str> = DETECTORS.into_iter().filter(|name| *name == "ipv4" || random.below(4) > 0).collect();
    guard(&phrases, &detectors)
}

/// What a stream finds in a text that comes in pieces, and the most bytes that it holds back.
fn streamed(rules: &Rules, text: &str, random: &mut Random) -> (Found, usize) {
    let (mut kept, mut from, mut offset, mut at) = (String::new(), 0, 0, 0);
    let mut all: Found = Vec::new();
    let mut held = 0;
    while at < text.len() || at == 0 {
        let next = (at + 1 + random.below(12)).min(text.len());
        let next = (next..=text.len()).find(|next| text.is_char_boundary(*next)).expect("the end is one");
        kept.push_str(&text[at..next]);
        at = next;
        let last = at == text.len();
        let until = rules.settled(&kept, from, last, |m| {
            assert!(m.range.start >= from);
            all.push((rules.rule(m.rule).expect("a rule").name.clone(), m.range.start + offset..m.range.end + offset));
        });
        held = held.max(kept.len() - until);
        let keep = (0..=until.saturating_sub(LOOKBEHIND)).rev().find(|keep| kept.is_char_boundary(*keep)).expect("0 is one");
        from = until - keep;
        offset += keep;
        kept.drain(..keep);
        if last {
            break;
        }
    }
    let mut names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    names.dedup();
    let mut by_rule: Found = Vec::new();
    for name in names {
        let ranges = all.iter().filter(|(other, _)| *other == name).map(|(_, range)| range.clone()).collect();
        by_rule.extend(united(ranges).into_iter().map(|range| (name.clone(), range)));
    }
    (by_rule, held)
}

#[test]
fn a_stream_finds_what_the_whole_text_has_wherever_it_is_cut() {
    let mut random = Random(2);
    let mut total = 0;
    for _ in 0..150 {
        let guard = mixed_guard(&mut random);
        let rules = guard.input().expect("rules");
        for _ in 0..60 {
            let pieces = random.below(30);
            let text = random.text(&PIECES, pieces);
            let mut expected = found(rules, &text);
            expected.sort_by_key(|(name, range)| (name.clone(), range.start));
            total += expected.len();
            for _ in 0..3 {
                let (streamed, held) = streamed(rules, &text, &mut random);
                assert_eq!(streamed, expected, "{text:?}");
                assert!(held <= rules.longest_held(), "{held} bytes held of {text:?}");
            }
        }
    }
    assert!(total > 15_000, "there is something to find: {total}");
}

#[test]
fn nothing_that_is_found_escapes_the_look_at_the_json_text() {
    let mut random = Random(3);
    let (mut found_some, mut passed) = (0, 0);
    for _ in 0..300 {
        let guard = mixed_guard(&mut random);
        let rules = guard.input().expect("rules");
        for _ in 0..60 {
            let pieces = random.below(12);
            let text = random.text(&PIECES, pieces);
            let quoted = serde_json::to_string(&text).expect("a string");
            let ascii: String = quoted.chars().map(|letter| if letter.is_ascii() { letter.to_string() } else { escaped(letter) }).collect();
            let all: String = ["\"", &text.chars().map(escaped).collect::<String>(), "\""].concat();
            let twice = serde_json::to_string(&quoted).expect("a string");
            let padding = "nothing at all ".repeat(random.below(6));
            let something = !found(rules, &text).is_empty();
            found_some += usize::from(something);
            for (name, raw) in
                [("plain", quoted.clone()), ("slashes", quoted.replace('/', "\\/")), ("ASCII", ascii), ("escapes", all), ("twice", twice)]
            {
                let body = [r#"{"model":"auto","messages":[{"role":"user","content":"#, &padding, &raw, "}]}"].concat();
                let may_match = rules.may_match(body.as_bytes());
                assert!(may_match || !something, "{name}: {:?} in {text:?}", found(rules, &text));
                passed += usize::from(!may_match);
            }
        }
    }
    assert!(found_some > 5_000 && passed > 5_000, "{found_some} texts with something, {passed} passed unread");
}

/// As `\uXXXX`.
fn escaped(letter: char) -> String {
    letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

const PROSE: &str = "Some gateways read every word that is said, and most of what they read is harmless. In 2024 about 3 of 10 teams \
had one; by the end of the year it was half of them - a 12.5% rise, says the (unpublished) report. We'd ask: is it as quick as it was? \
\"It is,\" they answered, \"as long as nothing has to be held back.\" Task-based limits, risk-free trials and so on: see section 4.2. ";

#[test]
fn prose_is_passed_on_unread() {
    let phrases: Vec<String> =
        (0..100).map(|at| format!("{} {}", ["internal", "secret", "codename", "merger with"][at % 4], at * 37)).collect();
    for phrases in [Vec::new(), vec![vec!["project x".to_owned(), "zephyr".to_owned(), "IBM".to_owned()]], vec![phrases]] {
        let guard = guard(&phrases, &DETECTORS);
        let rules = guard.input().expect("rules");
        let body = serde_json::json!({"messages": [{"role": "user", "content": PROSE.repeat(50)}]}).to_string();
        assert!(!rules.may_match(body.as_bytes()));
        assert!(rules.may_match([&body, "bob@example.com"].concat().as_bytes()));
    }
}

#[test]
fn prose_is_held_back_by_a_word_at_most() {
    let guard = guard(&[vec!["project x".to_owned(), "internal use only".to_owned()]], &DETECTORS);
    let rules = guard.input().expect("rules");
    for end in (0..PROSE.len()).filter(|end| PROSE.is_char_boundary(*end)) {
        let text = &PROSE[..end];
        let word = text.rfind([' ', '"']).map_or(0, |at| at + 1);
        assert!(rules.open(text) >= word, "{:?} is held back of {text:?}", &text[rules.open(text)..]);
    }
    assert_eq!(rules.open("this is the Projec"), "this is the ".len());
    assert_eq!(rules.open("my number is 415 "), "my number is ".len());
    assert_eq!(rules.open("write to bob@example.com"), "write to ".len());
    assert_eq!(rules.open("write to bob@example.com, "), "write to bob@example.com, ".len());
}

/// Bytes; fewer where the build is for tests, which is thirty times slower.
const LENGTH: usize = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };

#[test]
fn hostile_texts_take_time_in_proportion_to_their_length() {
    let phrases = ["a".repeat(256), ["a".repeat(255).as_str(), "b"].concat(), "aa".to_owned(), "- ".repeat(100)];
    let guard = guard(&[phrases.to_vec(), vec!["aaa".to_owned()]], &DETECTORS);
    let rules = guard.input().expect("rules");
    for unit in [
        "@",
        "a@",
        "a@a.",
        "a.",
        "a@a.aa,",
        "0",
        "1",
        "4",
        "444 ",
        "4444-",
        "1.",
        "1.1.1.1.",
        "+1",
        "+",
        "+2 2 ",
        "(222) ",
        "222 222 ",
        "222-",
        "sk-",
        "-",
        "_",
        "I",
        "sk-1",
        "AKIA",
        "xoxb-",
        "ghp_",
        " ",
        "a",
        "aaab",
        "DE12 ",
        "DE12",
        "de89 3704 0044 0532 0130 ",
        "\\",
        "\\u",
        "\\u0041",
        "é",
        "- ",
        "github_pat_",
    ] {
        let text = unit.repeat(LENGTH / unit.len());
        let began = Instant::now();
        rules.find(&text, |_| {});
        rules.open(&text);
        rules.may_match(text.as_bytes());
        if std::env::var("T").is_ok() {
            println!("{unit:?} {:?}", began.elapsed());
        }
        // In proportion to the square of the length it would take minutes.
        assert!(began.elapsed() < Duration::from_secs(20), "{unit:?} takes {:?}", began.elapsed());
    }
}

#[test]
fn overlapping_matches_of_one_rule_are_one_and_of_two_rules_two() {
    let guard = guard(&[vec!["aba".to_owned()], vec!["ab".to_owned(), "cd".to_owned()]], &["email"]);
    let rules = guard.input().expect("rules");
    let expect = |text: &str, expected: &[(&str, Range<usize>)]| {
        let expected: Found = expected.iter().map(|(name, range)| ((*name).to_owned(), range.clone())).collect();
        assert_eq!(found(rules, text), expected, "{text}");
    };
    expect("xABABAx", &[("terms-0", 1..6), ("terms-1", 1..3), ("terms-1", 3..5)]);
    expect("abcd", &[("terms-1", 0..2), ("terms-1", 2..4)]);
    expect("ab@cd.ef", &[("detect-email", 0..8), ("terms-1", 0..2), ("terms-1", 3..5)]);
    let both = Spec { name: "both".into(), terms: vec!["my bob".into()], detect: vec!["email".into()], input: true, ..Spec::default() };
    let guard = Guard::compile(&[both]).expect("valid rules");
    let mut all = Vec::new();
    guard.input().expect("rules").find("my bob@example.com!", |m| all.push((m.what, m.range)));
    assert_eq!(all, [("terms", 0..18)]);
}
