//! `nr`, the command line of Neural Router: makes keys, checks a configuration, refreshes its prices,
//! says what it would decide, turns it into Envoy's, runs it, and shows what it is doing.
//!
//! ```text
//! neural-router.yaml ── load ──┬── check          is it right, where not, and does it make sense
//!                              ├── catalog update prices and windows from LiteLLM's table
//!                              ├── explain        whom a request would be given to, and why
//!                              ├── simulate       what the calls of an access log would have cost
//!                              ├── render         Envoy's bootstrap; files that Envoy watches; for Kubernetes, for Istio; a rate-limit service's limits
//!                              ├── up             simulator (demo only), secrets, Envoy, ready line
//!                              ├── apply          a changed configuration, into a gateway that runs
//!                              └── top            what the gateway is doing now
//! ```
//!
//! Whether a configuration is right is decided in the filter's own library, so `nr` cannot accept
//! what the filter would refuse. Exit status: 0 done, 1 it could not be done, 2 wrong usage.

mod apply;
mod caller;
mod catalog;
mod certificate;
mod check;
mod columns;
mod credential;
mod edge;
mod explain;
mod failure;
mod finding;
mod input;
mod key;
mod lint;
mod load;
mod options;
mod render;
mod secrets;
mod simulate;
mod site;
mod top;
mod up;

use std::process::ExitCode;

use clap::Parser;
use failure::Failure;
use options::{CatalogCommand, Command, KeyCommand, Nr, RenderCommand, RenderEnvoy};
use secrets::Aws;

fn main() -> ExitCode {
    let outcome = match Nr::parse().command {
        Command::Up(options) => up::run(&options),
        Command::Apply(options) => apply::run(&options),
        Command::Drain(options) => apply::drain::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Top(options) => top::run(&options),
        Command::Render { command } => match *command {
            RenderCommand::Envoy(options) => render_envoy(&options),
            RenderCommand::Kubernetes(options) => render::kubernetes::run(&options),
            RenderCommand::Istio(options) => render::istio::run(&options),
            RenderCommand::Files(options) => apply::render_files(&options),
            RenderCommand::Ratelimit(options) => render::ratelimit::run(&options),
        },
        Command::Catalog { command: CatalogCommand::Update(options) } => catalog::update(&options),
        Command::Key { command: KeyCommand::New { workspace, id } } => key::new(&workspace, id.as_deref()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn render_envoy(options: &RenderEnvoy) -> Result<(), Failure> {
    let sources = &options.sources;
    let loaded = load::file(&sources.config)?;
    loaded.warn();
    let secrets = sources.secrets_path();
    let places = render::Places { wasm: &sources.wasm, secrets, aws: secrets, authorities: &sources.ca };
    let bootstrap = render::envoy(&loaded.document, &loaded.config, &places)?;
    if let Some(directory) = &sources.secrets {
        for missing in secrets::write(&loaded.document, directory, Aws::Written)? {
            eprintln!("warning: {missing}");
        }
    }
    print!("{bootstrap}");
    Ok(())
}
