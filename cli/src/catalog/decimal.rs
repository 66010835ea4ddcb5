//! Decimals as they are written. Prices are read and written as text: a binary fraction of 0.0000003
//! times a million is 0.30000000000000004 at worst, and nobody charges that.

use std::fmt;

/// A number that is not negative: `digits` × 10^`exponent`. Without zeros at the end of `digits`, so that
/// what is equal is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u64,
    exponent: i32,
}

/// Digits behind these are the noise of whoever computed the figure in binary fractions.
const SIGNIFICANT: usize = 12;

/// No price or size has an exponent beyond; keeps what is printed short.
const MAX_EXPONENT: i32 = 30;

impl Decimal {
    /// Reads a number as JSON and YAML write them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.strip_prefix('+').unwrap_or(exponent).parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) || !(-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent) {
            return None;
        }
        let kept = all.trim_start_matches('0');
        let (kept, rest) = kept.split_at_checked(SIGNIFICANT).unwrap_or((kept, ""));
        let round_up = rest.bytes().next().is_some_and(|digit| digit >= b'5');
        let digits = if kept.is_empty() { 0 } else { kept.parse::<u64>().ok()? } + u64::from(round_up);
        let exponent = exponent + i32::try_from(rest.len()).ok()? - i32::try_from(fraction.len()).ok()?;
        Some(Self { digits, exponent }.normal())
    }

    /// A million times as much.
    pub(super) fn millionfold(self) -> Self {
        Self { exponent: self.exponent + 6, ..self }.normal()
    }

    /// About as much, for comparing magnitudes.
    pub(super) fn approximate(self) -> f64 {
        self.digits as f64 * 10_f64.powi(self.exponent)
    }

    pub(super) fn is_zero(self) -> bool {
        self.digits == 0
    }

    fn normal(mut self) -> Self {
        if self.digits == 0 {
            return Self { digits: 0, exponent: 0 };
        }
        while self.digits.is_multiple_of(10) {
            self = Self { digits: self.digits / 10, exponent: self.exponent + 1 };
        }
        self
    }
}

impl From<u64> for Decimal {
    fn from(count: u64) -> Self {
        Self { digits: count, exponent: 0 }.normal()
    }
}

/// As prices are written, with two decimals at least.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = usize::try_from(-self.exponent).unwrap_or(0);
        let zeros = "0".repeat(usize::try_from(self.exponent).unwrap_or(0));
        let digits = format!("{}{zeros}", self.digits);
        let digits = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        write!(f, "{whole}.{fraction:0<2}")
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn a_price_per_token_becomes_one_per_million_without_noise() {
        for (per_token, expected) in [
            ("3e-06", "3.00"),
            ("3e-07", "0.30"),
            ("2.5E-6", "2.50"),
            ("0.00000125", "1.25"),
            ("1.25e-06", "1.25"),
            ("7.5e-08", "0.075"),
            ("1.249997e-05", "12.49997"),
            ("3.0000000000000004e-07", "0.30"),
            ("2.9999999999999997e-07", "0.30"),
            ("0.0", "0.00"),
            ("0", "0.00"),
            ("1e-12", "0.000001"),
            ("0.00015", "150.00"),
            ("12", "12000000.00"),
            ("1e+1", "10000000.00"),
        ] {
            let price = Decimal::parse(per_token).unwrap_or_else(|| panic!("{per_token}"));
            assert_eq!(price.millionfold().to_string(), expected, "{per_token}");
        }
    }

    #[test]
    fn what_is_equal_is_the_same_however_it_is_written() {
        for (a, b, equal) in [
            ("3", "3.00", true),
            ("3.0e0", "0.3e1", true),
            ("0", "0.000", true),
            ("300", "3e2", true),
            ("0.3", "0.03", false),
            ("3", "30", false),
        ] {
            assert_eq!(Decimal::parse(a) == Decimal::parse(b), equal, "{a} and {b}");
        }
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        for text in ["", ".", "-1", "abc", "1e", "1e99", "1.2.3", "\"3\"", "null", "NaN", "0x10", "1_000", "+1", "1e999999999999"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
