//! The time in which hits are counted together, by the clock in UTC.
//!
//! Its name goes into the descriptor, so that every service counts *our* windows, however its own are
//! aligned: what it calls a window only decides when it forgets.

use crate::config::policy::Period;
use crate::config::sharing::Span;
use crate::ledger::calendar;

const NS_PER_S: u64 = 1_000_000_000;
const MINUTE_S: u64 = 60;
const DAY_S: u64 = 86_400;

/// One window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Unix second at which it begins, which tells it from others of its span; 0 for the one without end.
    pub(super) begins_s: u64,
    /// Unix second at which it ends; `u64::MAX` for never.
    pub(super) ends_s: u64,
}

impl Window {
    /// The window of a moment.
    pub(super) fn at(span: Span, now_ns: u64) -> Self {
        let now_s = now_ns / NS_PER_S;
        let period = match span {
            Span::Minute => {
                let begins_s = now_s - now_s % MINUTE_S;
                return Self { begins_s, ends_s: begins_s + MINUTE_S };
            }
            Span::Period(period) => period,
        };
        let Some(ends_s) = calendar::end_s(period, now_s) else { return Self { begins_s: 0, ends_s: u64::MAX } };
        let begins_s = match period {
            Period::Day => ends_s.saturating_sub(DAY_S),
            // The first week of 1970 began before it.
            Period::Week => ends_s.saturating_sub(7 * DAY_S),
            Period::Month | Period::Total => {
                let (year, month, _) = calendar::date(now_s / DAY_S);
                calendar::day_s(year, month, 1)
            }
        };
        Self { begins_s, ends_s }
    }

    /// Its name: `2026-11-23T04:32Z`, `2026-11-23`, `2026-W48`, `2026-11` or `total`.
    pub(super) fn name(&self, span: Span) -> String {
        let (year, month, day) = calendar::date(self.begins_s / DAY_S);
        match span {
            Span::Minute => {
                let minute = self.begins_s % DAY_S / MINUTE_S;
                format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}Z", minute / 60, minute % 60)
            }
            Span::Period(Period::Day) => format!("{year:04}-{month:02}-{day:02}"),
            Span::Period(Period::Week) => {
                // A week belongs to the year that its Thursday is in (ISO 8601).
                let thursday = self.begins_s / DAY_S + 3;
                let (year, ..) = calendar::date(thursday);
                let week = (thursday - calendar::day_s(year, 1, 1) / DAY_S) / 7 + 1;
                format!("{year:04}-W{week:02}")
            }
            Span::Period(Period::Month) => format!("{year:04}-{month:02}"),
            Span::Period(Period::Total) => "total".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_named_as_the_clock_and_the_calendar_do_and_ends_where_the_next_begins() {
        // (moment, span, name); 2020-12-31 is in the 53rd week of 2020, as is 2021-01-03.
        let day = |year, month, day| calendar::day_s(year, month, day);
        for (now_s, span, name) in [
            (day(2026, 11, 23) + 16_379, Span::Minute, "2026-11-23T04:32Z"),
            (day(2026, 11, 23) + 86_399, Span::Period(Period::Day), "2026-11-23"),
            (day(2026, 11, 23), Span::Period(Period::Week), "2026-W48"),
            (day(2020, 12, 31), Span::Period(Period::Week), "2020-W53"),
            (day(2021, 1, 3), Span::Period(Period::Week), "2020-W53"),
            (day(2021, 1, 4), Span::Period(Period::Week), "2021-W01"),
            (day(2024, 2, 29), Span::Period(Period::Month), "2024-02"),
            (day(2024, 2, 29), Span::Period(Period::Total), "total"),
        ] {
            let window = Window::at(span, now_s * NS_PER_S);
            assert_eq!(window.name(span), name);
            assert!(window.begins_s <= now_s && now_s < window.ends_s, "{name}");
            if window.ends_s < u64::MAX {
                assert_eq!(Window::at(span, window.ends_s * NS_PER_S).begins_s, window.ends_s, "after {name}");
                assert_eq!(Window::at(span, window.ends_s * NS_PER_S - 1), window, "{name}");
            }
        }
    }
}
