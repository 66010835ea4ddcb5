//! What the documents show: the worked example of the ranking, requests to paste, JSON.

use neural_router::authenticate::Caller;
use neural_router::config::Config;
use neural_router::config::policy::dollars;
use neural_router::config::preference::QualityPerDollar;
use neural_router::openai::{Endpoint, Request};
use neural_router::rank;
use neural_router::vitals::Snapshot;
use serde_json::Value;

use super::text::{documents, prose_and_blocks, read, table};

/// The demo as the filter is configured with it, out of the rendered bootstrap.
fn demo() -> Config {
    let bootstrap = read("envoy/envoy.yaml");
    let line = bootstrap.lines().find_map(|line| line.trim().strip_prefix("value: '{\"listen\"")).expect("the router seat's configuration");
    let json = format!("{{\"listen\"{}", line.trim_end_matches('\'').replace("''", "'"));
    Config::from_json(json.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn caller(config: &Config) -> Caller<'_> {
    let key = config.workspaces.keys().next().expect("a key");
    Caller { workspace: config.workspaces.get(key.workspace).expect("its workspace"), key }
}

/// Nothing is known of the deployments, and nothing is left to chance.
fn planned<'c>(config: &'c Config, body: &str) -> rank::Plan<'c> {
    let request = Request::parse(Endpoint::Chat, body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"));
    let now = rank::Circumstances { vitals: &Snapshot::default(), now_ms: 0, lot: 1.0 };
    rank::plan(config, &caller(config), &request, &now).unwrap_or_else(|error| panic!("{body}: {error:?}"))
}

fn hello(extra: &str) -> String {
    format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"Say hello."}}]{extra}}}"#)
}

fn ranked(config: &Config, extra: &str) -> Vec<String> {
    planned(config, &hello(extra)).candidates.iter().map(|candidate| candidate.model.id.clone()).collect()
}

#[test]
fn the_worked_example_of_the_ranking_is_what_the_filter_does() {
    let demo = demo();
    let (claude, gpt, llama) = ("claude-sonnet", "gpt-4o", "llama-3.3-70b");
    for (extra, expected) in [
        ("", [claude, gpt, llama]),
        (r#","route":{"objective":"quality"}"#, [claude, gpt, llama]),
        (r#","route":{"objective":"cost"}"#, [llama, gpt, claude]),
        (r#","route":{"objective":"latency"}"#, [llama, gpt, claude]),
        (r#","max_tokens":8000"#, [llama, claude, gpt]),
    ] {
        assert_eq!(ranked(&demo, extra), expected, "{extra}");
    }
}

#[test]
fn the_figures_of_the_worked_example_are_those_of_the_demo() {
    let demo = demo();
    let QualityPerDollar { lambda, c0_usd, delta } = QualityPerDollar::DEFAULT;
    assert!(read("docs/routing.md").contains(&format!("λ = {lambda}, *c*₀ = ${c0_usd}, δ = {delta}")), "the constants");
    let plan = planned(&demo, &hello(r#","route":{"explain":true}"#));
    let fixed = |figure: f64, decimals: usize| {
        let mut text = Vec::new();
        rank::fixed(figure, decimals, &mut text);
        String::from_utf8(text).expect("digits")
    };
    let expected: Vec<Vec<String>> = plan
        .table
        .iter()
        .filter_map(|row| {
            let figures = row.figures?;
            let (id, cost) = (format!("`{}`", row.model.id), format!("${}", dollars(figures.cost)));
            let score = fixed(figures.score.expect("a score"), 4);
            Some(vec![id, fixed(figures.quality, 4), cost, score, format!("{:.0} ms", figures.latency_ms.trunc())])
        })
        .collect();
    assert_eq!(table("docs/routing.md", "ranking"), expected);
}

#[test]
fn every_request_of_the_readme_is_one_the_filter_takes() {
    let demo = demo();
    let (_, blocks) = prose_and_blocks(&read("README.md"));
    let bodies: Vec<String> = blocks
        .iter()
        .filter(|block| block.contains("/v1/chat/completions"))
        .filter_map(|block| block.split_once("-d '").and_then(|(_, rest)| rest.split('\'').next()).map(str::to_owned))
        .collect();
    assert!(bodies.len() >= 2, "{bodies:?}");
    for body in bodies {
        planned(&demo, &body);
    }
}

#[test]
fn json_that_is_shown_is_json() {
    for (document, text) in documents() {
        for block in text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).filter(|block| !block.contains('…')) {
            serde_json::from_str::<Value>(block).unwrap_or_else(|error| panic!("{document}: {error}:\n{block}"));
        }
    }
}
