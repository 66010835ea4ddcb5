//! Calls that wait until a service for the fleet has granted what they need.

use serde_json::json;

use super::fixture::{body, document, gateway};
use super::host::{
    Bare, Effect, Gateway, Headers, KEY, Piece, Way, asked, effects, metrics, pass_ms, reach_services, service_answers, tick,
};

const GRANTED: &[u8] = b"\x08\x01";
const REFUSED: &[u8] = b"\x08\x02";
const DEADLINE_EXCEEDED: u32 = 4;

fn fleet(on_unavailable: &str) -> Gateway {
    fleet_of(document(), on_unavailable)
}

fn fleet_of(mut document: serde_json::Value, on_unavailable: &str) -> Gateway {
    let service = json!({"address": "127.0.0.1", "port": 8081});
    document["limits"] = json!({"scope": "fleet", "service": service, "on_unavailable": on_unavailable});
    document["workspaces"][0]["limits"] = json!({"requests_per_minute": 100});
    reach_services(true);
    Gateway::start(&document)
}

/// A call whose whole request has arrived, and what has gone on of it.
fn arrived(gateway: &Gateway) -> (Bare, Vec<Piece>, Vec<Effect>) {
    let mut seat = Bare::router(gateway);
    let headers = [(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", &format!("Bearer {KEY}"))];
    seat.send(Way::Request, Piece::Headers(Headers::of(&headers), false));
    let (sent, asked_for) = seat.send(Way::Request, Piece::Data(body(r#""model":"gpt-4o""#).into_bytes(), true));
    (seat, sent, asked_for)
}

fn end(seat: Bare) {
    seat.log();
    seat.done();
    seat.delete();
}

/// The status of the only effect, and a member of its error.
fn refusal(effects: &[Effect]) -> (u32, String) {
    let [Effect::LocalReply { status, body, .. }] = effects else { panic!("not one reply: {effects:?}") };
    let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    (*status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_call_that_has_waited_goes_on_as_it_would_have_without() {
    let (seat, at_once, _) = arrived(&gateway());
    end(seat);
    let gateway = fleet("local");
    let (mut seat, sent, asked_for) = arrived(&gateway);
    assert_eq!((sent, asked_for), (Vec::new(), Vec::new()), "it waits");
    tick();
    let messages = asked();
    assert_eq!(messages.len(), 1);
    let text = String::from_utf8_lossy(&messages[0]).into_owned();
    assert!(text.contains("nr_scope\u{12}\u{4}acme") && text.ends_with("\u{18}\u{2}"), "a lease of two calls: {text:?}");
    service_answers(1, Ok(GRANTED));
    assert_eq!(effects(), [Effect::Resume]);
    assert_eq!(seat.resume(Way::Request), at_once);
    end(seat);
}

#[test]
fn a_call_that_the_service_refuses_is_refused_and_the_next_one_without_asking() {
    let gateway = fleet("local");
    let (seat, ..) = arrived(&gateway);
    tick();
    service_answers(1, Ok(REFUSED));
    assert_eq!(effects(), [], "a lease of two was too much, one is asked for");
    service_answers(2, Ok(REFUSED));
    assert_eq!(refusal(&effects()), (429, "requests_per_minute_exceeded".to_owned()));
    end(seat);
    let (seat, _, asked_for) = arrived(&gateway);
    assert_eq!((refusal(&asked_for).0, asked().len()), (429, 2));
    end(seat);
}

#[test]
fn a_client_that_leaves_while_its_call_waits_leaves_the_lease_to_the_next() {
    let gateway = fleet("local");
    let (seat, ..) = arrived(&gateway);
    tick();
    end(seat);
    service_answers(1, Ok(GRANTED));
    assert_eq!(effects(), []);
    let (seat, sent, _) = arrived(&gateway);
    assert!(!sent.is_empty(), "it goes on at once");
    end(seat);
}

#[test]
fn without_an_answer_the_operator_says_what_becomes_of_calls() {
    for (on_unavailable, reachable) in [("local", true), ("local", false), ("deny", true), ("deny", false)] {
        let gateway = fleet(on_unavailable);
        super::host::forget_shared_data();
        reach_services(reachable);
        let before = u32::try_from(asked().len()).expect("few");
        let (mut seat, sent, _) = arrived(&gateway);
        assert_eq!(sent, [], "it waits");
        tick();
        if reachable {
            service_answers(before + 1, Err(DEADLINE_EXCEEDED));
        } else {
            // That it could not be sent is noticed at the next look.
            tick();
        }
        let effects = effects();
        if on_unavailable == "local" {
            assert_eq!(effects, [Effect::Resume], "{reachable}");
            assert!(!seat.resume(Way::Request).is_empty());
        } else {
            assert_eq!(refusal(&effects), (503, "limits_unavailable".to_owned()), "{reachable}");
        }
        end(seat);
    }
}

#[test]
fn the_fleet_is_measured_unless_nothing_is() {
    for enabled in [true, false] {
        let mut document = document();
        document["telemetry"] = json!({"metrics": {"enabled": enabled}});
        let before = metrics();
        let gateway = fleet_of(document, "local");
        let (seat, ..) = arrived(&gateway);
        tick();
        service_answers(u32::try_from(asked().len()).expect("few"), Ok(GRANTED));
        assert_eq!(effects(), [Effect::Resume]);
        end(seat);
        let granted = "nr_fleet_requests_total.result=granted;";
        let told = |name: &str| metrics().get(name).copied().unwrap_or_default() - before.get(name).copied().unwrap_or_default();
        assert_eq!((told(granted), told("nr_fleet_available")), if enabled { (1, 1) } else { (0, 0) });
        if !enabled {
            assert_eq!(metrics(), before);
        }
        super::host::forget_shared_data();
    }
}

#[test]
fn the_gauge_of_what_is_left_knows_what_the_service_has_said() {
    let gateway = fleet("local");
    let left = || {
        pass_ms(5_000);
        tick();
        metrics().get("nr_limit_remaining.workspace=acme;.limit=requests;").copied()
    };
    assert_eq!(left(), Some(100), "nothing was asked, so this Envoy's own count is all that is known");
    let (seat, ..) = arrived(&gateway);
    tick();
    service_answers(1, Ok(REFUSED));
    service_answers(2, Ok(REFUSED));
    assert_eq!(refusal(&effects()).0, 429);
    end(seat);
    assert_eq!(left(), Some(0), "the others have used it up");
    pass_ms(60_000);
    assert_eq!(left(), Some(100), "another minute");
}
