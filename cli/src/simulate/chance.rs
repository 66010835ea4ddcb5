//! Chance that is the same on every machine: numbers from a seed, and resampling.

/// SplitMix64 (Steele, Lea and Flood, 2014): passes BigCrush, and is short enough to stay what it is, while the numbers
/// of a crate may change with its version and every published interval with them.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The dice with this seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to `bound`, which is not 0. Uneven by `bound` in 2⁶⁴, which nobody sees.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// Resamples of the calls, of which each gives a mean to every series.
const RESAMPLES: usize = 1000;

/// A mean and where it lies with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The means of several series over the same calls, and over their resamples (percentile bootstrap, Efron 1979).
#[derive(Debug)]
pub(super) struct Means<const N: usize> {
    of_all: [f64; N],
    of_resamples: Vec<[f64; N]>,
}

impl<const N: usize> Means<N> {
    /// `calls` holds the figures of each call; there is at least one. All series are resampled together, so that
    /// differences between them are paired.
    pub(super) fn of(calls: &[[f64; N]], seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mean = |pick: &mut dyn FnMut(usize) -> usize| {
            let mut sums = [0.0; N];
            for at in 0..calls.len() {
                sums.iter_mut().zip(&calls[pick(at)]).for_each(|(sum, figure)| *sum += figure);
            }
            sums.map(|sum| sum / calls.len() as f64)
        };
        let of_all = mean(&mut |at| at);
        let of_resamples = (0..RESAMPLES).map(|_| mean(&mut |_| dice.below(calls.len()))).collect();
        Self { of_all, of_resamples }
    }

    /// What a combination of the means is: one of them, or the difference of two.
    pub(super) fn interval(&self, combine: impl Fn(&[f64; N]) -> f64) -> Interval {
        let mut values: Vec<f64> = self.of_resamples.iter().map(&combine).collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Interval { mean: combine(&self.of_all), low: at(0.025), high: at(0.975) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper_s_algorithm() {
        // From the reference implementation, seed 1234567 (<https://prng.di.unimi.it/splitmix64.c>).
        let mut dice = Dice::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| dice.next()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_face_comes_up_as_often() {
        let mut dice = Dice::new(7);
        let mut counts = [0_u32; 6];
        (0..60_000).for_each(|_| counts[dice.below(6)] += 1);
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }

    fn coin(calls: usize) -> Vec<[f64; 2]> {
        let mut dice = Dice::new(3);
        (0..calls).map(|_| [dice.below(2) as f64, 0.25]).collect()
    }

    #[test]
    fn an_interval_shrinks_with_the_root_of_the_calls() {
        let width = |calls: usize| {
            let interval = Means::of(&coin(calls), 1).interval(|means| means[0]);
            assert!(interval.low < interval.mean && interval.mean < interval.high, "{interval:?}");
            interval.high - interval.low
        };
        let (few, many) = (width(100), width(10_000));
        // Twice 1.96 standard errors of a fair coin.
        assert!((0.17..0.22).contains(&few) && (0.017..0.022).contains(&many), "{few} {many}");
    }

    #[test]
    fn what_does_not_vary_is_certain_and_a_series_less_itself_is_nothing() {
        let means = Means::of(&coin(50), 1);
        assert_eq!(means.interval(|means| means[1]), Interval { mean: 0.25, low: 0.25, high: 0.25 });
        assert_eq!(means.interval(|means| means[0] - means[0]), Interval { mean: 0.0, low: 0.0, high: 0.0 });
    }

    #[test]
    fn nine_in_ten_intervals_and_more_hold_the_truth() {
        let held = (0..100)
            .filter(|seed| {
                let mut dice = Dice::new(1000 + seed);
                let calls: Vec<[f64; 1]> = (0..80).map(|_| [dice.below(1000) as f64]).collect();
                let interval = Means::of(&calls, *seed).interval(|means| means[0]);
                (interval.low..=interval.high).contains(&499.5)
            })
            .count();
        assert!((88..=99).contains(&held), "{held} of 100");
    }
}
