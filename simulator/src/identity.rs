//! The ids and times that one answer carries: unique in a run, without a source of randomness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What makes one answer different from the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    seed: u64,
    /// Unix time in seconds.
    pub(crate) created: u64,
}

static ISSUED: AtomicU64 = AtomicU64::new(0);

impl Identity {
    pub(crate) fn issue() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let serial = ISSUED.fetch_add(1, Ordering::Relaxed);
        Self { seed: mix(now.as_secs() << 24 ^ serial), created: now.as_secs() }
    }

    /// 24 letters and digits, as in `chatcmpl-…`, `msg_…` or `call_…`; `salt` tells ids of one answer apart.
    pub(crate) fn token(&self, salt: u64) -> String {
        const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut state = self.seed ^ mix(salt.wrapping_add(1));
        (0..24)
            .map(|_| {
                state = mix(state);
                char::from(ALPHABET[(state % 62) as usize])
            })
            .collect()
    }

    /// 32 hexadecimal digits, as in `req_…`.
    pub(crate) fn hex(&self) -> String {
        format!("{:016x}{:016x}", self.seed, mix(self.seed))
    }

    /// The time as RFC 3339, `after` seconds later.
    pub(crate) fn rfc3339(&self, after: u64) -> String {
        let at = self.created + after;
        let (days, clock) = (at / 86_400, at % 86_400);
        // Civil-from-days, with the year beginning in March so that the leap day comes last.
        let era_day = days + 719_468;
        let (era, day_of_era) = (era_day / 146_097, era_day % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", clock / 3_600, clock / 60 % 60, clock % 60)
    }
}

/// SplitMix64's finaliser: neighbouring inputs give unrelated outputs.
pub(crate) fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc3339() {
        for (created, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_740_787_200, "2025-03-01T00:00:00Z"),
        ] {
            assert_eq!(Identity { seed: 0, created }.rfc3339(0), shown);
        }
    }

    #[test]
    fn two_identities_share_no_id() {
        let (one, other) = (Identity::issue(), Identity::issue());
        assert_ne!(one.token(0), other.token(0));
        assert_ne!(one.token(0), one.token(1));
        assert_ne!(one.hex(), other.hex());
    }
}
