//! How quality, price and speed are weighed, as the file writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the objectives weigh; stands under `routing` for all workspaces and under a workspace's own `routing`.
/// What a workspace leaves out is as `routing` has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// The constants of that objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality_per_dollar: Option<QualityPerDollar>,
    /// The quality below which `cost` and `latency` take nobody, 0..1 by task class, with a `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality_floor: Option<BTreeMap<String, f64>>,
    /// Share of `auto` calls, 0..0.5, that go to a candidate picked by lot, so that its figures are learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploration: Option<f64>,
}

/// The constants of `quality-per-dollar`: q − λ·ln(1 + c/c₀) among those with q ≥ q_max − δ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityPerDollar {
    /// λ
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f64>,
    /// δ
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// c₀ in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c0_usd: Option<f64>,
}
