//! Where in a text the detectors look.

use super::text::digit;
use super::{Candidate, Detector, Text, Wanted, api_key, credit_card, email, iban, ipv4, phone};
use core::ops::Range;

/// Reports what begins at `from` or behind it and is certain. Returns where the earliest match begins
/// for which that depends on what follows the text; its length if there is none. What is reported
/// behind that place is certain, too, but may not be all.
pub(in crate::guard) fn scan(wanted: Wanted, text: Text<'_>, from: usize, each: &mut dyn FnMut(Detector, Range<usize>)) -> usize {
    let mut open = text.len();
    if wanted.contains(Detector::Email) {
        open = open.min(emails(text, from, each));
    }
    if wanted.numbers() {
        open = open.min(numbers(wanted, text, from, each));
    }
    if wanted.contains(Detector::ApiKey) {
        open = open.min(keys(text, from, each));
    }
    open
}

fn emails(text: Text<'_>, from: usize, each: &mut dyn FnMut(Detector, Range<usize>)) -> usize {
    let mut at = from;
    while let Some(sign) = text.find(at, |rest| memchr::memchr(b'@', rest)) {
        at = sign + 1;
        if let Some(start) = email::start(text, sign).filter(|start| *start >= from) {
            match email::candidate(text, sign) {
                Candidate::Match(end) => each(Detector::Email, start..end),
                Candidate::Open => return start,
                Candidate::No => {}
            }
        }
    }
    if text.is_last() { text.len() } else { email::start(text, text.len()).unwrap_or(text.len()).max(from) }
}

fn keys(text: Text<'_>, from: usize, each: &mut dyn FnMut(Detector, Range<usize>)) -> usize {
    let mut at = from;
    while let Some(anchor) = text.find(at, |rest| memchr::memchr3(b'-', b'_', b'I', rest)) {
        at = anchor + 1;
        let Some((start, candidate)) = api_key::around(text, anchor).filter(|(start, _)| *start >= from) else { continue };
        match candidate {
            Candidate::Match(end) => each(Detector::ApiKey, start..end),
            Candidate::Open => return start,
            Candidate::No => {}
        }
    }
    if text.is_last() { text.len() } else { api_key::unfinished(text, from) }
}

