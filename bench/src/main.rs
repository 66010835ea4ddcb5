//! `nr-bench`, which `make bench` runs: what the filter costs Envoy.
//!
//! ```text
//!                 ┌────────────────────────────────────────────┐
//! load generator ─┼─ bare Envoy ───────────────────────────────┼─ simulator
//!  (this process) └─ Envoy with the filter ────────────────────┘
//!
//! args ── stack ──┬── rounds        CPU time per request, latency        ──┐
//!  what   start   ├── first_event   time to first event                  ──┼── findings ── report, summary
//!                 ├── longest       longest turn of a worker's loop      ──┤
//!                 └── decision      how long deciding takes, in V8       ──┘
//! ```
//!
//! `case` says what is measured and what is to be reached, `lane` what is sent on each way, `body` and `prompts`
//! what a request looks like. `load`, `client` and `framing` are the load generator, `bootstrap`
//! what the Envoys are told, `cpu` and `process` what is asked of the kernel. Every response is
//! checked; the first wrong one ends the run, since figures of failed calls mean nothing.

mod args;
mod body;
mod bootstrap;
mod case;
mod client;
mod cpu;
mod decision;
mod figures;
mod findings;
mod first_event;
mod framing;
mod lane;
mod load;
mod longest;
mod plain;
mod process;
mod prompts;
mod report;
mod rounds;
mod stack;
mod summary;
mod wire;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use args::Args;
use bootstrap::{Extras, Made};
use case::{CASES, Case, GUARDED};
use clap::Parser;
use cpu::Cores;
use findings::{Findings, Machine};
use lane::Lane;
use longest::Longest;
use rounds::Amount;
use stack::{Envoys, Plan, Simulator, Stack};
use wire::Wire;

fn main() -> ExitCode {
    let args = Args::parse();
    match start(&args) {
        Ok(met) if met || !args.check => ExitCode::SUCCESS,
        Ok(_) => {
            eprintln!("error: a target is missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs it on one thread, until it is done or told to stop; what was started ends with it.
fn start(args: &Args) -> Result<bool, String> {
    let cores = Cores::part(&cpu::allowed()?, args.concurrency.into());
    cpu::pin(&cores.rest)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no event loop: {error}"))?;
    runtime.block_on(async {
        tokio::select! {
            outcome = run(args, cores) => outcome,
            signal = told_to_stop() => Err(format!("stopped by {signal}")),
        }
    })
}

async fn told_to_stop() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    }
}

async fn run(args: &Args, cores: Cores) -> Result<bool, String> {
    let began = Instant::now();
    let places = args.places()?;
    let mut lanes = vec![Lane::Simulator, Lane::Envoy, Lane::Filter, Lane::Policies];
    if !args.no_translate {
        lanes.extend(Wire::ALL.map(Lane::Translate));
    }
    let amount = Amount { rounds: args.rounds(), divisor: if args.quick { 8 } else { 1 }, lanes };
    let all = args.only.is_empty();
    let names = args.only.iter().filter(|name| *name != decision::NAME);
    let cases: Vec<&'static Case> =
        if all { CASES.iter().collect() } else { names.map(|name| Case::named(name)).collect::<Result<_, _>>()? };
    let wasm_bytes = std::fs::metadata(&places.wasm).map_err(|error| format!("{}: {error}", places.wasm.display()))?.len();
    let made = Made { nr: places.nr, wasm: places.wasm, folder: places.out };
    let machine = Machine::ask(places.envoy_version, &cores);
    let (simulator, decides) = (places.simulator, places.decides);
    let plan = Plan { envoy: places.envoy, simulator, made, decides, workers: args.concurrency.into(), cores };
    let say = |what: &str| eprintln!("{:6.1} s  {what}", began.elapsed().as_secs_f64());

    let mut findings = Findings {
        measured: Vec::new(),
        guarded: None,
        first_event: None,
        longest: Longest::new(),
        decisions: Vec::new(),
        idle: BTreeMap::new(),
        wasm_bytes,
        machine,
        amount,
        access_log: args.access_log,
        quick: args.quick,
        seconds: 0.0,
    };
    if !cases.is_empty() {
        calls(&mut findings, &cases, all, &plan, &say).await?;
    }
    if all || args.only.iter().any(|name| name == decision::NAME) {
        say("the decision, in an Envoy that does nothing else");
        findings.decisions = decision::measure(&plan, &findings.amount).await?;
    }
    findings.seconds = began.elapsed().as_secs_f64();
    let file = plan.made.folder.join("summary.json");
    bootstrap::write(&file, &format!("{:#}\n", summary::of(&findings)))?;
    print!("{}", report::of(&findings));
    say(&format!("figures are in {}", file.display()));
    Ok(findings.targets().iter().all(|target| target.met()))
}

/// What is told by calls through both Envoys.
async fn calls(findings: &mut Findings, cases: &[&'static Case], all: bool, plan: &Plan, say: &dyn Fn(&str)) -> Result<(), String> {
    let (amount, access_log) = (&findings.amount, findings.access_log);
    say(&format!("starting simulator, bare Envoy, Envoy with the filter ({})", findings.machine.pinning));
    let stack = Stack::start(plan, Extras { access_log, loop_times: false }).await?;
    say("idle");
    findings.idle = rounds::idle(&stack, &amount.lanes, Duration::from_millis(if findings.quick { 300 } else { 2_000 })).await?;
    for case in cases {
        say(&format!("{}: {} rounds", case.name, amount.rounds));
        findings.measured.push(rounds::measure(&stack, case, amount, &findings.idle).await?);
    }
    if all {
        say(&format!("{}: {} rounds with and without guardrails", GUARDED.name, amount.rounds));
        let amount = Amount { lanes: vec![Lane::Filter, Lane::Guarded], ..amount.clone() };
        // The same process.
        let idle = findings
            .idle
            .iter()
            .filter(|(lane, _)| **lane == Lane::Filter)
            .flat_map(|(_, used)| amount.lanes.iter().map(|lane| (*lane, *used)))
            .collect();
        findings.guarded = Some(rounds::measure(&stack, &GUARDED, &amount, &idle).await?);
    }
    if cases.iter().any(|case| case.stream) {
        say("time to first event");
        findings.first_event = Some(first_event::measure(&stack, amount).await?);
    }
    drop(stack);

    say("longest piece of work (with two other Envoys, which time their event loops)");
    let simulator = Simulator::start(plan).await?;
    let envoys = Envoys::start("longest", plan, &simulator.providers, Extras { access_log, loop_times: true }).await?;
    findings.longest = longest::measure(&simulator, &envoys, cases, amount).await?;
    Ok(())
}
