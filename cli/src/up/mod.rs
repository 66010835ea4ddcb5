//! `nr up`: the gateway in the foreground, everything it needs started, everything it started ended.
//!
//! ```text
//! choice ── which configuration ──> programs ── Envoy, filter, simulator ──> port ── all free?
//!    └──> runtime ── rendered configuration and keys, private ──> child ── start ──> readiness ──> ready line
//! ```
//!
//! Everything that can be found wrong before a process is started is, and is one sentence. After
//! that: a signal ends all children and is success; a child that ends by itself ends the others and
//! is failure.

mod announce;
mod child;
mod choice;
mod port;
mod programs;
mod readiness;
mod runtime;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::options::Up;
use crate::{render, secrets};
use child::{Child, Family};
use choice::{Choice, Stage};

/// What the terminal, an operator or a supervisor ends a program with.
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Loading the filter takes seconds on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Runs the gateway until a signal comes or a part of it ends.
pub(crate) fn run(options: &Up) -> Result<(), Failure> {
    let choice = choice::choose(options.config.as_deref())?;
    choice.loaded.warn();
    let envoy = programs::envoy()?;
    let wasm = programs::wasm(options.wasm.as_deref())?;
    let simulator = match choice.stage {
        Stage::Demo => Some(programs::simulator()?),
        Stage::Real => None,
    };
    port::all_free(&choice)?;

    let runtime = runtime::Directory::open(options.run_dir.as_deref())?;
    let bootstrap = prepare(&choice, &runtime, &wasm)?;

    // Before the first child, so that no ending is missed.
    let mut signals = Signals::new([ENDING.as_slice(), &[SIGCHLD]].concat())
        .map_err(|error| Failure::new(format!("signals cannot be watched: {error}")))?;
    let mut family = Family::default();
    let outcome = start(options, &choice, &mut family, &envoy, simulator.as_deref(), &bootstrap, &mut signals)
        .and_then(|ready| if ready { live(&choice, &mut family, &mut signals) } else { Ok(()) });
    family.end(&mut signals);
    outcome
}

/// Renders the configuration and writes the keys into the runtime directory.
fn prepare(choice: &Choice, runtime: &runtime::Directory, wasm: &Path) -> Result<std::path::PathBuf, Failure> {
    let directory = runtime.secrets();
    if let Some(missing) = secrets::write(&choice.loaded.document, &directory)?.into_iter().next() {
        return Err(Failure::new(missing));
    }
    let authorities = programs::authorities(&choice.loaded)?;
    let places = render::Places { wasm: &wasm.to_string_lossy(), secrets: &directory, authorities };
    runtime.write("envoy.yaml", &render::envoy(&choice.loaded.document, &choice.loaded.config, &places)?)
}

/// Starts the children. False when a signal came before they were ready.
fn start(
    options: &Up,
    choice: &Choice,
    family: &mut Family,
    envoy: &Path,
    simulator: Option<&Path>,
    bootstrap: &Path,
    signals: &mut Signals,
) -> Result<bool, Failure> {
    if let Some(simulator) = simulator {
        let mut command = Command::new(simulator);
        command.args(choice::simulator_arguments(&choice.loaded.config));
        family.add(Child::start("the simulator", command)?);
        let listening = || readiness::accepts(choice::SIMULATOR_CONTROL);
        if !readiness::wait(family, signals, START, "the simulator", listening)? {
            return Ok(false);
        }
    }
    let mut command = Command::new(envoy);
    command.arg("--config-path").arg(bootstrap);
    // Hot restart would leave shared memory behind and lets only one Envoy run at a time.
    command.args(["--disable-hot-restart", "--log-level", "warn", "--file-flush-interval-msec", "200"]);
    if let Some(workers) = options.workers {
        command.arg("--concurrency").arg(workers.to_string());
    }
    family.add(Child::start("Envoy", command)?);
    let serving = || readiness::serves(&choice.loaded.document);
    readiness::wait(family, signals, START, "Envoy", serving)
}

/// Says that calls are taken, then waits for the end.
fn live(choice: &Choice, family: &mut Family, signals: &mut Signals) -> Result<(), Failure> {
    announce::ready(&choice.loaded.document, choice.key.as_deref())?;
    for signal in signals.forever() {
        if ENDING.contains(&signal) {
            return Ok(());
        }
        family.all_alive()?;
    }
    Ok(())
}
