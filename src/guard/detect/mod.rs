//! Detectors: texts that are known by their form.
//!
//! Each looks only where an anchor stands: an `@`, a group of digits, the last character of a key's
//! prefix. From there it reads a bounded stretch, so a text takes time in proportion to its length
//! whatever it consists of, and a stream holds back no more than the longest match. Whether a match
//! begins at a place depends on the text from there on and on the byte before it, on nothing else.

mod api_key;
mod credit_card;
mod email;
mod iban;
mod ipv4;
mod phone;
mod text;

use core::ops::Range;
use text::Cursor;
pub(super) use text::Text;

/// A kind of text, by the name an operator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detector {
    /// Keys of APIs, known by their prefixes.
    ApiKey,
    /// Numbers of payment cards.
    CreditCard,
    /// Addresses of mailboxes.
    Email,
    /// Numbers of bank accounts.
    Iban,
    /// Addresses of hosts.
    Ipv4,
    /// Telephone numbers.
    Phone,
}

/// Whether a match begins at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Candidate {
    /// None, whatever follows the text.
    No,
    /// What follows the text decides whether, or where it ends.
    Open,
    /// It ends here, whatever follows.
    Match(usize),
}

impl Detector {
    /// All of them, by name.
    pub(super) const ALL: [Self; 6] = [Self::ApiKey, Self::CreditCard, Self::Email, Self::Iban, Self::Ipv4, Self::Phone];

    /// Those that are anchored at groups of digits.
    const NUMBERS: [Self; 4] = [Self::CreditCard, Self::Iban, Self::Ipv4, Self::Phone];

    /// As an operator writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::CreditCard => "credit_card",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::Ipv4 => "ipv4",
            Self::Phone => "phone",
        }
    }

    /// Sets of three bytes that follow each other: a match contains three such bytes of one of them.
    pub(super) fn signs(self) -> Vec<[Vec<u8>; 3]> {
        let digits = || (b'0'..=b'9').collect::<Vec<u8>>();
        let letters = || (b'A'..=b'Z').chain(b'a'..=b'z');
        match self {
            Self::ApiKey => api_key::signs().map(|sign| sign.map(|byte| vec![byte])).collect(),
            Self::CreditCard => vec![[digits(), digits(), digits()]],
            Self::Email => {
                let word = || letters().chain(b'0'..=b'9');
                vec![[word().chain(*b"._%+-").collect(), vec![b'@'], word().collect()]]
            }
            Self::Iban => vec![[letters().collect(), digits(), digits()]],
            Self::Ipv4 => vec![[digits(), vec![b'.'], digits()]],
            Self::Phone => vec![[vec![b'+'], digits(), digits().into_iter().chain(*b" -.(").collect()], [digits(), digits(), digits()]],
        }
    }

    /// Bytes of the longest match. It may depend on two bytes more.
    pub(super) fn longest(self) -> usize {
        match self {
            Self::ApiKey => api_key::LONGEST,
            Self::CreditCard => credit_card::LONGEST,
            Self::Email => email::LONGEST,
            Self::Iban => iban::LONGEST,
            Self::Ipv4 => ipv4::LONGEST,
            Self::Phone => phone::LONGEST,
        }
    }
}

/// Some of the detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wanted(u8);

impl Wanted {
    /// One more.
    pub(super) fn insert(&mut self, detector: Detector) {
        self.0 |= 1 << detector as u8;
    }

    /// Whether it is one of them.
    pub(super) fn contains(self, detector: Detector) -> bool {
        self.0 & 1 << detector as u8 != 0
    }

    /// Whether one is anchored at digits.
    pub(super) fn numbers(self) -> bool {
        Detector::NUMBERS.iter().any(|detector| self.contains(*detector))
    }
}

