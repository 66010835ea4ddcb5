//! How detectors read a text.

use crate::guard::lanes;

/// A text, or as much of it as is there.
#[derive(Debug, Clone, Copy)]
pub(in crate::guard) struct Text<'a> {
    bytes: &'a [u8],
    /// Nothing follows.
    last: bool,
    /// JSON as it is written: what stands before a byte may be the end of an escape.
    escaped: bool,
}

impl<'a> Text<'a> {
    /// A text. More may follow unless it is the `last` of it.
    pub(in crate::guard) fn new(text: &'a str, last: bool) -> Self {
        Self { bytes: text.as_bytes(), last, escaped: false }
    }

    /// A whole JSON text as it is written.
    pub(in crate::guard) fn json(bytes: &'a [u8]) -> Self {
        Self { bytes, last: true, escaped: true }
    }

    /// Bytes.
    pub(super) fn len(self) -> usize {
        self.bytes.len()
    }

    /// Nothing follows.
    pub(super) fn is_last(self) -> bool {
        self.last
    }

    pub(super) fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// A stretch of it.
    pub(super) fn between(self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// Whether a word or a number goes on from the byte before. Only ASCII makes words here: in many
    /// scripts nothing separates a number from the word before it.
    pub(super) fn continues_a_word(self, at: usize) -> bool {
        self.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    /// The byte before, if it stands for itself.
    pub(super) fn before(self, at: usize) -> Option<u8> {
        if !self.escaped {
            return self.byte(at.checked_sub(1)?);
        }
        let before = |distance: usize| self.byte(at.checked_sub(distance)?);
        // `\n` and the other short escapes, and `\u2019`: none of them is part of a number or a key.
        let escape = before(2) == Some(b'\\') || before(6) == Some(b'\\') && before(5) == Some(b'u');
        if escape { None } else { before(1) }
    }

    /// Where something is, at `at` or behind it. `search` is given the text from there on.
    pub(super) fn find(self, at: usize, search: impl FnOnce(&[u8]) -> Option<usize>) -> Option<usize> {
        search(self.bytes.get(at..)?).map(|offset| at + offset)
    }

    /// Whether this stands at a place.
    pub(super) fn has(self, at: usize, expected: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(expected))
    }

    /// Whether the text ends at a place where this could go on.
    pub(super) fn ends_within(self, at: usize, expected: &[u8]) -> bool {
        !self.last && self.bytes.get(at..).is_some_and(|rest| !rest.is_empty() && rest.len() < expected.len() && expected.starts_with(rest))
    }
}

/// A place in a text, going forward, that remembers whether the end of the text was in the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: Text<'a>,
    pub(super) at: usize,
    starved: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: Text<'a>, at: usize) -> Self {
        Self { text, at, starved: false }
    }

    /// The byte at so many bytes from here.
    pub(super) fn peek(&mut self, ahead: usize) -> Option<u8> {
        let byte = self.text.byte(self.at + ahead);
        self.starved |= byte.is_none() && !self.text.last;
        byte
    }

    /// Takes the next byte if it is of this kind.
    pub(super) fn take(&mut self, is: impl FnOnce(u8) -> bool) -> Option<u8> {
        let byte = self.peek(0).filter(|byte| is(*byte))?;
        self.at += 1;
        Some(byte)
    }

    /// Whether the next byte, `ahead` bytes from here, is of this kind.
    pub(super) fn sees(&mut self, ahead: usize, is: impl FnOnce(u8) -> bool) -> bool {
        self.peek(ahead).is_some_and(is)
    }

    /// Whether a word or a number goes on here: with a letter or a digit, or with a digit behind one
    /// of `joints`.
    pub(super) fn goes_on(&mut self, joints: &[u8]) -> bool {
        self.sees(0, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
            || self.sees(0, |byte| joints.contains(&byte)) && self.sees(1, |byte| byte.is_ascii_digit())
    }

    /// Whether the end of the text was in the way of a decision.
    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }
}

/// Where the first digit is.
pub(super) fn digit(bytes: &[u8]) -> Option<usize> {
    let (blocks, rest) = bytes.as_chunks::<16>();
    let without = blocks.iter().take_while(|block| !lanes::has_digit(block)).count() * 16;
    let rest = if without < blocks.len() * 16 { bytes.get(without..)? } else { rest };
    rest.iter().position(u8::is_ascii_digit).map(|at| without + at)
}
