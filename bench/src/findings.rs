//! Everything a run found out, and which of the targets it meets.

use std::collections::BTreeMap;

use crate::case::GUARDED_TARGET_US;
use crate::cpu::Cores;
use crate::decision::{self, Decision};
use crate::figures::{Percentiles, Spread};
use crate::first_event::{self, Times};
use crate::lane::Lane;
use crate::longest::{self, Longest};
use crate::rounds::{Amount, Measured};
use crate::wire::Wire;

/// Largest filter (docs/decisions/0018).
pub(crate) const WASM_BYTES: u64 = 1_700_000;

/// What one run measured.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) measured: Vec<Measured>,
    /// A call of 117 KB with and without guardrails.
    pub(crate) guarded: Option<Measured>,
    pub(crate) first_event: Option<BTreeMap<Lane, Times>>,
    pub(crate) longest: Longest,
    /// How long deciding takes, by the size of the prompt.
    pub(crate) decisions: Vec<Decision>,
    /// CPU seconds per second of a process that is asked nothing.
    pub(crate) idle: BTreeMap<Lane, f64>,
    pub(crate) wasm_bytes: u64,
    pub(crate) machine: Machine,
    pub(crate) amount: Amount,
    pub(crate) access_log: bool,
    pub(crate) quick: bool,
    pub(crate) seconds: f64,
}

/// One figure that has a limit.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) limit: f64,
}

impl Target {
    pub(crate) fn met(&self) -> bool {
        self.value <= self.limit
    }

    /// `≤ 2.2 met`.
    pub(crate) fn verdict(&self) -> String {
        format!("≤ {} {}", self.limit, if self.met() { "met" } else { "NOT MET" })
    }
}

impl Findings {
    /// The figures that have a limit, of what was measured.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let mut targets: Vec<Target> = self.measured.iter().map(ratio).collect();
        targets.extend(self.measured.iter().map(policies));
        targets.extend(self.guardrails());
        targets.extend(self.wires().flat_map(|wire| self.measured.iter().map(move |measured| translated(measured, wire))));
        if let Some(added_ms) = self.added_ms(|times| times.first_content.p50_ms) {
            targets.push(Target { name: "first_event".to_owned(), value: added_ms, limit: first_event::TARGET_MS });
        }
        targets.extend(self.longest.iter().filter_map(|(case, lanes)| piece(case, lanes)));
        targets.extend(self.decisions.iter().flat_map(decided));
        targets.push(Target { name: "wasm_kb".to_owned(), value: self.wasm_bytes as f64 / 1e3, limit: WASM_BYTES as f64 / 1e3 });
        targets
    }

    /// The protocols that were translated to.
    pub(crate) fn wires(&self) -> impl Iterator<Item = Wire> {
        self.amount.lanes.iter().filter_map(|lane| match lane {
            Lane::Translate(wire) => Some(*wire),
            _ => None,
        })
    }

    /// What a hundred phrases and every detector add to a call.
    pub(crate) fn guardrails(&self) -> Option<Target> {
        let value = added_us(self.guarded.as_ref()?).median;
        Some(Target { name: "guardrails_us".to_owned(), value, limit: GUARDED_TARGET_US })
    }

    /// What the filter adds to a time of bare Envoy.
    pub(crate) fn added_ms(&self, time: impl Fn(&Times) -> f64) -> Option<f64> {
        let times = self.first_event.as_ref()?;
        Some(time(times.get(&Lane::Filter)?) - time(times.get(&Lane::Envoy)?))
    }
}

/// The ratio of a case.
pub(crate) fn ratio(measured: &Measured) -> Target {
    let value = measured.ratio(Lane::Filter, Lane::Envoy).median;
    Target { name: measured.case.name.to_owned(), value, limit: measured.case.target }
}

/// The ratio of a case with limits, a budget and two guardrail rules, to which the same target applies.
pub(crate) fn policies(measured: &Measured) -> Target {
    let value = measured.ratio(Lane::Policies, Lane::Envoy).median;
    Target { name: format!("{} with policies", measured.case.name), value, limit: measured.case.target }
}

/// What translating costs, as a ratio to passing a call through.
pub(crate) const TRANSLATION: f64 = 1.5;

/// The ratio of a case to the same case passed through.
pub(crate) fn translated(measured: &Measured, wire: Wire) -> Target {
    let value = measured.ratio(Lane::Translate(wire), Lane::Filter).median;
    Target { name: format!("{} {}", measured.case.name, wire.lane()), value, limit: TRANSLATION }
}

/// CPU microseconds of a call with all guardrails less those of one without, round by round.
pub(crate) fn added_us(guarded: &Measured) -> Spread {
    guarded.difference(Lane::Guarded, Lane::Filter)
}

/// The longest piece of work of a case.
pub(crate) fn piece(case: &str, lanes: &BTreeMap<Lane, f64>) -> Option<Target> {
    Some(Target { name: format!("longest {case}"), value: *lanes.get(&Lane::Filter)?, limit: longest::TARGET_MS })
}

/// What half of the decisions take at most, and all but a hundredth, in microseconds.
pub(crate) fn decided(decision: &Decision) -> [Target; 2] {
    let Percentiles { p50_us, p99_us, .. } = decision.decision;
    let target = |of: &str, value: f64, limit: f64| Target { name: format!("decision {} {of}", decision.size()), value, limit };
    [target("p50", p50_us, decision::TARGET_P50_US), target("p99", p99_us, decision::TARGET_P99_US)]
}

/// On what it was measured.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) envoy: String,
    pub(crate) pinning: String,
    /// The load average before the run began.
    pub(crate) others: f64,
}

impl Machine {
    pub(crate) fn ask(envoy: String, cores: &Cores) -> Self {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: processor.map_or("unknown", |(_, name)| name).to_owned(),
            kernel: kernel.trim().to_owned(),
            envoy,
            pinning: cores.sentence(),
            others: load_average(),
        }
    }
}

/// Programs that wanted a core, on average over the last minute.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}
