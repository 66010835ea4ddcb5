//! A JSON scanner (RFC 8259): goes over values where they stand, checks their syntax, and decodes
//! nothing.
//!
//! A gateway reads every body and changes almost none of it, so this is where its time goes.
//! `serde_json` skips four bytes at a time on a 32-bit target; strings here are skipped thirty-two
//! at a time with vector instructions where there are any (docs/decisions/0004). Nesting is
//! walked, not recursed into, and bounded.

mod block;
mod leap;
mod short;

pub(super) use block::are_plain;
use block::{BLOCK, Marks, is_plain};

/// Where and why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It ends in the middle of a value.
    Truncated,
    /// The byte at this offset cannot stand there.
    Syntax(usize),
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More values than [`Scan::bounded`] allows.
    TooMany,
}

/// Deepest nesting accepted; providers refuse far less.
pub const MAX_DEPTH: usize = 512;

/// A place in a text.
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    text: &'a str,
    at: usize,
    values_left: usize,
}

impl<'a> Scan<'a> {
    /// At the beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self::bounded(text, usize::MAX)
    }

    /// The same, going over so many values at most: a text of nothing but `0,` has one for every
    /// two bytes, and each takes as long as a hundred bytes of a string.
    pub fn bounded(text: &'a str, values: usize) -> Self {
        Self { text, at: 0, values_left: values }
    }

    /// The whole text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The first byte of the next value, without taking it.
    pub fn peek(&mut self) -> Option<u8> {
        self.white_space();
        self.byte()
    }

    /// Goes over the next value and returns it as it is written.
    pub fn value(&mut self) -> Result<&'a str, Stop> {
        if let Some(value) = self.short_string()? {
            return Ok(value);
        }
        self.white_space();
        let from = self.at;
        self.skip()?;
        Ok(self.text.get(from..self.at).unwrap_or_default())
    }

    /// Goes over the next value with `read`, and returns it as it is written with what `read` made of it.
    pub fn written<T, E>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<(&'a str, T), E> {
        self.white_space();
        let from = self.at;
        let made = read(self)?;
        Ok((self.text.get(from..self.at).unwrap_or_default(), made))
    }

    /// Goes over the next value, and says whether it is a whole number from 0 to 4294967295. Arrays
    /// of tokens have hundreds of thousands of them.
    pub fn whole_number(&mut self) -> Result<bool, Stop> {
        self.white_space();
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let digits = rest.iter().take(DIGITS_THAT_FIT).take_while(|byte| byte.is_ascii_digit()).count();
        let leads_with_zero = digits > 1 && rest.first() == Some(&b'0');
        // Such a number needs no second look; all others take the long way.
        if digits > 0 && !leads_with_zero && matches!(rest.get(digits), Some(b',' | b']')) {
            self.values_left = self.values_left.checked_sub(1).ok_or(Stop::TooMany)?;
            self.at += digits;
            return Ok(true);
        }
        Ok(self.value()?.parse::<u32>().is_ok())
    }

    /// Goes over an object. `each` is given every member's name as it is written, and has to go
    /// over its value.
    pub fn object<E: From<Stop>>(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Result<(), E>) -> Result<(), E> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let name = self.name()?;
            each(self, name)?;
            if !self.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// Goes over an array. `each` is given every element's index, and has to go over it.
    pub fn array<E: From<Stop>>(&mut self, mut each: impl FnMut(&mut Self, usize) -> Result<(), E>) -> Result<(), E> {
        self.expect(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        for index in 0.. {
            each(self, index)?;
            if !self.another(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Result<(), Stop> {
        self.white_space();
        if self.at == self.text.len() { Ok(()) } else { Err(Stop::Syntax(self.at)) }
    }

    /// After an element: a comma and another one, or the closing bracket.
    fn another(&mut self, close: u8) -> Result<bool, Stop> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.stop()),
        }
    }

    fn skip(&mut self) -> Result<(), Stop> {
        let mut open = Brackets::default();
        loop {
            self.values_left = self.values_left.checked_sub(1).ok_or(Stop::TooMany)?;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                }
                Some(b'{') => {
                    self.at += 1;
                    if self.peek() != Some(b'}') {
                        open.push(true)?;
                        self.name()?;
                        continue;
                    }
                    self.at += 1;
                }
                Some(b'[') => {
                    self.at += 1;
                    if self.peek() != Some(b']') {
                        open.push(false)?;
                        continue;
                    }
                    self.at += 1;
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal(b"true")?,
                Some(b'f') => self.literal(b"false")?,
                Some(b'n') => self.literal(b"null")?,
                _ => return Err(self.stop()),
            }
            // A value is complete; close what ends with it.
            loop {
                let Some(object) = open.top() else { return Ok(()) };
                if self.another(if object { b'}' } else { b']' })? {
                    if object {
                        self.name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Behind the opening quote, to behind the closing one.
    fn string(&mut self) -> Result<(), Stop> {
        let bytes = self.text.as_bytes();
        let marks = Marks::new();
        let mut block_at = self.at;
        while let Some(block) = bytes.get(block_at..).and_then(|rest| rest.first_chunk()) {
            let mut special = marks.special(block);
            let mut next = block_at + BLOCK;
            while special != 0 {
                let at = block_at + special.trailing_zeros() as usize;
                let Some(end) = self.end_of_special(at)? else { return Ok(()) };
                if end >= next {
                    next = end;
                    break;
                }
                special &= u32::MAX << (end - block_at);
            }
            block_at = next;
        }
        // Less than a block is left of the text.
        let mut at = block_at;
        while let Some(byte) = bytes.get(at) {
            if is_plain(*byte) {
                at += 1;
                continue;
            }
            let Some(end) = self.end_of_special(at)? else { return Ok(()) };
            at = end;
        }
        Err(Stop::Truncated)
    }

    /// Where the escape that begins at `at` ends. A quote ends the string, of which `None` is left.
    #[inline(always)]
    fn end_of_special(&mut self, at: usize) -> Result<Option<usize>, Stop> {
        match self.text.as_bytes().get(at) {
            Some(b'"') => {
                self.at = at + 1;
                Ok(None)
            }
            Some(b'\\') => self.escape(at).map(Some),
            _ => Err(Stop::Syntax(at)),
        }
    }

    /// Where the escape that begins at `at` ends.
    fn escape(&self, at: usize) -> Result<usize, Stop> {
        match self.text.as_bytes().get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => self.digits_of_escape(at + 2),
            _ => Err(self.stop_at(at + 1)),
        }
    }

    /// Apart, so that the short way stays short.
    #[inline(never)]
    fn digits_of_escape(&self, at: usize) -> Result<usize, Stop> {
        let digits = self.text.as_bytes().get(at..).unwrap_or_default().iter().take(4);
        match at + digits.take_while(|byte| byte.is_ascii_hexdigit()).count() {
            end if end == at + 4 => Ok(end),
            end => Err(self.stop_at(end)),
        }
    }

    fn number(&mut self) -> Result<(), Stop> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 { Err(self.stop()) } else { Ok(()) }
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), Stop> {
        for expected in literal {
            if self.byte() != Some(*expected) {
                return Err(self.stop());
            }
            self.at += 1;
        }
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.stop())
        }
    }

    fn white_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn stop(&self) -> Stop {
        self.stop_at(self.at)
    }

    fn stop_at(&self, at: usize) -> Stop {
        if at < self.text.len() { Stop::Syntax(at) } else { Stop::Truncated }
    }
}

