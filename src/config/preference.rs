//! How a workspace weighs quality, price and speed.

use super::catalog::TaskClass;

/// What the objectives of a workspace reckon with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preferences {
    /// The constants of the default objective.
    pub quality_per_dollar: QualityPerDollar,
    /// By task class: the quality below which `cost` and `latency` take nobody who is not the best there is.
    pub(super) floors: [f64; TaskClass::ALL.len()],
    /// Share of `auto` calls whose candidate is picked by lot.
    pub exploration: f64,
}

impl Preferences {
    /// What is used unless configured otherwise.
    pub const DEFAULT: Self =
        Self { quality_per_dollar: QualityPerDollar::DEFAULT, floors: [DEFAULT_FLOOR; TaskClass::ALL.len()], exploration: 0.0 };

    /// The floor of a class.
    pub fn floor(&self, class: TaskClass) -> f64 {
        self.floors.get(class as usize).copied().unwrap_or(DEFAULT_FLOOR)
    }
}

/// Half of what can be reached: a candidate below it is no answer, however cheap.
const DEFAULT_FLOOR: f64 = 0.5;

/// The constants of `quality-per-dollar`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityPerDollar {
    /// λ: how much quality a factor of e in price is worth.
    pub lambda: f64,
    /// δ: how far below the best quality a candidate may be.
    pub delta: f64,
    /// c₀ in US dollars: below it, price hardly matters.
    pub c0_usd: f64,
}

impl QualityPerDollar {
    /// What is used unless configured otherwise.
    pub const DEFAULT: Self = Self { lambda: 0.05, delta: 0.15, c0_usd: 0.001 };
}
