//! Signs of three bytes, looked for at sixteen places in one go.
//!
//! A sign has a set of bytes for each of its three places; the sets are kept by the halves of a byte, so
//! that two table look-ups in a vector register tell for sixteen bytes which signs each of them may
//! belong to (Teddy, after Langdale's in Hyperscan). A register has room for eight signs.

use crate::guard::lanes::{self, Lanes};

/// Three sets of bytes, as the upper and the lower halves of their members. With `a` and `p` they have `q` too.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sign {
    upper: [u16; 3],
    lower: [u16; 3],
}

impl Sign {
    pub(super) const fn new(sets: [&[u8]; 3]) -> Self {
        let [first, second, third] = sets;
        let [(upper0, lower0), (upper1, lower1), (upper2, lower2)] = [halves(first), halves(second), halves(third)];
        Self { upper: [upper0, upper1, upper2], lower: [lower0, lower1, lower2] }
    }

    /// Of two places, and anything behind them.
    pub(super) const fn pair([first, second]: [&[u8]; 2]) -> Self {
        let [(upper0, lower0), (upper1, lower1)] = [halves(first), halves(second)];
        Self { upper: [upper0, upper1, u16::MAX], lower: [lower0, lower1, u16::MAX] }
    }

    /// Of folded bytes that each place may have; what is missing may be any.
    pub(super) fn folded(bytes: &[[u8; 3]]) -> Self {
        let mut sign = Self { upper: [u16::MAX; 3], lower: [u16::MAX; 3] };
        for ((upper, lower), bytes) in sign.upper.iter_mut().zip(&mut sign.lower).zip(bytes) {
            (*upper, *lower) = (0, 0);
            for byte in bytes {
                *upper |= 1 << (byte >> 4) | 1 << ((byte & !0x20) >> 4);
                *lower |= 1 << (byte & 15);
            }
        }
        sign
    }

    /// Either.
    pub(super) fn or(mut self, other: Self) -> Self {
        let own = self.upper.iter_mut().chain(&mut self.lower);
        own.zip(other.upper.into_iter().chain(other.lower)).for_each(|(own, other)| *own |= other);
        self
    }
}

const fn halves(mut set: &[u8]) -> (u16, u16) {
    let (mut upper, mut lower) = (0, 0);
    while let [byte, rest @ ..] = set {
        upper |= 1 << (*byte >> 4);
        lower |= 1 << (*byte & 15);
        set = rest;
    }
    (upper, lower)
}

/// Signs that a register has room for.
pub(super) const ROOM: usize = 8;

/// Places looked at in one go, and bytes needed for it.
pub(super) const STEP: usize = 32;
pub(super) const SEEN: usize = 40;

/// For the halves of bytes at each place of a sign, to which signs they may belong: a bit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables {
    upper: [Lanes; 3],
    lower: [Lanes; 3],
    /// The lower half of every byte.
    half: Lanes,
}

impl Tables {
    /// Of [`ROOM`] signs at most.
    pub(super) fn new(signs: &[Sign]) -> Self {
        let tables = |halves: fn(&Sign) -> [u16; 3]| {
            let mut tables = [[0; 16]; 3];
            for (sign, bit) in signs.iter().zip(0..) {
                for (table, halves) in tables.iter_mut().zip(halves(sign)) {
                    table.iter_mut().zip(0..).for_each(|(bits, half)| *bits |= ((halves >> half & 1) as u8) << bit);
                }
            }
            tables.map(|table| lanes::load(&table))
        };
        Self { upper: tables(|sign| sign.upper), lower: tables(|sign| sign.lower), half: lanes::load(&[0x0f; 16]) }
    }

    /// Which signs may end at each of the first [`STEP`] places, with what the step before has left.
    #[inline(always)]
    pub(super) fn signs(&self, text: &[u8; SEEN], begun: &mut Begun) -> [Lanes; 2] {
        let (blocks, _) = text.as_chunks();
        let block = |index: usize| blocks.get(index).map_or_else(|| lanes::load(&[0; 16]), lanes::load);
        [block(0), block(1)].map(|bytes| {
            let halves = lanes::halves(bytes, self.half);
            let [lower0, lower1, lower2] = self.lower;
            let [upper0, upper1, upper2] = self.upper;
            let (first, second) = (lanes::look_up(lower0, upper0, halves), lanes::look_up(lower1, upper1, halves));
            let third = lanes::look_up(lower2, upper2, halves);
            let found = lanes::and(lanes::and(lanes::two_on(begun.first, first), lanes::one_on(begun.second, second)), third);
            *begun = Begun { first, second };
            found
        })
    }
}

/// Of the last sixteen places, which signs their bytes are the first and the second of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    first: Lanes,
    second: Lanes,
}

impl Begun {
    /// Where a text begins.
    pub(super) fn nothing() -> Self {
        let none = lanes::load(&[0; 16]);
        Self { first: none, second: none }
    }
}

/// How many places before its end a sign begins.
pub(super) const BACK: usize = 2;

/// Reports the places where signs end and which, a bit for each, until one is enough.
#[cold]
#[inline(never)]
pub(super) fn any(signs: [Lanes; 2], enough: &mut dyn FnMut(usize, u8) -> bool) -> bool {
    for (mut word, at) in signs.map(lanes::words).into_iter().flatten().zip([0, 8, 16, 24]) {
        while word != 0 {
            let byte = word.trailing_zeros() / 8;
            let bits = (word >> (byte * 8) & 0xff) as u8;
            word ^= u64::from(bits) << (byte * 8);
            if enough(at + byte as usize, bits) {
                return true;
            }
        }
    }
    false
}
