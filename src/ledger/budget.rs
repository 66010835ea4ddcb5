//! What was spent in the current calendar period.
//!
//! The record keeps the period and its end, so a charge that comes after the end begins the next
//! period by itself, without knowing the configuration.

use super::calendar;
use crate::config::policy::Period;

/// Money charged in a period. Without a period nothing is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spent {
    period: Option<Period>,
    /// Unix second; `u64::MAX` for ever.
    ends_s: u64,
    nano: u64,
}

impl Spent {
    /// Begins the next period if this one is over.
    ///
    /// A clock that is behind, by an instant between workers or by up to a period after a jump,
    /// stays in the period that has begun: going back would forget what was spent, and forget it
    /// again on the way forward. An end further ahead than that comes from a clock that was wrong;
    /// what was spent still counts.
    pub(super) fn roll(&mut self, now_s: u64) {
        let Some((period, longest)) = self.period.and_then(|period| Some((period, calendar::longest_s(period)?))) else { return };
        let over = self.ends_s <= now_s;
        if over {
            self.nano = 0;
        }
        if over || self.ends_s - now_s > 2 * longest {
            self.ends_s = calendar::end_s(period, now_s).unwrap_or(u64::MAX);
        }
    }

    /// Counts by this period. If it was another one until now, counting starts anew.
    pub(super) fn keep(&mut self, period: Period, now_s: u64) {
        if self.period != Some(period) {
            *self = Self { period: Some(period), ends_s: calendar::end_s(period, now_s).unwrap_or(u64::MAX), nano: 0 };
        }
    }

    /// Adds nano-dollars.
    pub(super) fn charge(&mut self, nano: u64) {
        if self.period.is_some() {
            self.nano = self.nano.saturating_add(nano);
        }
    }

    /// Nano-dollars.
    pub(super) fn nano(&self) -> u64 {
        self.nano
    }

    /// Unix second of the end, if there is one.
    pub(super) fn resets_at_s(&self) -> Option<u64> {
        (self.ends_s != u64::MAX).then_some(self.ends_s)
    }

    /// Period, end and nano-dollars.
    pub(super) fn parts(&self) -> (Option<Period>, u64, u64) {
        (self.period, self.ends_s, self.nano)
    }

    /// The reverse of [`parts`](Self::parts).
    pub(super) fn from_parts(period: Option<Period>, ends_s: u64, nano: u64) -> Self {
        Self { period, ends_s, nano }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z, a Tuesday.
    const NOW: u64 = 1_700_000_000;
    const DAY: u64 = 86_400;

    fn spent(period: Period, nano: u64) -> Spent {
        let mut spent = Spent::default();
        spent.keep(period, NOW);
        spent.charge(nano);
        spent
    }

    fn at(mut spent: Spent, now_s: u64) -> Spent {
        spent.roll(now_s);
        spent
    }

    #[test]
    fn a_period_ends_to_the_second_and_the_next_begins_at_nothing() {
        for period in [Period::Day, Period::Week, Period::Month] {
            let before = spent(period, 7);
            let end = before.resets_at_s().expect("an end");
            assert_eq!(at(before, end - 1), before, "{period:?}");
            let after = at(before, end);
            assert_eq!(after.nano(), 0, "{period:?}");
            assert_eq!(after.resets_at_s(), calendar::end_s(period, end), "{period:?}");
        }
    }

    #[test]
    fn a_charge_after_periods_of_silence_belongs_to_the_current_one() {
        let mut spent = at(spent(Period::Month, 7), NOW + 400 * DAY);
        spent.charge(3);
        assert_eq!(spent.nano(), 3);
        assert_eq!(spent.resets_at_s(), calendar::end_s(Period::Month, NOW + 400 * DAY));
    }

    #[test]
    fn a_total_never_ends() {
        let spent = spent(Period::Total, 7);
        assert_eq!((at(spent, u64::MAX - 1).nano(), spent.resets_at_s()), (7, None));
    }

    #[test]
    fn a_worker_whose_clock_is_behind_does_not_go_back() {
        let end = spent(Period::Day, 7).resets_at_s().expect("an end");
        let mut next = at(spent(Period::Day, 7), end);
        next.charge(2);
        assert_eq!(at(next, end - 1), next);
        assert_eq!(at(at(next, end - 1), end), next);
    }

    #[test]
    fn an_end_that_a_wrong_clock_left_far_ahead_is_put_right() {
        for period in [Period::Day, Period::Week, Period::Month] {
            let mut ahead = Spent::default();
            ahead.keep(period, NOW + 500 * DAY);
            ahead.charge(7);
            let now = at(ahead, NOW);
            assert_eq!((now.nano(), now.resets_at_s()), (7, calendar::end_s(period, NOW)), "{period:?}");
        }
    }

    #[test]
    fn another_kind_of_period_counts_from_nothing_and_none_counts_nothing() {
        let mut spent = spent(Period::Month, 7);
        spent.keep(Period::Month, NOW);
        assert_eq!(spent.nano(), 7);
        spent.keep(Period::Day, NOW);
        assert_eq!(spent.nano(), 0);
        let mut none = Spent::default();
        none.charge(7);
        assert_eq!(none, Spent::default());
    }
}