/// Reports what begins at `from` or behind it and is certain. Returns where the earliest match begins
/// for which that depends on what follows the text; its length if there is none. What is reported
/// behind that place is certain, too, but may not be all.
pub(super) fn scan(wanted: Wanted, text: Text<'_>, from: usize, each: &mut dyn FnMut(Detector, Range<usize>)) -> usize {
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

fn numbers(wanted: Wanted, text: Text<'_>, from: usize, each: &mut dyn FnMut(Detector, Range<usize>)) -> usize {
    let mut at = from;
    while let Some(group) = text.find(at, text::digit) {
        let mut open = text.len();
        number(wanted, text, from, group, &mut |detector, start, candidate| match candidate {
            Candidate::Match(end) => each(detector, start..end),
            Candidate::Open => open = open.min(start),
            Candidate::No => {}
        });
        if open < text.len() {
            return open;
        }
        at = group + 1;
        while text.byte(at).is_some_and(|byte| byte.is_ascii_digit()) {
            at += 1;
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

/// Everything of which the first group of digits stands at `group`.
fn number(wanted: Wanted, text: Text<'_>, from: usize, group: usize, each: &mut dyn FnMut(Detector, usize, Candidate)) {
    if wanted.contains(Detector::Iban)
        && let Some(start) = group.checked_sub(2).filter(|start| *start >= from)
    {
        each(Detector::Iban, start, iban::candidate(text, start));
    }
    if wanted.contains(Detector::Phone) {
        let before = group.checked_sub(1).filter(|start| *start >= from && matches!(text.byte(*start), Some(b'+' | b'(')));
        for start in before.into_iter().chain([group]) {
            each(Detector::Phone, start, phone::candidate(text, start));
        }
    }
    if wanted.contains(Detector::CreditCard) {
        each(Detector::CreditCard, group, credit_card::candidate(text, group));
    }
    if wanted.contains(Detector::Ipv4) {
        each(Detector::Ipv4, group, ipv4::candidate(text, group));
    }
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

/// Whether an address of a mailbox has its `@` in the three bytes at `at`. For a text that is whole.
pub(super) fn email_around(text: Text<'_>, at: usize) -> bool {
    let stands_at = |sign: &usize| matches!(email::candidate(text, *sign), Candidate::Match(_)) && email::start(text, *sign).is_some();
    (at..at + 3).filter(|at| text.byte(*at) == Some(b'@')).any(|sign| stands_at(&sign))
}

/// Whether a key has its anchor in the three bytes at `at`. For a text that is whole.
pub(super) fn key_around(text: Text<'_>, at: usize) -> bool {
    (at..at + 3).any(|anchor| matches!(api_key::around(text, anchor), Some((_, Candidate::Match(_)))))
}

/// Whether a number begins with the first group of digits at `at` or behind it. For a text that is whole.
/// What stands before `done` has been looked at; it moves on, so that no group is looked at twice.
pub(super) fn number_around(wanted: Wanted, text: Text<'_>, at: usize, done: &mut usize) -> bool {
    if at + 2 < *done {
        return false;
    }
    let is_digit = |at: &usize| text.byte(*at).is_some_and(|byte| byte.is_ascii_digit());
    let Some(digit) = (at.max(*done)..at + 3).find(is_digit) else { return false };
    let group = (*done..digit).rev().take_while(is_digit).last().unwrap_or(digit);
    *done = (digit..).find(|at| !is_digit(at)).unwrap_or(digit);
    // `1-415-555-0100` and `1 (415) 555-0100`: the group before has no sign.
    let long_distance = [2, 3].into_iter().filter_map(|before| group.checked_sub(before)).filter(|at| text.byte(*at) == Some(b'1'));
    // `\u20194155550100`: the group is shorter than it seems.
    let behind_an_escape = (group + 1..=group + 4).filter(|at| is_digit(at) && text.before(*at).is_none());
    let mut found = false;
    for group in long_distance.chain([group]).chain(behind_an_escape) {
        number(wanted, text, 0, group, &mut |_, _, candidate| found |= matches!(candidate, Candidate::Match(_)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(detector: Detector, text: &str) -> Vec<&str> {
        let mut wanted = Wanted::default();
        wanted.insert(detector);
        let mut found: Vec<Range<usize>> = Vec::new();
        scan(wanted, Text::new(text, true), 0, &mut |by, range| {
            assert_eq!(by, detector);
            assert!(range.len() <= detector.longest(), "{detector:?} finds {} bytes in {text}", range.len());
            // Matches in matches are the caller's to merge.
            if found.last().is_none_or(|last| last.end <= range.start) {
                found.push(range);
            }
        });
        found.into_iter().map(|range| &text[range]).collect()
    }

    /// A detector finds just these, not counting what lies within them.
    pub(super) fn finds(detector: Detector, text: &str, expected: &[&str]) {
        assert_eq!(found(detector, text), expected, "in `{text}`");
    }

    pub(super) fn finds_nothing(detector: Detector, text: &str) {
        finds(detector, text, &[]);
    }
}
