//! Every refusal with the place it names, and what the accepted figures become.

use core::num::NonZeroU64;

use serde_json::{Value, json};

use crate::config::catalog::Place;
use crate::config::document::Period;
use crate::config::policy::{Budget, Limits, NanoUsd, RequestRate};
use crate::config::{Config, ConfigError, Document};

/// A chat and an embedding model, and a workspace that uses everything there is.
fn document() -> Value {
    json!({
        "providers": {"p": {"protocol": "openai"}},
        "models": [
            {"id": "chat", "provider_name": "P", "context_window": 1000, "max_output_tokens": 100, "quality": {"default": 0.5},
             "price": {"input_per_m": 3, "output_per_m": 15, "cached_input_per_m": 0.3, "cache_write_per_m": 3.75},
             "capabilities": ["tools"], "latency": {"first_token_ms": 1, "tokens_per_second": 1},
             "deployments": [{"provider": "p", "model": "m"}]},
            {"id": "embed", "kind": "embedding", "provider_name": "P", "context_window": 1000, "dimensions": 1536,
             "price": {"input_per_m": 0.02}, "quality": {"default": 0.5}, "deployments": [{"provider": "p", "model": "e"}]},
        ],
        "workspaces": [{
            "id": "acme",
            "keys": [
                {"id": "laptop", "sha256": "1".repeat(64), "models": ["ch*"], "limits": {"requests_per_minute": 60, "burst": 10}},
                {"id": "server", "sha256": "2".repeat(64)},
            ],
            "models": ["*"],
            "limits": {"requests_per_minute": 600, "tokens_per_minute": 400_000},
            "budget": {"usd": 250.00, "period": "month"},
            "guardrails": [
                {"name": "secrets", "detect": ["api_key", "email"], "on": ["input", "output"], "action": "block"},
                {"name": "size", "limit": {"messages": 200, "tools": 0}, "on": ["input"], "action": "block"},
                {"name": "project-x", "terms": ["project x"], "on": ["output"], "action": "redact"},
            ],
        }],
    })
}

fn resolved(document: &Value) -> Result<Config, ConfigError> {
    Config::from_json(document.to_string().as_bytes())
}

/// The document with the value at a JSON pointer replaced or added; `null` removes a member.
fn with(pointer: &str, value: &Value) -> Value {
    let mut document = document();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
        Value::Object(object) if value.is_null() => drop(object.remove(name)),
        Value::Object(object) => drop(object.insert(name.to_owned(), value.clone())),
        Value::Array(array) => array[name.parse::<usize>().expect("a position")] = value.clone(),
        other => panic!("{parent} is {other}"),
    }
    document
}

/// The section `limits` with a service and more members.
fn fleet(address: &str, port: u16, more: Value) -> Value {
    let mut limits = json!({"scope": "fleet", "service": {"address": address, "port": port}});
    for (name, value) in more.as_object().into_iter().flatten() {
        limits[name] = value.clone();
    }
    limits
}

fn key(document: &Value, digit: u8) -> (Config, crate::config::Key) {
    let config = resolved(document).unwrap_or_else(|error| panic!("{error}"));
    let (_, index) = config.workspaces.find(&[digit << 4 | digit; 32]).expect("the key");
    let key = config.workspaces.key(index).expect("its own index").clone();
    (config, key)
}

fn rate(per_minute: u64, burst: u64) -> Option<RequestRate> {
    let figure = |figure| NonZeroU64::new(figure).expect("above 0");
    Some(RequestRate { per_minute: figure(per_minute), burst: figure(burst) })
}

