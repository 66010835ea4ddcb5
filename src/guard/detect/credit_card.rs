//! Numbers of payment cards (ISO/IEC 7812), together or in groups.

use super::{Candidate, Cursor, Text};

/// Digits of the shortest number and of the longest.
pub(super) const MIN_DIGITS: usize = 13;
const MAX_DIGITS: usize = 19;

/// Digits in a group, but for the last one. Cards are printed in groups of four to six.
pub(super) const MIN_GROUP: usize = 3;

/// Bytes of the longest match.
pub(super) const LONGEST: usize = MAX_DIGITS + MAX_DIGITS / MIN_GROUP;

/// Ranges of the first six digits, and how many digits the issuers' numbers have
/// (<https://en.wikipedia.org/wiki/Payment_card_number>, issuer identification numbers).
const ISSUERS: [(u32, u32, u32); 21] = [
    (220_000, 220_499, digits(16, 19)), // Mir
    (222_100, 272_099, digits(16, 16)), // Mastercard
    (300_000, 305_999, digits(14, 19)), // Diners Club
    (309_500, 309_599, digits(14, 19)),
    (340_000, 349_999, digits(15, 15)),              // American Express
    (352_800, 358_999, digits(16, 19)),              // JCB
    (360_000, 369_999, digits(14, 19)),              // Diners Club
    (370_000, 379_999, digits(15, 15)),              // American Express
    (380_000, 399_999, digits(14, 19)),              // Diners Club
    (400_000, 499_999, 1 << 13 | 1 << 16 | 1 << 19), // Visa
    (500_000, 509_999, digits(13, 19)),              // Maestro, Verve, RuPay, Elo
    (510_000, 559_999, digits(16, 16)),              // Mastercard
    (560_000, 589_999, digits(13, 19)),              // Maestro
    (600_000, 601_999, digits(16, 19)),              // Discover, RuPay
    (620_000, 629_999, digits(16, 19)),              // UnionPay
    (630_400, 630_499, digits(13, 19)),              // Maestro
    (636_000, 639_999, digits(13, 19)),              // InterPayment, InstaPayment, Maestro
    (644_000, 659_999, digits(16, 19)),              // Discover, RuPay
    (675_900, 679_999, digits(13, 19)),              // Maestro
    (810_000, 829_999, digits(16, 19)),              // UnionPay, RuPay
    (979_200, 979_299, digits(16, 16)),              // Troy
];

/// A bit for every number of digits.
const fn digits(least: u32, most: u32) -> u32 {
    (2 << most) - (1 << least)
}

/// Whether one begins at `start`: not inside a longer number, of an issuer there is, with a check digit
/// that fits. What is behind the point of a fraction is none.
pub(super) fn candidate(text: Text<'_>, start: usize) -> Candidate {
    if text.continues_a_word(start) || text.before(start) == Some(b'.') {
        return Candidate::No;
    }
    let mut cursor = Cursor::new(text, start);
    let mut number = Number::default();
    let mut group = 0;
    let mut end = None;
    while number.length <= MAX_DIGITS {
        if let Some(digit) = cursor.take(|byte| byte.is_ascii_digit()) {
            number.push(digit - b'0');
            group += 1;
            continue;
        }
        let joined =
            cursor.sees(0, |byte| matches!(byte, b' ' | b'-')) && group >= MIN_GROUP && cursor.sees(1, |byte| byte.is_ascii_digit());
        if number.is_valid() && (joined || !cursor.goes_on(b".")) {
            end = Some(cursor.at);
        }
        if !joined {
            break;
        }
        cursor.at += 1;
        group = 0;
    }
    match end {
        _ if cursor.is_starved() && number.may_go_on() => Candidate::Open,
        Some(end) => Candidate::Match(end),
        None => Candidate::No,
    }
}

/// The digits so far.
#[derive(Default)]
struct Number {
    length: usize,
    /// The first six.
    issuer: u32,
    /// Sums of Luhn's formula: if the last digit is one that counts as it is, and if it is not.
    plain: u32,
    doubled: u32,
}

