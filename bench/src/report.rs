//! The figures as a person reads them.

use std::fmt::Write;

use crate::decision::CANDIDATES;
use crate::figures::{Percentiles, Quantiles, Spread};
use crate::findings::{Findings, Target, WASM_BYTES, added_us, decided, piece, policies as with_policies, ratio, translated};
use crate::first_event::{INTERVAL_MS, TARGET_MS};
use crate::lane::Lane;
use crate::wire::Wire;

/// A load average from which on other programs disturb.
const BUSY: f64 = 0.7;

/// All tables.
pub(crate) fn of(findings: &Findings) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write(findings, &mut text);
    text
}

fn write(findings: &Findings, out: &mut String) -> std::fmt::Result {
    let machine = &findings.machine;
    writeln!(out, "Envoy {} on {}, Linux {}", machine.envoy, machine.processor, machine.kernel)?;
    writeln!(out, "{}", machine.pinning)?;
    writeln!(out, "access log {}", if findings.access_log { "on in both Envoys" } else { "off in both Envoys" })?;
    if machine.others > BUSY {
        writeln!(out, "load average {} before the run: other programs were running, the figures are rough", machine.others)?;
    }
    if findings.quick {
        writeln!(out, "--quick: too few calls for figures to rely on")?;
    }
    if !findings.measured.is_empty() {
        calls(findings, out)?;
    }
    decisions(findings, out)?;
    let size = Target { name: String::new(), value: findings.wasm_bytes as f64 / 1e3, limit: WASM_BYTES as f64 / 1e3 };
    writeln!(out, "\nneural_router.wasm: {:.1} KB, {}", size.value, size.verdict())?;
    let targets = findings.targets();
    let missed: Vec<String> = targets.iter().filter(|target| !target.met()).map(|target| target.name.clone()).collect();
    match missed.as_slice() {
        [] => writeln!(out, "All {} targets are met.", targets.len()),
        missed => writeln!(out, "{} of {} targets are missed: {}", missed.len(), targets.len(), missed.join(", ")),
    }
}

fn calls(findings: &Findings, out: &mut String) -> std::fmt::Result {
    cpu(findings, out)?;
    policies(findings, out)?;
    for wire in findings.wires() {
        translation(findings, wire, out)?;
    }
    load(findings, out)?;
    latency(findings, out)?;
    first_event(findings, out)?;
    longest(findings, out)
}

fn cpu(findings: &Findings, out: &mut String) -> std::fmt::Result {
    let rounds = findings.amount.rounds;
    writeln!(out, "\nCPU time of the process, microseconds per request: median of {rounds} rounds (smallest..largest)")?;
    writeln!(out, "{:<10} {:<26} {:<26} {:<26} {:<21} target", "", "simulator", "bare Envoy", "filter", "filter / bare Envoy")?;
    for measured in &findings.measured {
        let [simulator, envoy, filter] =
            [Lane::Simulator, Lane::Envoy, Lane::Filter].map(|lane| spread(measured.spread(lane, |slice| slice.cpu_us), 1));
        let to_envoy = spread(measured.ratio(Lane::Filter, Lane::Envoy), 2);
        let verdict = ratio(measured).verdict();
        writeln!(out, "{:<10} {simulator:<26} {envoy:<26} {filter:<26} {to_envoy:<21} {verdict}", measured.case.name)?;
    }
    let idle: Vec<String> = findings.idle.iter().map(|(lane, share)| format!("{} {:.0}", lane.name(), share * 1e6)).collect();
    writeln!(out, "idle, already subtracted, microseconds per second: {}", idle.join(", "))
}

fn policies(findings: &Findings, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nThe same for a workspace with limits, a budget and two guardrail rules")?;
    writeln!(out, "{:<10} {:<26} {:<26} {:<21} target", "", "with policies", "policies / filter", "policies / bare Envoy")?;
    for measured in &findings.measured {
        let own = spread(measured.spread(Lane::Policies, |slice| slice.cpu_us), 1);
        let filter = spread(measured.ratio(Lane::Policies, Lane::Filter), 2);
        let envoy = spread(measured.ratio(Lane::Policies, Lane::Envoy), 2);
        writeln!(out, "{:<10} {own:<26} {filter:<26} {envoy:<21} {}", measured.case.name, with_policies(measured).verdict())?;
    }
    let Some((guarded, target)) = findings.guarded.as_ref().zip(findings.guardrails()) else { return Ok(()) };
    let added = spread(added_us(guarded), 0);
    writeln!(out, "100 phrases and all six detectors add to a call of 117 KB: {added} microseconds, {}", target.verdict())
}

fn translation(findings: &Findings, wire: Wire, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nThe same with a provider that speaks the protocol {} (request and answer are translated)", wire.protocol())?;
    writeln!(out, "{:<10} {:<26} {:<26} {:<26} target", "", "translated", "translated / bare Envoy", "translated / passed")?;
    for measured in &findings.measured {
        let lane = Lane::Translate(wire);
        let own = spread(measured.spread(lane, |slice| slice.cpu_us), 1);
        let envoy = spread(measured.ratio(lane, Lane::Envoy), 2);
        let passed = spread(measured.ratio(lane, Lane::Filter), 2);
        writeln!(out, "{:<10} {own:<26} {envoy:<26} {passed:<26} {}", measured.case.name, translated(measured, wire).verdict())?;
    }
    Ok(())
}

