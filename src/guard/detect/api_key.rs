//! Keys of APIs, known by the prefixes that their issuers gave them so that they can be found.

use super::{Candidate, Cursor, Text};

/// One shape of keys.
struct Shape {
    /// How they begin. Case counts.
    prefix: &'static str,
    /// Where in the prefix the first `-`, `_` or `I` stands.
    anchor: usize,
    /// What follows the prefix.
    tail: Tail,
    /// How much of it.
    least: usize,
    most: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Letters and digits.
    Plain,
    /// Capital letters and digits.
    Capital,
    /// Letters, digits, `-` and `_`; a digit among them. Without one it is a name of several words.
    Url,
}

/// Bytes behind the prefix of the longest key. Those in use have up to 164.
const MAX_TAIL: usize = 256;

/// Bytes of the longest prefix.
const MAX_PREFIX: usize = "github_pat_".len();

/// Bytes of the longest match.
pub(super) const LONGEST: usize = MAX_PREFIX + MAX_TAIL;

/// Where prefixes have three bytes that are in no word; see `KEYS` in the prefilter.
const SIGNS: [usize; 3] = [0, 1, 4];

const fn shape(prefix: &'static str, anchor: usize, tail: Tail, least: usize, most: usize) -> Shape {
    Shape { prefix, anchor, tail, least, most }
}

const SHAPES: [Shape; 22] = [
    // OpenAI, Anthropic (`sk-ant-`), OpenRouter (`sk-or-`), DeepSeek and others that took it over.
    shape("sk-", 2, Tail::Url, 20, MAX_TAIL),
    // Ours.
    shape("nr-", 2, Tail::Url, 16, MAX_TAIL),
    // AWS, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    shape("AKIA", 2, Tail::Capital, 16, 16),
    shape("ASIA", 2, Tail::Capital, 16, 16),
    // GitHub, https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    shape("ghp_", 3, Tail::Plain, 36, 251),
    shape("gho_", 3, Tail::Plain, 36, 251),
    shape("ghu_", 3, Tail::Plain, 36, 251),
    shape("ghs_", 3, Tail::Plain, 36, 251),
    shape("ghr_", 3, Tail::Plain, 36, 251),
    shape("github_pat_", 6, Tail::Url, 22, 251),
    // GitLab, https://docs.gitlab.com/security/tokens/#token-prefixes
    shape("glpat-", 5, Tail::Url, 20, MAX_TAIL),
    // Slack, https://docs.slack.dev/authentication/tokens/
    shape("xoxa-", 4, Tail::Url, 10, MAX_TAIL),
    shape("xoxb-", 4, Tail::Url, 10, MAX_TAIL),
    shape("xoxp-", 4, Tail::Url, 10, MAX_TAIL),
    shape("xoxr-", 4, Tail::Url, 10, MAX_TAIL),
    shape("xoxs-", 4, Tail::Url, 10, MAX_TAIL),
    // Google, https://docs.cloud.google.com/docs/authentication/api-keys
    shape("AIza", 1, Tail::Url, 35, 35),
    // Hugging Face, https://huggingface.co/docs/hub/security-tokens
    shape("hf_", 2, Tail::Plain, 30, 64),
    // Stripe, https://docs.stripe.com/keys
    shape("sk_live_", 2, Tail::Plain, 16, 247),
    shape("rk_live_", 2, Tail::Plain, 16, 247),
    // npm, https://github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format/
    shape("npm_", 3, Tail::Plain, 36, 36),
    // Groq
    shape("gsk_", 3, Tail::Plain, 40, 64),
];

/// Bits of the letters that prefixes begin with.
const FIRST: u32 = {
    let (mut bits, mut shapes) = (0, SHAPES.as_slice());
    while let [shape, rest @ ..] = shapes {
        if let [first, ..] = shape.prefix.as_bytes() {
            bits |= letter(*first);
        }
        shapes = rest;
    }
    bits
};

