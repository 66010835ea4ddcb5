//! The rate of calls: the generic cell rate algorithm in its virtual-scheduling form (ITU-T
//! Recommendation I.371, annex A).
//!
//! All there is to remember is the theoretical arrival time: when the next call would be due if
//! calls came evenly. Each admitted call moves it on by the emission interval, and a call is
//! admitted if it would not be further ahead than the tolerance. So there is no window at whose
//! edge two bursts meet: any span `d` has at most `burst + d / interval` calls.

use super::Hold;
use crate::config::policy::RequestRate;

const MINUTE_NS: u64 = 60_000_000_000;

/// Workers read the clock a little before they read the record, so an arrival time may be beyond
/// the tolerance by that much. Beyond this it is the clock that has jumped back.
const SKEW_NS: u64 = 2_000_000_000;

/// A rate in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    interval_ns: u64,
    tolerance_ns: u64,
}

impl Rate {
    /// Rounds the interval up, so that the rate is never exceeded.
    pub(super) fn of(rate: RequestRate) -> Self {
        let interval_ns = MINUTE_NS.div_ceil(rate.per_minute.get());
        Self { interval_ns, tolerance_ns: interval_ns.saturating_mul(rate.burst.get()) }
    }

    /// What one call weighs.
    pub(super) fn interval_ns(&self) -> u64 {
        self.interval_ns
    }

    /// The arrival time with one more call, or how long that call has to wait, in nanoseconds.
    pub(super) fn admit(&self, arrival_ns: u64, now_ns: u64) -> Result<u64, u64> {
        let arrival = self.current(arrival_ns, now_ns).saturating_add(self.interval_ns);
        let latest = now_ns.saturating_add(self.tolerance_ns);
        if arrival <= latest { Ok(arrival) } else { Err(arrival - latest) }
    }

    /// How many calls may come at once, and nanoseconds until that is the whole burst again.
    pub(super) fn room(&self, arrival_ns: u64, now_ns: u64) -> (u64, u64) {
        let arrival = self.current(arrival_ns, now_ns);
        let ahead = arrival.saturating_sub(now_ns);
        (self.tolerance_ns.saturating_sub(ahead) / self.interval_ns, ahead)
    }

    /// The arrival time as it counts now. A call too early is refused and writes nothing, so a
    /// time that a jump of the clock left far ahead has to be put right here: one call is admitted,
    /// the burst has to be earned again.
    fn current(&self, arrival_ns: u64, now_ns: u64) -> u64 {
        let latest = now_ns.saturating_add(self.tolerance_ns);
        if arrival_ns > latest.saturating_add(self.tolerance_ns.max(SKEW_NS)) {
            return latest.saturating_sub(self.interval_ns);
        }
        arrival_ns.max(now_ns)
    }
}

