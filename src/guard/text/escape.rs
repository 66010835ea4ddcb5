//! Escapes in the text of a JSON string: what they stand for, and which bytes of the text as
//! written stand for a stretch of what was meant.
//!
//! Two kinds of text are read here. The inside of a literal of a body that is known to be JSON has
//! nothing but valid escapes. A text that has been decoded once may be JSON itself, or a path of
//! Windows or a regular expression: a backslash that begins no escape stands for itself there.

use core::ops::Range;

/// A piece of a text as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit<'a> {
    /// Stands for itself.
    Plain(&'a str),
    /// So many bytes stand for this character.
    Escape(usize, char),
}

impl Unit<'_> {
    /// Bytes it takes, and bytes of what it stands for. They are the same only if it stands for itself.
    fn lengths(&self) -> (usize, usize) {
        match self {
            Unit::Plain(text) => (text.len(), text.len()),
            Unit::Escape(takes, meant) => (*takes, meant.len_utf8()),
        }
    }
}

/// The pieces of a text.
struct Units<'a>(&'a str);

impl<'a> Iterator for Units<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        let plain = backslash(self.0.as_bytes());
        let unit = match self.0.get(..plain)? {
            "" if self.0.is_empty() => return None,
            "" => escape(self.0),
            plain => Unit::Plain(plain),
        };
        self.0 = self.0.get(unit.lengths().0..)?;
        Some(unit)
    }
}

/// Where the first backslash stands, or the end. Where there are any they stand close to each other,
/// too close for a search that has to be called.
fn backslash(bytes: &[u8]) -> usize {
    const NEAR: usize = 16;
    let near = bytes.iter().take(NEAR).position(|byte| *byte == b'\\');
    near.or_else(|| Some(NEAR + memchr::memchr(b'\\', bytes.get(NEAR..)?)?)).unwrap_or(bytes.len())
}

/// The unit at the beginning of a text that begins with a backslash.
fn escape(text: &str) -> Unit<'_> {
    let meant = match text.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return hexadecimal(text),
        _ => return Unit::Plain("\\"),
    };
    Unit::Escape(2, meant)
}

/// `\uXXXX`, or two of them for a character beyond the first 65,536. Half of such a pair stands for
/// no character and is read as U+FFFD.
fn hexadecimal(text: &str) -> Unit<'_> {
    let Some(first) = code_unit(text) else { return Unit::Plain("\\") };
    if let Some(meant) = char::from_u32(first) {
        return Unit::Escape(6, meant);
    }
    let second = text.get(6..).and_then(code_unit).filter(|second| (0xdc00..0xe000).contains(second));
    let pair = second.filter(|_| first < 0xdc00).and_then(|second| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
    pair.map_or(Unit::Escape(6, char::REPLACEMENT_CHARACTER), |meant| Unit::Escape(12, meant))
}

/// The number in `\uXXXX`.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.as_bytes().get(..4)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

/// The longest escape, a pair.
const MAX_ESCAPE_BYTES: usize = 12;

/// Where an escape begins that the end of a text cuts, so that more text could make another
/// character of it; the length of the text if there is none.
pub(crate) fn cut_escape(text: &str) -> usize {
    let mut units = Units(text);
    loop {
        let rest = units.0;
        if rest.starts_with('\\') && rest.len() < MAX_ESCAPE_BYTES && is_cut(rest) || units.next().is_none() {
            return text.len() - rest.len();
        }
    }
}

/// Whether a text is the beginning of `\uXXXX` or of a pair, and no whole one.
fn is_cut(rest: &str) -> bool {
    let (first, second) = rest.split_at_checked(6).unwrap_or((rest, ""));
    let begins = |text: &str| {
        let digits = text.strip_prefix("\\u").unwrap_or_default();
        "\\u".starts_with(text) || !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    let high = code_unit(first).is_some_and(|code| (0xd800..0xdc00).contains(&code));
    begins(first) && (first.len() < 6 || high && second.len() < 6 && begins(second))
}

/// Appends what a text stands for.
pub(crate) fn decode(text: &str, out: &mut String) {
    for unit in Units(text) {
        match unit {
            Unit::Plain(plain) => out.push_str(plain),
            Unit::Escape(_, meant) => out.push(meant),
        }
    }
}

/// Whether a text stands for this one.
pub(crate) fn stands_for(text: &str, meant: &str) -> bool {
    let mut rest = meant;
    let same = Units(text).all(|unit| {
        let after = match unit {
            Unit::Plain(plain) => rest.strip_prefix(plain),
            Unit::Escape(_, meant) => rest.strip_prefix(meant),
        };
        after.map(|after| rest = after).is_some()
    });
    same && rest.is_empty()
}

/// The place in what a text stands for of a place in the text, which is not inside an escape.
pub(crate) fn as_meant(text: &str, offset: usize) -> usize {
    let (mut written, mut meant) = (0, 0);
    for unit in Units(text) {
        let (takes, stands_for) = unit.lengths();
        if written + takes > offset {
            return meant + if takes == stands_for { offset - written } else { 0 };
        }
        written += takes;
        meant += stands_for;
    }
    meant
}

/// A place in a text, or the beginning of the escape that it lies in.
pub(crate) fn unit_start(text: &str, offset: usize) -> usize {
    let mut written = 0;
    for unit in Units(text) {
        let (takes, stands_for) = unit.lengths();
        if written + takes > offset {
            return if takes == stands_for { offset } else { written };
        }
        written += takes;
    }
    written
}

/// Turns ranges of what a text stands for into ranges of the text as written. A range that begins or
/// ends inside a character written as an escape takes the whole escape.
pub(crate) fn as_written<'r>(text: &str, ranges: impl Iterator<Item = &'r mut Range<usize>>) {
    relocate(text, &mut ranges.collect::<Vec<_>>(), |_, stands_for| stands_for);
}

