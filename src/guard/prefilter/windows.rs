//! Samples: of a text every second, fourth or eighth place, and of every phrase as many windows as it
//! takes for one of them to be sampled wherever the phrase stands (after Wu and Manber, 1994).
//!
//! A sample is folded, hashed and looked up in a table. That takes the same time however many phrases there
//! are, where signs of three bytes would give false alarms all the time.

use super::needle::{Needle, OneOf, fold};
use super::signs::{SEEN, STEP};
use crate::guard::order;
use core::ops::Range;

/// Entries of the table. If one of a hundred is used, one of fifteen of the texts that are looked at in one go
/// seems to have a window for no other reason.
const SLOTS: usize = 1 << 16;

/// Slots in a page.
const PAGE: usize = 1 << 8;

/// With more, there seem to be some everywhere.
pub(super) const MAX_WINDOWS: usize = SLOTS / 8;

/// Bytes of the longest window.
const MAX_WIDTH: usize = 8;

/// 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Windows of phrases, ready to be looked for.
#[derive(Debug)]
pub(super) struct Windows {
    /// Carries the bytes of a window, and no others, into the upper bits of the product.
    multiplier: u64,
    /// How many windows there are.
    slots: Box<[u8; SLOTS]>,
    /// In the order of their slots.
    windows: Vec<Window>,
    /// Where those of each page of slots begin.
    pages: Vec<u16>,
}

/// What it takes to know of most samples that they are no window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots<'a> {
    multiplier: u64,
    slots: &'a [u8; SLOTS],
}

impl Slots<'_> {
    /// Whether there may be a window at one of the samples among the first [`STEP`] places.
    #[inline(always)]
    pub(super) fn are_used<const STRIDE: usize>(self, text: &[u8; SEEN]) -> bool {
        let mut any = 0;
        for sample in 0..STEP / STRIDE {
            any |= self.slots.get(slot(word(text, sample * STRIDE), self.multiplier)).copied().unwrap_or(0);
        }
        any != 0
    }
}

/// A window, and what else of the phrase eight bytes can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    slot: u16,
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
    /// In JSON it is longer: a part of it is written as escapes.
    pub(super) escaped: bool,
}

impl Near {
    /// In a text of so many bytes.
    pub(super) fn region(self, at: usize, length: usize) -> Range<usize> {
        at.saturating_sub(self.before.into())..length.min(at + usize::from(self.behind))
    }
}

impl Windows {
    /// With a sample at every `stride`th place, for needles that have at least so many bytes. `None` if there are
    /// none of those, or too many, or too many that look the same.
    pub(super) fn new(needles: &[&Needle], stride: usize) -> Option<Self> {
        let shortest = needles.iter().map(|needle| needle.bytes.len()).min()?;
        let width = (shortest + 1 - stride).min(MAX_WIDTH);
        let multiplier = MULTIPLIER << (8 * (MAX_WIDTH - width));
        let mut list: Vec<Window> = Vec::new();
        for needle in needles {
            let from = needle.rarest(stride + width - 1);
            for from in from..from + stride {
                let window = Window::new(needle, from);
                let bytes = needle.bytes.get(from..from + width)?;
                each_word(bytes, 0, 0, &mut |word| list.push(Window { slot: slot(word, multiplier) as u16, ..window }));
            }
            // Letters outside ASCII have a window for each case.
            if list.len() > 2 * MAX_WINDOWS {
                return None;
            }
        }
        let mut slots = vec![0_u8; SLOTS];
        let mut windows: Vec<Window> = Vec::with_capacity(list.len());
        let keys: Vec<usize> = list.iter().map(|window| window.slot.into()).collect();
        for window in order::of(&keys).into_iter().filter_map(|at| list.get(at)) {
            let used = slots.get_mut(usize::from(window.slot))?;
            // The same phrase may be in several rules.
            if windows.iter().rev().take((*used).into()).all(|other| other != window) {
                *used = used.checked_add(1)?;
                windows.push(*window);
            }
        }
        let begin = |page: usize| windows.partition_point(|window| usize::from(window.slot) / PAGE < page) as u16;
        let pages = (0..SLOTS / PAGE).map(begin).collect();
        Some(Self { multiplier, slots: slots.into_boxed_slice().try_into().ok()?, windows, pages })
    }

    /// By value.
    pub(super) fn slots(&self) -> Slots<'_> {
        Slots { multiplier: self.multiplier, slots: &self.slots }
    }

    /// Reports windows at the first [`STEP`] places behind `at`, until one is enough.
    #[cold]
    #[inline(never)]
    pub(super) fn any<const STRIDE: usize>(
        &self,
        text: &[u8],
        at: usize,
        seen: &[u8; SEEN],
        enough: &mut dyn FnMut(usize, Near) -> bool,
    ) -> bool {
        for sample in 0..STEP / STRIDE {
            let slot = slot(word(seen, sample * STRIDE), self.multiplier);
            if self.slots.get(slot) != Some(&0) && self.stands_at(slot, text, at + sample * STRIDE, enough) {
                return true;
            }
        }
        false
    }

    #[inline(never)]
    fn stands_at(&self, slot: usize, text: &[u8], at: usize, enough: &mut dyn FnMut(usize, Near) -> bool) -> bool {
        let first = self.pages.get(slot / PAGE).copied().unwrap_or(0);
        let page = self.windows.get(usize::from(first)..).unwrap_or_default();
        let upto = page.iter().take_while(|window| usize::from(window.slot) <= slot);
        upto.filter(|window| usize::from(window.slot) == slot).any(|window| window.stands_at(text, at) && enough(at, window.near))
    }
}

impl Window {
    /// The eight bytes of the needle that tell most, or fewer if it has no more, and of those what does not
    /// depend on the case.
    fn new(needle: &Needle, from: usize) -> Self {
        let begin = from.min(needle.bytes.len().saturating_sub(8));
        let (mut bytes, mut mask) = (0, 0);
        for ([byte, others @ ..], shift) in needle.bytes.iter().skip(begin).zip((0..u64::BITS).step_by(8)) {
            if others.iter().all(|other| other == byte) {
                bytes |= u64::from(*byte) << shift;
                mask |= 0xff << shift;
            }
        }
        Self { slot: 0, bytes, mask, back: (from - begin) as u8, near: needle.near(from) }
    }

    fn stands_at(&self, text: &[u8], at: usize) -> bool {
        let Some(rest) = at.checked_sub(self.back.into()).and_then(|from| text.get(from..)) else { return false };
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        (fold_word(u64::from_le_bytes(bytes)) ^ self.bytes) & self.mask == 0
    }
}

#[inline(always)]
fn slot(word: u64, multiplier: u64) -> usize {
    (word.wrapping_mul(multiplier) >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}

#[inline(always)]
fn word(text: &[u8; SEEN], at: usize) -> u64 {
    let bytes = text.get(at..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; 8]);
    fold_word(u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn fold_word(word: u64) -> u64 {
    word | u64::from_le_bytes([fold(0); 8])
}

/// All words that a window may be.
fn each_word(window: &[OneOf], word: u64, shift: u32, each: &mut dyn FnMut(u64)) {
    let [first, rest @ ..] = window else { return each(word) };
    let [byte, second, third] = *first;
    each_word(rest, word | u64::from(byte) << shift, shift + 8, each);
    if second != byte {
        each_word(rest, word | u64::from(second) << shift, shift + 8, each);
    }
    if third != byte && third != second {
        each_word(rest, word | u64::from(third) << shift, shift + 8, each);
    }
}
