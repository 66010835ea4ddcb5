//! What `nr check` says of a policy that runs.

use neural_router::authenticate::Caller;
use neural_router::config::{Config, Objective, TaskClass};
use neural_router::openai::{Endpoint, Request};
use neural_router::rank;
use neural_router::vitals::Snapshot;
use serde_json::{Value, json};

use super::{Scratch, demo_with, nr, root, run, stderr, stdout};

/// The demo with pieces of its text replaced, each of which has to be there.
fn demo(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(demo_with("", ""), |text, (old, new)| {
        assert!(text.contains(old), "the demo does not hold {old:?}");
        text.replacen(old, new, 1)
    })
}

/// What is found in a text: rule and place, in the order it is said.
fn found(scratch: &Scratch, text: &str) -> Vec<(String, String)> {
    let output = run(&["check", "--json", &scratch.file("case.yaml", text)]);
    assert!(output.status.success(), "{}", stderr(&output));
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_else(|| panic!("{name}: {finding}")).to_owned();
    stdout(&output)
        .lines()
        .map(|line| {
            let finding: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(word(&finding, "severity"), "warning");
            for name in ["what", "why", "do"] {
                assert!(!word(&finding, name).is_empty(), "{name}: {finding}");
            }
            (word(&finding, "rule"), word(&finding, "path"))
        })
        .collect()
}

/// What makes gpt-4o worse than claude-sonnet in everything.
const WORSE: (&str, &str) = ("{default: 0.84, code: 0.82}", "{default: 0.70}");
const DEARER: (&str, &str) = ("input_per_m: 2.50, output_per_m: 10.00", "input_per_m: 4, output_per_m: 16");
const SLOWER: (&str, &str) = ("first_token_ms: 500, tokens_per_second: 90", "first_token_ms: 950, tokens_per_second: 60");

/// Another workspace, which may use everything.
const WITH_ALL: (&str, &str) = (
    "workspaces:\n",
    "workspaces:\n  - {id: all, keys: [{id: k, sha256: 1a11111111111111111111111111111111111111111111111111111111111111}], models: [\"*\"]}\n",
);

/// A service that counts for all Envoys.
const FLEET: (&str, &str) = ("workspaces:\n", "limits: {scope: fleet, service: {address: ratelimit, port: 8081}}\nworkspaces:\n");

