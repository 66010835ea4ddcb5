//! Callbacks that come twice, late, out of order or never. Envoy promises none of these orders; a
//! panic aborts the process, so passing is the claim.

use super::fixture::{body, chunks, completion, gateway};
use super::host::{Bare, Effect, Gateway, Headers, KEY, Piece, Way};

fn request_headers() -> Headers {
    Headers::of(&[(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", &format!("Bearer {KEY}"))])
}

fn response_headers(kind: &str) -> Headers {
    Headers::of(&[(":status", "200"), ("content-type", kind)])
}

/// The downstream seat after a whole request.
fn planned(gateway: &Gateway, members: &str) -> (Bare, Vec<Piece>) {
    let mut seat = Bare::router(gateway);
    seat.send(Way::Request, Piece::Headers(request_headers(), false));
    let (sent, asked_for) = seat.send(Way::Request, Piece::Data(body(members).into_bytes(), true));
    assert_eq!(asked_for, []);
    (seat, sent)
}

#[test]
fn a_context_may_end_after_any_callback() {
    let gateway = gateway();
    let pieces = || vec![Piece::Headers(request_headers(), false), Piece::Data(b"{".to_vec(), false), Piece::Data(b"}".to_vec(), true)];
    for count in 0..=3 {
        let mut seat = Bare::router(&gateway);
        for piece in pieces().into_iter().take(count) {
            seat.send(Way::Request, piece);
        }
        seat.log();
        seat.done();
        seat.delete();
    }
    for stream in [false, true] {
        let (client, sent) = planned(&gateway, &format!(r#""model":"gpt-4o","stream":{stream}"#));
        let answer = if stream { chunks(&["a", "b"]) } else { completion("a") };
        let kind = if stream { "text/event-stream" } else { "application/json" };
        for count in 0..=5 {
            client.state("nr.trail", b"[]");
            let mut seat = Bare::provider(&gateway, "openai", Some(&client));
            let (head, tail) = answer.as_bytes().split_at(answer.len() / 2);
            let back = [Piece::Headers(response_headers(kind), false), Piece::Data(head.to_vec(), false), Piece::Data(tail.to_vec(), true)];
            let steps = sent.iter().cloned().map(|piece| (Way::Request, piece)).chain(back.into_iter().map(|piece| (Way::Response, piece)));
            for (way, piece) in steps.take(count) {
                seat.send(way, piece);
            }
            seat.done();
            seat.delete();
        }
        client.log();
        client.done();
        client.delete();
    }
}

#[test]
fn the_end_may_be_announced_twice() {
    let gateway = gateway();
    let (client, sent) = planned(&gateway, r#""model":"gpt-4o""#);
    let mut seat = Bare::provider(&gateway, "openai", Some(&client));
    for piece in sent {
        seat.send(Way::Request, piece);
    }
    seat.done();
    seat.log();
    seat.done();
    seat.delete();
    client.done();
    client.log();
    client.done();
    client.log();
    client.delete();
}

#[test]
fn an_attempt_that_is_done_twice_is_one_attempt() {
    let gateway = gateway();
    let (client, sent) = planned(&gateway, r#""model":"gpt-4o","route":{"fallbacks":["llama"]}"#);
    let mut seat = Bare::provider(&gateway, "openai", Some(&client));
    for piece in sent {
        seat.send(Way::Request, piece);
    }
    seat.done();
    let trail = client.state_of("nr.trail");
    seat.done();
    assert_eq!(client.state_of("nr.trail"), trail);
    let attempts: serde_json::Value = serde_json::from_slice(&trail.unwrap_or_default()).expect("JSON");
    assert_eq!(attempts.as_array().map(Vec::len), Some(1), "{attempts}");
}

#[test]
fn callbacks_in_any_order_are_survived() {
    let steps: Vec<(Way, fn() -> Piece)> = vec![
        (Way::Request, || Piece::Headers(request_headers(), false)),
        (Way::Request, || Piece::Data(body(r#""model":"gpt-4o""#).into_bytes(), true)),
        (Way::Request, || Piece::Trailers(Headers::of(&[("a", "b")]))),
        (Way::Response, || Piece::Headers(response_headers("text/event-stream"), false)),
        (Way::Response, || Piece::Data(chunks(&["a"]).into_bytes(), false)),
        (Way::Response, || Piece::Trailers(Headers::of(&[("a", "b")]))),
    ];
    let gateway = gateway();
    for first in 0..steps.len() {
        for second in 0..steps.len() {
            for third in 0..steps.len() {
                for seat in ["router", "provider", "provider with a plan"] {
                    let (client, _) = planned(&gateway, r#""model":"gpt-4o","stream":true"#);
                    let mut bare = match seat {
                        "router" => Bare::router(&gateway),
                        "provider" => Bare::provider(&gateway, "openai", None),
                        _ => Bare::provider(&gateway, "openai", Some(&client)),
                    };
                    for step in [first, second, third] {
                        let (way, piece) = steps[step];
                        bare.send(way, piece());
                    }
                    bare.done();
                    bare.delete();
                    client.delete();
                }
            }
        }
    }
}

#[test]
fn a_provider_seat_without_a_plan_sends_nothing_on() {
    let gateway = gateway();
    let plans: [Option<&[u8]>; 5] = [None, Some(b""), Some(b"{}"), Some(b"\xff"), Some(br#"{"candidates":[]}"#)];
    for plan in plans {
        let mut seat = Bare::provider(&gateway, "openai", None);
        if let Some(plan) = plan {
            seat.state("nr.plan", plan);
        }
        let (sent, asked_for) = seat.send(Way::Request, Piece::Headers(request_headers(), false));
        assert_eq!(sent, [], "{plan:?}: a key of a client must not reach a provider");
        assert!(matches!(asked_for.as_slice(), [Effect::LocalReply { status: 500..=599, .. }]), "{plan:?}: {asked_for:?}");
        seat.done();
        seat.delete();
    }
}

#[test]
fn a_provider_seat_that_the_plan_does_not_name_sends_nothing_on() {
    let gateway = gateway();
    let (client, sent) = planned(&gateway, r#""model":"gpt-4o""#);
    for (provider, trail) in [("groq", &b"[]"[..]), ("openai", &b"{"[..]), ("openai", &b"\xff"[..])] {
        client.state("nr.trail", trail);
        let mut seat = Bare::provider(&gateway, provider, Some(&client));
        let (passed, asked_for) = seat.send(Way::Request, sent[0].clone());
        assert_eq!(passed, [], "{provider}");
        assert!(matches!(asked_for.as_slice(), [Effect::LocalReply { .. }]), "{provider}: {asked_for:?}");
    }
}

#[test]
fn an_answer_before_the_whole_request_is_an_answer() {
    let gateway = gateway();
    let (client, sent) = planned(&gateway, r#""model":"gpt-4o","stream":false"#);
    let mut seat = Bare::provider(&gateway, "openai", Some(&client));
    seat.send(Way::Request, sent[0].clone());
    let (held, _) = seat.send(Way::Response, Piece::Headers(response_headers("application/json"), false));
    assert_eq!(held, [], "the headers wait for the whole answer");
    let (passed, asked_for) = seat.send(Way::Response, Piece::Data(completion("early").into_bytes(), true));
    assert_eq!((passed.len(), asked_for), (2, vec![]));
    let Piece::Headers(headers, _) = &passed[0] else { panic!("headers first: {passed:?}") };
    assert_eq!(headers.text(":status"), Some("200"));
}

#[test]
fn calls_on_one_vm_do_not_mix() {
    let gateway = gateway();
    let (one, sent_one) = planned(&gateway, r#""model":"gpt-4o","seed":1"#);
    let (two, sent_two) = planned(&gateway, r#""model":"gpt-4o","seed":2"#);
    let mut first = Bare::provider(&gateway, "openai", Some(&one));
    let mut second = Bare::provider(&gateway, "openai", Some(&two));
    let mut bodies = [Vec::new(), Vec::new()];
    for (a, b) in sent_one.into_iter().zip(sent_two) {
        for (seat, piece, body) in [(&mut second, b, 1), (&mut first, a, 0)] {
            for passed in seat.send(Way::Request, piece).0 {
                if let Piece::Data(bytes, _) = passed {
                    bodies[body].extend(bytes);
                }
            }
        }
    }
    let seeds = bodies.map(|body| serde_json::from_slice::<serde_json::Value>(&body).expect("JSON")["seed"].clone());
    assert_eq!(seeds, [1, 2]);
}
