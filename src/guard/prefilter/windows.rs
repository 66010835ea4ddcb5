//! Samples: of a text every second, fourth or eighth place, and of every phrase as many windows as it
//! takes for one of them to be sampled wherever the phrase stands (after Wu and Manber, 1994).
//!
//! A sample is folded, hashed and looked up in a table that fits into a processor's first cache. That
//! takes the same time however many phrases there are, where signs of three bytes give false alarms
//! all the time.

use super::frequency;
use super::trigrams::{SEEN, STEP};

/// A phrase, as it may stand in a text.
#[derive(Debug)]
pub(super) struct Needle {
    /// The stretch of it that stands in JSON as it is.
    pub(super) bytes: Vec<OneOf>,
    /// Where the phrase is if the stretch begins somewhere.
    pub(super) extent: Extent,
}

impl Needle {
    /// The rarest three bytes, or fewer if it has no more, and where the phrase is if they begin somewhere.
    pub(super) fn rarest(&self) -> (&[OneOf], Extent) {
        let windows = self.bytes.windows(self.bytes.len().min(3)).enumerate();
        let (from, window) = windows.min_by_key(|(_, window)| weight(window)).unwrap_or((0, &self.bytes));
        (window, self.extent.from(from))
    }
}

/// What a byte may be.
#[derive(Debug)]
pub(super) struct OneOf {
    /// Folded.
    bytes: Vec<u8>,
    /// See [`frequency::of_any`].
    frequency: u64,
}

impl OneOf {
    pub(super) fn new(bytes: impl Iterator<Item = u8>) -> Self {
        let mut bytes: Vec<u8> = bytes.map(fold).collect();
        bytes.sort_unstable();
        bytes.dedup();
        let frequency = frequency::of_any((0..=u8::MAX).filter(|byte| bytes.contains(&fold(*byte))));
        Self { bytes, frequency }
    }

    /// All bytes that are one of them when they are folded.
    pub(super) fn unfolded(&self) -> Vec<u8> {
        (0..=u8::MAX).filter(|byte| self.bytes.contains(&fold(*byte))).collect()
    }
}

/// How many bytes before and behind a place belong to what may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Extent {
    before: u16,
    behind: u16,
}

impl Extent {
    /// Nobody knows how far: there may be escapes.
    pub(super) const UNKNOWN: Self = Self { before: 0, behind: u16::MAX };

    pub(super) fn new(before: usize, behind: usize) -> Self {
        let bytes = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        Self { before: bytes(before), behind: bytes(behind) }
    }

    /// Seen from a place so many bytes further on.
    fn from(self, offset: usize) -> Self {
        match self.bytes() {
            Some((before, behind)) => Self::new(before + offset, behind.saturating_sub(offset)),
            None => self,
        }
    }

    /// Of either.
    pub(super) fn and(self, other: Self) -> Self {
        Self { before: self.before.max(other.before), behind: self.behind.max(other.behind) }
    }

    /// Before and behind, if it is known.
    pub(super) fn bytes(self) -> Option<(usize, usize)> {
        (self.behind < u16::MAX).then_some((self.before.into(), self.behind.into()))
    }
}

/// Entries of the table: a power of two.
const SLOTS: usize = 1 << 14;

/// Where the number of a slot begins in a hash.
const SLOT_SHIFT: u32 = u64::BITS - SLOTS.trailing_zeros();

/// In a slot: no phrase, and phrases whose other bits differ.
const EMPTY: u8 = 0;
const SEVERAL: u8 = u8::MAX;

/// Bytes of the longest window.
const MAX_WIDTH: usize = 8;

/// More windows would fill the table.
const MAX_WINDOWS: usize = SLOTS / 2;

/// 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Windows of phrases, ready to be looked for.
#[derive(Debug)]
pub(super) struct Windows {
    /// Carries the bytes of a window, and no others, into the upper bits of the product.
    multiplier: u64,
    slots: Box<[u8; SLOTS]>,
    extents: Vec<Extent>,
    /// How often a window is seen in what is no phrase, of so many places.
    weight: u64,
}

