//! A quantile of a stream of durations, in little room: weights by logarithmic buckets.
//!
//! Bounds grow by a fifth, and a bucket stands for the value that is off by the same share at both
//! its ends: what is told is off by at most (1.2 − 1) / (1.2 + 1) = 9.1 % of the weighted quantile,
//! from 1 ms to 10 minutes; below, by at most a millisecond. Of two figures the older one weighs 1 %
//! less, so that the last few hundred decide.

const GROWTH: f64 = 1.2;

/// What a figure weighs more than the one before.
const GAIN: f32 = 1.0 / 0.99;

/// Weights are brought down once the newest is above this.
const HEAVY: f32 = 1_048_576.0;

/// Buckets from 1 ms to 603 s.
pub(super) const BUCKETS: usize = 74;

/// Largest value of each bucket.
const UPPER: [f64; BUCKETS] = bounds();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn bounds() -> [f64; BUCKETS] {
    let mut bounds = [1.0; BUCKETS];
    let mut at = 1;
    while at < BUCKETS {
        bounds[at] = bounds[at - 1] * GROWTH;
        at += 1;
    }
    bounds
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sketch {
    /// What the newest figure weighs.
    pub(super) newest: f32,
    pub(super) weights: [f32; BUCKETS],
}

impl Default for Sketch {
    fn default() -> Self {
        Self { newest: 1.0, weights: [0.0; BUCKETS] }
    }
}

impl Sketch {
    /// Takes a duration.
    pub(super) fn add(&mut self, ms: f64) {
        if self.newest > HEAVY {
            self.weights.iter_mut().for_each(|weight| *weight /= self.newest);
            self.newest = 1.0;
        }
        self.newest *= GAIN;
        let bucket = UPPER.partition_point(|bound| *bound < ms).min(BUCKETS - 1);
        if let Some(weight) = self.weights.get_mut(bucket) {
            *weight += self.newest;
        }
    }

    /// The duration that this share of the weight does not exceed; `None` without figures.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let total: f64 = self.weights.iter().copied().map(f64::from).sum();
        let mut below = 0.0;
        let bucket = self.weights.iter().position(|weight| {
            below += f64::from(*weight);
            below > 0.0 && below >= share * total
        })?;
        let upper = UPPER.get(bucket).copied()?;
        let lower = bucket.checked_sub(1).and_then(|before| UPPER.get(before)).copied().unwrap_or(upper);
        Some(2.0 * lower * upper / (lower + upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weighted quantile by sorting, with weights that fall by 1 % towards the past.
    fn exact(figures: &[f64], share: f64) -> f64 {
        let mut weighted: Vec<(f64, f64)> =
            figures.iter().rev().scan(1.0, |weight, figure| Some((*figure, core::mem::replace(weight, *weight * 0.99)))).collect();
        weighted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
        let mut below = 0.0;
        weighted
            .iter()
            .find(|(_, weight)| {
                below += weight;
                below >= share * total
            })
            .expect("figures")
            .0
    }

    fn uniform(state: &mut u64) -> f64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn the_error_is_within_its_bound_for_every_distribution() {
        type Draw = fn(f64, f64) -> f64;
        let distributions: [(&str, Draw); 8] = [
            ("constant", |_, _| 137.0),
            ("uniform", |u, _| 1.0 + u * 900.0),
            ("exponential", |u, _| 1.0 - 400.0 * (1.0 - u).ln()),
            ("log-normal", |u, v| (6.0 + 0.8 * (-2.0 * (1.0 - u).ln()).sqrt() * (v * core::f64::consts::TAU).cos()).exp()),
            ("two humps", |u, v| if u < 0.9 { 200.0 + 40.0 * v } else { 6_000.0 + 1_000.0 * v }),
            ("heavy tail", |u, _| (50.0 / (1.0 - u)).min(600_000.0)),
            ("at the bounds", |u, _| GROWTH.powi((u * 60.0) as i32)),
            ("minutes", |u, _| 100_000.0 + u * 480_000.0),
        ];
        for (name, draw) in distributions {
            for count in [1, 2, 19, 20, 21, 300, 10_000] {
                let (mut state, mut sketch, mut figures) = (0x9e37_79b9_7f4a_7c15, Sketch::default(), Vec::new());
                for _ in 0..count {
                    let figure = draw(uniform(&mut state), uniform(&mut state)).max(1.0);
                    figures.push(figure);
                    sketch.add(figure);
                }
                for share in [0.5, 0.95, 0.99] {
                    let (told, true_value) = (sketch.quantile(share).expect("figures"), exact(&figures, share));
                    let error = (told - true_value).abs() / true_value;
                    assert!(error <= 0.0911, "{name}, {count} figures, {share}: {told} for {true_value}, off by {error}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_told_of_nothing_and_extremes_stay_within_the_range() {
        assert_eq!(Sketch::default().quantile(0.95), None);
        for (figure, lowest, highest) in [(0.0, 0.0, 1.0), (0.3, 0.0, 1.0), (1e12, 500_000.0, 610_000.0)] {
            let mut sketch = Sketch::default();
            sketch.add(figure);
            let told = sketch.quantile(0.95).expect("a figure");
            assert!((lowest..=highest).contains(&told), "{figure}: {told}");
        }
    }

    #[test]
    fn a_provider_that_became_faster_is_believed_after_some_hundred_answers() {
        let mut sketch = Sketch::default();
        (0..5_000).for_each(|_| sketch.add(8_000.0));
        (0..300).for_each(|_| sketch.add(200.0));
        let told = sketch.quantile(0.95).expect("figures");
        assert!((180.0..220.0).contains(&told), "{told}");
    }

    #[test]
    fn weights_stay_finite_however_many_figures_come() {
        let mut sketch = Sketch::default();
        (0..200_000_u32).for_each(|n| sketch.add(f64::from(n % 1_000)));
        assert!(sketch.weights.iter().all(|weight| weight.is_finite()) && sketch.newest.is_finite());
        assert!(sketch.quantile(0.95).is_some_and(|told| (870.0..1_050.0).contains(&told)), "{:?}", sketch.quantile(0.95));
    }
}
