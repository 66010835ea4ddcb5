//! Samples: of a text every second, fourth or eighth place, and of every phrase as many windows as it
//! takes for one of them to be sampled wherever the phrase stands (after Wu and Manber, 1994).
//!
//! A sample is folded, hashed and looked up in a table. That takes the same time however many phrases there
//! are, where signs of three bytes would give false alarms all the time.

use super::needle::{Needle, OneOf, fold};
use super::trigrams::{SEEN, STEP};
use core::ops::Range;

/// Entries of the table: a power of two. If one of a hundred is used, one of fifty of the texts that are
/// looked at in one go seems to have a window for no other reason.
const SLOTS: usize = 1 << 16;

/// Slots that a page has.
const PAGE: usize = 1 << 8;

/// Beyond that there is no use in it, and more than a page can count.
const MAX_WINDOWS: usize = SLOTS / 4;

/// Where the number of a slot begins in a hash.
const SLOT_SHIFT: u32 = u64::BITS - SLOTS.trailing_zeros();

/// Bytes of the longest window.
pub(super) const MAX_WIDTH: usize = 8;

/// More that share a slot are not told apart.
const MAX_SHARING: usize = 16;

/// 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Windows of phrases, ready to be looked for.
#[derive(Debug)]
pub(super) struct Windows {
    /// Carries the bytes of a window, and no others, into the upper bits of the product.
    multiplier: u64,
    /// 0, or the place of the slot's first window among those of its page, from 1.
    slots: Box<[u8; SLOTS]>,
    /// Where the windows of each page begin.
    pages: Vec<u32>,
    /// With their slots, in order.
    windows: Vec<(usize, Window)>,
}

/// A window, and what else of the phrase eight bytes can tell.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// Folded bytes, and which of them count; the first stands so many bytes before the window.
    bytes: u64,
    mask: u64,
    back: u8,
    near: Near,
}

/// Where a phrase is, seen from a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Near {
    /// It begins so many bytes before, and ends so many behind.
    pub(super) before: u16,
    pub(super) behind: u16,
    /// It may begin anywhere between.
    pub(super) anywhere: bool,
    /// In JSON it is longer: a part of it is written as escapes.
    pub(super) escaped: bool,
}

impl Near {
    /// Of a text of so many bytes.
    pub(super) fn region(&self, at: usize, length: usize) -> Range<usize> {
        at.saturating_sub(self.before.into())..length.min(at + usize::from(self.behind))
    }

    /// Either.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            before: self.before.max(other.before),
            behind: self.behind.max(other.behind),
            anywhere: self.anywhere || other.anywhere || self.before != other.before,
            escaped: self.escaped || other.escaped,
        }
    }
}

impl Windows {
    /// With a sample at every `stride`th place, for needles that have at least `stride + width - 1` bytes.
    /// `None` if there are too many.
    pub(super) fn new(needles: &[Needle], stride: usize, width: usize) -> Option<Self> {
        let multiplier = MULTIPLIER << (8 * (MAX_WIDTH - width));
        let mut list: Vec<(usize, Window)> = Vec::new();
        for needle in needles {
            let from = needle.rarest(stride, width).0;
            for from in from..from + stride {
                let window = Window::new(needle, from);
                let bytes = needle.bytes.get(from..from + width)?;
                each_word(bytes, 0, 0, &mut |word| list.push((slot(word, multiplier), window)));
            }
            if list.len() > MAX_WINDOWS {
                return None;
            }
        }
        list.sort_by_key(|(slot, _)| *slot);
        let mut windows: Vec<(usize, Window)> = Vec::new();
        for same in list.chunk_by(|(a, _), (b, _)| a == b) {
            match same.first() {
                Some((slot, first)) if same.len() > MAX_SHARING => {
                    let near = same.iter().fold(first.near, |near, (_, window)| near.and(window.near));
                    windows.push((*slot, Window { bytes: 0, mask: 0, back: 0, near }));
                }
                _ => windows.extend(same),
            }
        }
        let begin = |page: usize| windows.partition_point(|(slot, _)| *slot < page * PAGE);
        let pages: Vec<u32> = (0..SLOTS / PAGE).filter_map(|page| u32::try_from(begin(page)).ok()).collect();
        let mut slots = vec![0; SLOTS];
        for (index, (slot, _)) in windows.iter().enumerate().rev() {
            let place = index - begin(slot / PAGE);
            slots.get_mut(*slot).into_iter().try_for_each(|used| Some(*used = u8::try_from(place + 1).ok()?))?;
        }
        Some(Self { multiplier, slots: slots.into_boxed_slice().try_into().ok()?, pages, windows })
    }