/// A row: its name, what it changes in the demo, and every finding.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static [(&'static str, &'static str)]);

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    let rows: &[Row] = &[
        ("the demo as it is", &[], &[]),
        (
            "worse and dearer",
            &[WORSE, DEARER],
            // It is still the faster one.
            &[],
        ),
        ("worse, dearer and slower", &[WORSE, DEARER, SLOWER], &[("dominated-model", "models[1].id")]),
        (
            "worse, dearer and slower, but the best at translation",
            &[("{default: 0.84, code: 0.82}", "{default: 0.70, translation: 0.95}"), DEARER, SLOWER],
            &[],
        ),
        (
            "worse, dearer and slower, but all that another key may use",
            &[
                WORSE,
                DEARER,
                SLOWER,
                (
                    "    models: [\"*\"]",
                    "      - {id: two, sha256: 1a11111111111111111111111111111111111111111111111111111111111111, models: [gpt-4o]}\n    models: [\"*\"]",
                ),
            ],
            &[],
        ),
        (
            "the same but cheaper to cache into, which decides nothing",
            &[
                (
                    "price: {input_per_m: 2.50, output_per_m: 10.00, cached_input_per_m: 1.25}",
                    "price: {input_per_m: 3.00, output_per_m: 15.00}",
                ),
                ("{default: 0.84, code: 0.82}", "{default: 0.86, code: 0.90, summarization: 0.84}"),
                ("first_token_ms: 500, tokens_per_second: 90", "first_token_ms: 900, tokens_per_second: 70"),
            ],
            // What is equal stays in the order of the file, and claude-sonnet stands first.
            &[("dominated-model", "models[1].id")],
        ),
        ("free beside priced ones", &[("{input_per_m: 0.59, output_per_m: 0.79}", "free")], &[("free-beside-priced", "models[2].price")]),
        ("free embeddings, and no others", &[("{input_per_m: 0.02}", "free")], &[]),
        (
            "free, for a workspace that has nothing else",
            &[("{input_per_m: 0.59, output_per_m: 0.79}", "free"), ("models: [\"*\"]", "models: [\"llama*\", \"text*\"]")],
            &[
                ("unused-model", "models[0].id"),
                ("unused-model", "models[1].id"),
                ("capability-hole", "workspaces[0].models"),
                ("capability-hole", "workspaces[0].models"),
                ("capability-hole", "workspaces[0].models"),
                ("capability-hole", "workspaces[0].models"),
                ("single-provider", "workspaces[0].models"),
            ],
        ),
        ("a price of 0", &[("{input_per_m: 0.02}", "{input_per_m: 0}")], &[("zero-price", "models[3].price")]),
        ("a price of 0 for answers", &[("output_per_m: 0.79", "output_per_m: 0")], &[("zero-price", "models[2].price.output_per_m")]),
        ("embeddings whose answers cost 0", &[("{input_per_m: 0.02}", "{input_per_m: 0.02, output_per_m: 0}")], &[]),
        (
            "a model no workspace has",
            &[("models: [\"*\"]", "models: [\"claude-*\", \"gpt-*\", \"llama-*\"]")],
            &[("unused-model", "models[3].id")],
        ),
        (
            "a model none of the keys has",
            &[("16cff69eec}", "16cff69eec, models: [\"claude-*\", \"gpt-*\", \"llama-*\"]}")],
            &[("unused-model", "models[3].id")],
        ),
        (
            "a provider without a model",
            &[("  groq:\n", "  spare:\n    protocol: openai\n    base_url: http://127.0.0.1:18009/v1\n  groq:\n")],
            &[("unused-provider", "providers.spare")],
        ),
        (
            "a workspace without a model",
            &[(
                "workspaces:\n",
                "workspaces:\n  - {id: none, keys: [{id: k, sha256: 1a11111111111111111111111111111111111111111111111111111111111111}], models: []}\n",
            )],
            &[("empty-workspace", "workspaces[0].models")],
        ),
        (
            "a deployment behind all attempts",
            &[
                ("max_attempts: 4", "max_attempts: 1"),
                ("      - {provider: groq,", "      - {provider: openai, model: llama-3.3-70b}\n      - {provider: groq,"),
            ],
            &[("late-deployment", "models[2].deployments[1]")],
        ),
        (
            "nobody who can reason",
            &[("models: [\"*\"]", "models: [\"gpt-*\", \"llama-*\", \"text-*\"]"), WITH_ALL],
            &[("capability-hole", "workspaces[1].models")],
        ),
        (
            "everything at one provider",
            &[("models: [\"*\"]", "models: [\"claude-*\", \"text-*\"]"), WITH_ALL],
            &[("single-provider", "workspaces[1].models")],
        ),
        // 1,000 tokens of prompt and 64,000 of answer are $0.963 at claude-sonnet.
        ("a budget of just one request", &[("usd: 25", "usd: 0.963")], &[]),
        ("a budget below one request", &[("usd: 25", "usd: 0.962")], &[("budget-below-request", "workspaces[0].budget.usd")]),
        (
            "a budget below one request, and a bound that makes it enough",
            &[
                ("usd: 25", "usd: 0.5"),
                ("    guardrails:\n", "    guardrails:\n      - {name: size, limit: {max_tokens: 30000}, on: [input], action: block}\n"),
            ],
            &[],
        ),
        ("tokens for just one request", &[("tokens_per_minute: 400000", "tokens_per_minute: 1500")], &[]),
        (
            "tokens for less than one request",
            &[("tokens_per_minute: 400000", "tokens_per_minute: 1499")],
            &[("tokens-below-request", "workspaces[0].limits.tokens_per_minute")],
        ),
        (
            "tokens of a key for less than one request",
            &[("16cff69eec}", "16cff69eec, limits: {tokens_per_minute: 10}}")],
            &[("tokens-below-request", "workspaces[0].keys[0].limits.tokens_per_minute")],
        ),
        (
            "a key above its workspace",
            &[("16cff69eec}", "16cff69eec, limits: {requests_per_minute: 601, burst: 601, tokens_per_minute: 400001}}")],
            &[
                ("key-above-workspace", "workspaces[0].keys[0].limits.requests_per_minute"),
                ("key-above-workspace", "workspaces[0].keys[0].limits.burst"),
                ("key-above-workspace", "workspaces[0].keys[0].limits.tokens_per_minute"),
            ],
        ),
        ("a key as its workspace", &[("16cff69eec}", "16cff69eec, limits: {requests_per_minute: 600, tokens_per_minute: 400000}}")], &[]),
        (
            "more at once than a fleet may make in a minute",
            &[FLEET, ("requests_per_minute: 600", "requests_per_minute: 600, burst: 601")],
            &[("burst-above-fleet", "workspaces[0].limits.burst")],
        ),
        ("as much at once", &[FLEET, ("requests_per_minute: 600", "requests_per_minute: 600, burst: 600")], &[]),
        ("more at once in one Envoy", &[("requests_per_minute: 600", "requests_per_minute: 600, burst: 601")], &[]),
        (
            "no time for a second stream",
            &[("total_timeout_ms: 60000", "total_timeout_ms: 5000")],
            &[("timeout-order", "routing.first_token_timeout_ms")],
        ),
        (
            "no time for a second answer",
            &[("total_timeout_ms: 60000", "total_timeout_ms: 20000")],
            &[("timeout-order", "routing.answer_timeout_ms")],
        ),
        (
            "an answer before its first token",
            &[("total_timeout_ms: 60000", "total_timeout_ms: 60000\n  answer_timeout_ms: 4999")],
            &[("timeout-order", "routing.answer_timeout_ms")],
        ),
        (
            "an administration open to others",
            &[("127.0.0.1\n  port: 9901", "0.0.0.0\n  port: 9901\n  allow_remote: true")],
            &[("admin-exposed", "admin.address")],
        ),
        ("a vendor without a key", &[("    base_url: http://127.0.0.1:18002\n", "")], &[("no-credential", "providers.anthropic")]),
    ];
    let scratch = Scratch::new();
    for (name, changes, expected) in rows {
        let found = found(&scratch, &demo(changes));
        let found: Vec<(&str, &str)> = found.iter().map(|(rule, path)| (rule.as_str(), path.as_str())).collect();
        assert_eq!(found, *expected, "{name}");
    }
}