impl Windows {
    /// With a sample at every `stride`th place. `None` if a needle is too short for that, or there are too many.
    pub(super) fn new(needles: &[Needle], stride: usize) -> Option<Self> {
        let shortest = needles.iter().map(|needle| needle.bytes.len()).min()?;
        let width = (shortest + 1).checked_sub(stride).filter(|width| *width > 0)?.min(MAX_WIDTH);
        let multiplier = MULTIPLIER << (8 * (MAX_WIDTH - width));
        let mut windows = Self { multiplier, slots: Box::new([EMPTY; SLOTS]), extents: vec![Extent::default(); SLOTS], weight: 0 };
        let mut count = 0;
        for needle in needles {
            // Of the stretches that have a window for each of the places that a sample may have, the rarest.
            let stretches = (0..).map(|from| (from, needle.bytes.get(from..from + stride + width - 1)));
            let stretches = stretches.map_while(|(from, bytes)| Some((from, bytes?)));
            let (from, stretch) = stretches.min_by_key(|(_, bytes)| bytes.windows(width).map(weight).sum::<u64>())?;
            for (offset, window) in stretch.windows(width).enumerate() {
                let extent = needle.extent.from(from + offset);
                windows.weight += weight(window);
                each_word(window, 0, 0, &mut |word| {
                    count += 1;
                    windows.insert(word, extent);
                });
            }
        }
        (count <= MAX_WINDOWS).then_some(windows)
    }

    /// How often a window is seen in what is no phrase, of so many [`PLACES`](super::trigrams::PLACES).
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    fn insert(&mut self, word: u64, extent: Extent) {
        let (slot, check) = self.hash(word);
        if let Some(known) = self.slots.get_mut(slot) {
            *known = if [EMPTY, check].contains(known) { check } else { SEVERAL };
        }
        if let Some(known) = self.extents.get_mut(slot) {
            *known = known.and(extent);
        }
    }

    #[inline]
    fn hash(&self, word: u64) -> (usize, u8) {
        let product = word.wrapping_mul(self.multiplier);
        let check = 1 + (product >> (SLOT_SHIFT - 7) & 0x7f) as u8;
        ((product >> SLOT_SHIFT) as usize, check)
    }

    /// Whether there may be a window at one of the samples among the first [`STEP`] places.
    #[inline]
    pub(super) fn are_in<const STRIDE: usize>(&self, text: &[u8; SEEN]) -> bool {
        let mut any = EMPTY;
        for sample in 0..STEP / STRIDE {
            let (slot, _) = self.hash(word(text, sample * STRIDE));
            any |= self.slots.get(slot).copied().unwrap_or(SEVERAL);
        }
        any != EMPTY
    }

    /// The places of windows, and how far the phrases reach.
    pub(super) fn places<const STRIDE: usize>(&self, text: &[u8; SEEN]) -> impl Iterator<Item = (usize, Extent)> {
        (0..STEP).step_by(STRIDE).filter_map(move |at| {
            let (slot, check) = self.hash(word(text, at));
            let known = self.slots.get(slot).copied().unwrap_or(SEVERAL);
            (known == SEVERAL || known == check).then(|| (at, self.extents.get(slot).copied().unwrap_or_default()))
        })
    }
}

/// As upper and lower case are alike, and some other characters too.
fn fold(byte: u8) -> u8 {
    byte | 0x20
}

#[inline]
fn word(text: &[u8; SEEN], at: usize) -> u64 {
    let bytes = text.get(at..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; 8]);
    u64::from_le_bytes(*bytes) | u64::from_le_bytes([0x20; 8])
}

/// All words that a window may be.
fn each_word(window: &[OneOf], word: u64, shift: u32, each: &mut dyn FnMut(u64)) {
    match window {
        [] => each(word),
        [first, rest @ ..] => first.bytes.iter().for_each(|byte| each_word(rest, word | u64::from(*byte) << shift, shift + 8, each)),
    }
}

/// How often a window is seen, of so many places, if each byte comes by chance.
fn weight(window: &[OneOf]) -> u64 {
    window.iter().fold(super::trigrams::PLACES, |weight, byte| weight * byte.frequency / frequency::SCALE)
}
