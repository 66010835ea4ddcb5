//! What `nr apply`, `nr drain` and `nr render files` can be asked, and the help that teaches it.

use std::path::PathBuf;

use clap::Args;

use crate::options::Sources;
use crate::site::Site;

const APPLY_EXAMPLES: &str = "\
What changes: keys, limits, budgets, rules, models, prices, routing, providers, the listener, the filter itself.
No call is lost, no stream is cut, nothing that is counted is forgotten. It is done when Envoy says that it works
with the new configuration; what Envoy refuses is undone. What cannot change while Envoy runs is refused and says so.

Provider keys are read from the environment of this command and from their files. One that is in neither stays as it is.

Examples:
  nr up --config neural-router.yaml                in one terminal
  nr apply                                         in another, after a change of the file
  nr apply neural-router.yaml --run-dir /run/neural-router
      a gateway whose files were made by `nr up --run-dir` or `nr render files`
  OPENAI_API_KEY=sk-… nr apply                     a new provider key, and nothing else: no file of Envoy's changes
  nr apply --wasm neural_router.wasm               another build of the filter
  nr apply neural-router.yaml --watch              stay, and do so whenever the file has changed

With --watch, standard output has a line for each change that was made or refused: when, the first digits of the
file's SHA-256, and what. A file that is refused changes nothing; it is tried again when it has changed, and every
five minutes, since what hindered it may be gone. It ends on SIGTERM, with status 0.";

/// Options of `nr apply`.
#[derive(Debug, Args)]
#[command(after_help = APPLY_EXAMPLES)]
pub(crate) struct Apply {
    /// The configuration [default: the file that the gateway was started with].
    pub(crate) file: Option<PathBuf>,
    /// The directory of the gateway [default: that of the one `nr up` that runs here].
    #[arg(long, visible_alias = "directory", value_name = "DIR")]
    pub(crate) run_dir: Option<PathBuf>,
    /// Envoy's administration, if it is reached otherwise than the directory says.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<String>,
    /// Another filter [default: the one in use].
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    pub(crate) wasm: Option<PathBuf>,
    /// Stay, and apply the file whenever it has changed.
    #[arg(long)]
    pub(crate) watch: bool,
}

const DRAIN_EXAMPLES: &str = "\
For an Envoy that something else than `nr up` started; `nr up` does the same when it is told to end.
/healthz answers 503 from now on, and answers say that their connection ends; after listen.notice_s no connection is
taken any more; when the running calls have ended, or after listen.drain_s, Envoy ends.

Examples:
  nr drain --run-dir /run/neural-router
  nr drain --run-dir /run/neural-router --admin envoy:9901      from another container";

/// Options of `nr drain`.
#[derive(Debug, Args)]
#[command(after_help = DRAIN_EXAMPLES)]
pub(crate) struct Drain {
    /// The directory of the gateway.
    #[arg(long, visible_alias = "directory", value_name = "DIR")]
    pub(crate) run_dir: PathBuf,
    /// Envoy's administration, if it is reached otherwise than the directory says.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<String>,
}

const FILES_EXAMPLES: &str = "\
The same configuration as `nr render envoy` prints, cut into files that Envoy watches, so that `nr apply` can change it:
  envoy.yaml       to start Envoy with; administration, and where the others are
  listeners.yaml   what is let in                 routes.yaml   which clusters there are to choose from
  router.yaml      the policy                     clusters.yaml the providers
  gateway.json     for `nr apply`: where the filter and the secrets are

Examples:
  nr render files /run/neural-router --config neural-router.yaml --secrets /run/neural-router/secrets
  envoy --config-path /run/neural-router/envoy.yaml
  nr apply neural-router.yaml --run-dir /run/neural-router
  nr render files out --at /etc/envoy --wasm /etc/envoy/neural_router.wasm --secrets-at /etc/envoy/secrets
      for another machine, where the files will be in /etc/envoy
  nr render files /run/nr --secrets /run/nr/secrets --secrets-from /etc/secrets --listen http://0.0.0.0:8080
      in a container: its address is its own, and what the configuration takes from variables is mounted as files";

/// Options of `nr render files`.
#[derive(Debug, Args)]
#[command(after_help = FILES_EXAMPLES)]
pub(crate) struct Files {
    /// Directory to write to; made if it is not there.
    pub(crate) directory: PathBuf,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Where Envoy will find the directory [default: where it is].
    #[arg(long, value_name = "PATH")]
    pub(crate) at: Option<String>,
    #[command(flatten)]
    pub(crate) site: Site,
}