/// Whether a key has its sign here, in a text that is whole.
pub(in crate::guard) fn stands_around(text: Text<'_>, sign: usize) -> bool {
    SIGNS.into_iter().any(|offset| {
        let may_begin = |start: &usize| text.byte(*start).is_some_and(|first| FIRST & letter(first) != 0) && begins(text, *start);
        let Some(start) = sign.checked_sub(offset).filter(may_begin) else { return false };
        let mut shapes = SHAPES.iter().filter(|shape| shape.sign() == offset && text.has(start, shape.prefix.as_bytes()));
        shapes.any(|shape| matches!(shape.candidate(text, start), Candidate::Match(_)))
    })
}

/// The key of which the prefix has its anchor at `anchor`, if that stands in a prefix: where it begins,
/// and whether it is one.
pub(super) fn around(text: Text<'_>, anchor: usize) -> Option<(usize, Candidate)> {
    let (before, byte) = (text.byte(anchor.checked_sub(1)?)?, text.byte(anchor)?);
    if before_anchor(byte) & letter(before) == 0 {
        return None;
    }
    SHAPES.iter().find_map(|shape| {
        let start = anchor.checked_sub(shape.anchor)?;
        let prefix = shape.prefix.as_bytes();
        let fits = prefix.get(shape.anchor) == Some(&byte) && (text.has(start, prefix) || text.ends_within(start, prefix));
        (fits && begins(text, start)).then(|| (start, shape.candidate(text, start)))
    })
}

/// Bits of the letters that stand before this anchor in prefixes.
fn before_anchor(anchor: u8) -> u32 {
    match anchor {
        b'-' => letter(b'k') | letter(b'r') | letter(b't') | letter(b'a') | letter(b'b') | letter(b'p') | letter(b's'),
        b'_' => {
            letter(b'p')
                | letter(b'o')
                | letter(b'u')
                | letter(b's')
                | letter(b'r')
                | letter(b'b')
                | letter(b'f')
                | letter(b'k')
                | letter(b'm')
        }
        b'I' => letter(b'K') | letter(b'S') | letter(b'A'),
        _ => 0,
    }
}

const fn letter(byte: u8) -> u32 {
    1 << (byte & 31)
}

/// Where a prefix begins that what follows the text could complete, at `from` or behind it.
pub(super) fn unfinished(text: Text<'_>, from: usize) -> usize {
    let unfinished = |start: &usize| begins(text, *start) && SHAPES.iter().any(|shape| text.ends_within(*start, shape.prefix.as_bytes()));
    (text.len().saturating_sub(MAX_PREFIX).max(from)..text.len()).find(unfinished).unwrap_or(text.len())
}

