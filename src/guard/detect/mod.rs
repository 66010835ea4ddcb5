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
mod search;
mod text;

pub(super) use api_key::stands_around as key_around;
pub(super) use search::{email_around, end_of_short_number, number_around, scan};
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

    /// Bytes of the longest match, and of what has to be seen behind it.
    pub(super) fn longest_held(self) -> usize {
        2 + match self {
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

    /// Whether nothing but cards is anchored at digits.
    pub(super) fn numbers_are_cards(self) -> bool {
        Detector::NUMBERS.iter().all(|detector| *detector == Detector::CreditCard || !self.contains(*detector))
    }

    /// Whether one is anchored at digits.
    pub(super) fn numbers(self) -> bool {
        Detector::NUMBERS.iter().any(|detector| self.contains(*detector))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ops::Range;

    fn found(detector: Detector, text: &str) -> Vec<&str> {
        let mut wanted = Wanted::default();
        wanted.insert(detector);
        let mut found: Vec<Range<usize>> = Vec::new();
        scan(wanted, Text::new(text, true), 0, &mut |by, range| {
            assert_eq!(by, detector);
            assert!(range.len() + 2 <= detector.longest_held(), "{detector:?} finds {} bytes in {text}", range.len());
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
