//! The command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;

const HELP: &str = "\
What is compared, in one go and with the same simulator as provider:
  simulator   calls go straight to it; what it costs is its own CPU time
  envoy       bare Envoy: one route to one cluster, no filter
  filter      Envoy as `nr render envoy` configures it: both seats, all checks, key injection
  policies    the same for a workspace with limits, a budget and two guardrail rules
Besides, how long the decision among 32 candidates takes in an Envoy that does nothing else.

CPU time is that of the whole process by the kernel's nanosecond clock, less what it uses when idle,
divided by the number of requests. The lanes take turns; a ratio is taken within a round, and the
median over the rounds is reported with the smallest and the largest.

Examples:
  nr-bench                          everything, about six minutes; figures also in target/bench/summary.json
  nr-bench --quick                  a look: few calls, two rounds; its figures are rough
  nr-bench --only chat_32k --rounds 15
  nr-bench --only decision          how long deciding takes, in a few seconds
  nr-bench --no-translate           without the lanes through providers that speak other protocols
  nr-bench --check                  exit status 1 when a target is missed

The machine should be doing nothing else. bench/README.md says how to read the figures.";

/// Measures what the filter costs Envoy.
#[derive(Debug, Parser)]
#[command(name = "nr-bench", version, after_help = HELP)]
pub(crate) struct Args {
    /// Few calls and two rounds: shows that everything works, not how fast it is.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Rounds for each case [default: 7].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,

    /// Only this case: chat_1k, chat_32k, chat_1m, stream_40 or decision. Repeat it for more.
    #[arg(long, value_name = "CASE")]
    pub(crate) only: Vec<String>,

    /// Do without translation to the other protocols, which is given as a ratio to passing through.
    #[arg(long)]
    pub(crate) no_translate: bool,

    /// Envoy's worker threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) concurrency: u16,

    /// Keep the access log in both Envoys. Without it, both write none.
    #[arg(long)]
    pub(crate) access_log: bool,

    /// Exit with status 1 when a target is missed.
    #[arg(long)]
    pub(crate) check: bool,

    /// Envoy 1.40 [default: `envoy` on PATH if it is one, else tools/venv/bin/envoy in the build directory].
    #[arg(long, value_name = "FILE", env = "ENVOY_BIN")]
    envoy: Option<PathBuf>,

    /// The filter [default: neural_router.wasm in the build directory].
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,

    /// The module that times the decision [default: nr_decision.wasm in the build directory].
    #[arg(long, value_name = "FILE")]
    decides: Option<PathBuf>,

    /// The program that renders the configuration [default: beside this one].
    #[arg(long, value_name = "FILE")]
    nr: Option<PathBuf>,

    /// The simulator [default: beside this one].
    #[arg(long, value_name = "FILE")]
    simulator: Option<PathBuf>,

    /// Where configurations, logs and the summary go [default: bench/ in the build directory].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The files a run needs.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) envoy: PathBuf,
    /// What that Envoy says it is.
    pub(crate) envoy_version: String,
    pub(crate) wasm: PathBuf,
    pub(crate) decides: PathBuf,
    pub(crate) nr: PathBuf,
    pub(crate) simulator: PathBuf,
    pub(crate) out: PathBuf,
}

impl Args {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 2 } else { 7 }, usize::from)
    }

    /// Finds the files, all as absolute paths: Envoy and this program may not share a working directory.
    pub(crate) fn places(&self) -> Result<Places, String> {
        let own = std::env::current_exe().map_err(|error| format!("where this program is cannot be found: {error}"))?;
        let beside = own.parent().unwrap_or(Path::new("."));
        let build = beside.parent().unwrap_or(beside);
        let found = |given: &Option<PathBuf>, default: PathBuf, what: &str, make: &str| {
            let file = given.clone().unwrap_or(default);
            file.canonicalize().map_err(|error| format!("{what} is not at {}: {error} ({make})", file.display()))
        };
        let out = self.out.clone().unwrap_or_else(|| build.join("bench"));
        std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let (envoy, envoy_version) = self.envoy(&build.join("tools/venv/bin/envoy"))?;
        Ok(Places {
            envoy,
            envoy_version,
            wasm: found(&self.wasm, build.join("neural_router.wasm"), "the filter", "`make build` makes it")?,
            decides: found(
                &self.decides,
                build.join("nr_decision.wasm"),
                "what times the decision",
                "`scripts/build-wasm.sh nr_decision` makes it",
            )?,
            nr: found(&self.nr, beside.join("nr"), "nr", "`make build` makes it")?,
            simulator: found(&self.simulator, beside.join("nr-simulator"), "the simulator", "`make build` makes it")?,
            out: out.canonicalize().map_err(|error| format!("{}: {error}", out.display()))?,
        })
    }

    fn envoy(&self, installed: &Path) -> Result<(PathBuf, String), String> {
        if let Some(given) = &self.envoy {
            return match version(given)? {
                version if version.starts_with(ENVOY) => Ok((given.clone(), version)),
                version => Err(format!("{} is Envoy {version}; the filter is made for {ENVOY}x", given.display())),
            };
        }
        let candidates = [Path::new("envoy"), installed].into_iter();
        let found = candidates.filter_map(|path| Some((path.to_owned(), version(path).ok()?)));
        let mut right = found.filter(|(_, version)| version.starts_with(ENVOY));
        right.next().ok_or_else(|| {
            let installed = installed.display();
            format!("no Envoy {ENVOY}x on PATH or at {installed}: `scripts/tools.sh envoy` installs one, ENVOY_BIN names another")
        })
    }
}

const ENVOY: &str = "1.40.";

fn version(envoy: &Path) -> Result<String, String> {
    let output = Command::new(envoy).arg("--version").output();
    let output = output.map_err(|error| format!("Envoy cannot be started ({}): {error}", envoy.display()))?;
    // "/usr/bin/envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL"
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_once("version: ").and_then(|(_, rest)| rest.split('/').nth(1));
    version.map(str::to_owned).ok_or_else(|| format!("{} does not say which version of Envoy it is", envoy.display()))
}