    /// Whether there may be a window at one of the samples among the first [`STEP`] places.
    #[inline(always)]
    pub(super) fn are_in<const STRIDE: usize>(&self, text: &[u8; SEEN]) -> bool {
        let mut any = 0;
        for sample in 0..STEP / STRIDE {
            any |= self.slots.get(self.slot(text, sample * STRIDE)).copied().unwrap_or(0);
        }
        any != 0
    }

    /// Reports windows at the first [`STEP`] places behind `at`, until one is enough.
    pub(super) fn any<const STRIDE: usize>(
        &self,
        text: &[u8],
        at: usize,
        seen: &[u8; SEEN],
        mut enough: impl FnMut(usize, Near) -> bool,
    ) -> bool {
        for sample in 0..STEP / STRIDE {
            let slot = self.slot(seen, sample * STRIDE);
            let used = self.slots.get(slot).copied().unwrap_or(0);
            let at = at + sample * STRIDE;
            if used != 0 && self.of_slot(slot, used).any(|window| window.stands_at(text, at) && enough(at, window.near)) {
                return true;
            }
        }
        false
    }

    #[inline(always)]
    fn slot(&self, text: &[u8; SEEN], at: usize) -> usize {
        let bytes = text.get(at..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; 8]);
        slot(fold_word(u64::from_le_bytes(*bytes)), self.multiplier)
    }

    fn of_slot(&self, slot: usize, used: u8) -> impl Iterator<Item = &Window> {
        let page = self.pages.get(slot / PAGE).map_or(0, |page| *page as usize);
        let windows = self.windows.get(page + usize::from(used) - 1..).unwrap_or_default();
        windows.iter().take_while(move |(of, _)| *of == slot).map(|(_, window)| window)
    }
}

impl Window {
    /// The eight bytes of the needle that tell most, or fewer if it has no more, and of those what does not
    /// depend on the case.
    fn new(needle: &Needle, from: usize) -> Self {
        let begin = from.min(needle.bytes.len().saturating_sub(8));
        let (mut bytes, mut mask) = (0, 0);
        for (at, byte) in needle.bytes.iter().skip(begin).take(8).enumerate() {
            if let Some(byte) = byte.only() {
                bytes |= u64::from(byte) << (8 * at);
                mask |= 0xff << (8 * at);
            }
        }
        Self { bytes, mask, back: u8::try_from(from - begin).unwrap_or(0), near: needle.near(from) }
    }

    fn stands_at(&self, text: &[u8], at: usize) -> bool {
        let Some(from) = at.checked_sub(self.back.into()) else { return false };
        let rest = text.get(from..).unwrap_or_default();
        let bytes = rest.first_chunk().copied().unwrap_or_else(|| {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            bytes
        });
        (fold_word(u64::from_le_bytes(bytes)) ^ self.bytes) & self.mask == 0
    }
}

#[inline]
fn slot(word: u64, multiplier: u64) -> usize {
    (word.wrapping_mul(multiplier) >> SLOT_SHIFT) as usize
}

fn fold_word(word: u64) -> u64 {
    word | u64::from_le_bytes([fold(0); 8])
}

/// All words that a window may be.
fn each_word(window: &[OneOf], word: u64, shift: u32, each: &mut dyn FnMut(u64)) {
    match window {
        [] => each(word),
        [first, rest @ ..] => first.bytes().iter().for_each(|byte| each_word(rest, word | u64::from(*byte) << shift, shift + 8, each)),
    }
}
