//! What `nr top` can be asked.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::table::Sort;

const EXAMPLES: &str = "\
Examples:
  nr top                                   in a terminal: refreshing; q ends it, s or one of c e l $ n orders
  nr top --admin http://127.0.0.1:9901     another gateway's administration endpoint
  nr top | tee -a top.log                  no terminal: the same figures as lines of text, at every interval
  nr top --once                            two looks and what came between them; exit status 1 if nobody answers
  nr top --once --json | jq '.models[] | select(.cooling)'
      for scripts; figures have their unit in their name

CALLS/S of a model counts attempts, ERRORS recent ones that failed by no doing of the caller. TTFT is the time to the
first token of streams, TOTAL the time of whole calls. Rates of calls are those since the last look. All else is
recent: of the last minute, or of all the time since Envoy began while nobody has watched for ten seconds yet, as
with --once.
What is left of a limit is as of five seconds ago at most.

Colours are left out where NO_COLOR is set.";

/// Options of `nr top`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Top {
    /// Envoy's administration endpoint [default: that of the configuration, or http://127.0.0.1:9901].
    #[arg(long, value_name = "URL", value_parser = url)]
    pub(crate) admin: Option<String>,
    /// The configuration, which says where the endpoint is and what the limits are [default: neural-router.yaml, if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How often to look, such as 2s or 500ms.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval)]
    pub(crate) interval: Duration,
    /// What the models are ordered by.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) sort: Sort,
    /// Print once and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Print one JSON object a line and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

fn interval(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| digits.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let seconds = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(ms), _) => number(ms).map(|ms| ms / 1e3),
        (_, Some(s)) => number(s),
        _ => number(text),
    };
    let interval = seconds.filter(|seconds| *seconds < 1e6).map(Duration::from_secs_f64);
    interval.filter(|interval| (SHORTEST..=LONGEST).contains(interval)).ok_or_else(|| "expected 100ms to 60s".to_owned())
}

fn url(text: &str) -> Result<String, String> {
    // Without a scheme it is what people paste from Envoy's log.
    let url = if text.contains("://") { text.to_owned() } else { ["http://", text].concat() };
    let rest = url.strip_prefix("http://").ok_or("Envoy's administration endpoint speaks http://")?;
    if rest.is_empty() || rest.contains(char::is_whitespace) { Err("expected http://HOST:PORT".to_owned()) } else { Ok(url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit_or_are_seconds() {
        for (text, ms) in [("2s", Some(2_000)), ("500ms", Some(500)), ("1.5s", Some(1_500)), ("3", Some(3_000)), ("60s", Some(60_000))] {
            assert_eq!(interval(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
        for text in ["", "s", "0", "50ms", "61s", "-1s", "NaN", "inf", "1e30s", "2m"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_a_url_too() {
        assert_eq!(url("127.0.0.1:9901").as_deref(), Ok("http://127.0.0.1:9901"));
        assert_eq!(url("http://envoy:9901/").as_deref(), Ok("http://envoy:9901/"));
        assert!(["https://x", "", "a b"].iter().all(|text| url(text).is_err()));
    }
}
