//! Signs of three bytes, looked for at sixteen places in one go.
//!
//! A sign has a set of bytes for each of its three places; the sets are kept by the halves of a byte, so
//! that two table look-ups in a vector register tell for sixteen bytes which signs each of them may
//! belong to (Teddy, after Langdale's in Hyperscan). A register has room for eight signs. More are
//! united, those first that make the least of false alarms.

use super::frequency::{Chances, likelihood};
use crate::guard::lanes::{self, Lanes};

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

    /// How likely it is seen at a place where there is nothing.
    pub(super) fn likelihood(&self) -> f32 {
        let halves = |set: u16| (0..16).filter(move |half| set >> half & 1 != 0);
        let bytes = |upper: u16, lower: u16| halves(upper).flat_map(move |upper| halves(lower).map(move |lower| upper << 4 | lower));
        let sets = self.upper.iter().zip(&self.lower);
        let chances: Vec<Chances> = sets.map(|(upper, lower)| Chances::new(bytes(*upper, *lower))).collect();
        likelihood(chances.iter())
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

/// Signs, united to as many as a register has room for, and how likely each is seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Buckets([(Sign, f32); 8]);

impl Buckets {
    /// Of signs, those united that add least by that.
    pub(super) fn new(signs: impl Iterator<Item = Sign>) -> Self {
        let mut list: Vec<(Sign, f32)> = signs.map(|sign| (sign, sign.likelihood())).collect();
        let added = |a: &(Sign, f32), b: &(Sign, f32)| a.0.and(&b.0).likelihood() - a.1 - b.1;
        // For each sign what it adds if it is united with each of those before it.
        let mut pairs: Vec<Vec<f32>> = Vec::new();
        for sign in &list {
            pairs.push(list.iter().take(pairs.len()).map(|before| added(before, sign)).collect());
        }
        let mut buckets = Self::default();
        while list.len() > buckets.0.len() {
            let all = pairs
                .iter()
                .enumerate()
                .flat_map(|(later, row)| row.iter().enumerate().map(move |(before, added)| (later, before, *added)));
            let Some((later, before, _)) = all.min_by(|a, b| a.2.total_cmp(&b.2)) else { break };
            let removed = list.remove(later);
            pairs.remove(later);
            pairs.iter_mut().skip(later).for_each(|row| drop(row.remove(later)));
            let Some(united) = list.get_mut(before) else { break };
            united.0 = united.0.and(&removed.0);
            united.1 = united.0.likelihood();
            let united = *united;
            for (other, sign) in list.iter().enumerate().filter(|(other, _)| *other != before) {
                let pair = pairs.get_mut(other.max(before)).and_then(|row| row.get_mut(other.min(before)));
                pair.into_iter().for_each(|pair| *pair = added(&united, sign));
            }
        }
        buckets.0.iter_mut().zip(list).for_each(|(bucket, sign)| *bucket = sign);
        buckets
    }

    /// One more, where it adds least.
    pub(super) fn insert(&mut self, sign: &Sign) {
        let with = self.0.iter_mut().map(|bucket| {
            let both = bucket.0.and(sign);
            (bucket, (both, both.likelihood()))
        });
        if let Some((bucket, with)) = with.min_by(|(a, with_a), (b, with_b)| (with_a.1 - a.1).total_cmp(&(with_b.1 - b.1))) {
            *bucket = with;
        }
    }

    /// How likely one is seen at a place where there is nothing.
    pub(super) fn likelihood(&self) -> f32 {
        self.0.iter().map(|(_, likelihood)| likelihood).sum()
    }
}

/// Places looked at in one go, and bytes needed for it.
pub(super) const STEP: usize = 32;
pub(super) const SEEN: usize = 40;

/// Signs, ready to be looked for.
#[derive(Debug)]
pub(super) struct Trigrams {
    /// For every combination of buckets.
    kinds: [Kinds; 256],
    tables: Tables,
}

/// For the halves of bytes at each place of a sign, in which buckets they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables {
    upper: [Lanes; 3],
    lower: [Lanes; 3],
}

impl Trigrams {
    pub(super) fn new(buckets: &Buckets) -> Self {
        let table = |halves: fn(&Sign) -> [u16; 3]| {
            let mut tables = [[0; 16]; 3];
            for (bit, (bucket, _)) in buckets.0.iter().enumerate() {
                for (table, halves) in tables.iter_mut().zip(halves(bucket)) {
                    table.iter_mut().enumerate().for_each(|(half, bits)| *bits |= u8::from(halves >> half & 1 != 0) << bit);
                }
            }
            tables.map(|table| lanes::load(&table))
        };
        let mut kinds = [Kinds::default(); 256];
        for (bits, kinds) in kinds.iter_mut().enumerate() {
            let those = buckets.0.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 != 0);
            *kinds = those.fold(Kinds::default(), |all, (_, (bucket, _))| all.and(bucket.kinds));
        }
        Self { kinds, tables: Tables { upper: table(|sign| sign.upper), lower: table(|sign| sign.lower) } }
    }

    /// By value.
    pub(super) fn tables(&self) -> Tables {
        self.tables
    }

    /// The places of signs, and what they announce.
    pub(super) fn places(&self, text: &[u8; SEEN]) -> impl Iterator<Item = (usize, Kinds)> {
        let words = lanes::words(self.tables.at::<0>(text)).into_iter().chain(lanes::words(self.tables.at::<16>(text)));
        words.zip((0..).step_by(8)).flat_map(move |(mut word, at)| {
            core::iter::from_fn(move || {
                let byte = (word != 0).then(|| word.trailing_zeros() / 8)?;
                let bits = word >> (byte * 8) & 0xff;
                word ^= bits << (byte * 8);
                Some((at + byte as usize, self.kinds.get(bits as usize).copied().unwrap_or_default()))
            })
        })
    }
}

impl Tables {
    /// Whether there is a sign at one of the first [`STEP`] places.
    #[inline(always)]
    pub(super) fn are_in(&self, text: &[u8; SEEN]) -> bool {
        lanes::any(self.at::<0>(text), self.at::<16>(text))
    }

    /// Which buckets have a sign at the places from `AT` on.
    #[inline(always)]
    fn at<const AT: usize>(&self, text: &[u8; SEEN]) -> Lanes {
        let [upper0, upper1, upper2] = self.upper;
        let [lower0, lower1, lower2] = self.lower;
        let bytes = |at: usize| lanes::load(text.get(at..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; 16]));
        let first = lanes::look_up(upper0, lower0, bytes(AT));
        let second = lanes::look_up(upper1, lower1, bytes(AT + 1));
        let third = lanes::look_up(upper2, lower2, bytes(AT + 2));
        lanes::and(lanes::and(first, second), third)
    }
}