fn load(findings: &Findings, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nUnder what load (medians): calls per second, share of one core, bytes of the answer, events per read")?;
    for measured in &findings.measured {
        write!(out, "{:<10}", measured.case.name)?;
        for &lane in &findings.amount.lanes {
            let [rate, busy, together] = [
                measured.spread(lane, |slice| slice.per_second),
                measured.spread(lane, |slice| slice.busy),
                measured.spread(lane, |slice| slice.events_per_read),
            ]
            .map(|spread| spread.median);
            let bytes = measured.answer_bytes.get(&lane).copied().unwrap_or_default();
            let share = busy * 100.0;
            let cell = format!("{} {rate:.0}/s {share:.0} % {bytes} B", lane.name());
            let cell = if measured.case.stream { format!("{cell} {together:.2}") } else { cell };
            write!(out, " {cell:<34}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn latency(findings: &Findings, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nLatency of a whole call in milliseconds, p50 / p99, with few calls at a time")?;
    for measured in &findings.measured {
        write!(out, "{:<10}", measured.case.name)?;
        for (lane, quantiles) in &measured.latency {
            let cell = format!("{} {}", lane.name(), times(*quantiles));
            write!(out, " {cell:<26}")?;
        }
        writeln!(out, " {} at a time", measured.case.latency_connections)?;
    }
    Ok(())
}

fn first_event(findings: &Findings, out: &mut String) -> std::fmt::Result {
    let Some(all) = &findings.first_event else { return Ok(()) };
    writeln!(out, "\nStreams with {INTERVAL_MS} ms between chunks, milliseconds from the request, p50 / p99")?;
    writeln!(out, "{:<12} {:<20} {:<20} last text", "", "first byte of body", "first text")?;
    for (lane, at) in all {
        let [byte, first, last] = [at.first_byte, at.first_content, at.last_content].map(times);
        writeln!(out, "{:<12} {byte:<20} {first:<20} {last}", lane.name())?;
    }
    let added = |p50: Option<f64>, p99: Option<f64>| format!("{:+.3} / {:+.3}", p50.unwrap_or_default(), p99.unwrap_or_default());
    let byte = added(findings.added_ms(|at| at.first_byte.p50_ms), findings.added_ms(|at| at.first_byte.p99_ms));
    let p50 = findings.added_ms(|at| at.first_content.p50_ms);
    let first = added(p50, findings.added_ms(|at| at.first_content.p99_ms));
    let last = added(findings.added_ms(|at| at.last_content.p50_ms), findings.added_ms(|at| at.last_content.p99_ms));
    let target = Target { name: String::new(), value: p50.unwrap_or_default(), limit: TARGET_MS };
    writeln!(out, "{:<12} {byte:<20} {first:<20} {last:<20} first text, p50: {}", "filter adds", target.verdict())
}

fn longest(findings: &Findings, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nLongest turn of a worker's event loop, milliseconds, one call at a time")?;
    for (case, lanes) in &findings.longest {
        write!(out, "{case:<10}")?;
        for (lane, longest) in lanes {
            let cell = format!("{} {longest:.2}", lane.name());
            write!(out, " {cell:<18}")?;
        }
        writeln!(out, " {}", piece(case, lanes).map_or_else(String::new, |target| target.verdict()))?;
    }
    Ok(())
}

fn decisions(findings: &Findings, out: &mut String) -> std::fmt::Result {
    if findings.decisions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nDeciding among {CANDIDATES} candidates in V8, microseconds: p50 / p90 / p99 / longest")?;
    writeln!(
        out,
        "{:<10} {:<30} {:<30} {:<26} targets of p50 and p99",
        "prompt", "decision", "with parsing the request", "clock, in both"
    )?;
    for decision in &findings.decisions {
        let [own, parsed, clock] = [decision.decision, decision.parsed, decision.clock].map(percentiles);
        let [half, most] = decided(decision).map(|target| target.verdict());
        writeln!(out, "{:<10} {own:<30} {parsed:<30} {clock:<26} {half}, {most}", decision.size())?;
    }
    for decision in &findings.decisions {
        let kinds: Vec<String> = decision.kinds.iter().map(|(kind, us)| format!("{kind} {us:.1}")).collect();
        writeln!(out, "{:<10} p50 by kind: {}", decision.size(), kinds.join(", "))?;
    }
    Ok(())
}

fn percentiles(times: Percentiles) -> String {
    let Percentiles { p50_us, p90_us, p99_us, max_us } = times;
    format!("{p50_us:.1} / {p90_us:.1} / {p99_us:.1} / {max_us:.0}")
}

fn spread(spread: Spread, digits: usize) -> String {
    let Spread { median, min, max } = spread;
    format!("{median:.digits$} ({min:.digits$}..{max:.digits$})")
}

fn times(quantiles: Quantiles) -> String {
    format!("{:.3} / {:.3}", quantiles.p50_ms, quantiles.p99_ms)
}
