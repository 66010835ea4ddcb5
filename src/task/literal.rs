//! The code points of a JSON string literal's inside, read wherever it was cut.

/// What cannot be read: an escape nobody defined, half a character, half a surrogate pair.
pub(super) const UNREADABLE: u32 = u32::MAX;

/// Code points with their offsets. Never fails and never looks back, so that a piece may begin and end
/// at any byte.
pub(super) struct Points<'a> {
    literal: &'a [u8],
    at: usize,
}

impl<'a> Points<'a> {
    /// Of a piece of a literal.
    pub(super) fn new(literal: &'a [u8]) -> Self {
        Self { literal, at: 0 }
    }

    /// ASCII letters and digits from here on, perhaps none, and the place behind them; most of most
    /// texts. Each is given to `each` on the way.
    #[inline]
    pub(super) fn word(&mut self, mut each: impl FnMut(u8)) -> (usize, &'a [u8]) {
        let rest = self.literal.get(self.at..).unwrap_or_default();
        let mut length = 0;
        for byte in rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()) {
            each(*byte);
            length += 1;
        }
        self.at += length;
        (self.at, rest.get(..length).unwrap_or_default())
    }

    /// The ASCII character here, if it is none of those nor an escape.
    #[inline]
    pub(super) fn mark(&mut self) -> Option<u8> {
        let byte = self.literal.get(self.at).copied().filter(|byte| byte.is_ascii() && *byte != b'\\')?;
        self.at += 1;
        Some(byte)
    }

    /// The escape at the backslash here, and its length.
    fn escape(&self) -> (u32, usize) {
        let plain = match self.literal.get(self.at + 1) {
            Some(b'n') => 10,
            Some(b't') => 9,
            Some(b'r') => 13,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(byte @ (b'"' | b'\\' | b'/')) => u32::from(*byte),
            Some(b'u') => return self.unicode(),
            _ => UNREADABLE,
        };
        (plain, 2)
    }

    fn unicode(&self) -> (u32, usize) {
        match (self.unit(self.at), self.unit(self.at + 6)) {
            (None, _) => (UNREADABLE, 2),
            (Some(high @ 0xD800..0xDC00), Some(low @ 0xDC00..0xE000)) => (0x10000 + ((high & 0x3FF) << 10 | low & 0x3FF), 12),
            (Some(0xD800..0xE000), _) => (UNREADABLE, 6),
            (Some(unit), _) => (unit, 6),
        }
    }

    /// The UTF-16 unit of the `\uXXXX` at an offset, if it is one.
    fn unit(&self, at: usize) -> Option<u32> {
        let (mark, digits) = self.literal.get(at..at + 6)?.split_at(2);
        let digit = |value: Option<u32>, byte: &u8| Some(value? << 4 | char::from(*byte).to_digit(16)?);
        (mark == b"\\u").then(|| digits.iter().fold(Some(0), digit))?
    }

    /// The character that begins with this byte beyond ASCII, and its length.
    fn character(&self, first: u8) -> (u32, usize) {
        let length = match first {
            0x80..0xC0 => return (UNREADABLE, 1),
            0xC0..0xE0 => 2,
            0xE0..0xF0 => 3,
            _ => 4,
        };
        let Some(followers) = self.literal.get(self.at + 1..self.at + length) else {
            return (UNREADABLE, self.literal.len() - self.at);
        };
        let first = u32::from(first & (0x7F >> length));
        (followers.iter().fold(first, |point, byte| point << 6 | u32::from(byte & 0x3F)), length)
    }
}

impl Iterator for Points<'_> {
    type Item = (usize, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let byte = *self.literal.get(at)?;
        let (point, length) = match byte {
            b'\\' => self.escape(),
            0..0x80 => (u32::from(byte), 1),
            _ => self.character(byte),
        };
        self.at = at + length;
        Some((at, point))
    }
}
