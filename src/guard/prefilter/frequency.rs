//! How often bytes occur in conversations, roughly: what is rare is a good sign.

/// Of 65,536 bytes of English prose with some numbers and some code in JSON, how many are this one.
pub(super) fn of(byte: u8) -> u64 {
    /// Of `a` to `z`, in thousandths of all letters.
    const LETTERS: [u64; 26] = [82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1];
    let letter = |first: u8| LETTERS.get(usize::from(byte - first)).copied().unwrap_or(0);
    match byte {
        b' ' => 10_000,
        b'a'..=b'z' => letter(b'a') * 48,
        b'A'..=b'Z' => letter(b'A') * 2 + 20,
        b'0'..=b'9' => 130,
        b'"' | b',' | b'.' | b'\\' => 600,
        b':' | b'-' | b'\'' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'/' | b'_' => 150,
        b'!'..=b'~' => 40,
        0x80..=0xff => 20,
        _ => 1,
    }
}

/// How often one of these bytes occurs where the next one may be any.
pub(super) fn of_any(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.map(of).sum::<u64>().min(SCALE)
}

/// What [`of`] counts from.
pub(super) const SCALE: u64 = 65_536;
