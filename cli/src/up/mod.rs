//! `nr up`: the gateway in the foreground, everything it needs started, everything it started ended.
//!
//! ```text
//! choice ── which configuration ──> programs ── Envoy, filter, simulator ──> port ── all free?
//!    └──> runtime ── rendered files and keys, private ──> child ── start ──> readiness ──> ready line
//! ```
//!
//! The files are those that `nr apply` changes ([`crate::apply`]).
//!
//! Everything that can be found wrong before a process is started is, and is one sentence. After
//! that: a signal lets running calls end, then ends all children, and is success; a child that ends by itself ends the others and
//! is failure.

mod announce;
mod child;
mod choice;
mod port;
mod programs;
mod readiness;
mod runtime;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::apply::admin::Admin;
use crate::apply::record::Record;
use crate::apply::{self, drain, refusal};
use crate::failure::Failure;
use crate::load::Loaded;
use crate::options::Up;
use crate::render::dynamic::BOOTSTRAP;
use crate::secrets;
use child::{Child, Family};
use choice::{Choice, Stage};

pub(crate) use readiness::reachable;

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
    prepare(&choice, &runtime, &wasm)?;

    // Before the first child, so that no ending is missed.
    let mut signals = Signals::new([ENDING.as_slice(), &[SIGCHLD]].concat())
        .map_err(|error| Failure::new(format!("signals cannot be watched: {error}")))?;
    let mut family = Family::default();
    let outcome = start(options, &choice, &runtime, &mut family, &envoy, simulator.as_deref(), &mut signals)
        .and_then(|ready| if ready { live(&choice, &runtime, &mut family, &mut signals) } else { Ok(()) });
    family.end(&mut signals);
    outcome
}

/// Renders the configuration and writes the keys into the runtime directory.
fn prepare(choice: &Choice, runtime: &runtime::Directory, wasm: &Path) -> Result<(), Failure> {
    let directory = runtime.secrets();
    let missing = secrets::write(&choice.loaded.document, &directory, secrets::Aws::Written)?;
    if !missing.is_empty() {
        return Err(Failure::new(format!("{}; put it there, or take out what needs it", missing.join("; "))));
    }
    let authorities = programs::authorities(&choice.loaded)?;
    let mut record = Record {
        config: choice.file.as_deref().map(apply::absolute).transpose()?,
        at: runtime.path().to_string_lossy().into_owned(),
        // A build that replaces the module does not change what runs.
        wasm: apply::files::keep_module(runtime.path(), wasm)?.to_string_lossy().into_owned(),
        secrets: directory,
        writes_secrets: true,
        authorities: authorities.to_owned(),
        process: i32::try_from(std::process::id()).ok(),
        ..Record::default()
    };
    record.of(&choice.loaded);
    let set = apply::files::render(&choice.loaded, &record)?;
    apply::files::write(runtime.path(), &set, &record)
}

/// Starts the children. False when a signal came before they were ready.
fn start(
    options: &Up,
    choice: &Choice,
    runtime: &runtime::Directory,
    family: &mut Family,
    envoy: &Path,
    simulator: Option<&Path>,
    signals: &mut Signals,
) -> Result<bool, Failure> {
    if let Some(simulator) = simulator {
        let mut command = Command::new(simulator);
        command.args(choice::simulator_arguments(&choice.loaded.config));
        family.add(Child::start("the simulator", command, |_| {})?);
        let listening = || readiness::accepts(choice::SIMULATOR_CONTROL);
        if !readiness::wait(family, signals, START, "the simulator", listening)? {
            return Ok(false);
        }
    }
    let mut command = Command::new(envoy);
    command.arg("--config-path").arg(runtime.path().join(BOOTSTRAP));
    // Hot restart would leave shared memory behind and lets only one Envoy run at a time.
    command.args(["--disable-hot-restart", "--log-level", "warn", "--file-flush-interval-msec", "200"]);
    // What is deprecated in what we render is for us to read: Envoy 1.40 says it of each seat's `capability_restriction_config`,
    // for which 1.39 has no other place.
    command.args(["--component-log-level", "misc:error"]);
    command.arg("--drain-time-s").arg(drain_time_s(&choice.loaded).to_string());
    if let Some(workers) = options.workers {
        command.arg("--concurrency").arg(workers.to_string());
    }
    family.add(Child::start("Envoy", command, refusal::heard(runtime.path()))?);
    let serving = || readiness::serves(&choice.loaded.document);
    readiness::wait(family, signals, START, "Envoy", serving)
}

/// How long connections may last that came before a change of the listener: longer than any call, since
/// Envoy cuts what is left. The end of the gateway has a limit of its own.
fn drain_time_s(loaded: &Loaded) -> u32 {
    loaded.config.routing.total_timeout_ms.div_ceil(1000) + 30
}

/// Says that calls are taken, waits for a signal to end, and lets running calls end.
fn live(choice: &Choice, runtime: &runtime::Directory, family: &mut Family, signals: &mut Signals) -> Result<(), Failure> {
    eprintln!("nr: files in {}; `nr apply` changes them while the gateway runs", runtime.path().display());
    announce::ready(&choice.loaded.document, choice.key.as_deref())?;
    loop {
        for signal in signals.wait() {
            if ENDING.contains(&signal) {
                return quiesce(choice, runtime, signal, signals);
            }
        }
        family.all_alive()?;
    }
}

/// Lets running calls end, within a limit that may have changed since the start. A supervisor's signal
/// gives load balancers time to notice; whoever presses Ctrl-C has none before this gateway.
fn quiesce(choice: &Choice, runtime: &runtime::Directory, signal: i32, signals: &mut Signals) -> Result<(), Failure> {
    let record = Record::read(runtime.path())?;
    let announced = signal == SIGTERM && choice.stage == Stage::Real;
    tell(&format!("ending; running calls have {} s, a second signal ends at once", record.drain_s));
    let hurried = || signals.pending().any(|signal| ENDING.contains(&signal));
    match drain::drain(&Admin(record.admin.clone()), &record, announced, hurried) {
        Ok(0) => {}
        Ok(left) => tell(&format!("{left} calls had not ended and are cut")),
        Err(error) => tell(&format!("{error}; running calls are cut")),
    }
    Ok(())
}

/// Says something on the way to the end. The terminal may be gone, which may be why it ends.
fn tell(what: &str) {
    let _ = writeln!(std::io::stderr(), "nr: {what}");
}
