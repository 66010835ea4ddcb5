//! Limits of a fleet: several Envoys against a service in memory, of both kinds, through races, losses, outages,
//! restarts and the ends of windows.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "leases/service.rs"]
mod service;
#[expect(dead_code, reason = "the ledger's tests use the rest")]
#[path = "ledger/store.rs"]
mod store;
#[path = "leases/world.rs"]
mod world;

use std::num::NonZeroU64;
use std::rc::Rc;

use neural_router::config::catalog::Endpoint;
use neural_router::config::policy::{Budget, Limits, NanoUsd, Period, RequestRate};
use neural_router::config::sharing::Sharing;
use neural_router::ledger::{Ask, Terms, Usage};
use service::{Like, Service};
use world::{Call, Envoy, Network, State, World};

/// 2023-11-14T22:13:20Z: 40 seconds before the next minute.
const NOW: u64 = 1_700_000_000 * 1_000_000_000;
const ENVOYS: usize = 3;
const WORKERS: usize = 2;
const BOTH: [Like; 2] = [Like::Limitador, Like::Envoyproxy];
const SHARE: f64 = 0.02;
const CENT: u64 = 10_000_000;

fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn number(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).expect("above 0")
}

fn sharing(deny: bool) -> Sharing {
    let endpoint = Endpoint::parse("http://127.0.0.1:8081").expect("a URL");
    Sharing { endpoint, domain: "d".to_owned(), timeout_ms: 250, deny, share: SHARE }
}

fn requests(per_minute: u64) -> Terms {
    let rate = RequestRate { per_minute: number(per_minute), burst: number(per_minute) };
    Terms { limits: Limits { requests: Some(rate), tokens_per_minute: None }, ..Terms::default() }
}

fn tokens(per_minute: u64) -> Terms {
    Terms { limits: Limits { requests: None, tokens_per_minute: Some(number(per_minute)) }, ..Terms::default() }
}

fn budget(cents: u64, period: Period) -> Terms {
    Terms { budget: Some(Budget { cap: NanoUsd(cents * CENT), period }), ..Terms::default() }
}

fn world(like: Like, hits: u64, terms: &Terms, deny: bool) -> World {
    let envoys = (0..ENVOYS).map(|_| Envoy::new(WORKERS, terms, &sharing(deny))).collect();
    World { now: NOW, service: Service::new(like, hits), envoys, random: 88_172_645_463_325_252 }
}

/// So many calls, spread by chance over Envoys, workers and time; those still waiting at the end are given time.
fn calls(world: &mut World, count: usize, ask: Ask) -> Vec<(usize, Rc<Call>)> {
    let mut calls = Vec::new();
    for _ in 0..count {
        let random = xorshift(&mut world.random);
        let envoy = (random % ENVOYS as u64) as usize;
        calls.push((envoy, world.call(envoy, (random >> 32) as usize % WORKERS, ask)));
        if random >> 60 > 11 {
            world.step();
        }
    }
    world.run(500);
    calls
}

fn admitted(calls: &[(usize, Rc<Call>)]) -> u64 {
    calls.iter().filter(|(_, call)| call.state.get() == State::Admitted).count() as u64
}

fn one() -> Ask {
    Ask { tokens: 10, cost: NanoUsd(CENT) }
}

fn real(tokens: u64, cents: u64) -> Usage {
    Usage { tokens, cost: NanoUsd(cents * CENT) }
}

#[test]
fn no_more_calls_are_admitted_than_the_fleet_may_make_and_none_is_kept_back_but_in_leases() {
    for like in BOTH {
        for limit in [1, 7, 100, 3_000] {
            let mut world = world(like, limit, &requests(limit), false);
            let calls = calls(&mut world, 2 * limit as usize + 20, one());
            let lease = (limit as f64 * SHARE) as u64;
            let least = limit.saturating_sub(lease.max(1) * ENVOYS as u64);
            let admitted = admitted(&calls);
            assert!(admitted <= limit && admitted >= least, "{like:?} {limit}: {admitted}");
            if like == Like::Limitador {
                // However little is left when a lease is refused, it is found.
                assert_eq!(world.service.counted("requests"), limit, "{limit}");
            }
            assert!(calls.iter().all(|(_, call)| matches!(call.state.get(), State::Admitted | State::Refused)), "{like:?} {limit}");
        }
    }
}

