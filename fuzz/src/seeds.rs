//! What every target begins with: the fixtures of the protocols, each with a head.

use std::path::Path;

use neural_router::framing::Framing;
use neural_router::provider::Protocol;
use serde_json::Value;

use super::framing::framings;
use super::{Given, MODELS, Target, failed};

/// An input and what it is made of.
pub struct Seed {
    /// `anthropic-stream-basic`
    pub name: String,
    /// Whose fixture it is, and how it is taken.
    pub given: Given,
    /// Where the protocol and the model are in their tables.
    pub place: (u8, u8),
    /// What the caller or the provider sends.
    pub bytes: Vec<u8>,
}

impl Seed {
    /// As libFuzzer takes it.
    pub fn input(&self) -> Vec<u8> {
        let (protocol, model) = self.place;
        [&[protocol, model, self.given.option, self.given.cuts], self.bytes.as_slice()].concat()
    }
}

/// The kinds of fixtures that a target takes, each with its option.
fn kinds(target: &str) -> &'static [(&'static str, u8)] {
    match target {
        "request" => &[("request", 0), ("embeddings/request", 1)],
        "response" => &[("response", 0), ("embeddings/response", 1)],
        "stream" | "framing" => &[("stream", 0)],
        "failed" | "advice" => &[("failure", 0)],
        other => panic!("{other} has no fixtures"),
    }
}

/// The fixtures below `root`, the repository, that a target takes.
pub fn of(target: Target, root: &Path) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (row, protocol) in Protocol::all().enumerate() {
        for (kind, option) in kinds(target.name) {
            let Ok(entries) = std::fs::read_dir(root.join("tests/fixtures").join(protocol.name).join(kind)) else { continue };
            let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
            paths.sort();
            for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension != "golden")) {
                let case = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
                let recorded = std::fs::read(path).expect("a readable fixture");
                let (wanted, bytes) = if kind.ends_with("request") { request(&recorded) } else { (model_of(case).to_owned(), recorded) };
                let place = MODELS.iter().position(|model| *model == wanted).unwrap_or(MODELS.len() - 1);
                let mut given = Given { protocol, model: MODELS[place], option: *option, cuts: 7 };
                given.option |= options(target, &given, case, path.extension().and_then(|extension| extension.to_str()));
                let name = format!("{}-{}-{case}", protocol.name, kind.replace('/', "-"));
                seeds.push(Seed { name, given, place: (row as u8, place as u8), bytes });
            }
        }
    }
    assert!(!seeds.is_empty(), "no fixtures for {}", target.name);
    seeds
}

/// The model and the caller's body of a recorded request.
fn request(recorded: &[u8]) -> (String, Vec<u8>) {
    let recorded: Value = serde_json::from_slice(recorded).expect("JSON");
    let body = recorded["body"].to_string();
    (recorded["call"]["model"].as_str().unwrap_or_default().to_owned(), body.replacen('{', r#"{"model":"m","#, 1).into_bytes())
}

/// A vendor of several is told by the model, and the fixture by its name.
fn model_of(case: &str) -> &'static str {
    if case.contains("claude") { "claude-sonnet-4-5" } else { "" }
}

fn options(target: Target, given: &Given, case: &str, extension: Option<&str>) -> u8 {
    match (target.name, extension) {
        ("failed", _) => {
            let status = case.split('-').next().and_then(|status| status.parse().ok()).unwrap_or(400);
            failed::STATUSES.iter().position(|known| *known == status).unwrap_or_default() as u8
        }
        ("framing", Some(extension)) => framing(given, extension),
        ("stream", Some(extension)) => framing(given, extension) << 1,
        _ => 0,
    }
}

/// Where the framing that an extension stands for is among those of the protocol.
fn framing(given: &Given, extension: &str) -> u8 {
    let content_type = match extension {
        "sse" => "text/event-stream",
        "eventstream" => "application/vnd.amazon.eventstream",
        _ => "application/json",
    };
    let framing: Option<Framing> = given.protocol.codec(given.model).framing(content_type);
    framings(given).iter().position(|known| Some(*known) == framing).unwrap_or_default() as u8
}
