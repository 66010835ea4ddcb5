//! What calls under way have reserved, summed by when the reservations end by themselves.
//!
//! Ends are rounded up to an eighth of a lease in whole seconds, so that a thousand calls under way take ten entries
//! and not a thousand. A reservation is taken out of the sum it was put into, whose end its
//! [`Hold`] names; what is never taken out goes with its sum.

use super::Hold;

/// Sums kept. Leases of one length have ten at most; this is room for a second length after a
/// change of configuration.
pub(super) const MOST: usize = 24;

/// A reservation that ends later than this is not ours: no call lasts so long.
const LONGEST_S: u64 = 86_400;

/// Reservations that end at the same second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lease {
    /// Unix second; 0 for no reservation.
    pub(super) expires_s: u64,
    pub(super) tokens: u64,
    pub(super) nano_usd: u64,
}

/// All reservations of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Leases([Lease; MOST]);

impl Leases {
    /// Drops what has ended.
    pub(super) fn expire(&mut self, now_s: u64) {
        let lasting = now_s + 1..=now_s.saturating_add(2 * LONGEST_S);
        self.0.iter_mut().filter(|lease| !lasting.contains(&lease.expires_s)).for_each(|lease| *lease = Lease::default());
    }

    /// Tokens and nano-dollars of all reservations.
    pub(super) fn reserved(&self) -> (u64, u64) {
        self.iter().fold((0, 0), |(tokens, nano), lease| (tokens.saturating_add(lease.tokens), nano.saturating_add(lease.nano_usd)))
    }

    /// Adds a reservation and returns the Unix second at which it ends.
    pub(super) fn reserve(&mut self, tokens: u64, nano_usd: u64, lease_ms: u64, now_ms: u64) -> u64 {
        let lease_ms = lease_ms.min(LONGEST_S * 1000);
        let grain_s = lease_ms.div_ceil(8000).max(1);
        let expires_s = now_ms.saturating_add(lease_ms).div_ceil(grain_s.saturating_mul(1000)).saturating_mul(grain_s);
        let Some(lease) = self.place(expires_s) else { return 0 };
        lease.tokens = lease.tokens.saturating_add(tokens);
        lease.nano_usd = lease.nano_usd.saturating_add(nano_usd);
        lease.expires_s
    }

    /// Takes a reservation out, if it has not ended.
    pub(super) fn release(&mut self, hold: &Hold) {
        let Some(lease) = self.0.iter_mut().find(|lease| lease.expires_s == hold.expires_s) else { return };
        lease.tokens = lease.tokens.saturating_sub(hold.tokens);
        lease.nano_usd = lease.nano_usd.saturating_sub(hold.nano_usd);
        if (lease.tokens, lease.nano_usd) == (0, 0) {
            *lease = Lease::default();
        }
    }

