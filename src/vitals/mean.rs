//! A moving average: exact over the first few figures, exponential from then on.

/// An average and how many figures are in it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mean {
    /// The average; 0 without figures.
    pub value: f32,
    /// Figures so far.
    pub samples: u32,
}

impl Mean {
    /// Takes a figure. Of the first `memory` all weigh the same; afterwards the new one weighs
    /// 1 / `memory`.
    pub(super) fn add(&mut self, figure: f32, memory: u32) {
        self.samples = self.samples.saturating_add(1);
        self.value += (figure - self.value) / self.samples.min(memory) as f32;
    }

    /// The average, once there is one.
    pub fn known(&self) -> Option<f64> {
        (self.samples > 0).then_some(self.value.into())
    }

    /// The average with what is expected beforehand: after n figures it weighs n / (n + 5).
    pub fn blended(&self, expected: f64) -> f64 {
        let trust = trust(self.samples);
        expected + trust * (f64::from(self.value) - expected)
    }
}

/// Figures after which what was measured weighs as much as what was expected.
const HALFWAY: f64 = 5.0;

/// n / (n + 5).
pub(super) fn trust(samples: u32) -> f64 {
    let n = f64::from(samples);
    n / (n + HALFWAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_figures_are_averaged_and_later_ones_move_the_average() {
        let mut mean = Mean::default();
        assert_eq!(mean.known(), None);
        for figure in [10.0, 20.0, 30.0, 40.0] {
            mean.add(figure, 4);
        }
        assert_eq!(mean, Mean { value: 25.0, samples: 4 });
        mean.add(125.0, 4);
        assert_eq!(mean, Mean { value: 50.0, samples: 5 });
    }

    #[test]
    fn what_is_expected_weighs_less_the_more_is_known() {
        for (samples, expected) in [(0, 100.0), (1, 100.0 + 100.0 / 6.0), (5, 150.0), (20, 180.0), (95, 195.0)] {
            let blended = Mean { value: 200.0, samples }.blended(100.0);
            assert!((blended - expected).abs() < 1e-9, "{samples}: {blended}");
        }
    }
}