#[test]
fn a_refusal_names_the_place_and_says_what_would_be_right() {
    let (model, embedding, workspace) = ("/models/0", "/models/1", "/workspaces/0");
    let (key, rule) = ("/workspaces/0/keys/0", "/workspaces/0/guardrails/0");
    let cases = [
        // Providers and models.
        ("", "/models", json!([]), "models", "at least one model"),
        ("", "/providers", json!({"a b": {"protocol": "openai"}}), "providers.a b", "letters, digits"),
        ("/providers/p", "/protocol", json!("smtp"), "providers.p.protocol", "openai, anthropic, groq"),
        ("/providers/p", "/base_url", json!("ftp://x"), "providers.p.base_url", "https://"),
        ("/providers/p", "/api_version", json!("2024-10-21&x=1"), "providers.p.api_version", "letters, digits"),
        ("/providers/p", "/project", json!("a/b"), "providers.p.project", "`:`"),
        ("/providers/p", "/location", json!("x".repeat(65)), "providers.p.location", "1 to 64"),
        ("/providers/p", "/location", json!("a:b"), "providers.p.location", "letters, digits"),
        ("/providers/p", "/region", json!(""), "providers.p.region", "1 to 64"),
        ("/providers/p", "/region", json!(".."), "providers.p.region", "not only dots"),
        ("/providers/p", "/region", json!("é"), "providers.p.region", "ASCII"),
        (model, "/id", json!("auto"), "models[0].id", "not `auto`"),
        (embedding, "/id", json!("chat"), "models[1].id", "stands twice"),
        (model, "/context_window", json!(0), "models[0].context_window", "at least 1"),
        (model, "/max_output_tokens", json!(1001), "models[0].max_output_tokens", "context_window"),
        (model, "/dimensions", json!(8), "models[0].dimensions", "only an embedding model"),
        (embedding, "/dimensions", json!(0), "models[1].dimensions", "from 1 to 65536"),
        (embedding, "/dimensions", json!(65_537), "models[1].dimensions", "from 1 to 65536"),
        (model, "/capabilities/0", json!("telepathy"), "models[0].capabilities[0]", "parallel_tools"),
        (model, "/deployments", json!([]), "models[0].deployments", "at least one"),
        (model, "/deployments/0/provider", json!("q"), "models[0].deployments[0].provider", "no provider `q`"),
        (model, "/deployments/0/model", json!(""), "models[0].deployments[0].model", "1 to 256"),
        (model, "/latency/first_token_ms", json!(0), "models[0].deployments[0].latency", "above 0"),
        (model, "/quality/default", json!(1.5), "models[0].quality.default", "from 0 to 1"),
        (model, "/quality/fame", json!(1), "models[0].quality.fame", "a task class: code"),
        (model, "/quality", json!({}), "models[0].quality.default", "required"),
        // Prices.
        (model, "/price", Value::Null, "models[0]", "missing field `price`"),
        (model, "/price", json!("cheap"), "models[0].price", "`free`"),
        (model, "/price/input_per_m", Value::Null, "models[0].price", "missing field `input_per_m`"),
        (model, "/price/input_per_m", json!(-1), "models[0].price.input_per_m", "0 to 1000000"),
        (model, "/price/output_per_m", Value::Null, "models[0].price.output_per_m", "say what answers cost"),
        (model, "/price/output_per_m", json!(1_000_001), "models[0].price.output_per_m", "0 to 1000000"),
        (model, "/price/cached_input_per_m", json!(-0.1), "models[0].price.cached_input_per_m", "0 to 1000000"),
        (model, "/price/cache_write_per_m", json!(1e9), "models[0].price.cache_write_per_m", "0 to 1000000"),
        // Routing.
        ("", "/routing", json!({"max_attempts": 17}), "routing.max_attempts", "from 1 to 16"),
        ("", "/routing", json!({"total_timeout_ms": 0}), "routing.total_timeout_ms", "milliseconds"),
        ("", "/routing", json!({"default_objective": "fame"}), "routing.default_objective", "quality-per-dollar"),
        ("", "/listen", json!({"max_request_bytes": 1}), "listen.max_request_bytes", "from 1024"),
        // Workspaces and keys.
        ("", "/workspaces", json!([]), "workspaces", "at least one workspace"),
        (workspace, "/id", json!("a/b"), "workspaces[0].id", "1 to 64 letters"),
        (workspace, "/objective", json!("fame"), "workspaces[0].objective", "quality-per-dollar"),
        (workspace, "/models/0", json!("gpt-*"), "workspaces[0].models[0]", "no model of the catalogue matches `gpt-*`"),
        (key, "/id", json!(""), "workspaces[0].keys[0].id", "1 to 64 letters"),
        (key, "/id", json!("a".repeat(65)), "workspaces[0].keys[0].id", "1 to 64 letters"),
        (workspace, "/keys/1/id", json!("laptop"), "workspaces[0].keys[1].id", "`laptop` stands twice in this workspace"),
        (key, "/sha256", json!("11"), "workspaces[0].keys[0].sha256", "64 hexadecimal digits"),
        (workspace, "/keys/1/sha256", json!("1".repeat(64)), "workspaces[0].keys[1].sha256", "stands twice"),
        (key, "/models", json!([]), "workspaces[0].keys[0].models", "leave it out"),
        (key, "/models", json!(["chat", "gpt-4o"]), "workspaces[0].keys[0].models[1]", "no model of this workspace matches `gpt-4o`"),
        // Limits.
        (workspace, "/limits/requests_per_minute", json!(0), "workspaces[0].limits.requests_per_minute", "from 1 to 1000000000"),
        (workspace, "/limits/requests_per_minute", json!(1_000_000_001), "workspaces[0].limits.requests_per_minute", "from 1 to"),
        (workspace, "/limits/requests_per_minute", json!(0.5), "workspaces[0].limits.requests_per_minute", "expected u64"),
        (workspace, "/limits/tokens_per_minute", json!(0), "workspaces[0].limits.tokens_per_minute", "from 1 to 1000000000"),
        (workspace, "/limits/tokens_per_minute", json!(1_000_000_001), "workspaces[0].limits.tokens_per_minute", "from 1 to"),
        (workspace, "/limits/burst", json!(0), "workspaces[0].limits.burst", "from 1 to 1000000000"),
        (workspace, "/limits/burst", json!(1_000_000_001), "workspaces[0].limits.burst", "from 1 to"),
        (workspace, "/limits", json!({"burst": 5, "tokens_per_minute": 1}), "workspaces[0].limits.burst", "requests_per_minute"),
        (workspace, "/limits", json!({"requests_per_hour": 5}), "workspaces[0].limits.requests_per_hour", "unknown field"),
        (key, "/limits/requests_per_minute", json!(0), "workspaces[0].keys[0].limits.requests_per_minute", "from 1 to"),
        (key, "/limits", json!({"burst": 5}), "workspaces[0].keys[0].limits.burst", "requests_per_minute"),
        // Budgets.
        (workspace, "/budget/usd", json!(0), "workspaces[0].budget.usd", "above 0"),
        (workspace, "/budget/usd", json!(-5), "workspaces[0].budget.usd", "above 0"),
        (workspace, "/budget/usd", json!(0.000_000_000_1), "workspaces[0].budget.usd", "at most 9 decimals"),
        (workspace, "/budget/usd", json!(1_000_000_001), "workspaces[0].budget.usd", "at most 1000000000"),
        (workspace, "/budget/usd", json!("250"), "workspaces[0].budget.usd", "expected f64"),
        (workspace, "/budget/period", json!("year"), "workspaces[0].budget.period", "`day`, `week`, `month`, `total`"),
        (workspace, "/budget/period", Value::Null, "workspaces[0].budget", "missing field `period`"),
        // Guardrails.
        (rule, "/name", json!("two words"), "workspaces[0].guardrails[0].name", "1 to 64 letters"),
        (workspace, "/guardrails/1/name", json!("secrets"), "workspaces[0].guardrails[1].name", "`secrets` stands twice"),
        (rule, "/on", json!([]), "workspaces[0].guardrails[0].on", "input, output"),
        (rule, "/on/1", json!("stream"), "workspaces[0].guardrails[0].on[1]", "expected one of input, output"),
        (rule, "/action", json!("warn"), "workspaces[0].guardrails[0].action", "expected one of block, redact"),
        (rule, "/detect", Value::Null, "workspaces[0].guardrails[0]", "something to look for"),
        (rule, "/detect/1", json!("dna"), "workspaces[0].guardrails[0].detect", "credit_card"),
        (workspace, "/guardrails/2/detect", json!(["dna"]), "workspaces[0].guardrails[2].detect", "credit_card"),
        (workspace, "/guardrails/1/limit", json!({}), "workspaces[0].guardrails[1].limit", "at least one of prompt_bytes"),
        (workspace, "/guardrails/1/limit/messages", json!(0), "workspaces[0].guardrails[1].limit.messages", "at least 1"),
        (workspace, "/guardrails/1/limit/max_tokens", json!(0), "workspaces[0].guardrails[1].limit.max_tokens", "at least 1"),
        (workspace, "/guardrails/1/limit/tokens", json!(9), "workspaces[0].guardrails[1].limit.tokens", "unknown field"),
        (workspace, "/guardrails/1/action", json!("redact"), "workspaces[0].guardrails[1].limit", "action: block"),
        (workspace, "/guardrails/1/on", json!(["input", "output"]), "workspaces[0].guardrails[1].limit", "on: [input]"),
        // What a service counts for the fleet.
        ("", "/limits", json!({"scope": "all"}), "limits.scope", "expected `envoy` or `fleet`"),
        ("", "/limits", json!({"scope": "fleet"}), "limits.service", "needed with `scope: fleet`"),
        ("", "/limits", json!({"service": {"address": "a", "port": 1}}), "limits.service", "only with `scope: fleet`"),
        ("", "/limits", fleet("a b", 1, json!({})), "limits.service.address", "neither a host name nor an IP address"),
        ("", "/limits", fleet("a/b", 1, json!({})), "limits.service.address", "neither a host name nor an IP address"),
        ("", "/limits", fleet("::1", 0, json!({})), "limits.service.port", "from 1 to 65535"),
        ("", "/limits", fleet("a", 1, json!({"timeout_ms": 9})), "limits.timeout_ms", "from 10 to 10000"),
        ("", "/limits", fleet("a", 1, json!({"lease": {"share": 0.6}})), "limits.lease.share", "from 0.001 to 0.5"),
        ("", "/limits", fleet("a", 1, json!({"domain": "a b"})), "limits.domain", "letters, digits"),
    ];
    resolved(&document()).unwrap_or_else(|error| panic!("the document itself: {error}"));
    for (parent, name, value, path, message) in cases {
        let pointer = [parent, name].concat();
        let error = resolved(&with(&pointer, &value)).expect_err(&pointer);
        assert_eq!(error.path, path, "{pointer} = {value}: {error}");
        assert!(error.message.contains(message), "{pointer} = {value}: {error}");
    }
}

