//! Figures as people read them: three digits that matter, a unit, nothing where there is nothing.

/// For what there is none of.
pub(super) const NONE: &str = "–";

/// Something per second, or so many of something.
pub(super) fn amount(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 0.01 => "<0.01".to_owned(),
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v if v < 9_999.5 => format!("{v:.0}"),
        v if v < 99_950.0 => format!("{:.1}k", v / 1e3),
        v if v < 999_500.0 => format!("{:.0}k", v / 1e3),
        v if v < 99.95e6 => format!("{:.1}M", v / 1e6),
        v => format!("{:.0}M", v / 1e6),
    }
}

/// So many whole things.
pub(super) fn count(value: u64) -> String {
    if value < 10_000 { value.to_string() } else { amount(value as f64) }
}

/// Milliseconds.
pub(super) fn duration(ms: Option<f64>) -> String {
    match ms {
        None => NONE.to_owned(),
        Some(ms) if ms < 9.95 => format!("{ms:.1} ms"),
        Some(ms) if ms < 999.5 => format!("{ms:.0} ms"),
        Some(ms) if ms < 99_950.0 => format!("{:.1} s", ms / 1e3),
        Some(ms) => format!("{:.0} s", ms / 1e3),
    }
}

/// US dollars.
pub(super) fn dollars(usd: f64) -> String {
    match usd {
        0.0 => "$0".to_owned(),
        v if v < 0.000_1 => "<$0.0001".to_owned(),
        v if v < 0.1 => format!("${v:.4}"),
        v if v < 999.995 => format!("${v:.2}"),
        v => format!("${}", amount(v)),
    }
}

/// A share.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        None => NONE.to_owned(),
        Some(0.0) => "0 %".to_owned(),
        Some(share) if share < 0.001 => "<0.1 %".to_owned(),
        Some(share) if share < 0.0995 => format!("{:.1} %", share * 100.0),
        Some(share) => format!("{:.0} %", share * 100.0),
    }
}

/// How long something has lasted.
pub(super) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_that_matter() {
        for (value, expected) in [
            (0.0, "0"),
            (0.004, "<0.01"),
            (0.25, "0.25"),
            (9.999, "10.0"),
            (41.26, "41.3"),
            (99.96, "100"),
            (1_234.0, "1234"),
            (12_345.0, "12.3k"),
            (123_456.0, "123k"),
            (1_234_567.0, "1.2M"),
            (123_456_789.0, "123M"),
        ] {
            assert_eq!(amount(value), expected, "{value}");
        }
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!([Some(0.41), Some(41.2), Some(999.6), Some(61_500.0), None].map(duration), ["0.4 ms", "41 ms", "1.0 s", "61.5 s", "–"]);
        assert_eq!([0.0, 0.000_01, 0.0123, 4.2, 1_234.5, 45_678.0].map(dollars), ["$0", "<$0.0001", "$0.0123", "$4.20", "$1234", "$45.7k"]);
        assert_eq!(
            [None, Some(0.0), Some(0.0004), Some(0.0123), Some(0.5), Some(1.0)].map(percent),
            ["–", "0 %", "<0.1 %", "1.2 %", "50 %", "100 %"]
        );
        assert_eq!([5, 65, 3_700, 90_000].map(age), ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
    }
}
