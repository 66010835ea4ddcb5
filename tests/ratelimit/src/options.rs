//! The command line. Where limitador-server has an option for the same, it has the same name.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

const EXAMPLES: &str = "\
Example:
  nr render ratelimit --for limitador-1 --config neural-router.yaml > limits.yaml
  nr-ratelimit limits.yaml redis redis://127.0.0.1:6379

The file of limits is read again when it changes, and on SIGHUP. A bad one changes nothing and is complained of.
GET /status on the HTTP port is 200 while Redis answers; GET /metrics counts decisions.";

/// Envoy's rate-limit service in front of Redis, for tests.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The limits, as a YAML list of {namespace, max_value, seconds, conditions, variables}.
    pub(crate) limits_file: PathBuf,
    /// Where calls are taken.
    #[arg(short = 'b', long, value_name = "IP", default_value = "0.0.0.0", env = "ENVOY_RLS_HOST")]
    pub(crate) rls_ip: String,
    /// And on which port.
    #[arg(short = 'p', long, value_name = "PORT", default_value_t = 8081, env = "ENVOY_RLS_PORT")]
    pub(crate) rls_port: u16,
    /// Where health and metrics are shown.
    #[arg(short = 'B', long, value_name = "IP", default_value = "0.0.0.0", env = "HTTP_API_HOST")]
    pub(crate) http_ip: String,
    /// And on which port.
    #[arg(short = 'P', long, value_name = "PORT", default_value_t = 8080, env = "HTTP_API_PORT")]
    pub(crate) http_port: u16,
    /// Whose habits to follow.
    #[arg(long, value_enum, default_value_t = Like::Limitador)]
    pub(crate) like: Like,
    /// Say more: -v what is done, -vv every decision.
    #[arg(short, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) storage: Storage,
}

impl Options {
    pub(crate) fn level(&self) -> LevelFilter {
        match self.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        }
    }
}

/// The two services differ in what becomes of hits that are refused, and in what they say beside yes and no.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Like {
    /// Refused hits are not counted; nothing is said of what is left.
    Limitador,
    /// As envoyproxy/ratelimit: refused hits are counted, too; what is left is said.
    Envoyproxy,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Storage {
    /// Counters in Redis.
    Redis {
        /// Its address, as redis://HOST:PORT.
        url: String,
        /// How long a decision may take, waiting for its turn included.
        #[arg(long, value_name = "MS", default_value_t = 200)]
        timeout_ms: u64,
    },
}