#[test]
fn the_service_is_asked_about_once_for_a_lease() {
    for like in BOTH {
        let mut world = world(like, 10_000, &requests(10_000), false);
        let calls = calls(&mut world, 5_000, one());
        assert_eq!(admitted(&calls), 5_000);
        assert!(world.service.asked <= 5_000 / 200 + 3 * ENVOYS, "{like:?}: {}", world.service.asked);
    }
}

#[test]
fn a_new_minute_is_a_new_limit_and_the_old_one_is_not_carried_over() {
    for like in BOTH {
        let mut world = world(like, 100, &requests(100), false);
        let first = calls(&mut world, 400, one());
        world.run(40_000);
        let second = calls(&mut world, 400, one());
        for calls in [first, second] {
            assert!((94..=100).contains(&admitted(&calls)), "{like:?}: {}", admitted(&calls));
        }
        assert_eq!(world.service.counters.len(), 2, "{:?}", world.service.counters);
    }
}

#[test]
fn a_refused_call_is_told_to_come_back_with_the_next_minute() {
    let mut world = world(Like::Limitador, 1, &requests(1), false);
    let calls = calls(&mut world, 10, one());
    assert_eq!(admitted(&calls), 1);
    let asked = world.service.asked;
    let call = world.call(0, 0, one());
    world.run(2_000);
    assert_eq!((call.state.get(), world.service.asked), (State::Refused, asked), "what is known to be refused is not asked for");
}

#[test]
fn tokens_are_held_to_what_calls_really_used() {
    for like in BOTH {
        // Ten are set aside, five used: what the others leave is used by more calls.
        let mut world = world(like, 10_000, &tokens(10_000), false);
        let (mut used, mut rounds) = (0, 0);
        while rounds < 40 {
            let calls = calls(&mut world, 50, one());
            for (envoy, call) in calls.iter().filter(|(_, call)| call.state.get() == State::Admitted) {
                world.settle(*envoy, call, real(5, 0));
                used += 5;
            }
            rounds += 1;
        }
        let held = ENVOYS as u64 * (200 + 50 * 10);
        assert!(used <= 10_000 && used >= 10_000 - held, "{like:?}: {used}");
        assert!(world.service.counted("tokens") >= used);
    }
}

#[test]
fn a_call_of_more_tokens_than_a_minute_has_may_have_the_minute_for_itself() {
    for like in BOTH {
        let large = Ask { tokens: 25_000, cost: NanoUsd(0) };
        let mut alone = world(like, 10_000, &tokens(10_000), false);
        assert_eq!(admitted(&calls(&mut alone, 1, large)), 1, "{like:?}: nothing else is counted");
        assert_eq!(admitted(&calls(&mut alone, 3, large)), 0, "{like:?}: now something is");
        let mut shared = world(like, 10_000, &tokens(10_000), false);
        assert_eq!(admitted(&calls(&mut shared, 1, one())), 1, "{like:?}");
        assert_eq!(admitted(&calls(&mut shared, 3, Ask { tokens: 25_000, cost: NanoUsd(0) })), 0, "{like:?}: another Envoy's call counts");
    }
}

#[test]
fn what_calls_use_beyond_their_estimates_is_told_the_service_even_if_no_other_call_comes() {
    for like in BOTH {
        let mut world = world(like, 100_000, &tokens(100_000), false);
        let calls = calls(&mut world, 300, one());
        assert_eq!(admitted(&calls), 300);
        let mut used = 0;
        for (envoy, call) in &calls {
            world.settle(*envoy, call, real(100, 0));
            used += 100;
        }
        assert!(world.service.counted("tokens") < used);
        world.run(3_000);
        assert!(world.service.counted("tokens") >= used, "{like:?}: {} of {used}", world.service.counted("tokens"));
    }
}

