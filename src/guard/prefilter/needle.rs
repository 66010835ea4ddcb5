//! A phrase, as it may stand in a text and in JSON.

use super::frequency::{Chances, likelihood};
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

/// What a byte may be.
#[derive(Debug)]
pub(super) struct OneOf {
    /// Folded.
    bytes: Vec<u8>,
    chances: Chances,
}

/// As upper and lower case of ASCII are alike, and some other characters too.
pub(super) fn fold(byte: u8) -> u8 {
    byte | 0x20
}

impl Needle {
    /// `None` if every character of the phrase has an escape of its own.
    pub(super) fn new(phrase: &str) -> Option<Self> {
        let mut bytes: Vec<OneOf> = Vec::new();
        let mut escapes = Vec::new();
        for letter in phrase.chars() {
            if letter.is_ascii_control() || matches!(letter, '"' | '\\' | '/') {
                escapes.push(bytes.len());
            }
            let byte = |letter: char, at: usize| letter.encode_utf8(&mut [0; 4]).as_bytes().get(at).copied();
            let one_of = |at: usize| OneOf::new(cases(letter).all().filter_map(|letter| byte(letter, at)));
            bytes.extend((0..letter.len_utf8()).map(one_of));
        }
        let total = bytes.len();
        let begins = [0].into_iter().chain(escapes.iter().map(|at| at + 1));
        let ends = escapes.iter().copied().chain([total]);
        let (from, to) = begins.zip(ends).max_by_key(|(from, to)| to - from)?;
        let bytes: Vec<OneOf> = bytes.into_iter().skip(from).take(to - from).collect();
        (!bytes.is_empty()).then_some(Self { bytes, before: from, behind: total - to })
    }

    /// Where the phrase is, seen from a place in the needle.
    pub(super) fn near(&self, at: usize) -> Near {
        let count = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX);
        let behind = self.bytes.len() + self.behind - at;
        Near { before: count(self.before + at), behind: count(behind), anywhere: false, escaped: self.before + self.behind > 0 }
    }

    /// Where the windows begin that are the rarest of so many in a row, and how likely it is that one of them is seen
    /// at a place where the phrase is not.
    pub(super) fn rarest(&self, windows: usize, width: usize) -> (usize, f32) {
        let likelihood = |window: &[OneOf]| likelihood(window.iter().map(|byte| &byte.chances));
        let likelihoods: Vec<f32> = self.bytes.windows(width).map(likelihood).collect();
        let sums = likelihoods.windows(windows).map(|likelihoods| likelihoods.iter().sum::<f32>());
        sums.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or((0, 1.0))
    }
}

impl OneOf {
    fn new(bytes: impl Iterator<Item = u8>) -> Self {
        let mut bytes: Vec<u8> = bytes.map(fold).collect();
        bytes.sort_unstable();
        bytes.dedup();
        let chances = Chances::new((0..=u8::MAX).filter(|byte| bytes.contains(&fold(*byte))));
        Self { bytes, chances }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// If it is one.
    pub(super) fn only(&self) -> Option<u8> {
        self.bytes.first().copied().filter(|_| self.bytes.len() == 1)
    }

    /// All bytes that are one of them when they are folded.
    pub(super) fn unfolded(&self) -> Vec<u8> {
        (0..=u8::MAX).filter(|byte| self.bytes.contains(&fold(*byte))).collect()
    }
}
