//! The command line: where to listen, and which providers to stand in for.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use clap::Parser;

use crate::protocol::{self, Protocol};

const EXAMPLES: &str = "\
Examples:
  nr-simulator
      control on 127.0.0.1:18000, openai on :18001, anthropic on :18002, groq (OpenAI protocol) on :18003
  nr-simulator --control 127.0.0.1:0 --provider openai=openai@127.0.0.1:0
      free ports; the first line on stdout names them:
      {\"ready\":true,\"control\":\"127.0.0.1:40213\",\"providers\":{\"openai\":\"127.0.0.1:40215\"}}
  curl -X PUT 127.0.0.1:18000/providers/openai/fault -d '{\"kind\":\"status\",\"status\":429,\"retry_after\":2,\"times\":1}'
      the next request to that provider is answered 429
  curl 127.0.0.1:18000/providers/openai/requests
      what the provider received, headers in order, bodies in base64
  curl -X POST 127.0.0.1:18000/reset
      everything as at the start

Control API: GET /healthz, GET /providers, POST /reset, and under /providers/NAME:
  behaviour (GET PUT DELETE), fault (GET PUT DELETE), requests (GET DELETE), recording (GET PUT)";

/// Stands in for LLM providers: speaks their wire protocols, checks requests as they do, breaks on request.
#[derive(Debug, Parser)]
#[command(name = "nr-simulator", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Address of the control API.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:18000")]
    pub(crate) control: SocketAddr,

    /// A provider to stand in for, as NAME=PROTOCOL@ADDRESS; PROTOCOL is the name of a protocol (see README), port 0 takes a free one.
    /// Repeat it for more. Without it: openai, anthropic and groq on ports 18001 to 18003.
    #[arg(long = "provider", value_name = "NAME=PROTOCOL@ADDRESS", value_parser = Spec::parse)]
    given: Vec<Spec>,

    /// Worker threads [default: one for each core].
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
}

/// One `--provider` value.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) address: SocketAddr,
}

impl Args {
    pub(crate) fn providers(&self) -> Vec<Spec> {
        if !self.given.is_empty() {
            return self.given.clone();
        }
        ["openai=openai@127.0.0.1:18001", "anthropic=anthropic@127.0.0.1:18002", "groq=openai@127.0.0.1:18003"]
            .into_iter()
            .filter_map(|text| Spec::parse(text).ok())
            .collect()
    }
}

impl Spec {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("expected NAME=PROTOCOL@ADDRESS, there is no `=`")?;
        let (protocol, address) = rest.split_once('@').ok_or("expected NAME=PROTOCOL@ADDRESS, there is no `@`")?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return Err(format!("the name `{name}` may hold letters, digits, `-`, `_` and `.` only"));
        }
        let protocol =
            protocol::by_name(protocol).ok_or_else(|| format!("no protocol `{protocol}`; there are {}", protocol::names().join(", ")))?;
        let address = address.parse().map_err(|_| format!("`{address}` is not an address such as 127.0.0.1:18001"))?;
        Ok(Self { name: name.to_owned(), protocol, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_provider_the_three_of_the_demo_are_served() {
        let args = Args::parse_from(["nr-simulator"]);
        let shown: Vec<_> = args.providers().iter().map(|s| format!("{} {} {}", s.name, s.protocol.name(), s.address)).collect();
        assert_eq!(shown, ["openai openai 127.0.0.1:18001", "anthropic anthropic 127.0.0.1:18002", "groq openai 127.0.0.1:18003"]);
    }

    #[test]
    fn a_malformed_provider_is_refused_with_the_reason() {
        for (given, reason) in [
            ("openai", "no `=`"),
            ("openai=openai", "no `@`"),
            ("a b=openai@127.0.0.1:1", "letters, digits"),
            ("x=smtp@127.0.0.1:1", "no protocol `smtp`; there are openai"),
            ("x=openai@localhost", "not an address"),
        ] {
            let error = Spec::parse(given).map(|_| ()).unwrap_err();
            assert!(error.contains(reason), "{given}: {error}");
        }
    }
}
