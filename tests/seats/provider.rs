//! What a provider gets, what of its answer the client gets, and what filter state ends with.

use neural_router::config::TaskClass;
use serde_json::{Value, json};

use super::fixture::{assert_error, body, completion, document, gateway, good};
use super::host::{Finish, Gateway, KEY, Reply, Request, provider_key};

/// Headers a provider may see; everything else of the client stays with us.
const EXPECTED: [&str; 11] = [
    ":method",
    ":path",
    ":authority",
    ":scheme",
    "content-type",
    "content-length",
    "accept",
    "user-agent",
    "authorization",
    "x-request-id",
    "x-api-key",
];

#[test]
fn a_provider_gets_its_own_key_and_nothing_of_the_client() {
    for (model, provider, path, authority, credential) in [
        ("gpt-4o", "openai", "/v1/chat/completions", "127.0.0.1:18001", "authorization"),
        ("llama", "groq", "/openai/v1/chat/completions", "api.groq.com", "authorization"),
        ("claude-sonnet", "anthropic", "/v1/messages", "127.0.0.1:18002", "x-api-key"),
    ] {
        let mut gateway = gateway();
        gateway.will(provider, Reply::json(400, r#"{"error":{"message":"no"}}"#));
        let request = Request::chat(body(&format!(r#""model":"{model}""#)))
            .header("cookie", "session=1")
            .header("accept-encoding", "gzip")
            .header("x-forwarded-for", "10.1.2.3")
            .header("x-api-key", "sk-of-the-client")
            .header("openai-organization", "org-of-the-client")
            .header("te", "trailers");
        gateway.call(request);
        let received = gateway.only_received();
        let headers = &received.headers;
        assert_eq!(
            (headers.text(":method"), headers.text(":path"), headers.text(":authority")),
            (Some("POST"), Some(path), Some(authority)),
            "{model}"
        );
        assert_eq!(headers.text("content-length"), Some(received.body.len().to_string().as_str()), "{model}");
        assert!(headers.text(credential).is_some_and(|value| value.ends_with(&provider_key(provider))), "{model}: {headers:#?}");
        let more = if provider == "anthropic" { Some("anthropic-version") } else { None };
        let unexpected: Vec<&str> = headers.names().filter(|name| !EXPECTED.contains(name) && Some(*name) != more).collect();
        assert_eq!(unexpected, Vec::<&str>::new(), "{model}");
        let everything = format!("{headers:?}{}", String::from_utf8_lossy(&received.body));
        assert!(!everything.contains(KEY) && !everything.contains("of-the-client"), "{model}: {everything}");
    }
}

#[test]
fn an_openai_provider_gets_the_body_as_it_was_written_but_for_our_own_members() {
    let messages = r#""messages":[{"role":"user","content":"Say hello to café 😀."}]"#;
    let model = r#""model":"gpt-4o-2024-11-20""#;
    let usage = r#""stream_options":{"include_usage":true}"#;
    for (members, expected) in [
        (r#""model":"gpt-4o""#, format!("{{{model},{messages}}}")),
        (
            r#"  "model" : "gpt-4o" , "temperature":0.70, "future":[1.50, null,{"deep":true}]"#,
            format!("{{{model}, \"temperature\":0.70, \"future\":[1.50, null,{{\"deep\":true}}],{messages}}}"),
        ),
        (
            r#""seed":9223372036854775807,"model":"gpt-4o","route":{"fallbacks":["llama"]}"#,
            format!("{{{model},\"seed\":9223372036854775807,{messages}}}"),
        ),
        (r#""model":"gpt-4o","stream":true"#, format!("{{{model},{usage},\"stream\":true,{messages}}}")),
        (
            r#""model":"gpt-4o","stream":true,"stream_options":{"include_usage":false}"#,
            format!("{{{model},{usage},\"stream\":true,{messages}}}"),
        ),
        (r#""model":"gpt-4o","stop":"\ud800 \u0000""#, format!("{{{model},\"stop\":\"\\ud800 \\u0000\",{messages}}}")),
    ] {
        let mut gateway = gateway();
        gateway.will("openai", good(members.contains("true,")));
        gateway.call(Request::chat(body(members)));
        let received = gateway.only_received();
        assert!(received.whole);
        // Blanks that stood beside members of ours may go or stay.
        let text = String::from_utf8(received.body).expect("UTF-8").replace("{  ", "{").replace(" ,", ",").replace(",  ", ", ");
        assert_eq!(text, expected, "{members}");
    }
}

#[test]
fn a_request_is_the_same_however_it_is_cut() {
    let text = body(r#""route":{"objective":"quality"},"model":"gpt-4o","temperature":0.5"#);
    let mut gateway = gateway();
    let mut received = |request: Request| {
        let answer = gateway.will("openai", good(false)).call(request);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let received = gateway.only_received();
        (received.headers.text("content-length").map(str::to_owned), received.body, received.whole)
    };
    let whole = received(Request::chat(&text));
    for at in 0..=text.len() {
        assert_eq!(received(Request::chat(&text).cut_at(at)), whole, "cut at {at}");
    }
    for size in [1, 2, 7] {
        assert_eq!(received(Request::chat(&text).in_pieces_of(size)), whole, "pieces of {size}");
        assert_eq!(
            received(Request::chat(&text).without("content-length").in_pieces_of(size)),
            whole,
            "pieces of {size}, no length announced"
        );
    }
    for trailers in [&[("x-trailer", "1")][..], &[("authorization", "Bearer nr-test-key-of-acme"), ("x-envoy-max-retries", "0")]] {
        for size in [3, usize::MAX] {
            assert_eq!(received(Request::chat(&text).in_pieces_of(size).trailers(trailers)), whole, "{trailers:?}");
        }
    }
}

/// A body is read from and written to Envoy in pieces; at their seams nothing may be lost or stand twice.
#[test]
fn a_long_text_arrives_whole_in_a_request_and_in_an_answer() {
    let mut document = document();
    for model in 0..2 {
        document["models"][model]["context_window"] = json!(8_000_000);
    }
    for (model, pointer, reply) in [
        ("gpt-4o", "/messages/0/content", completion as fn(&str) -> String),
        ("claude-sonnet", "/messages/0/content/0/text", super::anthropic::message_saying),
    ] {
        for bytes in [60_000, 65_536, 131_072, 200_000, 1_048_576] {
            let text: String = (0..).flat_map(|n: u64| format!("{n} ").into_bytes()).take(bytes).map(char::from).collect();
            for request in [
                json!({"model": model, "messages": [{"role": "user", "content": text}]}).to_string(),
                format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}],"model":"{model}"}}"#),
            ] {
                let mut gateway = Gateway::start(&document);
                gateway.will(if model == "gpt-4o" { "openai" } else { "anthropic" }, Reply::json(200, reply(&text)));
                let answer = gateway.call(Request::chat(request).in_pieces_of(16_384));
                let received = gateway.only_received();
                assert!(received.json().pointer(pointer) == Some(&json!(text)), "{model} {bytes}");
                assert_eq!(received.headers.text("content-length"), Some(received.body.len().to_string().as_str()), "{model} {bytes}");
                assert!(answer.json()["choices"][0]["message"]["content"] == json!(text), "{model} {bytes}");
            }
        }
    }
}

#[test]
fn trailers_of_the_client_do_not_reach_a_provider() {
    let mut gateway = gateway();
    gateway.will("openai", good(false));
    gateway.call(Request::chat(body(r#""model":"gpt-4o""#)).trailers(&[("authorization", "Bearer nr-test-key-of-acme")]));
    let trailers = gateway.only_received().trailers;
    assert!(trailers.is_none_or(|trailers| trailers.len() == 0));
}

#[test]
fn an_answer_is_openais_with_our_id_model_and_routing() {
    let mut gateway = gateway();
    gateway.will(
        "openai",
        Reply::json(200, completion("Hello.")).header("content-length", completion("Hello.").len().to_string()).after_ms(30),
    );
    let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o""#)));
    assert_eq!((answer.status(), answer.finish), (200, Finish::Whole));
    assert_eq!(answer.headers.text("content-length"), Some(answer.text().len().to_string().as_str()));
    let json = answer.json();
    let theirs: Value = serde_json::from_str(&completion("Hello.")).expect("JSON");
    for member in ["object", "created", "choices", "usage", "system_fingerprint"] {
        assert_eq!(json[member], theirs[member], "{member}");
    }
    assert!(json["id"].as_str().is_some_and(|id| id.starts_with("nrc_") && id.len() > 8), "{json}");
    assert_eq!(json["model"], "gpt-4o");
    let mut routing = json["routing"].clone();
    assert!(routing["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    routing["reason"].take();
    assert!(routing["policy"].as_str().is_some_and(|policy| policy.len() == 12 && policy.bytes().all(|b| b.is_ascii_hexdigit())));
    routing["policy"].take();
    // What it is taken for depends on the weights.
    assert!(routing["task_class"].as_str().is_some_and(|class| TaskClass::NAMES.contains(&class)));
    routing["task_class"].take();
    assert_eq!(
        routing,
        json!({
            "selected": "gpt-4o", "objective": "quality-per-dollar", "task_class": null, "candidates_considered": 1, "reason": null,
            "provider": "openai", "policy": null, "estimated_cost_usd": 0.005_025, "cost_usd": 0.000_067_5,
            "attempts": [{"model": "gpt-4o", "provider": "openai", "outcome": "ok", "status": 200, "latency_ms": 30}], "adjustments": [],
        })
    );
}

#[test]
fn two_calls_have_two_ids() {
    let mut gateway = gateway();
    gateway.will("openai", good(false)).will("openai", good(false));
    let mut id = |request_id: &str| {
        let request = Request::chat(body(r#""model":"gpt-4o""#)).without("x-request-id").header("x-request-id", request_id);
        gateway.call(request).json()["id"].as_str().expect("an id").to_owned()
    };
    assert_ne!(id("6d1e0c1a-0000-4000-8000-000000000001"), id("6d1e0c1a-0000-4000-8000-000000000002"));
}

#[test]
fn filter_state_ends_with_who_called_what_was_tried_and_what_was_used() {
    for stream in [false, true] {
        let mut gateway = gateway();
        gateway.will("openai", Reply::json(500, "{}")).will("groq", good(stream));
        let answer = gateway.call(Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream},"route":{{"fallbacks":["llama"]}}"#))));
        let text = |key: &str| answer.state.get(key).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
        assert_eq!((text("nr.workspace"), text("nr.key"), text("nr.model")), ("acme".to_owned(), "laptop".to_owned(), "gpt-4o".to_owned()));
        let attempts: Value = serde_json::from_str(&text("nr.trail")).expect("the trail is JSON");
        assert_eq!(attempts, answer.routing()["attempts"], "stream: {stream}");
        let usage: Value = serde_json::from_str(&text("nr.usage")).expect("usage is JSON");
        assert_eq!(
            (&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]),
            (&json!(11), &json!(4), &json!(15)),
            "stream: {stream}"
        );
        let everything: String = answer.state.values().map(|value| String::from_utf8_lossy(value)).collect();
        assert!(!everything.contains(KEY) && !everything.contains("hello"), "neither keys nor prompts: {everything}");
    }
}

#[test]
fn of_a_providers_headers_only_an_allow_list_passes() {
    for stream in [false, true] {
        let mut gateway = gateway();
        let reply = [
            ("set-cookie", "a=b"),
            ("openai-organization", "acct"),
            ("x-request-id", "req_theirs"),
            ("server", "cloudflare"),
            ("cf-ray", "1"),
            ("x-ratelimit-remaining-requests", "5"),
            ("alt-svc", "h3"),
            ("x-nr-outcome", "refusal"),
        ]
        .iter()
        .fold(good(stream), |reply, (name, value)| reply.header(name, value));
        let answer = gateway.will("openai", reply).call(Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream}"#))));
        let mut names: Vec<&str> = answer.headers.names().collect();
        names.sort_unstable();
        let expected =
            if stream { vec![":status", "cache-control", "content-type"] } else { vec![":status", "content-length", "content-type"] };
        assert_eq!((answer.status(), names), (200, expected), "stream: {stream}");
    }
}

#[test]
fn an_answer_that_ends_with_trailers_is_an_answer() {
    for stream in [false, true] {
        for size in [1, 7, usize::MAX] {
            let mut gateway = gateway();
            gateway.will("openai", good(stream).in_pieces_of(size).trailers(&[("set-cookie", "a=b"), ("grpc-status", "0")]));
            let answer = gateway.call(Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream}"#))));
            assert_eq!((answer.status(), answer.finish), (200, Finish::Whole), "stream: {stream}, pieces of {size}");
            assert!(answer.trailers.is_none_or(|trailers| trailers.len() == 0), "stream: {stream}");
            let text = String::from_utf8(answer.body.concat()).expect("text");
            assert!(if stream { text.ends_with("data: [DONE]\n\n") } else { text.contains("\"routing\"") }, "{text}");
        }
    }
}

#[test]
fn a_whole_answer_is_the_same_however_it_is_cut() {
    let text = completion("Grüße, 世界 😀");
    let mut gateway = gateway();
    let mut client = |reply: Reply| {
        let mut json = gateway.will("openai", reply).call(Request::chat(body(r#""model":"gpt-4o""#))).json();
        json["id"].take();
        json
    };
    let whole = client(Reply::json(200, &text));
    assert_eq!(whole["choices"][0]["message"]["content"], "Grüße, 世界 😀");
    for at in 0..=text.len() {
        assert_eq!(client(Reply::json(200, &text).cut_at(at)), whole, "cut at {at}");
    }
}

#[test]
fn what_is_wrong_with_the_request_itself_is_not_tried_elsewhere() {
    let refusal = json!({"error": {"message": "temperature is too high for sk-proj-abcdefghijkl of org-AbCdEfGhIj", "type": "invalid_request_error", "param": "temperature", "code": null}});
    for status in [400, 413, 422] {
        for stream in [false, true] {
            for size in [1, 16, usize::MAX] {
                let mut gateway = gateway();
                gateway.will("openai", Reply::json(status, refusal.to_string()).header("set-cookie", "a=b").in_pieces_of(size));
                let answer =
                    gateway.call(Request::chat(body(&format!(r#""model":"gpt-4o","stream":{stream},"route":{{"fallbacks":["llama"]}}"#))));
                let case = format!("{status}, stream: {stream}");
                let message = assert_error(&answer, 400, "invalid_request", None, Some("temperature"), &case);
                assert!(
                    message.contains("temperature is too high") && !message.contains("sk-proj") && !message.contains("org-A"),
                    "{case}: {message}"
                );
                assert_eq!(gateway.only_received().provider, "openai", "{case}");
                assert!(
                    !answer.headers.names().any(|name| name == "set-cookie" || name.starts_with("x-nr-")),
                    "{case}: {:?}",
                    answer.headers
                );
            }
        }
    }
}

#[test]
fn a_refusal_in_no_known_form_is_not_quoted() {
    for text in ["", "<html>canary</html>", "canary", r#"{"canary":1}"#, "[]", "\0", r#"{"error":{"message":7}}"#, r#"{"error":null}"#] {
        let mut gateway = gateway();
        let answer =
            gateway.will("openai", Reply::json(400, text)).call(Request::chat(body(r#""model":"gpt-4o","route":{"fallbacks":["llama"]}"#)));
        let message = assert_error(&answer, 400, "invalid_request", None, None, text);
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn after_a_failover_the_next_provider_sees_only_its_own_key_and_body() {
    let models = [
        ("openai", "gpt-4o", "gpt-4o-2024-11-20"),
        ("anthropic", "claude-sonnet", "claude-sonnet-4-5"),
        ("groq", "llama", "llama-3.3-70b-versatile"),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut gateway = gateway();
        let ids: Vec<&str> = order.iter().map(|i| models[*i].1).collect();
        for i in order {
            gateway.will(models[i].0, Reply::json(500, "{}"));
        }
        gateway.call(Request::chat(body(&format!(
            r#""model":"{}","max_tokens":50,"route":{{"fallbacks":["{}","{}"]}}"#,
            ids[0], ids[1], ids[2]
        ))));
        let received = gateway.received();
        let asked: Vec<&str> = received.iter().map(|received| received.provider.as_str()).collect();
        assert_eq!(asked, order.map(|i| models[i].0), "{ids:?}");
        for (received, i) in received.iter().zip(order) {
            let (provider, _, name) = models[i];
            let json = received.json();
            assert_eq!(json["model"], name, "{ids:?}");
            assert_eq!(received.headers.text("content-length"), Some(received.body.len().to_string().as_str()), "{ids:?} {provider}");
            assert_eq!(json["messages"][0]["role"], "user", "{ids:?}");
            assert!(json.get("route").is_none());
            let credentials: Vec<&str> = ["authorization", "x-api-key"].iter().filter_map(|name| received.headers.text(name)).collect();
            assert_eq!(credentials.len(), 1, "{ids:?} {provider}: {credentials:?}");
            assert!(credentials[0].ends_with(&provider_key(provider)), "{ids:?} {provider}: {credentials:?}");
            assert_eq!(received.headers.text("anthropic-version").is_some(), provider == "anthropic", "{ids:?} {provider}");
        }
    }
}

#[test]
fn deployments_of_one_model_are_tried_one_after_the_other_with_their_own_names() {
    let mut document = document();
    document["models"][1]["deployments"] = json!([{"provider": "openai", "model": "first"}, {"provider": "groq", "model": "second"}, {"provider": "openai", "model": "third"}]);
    let mut gateway = Gateway::start(&document);
    gateway.will("openai", Reply::Refuses).will("groq", Reply::json(429, "")).will("openai", good(false));
    let answer = gateway.call(Request::chat(body(r#""model":"gpt-4o""#)));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.json()["model"], "gpt-4o");
    let names: Vec<Value> = gateway.received().iter().map(|received| received.json()["model"].clone()).collect();
    assert_eq!(names, ["second", "third"]);
}
