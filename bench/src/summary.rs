//! The figures as a program reads them: `summary.json`.

use serde_json::{Map, Value, json};

use crate::case::{CHUNK_INTERVAL_MS, Case};
use crate::decision::Decision;
use crate::figures::{Percentiles, Quantiles, Spread};
use crate::findings::{Findings, added_us};
use crate::first_event::Times;
use crate::lane::Lane;
use crate::rounds::Measured;

/// The whole file. The figures of a case are there if it was measured.
pub(crate) fn of(findings: &Findings) -> Value {
    let lanes = &findings.amount.lanes;
    let by_lane = |figure: &dyn Fn(&Measured, Lane) -> Value| -> Value {
        lanes
            .iter()
            .map(|&lane| (lane.name().to_owned(), by_case(findings, |measured| figure(measured, lane))))
            .collect::<Map<_, _>>()
            .into()
    };
    let ratio = |to: Lane, of: Lane| by_case(findings, |measured| round(measured.ratio(of, to).median));
    let mut summary = json!({
        "cpu_us": by_lane(&|measured, lane| round(measured.spread(lane, |slice| slice.cpu_us).median)),
        "ratio_to_envoy": ratio(Lane::Envoy, Lane::Filter),
        "policies": {
            "ratio_to_envoy": ratio(Lane::Envoy, Lane::Policies),
            "ratio_to_filter": ratio(Lane::Filter, Lane::Policies),
        },
        "guardrails_us": findings.guarded.as_ref().map_or(Value::Null, |guarded| spread(added_us(guarded))),
        "first_event_ms": first_event(findings),
        "longest_work_ms": findings.longest.iter().map(|(case, lanes)| {
            let lanes: Map<_, _> = lanes.iter().map(|(lane, ms)| (lane.name().to_owned(), round(*ms))).collect();
            ((*case).to_owned(), lanes.into())
        }).collect::<Map<String, Value>>(),
        "decision_us": findings.decisions.iter().map(|decision| (decision.size().replace(' ', "_").to_lowercase(), decided(decision))).collect::<Map<_, _>>(),
        "latency_ms": by_lane(&|measured, lane| measured.latency.get(&lane).map_or(Value::Null, |times| quantiles(*times))),
        "wasm_bytes": findings.wasm_bytes,
        "targets": findings.targets().iter().map(|target| {
            (target.name.clone(), json!({"value": round(target.value), "limit": target.limit, "met": target.met()}))
        }).collect::<Map<_, _>>(),
        "spread": {
            "cpu_us": by_lane(&|measured, lane| spread(measured.spread(lane, |slice| slice.cpu_us))),
            "ratio_to_envoy": by_case(findings, |measured| spread(measured.ratio(Lane::Filter, Lane::Envoy))),
            "policies_to_envoy": by_case(findings, |measured| spread(measured.ratio(Lane::Policies, Lane::Envoy))),
        },
        "idle_us_per_s": findings.idle.iter().map(|(lane, share)| (lane.name().to_owned(), round(share * 1e6))).collect::<Map<_, _>>(),
        "load": by_lane(&|measured, lane| load(measured, lane)),
        "run": {
            "rounds": findings.amount.rounds,
            "quick": findings.quick,
            "access_log": findings.access_log,
            "seconds": round(findings.seconds),
            "cases": by_case(findings, |measured| case(measured.case)),
        },
        "machine": {
            "processor": findings.machine.processor,
            "kernel": findings.machine.kernel,
            "envoy": findings.machine.envoy,
            "pinning": findings.machine.pinning,
            "load_average_before": findings.machine.others,
        },
    });
    for wire in findings.wires() {
        let lane = Lane::Translate(wire);
        summary["translate"][wire.protocol()] = json!({
            "ratio_to_filter": ratio(Lane::Filter, lane),
            "ratio_to_envoy": ratio(Lane::Envoy, lane),
        });
    }
    summary
}

fn decided(decision: &Decision) -> Value {
    json!({
        "clock": percentiles(decision.clock),
        "decision": percentiles(decision.decision),
        "with_parsing": percentiles(decision.parsed),
        "p50_by_kind": decision.kinds.iter().map(|(kind, us)| ((*kind).to_owned(), round(*us))).collect::<Map<_, _>>(),
    })
}

fn percentiles(times: Percentiles) -> Value {
    json!({"p50": round(times.p50_us), "p90": round(times.p90_us), "p99": round(times.p99_us), "max": round(times.max_us)})
}

fn by_case(findings: &Findings, figure: impl Fn(&Measured) -> Value) -> Value {
    findings.measured.iter().map(|measured| (measured.case.name.to_owned(), figure(measured))).collect::<Map<_, _>>().into()
}

fn case(case: &Case) -> Value {
    let mut value = json!({"body_bytes": case.body_bytes, "connections": case.connections, "requests": case.requests});
    if case.stream {
        value["chunk_interval_ms"] = CHUNK_INTERVAL_MS.into();
    }
    value
}

fn load(measured: &Measured, lane: Lane) -> Value {
    let mut value = json!({
        "per_second": round(measured.spread(lane, |slice| slice.per_second).median),
        "busy": round(measured.spread(lane, |slice| slice.busy).median),
        "answer_bytes": measured.answer_bytes.get(&lane),
    });
    if measured.case.stream {
        value["events_per_read"] = round(measured.spread(lane, |slice| slice.events_per_read).median);
    }
    value
}

fn first_event(findings: &Findings) -> Value {
    let Some(all) = &findings.first_event else { return Value::Null };
    let mut value: Map<String, Value> = all
        .iter()
        .map(|(lane, at)| {
            let Times { first_byte, first_content, last_content } = at;
            let times = [("first_byte", first_byte), ("first_text", first_content), ("last_text", last_content)];
            (
                lane.name().to_owned(),
                times.into_iter().map(|(name, times)| (name.to_owned(), quantiles(*times))).collect::<Map<_, _>>().into(),
            )
        })
        .collect();
    let added = |figure: fn(&Times) -> f64| findings.added_ms(figure).map_or(Value::Null, round);
    value.insert(
        "added".to_owned(),
        json!({
            "first_byte": {"p50": added(|at| at.first_byte.p50_ms), "p99": added(|at| at.first_byte.p99_ms)},
            "first_text": {"p50": added(|at| at.first_content.p50_ms), "p99": added(|at| at.first_content.p99_ms)},
            "last_text": {"p50": added(|at| at.last_content.p50_ms), "p99": added(|at| at.last_content.p99_ms)},
        }),
    );
    value.into()
}

fn quantiles(times: Quantiles) -> Value {
    json!({"p50": round(times.p50_ms), "p99": round(times.p99_ms)})
}

fn spread(spread: Spread) -> Value {
    json!({"median": round(spread.median), "min": round(spread.min), "max": round(spread.max)})
}

/// Three decimals are more than the measurement is good for.
fn round(value: f64) -> Value {
    json!((value * 1e3).round() / 1e3)
}
