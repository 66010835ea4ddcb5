//! Words, pairs of words and stems as rows of the table.

use super::literal::UNREADABLE;
use super::weights::{Group, bucket};

const SEED: u32 = 0x811C_9DC5;
const PRIME: u32 = 0x9E37_79B1;
/// Told apart from words: stems, what stands at the edge, and the first words by position.
const STEM: u32 = 0x5BD1_E995;
const EDGE: u32 = 0x27D4_EB2F;
const FIRST: [u32; 3] = [0x1656_67B1, 0xC2B2_AE3D, 0x2545_F491];
/// Letters of a word that make its stem.
const STEM_LENGTH: u32 = 5;
/// Words that count as the beginning of the user's message.
const EDGE_WORDS: u32 = 20;

/// What a code point is to words; letters in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Letter {
    /// Part of a word.
    Word(u32),
    /// A word of its own: scripts that put no spaces between words, and symbols such as emoji.
    Single(u32),
    /// Between words.
    Gap,
}

/// What a code point is to words. Lower case for ASCII and the commonest letters beyond it; a table of
/// all of Unicode would be larger than the model.
pub(super) fn kind(point: u32) -> Letter {
    match point {
        0x41..=0x5A | 0xC0..=0xDE | 0x391..=0x3A9 | 0x410..=0x42F => Letter::Word(point + 32),
        0x61..=0x7A | 0x30..=0x39 => Letter::Word(point),
        0..0xC0 | 0x2000..0x3040 | 0xFF00..0x10000 | UNREADABLE => Letter::Gap,
        0xE00..0xE80 | 0x3040..0xD800 | 0x10000.. => Letter::Single(point),
        _ => Letter::Word(point),
    }
}

/// Rows of what was read so far, and the word being read.
pub(super) struct Words {
    /// Words wherever they stand; none of the system's.
    pub(super) text: Group,
    /// Words at the edge; all of the system's.
    pub(super) edge: Group,
    of_user: bool,
    hash: u32,
    length: u32,
    stem: u32,
    at_edge: bool,
    /// Hash of the word before, 0 without.
    previous: u32,
    /// Words so far.
    seen: u32,
    /// Hash of all words so far, while they are few.
    opening: u32,
}

impl Words {
    /// From the beginning of the user's message.
    pub(super) fn of_user() -> Self {
        Self {
            text: Group::default(),
            edge: Group::default(),
            of_user: true,
            hash: SEED,
            length: 0,
            stem: 0,
            at_edge: false,
            previous: 0,
            seen: 0,
            opening: SEED,
        }
    }

    /// From the beginning of the system's message.
    pub(super) fn of_system() -> Self {
        Self { of_user: false, ..Self::of_user() }
    }

    /// A part of the message is left out here, between words.
    pub(super) fn skip(&mut self) {
        self.previous = 0;
    }

    /// Whether the word being read, if there is one, reaches into the edge.
    #[inline]
    pub(super) fn reach(&mut self, edge: bool) {
        self.at_edge = edge;
    }

    /// The next code point.
    pub(super) fn add(&mut self, letter: Letter, at_edge: bool) {
        match letter {
            Letter::Gap => self.close(),
            Letter::Word(point) => {
                self.reach(at_edge);
                self.letter(point);
            }
            Letter::Single(point) => {
                self.close();
                self.reach(at_edge);
                self.letter(point);
                self.close();
            }
        }
    }

    /// The next code point in lower case, part of a word.
    #[inline]
    pub(super) fn letter(&mut self, point: u32) {
        self.hash = (self.hash ^ point).wrapping_mul(PRIME);
        self.length += 1;
        if self.length == STEM_LENGTH {
            self.stem = self.hash;
        }
    }

    /// The word ends here, if there is one.
    pub(super) fn close(&mut self) {
        if self.length == 0 {
            return;
        }
        let word = self.hash;
        let stem = (self.length > STEM_LENGTH).then_some(self.stem ^ STEM);
        let pair = (self.previous != 0).then(|| (self.previous.rotate_left(5) ^ word).wrapping_mul(PRIME));
        if self.of_user {
            self.text.add(bucket(word));
            stem.into_iter().for_each(|hash| self.text.add(bucket(hash)));
            pair.into_iter().for_each(|hash| self.text.add(bucket(hash)));
        }
        if !self.of_user || self.seen < EDGE_WORDS || self.at_edge {
            let salted = |hash: u32| bucket((hash ^ EDGE).wrapping_mul(PRIME));
            self.edge.add(salted(word));
            stem.into_iter().for_each(|hash| self.edge.add(salted(hash)));
            pair.into_iter().for_each(|hash| self.edge.add(salted(hash)));
        }
        if let Some(salt) = FIRST.get(self.seen as usize).filter(|_| self.of_user) {
            self.opening = (self.opening ^ word).wrapping_mul(PRIME);
            self.edge.add(bucket((self.opening ^ salt).wrapping_mul(PRIME)));
        }
        self.seen += 1;
        self.previous = word;
        (self.hash, self.length) = (SEED, 0);
    }
}
