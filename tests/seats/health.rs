//! What the seats find out about a deployment from real traffic, as `/v1/models` shows it.

use neural_router::host::SharedData;
use neural_router::vitals;
use serde_json::{Value, json};

use super::fixture::{self, ANSWER_MS, FIRST_TOKEN_MS, body, chunks, chunks_cut_after, completion, good};
use super::host::{End, Gateway, KEY, Leaves, Reply, Request, forget_shared_data, now_ms, pass_ms, tick};

const TEXTS: [&str; 4] = ["a", "b", "c", "d"];

/// A gateway that knows nothing yet.
fn gateway() -> Gateway {
    forget_shared_data();
    fixture::gateway()
}

fn shown(gateway: &mut Gateway, model: &str) -> Value {
    gateway.call(Request::new("GET", &format!("/v1/models/{model}")).key(KEY)).json()
}

fn health(gateway: &mut Gateway) -> String {
    shown(gateway, "gpt-4o")["health"].as_str().unwrap_or_default().to_owned()
}

fn call(stream: bool, route: &str) -> Request {
    Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream},"route":{{{route}}}"#)))
}

/// A call that may have its answer stopped before it begins.
fn stopping(stream: bool) -> Request {
    Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream},"stop":["a"]"#)))
}

/// Health after each of three calls that the only candidate answers so.
fn thrice(reply: &Reply, request: &Request) -> [String; 3] {
    let mut gateway = gateway();
    [(); 3].map(|()| {
        gateway.will("openai", reply.clone()).call(request.clone());
        health(&mut gateway)
    })
}

