//! Which configuration runs: the one named, the one in this directory, the built-in example with the
//! providers whose keys are there, or the built-in demo.

use std::path::{Path, PathBuf};

use neural_router::config::document::KeySource;
use neural_router::config::{Config, Document};

use crate::failure::Failure;
use crate::key::Key;
use crate::load::{self, Loaded};
use crate::secrets;

const OWN: &str = "neural-router.yaml";
const EXAMPLE: &str = include_str!("../../../examples/neural-router.yaml");
const DEMO: &str = include_str!("../../../examples/demo.yaml");

/// Public, on loopback only.
const DEMO_KEY: &str = "nr-demo-5f8e1c0b7a2d4963";

/// Where the demo's simulator takes orders.
pub(super) const SIMULATOR_CONTROL: ([u8; 4], u16) = ([127, 0, 0, 1], 18000);

/// What stands behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Simulated providers.
    Demo,
    /// The providers of the configuration.
    Real,
}

/// The configuration to run.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) loaded: Loaded,
    /// The file it is from; none for what is built in.
    pub(super) file: Option<PathBuf>,
    pub(super) stage: Stage,
    /// A caller's key, where `nr` knows one.
    pub(super) key: Option<String>,
}

/// Chooses, and says on standard error what was chosen.
pub(super) fn choose(named: Option<&Path>) -> Result<Choice, Failure> {
    let own = Path::new(OWN);
    if let Some(file) = named.or_else(|| own.exists().then_some(own)) {
        let loaded = load::file(file)?;
        eprintln!("nr: configuration {}", file.display());
        return Ok(Choice { loaded, file: Some(file.to_owned()), stage: Stage::Real, key: None });
    }
    let mut example = load::document(EXAMPLE)?;
    let dropped = drop_keyless(&mut example);
    if example.providers.is_empty() {
        eprintln!("nr: no {OWN} here and no provider key in the environment: the demo, with simulated providers");
        return Ok(Choice { loaded: load::text(DEMO)?, file: None, stage: Stage::Demo, key: Some(DEMO_KEY.to_owned()) });
    }
    eprintln!("nr: no {OWN} here: the built-in example with {}", example.providers.keys().cloned().collect::<Vec<_>>().join(", "));
    for what in dropped {
        eprintln!("nr: left out: {what}");
    }
    let key = own_key(&mut example)?;
    Ok(Choice { loaded: load::checked(example)?, file: None, stage: Stage::Real, key: Some(key) })
}

/// Drops the providers without a key, their deployments, and the models left without any. Says which.
fn drop_keyless(document: &mut Document) -> Vec<String> {
    let mut dropped = Vec::new();
    document.providers.retain(|name, provider| {
        let complete = secrets::missing(name, provider).is_empty();
        if !complete && let Some(KeySource::Env(variable)) = &provider.api_key {
            dropped.push(format!("provider {name}, because {variable} is not set"));
        }
        complete
    });
    for model in &mut document.models {
        model.deployments.retain(|deployment| document.providers.contains_key(&deployment.provider));
    }
    document.models.retain(|model| {
        if model.deployments.is_empty() {
            dropped.push(format!("model {}, which only they have", model.id));
        }
        !model.deployments.is_empty()
    });
    dropped
}

/// A caller's key for this run in the place of the example's placeholder, which nobody has.
fn own_key(document: &mut Document) -> Result<String, Failure> {
    let made = Key::random()?;
    for key in document.workspaces.iter_mut().flat_map(|workspace| &mut workspace.keys) {
        if load::is_placeholder(&key.sha256) {
            key.id = "this-run".to_owned();
            key.sha256.clone_from(&made.sha256);
            return Ok(made.key);
        }
    }
    Err(Failure::new("the built-in example has no placeholder for a key"))
}

/// The simulator's command line: one provider for each of the demo's, at the demo's addresses.
pub(super) fn simulator_arguments(config: &Config) -> Vec<String> {
    let ([a, b, c, d], port) = SIMULATOR_CONTROL;
    let mut arguments = vec!["--control".to_owned(), format!("{a}.{b}.{c}.{d}:{port}")];
    for provider in config.catalog.providers() {
        let (name, protocol, endpoint) = (&provider.name, provider.protocol.name, &provider.endpoint);
        arguments.push("--provider".to_owned());
        arguments.push(format!("{name}={protocol}@{}:{}", endpoint.host, endpoint.port));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::digest;

    #[test]
    fn the_demo_knows_its_own_key() {
        let demo = load::document(DEMO).unwrap();
        assert_eq!(demo.workspaces[0].keys[0].sha256, digest(DEMO_KEY));
    }

    #[test]
    fn the_demo_asks_for_no_provider_key_and_stays_on_loopback() {
        let demo = load::text(DEMO).unwrap();
        assert!(demo.document.providers.values().all(|provider| provider.api_key.is_none()));
        assert!(demo.config.catalog.providers().iter().all(|provider| provider.endpoint.host == "127.0.0.1"));
        assert_eq!(demo.document.listen.address, "127.0.0.1");
    }

    #[test]
    fn the_simulator_stands_where_the_demo_looks_for_its_providers() {
        let demo = load::text(DEMO).unwrap();
        let expected = "--control 127.0.0.1:18000 --provider anthropic=anthropic@127.0.0.1:18002 \
                        --provider groq=openai@127.0.0.1:18003 --provider openai=openai@127.0.0.1:18001";
        assert_eq!(simulator_arguments(&demo.config).join(" "), expected);
    }

    #[test]
    fn a_provider_without_a_key_takes_the_models_with_it_that_only_it_has() {
        let mut document = load::document(EXAMPLE).unwrap();
        for (name, provider) in &mut document.providers {
            provider.api_key = (name != "openai").then(|| KeySource::Env("NR_TEST_NEVER_SET".to_owned()));
        }
        let dropped = drop_keyless(&mut document);
        let models: Vec<_> = document.models.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(models, ["gpt-4o", "text-embedding-3-small"]);
        assert_eq!(dropped.len(), 4, "two providers and two models: {dropped:?}");
        load::checked(document).expect("what is left is a whole configuration");
    }

    #[test]
    fn the_example_gets_a_key_of_its_own_in_each_run() {
        let (mut one, mut two) = (load::document(EXAMPLE).unwrap(), load::document(EXAMPLE).unwrap());
        let (first, second) = (own_key(&mut one).unwrap(), own_key(&mut two).unwrap());
        assert_ne!(first, second);
        assert_eq!(one.workspaces[0].keys[0].sha256, digest(&first));
    }
}