impl Number {
    fn push(&mut self, digit: u8) {
        let digit = u32::from(digit);
        let twice = if digit > 4 { digit * 2 - 9 } else { digit * 2 };
        (self.plain, self.doubled) = (self.doubled + digit, self.plain + twice);
        self.length += 1;
        if self.length <= 6 {
            self.issuer = self.issuer * 10 + digit;
        }
    }

    fn is_valid(&self) -> bool {
        self.length >= MIN_DIGITS && self.plain.is_multiple_of(10) && self.lengths() >> self.length & 1 != 0
    }

    /// Whether there are numbers with these digits that have as many or more.
    fn may_go_on(&self) -> bool {
        self.lengths().checked_shr(self.length as u32).unwrap_or(0) != 0
    }

    /// Bits of the lengths that the issuers with these first digits have.
    fn lengths(&self) -> u32 {
        let unit = 10_u32.pow(6_u32.saturating_sub(self.length as u32));
        let (first, last) = (self.issuer * unit, self.issuer * unit + unit - 1);
        let issuers = ISSUERS.iter().filter(|(from, to, _)| *from <= last && first <= *to);
        issuers.fold(0, |lengths, issuer| lengths | issuer.2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, finds_nothing};
    use crate::guard::detect::Detector::CreditCard;

    /// Numbers that payment providers publish for tests.
    const TEST_NUMBERS: [&str; 21] = [
        "4111111111111111",
        "4242424242424242",
        "4012888888881881",
        "4000056655665556",
        "4222222222222",
        "5555555555554444",
        "5105105105105100",
        "2223003122003222",
        "5200828282828210",
        "378282246310005",
        "371449635398431",
        "378734493671000",
        "6011111111111117",
        "6011000990139424",
        "3056930009020004",
        "30569309025904",
        "38520000023237",
        "3530111333300000",
        "3566002020360505",
        "6200000000000005",
        "6759649826438453",
    ];

    fn grouped(number: &str, sizes: &[usize], separator: &str) -> String {
        let mut rest = number;
        let mut groups = Vec::new();
        for size in sizes.iter().cycle() {
            let (group, after) = rest.split_at((*size).min(rest.len()));
            groups.push(group);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        groups.join(separator)
    }

    #[test]
    fn finds_the_test_numbers_of_payment_providers() {
        for number in TEST_NUMBERS {
            for written in [
                number.to_owned(),
                grouped(number, &[4], " "),
                grouped(number, &[4], "-"),
                grouped(number, &[4, 6, 5], " "),
                grouped(number, &[4, 6, 4], "-"),
            ] {
                for (before, after) in
                    [("", ""), ("card ", "."), ("(", ")"), ("No. 12 ", ", 12/30"), ("卡号", "，"), ("\"", "\""), ("2026-", "")]
                {
                    finds(CreditCard, &[before, &written, after].concat(), &[&written]);
                }
            }
        }
    }

    #[test]
    fn finds_numbers_that_follow_each_other() {
        finds(CreditCard, "4111111111111111 5555555555554444", &["4111111111111111", "5555555555554444"]);
        finds(CreditCard, "4111 1111 1111 1111 5555 5555 5555 4444", &["4111 1111 1111 1111", "5555 5555 5555 4444"]);
        finds(CreditCard, "2030 4111 1111 1111 1111 123", &["4111 1111 1111 1111"]);
    }

    #[test]
    fn finds_nothing_in_what_is_none() {
        for text in [
            "4111111111111112",
            "4111 1111 1111 1112",
            "411111111111111",
            "1234567890123452",
            "0000000000000000",
            "41111111111111111",
            "14111111111111111",
            "00004111111111111111",
            "4111  1111 1111 1111",
            "4111.1111.1111.1111",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "0.4111111111111111",
            "4111111111111111.5",
            "a4111111111111111",
            "4111111111111111b",
            "id_4111111111111111",
            "1700000000000",
            "79927398713",
            "3782822463100050",
        ] {
            finds_nothing(CreditCard, text);
        }
    }

    #[test]
    fn every_changed_digit_is_noticed() {
        for number in TEST_NUMBERS {
            for at in 0..number.len() {
                let mut changed = number.as_bytes().to_vec();
                changed[at] = b'0' + (changed[at] - b'0' + 3) % 10;
                finds_nothing(CreditCard, std::str::from_utf8(&changed).expect("digits"));
            }
        }
    }
}