#[test]
fn a_service_counts_for_the_fleet_what_its_protocol_can_count() {
    let with_budget = |usd: f64, address: &str| {
        let mut document = with("/workspaces/0/budget/usd", &json!(usd));
        document["limits"] = fleet(address, 8081, json!({}));
        resolved(&document)
    };
    for (address, authority) in [("ratelimit.internal", "ratelimit.internal:8081"), ("10.0.0.7", "10.0.0.7:8081"), ("::1", "[::1]:8081")] {
        let sharing = with_budget(429_496.729_5, address).expect("accepted").sharing.expect("a service");
        assert_eq!((sharing.endpoint.authority.as_str(), sharing.domain.as_str(), sharing.deny), (authority, "neural-router", false));
    }
    for usd in [429_496.729_6, 0.00009] {
        let error = with_budget(usd, "a").expect_err("refused");
        assert_eq!(error.path, "workspaces[0].budget.usd", "{usd}");
        assert!(error.message.contains("0.0001 to 429496.7295"), "{error}");
    }
    assert!(resolved(&document()).expect("accepted").sharing.is_none());
}

#[test]
fn limits_and_budget_are_whole_numbers() {
    let (config, laptop) = key(&document(), 1);
    let workspace = config.workspaces.iter().next().expect("a workspace");
    assert_eq!(workspace.limits, Limits { requests: rate(600, 600), tokens_per_minute: NonZeroU64::new(400_000) });
    assert_eq!(laptop.limits, Limits { requests: rate(60, 10), tokens_per_minute: None });
    assert_eq!(workspace.budget, Some(Budget { cap: NanoUsd(250_000_000_000), period: Period::Month }));
}