/// No number of so many digits is above 4294967295.
const DIGITS_THAT_FIT: usize = 9;

/// The brackets that are open, a bit each: set for an object.
#[derive(Default)]
struct Brackets {
    bits: [u64; MAX_DEPTH / 64],
    depth: usize,
}

impl Brackets {
    fn push(&mut self, object: bool) -> Result<(), Stop> {
        let word = self.bits.get_mut(self.depth / 64).ok_or(Stop::TooDeep)?;
        let bit = 1 << (self.depth % 64);
        *word = if object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Ok(())
    }

    fn top(&self) -> Option<bool> {
        let index = self.depth.checked_sub(1)?;
        self.bits.get(index / 64).map(|word| word & 1 << (index % 64) != 0)
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(text: &str) -> bool {
        let mut scan = Scan::new(text);
        scan.value().and_then(|_| scan.end()).is_ok()
    }

    fn serde_accepts(text: &str) -> bool {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    }

    const SEEDS: [&str; 9] = [
        r#"{"a":[1,-2.5e+10,0,0.1],"b":{"c":null,"d":[true,false]},"e":"x\"\\\/\b\f\n\r\t\u00e9y"}"#,
        r#" [ ] "#,
        r#"{ }"#,
        r#"[[[[]]],{"":{}}]"#,
        r#""a text longer than two blocks, with \"quotes\", C:\\folders\\, ünïcode and \ud83d\ude00 in most of its pieces""#,
        r#"-0.0e-1"#,
        r#"{"model":"auto","messages":[{"role":"user","content":"0123456789abcdef0123456789abcdef"}]}"#,
        r#"[1,2,3 , 4]"#,
        r#"null"#,
    ];

    #[test]
    fn accepts_and_refuses_what_serde_json_does() {
        let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).expect("small")
        };
        const SPICE: &[u8] = b"{}[],:\"\\ \n\t0123456789-+.eEtrufalsn/x\x01\x1f\x7f";
        let mut refused = 0;
        for text in SEEDS {
            assert!(accepts(text) && serde_accepts(text), "{text}");
            for _ in 0..40_000 {
                let mut bytes = text.as_bytes().to_vec();
                for _ in 0..=random(3) {
                    let at = random(bytes.len() + 1);
                    match random(3) {
                        0 => bytes.insert(at, SPICE[random(SPICE.len())]),
                        1 if at < bytes.len() => bytes[at] = SPICE[random(SPICE.len())],
                        _ if at < bytes.len() => drop(bytes.remove(at)),
                        _ => bytes.truncate(at),
                    }
                }
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                refused += usize::from(!accepts(&changed));
                assert_eq!(accepts(&changed), serde_accepts(&changed), "{changed}");
            }
        }
        assert!(refused > 10_000, "the changes spoil most texts: {refused}");
    }

    #[test]
    fn every_prefix_of_a_text_is_truncated() {
        for text in SEEDS.iter().filter(|text| text.starts_with(['{', '"'])) {
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                assert_eq!(Scan::new(&text[..end]).value(), Err(Stop::Truncated), "{}", &text[..end]);
            }
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| ["[".repeat(depth), "1".to_owned(), "]".repeat(depth)].concat();
        assert!(accepts(&nested(MAX_DEPTH)));
        assert_eq!(Scan::new(&nested(MAX_DEPTH + 1)).value(), Err(Stop::TooDeep));
        assert_eq!(Scan::new(&r#"{"a":"#.repeat(1_000_000)).value(), Err(Stop::TooDeep));
    }

    #[test]
    fn the_number_of_values_is_bounded_if_asked() {
        let text = "[0,[1,2],{\"a\":3}]";
        assert_eq!(Scan::bounded(text, 7).value(), Ok(text));
        assert_eq!(Scan::bounded(text, 6).value(), Err(Stop::TooMany));
    }

    #[test]
    fn whole_numbers_are_told_from_everything_else() {
        let first = |text: &str| Scan::new(text).array(|scan, _| scan.whole_number().map(|whole| assert!(whole, "{text}")));
        for (before, after) in [("[", "]"), ("[ ", ",1]"), ("[", " ]")] {
            for number in ["0", "15339", "999999999", "4294967295"] {
                assert_eq!(first(&[before, number, after].concat()), Ok(()));
            }
            for other in ["4294967296", "99999999999999999999", "-1", "-0", "1.0", "1e2", "null", r#""7""#, "[7]"] {
                let text = [before, other, after].concat();
                let mut found = Vec::new();
                let outcome = Scan::new(&text).array(|scan, _| scan.whole_number().map(|whole| found.push(whole)));
                assert_eq!((outcome, found.first()), (Ok(()), Some(&false)), "{text}");
            }
        }
        // Two numbers, as far as JSON is concerned.
        assert_eq!(first("[01]"), Err(Stop::Syntax(2)));
        assert_eq!(Scan::bounded("[1,2,3]", 2).array(|scan, _| scan.whole_number().map(drop)), Err(Stop::TooMany));
    }

    #[test]
    fn values_and_names_are_returned_as_written() {
        let mut members = Vec::new();
        let mut scan = Scan::new(r#" { "a" : [ 1 ] , "b\u0062":"x" } "#);
        let outcome = scan.object(|scan, name| {
            members.push((name, scan.value()?));
            Ok::<_, Stop>(())
        });
        assert_eq!((outcome, scan.end()), (Ok(()), Ok(())));
        assert_eq!(members, [(r#""a""#, "[ 1 ]"), (r#""b\u0062""#, r#""x""#)]);
    }
}