#[test]
fn a_finding_says_what_why_and_what_to_do() {
    let scratch = Scratch::new();
    let output = run(&["check", &scratch.file("case.yaml", &demo(&[WORSE, DEARER, SLOWER]))]);
    let expected = "warning: models[1].id: no objective ever picks `gpt-4o` for \"auto\", but for requests with `n`, `audio` and 8 more, which \
                    `claude-sonnet` cannot take: `claude-sonnet` is at least as good in everything and better in quality, sensitivity to hard prompts, input price, output \
                    price, price of cached input, price of cache writes, context window, longest answer, time to the first token, tokens per \
                    second, capabilities (reasoning); it only answers when it is asked for by its id, as a fallback, or after others have \
                    failed [dominated-model]\n  help: take it out if nobody asks for it by id; ";
    assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 2);
    assert!(stdout(&output).starts_with("ok: 3 providers, 4 models, 1 workspace\ndemo: 4 models, 1 key\n"));
    assert!(output.status.success(), "a warning is no error");
}

#[test]
fn strict_lets_no_warning_pass_but_those_that_are_allowed() {
    let scratch = Scratch::new();
    let file = scratch.file("case.yaml", &demo(&[("usd: 25", "usd: 0.5"), ("total_timeout_ms: 60000", "total_timeout_ms: 5000")]));
    for (options, status, lines) in [
        (&[][..], 0, 4),
        (&["--strict"], 1, 5),
        (&["--strict", "--allow", "timeout-order"], 1, 3),
        (&["--strict", "--allow", "timeout-order", "--allow", "budget-below-request"], 0, 0),
        (&["--strict", "--json"], 1, 1),
        (&["--allow", "no-such-rule"], 2, 0),
    ] {
        let output = run(&[&["check", &file], options].concat());
        assert_eq!(output.status.code(), Some(status), "{options:?}");
        assert!(status == 2 || stderr(&output).lines().count() == lines, "{options:?}: {}", stderr(&output));
    }
}

