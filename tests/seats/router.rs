//! The downstream seat alone: who may call, what exists, which requests are refused. No provider is
//! asked in any of these, or the host fails the test.

use super::fixture::{assert_error, body, document, gateway, good};
use super::host::{Gateway, KEY, Request};

fn get(path: &str) -> Request {
    Request::new("GET", path).key(KEY)
}

#[test]
fn health_needs_no_key() {
    for path in ["/healthz", "/healthz?probe=1"] {
        let answer = gateway().call(Request::new("GET", path));
        assert_eq!((answer.status(), answer.text().as_str()), (200, r#"{"status":"ok"}"#), "{path}");
        assert_eq!(answer.headers.text("content-type"), Some("application/json"));
    }
}

#[test]
fn a_workspace_sees_its_models_and_no_others() {
    for (key, expected) in [(KEY, vec!["claude-sonnet", "gpt-4o", "llama", "embed"]), ("nr-narrow", vec!["gpt-4o"])] {
        let answer = gateway().call(Request::new("GET", "/v1/models").key(key));
        let json = answer.json();
        let ids: Vec<&str> = json["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str()).collect();
        assert_eq!((answer.status(), json["object"].as_str(), ids), (200, Some("list"), expected), "{key}");
    }
}

#[test]
fn a_model_shows_what_it_costs_and_not_where_it_is() {
    let answer = gateway().call(get("/v1/models/gpt-4o"));
    let model = answer.json();
    assert_eq!(answer.status(), 200);
    for (member, expected) in [
        ("id", "\"gpt-4o\""),
        ("object", "\"model\""),
        ("owned_by", "\"OPENAI\""),
        ("provider", "\"OPENAI\""),
        ("context_window", "128000"),
        ("input_per_m", "2.5"),
        ("output_per_m", "10.0"),
        ("health", "\"healthy\""),
    ] {
        assert_eq!(model[member].to_string(), expected, "{member}");
    }
    assert!(model["created"].is_u64());
    assert!(!answer.text().contains("2024-11-20"), "the deployment is nobody's business: {}", answer.text());
}

#[test]
fn an_id_with_a_slash_is_found_when_the_path_escapes_it() {
    let mut document = document();
    document["models"][1]["id"] = "open/gpt-4o".into();
    document["workspaces"][1]["models"] = serde_json::json!(["open/*"]);
    for path in ["/v1/models/open%2Fgpt-4o", "/v1/models/open%2fgpt%2D4o", "/v1/models/open/gpt-4o"] {
        let answer = Gateway::start(&document).call(get(path));
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        assert_eq!(answer.json()["id"], "open/gpt-4o", "{path}");
    }
}

#[test]
fn a_model_that_is_not_allowed_looks_like_one_that_does_not_exist() {
    let long = "x".repeat(4000);
    let message = |id: &str| {
        let answer = gateway().call(Request::new("GET", &format!("/v1/models/{id}")).key("nr-narrow"));
        assert_error(&answer, 404, "model_not_found", Some("model_not_found"), Some("model"), id)
    };
    for id in ["nothing", "GPT-4O", "*", "%ff", "%", "%2", "gpt-4o-2024-11-20", long.as_str()] {
        message(id);
    }
    assert_eq!(message("claude-sonnet").replace("claude-sonnet", "?"), message("nothing").replace("nothing", "?"));
}

#[test]
fn an_unknown_path_says_so() {
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/chat",
        "/v1/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions/x",
        "/v2/models",
        "/V1/models",
        "/v1/modelsx",
        "/healthz/x",
        "//v1/models",
    ] {
        for method in ["GET", "POST"] {
            let answer = gateway().call(Request::new(method, path).key(KEY));
            assert_error(&answer, 404, "invalid_request", Some("unknown_url"), None, path);
        }
    }
}

#[test]
fn a_wrong_method_names_the_right_one() {
    for (method, path, allow) in [
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET"),
        ("DELETE", "/v1/models/gpt-4o", "GET"),
        ("POST", "/healthz", "GET"),
        ("BREW", "/v1/models", "GET"),
    ] {
        let answer = gateway().call(Request::new(method, path).key(KEY));
        assert_error(&answer, 405, "invalid_request", Some("method_not_allowed"), None, path);
        let allowed: Vec<&str> = answer.headers.text("allow").unwrap_or_default().split(", ").collect();
        assert!(allowed.contains(&allow) && !allowed.contains(&method), "{method} {path}: {allowed:?}");
    }
}

#[test]
fn a_key_that_is_not_exactly_right_is_refused_and_never_repeated() {
    let long = format!("Bearer nr-{}", "a".repeat(20_000));
    let joined = format!("Bearer {KEY},Bearer {KEY}");
    let plain: [&[u8]; 13] = [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer nr-wrong",
        b"Bearer nr-test-key-of-acm",
        b"Bearer nr-test-key-of-acme0",
        b"Bearer NR-TEST-KEY-OF-ACME",
        b"Basic nr-test-key-of-acme",
        b"nr-test-key-of-acme",
        b"Bearer nr-test-key-of-acme\xff",
        b"\xff\xfe nr-test-key-of-acme",
        long.as_bytes(),
        joined.as_bytes(),
    ];
    let requests = [
        ("chat", Request::chat(body(r#""model":"gpt-4o""#)).without("authorization")),
        ("broken chat", Request::chat("{ not json").without("authorization")),
        ("models", Request::new("GET", "/v1/models")),
        ("a model", Request::new("GET", "/v1/models/gpt-4o")),
    ];
    for (name, request) in requests {
        let answer = gateway().call(request.clone());
        assert_error(&answer, 401, "unauthenticated", Some("invalid_api_key"), None, name);
        let twice = request.clone().key(KEY).key(KEY);
        assert_error(&gateway().call(twice), 401, "unauthenticated", Some("invalid_api_key"), None, name);
        for value in plain {
            let answer = gateway().call(request.clone().header("authorization", value));
            let case = format!("{name}, {}", value.escape_ascii());
            assert_error(&answer, 401, "unauthenticated", Some("invalid_api_key"), None, &case);
            assert!(!answer.text().contains("test-key") && !answer.text().contains("aaaa"), "{case}");
        }
    }
}

#[test]
fn the_scheme_is_written_in_any_case() {
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = gateway().call(Request::new("GET", "/v1/models").header("authorization", format!("{scheme} {KEY}")));
        assert_eq!(answer.status(), 200, "{scheme}");
    }
}

#[test]
fn a_compressed_request_is_refused() {
    for encoding in ["gzip", "br", "gzip, identity", "GZIP"] {
        let answer = gateway().call(Request::chat(body(r#""model":"gpt-4o""#)).header("content-encoding", encoding));
        assert_error(&answer, 415, "invalid_request", Some("unsupported_content_encoding"), None, encoding);
    }
    let mut gateway = gateway();
    let answer =
        gateway.will("openai", good(false)).call(Request::chat(body(r#""model":"gpt-4o""#)).header("content-encoding", "identity"));
    assert_eq!(answer.status(), 200, "identity is no encoding");
}

#[test]
fn a_body_above_the_limit_is_refused_and_the_limit_named() {
    let mut document = document();
    document["listen"] = serde_json::json!({"max_request_bytes": 2000});
    let request = |size: usize| {
        let body = body(r#""model":"gpt-4o""#);
        Request::chat([body.as_str(), &" ".repeat(size - body.len())].concat())
    };
    for (name, request) in [
        ("announced", request(2001)),
        ("not announced", request(2001).without("content-length")),
        ("in pieces", request(5000).without("content-length").in_pieces_of(100)),
        ("announced too small", request(5000).header("content-length", "10")),
        ("with trailers", request(5000).without("content-length").in_pieces_of(100).trailers(&[("x", "y")])),
    ] {
        let answer = Gateway::start(&document).call(request);
        let message = assert_error(&answer, 400, "invalid_request", Some("request_too_large"), None, name);
        assert!(message.contains("2000"), "{name}: {message}");
    }
    let mut gateway = Gateway::start(&document);
    assert_eq!(gateway.will("openai", good(false)).call(request(2000)).status(), 200, "the limit itself passes");
}

#[test]
fn a_body_that_is_no_request_is_refused_with_its_place() {
    let with = |members: &str| body(&format!(r#""model":"gpt-4o",{members}"#));
    for (text, code, param) in [
        (String::new(), Some("invalid_json"), None),
        ("{".to_owned(), Some("invalid_json"), None),
        ("[]".to_owned(), Some("invalid_json"), None),
        ("null".to_owned(), Some("invalid_json"), None),
        ("\u{feff}{}".to_owned(), Some("invalid_json"), None),
        ("{'model':'gpt-4o'}".to_owned(), Some("invalid_json"), None),
        (body(r#""model":"gpt-4o""#) + "x", Some("invalid_json"), None),
        (r#"{"model":"gpt-4o"}"#.to_owned(), None, Some("messages")),
        (r#"{"model":"gpt-4o","messages":{}}"#.to_owned(), None, Some("messages")),
        (r#"{"model":"gpt-4o","messages":[]}"#.to_owned(), None, Some("messages")),
        (r#"{"model":"gpt-4o","messages":["hi"]}"#.to_owned(), None, Some("messages[0]")),
        (body(r#""temperature":1"#), None, Some("model")),
        (body(r#""model":"""#), None, Some("model")),
        (body(r#""model":5"#), None, Some("model")),
        (body(r#""model":"gpt-4o","model":"llama""#), None, Some("model")),
        (with(r#""max_tokens":18446744073709551616"#), None, Some("max_tokens")),
        (with(r#""stream":"yes""#), None, Some("stream")),
        (with(r#""route":[]"#), None, Some("route")),
        (with(r#""route":{"objective":"speed"}"#), None, Some("route.objective")),
        (with(r#""route":{"task_class":"poetry"}"#), None, Some("route.task_class")),
        (with(r#""route":{"max_latency_ms":0}"#), None, Some("route.max_latency_ms")),
        (with(r#""route":{"wish":1}"#), None, Some("route.wish")),
        (with(r#""route":{"fallbacks":"llama"}"#), None, Some("route.fallbacks")),
    ] {
        let case: String = text.chars().take(120).collect();
        let answer = gateway().call(Request::chat(&text));
        let message = assert_error(&answer, 400, "invalid_request", code, param, &case);
        assert!(!message.contains("hello"), "{case}: {message}");
    }
    let invalid: [&[u8]; 2] = [b"{\"model\":\"\xff\",\"messages\":[]}", b"\xff\xfe"];
    for bytes in invalid {
        assert_error(
            &gateway().call(Request::chat(bytes)),
            400,
            "invalid_request",
            Some("invalid_json"),
            None,
            &bytes.escape_ascii().to_string(),
        );
    }
}

#[test]
fn a_call_without_any_body_is_refused() {
    for request in [Request::new("POST", "/v1/chat/completions").key(KEY), Request::chat("").trailers(&[("x", "y")])] {
        assert_error(&gateway().call(request), 400, "invalid_request", Some("invalid_json"), None, "no body");
    }
}

#[test]
fn a_model_that_does_not_exist_is_named_wherever_it_stands() {
    for (key, members, param) in [
        (KEY, r#""model":"gpt-5""#, "model"),
        (KEY, r#""model":"GPT-4o""#, "model"),
        (KEY, r#""model":"gpt-4o-2024-11-20""#, "model"),
        ("nr-narrow", r#""model":"llama""#, "model"),
        (KEY, r#""model":"gpt-4o","route":{"fallbacks":["gpt-5"]}"#, "route.fallbacks[0]"),
        (KEY, r#""model":"auto","route":{"fallbacks":["llama","gpt-5"]}"#, "route.fallbacks[1]"),
        ("nr-narrow", r#""model":"gpt-4o","route":{"fallbacks":["llama"]}"#, "route.fallbacks[0]"),
    ] {
        let answer = gateway().call(Request::chat(body(members)).without("authorization").key(key));
        assert_error(&answer, 404, "model_not_found", Some("model_not_found"), Some(param), members);
    }
}

#[test]
fn an_embedding_model_does_not_chat() {
    let answer = gateway().call(Request::chat(body(r#""model":"embed""#)));
    assert!((400..500).contains(&answer.status()), "{}", answer.text());
    assert_eq!(answer.json()["error"]["param"], "model");
}

#[test]
fn headers_of_the_client_cannot_steer_the_call() {
    for (name, value) in [
        ("x-envoy-max-retries", "0"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-retriable-status-codes", "200"),
        ("x-envoy-retry-on", "5xx"),
        ("x-nr-outcome", "refusal"),
        ("x-nr-anything", "1"),
    ] {
        let mut gateway = gateway();
        gateway.will("openai", super::host::Reply::json(500, "{}")).will("groq", good(false).after_ms(50));
        let request = Request::chat(body(r#""model":"gpt-4o","route":{"fallbacks":["llama"]}"#)).header(name, value);
        let answer = gateway.call(request);
        assert_eq!(answer.status(), 200, "{name}: {}", answer.text());
        for received in gateway.received() {
            assert!(!received.headers.names().any(|header| header == name), "{name} reached {}", received.provider);
        }
    }
}