#[test]
fn money_that_was_spent_stays_spent_when_every_envoy_is_restarted() {
    for like in BOTH {
        let terms = budget(100, Period::Total);
        let mut world = world(like, 10_000, &terms, false);
        let mut spent = 0;
        for _ in 0..4 {
            for (envoy, call) in calls(&mut world, 30, one()) {
                if call.state.get() == State::Admitted {
                    world.settle(envoy, &call, real(10, 1));
                    spent += 1;
                }
            }
            world.run(1_000);
            assert!(world.service.counted("budget") >= spent * 100, "what is spent is counted");
            world.envoys = (0..ENVOYS).map(|_| Envoy::new(WORKERS, &terms, &sharing(false))).collect();
        }
        assert!(spent <= 100, "{like:?}: {spent}");
        assert!(spent >= 60, "{like:?}: {spent}");
    }
}

#[test]
fn while_the_service_is_away_each_envoy_goes_on_alone_and_tells_afterwards_once() {
    for like in BOTH {
        for network in [Network::Refused, Network::LostThere, Network::LostBack] {
            let mut world = world(like, 100_000, &requests(100_000), false);
            world.envoys.iter_mut().for_each(|envoy| envoy.network = network);
            let calls = calls(&mut world, 9_000, one());
            world.run(300);
            assert_eq!(admitted(&calls), 9_000, "{like:?} {network:?}");
            let lost = world.service.counted("requests");
            world.envoys.iter_mut().for_each(|envoy| envoy.network = Network::Whole);
            world.run(8_000);
            let told = world.service.counted("requests") - lost;
            // A hit more for each probe and a lease more that is free; what was lost on its way back is not told twice.
            let spare = ENVOYS as u64 * (2_000 + 10);
            assert!(told + lost >= 9_000 && told <= 9_000 + spare, "{like:?} {network:?}: {told} after {lost}");
        }
    }
}

#[test]
fn where_the_operator_wants_no_call_without_the_service_there_is_none() {
    let mut world = world(Like::Limitador, 1_000, &requests(1_000), true);
    world.envoys.iter_mut().for_each(|envoy| envoy.network = Network::LostThere);
    let calls = calls(&mut world, 300, one());
    assert!(calls.iter().all(|(_, call)| call.state.get() == State::Unavailable));
    world.envoys.iter_mut().for_each(|envoy| envoy.network = Network::Whole);
    world.run(8_000);
    let call = world.call(0, 0, one());
    world.run(20);
    assert_eq!(call.state.get(), State::Admitted, "it is asked again when it is back");
}

#[test]
fn an_envoy_that_is_cut_off_takes_nothing_from_the_others() {
    let mut world = world(Like::Limitador, 300, &requests(300), true);
    world.envoys[0].network = Network::LostThere;
    let calls = calls(&mut world, 1_500, one());
    let of = |cut: bool| calls.iter().filter(|(envoy, call)| (*envoy == 0) == cut && call.state.get() == State::Admitted).count();
    assert_eq!(of(true), 0);
    assert!((288..=300).contains(&of(false)), "{}", of(false));
}

#[test]
fn a_client_that_leaves_while_it_waits_takes_no_lease_with_it() {
    let mut world = world(Like::Limitador, 1_000, &requests(1_000), false);
    for _ in 0..200 {
        let call = world.call(0, 0, one());
        if call.state.get() == State::Waiting {
            call.state.set(State::Left);
        } else {
            call.booking.borrow().close(&world.envoys[0].store, &real(0, 0), world.now, true);
        }
        world.step();
    }
    assert!(world.service.counted("requests") <= 20, "{}", world.service.counted("requests"));
}

#[test]
fn a_call_that_no_provider_answered_is_given_back() {
    let mut world = world(Like::Limitador, 50, &requests(50), false);
    let mut admitted = 0;
    for _ in 0..500 {
        let call = world.call(0, 1, one());
        world.run(10);
        assert_eq!(call.state.get(), State::Admitted);
        call.booking.borrow().close(&world.envoys[0].store, &real(0, 0), world.now, true);
        admitted += 1;
    }
    assert_eq!(admitted, 500);
}
