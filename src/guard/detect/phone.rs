//! Telephone numbers: international ones with their `+` (ITU-T E.164 and E.123), and those of North America
//! as 3-3-4 digits with something between them. Digits alone are no telephone number here: too much else
//! consists of ten digits.

use super::{Candidate, Cursor, Text};

/// Digits of an international number, with the code of the country.
const MAX_DIGITS: usize = 15;

/// The shortest in use have eight.
const MIN_DIGITS: usize = 8;

/// So many digits in a row are all of an international number: what follows behind a space is another.
const TOGETHER: usize = 8;

/// Bytes of the longest match: two separators between any two digits.
pub(super) const LONGEST: usize = 1 + MAX_DIGITS + 2 * (MAX_DIGITS - 1);

/// Whether one begins at `start`.
pub(super) fn candidate(text: Text<'_>, start: usize) -> Candidate {
    let mut cursor = Cursor::new(text, start);
    let before = text.before(start);
    let end = match text.byte(start) {
        Some(b'+') if !text.continues_a_word(start) && before != Some(b'+') => international(&mut cursor),
        Some(b'(') => national(&mut cursor),
        Some(b'0'..=b'9') if !text.continues_a_word(start) && !matches!(before, Some(b'+' | b'-' | b'.' | b'/')) => national(&mut cursor),
        _ => None,
    };
    if cursor.is_starved() { Candidate::Open } else { end.map_or(Candidate::No, Candidate::Match) }
}

fn international(cursor: &mut Cursor<'_>) -> Option<usize> {
    cursor.at += 1;
    let first = cursor.take(|byte| matches!(byte, b'1'..=b'9'))?;
    // North America's numbers all have eleven.
    let (least, most) = if first == b'1' { (11, 11) } else { (MIN_DIGITS, MAX_DIGITS) };
    let (mut digits, mut group) = (1, 1);
    let mut end = None;
    loop {
        if digits <= most && cursor.take(|byte| byte.is_ascii_digit()).is_some() {
            digits += 1;
            group += 1;
            continue;
        }
        if (least..=most).contains(&digits) && !cursor.goes_on(b"") {
            end = Some(cursor.at);
        }
        if digits >= most || group >= TOGETHER {
            return end;
        }
        let Some(separators) = separators(cursor) else { return end };
        cursor.at += separators;
        group = 0;
    }
}

/// How many separators stand before the next digit: a space, a hyphen or a point, with a bracket
/// before or behind it.
fn separators(cursor: &mut Cursor<'_>) -> Option<usize> {
    let is_separator = |byte| matches!(byte, b' ' | b'-' | b'.');
    let count = match cursor.peek(0)? {
        b'(' => 1,
        b')' => 1 + usize::from(cursor.sees(1, is_separator)),
        byte if is_separator(byte) => 1 + usize::from(cursor.sees(1, |byte| byte == b'(')),
        _ => return None,
    };
    cursor.sees(count, |byte| byte.is_ascii_digit()).then_some(count)
}

fn national(cursor: &mut Cursor<'_>) -> Option<usize> {
    let is_separator = |byte| matches!(byte, b' ' | b'-' | b'.');
    let digits = |cursor: &mut Cursor<'_>, first: u8, count: usize| {
        cursor.take(|byte| (first..=b'9').contains(&byte))?;
        (1..count).try_for_each(|_| cursor.take(|byte| byte.is_ascii_digit()).map(drop))
    };
    if cursor.take(|byte| byte == b'1').is_some() {
        cursor.take(is_separator)?;
    }
    if cursor.take(|byte| byte == b'(').is_some() {
        digits(cursor, b'2', 3)?;
        cursor.take(|byte| byte == b')')?;
        cursor.take(is_separator);
    } else {
        digits(cursor, b'2', 3)?;
        cursor.take(is_separator)?;
    }
    digits(cursor, b'2', 3)?;
    cursor.take(is_separator)?;
    digits(cursor, b'0', 4)?;
    (!cursor.goes_on(b"-.")).then_some(cursor.at)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, finds_nothing};
    use super::LONGEST;
    use crate::guard::detect::Detector::Phone;

    #[test]
    fn finds_international_numbers() {
        for number in [
            "+14155550100",
            "+1 415 555 0100",
            "+1-415-555-0100",
            "+1 (415) 555-0100",
            "+1.415.555.0100",
            "+44 20 7946 0958",
            "+442079460958",
            "+44 (0)20 7946 0958",
            "+49 30 901820",
            "+33 1 99 00 12 34",
            "+81-3-5550-0100",
            "+61 491 570 006",
            "+353 20 912 4567",
            "+688 20100",
            "+999 123 456 789 012",
        ] {
            assert!(number.len() <= LONGEST);
            for (before, after) in [("", ""), ("tel:", ","), ("(", ")"), ("call ", " or write"), ("电话", "。"), ("\"", "\""), ("at ", ".")]
            {
                finds(Phone, &[before, number, after].concat(), &[number]);
            }
        }
        finds(Phone, "+14155550100 or +14155550101", &["+14155550100", "+14155550101"]);
        finds(Phone, "+1 415 555 0100 2026", &["+1 415 555 0100"]);
        finds(Phone, "+442079460958 2026", &["+442079460958"]);
        finds(Phone, "+44 20 7946 0958 123456", &["+44 20 7946 0958"]);
    }

    #[test]
    fn finds_numbers_of_north_america() {
        for number in [
            "415-555-0100",
            "415.555.0100",
            "415 555 0100",
            "415 555-0100",
            "(415) 555-0100",
            "(415)555-0100",
            "1-415-555-0100",
            "1 (415) 555-0100",
        ] {
            for (before, after) in [("", ""), ("tel:", ","), ("call ", "."), ("at ", " or"), ("[", "]"), ("2 ", "")] {
                let text = [before, number, after].concat();
                finds(Phone, &text, &[number]);
            }
        }
        finds(Phone, "(415-555-0100)", &["415-555-0100"]);
        finds(Phone, "(415 555-0100", &["415 555-0100"]);
        finds(Phone, "call(415)555-0100", &["(415)555-0100"]);
    }

    #[test]
    fn finds_nothing_in_what_is_none() {
        for text in [
            "4155550100",
            "14155550100",
            "+0123456789",
            "+1234567",
            "+1 415 555 010",
            "+1 415 555 01000",
            "++14155550100",
            "a+14155550100",
            "+14155550100a",
            "+1234567890123456",
            "115-555-0100",
            "415-155-0100",
            "415-555-010",
            "415-555-01000",
            "4155-555-0100",
            "2026-415-555-0100",
            "415-555-0100-1",
            "415-5550100",
            "415--555-0100",
            "415) 555-0100",
            "x415-555-0100",
            "2026-01-31",
            "1,234,567,890",
            "+100 points",
            "10.20.30.40",
        ] {
            finds_nothing(Phone, text);
        }
    }
}