#[test]
fn an_error_is_a_line_of_json_too() {
    let scratch = Scratch::new();
    let file = scratch.file("case.yaml", &demo(&[("period: month", "period: fortnight")]));
    let output = run(&["check", "--json", &file]);
    let error: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((error["severity"].as_str(), error["path"].as_str()), (Some("error"), Some("workspaces[0].budget.period")));
    assert!(stderr(&output).starts_with(&format!("error: {file}: workspaces[0].budget.period: ")));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_examples_are_clean_but_for_keys_that_only_their_users_have() {
    let examples = std::fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for file in examples.filter(|path| path.extension().is_some_and(|kind| kind == "yaml")) {
        let file = file.to_str().unwrap();
        let output = nr(&["check", "--strict", "--allow", "missing-secret", "--allow", "placeholder-key", file]).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{file}");
        seen += 1;
    }
    assert!(seen >= 3);
}

/// Four models whose figures are few, so that some are as good as others.
fn catalogue(seed: u64) -> Value {
    let mut state = seed;
    let mut pick = |choices: &[f64]| -> f64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        choices[(state >> 33) as usize % choices.len()]
    };
    let mut models: Vec<Value> = Vec::new();
    for i in 0..4 {
        let mut model = json!({
            "id": format!("m{i}"), "provider_name": "V", "context_window": pick(&[8000.0, 9000.0]) as u32,
            "price": {"input_per_m": pick(&[1.0, 2.0, 9.0]), "output_per_m": pick(&[4.0, 5.0, 30.0])},
            "capabilities": if pick(&[0.0, 1.0]) > 0.5 { vec!["tools"] } else { vec![] },
            "quality": {"default": pick(&[0.6, 0.7, 0.8]), "code": pick(&[0.6, 0.7, 0.8])},
            "deployments": [{"provider": "p", "model": "m"}],
        });
        if pick(&[0.0, 0.0, 1.0]) > 0.5 {
            model["latency"] = json!({"first_token_ms": pick(&[799.0, 800.0, 801.0]), "tokens_per_second": pick(&[59.0, 60.0, 61.0])});
        }
        models.push(model);
    }
    json!({
        "providers": {"p": {"protocol": "openai", "base_url": "http://127.0.0.1:1/v1"}},
        "models": models,
        "workspaces": [{"id": "w", "keys": [{"id": "k", "sha256": "a".repeat(64)}], "models": ["*"]}],
    })
}

/// Whom the ranking picks for "auto".
fn picked(config: &Config, objective: &str, class: Option<&str>, tools: bool) -> String {
    let mut body = json!({"model": "auto", "messages": [{"role": "user", "content": "Say hello."}], "route": {"objective": objective}});
    if let Some(class) = class {
        body["route"]["task_class"] = json!(class);
    }
    if tools {
        body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    }
    let body = body.to_string();
    let key = config.workspaces.keys().next().unwrap();
    let caller = Caller { workspace: config.workspaces.get(key.workspace).unwrap(), key };
    let request = Request::parse(Endpoint::Chat, body.as_bytes()).unwrap();
    let now = rank::Circumstances { vitals: &Snapshot::default(), now_ms: 0, lot: 1.0 };
    rank::plan(config, &caller, &request, &now).map_or_else(|_| "nobody".to_owned(), |plan| plan.candidates[0].model.id.clone())
}

#[test]
fn the_ranking_never_picks_a_model_that_is_said_to_be_dominated() {
    let scratch = Scratch::new();
    let mut dominated = 0;
    for seed in 0..150 {
        let document = catalogue(seed);
        let config = Config::from_json(document.to_string().as_bytes()).unwrap();
        let found = found(&scratch, &document.to_string());
        for (_, path) in found.iter().filter(|(rule, _)| rule == "dominated-model") {
            let id = path.replace("models[", "m").replace("].id", "");
            dominated += 1;
            for objective in Objective::NAMES {
                for class in TaskClass::NAMES.iter().copied().map(Some).chain([None]) {
                    for tools in [false, true] {
                        assert_ne!(picked(&config, objective, class, tools), id, "{objective} {class:?} {tools}: {document}");
                    }
                }
            }
        }
    }
    assert!(dominated > 80, "only {dominated}");
}
