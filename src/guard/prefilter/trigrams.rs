//! Signs of three bytes, looked for at sixteen places in one go.
//!
//! A sign has a set of bytes for each of its three places; the sets are kept by the halves of a byte, so
//! that two table look-ups in a vector register tell for sixteen bytes which signs each of them may
//! belong to (Teddy, after Langdale's in Hyperscan). A register has room for eight signs. More are
//! united, those first that make the least of false alarms.

use super::frequency;

/// What a sign announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const EMAIL: Self = Self(1);
    pub(super) const NUMBER: Self = Self(2);
    pub(super) const KEY: Self = Self(4);
    pub(super) const ESCAPE: Self = Self(8);
    pub(super) const PHRASE: Self = Self(16);

    pub(super) fn contain(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Three sets of bytes, as the upper and the lower halves of their members.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sign {
    kinds: Kinds,
    upper: [u16; 3],
    lower: [u16; 3],
}

impl Sign {
    pub(super) fn new(kinds: Kinds, sets: [&[u8]; 3]) -> Self {
        let halves = |half: fn(u8) -> u8| sets.map(|set| set.iter().fold(0, |halves, byte| halves | 1 << half(*byte)));
        Self { kinds, upper: halves(|byte| byte >> 4), lower: halves(|byte| byte & 15) }
    }

    /// How often it is seen in what is none, at so many places.
    pub(super) fn weight(&self) -> u64 {
        let halves = |set: u16| (0..16).filter(move |half| set >> half & 1 != 0);
        let bytes = |upper: u16, lower: u16| halves(upper).flat_map(move |upper| halves(lower).map(move |lower| upper << 4 | lower));
        let sets = self.upper.iter().zip(&self.lower);
        sets.fold(PLACES, |weight, (upper, lower)| weight * frequency::of_any(bytes(*upper, *lower)) / frequency::SCALE)
    }

    fn and(&self, other: &Self) -> Self {
        let union = |own: [u16; 3], other: [u16; 3]| {
            let mut union = own;
            union.iter_mut().zip(other).for_each(|(own, other)| *own |= other);
            union
        };
        Self { kinds: self.kinds.and(other.kinds), upper: union(self.upper, other.upper), lower: union(self.lower, other.lower) }
    }
}

/// See [`Sign::weight`].
pub(super) const PLACES: u64 = 1 << 40;

/// Places looked at in one go, and bytes needed for it.
pub(super) const STEP: usize = 32;
pub(super) const SEEN: usize = 40;

/// Signs, ready to be looked for.
#[derive(Debug)]
pub(super) struct Trigrams {
    kinds: [Kinds; 8],
    upper: [lanes::Lanes; 3],
    lower: [lanes::Lanes; 3],
    weight: u64,
}

impl Trigrams {
    pub(super) fn new(mut signs: Vec<Sign>) -> Self {
        signs.sort_by_key(|sign| core::cmp::Reverse(sign.weight()));
        let mut buckets = [Sign::default(); 8];
        for sign in signs {
            let more = |bucket: &Sign| bucket.and(&sign).weight() - bucket.weight();
            if let Some(bucket) = buckets.iter_mut().min_by_key(|bucket| more(bucket)) {
                *bucket = bucket.and(&sign);
            }
        }
        let table = |halves: fn(&Sign) -> [u16; 3]| {
            let mut tables = [[0; 16]; 3];
            for (bit, bucket) in buckets.iter().enumerate() {
                for (table, halves) in tables.iter_mut().zip(halves(bucket)) {
                    table.iter_mut().enumerate().for_each(|(half, bits)| *bits |= u8::from(halves >> half & 1 != 0) << bit);
                }
            }
            tables.map(|table| lanes::load(&table))
        };
        Self {
            kinds: buckets.map(|bucket| bucket.kinds),
            upper: table(|sign| sign.upper),
            lower: table(|sign| sign.lower),
            weight: buckets.iter().map(Sign::weight).sum(),
        }
    }

    /// How often a sign is seen in what is none, of so many [`PLACES`].
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// Whether there is a sign at one of the first [`STEP`] places.
    #[inline]
    pub(super) fn are_in(&self, text: &[u8; SEEN]) -> bool {
        lanes::any(self.at::<0>(text), self.at::<16>(text))
    }

    /// The places of signs, and what they announce.
    pub(super) fn places(&self, text: &[u8; SEEN]) -> impl Iterator<Item = (usize, Kinds)> {
        let words = lanes::words(self.at::<0>(text)).into_iter().chain(lanes::words(self.at::<16>(text)));
        words
            .zip((0..).step_by(8))
            .flat_map(|(word, at)| {
                let mut left = word;
                core::iter::from_fn(move || {
                    let place = (left != 0).then(|| left.trailing_zeros() / 8)?;
                    let bits = left >> (place * 8) & 0xff;
                    left &= !(0xff << (place * 8));
                    Some((at + place as usize, bits))
                })
            })
            .map(|(at, bits)| {
                let kinds = self.kinds.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 != 0);
                (at, kinds.fold(Kinds::default(), |all, (_, kinds)| all.and(*kinds)))
            })
    }

    /// Which buckets have a sign at the places from `AT` on.
    #[inline]
    fn at<const AT: usize>(&self, text: &[u8; SEEN]) -> lanes::Lanes {
        let [upper0, upper1, upper2] = self.upper;
        let [lower0, lower1, lower2] = self.lower;
        let first = lanes::look_up(upper0, lower0, bytes(text, AT));
        let second = lanes::look_up(upper1, lower1, bytes(text, AT + 1));
        let third = lanes::look_up(upper2, lower2, bytes(text, AT + 2));
        lanes::and(lanes::and(first, second), third)
    }
}

