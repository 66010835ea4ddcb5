//! Every way a candidate can fail before its first token, and what bounds the search for another.

use serde_json::json;

use super::fixture::{ANSWER_MS, FIRST_TOKEN_MS, assert_error, body, chunks_cut_after, completion, document, gateway, good};
use super::host::{Answer, End, Finish, Gateway, Reply, Request, now_ms};

/// A row of the matrix: name, what the provider does, what the attempt is then called.
type Fault = (String, Reply, &'static str, Option<u64>);

fn faults(stream: bool) -> Vec<Fault> {
    let row = |name: &str, reply: Reply, outcome, status| (name.to_owned(), reply, outcome, status);
    let kind = if stream { "text/event-stream" } else { "application/json" };
    let mut faults = vec![
        row("refused connection", Reply::Refuses, "connect_failure", None),
        row("reset before headers", Reply::Resets, "reset", None),
        row("no answer", Reply::Silent, "timeout", None),
        row("headers, then silence", Reply::of(200, kind, "").then(End::Silence), "timeout", Some(200)),
        row("headers, then a reset", Reply::of(200, kind, "").then(End::Reset), "reset", Some(200)),
        row("empty body", Reply::of(200, kind, ""), "malformed", Some(200)),
        row("HTML", Reply::of(200, "text/html", "<html><body>sorry</body></html>"), "malformed", Some(200)),
        row("compressed", good(stream).header("content-encoding", "gzip"), "malformed", Some(200)),
        row("not UTF-8", Reply::of(200, kind, b"data: {\"choices\":[\xff]}\n\n"), "malformed", Some(200)),
        row("the other kind of answer", good(!stream), "malformed", Some(200)),
        row("error page with a retry-after", Reply::of(503, "text/html", "<html>").header("retry-after", "7"), "status", Some(503)),
        row("error without a body", Reply::of(500, "application/json", ""), "status", Some(500)),
        row("error that never ends", Reply::of(502, "application/json", "{").then(End::Silence), "status", Some(502)),
    ];
    for status in [301, 401, 402, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504, 529, 599] {
        faults.push((
            format!("status {status}"),
            Reply::json(status, r#"{"error":{"message":"sk-secret"}}"#).in_pieces_of(5),
            "status",
            Some(status.into()),
        ));
    }
    if stream {
        let role = chunks_cut_after(&["Hel", "lo."], 0);
        let error = "data: {\"error\":{\"type\":\"server_error\",\"message\":\"m\"}}\n\n";
        faults.extend([
            row("error event first", Reply::stream(error), "in_band_error", Some(200)),
            row("error event after the role", Reply::stream([&role, error].concat()), "in_band_error", Some(200)),
            row("error event after the role, in bytes", Reply::stream([&role, error].concat()).in_pieces_of(1), "in_band_error", Some(200)),
            row("end after the role", Reply::stream(&role), "malformed", Some(200)),
            row("end inside the first event", Reply::stream(&role.as_bytes()[..30]), "malformed", Some(200)),
            row("reset after the role", Reply::stream(&role).then(End::Reset), "reset", Some(200)),
            row("silence after the role", Reply::stream(&role).then(End::Silence), "timeout", Some(200)),
            row("comments for ever", Reply::stream(": ping\n\n".repeat(200)).in_pieces_of(8).pace_ms(10), "timeout", Some(200)),
            row("nothing but [DONE]", Reply::stream("data: [DONE]\n\n"), "malformed", Some(200)),
            row("data that is no JSON", Reply::stream("data: hello\n\n"), "malformed", Some(200)),
        ]);
    } else {
        let good = completion("Hello.");
        faults.extend([
            row("cut off", Reply::json(200, &good.as_bytes()[..good.len() / 2]), "malformed", Some(200)),
            row("cut off by one byte", Reply::json(200, &good.as_bytes()[..good.len() - 1]), "malformed", Some(200)),
            row("cut off by a reset", Reply::json(200, &good.as_bytes()[..40]).then(End::Reset), "reset", Some(200)),
            row("stalls in the middle", Reply::json(200, &good.as_bytes()[..40]).then(End::Silence), "timeout", Some(200)),
            row(
                "error inside a 200",
                Reply::json(200, r#"{"error":{"type":"server_error","message":"boom"}}"#),
                "in_band_error",
                Some(200),
            ),
            row("JSON that is no answer", Reply::json(200, r#"{"hello":"world"}"#), "malformed", Some(200)),
            row("no choices", Reply::json(200, r#"{"choices":[]}"#), "malformed", Some(200)),
            row("too slow", super::fixture::good(false).in_pieces_of(1).pace_ms(10), "timeout", Some(200)),
        ]);
    }
    faults
}

fn call(model: &str, stream: bool, fallbacks: &[&str]) -> Request {
    Request::chat(body(&format!(r#""model":"{model}","stream":{stream},"route":{{"fallbacks":{}}}"#, json!(fallbacks))))
}

fn attempt(model: &str, outcome: &str, status: Option<u64>) -> (String, String, Option<u64>) {
    (model.to_owned(), outcome.to_owned(), status)
}

/// Notes a row whose attempts are not those expected, so that one failure shows every wrong row.
fn differ(wrong: &mut Vec<String>, case: &str, answer: &Answer, expected: &[(String, String, Option<u64>)]) {
    let attempts = answer.attempts();
    if attempts != expected {
        wrong.push(format!("{case}: {attempts:?}, not {expected:?}"));
    }
}

#[test]
fn a_call_whose_first_candidate_fails_is_served_by_the_second() {
    let mut wrong = Vec::new();
    for stream in [false, true] {
        for (name, fault, outcome, status) in faults(stream) {
            let mut gateway = gateway();
            gateway.will("openai", fault).will("groq", good(stream).after_ms(5));
            let answer = gateway.call(call("gpt-4o", stream, &["llama"]));
            let case = format!("{name}, stream: {stream}");
            assert_eq!((answer.status(), answer.finish), (200, Finish::Whole), "{case}: {}", answer.text());
            differ(&mut wrong, &case, &answer, &[attempt("gpt-4o", outcome, status), attempt("llama", "ok", Some(200))]);
            let routing = answer.routing();
            assert_eq!((routing["selected"].as_str(), routing["provider"].as_str()), (Some("llama"), Some("groq")), "{case}");
            let kind = if stream { "text/event-stream" } else { "application/json" };
            assert_eq!(answer.headers.text("content-type"), Some(kind), "{case}");
            let leaked = ["retry-after", "content-encoding", "x-nr-outcome"].iter().find(|name| answer.headers.bytes(name).is_some());
            assert_eq!(leaked, None, "{case}: the client sees nothing but the answer");
            assert!(!answer.text().contains("sk-secret"), "{case}");
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_candidate_gets_the_same_body_whether_it_is_asked_first_or_second() {
    const MODELS: [(&str, &str); 3] = [("gpt-4o", "openai"), ("llama", "groq"), ("claude-sonnet", "anthropic")];
    for (words, stream) in [(1, false), (1, true), (20_000, false), (20_000, true)] {
        let request = |model: &str, fallbacks: &[&str]| {
            let (fallbacks, prompt) = (json!(fallbacks), "word ".repeat(words));
            let messages = json!([{"role": "user", "content": prompt}]);
            Request::chat(format!(r#"{{"messages":{messages},"model":"{model}","stream":{stream},"route":{{"fallbacks":{fallbacks}}}}}"#))
        };
        for (second, provider) in MODELS {
            let mut gateway = gateway();
            gateway.will(provider, Reply::json(503, "{}")).call(request(second, &[]));
            let asked_first = gateway.only_received();
            for (first, failing) in MODELS.into_iter().filter(|(first, _)| *first != second) {
                let case = format!("{first}, then {second}, stream: {stream}");
                gateway.will(failing, Reply::json(503, "{}")).will(provider, Reply::json(503, "{}")).call(request(first, &[second]));
                let received = gateway.received();
                let [_, asked_second] = received.as_slice() else { panic!("{case}: {} were asked", received.len()) };
                assert!(asked_second.body == asked_first.body, "{case}");
                assert_eq!(asked_second.headers.text("content-length"), Some(asked_first.body.len().to_string().as_str()), "{case}");
            }
        }
    }
}

#[test]
fn when_every_candidate_fails_the_answer_lists_what_was_tried() {
    let mut wrong = Vec::new();
    for stream in [false, true] {
        for (name, fault, outcome, status) in faults(stream) {
            let mut gateway = gateway();
            gateway.will("groq", fault.clone()).will("openai", fault);
            let answer = gateway.call(call("llama", stream, &["gpt-4o"]));
            let case = format!("{name}, stream: {stream}");
            assert_error(&answer, 503, "no_provider_available", None, None, &case);
            differ(&mut wrong, &case, &answer, &[attempt("llama", outcome, status), attempt("gpt-4o", outcome, status)]);
            let retry_after = answer.headers.text("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
            assert!(retry_after.is_some_and(|seconds| (1..=120).contains(&seconds)), "{case}: {retry_after:?}");
            assert!(!answer.text().contains("sk-secret"), "{case}");
            assert!(answer.headers.bytes("x-nr-outcome").is_none(), "{case}");
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_fault_of_the_last_candidate_is_told_apart_from_the_one_before() {
    let mut wrong = Vec::new();
    for stream in [false, true] {
        for (name, fault, outcome, status) in faults(stream) {
            let mut gateway = gateway();
            gateway.will("openai", Reply::json(502, "{}")).will("groq", fault);
            let answer = gateway.call(call("gpt-4o", stream, &["llama"]));
            let case = format!("{name}, stream: {stream}");
            assert_error(&answer, 503, "no_provider_available", None, None, &case);
            differ(&mut wrong, &case, &answer, &[attempt("gpt-4o", "status", Some(502)), attempt("llama", outcome, status)]);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_call_with_one_candidate_says_how_it_failed() {
    let mut wrong = Vec::new();
    for stream in [false, true] {
        for (name, fault, outcome, status) in faults(stream) {
            let mut gateway = gateway();
            gateway.will("openai", fault);
            let answer = gateway.call(call("gpt-4o", stream, &[]));
            let case = format!("{name}, stream: {stream}");
            assert_error(&answer, 503, "no_provider_available", None, None, &case);
            differ(&mut wrong, &case, &answer, &[attempt("gpt-4o", outcome, status)]);
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn latencies_are_those_of_each_attempt() {
    let mut gateway = gateway();
    gateway.will("openai", Reply::json(500, "{}").after_ms(30)).will("groq", good(false).after_ms(50));
    let answer = gateway.call(call("gpt-4o", false, &["llama"]));
    let latencies: Vec<u64> =
        answer.routing()["attempts"].as_array().into_iter().flatten().filter_map(|attempt| attempt["latency_ms"].as_u64()).collect();
    assert_eq!(latencies, [30, 50]);
}

#[test]
fn no_more_candidates_are_tried_than_allowed() {
    let mut document = document();
    document["models"][1]["deployments"] = (1..=6).map(|n| json!({"provider": "openai", "model": format!("m{n}")})).collect();
    for stream in [false, true] {
        let mut gateway = Gateway::start(&document);
        for _ in 0..3 {
            gateway.will("openai", Reply::json(500, "{}"));
        }
        let answer = gateway.call(call("gpt-4o", stream, &["llama"]));
        assert_eq!((answer.status(), answer.attempts().len()), (503, 3));
        let names: Vec<String> = gateway.received().iter().map(|received| received.json()["model"].to_string()).collect();
        assert_eq!(names, ["\"m1\"", "\"m2\"", "\"m3\""]);
    }
}

#[test]
fn a_silent_candidate_is_left_after_its_time() {
    for (stream, limit) in [(true, FIRST_TOKEN_MS), (false, ANSWER_MS)] {
        let mut gateway = gateway();
        gateway.will("openai", Reply::Silent).will("groq", good(stream).after_ms(limit - 1));
        let began = now_ms();
        let answer = gateway.call(call("gpt-4o", stream, &["llama"]));
        assert_eq!(answer.status(), 200, "stream: {stream}: {}", answer.text());
        assert_eq!(answer.routing()["attempts"][0]["latency_ms"], limit, "stream: {stream}");
        assert!(now_ms() - began < 2 * limit + 10);
    }
}

#[test]
fn a_latency_bound_ends_the_call_in_time_when_nobody_answers() {
    for stream in [false, true] {
        for bound in [1, 2, 50, 250, 399] {
            let mut gateway = gateway();
            for provider in ["openai", "groq", "anthropic"] {
                gateway.will(provider, Reply::Silent);
            }
            let began = now_ms();
            let answer = gateway.call(Request::chat(body(&format!(
                r#""model":"gpt-4o","stream":{stream},"route":{{"max_latency_ms":{bound},"fallbacks":["llama","claude-sonnet"]}}"#
            ))));
            let case = format!("{bound} ms, stream: {stream}");
            let took = now_ms() - began;
            assert_error(&answer, 503, "no_provider_available", None, None, &case);
            assert!(took <= bound + 5, "{case}: {took} ms");
            let attempts = answer.attempts();
            assert_eq!(attempts.iter().map(|attempt| attempt.1.as_str()).collect::<Vec<_>>(), vec!["timeout"; attempts.len()], "{case}");
        }
    }
}

#[test]
fn an_answer_within_the_latency_bound_is_delivered_after_a_failover() {
    for stream in [false, true] {
        let mut gateway = gateway();
        gateway.will("openai", Reply::json(500, "{}").after_ms(20)).will("groq", good(stream).after_ms(60));
        let answer = gateway.call(Request::chat(body(&format!(
            r#""model":"gpt-4o","stream":{stream},"route":{{"max_latency_ms":250,"fallbacks":["llama"]}}"#
        ))));
        assert_eq!(answer.status(), 200, "stream: {stream}: {}", answer.text());
    }
}

#[test]
fn the_total_timeout_ends_a_call_in_its_second_attempt_as_a_timeout() {
    let mut document = document();
    document["routing"]["total_timeout_ms"] = json!(600);
    let mut gateway = Gateway::start(&document);
    gateway.will("openai", Reply::Silent).will("groq", Reply::Silent);
    let answer = gateway.call(call("gpt-4o", true, &["llama"]));
    assert_error(&answer, 503, "no_provider_available", None, None, "total timeout");
    assert_eq!(answer.attempts(), [attempt("gpt-4o", "timeout", None), attempt("llama", "timeout", None)]);
}

#[test]
fn the_advice_to_come_back_is_the_shortest_a_provider_gave_and_bounded() {
    for (first, second, expected) in [
        (Some("7"), None, "7"),
        (Some("9"), Some("4"), "4"),
        (Some("86400"), None, "120"),
        (Some("0"), None, "1"),
        (Some("Fri, 31 Dec 2100 23:59:59 GMT"), None, "120"),
        (Some("1m3.5s"), None, "64"),
        (Some("\u{fc}"), None, "1"),
        (None, None, "1"),
    ] {
        let reply = |retry_after: Option<&str>| {
            retry_after.map_or(Reply::json(429, "{}"), |value| Reply::json(429, "{}").header("retry-after", value))
        };
        let mut gateway = gateway();
        gateway.will("openai", reply(first)).will("groq", reply(second));
        let answer = gateway.call(call("gpt-4o", false, &["llama"]));
        assert_eq!(answer.headers.text("retry-after"), Some(expected), "{first:?} {second:?}");
    }
}

#[test]
fn a_candidate_is_asked_first_again_in_the_next_call() {
    let mut gateway = gateway();
    gateway.will("openai", Reply::json(500, "{}")).will("groq", good(false)).will("openai", good(false));
    let selected = [(); 2].map(|()| gateway.call(call("gpt-4o", false, &["llama"])).routing()["selected"].clone());
    assert_eq!(selected, ["llama", "gpt-4o"]);
}