/// Whether a key may begin here: not within what may be one, so that only one begins in a run.
fn begins(text: Text<'_>, start: usize) -> bool {
    !text.before(start).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

impl Shape {
    /// Where in the prefix the three bytes stand that the prefilter looks for.
    fn sign(&self) -> usize {
        let [begin, second, within] = SIGNS;
        match self.prefix {
            "gsk_" | "npm_" => second,
            "github_pat_" => within,
            _ => begin,
        }
    }

    fn candidate(&self, text: Text<'_>, start: usize) -> Candidate {
        let mut cursor = Cursor::new(text, start);
        for expected in self.prefix.bytes() {
            if cursor.take(|byte| byte == expected).is_none() {
                return if cursor.is_starved() { Candidate::Open } else { Candidate::No };
            }
        }
        let from = cursor.at;
        while cursor.at <= from + self.most && cursor.take(|byte| self.tail.contains(byte)).is_some() {}
        let tail = text.between(from, cursor.at);
        if tail.len() > self.most {
            return Candidate::No;
        }
        if cursor.is_starved() {
            return Candidate::Open;
        }
        let named = self.tail == Tail::Url && !tail.iter().any(u8::is_ascii_digit);
        if tail.len() < self.least || named || cursor.goes_on(b"") { Candidate::No } else { Candidate::Match(cursor.at) }
    }
}

impl Tail {
    fn contains(self, byte: u8) -> bool {
        match self {
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Capital => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, finds_nothing};
    use super::{LONGEST, MAX_PREFIX, SHAPES, before_anchor, letter};
    use crate::guard::detect::Detector::ApiKey;

    /// Forms that the issuers document, made up; in two pieces, so that nobody who looks for keys in
    /// sources finds these.
    const KEYS: [(&str, &str); 26] = [
        ("sk-", "0a1B2c3D4e5F6g7H8i9JT3BlbkFJ0a1B2c3D4e5F6g7H8i9J"),
        (
            "sk-proj-",
            "0a1B2c3D4e5F6g7H8i9J_0a1B2c3D4e5F6g7H8i9J-T3BlbkFJ0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J",
        ),
        ("sk-svcacct-", "0a1B2c3D4e5F6g7H8i9J"),
        ("sk-ant-api03-", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J-abcdefAA"),
        ("sk-or-v1-", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        ("AKIA", "IOSFODNN7EXAMPLE"),
        ("ASIA", "Y34FZKBOKMUTVV7A"),
        ("ghp_", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"),
        ("gho_", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"),
        ("ghu_", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"),
        ("ghs_", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"),
        ("ghr_", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"),
        ("github_pat_", "11AAAAAAA0a1B2c3D4e5F6_0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i"),
        ("glpat-", "0a1B2c3D4e5F6g7H8i9J"),
        ("xoxb-", "123456789012-1234567890123-0a1B2c3D4e5F6g7H8i9J0a1B"),
        ("xoxp-", "123456789012-123456789012-123456789012-0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F"),
        ("xoxa-", "2-123456789012"),
        ("xoxr-", "123456789012"),
        ("xoxs-", "123456789012"),
        ("AIza", "SyA0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F"),
        ("hf_", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"),
        ("sk_live_", "0a1B2c3D4e5F6g7H8i9J0a1B"),
        ("rk_live_", "0a1B2c3D4e5F6g7H8i9J0a1B"),
        ("npm_", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"),
        ("nr-", "3c1c5f6f77c23c0c423be6ad101256f4efe5efecfddb4a90"),
        ("gsk_", "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F"),
    ];

    #[test]
    fn finds_keys_of_every_issuer() {
        for (prefix, tail) in KEYS.into_iter().chain([("nr-demo-", "5f8e1c0b7a2d4963")]) {
            let key = [prefix, tail].concat();
            assert!(key.len() <= LONGEST);
            for (before, after) in [("", ""), ("key=", "&"), ("\"", "\""), ("Bearer ", "."), ("密钥", "。"), ("(", ")"), ("x=", ",")] {
                finds(ApiKey, &[before, &key, after].concat(), &[&key]);
            }
            for before in ["a", "0", "_", "-"] {
                finds_nothing(ApiKey, &[before, &key].concat());
            }
            finds_nothing(ApiKey, &[prefix, &"a1".repeat(200)].concat());
        }
    }

    #[test]
    fn finds_nothing_in_what_is_none() {
        for text in [
            "sk-",
            "sk-learn",
            "sk-estimator-doc-link-fitted-and-more",
            "risk-0a1B2c3D4e5F6g7H8i9J",
            "SK-0a1B2c3D4e5F6g7H8i9J0a",
            "sk-0a1B2c3D4e5F6g7H8i9",
            "nr-of-things-in-a-list",
            "AKIAIOSFODNN7EXAMPL",
            "AKIAIOSFODNN7EXAMPLE1",
            "AKIAIOSFODNN7EXAMPLe",
            "ghp_0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7",
            "ghx_0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H",
            "github_pat_of_somebody_in_particular",
            "glpat-short1",
            "xoxo-123456789012",
            "AIzaSyA0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5",
            "hf_hub_download_of_the_whole_repository",
            "sk_test_0a1B2c3D4e5F6g7H8i9J0a1B",
            "npm_config_registry",
        ] {
            finds_nothing(ApiKey, text);
        }
    }

    #[test]
    fn the_table_of_shapes_is_well_formed() {
        for shape in &SHAPES {
            assert_eq!(shape.prefix.find(['-', '_', 'I']), Some(shape.anchor), "{}", shape.prefix);
            let [before, anchor] = shape.prefix.as_bytes()[shape.anchor - 1..=shape.anchor] else { panic!("two bytes") };
            assert_ne!(before_anchor(anchor) & letter(before), 0, "{}", shape.prefix);
            assert!(shape.prefix.len() <= MAX_PREFIX && shape.prefix.len() + shape.most <= LONGEST, "{}", shape.prefix);
            assert!(shape.least <= shape.most);
        }
    }
}