#[test]
fn nothing_is_limited_that_is_not_configured() {
    let (_, server) = key(&document(), 2);
    assert_eq!(server.limits, Limits::default());
    let bare = [("/workspaces/0/limits", json!({})), ("/workspaces/0/limits", Value::Null), ("/workspaces/0/budget", Value::Null)];
    for (pointer, value) in bare {
        let config = resolved(&with(pointer, &value)).expect("accepted");
        let workspace = config.workspaces.iter().next().expect("a workspace");
        let unlimited = workspace.limits == Limits::default();
        assert_eq!((unlimited, workspace.budget.is_none()), (pointer.ends_with("limits"), pointer.ends_with("budget")), "{pointer}");
    }
}

#[test]
fn a_key_may_use_what_it_names_of_its_workspace_and_all_of_it_if_it_names_nothing() {
    let ((config, laptop), (_, server)) = (key(&document(), 1), key(&document(), 2));
    let index = |id: &str| config.catalog.find(id).expect("a model");
    let may = |key: &crate::config::Key| (key.may_use(index("chat")), key.may_use(index("embed")));
    assert_eq!((may(&laptop), may(&server)), ((true, false), (true, true)));

    let narrow = with("/workspaces/0/models", &json!(["embed"]));
    let error = resolved(&narrow).expect_err("the key names a model that its workspace has not");
    assert_eq!(error.path, "workspaces[0].keys[0].models[0]");
}

