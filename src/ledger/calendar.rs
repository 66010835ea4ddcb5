//! The calendar in UTC: where a day, a week or a month ends, and how a moment is written.
//!
//! The two conversions between days and dates are `civil_from_days` and `days_from_civil` of Howard
//! Hinnant's "chrono-Compatible Low-Level Date Algorithms"
//! (<https://howardhinnant.github.io/date_algorithms.html>), for days since 1970 only.

use crate::config::policy::Period;

const DAY_S: u64 = 86_400;

/// Unix second at which the period that `now_s` is in ends; `None` for the one that never does.
pub fn end_s(period: Period, now_s: u64) -> Option<u64> {
    let today = now_s / DAY_S;
    let next = match period {
        Period::Day => today + 1,
        // 1970-01-01 was a Thursday.
        Period::Week => today + 7 - (today + 3) % 7,
        Period::Month => match date(today) {
            (year, 12, _) => days(year + 1, 1, 1),
            (year, month, _) => days(year, month + 1, 1),
        },
        Period::Total => return None,
    };
    Some(next.saturating_mul(DAY_S))
}

/// Unix second at which a date begins, not before 1970.
pub fn day_s(year: u64, month: u64, day: u64) -> u64 {
    days(year, month, day).saturating_mul(DAY_S)
}

/// The longest a period can be, in seconds.
pub(super) fn longest_s(period: Period) -> Option<u64> {
    match period {
        Period::Day => Some(DAY_S),
        Period::Week => Some(7 * DAY_S),
        Period::Month => Some(31 * DAY_S),
        Period::Total => None,
    }
}

/// A moment as RFC 3339 writes it, in UTC: `2026-12-01T00:00:00Z`.
pub fn rfc3339(unix_s: u64) -> String {
    let (year, month, day) = date(unix_s / DAY_S);
    let s = unix_s % DAY_S;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", s / 3600, s / 60 % 60, s % 60)
}

/// Days in 400 years, after which the calendar repeats.
const ERA: u64 = 146_097;

/// From 0000-03-01 to 1970-01-01. Years of these computations begin in March, so that the day that
/// leap years have more is the last one.
const EPOCH: u64 = 719_468;

/// Year, month and day of a day since 1970.
pub fn date(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    // Months 10 and 11 are January and February of the year after.
    let (next, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (era * 400 + year + next, month, day)
}

/// Days since 1970 of a date not before it.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year / 400, year % 400);
    era * ERA + year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1 - EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All days from 1970 on, counted one by one.
    fn every_day() -> impl Iterator<Item = (u64, u64, u64)> {
        let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let length = move |year, month| match month {
            2 if leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        std::iter::successors(Some((1970, 1, 1)), move |(year, month, day)| {
            Some(match (*month, *day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == length(*year, month) => (*year, month + 1, 1),
                (month, day) => (*year, month, day + 1),
            })
        })
    }

    #[test]
    fn days_are_dates_and_dates_are_days_for_seven_hundred_years() {
        for (number, (year, month, day)) in (0..260_000).zip(every_day()) {
            assert_eq!(date(number), (year, month, day), "day {number}");
            assert_eq!(days(year, month, day), number, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn periods_end_when_the_next_day_week_or_month_begins() {
        let cases = [
            (Period::Day, "2026-11-22T19:15:00Z", "2026-11-23T00:00:00Z"),
            (Period::Day, "2024-02-28T23:59:59Z", "2024-02-29T00:00:00Z"),
            (Period::Day, "2023-02-28T23:59:59Z", "2023-03-01T00:00:00Z"),
            (Period::Day, "2024-12-31T00:00:00Z", "2025-01-01T00:00:00Z"),
            // 2026-11-22 is a Sunday, the last day of its ISO week.
            (Period::Week, "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"),
            (Period::Week, "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Period::Week, "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"),
            (Period::Week, "2024-12-30T12:00:00Z", "2025-01-06T00:00:00Z"),
            (Period::Month, "2026-11-22T19:15:00Z", "2026-12-01T00:00:00Z"),
            (Period::Month, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            (Period::Month, "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            (Period::Month, "2100-02-28T12:00:00Z", "2100-03-01T00:00:00Z"),
            (Period::Month, "2000-02-29T12:00:00Z", "2000-03-01T00:00:00Z"),
        ];
        for (period, now, end) in cases {
            assert_eq!(end_s(period, unix(now)).map(rfc3339).as_deref(), Some(end), "{period:?} of {now}");
        }
        assert_eq!(end_s(Period::Total, unix("2026-11-22T19:15:00Z")), None);
    }

    #[test]
    fn every_end_is_ahead_and_no_further_than_the_longest_period() {
        for period in [Period::Day, Period::Week, Period::Month] {
            let longest = longest_s(period).expect("bounded");
            for now in (0..20_000).map(|step| step * 200_003) {
                let end = end_s(period, now).expect("an end");
                assert!(end > now && end - now <= longest, "{period:?} at {now}");
                assert_eq!(end_s(period, end - 1), Some(end), "{period:?} at {now}");
            }
        }
    }

    #[test]
    fn moments_are_written_to_the_second() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(4_107_542_399), "2100-02-28T23:59:59Z");
    }

    fn unix(moment: &str) -> u64 {
        let numbers: Vec<u64> = moment.split(['-', 'T', ':', 'Z']).filter_map(|number| number.parse().ok()).collect();
        let [year, month, day, h, m, s] = numbers.try_into().expect("six numbers");
        days(year, month, day) * DAY_S + h * 3600 + m * 60 + s
    }
}
