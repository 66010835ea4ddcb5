//! What is said about a handful of measurements: the middle, and how far they lie apart.

use std::time::Duration;

/// Median, smallest and largest of some rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value; of none it is all zero.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (values.first(), values.last()) else {
            return Self { median: 0.0, min: 0.0, max: 0.0 };
        };
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Self { median, min, max }
    }
}

/// Half of the calls, and all but the slowest hundredth, took no longer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quantiles {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Quantiles {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let rank = (times.len() as f64 * share).ceil() as usize;
            times.get(rank.saturating_sub(1)).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50_ms: at(0.50), p99_ms: at(0.99) }
    }
}

/// How long pieces of work took that are too short for [`Quantiles`], in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percentiles {
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

impl Percentiles {
    pub(crate) fn of(times_us: &[f64]) -> Self {
        let mut times = times_us.to_vec();
        times.sort_by(f64::total_cmp);
        let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
        Self { p50_us: at(50), p90_us: at(90), p99_us: at(99), max_us: at(100) }
    }

    /// The median of each figure over some rounds; of the longest times the longest.
    pub(crate) fn middle(rounds: impl Iterator<Item = Self>) -> Self {
        let rounds: Vec<Self> = rounds.collect();
        let spread = |figure: fn(&Self) -> f64| Spread::of(rounds.iter().map(figure));
        Self {
            p50_us: spread(|round| round.p50_us).median,
            p90_us: spread(|round| round.p90_us).median,
            p99_us: spread(|round| round.p99_us).median,
            max_us: spread(|round| round.max_us).max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        assert_eq!(Spread::of([4.0, 1.0, 3.0]), Spread { median: 3.0, min: 1.0, max: 4.0 });
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0]), Spread { median: 2.5, min: 1.0, max: 4.0 });
    }

    #[test]
    fn percentiles_of_rounds_are_in_the_middle_and_the_longest_time_is_of_any() {
        let round = |scale: f64| Percentiles::of(&(1..=200).rev().map(|time| f64::from(time) * scale).collect::<Vec<_>>());
        assert_eq!(round(1.0), Percentiles { p50_us: 100.0, p90_us: 180.0, p99_us: 198.0, max_us: 200.0 });
        let middle = Percentiles::middle([1.0, 4.0, 2.0].map(round).into_iter());
        assert_eq!(middle, Percentiles { p50_us: 200.0, p90_us: 360.0, p99_us: 396.0, max_us: 800.0 });
    }

    #[test]
    fn a_quantile_is_a_time_that_was_measured() {
        let times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(Quantiles::of(times), Quantiles { p50_ms: 100.0, p99_ms: 198.0 });
        assert_eq!(Quantiles::of(vec![Duration::from_millis(7)]), Quantiles { p50_ms: 7.0, p99_ms: 7.0 });
    }
}