    /// The sums there are.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.0.iter().filter(|lease| lease.expires_s > 0)
    }

    /// The reverse of [`iter`](Self::iter), of no reservations.
    pub(super) fn fill(&mut self, entries: impl Iterator<Item = Lease>) {
        self.0.iter_mut().zip(entries).for_each(|(lease, entry)| *lease = entry);
    }

    /// The sum that ends then, or a new one. Without room for another it is the one that ends last:
    /// sooner or later than wanted, but counted.
    fn place(&mut self, expires_s: u64) -> Option<&mut Lease> {
        let same = self.0.iter().position(|lease| lease.expires_s == expires_s);
        let free = || self.0.iter().position(|lease| lease.expires_s == 0);
        let last = || self.0.iter().enumerate().max_by_key(|(_, lease)| lease.expires_s).map(|(index, _)| index);
        if let Some(index) = same {
            return self.0.get_mut(index);
        }
        let Some(index) = free() else { return last().and_then(|index| self.0.get_mut(index)) };
        let lease = self.0.get_mut(index)?;
        lease.expires_s = expires_s;
        Some(lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_123;

    fn hold(tokens: u64, nano_usd: u64, expires_s: u64) -> Hold {
        Hold { tokens, nano_usd, expires_s, ..Hold::default() }
    }

    #[test]
    fn a_reservation_lasts_its_lease_and_at_most_an_eighth_longer() {
        for lease_ms in [1, 999, 1000, 8000, 60_000, 630_000, 3_600_000] {
            for now_ms in (NOW_MS..NOW_MS + 200_000).step_by(7_919) {
                let mut leases = Leases::default();
                let expires_ms = 1000 * leases.reserve(5, 7, lease_ms, now_ms);
                let grain_ms = lease_ms.div_ceil(8000).max(1) * 1000;
                assert!(expires_ms >= now_ms + lease_ms && expires_ms < now_ms + lease_ms + grain_ms, "{lease_ms} at {now_ms}");
                leases.expire(expires_ms / 1000 - 1);
                assert_eq!(leases.reserved(), (5, 7));
                leases.expire(expires_ms / 1000);
                assert_eq!(leases, Leases::default());
            }
        }
    }

    #[test]
    fn any_number_of_calls_under_way_takes_ten_sums() {
        for lease_ms in [1000, 5000, 8000, 10_000, 15_999, 60_000, 63_999, 630_000] {
            let mut leases = Leases::default();
            for step in 0..20_000 {
                let now_ms = NOW_MS + step * lease_ms / 1000;
                leases.expire(now_ms / 1000);
                leases.reserve(1, 1, lease_ms, now_ms);
                assert!(leases.iter().count() <= 10, "{lease_ms}: {}", leases.iter().count());
            }
        }
    }

    #[test]
    fn what_is_reserved_and_released_in_any_order_leaves_nothing() {
        let (mut leases, mut holds, mut random) = (Leases::default(), Vec::new(), 0x2545_f491_4f6c_dd1d_u64);
        for step in 0..5000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let now_ms = NOW_MS + step * 50;
            if holds.is_empty() || random % 5 < 3 {
                let (tokens, nano) = (random % 3 * 1000, 1 + (random >> 20) % 100);
                holds.push(hold(tokens, nano, leases.reserve(tokens, nano, 600_000, now_ms)));
            } else {
                let index = usize::try_from(random >> 33).expect("31 bits") % holds.len();
                leases.release(&holds.swap_remove(index));
            }
            let sums = holds.iter().fold((0, 0), |(tokens, nano), hold| (tokens + hold.tokens, nano + hold.nano_usd));
            assert_eq!(leases.reserved(), sums);
        }
        assert!(holds.len() > 100);
        holds.iter().for_each(|hold| leases.release(hold));
        assert_eq!(leases, Leases::default());
    }

    #[test]
    fn tokens_and_money_of_one_sum_are_released_apart() {
        let mut leases = Leases::default();
        let expires_s = leases.reserve(5, 0, 60_000, NOW_MS);
        assert_eq!(leases.reserve(0, 7, 60_000, NOW_MS), expires_s);
        leases.release(&hold(5, 0, expires_s));
        assert_eq!(leases.reserved(), (0, 7));
        leases.release(&hold(0, 7, expires_s));
        assert_eq!(leases, Leases::default());
    }

    #[test]
    fn a_release_after_the_end_takes_nothing_from_others() {
        let mut leases = Leases::default();
        let first = hold(5, 5, leases.reserve(5, 5, 60_000, NOW_MS));
        leases.expire(first.expires_s);
        leases.reserve(3, 3, 60_000, first.expires_s * 1000);
        leases.release(&first);
        assert_eq!(leases.reserved(), (3, 3));
    }

    #[test]
    fn without_room_for_another_sum_a_reservation_is_counted_and_can_be_released() {
        let mut leases = Leases::default();
        for second in 0..MOST as u64 {
            leases.reserve(1, 0, 1000, NOW_MS + second * 1000);
        }
        let late = hold(7, 0, leases.reserve(7, 0, 600_000, NOW_MS));
        assert_eq!(leases.reserved(), (31, 0));
        leases.release(&late);
        assert_eq!(leases.reserved(), (24, 0));
    }

    #[test]
    fn a_reservation_that_lasts_beyond_any_call_is_not_believed() {
        let entry = Lease { expires_s: u64::MAX, tokens: u64::MAX, nano_usd: u64::MAX };
        let mut leases = Leases::default();
        leases.fill([entry].into_iter());
        leases.expire(NOW_MS / 1000);
        assert_eq!(leases.reserved(), (0, 0));
    }
}