#[test]
fn two_workspaces_may_have_keys_and_rules_of_the_same_name() {
    let mut document = document();
    let mut second = document["workspaces"][0].clone();
    second["id"] = json!("umbrella");
    second["keys"] = json!([{"id": "laptop", "sha256": "3".repeat(64)}]);
    document["workspaces"].as_array_mut().expect("workspaces").push(second);
    let config = resolved(&document).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.workspaces.iter().count(), 2);
}

#[test]
fn what_nobody_said_of_a_cache_costs_as_much_as_other_input() {
    let price = |document: &Value, id: &str| {
        let config = resolved(document).unwrap_or_else(|error| panic!("{error}"));
        let price = config.catalog.find(id).and_then(|index| config.catalog.model(index)).expect("the model").price;
        (price.input, price.output, price.cached_input, price.cache_write)
    };
    assert_eq!(price(&document(), "chat"), (3000, 15_000, 300, 3750));
    assert_eq!(price(&with("/models/0/price", &json!({"input_per_m": 3, "output_per_m": 15})), "chat"), (3000, 15_000, 3000, 3000));
    assert_eq!(price(&document(), "embed"), (20, 0, 20, 20));
    assert_eq!(price(&with("/models/0/price", &json!("free")), "chat"), (0, 0, 0, 0));
}

#[test]
fn a_workspace_with_a_budget_may_have_nothing_but_free_models() {
    let mut document = with("/models/0/price", &json!("free"));
    document["models"][1]["price"] = json!("free");
    resolved(&document).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn dimensions_are_those_of_the_file() {
    let config = resolved(&document()).expect("accepted");
    let dimensions: Vec<_> = config.catalog.models().map(|(_, model)| model.dimensions).collect();
    assert_eq!(dimensions, [None, Some(1536)]);
}

#[test]
fn what_only_envoy_needs_is_not_given_to_the_filter() {
    let mut whole = document();
    whole["listen"] = json!({
        "cors": {"allow_origins": ["*"]},
        "tls": {"certificate": {"file": "/cert.pem"}, "private_key": {"file": "/key.pem"}},
    });
    whole["providers"]["p"]["api_key"] = json!({"env": "SECRET"});
    let document = crate::config::Document::from_json(whole.to_string().as_bytes()).expect("a document");
    assert_eq!(document.listen.cors.as_ref().map(|cors| cors.max_age_s), Some(600));
    let given = serde_json::to_string(&document.for_filter()).expect("JSON");
    for absent in ["cors", "allow_origins", "tls", "api_key\":", "SECRET"] {
        assert!(!given.contains(absent), "{absent}: {given}");
    }
    resolved(&serde_json::from_str(&given).expect("JSON")).expect("the filter takes it");
}

#[test]
fn the_place_of_a_provider_is_carried_as_it_is_written() {
    let provider = json!({
        "protocol": "openai", "api_version": "2024-10-21", "project": "example.com:p-1", "location": "europe-west4", "region": "eu_1.a",
    });
    let config = resolved(&with("/providers/p", &provider)).unwrap_or_else(|error| panic!("{error}"));
    let some = |text: &str| Some(text.to_owned());
    let expected =
        Place { api_version: some("2024-10-21"), project: some("example.com:p-1"), location: some("europe-west4"), region: some("eu_1.a") };
    assert_eq!(config.catalog.providers()[0].place, expected);
    let config = resolved(&document()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.catalog.providers()[0].place, Place::default());
}

#[test]
fn how_a_provider_is_authenticated_to_never_enters_the_filter() {
    let auth = json!({"oauth2": {"token_url": "https://a", "client_id": "canary", "client_secret": {"env": "CANARY"}}});
    let provider = json!({"protocol": "openai", "api_key": {"env": "CANARY"}, "auth": auth});
    let written = Document::from_json(with("/providers/p", &provider).to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let told = serde_json::to_string(&written.for_filter()).expect("JSON");
    assert!(!told.to_lowercase().contains("canary") && !told.contains("auth"), "{told}");
}