fn numbers(wanted: Wanted, text: Text<'_>, from: usize, each: &mut dyn FnMut(Detector, Range<usize>)) -> usize {
    let mut at = from;
    while let Some(start) = text.find(at, digit) {
        at = end_of_digits(text, start);
        let mut open = text.len();
        number(wanted, text, from, start..at, &mut |detector, start, candidate| match candidate {
            Candidate::Match(end) => each(detector, start..end),
            Candidate::Open => open = open.min(start),
            Candidate::No => {}
        });
        if open < text.len() {
            return open;
        }
    }
    // What stands before the first digit of a number.
    let tail = (text.len().saturating_sub(2).max(from)..text.len()).find(|start| {
        let open =
            |detector, candidate: fn(Text<'_>, usize) -> Candidate| wanted.contains(detector) && candidate(text, *start) == Candidate::Open;
        open(Detector::Iban, iban::candidate) || open(Detector::Phone, phone::candidate)
    });
    tail.unwrap_or(text.len())
}

fn end_of_digits(text: Text<'_>, start: usize) -> usize {
    let rest = text.between(start, text.len());
    start + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// Everything of which these are the first digits, and that does not begin before `from`.
fn number(wanted: Wanted, text: Text<'_>, from: usize, digits: Range<usize>, each: &mut dyn FnMut(Detector, usize, Candidate)) {
    let start = digits.start;
    // Most numbers are ruled out by their first digits and what stands beside them.
    let next = text.byte(digits.end);
    let followed_by = |joints: &[u8]| next.is_none_or(|byte| joints.contains(&byte));
    let before = |count: usize| start.checked_sub(count).filter(|at| *at >= from);
    let preceded_by = |is: fn(u8) -> bool| before(1).and_then(|at| text.byte(at)).is_some_and(is);
    if wanted.contains(Detector::Iban)
        && preceded_by(|byte| byte.is_ascii_alphabetic())
        && let Some(start) = before(2)
    {
        each(Detector::Iban, start, iban::candidate(text, start));
    }
    if wanted.contains(Detector::Phone) {
        let in_brackets = preceded_by(|byte| byte == b'(') && digits.len() <= 3 && followed_by(b")");
        if let Some(start) = before(1).filter(|_| in_brackets || preceded_by(|byte| byte == b'+')) {
            each(Detector::Phone, start, phone::candidate(text, start));
        }
        if digits.len() <= 3 && followed_by(b" -.") {
            each(Detector::Phone, start, phone::candidate(text, start));
        }
    }
    let grouped = || digits.len() >= credit_card::MIN_GROUP && is_joined(text, digits.end);
    if wanted.contains(Detector::CreditCard) && (digits.len() >= credit_card::MIN_DIGITS || grouped()) {
        each(Detector::CreditCard, start, credit_card::candidate(text, start));
    }
    if wanted.contains(Detector::Ipv4) && digits.len() <= 3 && followed_by(b".") {
        each(Detector::Ipv4, start, ipv4::candidate(text, start));
    }
}

/// Whether digits that end here may go on in another group.
fn is_joined(text: Text<'_>, end: usize) -> bool {
    let joint = text.byte(end).is_none_or(|byte| matches!(byte, b' ' | b'-'));
    joint && text.byte(end + 1).is_none_or(|byte| byte.is_ascii_digit())
}

/// Whether an address of a mailbox has its `@` in the middle of the three bytes at `at`. For a text that is whole.
pub(in crate::guard) fn email_around(text: Text<'_>, at: usize) -> bool {
    let sign = at + 1;
    let is_sign = text.byte(sign) == Some(b'@');
    is_sign && matches!(email::candidate(text, sign), Candidate::Match(_)) && email::start(text, sign).is_some()
}

/// Where the digits end that begin at `at`, if they are too few for a card and no group of one, as most are: what
/// [`number_around`] finds out, too, but in more time. For a text that is whole, and if cards are all that is
/// anchored at digits.
#[inline]
pub(in crate::guard) fn end_of_short_number(text: &[u8], at: usize, done: usize) -> Option<usize> {
    const SEEN: usize = credit_card::MIN_DIGITS + 2;
    let seen: &[u8; SEEN] = text.get(at..)?.first_chunk()?;
    let goes_on = at > done && text.get(at - 1).is_some_and(u8::is_ascii_digit);
    let length = seen.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let [joint, next] = *seen.get(length..)?.first_chunk()?;
    let is_joined = matches!(joint, b' ' | b'-') && next.is_ascii_digit();
    (at >= done && !goes_on && 0 < length && length < credit_card::MIN_DIGITS && !is_joined).then_some(at + length)
}

/// Whether a number begins with the first digits at `at` or behind it. For a text that is whole.
/// What stands before `done` has been looked at; it moves on, so that no digits are looked at twice.
pub(in crate::guard) fn number_around(wanted: Wanted, text: Text<'_>, at: usize, done: &mut usize) -> bool {
    if at + 2 < *done {
        return false;
    }
    let is_digit = |at: usize| text.byte(at).is_some_and(|byte| byte.is_ascii_digit());
    let Some(digit) = (at.max(*done)..at + 3).find(|at| is_digit(*at)) else { return false };
    let mut start = digit;
    while start > *done && is_digit(start - 1) {
        start -= 1;
    }
    let end = end_of_digits(text, digit);
    *done = end;
    // Most numbers are too short for a card, and no group of one.
    if wanted.numbers_are_cards() && end - start < credit_card::MIN_DIGITS && !is_joined(text, end) {
        return false;
    }
    // An array of numbers is passed over quickly.
    let matters = |byte: u8| byte.is_ascii_alphabetic() || b" -.+()".contains(&byte);
    let beside = [start.checked_sub(1), Some(end)].into_iter().flatten().filter_map(|at| text.byte(at));
    if end - start < 13 && !beside.into_iter().any(matters) {
        return false;
    }
    let mut found = false;
    // Nothing begins so far before its digits.
    let from = start.saturating_sub(8);
    let mut look = |digits| number(wanted, text, from, digits, &mut |_, _, candidate| found |= matches!(candidate, Candidate::Match(_)));
    look(start..end);
    // `1-415-555-0100` and `1 (415) 555-0100`: the digit before has no sign.
    for one in [2, 3].into_iter().filter_map(|before| start.checked_sub(before)).filter(|at| text.byte(*at) == Some(b'1')) {
        look(one..one + 1);
    }
    // `\u20194155550100`: the first digits are not part of the number.
    if text.between(start.saturating_sub(4), start).contains(&b'u') {
        for after in (start + 1..=start + 4).filter(|at| *at < end && text.before(*at).is_none()) {
            look(after..end);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_is_what_the_long_way_finds_to_be_no_card() {
        let mut wanted = Wanted::default();
        wanted.insert(Detector::CreditCard);
        const LETTERS: &str = "xxxxxxxxxxxxxxxxxxxx";
        const CARD: &str = "1111 1111 1111 1111 x";
        let mut short = 0;
        // Every text of seven of these, behind digits and before letters or more digits.
        for count in 0..4_usize.pow(7) {
            let middle: String = (0..7).map(|at| char::from(b"1 -a"[count / 4_usize.pow(at) % 4])).collect();
            for (before, done, rest) in [("", 0, LETTERS), ("41", 0, LETTERS), ("41", 2, LETTERS), ("x", 0, CARD)] {
                let text = [before, &middle, rest].concat();
                for at in done..before.len() + 7 {
                    let Some(end) = end_of_short_number(text.as_bytes(), at, done) else { continue };
                    let mut moved = done;
                    let found = number_around(wanted, Text::json(text.as_bytes()), at, &mut moved);
                    assert_eq!((found, moved), (false, end), "{text} at {at}");
                    short += 1;
                }
            }
        }
        assert!(short > 10_000, "{short}");
    }
}