/// The arrival time without the part of a call's weight that time has not taken away yet. A call
/// that is given back when its weight is gone gives nothing: otherwise a late one would let through
/// more at once than the burst.
pub(super) fn give_back(arrival_ns: u64, hold: &Hold, now_ns: u64) -> u64 {
    let left = hold.due_ns.saturating_sub(now_ns).min(hold.request_ns);
    arrival_ns.saturating_sub(left)
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU64;

    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn rate(per_minute: u64, burst: u64) -> Rate {
        let number = |n| NonZeroU64::new(n).expect("above 0");
        Rate::of(RequestRate { per_minute: number(per_minute), burst: number(burst) })
    }

    /// Calls that are admitted one after the other at one moment, at most 1,000.
    fn admitted(rate: &Rate, arrival: &mut u64, now: u64) -> usize {
        (0..1000).take_while(|_| rate.admit(*arrival, now).map(|next| *arrival = next).is_ok()).count()
    }

    fn xorshift(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    /// The definition without a state: with the calls admitted so far, every span that ends now has
    /// at most `burst + span / interval` calls, this one included.
    fn conforms(admitted: &[u64], now: u64, interval: u64, burst: u64) -> bool {
        (1..).zip(admitted.iter().rev()).all(|(calls, first)| interval * (calls + 1) <= interval * burst + (now - first))
    }

    #[test]
    fn it_admits_exactly_what_the_definition_admits() {
        let mut random = 0x9e37_79b9_7f4a_7c15;
        for (per_minute, burst) in [(60, 1), (60, 60), (7, 3), (600, 10), (1_000_000, 5), (1, 2)] {
            let (rate, mut now, mut arrival, mut admitted, mut refused) = (rate(per_minute, burst), NOW, 0, Vec::new(), 0);
            for _ in 0..3000 {
                // Mostly faster than the rate, sometimes a pause, sometimes to the nanosecond.
                now += match xorshift(&mut random) % 256 {
                    0 => rate.interval_ns * (xorshift(&mut random) % (2 * burst)),
                    1..16 => rate.interval_ns,
                    16..48 => rate.admit(arrival, now).err().unwrap_or(0),
                    48..80 => rate.admit(arrival, now).err().unwrap_or(1) - 1,
                    80..112 => xorshift(&mut random) % rate.interval_ns,
                    _ => xorshift(&mut random) % (rate.interval_ns / 4),
                };
                let expected = conforms(&admitted, now, rate.interval_ns, burst);
                match rate.admit(arrival, now) {
                    Ok(next) => {
                        assert!(expected, "{per_minute}/{burst}: admitted at {now}");
                        arrival = next;
                        admitted.push(now);
                    }
                    Err(_) => {
                        assert!(!expected, "{per_minute}/{burst}: refused at {now}");
                        refused += 1;
                    }
                }
            }
            assert!(admitted.len() > 500 && refused > 500, "{per_minute}/{burst}: {} and {refused}", admitted.len());
        }
    }

    #[test]
    fn a_burst_is_the_burst_and_not_one_call_more() {
        for burst in [1, 2, 60, 999] {
            let (rate, mut arrival) = (rate(60, burst), 0);
            assert_eq!(admitted(&rate, &mut arrival, NOW), usize::try_from(burst).expect("small"));
            assert_eq!(rate.admit(arrival, NOW), Err(SECOND), "the next one second later");
            assert_eq!(admitted(&rate, &mut arrival, NOW + SECOND - 1), 0);
            assert_eq!(admitted(&rate, &mut arrival, NOW + SECOND), 1);
        }
    }

    #[test]
    fn no_edge_of_a_minute_lets_two_bursts_through() {
        let (rate, mut arrival) = (rate(60, 60), 0);
        let edge = NOW - NOW % MINUTE_NS + MINUTE_NS;
        assert_eq!(admitted(&rate, &mut arrival, edge - 1), 60);
        assert_eq!(admitted(&rate, &mut arrival, edge), 0);
        assert_eq!(admitted(&rate, &mut arrival, edge + 30 * SECOND), 30);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_minute_is_not_exceeded() {
        let (rate, mut arrival) = (rate(7, 7), 0);
        assert_eq!(admitted(&rate, &mut arrival, NOW), 7);
        assert_eq!(admitted(&rate, &mut arrival, NOW + MINUTE_NS), 6, "a minute is a few nanoseconds short of seven intervals");
        assert_eq!(admitted(&rate, &mut arrival, NOW + MINUTE_NS + 10), 1);
    }

    #[test]
    fn the_room_is_what_is_admitted() {
        let (rate, mut arrival) = (rate(600, 10), 0);
        for step in 0..200 {
            let now = NOW + step * 37_000_000;
            let (room, reset) = rate.room(arrival, now);
            let mut probe = arrival;
            assert_eq!(admitted(&rate, &mut probe, now), usize::try_from(room).expect("small"), "step {step}");
            assert_eq!(rate.room(arrival, now + reset).0, 10, "step {step}");
            if step % 3 > 0 {
                admitted(&rate, &mut arrival, now);
            }
        }
    }

    #[test]
    fn a_clock_that_jumps_back_locks_nobody_out() {
        for (per_minute, burst) in [(60, 60), (60, 1), (6000, 1), (1, 1)] {
            let rate = rate(per_minute, burst);
            let longest = rate.tolerance_ns.max(SKEW_NS) + rate.interval_ns;
            for back in [1, rate.interval_ns, rate.tolerance_ns, SKEW_NS, rate.tolerance_ns + SKEW_NS, 3600 * SECOND, NOW - 1] {
                let mut arrival = 0;
                admitted(&rate, &mut arrival, NOW);
                let now = NOW - back;
                let wait = rate.admit(arrival, now).err().unwrap_or(0);
                assert!(wait <= longest, "{per_minute}/{burst} back by {back}: {wait}");
                assert!(rate.admit(arrival, now + wait).is_ok(), "{per_minute}/{burst} back by {back}: not after {wait} either");
                let earned = admitted(&rate, &mut arrival, now + wait);
                assert_eq!(earned, 1, "{per_minute}/{burst} back by {back}: no burst for the jump");
            }
        }
    }

    #[test]
    fn a_worker_that_is_a_little_behind_gets_nothing_on_top() {
        for (per_minute, burst) in [(60, 60), (60, 1), (60_000, 1)] {
            let (rate, mut arrival) = (rate(per_minute, burst), 0);
            admitted(&rate, &mut arrival, NOW);
            for behind in [1, 1000, SECOND, SKEW_NS] {
                assert_eq!(admitted(&rate, &mut arrival, NOW - behind), 0, "{per_minute}/{burst} behind by {behind}");
            }
        }
    }

    #[test]
    fn a_call_given_back_at_once_has_never_been() {
        let rate = rate(60, 5);
        for before in 0..5 {
            let arrival = NOW + before * SECOND;
            let due = rate.admit(arrival, NOW).expect("room");
            let hold = Hold { request_ns: rate.interval_ns, due_ns: due, ..Hold::default() };
            assert_eq!(give_back(due, &hold, NOW), arrival);
        }
    }

    #[test]
    fn a_call_given_back_late_gives_only_what_is_left_of_it() {
        let rate = rate(60, 1);
        let first = rate.admit(0, NOW).expect("room");
        let hold = Hold { request_ns: rate.interval_ns, due_ns: first, ..Hold::default() };
        let later = NOW + 5 * SECOND;
        let second = rate.admit(first, later).expect("room again");
        assert!(rate.admit(give_back(second, &hold, later), later).is_err(), "two at once with a burst of one");
        assert_eq!(give_back(first, &hold, NOW + SECOND / 4), NOW + SECOND / 4);
    }

    #[test]
    fn absurd_numbers_saturate() {
        let rate = rate(1, u64::MAX);
        assert_eq!(rate.admit(0, NOW), Ok(NOW + MINUTE_NS));
        assert!(rate.admit(u64::MAX, u64::MAX).is_ok());
        assert!(rate.room(u64::MAX, 0).0 <= u64::MAX / MINUTE_NS);
    }
}
