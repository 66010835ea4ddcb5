//! Asking Envoy's administration endpoint, and what came of it.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::exposition::{Sample, samples};
use crate::failure::Failure;

/// What the endpoint said at one moment.
#[derive(Debug, Clone)]
pub(super) struct Scrape {
    pub(super) at: Instant,
    pub(super) envoy: Envoy,
    pub(super) samples: Vec<Sample>,
}

/// Who answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Envoy {
    /// Such as `1.40.0`.
    pub(super) version: String,
    /// `LIVE`, `DRAINING` or on the way there.
    pub(super) state: String,
    /// Seconds since it began.
    pub(super) uptime_s: u64,
}

/// For one question; one that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than the metrics of ten thousand series.
const MOST_BYTES: u64 = 256 << 20;

/// Only the filter's: a busy Envoy has thousands of its own.
const METRICS: &str = r"/stats/prometheus?filter=%5Ewasmcustom%5C.";

/// An administration endpoint.
#[derive(Debug)]
pub(super) struct Admin {
    url: String,
    agent: ureq::Agent,
}

impl Admin {
    pub(super) fn new(url: &str) -> Self {
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).build().new_agent();
        Self { url: url.trim_end_matches('/').to_owned(), agent }
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Asks who it is and what its metrics are.
    pub(super) fn scrape(&self) -> Result<Scrape, Failure> {
        let info = self.ask("/server_info")?;
        let text = self.ask(METRICS)?;
        let at = Instant::now();
        let envoy = envoy(&info).ok_or_else(|| {
            Failure::new(format!("{} answers, but not as Envoy's administration endpoint does; give that with --admin URL", self.url))
        })?;
        Ok(Scrape { at, envoy, samples: samples(&text) })
    }

    fn ask(&self, path: &str) -> Result<String, Failure> {
        let answer = self.agent.get([&self.url, path].concat()).call();
        answer.and_then(|mut answer| answer.body_mut().with_config().limit(MOST_BYTES).read_to_string()).map_err(|error| match error {
            ureq::Error::StatusCode(status) => Failure::new(format!(
                "{} answers {path} with status {status}, which Envoy's administration endpoint does not; give that with --admin URL",
                self.url
            )),
            error => Failure::new(format!(
                "Envoy's administration endpoint {} cannot be reached: {}; is Envoy running? --admin URL says where",
                self.url,
                why(&error)
            )),
        })
    }
}

/// Without the names of types.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        error => error.to_string(),
    }
}

#[derive(Deserialize)]
struct Info {
    version: String,
    state: String,
    uptime_current_epoch: String,
}

fn envoy(json: &str) -> Option<Envoy> {
    let info: Info = serde_json::from_str(json).ok()?;
    // The commit, the version, and how it was built.
    let version = info.version.split('/').nth(1).unwrap_or(&info.version).to_owned();
    let uptime_s = info.uptime_current_epoch.trim_end_matches('s').parse().ok()?;
    Some(Envoy { version, state: info.state, uptime_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_says_its_version_and_its_age() {
        let said =
            r#"{"version":"9e5580/1.40.0/Clean/RELEASE/BoringSSL","state":"LIVE","uptime_current_epoch":"61s","uptime_all_epochs":"61s"}"#;
        assert_eq!(envoy(said), Some(Envoy { version: "1.40.0".to_owned(), state: "LIVE".to_owned(), uptime_s: 61 }));
        assert_eq!(envoy("<html>"), None);
        assert_eq!(envoy("{}"), None);
    }
}
