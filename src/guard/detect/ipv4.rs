//! Addresses of hosts, four numbers from 0 to 255 with points between them.

use super::{Candidate, Cursor, Text};

/// Bytes of the longest match.
pub(super) const LONGEST: usize = 15;

/// Whether one begins at `start`. A fifth number makes it the number of a version or of an object.
pub(super) fn candidate(text: Text<'_>, start: usize) -> Candidate {
    if text.continues_a_word(start) || text.before(start) == Some(b'.') {
        return Candidate::No;
    }
    let mut cursor = Cursor::new(text, start);
    for octet in 0..4 {
        if octet > 0 && cursor.take(|byte| byte == b'.').is_none() {
            return if cursor.is_starved() { Candidate::Open } else { Candidate::No };
        }
        let (mut value, mut digits) = (0, 0);
        while digits < 3
            && let Some(digit) = cursor.take(|byte| byte.is_ascii_digit())
        {
            value = value * 10 + u16::from(digit - b'0');
            digits += 1;
        }
        if value > 255 {
            return Candidate::No;
        }
        if digits == 0 {
            return if cursor.is_starved() { Candidate::Open } else { Candidate::No };
        }
    }
    let more = cursor.goes_on(b".");
    match (cursor.is_starved(), more) {
        (true, _) => Candidate::Open,
        (false, true) => Candidate::No,
        (false, false) => Candidate::Match(cursor.at),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, finds_nothing};
    use crate::guard::detect::Detector::Ipv4;

    #[test]
    fn finds_addresses() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("http://198.51.100.255:8080/", "198.51.100.255"),
            ("at 203.0.113.7.", "203.0.113.7"),
            ("0.0.0.0/0", "0.0.0.0"),
            ("[255.255.255.255]", "255.255.255.255"),
            ("地址10.0.0.1。", "10.0.0.1"),
            ("192.168.001.001", "192.168.001.001"),
        ] {
            finds(Ipv4, text, &[expected]);
        }
        finds(Ipv4, "10.0.0.1-10.0.0.9", &["10.0.0.1", "10.0.0.9"]);
    }

    #[test]
    fn finds_nothing_in_what_is_none() {
        for text in [
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.1.1.256",
            "1.2.3.1000",
            "1000.2.3.4",
            "v1.2.3.4",
            "1.2.3.4a",
            "1.2.3.4_5",
            ".1.2.3.4",
            "1..2.3.4",
            "1.2.3.",
            "1,2.3.4",
            "3.14",
            "1.3.6.1.4.1.311",
        ] {
            finds_nothing(Ipv4, text);
        }
    }
}
