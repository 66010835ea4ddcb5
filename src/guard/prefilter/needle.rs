//! A phrase, as it may stand in a text and in JSON.

use super::windows::Near;
use crate::guard::phrases::cases;

/// The longest stretch of a phrase that stands in JSON as it is.
#[derive(Debug)]
pub(super) struct Needle {
    pub(super) bytes: Vec<OneOf>,
    /// Bytes of the phrase before and behind it.
    before: usize,
    behind: usize,
}

/// What a byte may be, folded; some of them may be the same.
pub(super) type OneOf = [u8; 3];

/// As upper and lower case of ASCII are alike, and some other characters too.
pub(super) fn fold(byte: u8) -> u8 {
    byte | 0x20
}

impl Needle {
    /// `None` if every character of the phrase has an escape of its own.
    pub(super) fn new(phrase: &str) -> Option<Self> {
        let mut bytes: Vec<OneOf> = Vec::new();
        // The longest stretch, and the one that goes on.
        let (mut longest, mut from) = (0..0, 0);
        for letter in phrase.chars() {
            let escaped = letter.is_ascii_control() || matches!(letter, '"' | '\\' | '/');
            for at in 0..letter.len_utf8() {
                bytes.push(cases(letter).map(|letter| letter.encode_utf8(&mut [0; 4]).as_bytes().get(at).map_or(0, |byte| fold(*byte))));
            }
            if escaped {
                from = bytes.len();
            } else if bytes.len() - from > longest.len() {
                longest = from..bytes.len();
            }
        }
        let behind = bytes.len() - longest.end;
        let bytes = bytes.get(longest.clone())?.to_vec();
        (!bytes.is_empty()).then_some(Self { bytes, before: longest.start, behind })
    }

    /// Where the phrase is, seen from a place in the needle.
    pub(super) fn near(&self, at: usize) -> Near {
        let count = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX);
        let behind = self.bytes.len() + self.behind - at;
        Near { before: count(self.before + at), behind: count(behind), escaped: self.before + self.behind > 0 }
    }

    /// Where the rarest so many bytes begin.
    pub(super) fn rarest(&self, length: usize) -> usize {
        let rarity = |stretch: &[OneOf]| stretch.iter().map(|[byte, ..]| rarity(*byte)).sum::<u32>();
        let stretches = self.bytes.windows(length).map(rarity).enumerate();
        stretches.max_by_key(|(_, rarity)| *rarity).map_or(0, |(at, _)| at)
    }
}

/// How seldom a folded byte is in texts: of how many characters it is one, as a power of two, in English.
fn rarity(byte: u8) -> u32 {
    /// Of `a` to `z`.
    const LETTERS: &[u8; 26] = b"46553664497554469443557747";
    match byte {
        b' ' => 3,
        b'a'..=b'z' => LETTERS.get(usize::from(byte - b'a')).map_or(0, |digit| u32::from(digit - b'0')),
        _ => 8,
    }
}