#[test]
fn what_a_provider_does_wrong_counts() {
    let in_band = r#"{"error":{"type":"server_error","message":"boom"}}"#;
    let json = |status| Reply::json(status, "{}");
    for (name, reply, request) in [
        ("no connection", Reply::Refuses, call(false, "")),
        ("reset", Reply::Resets, call(true, "")),
        ("silence", Reply::Silent, call(true, "")),
        ("a whole answer that does not come", Reply::Silent, call(false, "")),
        ("silence, and a caller with more patience", Reply::Silent, call(true, r#""max_latency_ms":5000"#)),
        ("headers, then silence", Reply::stream("").then(End::Silence), call(true, "")),
        ("server error", json(500), call(false, "")),
        ("overloaded", json(529), call(true, "")),
        ("our key", json(401), call(false, "")),
        ("too many requests of ours", json(429), call(false, "")),
        ("no answer", Reply::json(200, r#"{"hello":"world"}"#), call(false, "")),
        ("an error inside a 200", Reply::json(200, in_band), call(false, "")),
        ("an error inside a stream", Reply::stream(format!("data: {in_band}\n\n")), call(true, "")),
    ] {
        assert_eq!(thrice(&reply, &request), ["degraded", "degraded", "down"], "{name}");
    }
}

#[test]
fn what_a_caller_brings_about_does_not_count() {
    let refused = |kind: &str| Reply::json(400, json!({"error": {"type": kind, "code": kind, "message": "m"}}).to_string());
    let in_band = json!({"error": {"type": "content_filter", "message": "m"}}).to_string();
    let larger = json!({"error": {"type": "tokens", "code": "rate_limit_exceeded", "message":
        "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000."}});
    let larger = larger.to_string();
    let huge = completion(&"x".repeat(17 << 20));
    for (name, reply, request) in [
        ("refused", refused("invalid_request_error"), call(false, "")),
        ("too long a conversation", refused("context_length_exceeded"), call(true, "")),
        ("refused inside a 200", Reply::json(200, in_band), call(false, "")),
        ("hardly any time", Reply::Silent, call(false, r#""max_latency_ms":1"#)),
        ("less time than the operator allows", Reply::Silent, call(true, r#""max_latency_ms":380"#)),
        ("the same for a whole answer", Reply::Silent, call(false, r#""max_latency_ms":680"#)),
        (
            "a stream that takes longer than the caller wants",
            good(true).in_pieces_of(60).pace_ms(50),
            call(true, r#""max_latency_ms":300"#),
        ),
        ("a client that leaves", good(true).in_pieces_of(200).pace_ms(5), call(true, "").leaves(Leaves::After(2))),
        ("a client that leaves while it uploads", good(true), call(true, "").leaves(Leaves::Uploading)),
        ("an answer larger than we hold", Reply::json(200, huge), call(false, "")),
        ("a request larger than a minute's limit", Reply::json(429, larger).header("retry-after", "60"), call(false, "")),
        ("an answer stopped before its first word", Reply::json(200, completion("")), stopping(false)),
        ("the same of a stream", Reply::stream(chunks(&[])), stopping(true)),
    ] {
        assert_eq!(thrice(&reply, &request), ["healthy"; 3], "{name}");
    }
}

#[test]
fn a_hostile_caller_cannot_bring_a_provider_down() {
    let mut gateway = gateway();
    for bound in (1..=FIRST_TOKEN_MS - 20).step_by(7) {
        gateway.will("openai", Reply::Silent).call(call(true, &format!(r#""max_latency_ms":{bound}"#)));
    }
    let model = shown(&mut gateway, "gpt-4o");
    assert_eq!((model["health"].as_str(), &model["success_rate"]), (Some("healthy"), &Value::Null));
}

#[test]
fn a_stream_that_breaks_off_counts_against_the_provider() {
    let cut = chunks_cut_after(&TEXTS, 2);
    let error = |kind: &str| [&cut, "data: ", &json!({"error": {"type": kind, "message": "m"}}).to_string(), "\n\n"].concat();
    for (name, reply, expected) in [
        ("ends too early", Reply::stream(&cut), "degraded"),
        ("ends too early, in pieces", Reply::stream(&cut).in_pieces_of(40).pace_ms(1), "degraded"),
        ("is reset", Reply::stream(&cut).in_pieces_of(40).then(End::Reset), "degraded"),
        ("reports an error", Reply::stream(error("server_error")), "degraded"),
        ("is filtered", Reply::stream(error("content_filter")), "healthy"),
        ("is whole", good(true), "healthy"),
    ] {
        let mut gateway = gateway();
        gateway.will("openai", reply).call(call(true, ""));
        let model = shown(&mut gateway, "gpt-4o");
        let rate = if expected == "healthy" { 1.0 } else { 0.0 };
        assert_eq!((model["health"].as_str(), model["success_rate"].as_f64()), (Some(expected), Some(rate)), "{name}");
    }
}

#[test]
fn success_and_failure_of_the_last_minute_make_the_rate() {
    let mut gateway = gateway();
    for status in [200, 500, 200, 200] {
        let reply = if status == 200 { good(false) } else { Reply::json(status, "{}") };
        gateway.will("openai", reply).call(call(false, ""));
        pass_ms(200);
    }
    assert_eq!(shown(&mut gateway, "gpt-4o")["success_rate"], 0.75);
    pass_ms(60_000);
    assert_eq!(shown(&mut gateway, "gpt-4o")["success_rate"], Value::Null);
}

#[test]
fn a_model_is_as_healthy_as_its_healthiest_deployment() {
    let mut document = fixture::document();
    document["models"][1]["deployments"] = json!([{"provider": "openai", "model": "a"}, {"provider": "groq", "model": "b"}]);
    let mut gateway = Gateway::start(&document);
    gateway.will("openai", Reply::json(500, "{}")).will("groq", good(true).after_ms(30)).call(call(true, ""));
    let model = shown(&mut gateway, "gpt-4o");
    assert_eq!((model["health"].as_str(), model["success_rate"].as_f64()), (Some("healthy"), Some(1.0)));
    assert_eq!(model["latency"]["first_token_ms"], 30.0, "the figures are that deployment's");
}

#[test]
fn what_a_provider_asks_for_is_kept() {
    for (name, reply, ends_ms) in [
        ("retry-after", Reply::json(429, "{}").header("retry-after", "7"), 7_000),
        (
            "a limit that a refusal says is used up",
            Reply::json(429, "{}").header("x-ratelimit-remaining-requests", "0").header("x-ratelimit-reset-requests", "1m3.5s"),
            63_500,
        ),
        (
            "a limit that an answer has used up",
            good(false).header("x-ratelimit-remaining-tokens", "0").header("x-ratelimit-reset-tokens", "250ms"),
            250,
        ),
        (
            "and of a stream",
            good(true).header("anthropic-ratelimit-tokens-remaining", "0").header("anthropic-ratelimit-tokens-reset", "5"),
            5_000,
        ),
    ] {
        let mut gateway = gateway();
        let answers = name.contains("answer");
        gateway.will("openai", reply).call(call(name.contains("stream"), ""));
        let rate = if name.starts_with("a limit that an answer") || name.starts_with("and") { 1.0 } else { 0.0 };
        let model = shown(&mut gateway, "gpt-4o");
        assert_eq!((model["health"].as_str(), model["success_rate"].as_f64()), (Some("degraded"), Some(rate)), "{name}, {answers}");
        let claimed = |now| vitals::claim(&SharedData, &vitals::key("openai", "gpt-4o-2024-11-20"), 100, now);
        let now = now_ms();
        assert!(!claimed(now + ends_ms - 1), "{name}: it still cools");
        assert!(claimed(now + ends_ms), "{name}: one may try");
        assert!(!claimed(now + ends_ms), "{name}: and no other");
        pass_ms(ends_ms);
        gateway.will("openai", good(false)).call(call(false, ""));
        assert_eq!(health(&mut gateway), "healthy", "{name}");
    }
    for (name, value) in [("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-remaining-requests", "none"), ("retry-after", "60")] {
        let mut gateway = gateway();
        gateway.will("openai", good(false).header(name, value).header("x-ratelimit-reset-requests", "9s")).call(call(false, ""));
        assert_eq!(health(&mut gateway), "healthy", "{name}: {value}");
    }
}

#[test]
fn a_trial_that_says_nothing_is_given_back() {
    let key = vitals::key("openai", "gpt-4o-2024-11-20");
    for (name, reply, request, freed) in [
        ("hardly any time", Reply::Silent, call(true, r#""max_latency_ms":20"#), true),
        ("refused", Reply::json(400, "{}"), call(false, ""), true),
        ("a failure", Reply::json(500, "{}"), call(false, ""), false),
    ] {
        let mut gateway = gateway();
        for _ in 0..3 {
            gateway.will("openai", Reply::json(500, "{}")).call(call(false, ""));
        }
        pass_ms(1_000);
        assert!(vitals::claim(&SharedData, &key, 10_000, now_ms()), "{name}");
        gateway.will("openai", reply).call(request);
        assert_eq!(health(&mut gateway), "down", "{name}");
        assert_eq!(vitals::claim(&SharedData, &key, 10_000, now_ms()), freed, "{name}");
    }
}

#[test]
fn speed_is_that_of_streams_and_unknown_before() {
    let mut gateway = gateway();
    let unknown = json!({"first_token_ms": null, "first_token_p95_ms": null, "tokens_per_second": null});
    assert_eq!(shown(&mut gateway, "gpt-4o")["latency"], unknown);
    assert_eq!(shown(&mut gateway, "gpt-4o")["success_rate"], Value::Null);

    gateway.will("openai", good(false).after_ms(ANSWER_MS - 1)).call(call(false, ""));
    assert_eq!(shown(&mut gateway, "gpt-4o")["latency"], unknown, "a whole answer has no first token");

    // 120 ms to the headers, and 10 ms between pieces: the role, and then the first token.
    let stream = chunks(&TEXTS).replace("\"completion_tokens\":4", "\"completion_tokens\":9");
    let pieces: Vec<&str> = stream.split_inclusive("\n\n").collect();
    let size = pieces[0].len();
    gateway.will("openai", Reply::stream(&stream).cut_at(size).after_ms(120).pace_ms(10)).call(call(true, ""));
    let latency = shown(&mut gateway, "gpt-4o")["latency"].clone();
    assert_eq!(latency["first_token_ms"], 140.0);
    let p95 = latency["first_token_p95_ms"].as_f64().expect("known");
    assert!((p95 / 140.0 - 1.0).abs() <= 0.0911, "{p95}");
    assert_eq!(latency["tokens_per_second"], Value::Null, "the rest came in one piece");

    pass_ms(200);
    let first_token = pieces[..2].concat().len();
    gateway.will("openai", Reply::stream(&stream).cut_at(first_token).after_ms(130).pace_ms(100)).call(call(true, ""));
    tick();
    let latency = shown(&mut gateway, "gpt-4o")["latency"].clone();
    assert_eq!(latency["first_token_ms"], 185.0, "140 and 230");
    // Eight tokens after the first, in 100 ms.
    assert_eq!(latency["tokens_per_second"], 80.0);
}

#[test]
fn the_first_token_of_an_embedding_is_the_whole_of_it() {
    let mut gateway = gateway();
    let vectors = json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}});
    let mut request = Request::new("POST", "/v1/embeddings").key(KEY).header("content-type", "application/json");
    request = request.body(r#"{"model":"embed","input":"hello"}"#);
    gateway.will("openai", Reply::json(200, vectors.to_string()).after_ms(33)).call(request.clone());
    let model = shown(&mut gateway, "embed");
    assert_eq!((model["latency"]["first_token_ms"].as_f64(), model["success_rate"].as_f64()), (Some(33.0), Some(1.0)));
    assert_eq!(model["latency"]["tokens_per_second"], Value::Null);
    for expected in ["degraded", "degraded", "down"] {
        gateway.will("openai", Reply::json(500, "{}")).call(request.clone());
        assert_eq!(shown(&mut gateway, "embed")["health"], expected);
    }
}

#[test]
fn figures_that_wait_are_written_with_the_tick_which_comes_only_when_asked_for() {
    let mut gateway = gateway();
    for _ in 0..3 {
        gateway.will("openai", good(true)).call(call(true, ""));
    }
    let bounded = vitals::key("openai", "gpt-4o-2024-11-20");
    let attempts = || {
        use neural_router::ledger::Store as _;
        SharedData.read(&bounded).0
    };
    let before = attempts();
    assert_eq!(tick(), Some(100));
    assert_ne!(attempts(), before, "two successes waited");
    assert_eq!(tick(), GAUGES);
    gateway.will("openai", Reply::json(500, "{}")).call(call(true, ""));
    assert_eq!((health(&mut gateway).as_str(), tick()), ("degraded", GAUGES), "a failure waits for nothing");
}

/// The router seat's own tick, which is always there: nobody else wants one.
const GAUGES: Option<u64> = Some(5_000);

/// What is known of the lengths of answers.
fn lengths() -> Vec<Option<f64>> {
    use neural_router::config::{Config, Document};
    let document = Document::from_json(fixture::document().to_string().as_bytes()).expect("a document");
    let config = Config::from_document(&document).expect("a document");
    let snapshot = vitals::Snapshot::read(&SharedData, &config.catalog, now_ms());
    let deployment = config.catalog.deployments().find(|deployment| deployment.model.starts_with("gpt")).expect("one");
    snapshot.of(deployment).output_tokens.iter().map(vitals::Mean::known).collect()
}

#[test]
fn lengths_are_learned_by_class() {
    use neural_router::config::TaskClass;
    let mut gateway = gateway();
    for class in ["\"task_class\":\"math\"", "\"task_class\":\"code\""] {
        gateway.will("openai", good(false)).call(call(false, class));
        pass_ms(200);
    }
    let expected: Vec<Option<f64>> =
        TaskClass::ALL.iter().map(|class| matches!(class, TaskClass::Math | TaskClass::Code).then_some(4.0)).collect();
    assert_eq!(lengths(), expected);
}

#[test]
fn a_length_is_that_of_one_answer_that_was_not_cut() {
    // The answers have four tokens together.
    for (members, expected) in [
        ("\"n\":1", Some(4.0)),
        ("\"n\":2", Some(2.0)),
        ("\"max_tokens\":5", Some(4.0)),
        ("\"max_tokens\":4", None),
        ("\"n\":2,\"max_tokens\":2", None),
    ] {
        for stream in [false, true] {
            let mut gateway = gateway();
            let asked = format!(r#""model":"gpt-4o","stream":{stream},{members},"route":{{"task_class":"code"}}"#);
            let answer = gateway.will("openai", good(stream)).call(Request::chat(body(&asked)));
            assert_eq!(answer.status(), 200, "{asked}: {}", answer.text());
            tick();
            assert_eq!(lengths().into_iter().flatten().next(), expected, "{asked}");
        }
    }
}