#[inline]
fn bytes(text: &[u8; SEEN], at: usize) -> &[u8; 16] {
    text.get(at..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; 16])
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lanes {
    use core::arch::wasm32::{u8x16_splat, u8x16_swizzle, u16x8_shr, u64x2, u64x2_extract_lane, v128, v128_and, v128_any_true, v128_or};

    pub(super) type Lanes = v128;

    #[inline]
    pub(super) fn load(bytes: &[u8; 16]) -> Lanes {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        u64x2(word(0), word(1))
    }

    #[inline]
    pub(super) fn look_up(upper: Lanes, lower: Lanes, bytes: &[u8; 16]) -> Lanes {
        let half = u8x16_splat(0x0f);
        let bytes = load(bytes);
        v128_and(u8x16_swizzle(lower, v128_and(bytes, half)), u8x16_swizzle(upper, v128_and(u16x8_shr(bytes, 4), half)))
    }

    #[inline]
    pub(super) fn and(a: Lanes, b: Lanes) -> Lanes {
        v128_and(a, b)
    }

    #[inline]
    pub(super) fn any(a: Lanes, b: Lanes) -> bool {
        v128_any_true(v128_or(a, b))
    }

    pub(super) fn words(lanes: Lanes) -> [u64; 2] {
        [u64x2_extract_lane::<0>(lanes), u64x2_extract_lane::<1>(lanes)]
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod lanes {
    pub(super) type Lanes = [u8; 16];

    pub(super) fn load(bytes: &[u8; 16]) -> Lanes {
        *bytes
    }

    pub(super) fn look_up(upper: Lanes, lower: Lanes, bytes: &[u8; 16]) -> Lanes {
        let look_up = |table: Lanes, half: u8| table.get(usize::from(half)).copied().unwrap_or(0);
        bytes.map(|byte| look_up(upper, byte >> 4) & look_up(lower, byte & 15))
    }

    pub(super) fn and(mut a: Lanes, b: Lanes) -> Lanes {
        a.iter_mut().zip(b).for_each(|(a, b)| *a &= b);
        a
    }

    pub(super) fn any(a: Lanes, b: Lanes) -> bool {
        a.iter().chain(&b).any(|byte| *byte != 0)
    }

    pub(super) fn words(lanes: Lanes) -> [u64; 2] {
        let (words, _) = lanes.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        [word(0), word(1)]
    }
}
