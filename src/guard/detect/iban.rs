//! Numbers of bank accounts (ISO 13616), together or in groups of four.

use super::{Candidate, Cursor, Text};

/// Characters of the longest number that the standard allows.
const MAX_CHARACTERS: usize = 34;

/// Bytes of the longest match.
pub(super) const LONGEST: usize = MAX_CHARACTERS + MAX_CHARACTERS / 4;

/// Countries and how many characters their numbers have: the registry that SWIFT keeps
/// (<https://www.swift.com/standards/data-standards/iban-international-bank-account-number>, release 99).
const COUNTRIES: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18\
FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31\
MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

/// Whether one begins at `start`: of a country that has them, as long as they are there, with check digits
/// that fit.
pub(super) fn candidate(text: Text<'_>, start: usize) -> Candidate {
    if text.continues_a_word(start) {
        return Candidate::No;
    }
    let mut cursor = Cursor::new(text, start);
    let (mut length, mut at) = (4, 0);
    let mut country = [0; 2];
    // The check digits and the country count behind the rest of the number.
    let (mut head, mut rest) = (Remainder::default(), Remainder::default());
    while at < length {
        if at > 0 && at % 4 == 0 {
            cursor.take(|byte| byte == b' ');
        }
        let is = |byte: u8| match at {
            0 | 1 => byte.is_ascii_alphabetic(),
            2 | 3 => byte.is_ascii_digit(),
            _ => byte.is_ascii_alphanumeric(),
        };
        let Some(byte) = cursor.take(is) else {
            let known = at != 1 || COUNTRIES.chunks_exact(4).any(|row| row.first() == country.first());
            return if cursor.is_starved() && known { Candidate::Open } else { Candidate::No };
        };
        let byte = byte.to_ascii_uppercase();
        if let Some(letter) = country.get_mut(at) {
            *letter = byte;
        }
        if at == 1 {
            match characters(country) {
                Some(characters) => length = characters,
                None => return Candidate::No,
            }
        }
        if at < 4 {
            head.push(byte)
        } else {
            rest.push(byte)
        }
        at += 1;
    }
    if !rest.followed_by(head).is_one() {
        return Candidate::No;
    }
    let more = cursor.goes_on(b"");
    match (cursor.is_starved(), more) {
        (true, _) => Candidate::Open,
        (false, true) => Candidate::No,
        (false, false) => Candidate::Match(cursor.at),
    }
}

fn characters(country: [u8; 2]) -> Option<usize> {
    let row = COUNTRIES.chunks_exact(4).find(|row| row.starts_with(&country))?;
    let digit = |at: usize| row.get(at).map(|digit| usize::from(digit - b'0'));
    Some(digit(2)? * 10 + digit(3)?)
}

/// A number of many digits, modulo 97 (ISO/IEC 7064), and the power of ten behind its last digit.
struct Remainder {
    value: u32,
    power: u32,
}

impl Default for Remainder {
    fn default() -> Self {
        Self { value: 0, power: 1 }
    }
}

impl Remainder {
    /// A digit, or a letter as a number of two digits.
    fn push(&mut self, byte: u8) {
        let (number, unit) = if byte.is_ascii_digit() { (byte - b'0', 10) } else { (byte - b'A' + 10, 100) };
        self.value = (self.value * unit + u32::from(number)) % 97;
        self.power = self.power * unit % 97;
    }

    fn followed_by(self, next: Self) -> Self {
        Self { value: (self.value * next.power + next.value) % 97, power: self.power * next.power % 97 }
    }

    fn is_one(&self) -> bool {
        self.value == 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, finds_nothing};
    use super::{COUNTRIES, LONGEST};
    use crate::guard::detect::Detector::Iban;

    /// Examples of the registry.
    const EXAMPLES: [&str; 24] = [
        "AD1200012030200359100100",
        "AE070331234567890123456",
        "AT611904300234573201",
        "BE68539007547034",
        "BR1800360305000010009795493C1",
        "CH9300762011623852957",
        "CY17002001280000001200527600",
        "CZ6508000000192000145399",
        "DE89370400440532013000",
        "DK5000400440116243",
        "ES9121000418450200051332",
        "FI2112345600000785",
        "FR1420041010050500013M02606",
        "GB29NWBK60161331926819",
        "GB82WEST12345698765432",
        "GR1601101250000000012300695",
        "IE29AIBK93115212345678",
        "IT60X0542811101000000123456",
        "LC55HEMM000100010012001200023015",
        "MT84MALT011000012345MTLCAST001S",
        "NL91ABNA0417164300",
        "NO9386011117947",
        "PL61109010140000071219812874",
        "SE4550000000058398257466",
    ];

    fn grouped(number: &str) -> String {
        let groups: Vec<&str> = number.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).expect("ASCII")).collect();
        groups.join(" ")
    }

    #[test]
    fn finds_the_examples_of_the_registry() {
        for number in EXAMPLES {
            for written in [number.to_owned(), grouped(number), number.to_lowercase()] {
                assert!(written.len() <= LONGEST);
                for (before, after) in
                    [("", ""), ("IBAN ", "."), ("IBAN:", ","), ("(", ")"), ("账号", "。"), ("DE ", " 12"), ("12 ", " EUR")]
                {
                    finds(Iban, &[before, &written, after].concat(), &[&written]);
                }
            }
        }
    }

    #[test]
    fn finds_nothing_in_what_is_none() {
        for text in [
            "DE88370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "XX89370400440532013000",
            "DE89 3704 0044 0532 0130 0",
            "DE89  3704 0044 0532 0130 00",
            "DE8 9370 4004 4053 2013 000",
            "ADE89370400440532013000",
            "1DE89370400440532013000",
            "89370400440532013000",
            "GB82-WEST-1234-5698-7654-32",
            "utf16",
            "is 12 at 34",
        ] {
            finds_nothing(Iban, text);
        }
    }

    #[test]
    fn every_changed_digit_is_noticed() {
        for number in EXAMPLES {
            for at in (2..number.len()).filter(|at| number.as_bytes()[*at].is_ascii_digit()) {
                let mut changed = number.as_bytes().to_vec();
                changed[at] = b'0' + (changed[at] - b'0' + 3) % 10;
                finds_nothing(Iban, std::str::from_utf8(&changed).expect("ASCII"));
            }
        }
    }

    #[test]
    fn the_table_of_countries_is_well_formed() {
        let rows: Vec<&[u8]> = COUNTRIES.chunks(4).collect();
        assert_eq!(rows.len(), 89);
        assert!(rows.is_sorted());
        let fits = |row: &[u8]| matches!(row, [b'A'..=b'Z', b'A'..=b'Z', b'1'..=b'3', b'0'..=b'9']);
        assert!(rows.iter().all(|row| fits(row)));
    }
}