/// Widens ranges of a text that begin or end inside an escape so that they take all of it.
pub(crate) fn widen<'r>(text: &str, ranges: impl Iterator<Item = &'r mut Range<usize>>) {
    relocate(text, &mut ranges.collect::<Vec<_>>(), |takes, _| takes);
}

/// Both of these: `counts` is what the offsets count of the lengths of a unit.
fn relocate(text: &str, ranges: &mut [&mut Range<usize>], counts: fn(usize, usize) -> usize) {
    // Two keys for each range: an even one for its start, an odd one for its end.
    let offsets = ranges.iter().flat_map(|range| [range.start, range.end]);
    let mut keys: Vec<Key> = offsets.zip(0..).collect();
    sort(&mut keys);
    let mut units = Units(text).map(|unit| unit.lengths());
    let (mut written, mut counted) = (0, 0);
    let mut unit = units.next();
    for (offset, key) in keys {
        while let Some((takes, stands_for)) = unit.filter(|(takes, stands_for)| counted + counts(*takes, *stands_for) <= offset) {
            written += takes;
            counted += counts(takes, stands_for);
            unit = units.next();
        }
        let (range, is_end) = (usize::try_from(key / 2).ok().and_then(|at| ranges.get_mut(at)), key % 2 == 1);
        let within = offset.saturating_sub(counted);
        let place = written
            + match unit {
                Some((takes, stands_for)) if takes == stands_for => within,
                Some((takes, _)) if is_end && within > 0 => takes,
                _ => 0,
            };
        match range {
            Some(range) if is_end => range.end = place,
            Some(range) => range.start = place,
            None => {}
        }
    }
}

/// A place in a text, and what belongs there.
pub(crate) type Key = (usize, u64);

/// The one sort of this module: each sort of another type takes some five kilobytes of the filter.
pub(crate) fn sort(keys: &mut [Key]) {
    keys.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESCAPED: [(&str, &str); 12] = [
        ("", ""),
        ("plain ünï", "plain ünï"),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u0070roject\u0020x", "project x"),
        (r"m\u00FCller", "müller"),
        (r"\ud83d\ude00!", "😀!"),
        (r"\uD83Dx\uDE00", "\u{fffd}x\u{fffd}"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
        (r"\ud83d\u0041\ud83d", "\u{fffd}A\u{fffd}"),
        (r"C:\Users\x", r"C:\Users\x"),
        (r"\u12 \u12g4 \", r"\u12 \u12g4 \"),
        (r"\\u0070", r"\u0070"),
    ];

    fn decoded(text: &str) -> String {
        let mut out = String::new();
        decode(text, &mut out);
        out
    }

    #[test]
    fn escapes_stand_for_what_they_stand_for_in_json() {
        for (text, expected) in ESCAPED {
            assert_eq!(decoded(text), expected, "{text}");
            assert!(stands_for(text, expected) && !stands_for(text, &format!("{expected}x")), "{text}");
            if let Ok(meant) = serde_json::from_str::<String>(&format!("\"{text}\"")) {
                assert_eq!(meant, expected, "{text}");
            }
        }
    }

    #[test]
    fn every_place_is_found_again() {
        for (text, meant) in ESCAPED {
            for (start, first) in meant.char_indices() {
                for (last, _) in meant.char_indices().filter(|(last, _)| *last >= start) {
                    let end = last + meant[last..].chars().next().expect("a character").len_utf8();
                    let mut ranges = [start..end, start..start + first.len_utf8()];
                    as_written(text, ranges.iter_mut());
                    let [range, one] = ranges;
                    assert_eq!(decoded(&text[range.clone()]), meant[start..end], "{text} {range:?}");
                    assert_eq!(one.start, range.start);
                    assert_eq!(as_meant(text, range.start), start, "{text} {range:?}");
                    assert_eq!(unit_start(text, range.start), range.start, "{text} {range:?}");
                }
            }
        }
    }

    #[test]
    fn a_range_is_widened_to_whole_escapes() {
        let text = r"a\\nb\u0041\c\ud83d\ude00";
        for (range, wide) in
            [(0..1, 0..1), (1..2, 1..3), (2..3, 1..3), (3..5, 3..5), (2..7, 1..11), (11..13, 11..13), (14..20, 13..25), (6..25, 5..25)]
        {
            let mut ranges = [range.clone()];
            widen(text, ranges.iter_mut());
            assert_eq!(ranges[0], wide, "{range:?}");
            assert_eq!(unit_start(text, range.start), wide.start, "{range:?}");
        }
    }

    #[test]
    fn an_escape_that_more_text_could_complete_is_open() {
        for (text, whole) in [
            ("abc", 3),
            (r"abc\", 3),
            (r"abc\\", 5),
            (r"abc\\\", 5),
            (r"abc\u", 3),
            (r"abc\u00e", 3),
            (r"abc\u00e9", 9),
            (r"abc\ud83d", 3),
            (r"abc\ud83d\", 3),
            (r"abc\ud83d\ude0", 3),
            (r"abc\ud83d\ude00", 15),
            (r"abc\ud83d ", 10),
            (r"abc\ud83d\n", 11),
            (r"abc\ude00", 9),
            (r"abc\u00g", 8),
            (r"abc\x", 5),
            ("", 0),
        ] {
            assert_eq!(cut_escape(text), whole, "{text}");
        }
    }
}
