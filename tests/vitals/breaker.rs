//! The state machine, event by event.

use neural_router::vitals::Health::{self, Degraded, Down, Healthy};
use neural_router::vitals::Trial::{self, Claimed, Free, None as Closed};
use neural_router::vitals::{Event, MAX_ADVICE_MS, claim};

use super::store::Memory;
use super::{NOW, failed, first, succeeded, tell, vital};

/// What happens to a deployment, by milliseconds since [`NOW`].
#[derive(Clone, Copy)]
enum Step {
    /// An attempt that began then succeeds now.
    Ok(u64),
    /// The same, and a rate limit is used up for so long.
    LastOne(u64, u64),
    /// An attempt that began then fails now.
    Fail(u64),
    /// The same, and the provider asks to be left alone for so long.
    Wait(u64, u64),
    /// A stream that began then and had its first token then breaks now.
    Broke(u64, u64),
    /// A call claims the trial for a second, and gets it or does not.
    Claim(bool),
    /// The call that claimed it then ends without a word about the provider.
    GiveBack(u64),
    /// Time passes.
    Look,
}
use Step::{Broke, Claim, Fail, GiveBack, LastOne, Look, Ok, Wait};

/// Moment, step, and what is seen just then: health, end of the cool-down, trial.
type Row = (u64, Step, Health, Option<u64>, Trial);

fn play(name: &str, rows: &[Row]) -> Memory {
    let store = Memory::default();
    for (i, (at, step, health, cooling, trial)) in rows.iter().enumerate() {
        let now = NOW + at;
        match *step {
            Ok(began) => tell(&store, succeeded(NOW + began, now), now),
            LastOne(began, wait_ms) => {
                let event = Event::Answered { began_ms: NOW + began, at_ms: now, first_token_ms: None, wait_ms: Some(wait_ms) };
                tell(&store, event, now);
            }
            Fail(began) => tell(&store, failed(NOW + began, now), now),
            Wait(began, wait_ms) => tell(&store, Event::Failed { began_ms: NOW + began, at_ms: now, wait_ms: Some(wait_ms) }, now),
            Broke(began, answered) => {
                tell(&store, Event::Broke { began_ms: NOW + began, answered_ms: NOW + answered, at_ms: now }, now);
            }
            Claim(granted) => assert_eq!(claim(&store, &first(), 1_000, now), granted, "{name}, step {i}"),
            GiveBack(claimed) => tell(&store, Event::Excused { claimed_ms: NOW + claimed }, now),
            Look => {}
        }
        let seen = vital(&store, now);
        let expected = (*health, cooling.map(|ms| NOW + ms), *trial);
        assert_eq!((seen.health, seen.cooling_until_ms, seen.trial), expected, "{name}, step {i} at {at}");
    }
    store
}

#[test]
fn three_failures_in_a_row_open_it_and_a_success_closes_it() {
    play(
        "in a row",
        &[
            (0, Look, Healthy, None, Closed),
            (0, Fail(0), Degraded, None, Closed),
            (10, Fail(0), Degraded, None, Closed),
            (20, Fail(0), Down, Some(1_020), Closed),
            (1_019, Look, Down, Some(1_020), Closed),
            (1_020, Look, Down, None, Free),
            (1_030, Ok(1_020), Healthy, None, Closed),
            (1_040, Fail(1_035), Degraded, None, Closed),
        ],
    );
    play(
        "a success between",
        &[
            (0, Fail(0), Degraded, None, Closed),
            (1, Fail(0), Degraded, None, Closed),
            (2, Ok(0), Healthy, None, Closed),
            (3, Fail(2), Degraded, None, Closed),
            (4, Fail(2), Degraded, None, Closed),
            (5, Fail(2), Down, Some(1_005), Closed),
        ],
    );
}

#[test]
fn each_failed_trial_doubles_the_cool_down_up_to_a_minute() {
    let store = play(
        "three failures",
        &[(0, Fail(0), Degraded, None, Closed), (0, Fail(0), Degraded, None, Closed), (0, Fail(0), Down, Some(1_000), Closed)],
    );
    let mut now = 1_000;
    for expected in [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] {
        assert!(claim(&store, &first(), 1_000, NOW + now));
        tell(&store, failed(NOW + now, NOW + now + 500), NOW + now + 500);
        now += 500;
        assert_eq!(vital(&store, NOW + now).cooling_until_ms, Some(NOW + now + expected));
        now += expected;
    }
    tell(&store, succeeded(NOW + now, NOW + now), NOW + now);
    for _ in 0..3 {
        tell(&store, failed(NOW + now, NOW + now), NOW + now);
    }
    assert_eq!(vital(&store, NOW + now).cooling_until_ms, Some(NOW + now + 1_000), "a success starts it anew");
}

#[test]
fn one_call_at_a_time_has_the_trial() {
    let opened = [
        (0, Fail(0), Degraded, None, Closed),
        (0, Fail(0), Degraded, None, Closed),
        (0, Fail(0), Down, Some(1_000), Closed),
        (999, Claim(false), Down, Some(1_000), Closed),
        (1_000, Claim(true), Down, None, Claimed),
        (1_000, Claim(false), Down, None, Claimed),
        (1_999, Claim(false), Down, None, Claimed),
    ];
    let then = |name: &str, rest: &[Row]| drop(play(name, &[&opened[..], rest].concat()));
    then("its claim ends by itself", &[(2_000, Look, Down, None, Free), (2_000, Claim(true), Down, None, Claimed)]);
    then("it succeeds", &[(1_999, Ok(1_000), Healthy, None, Closed), (1_999, Claim(true), Healthy, None, Closed)]);
    then("it fails", &[(1_999, Fail(1_000), Down, Some(3_999), Closed), (3_999, Claim(true), Down, None, Claimed)]);
    then("it is given back", &[(1_999, GiveBack(1_000), Down, None, Free), (1_999, Claim(true), Down, None, Claimed)]);
    then("another call gives nothing back", &[(1_999, GiveBack(1_001), Down, None, Claimed), (1_999, Claim(false), Down, None, Claimed)]);
}

#[test]
fn what_began_before_a_cool_down_neither_ends_nor_doubles_it() {
    play(
        "stragglers",
        &[
            (100, Fail(0), Degraded, None, Closed),
            (100, Fail(0), Degraded, None, Closed),
            (100, Fail(0), Down, Some(1_100), Closed),
            (200, Fail(0), Down, Some(1_100), Closed),
            (300, Fail(50), Down, Some(1_100), Closed),
            (1_100, Fail(99), Down, None, Free),
            (1_200, Ok(99), Degraded, None, Free),
            (1_300, Fail(1_250), Degraded, Some(3_300), Closed),
        ],
    );
    play(
        "a call that was made all the same",
        &[
            (0, Fail(0), Degraded, None, Closed),
            (0, Fail(0), Degraded, None, Closed),
            (0, Fail(0), Down, Some(1_000), Closed),
            (500, Fail(400), Down, Some(1_000), Closed),
            (700, Ok(600), Healthy, None, Closed),
        ],
    );
}

#[test]
fn a_providers_word_is_kept() {
    play(
        "a refusal with a time",
        &[
            (0, Wait(0, 7_000), Degraded, Some(7_000), Closed),
            (6_999, Claim(false), Degraded, Some(7_000), Closed),
            (7_000, Claim(true), Degraded, None, Claimed),
            (7_100, Fail(7_000), Degraded, Some(9_100), Closed),
        ],
    );
    play(
        "the latest counts",
        &[
            (0, Wait(0, 7_000), Degraded, Some(7_000), Closed),
            (10, Wait(0, 2_000), Degraded, Some(7_000), Closed),
            (20, Wait(0, 9_000), Down, Some(9_020), Closed),
        ],
    );
    play(
        "a limit used up by an answer",
        &[
            (50, LastOne(0, 3_000), Degraded, Some(3_050), Closed),
            (60, Ok(0), Degraded, Some(3_050), Closed),
            (3_049, Look, Degraded, Some(3_050), Closed),
            (3_050, Claim(true), Degraded, None, Claimed),
            (3_100, Ok(3_050), Healthy, None, Closed),
        ],
    );
    play("nobody is left alone for longer than an hour", &[(0, Wait(0, 10 * MAX_ADVICE_MS), Degraded, Some(MAX_ADVICE_MS), Closed)]);
    play(
        "a trial that is refused waits for the longer of both",
        &[
            (0, Wait(0, 10), Degraded, Some(10), Closed),
            (20, Wait(15, 30_000), Degraded, Some(30_020), Closed),
            (30_100, Wait(30_050, 10), Down, Some(34_100), Closed),
        ],
    );
    play(
        "an answer of a call that knew of it ends it, of one that could not does not",
        &[
            (0, Wait(0, 60_000), Degraded, Some(60_000), Closed),
            (150, Ok(99), Degraded, Some(60_000), Closed),
            (200, Ok(100), Healthy, None, Closed),
        ],
    );
}

#[test]
fn less_than_half_of_ten_attempts_in_a_minute_open_it() {
    // Never three failures in a row. Only a failure opens it.
    for (attempts, opens) in [
        ("ffsffsffs", false),
        ("ffsffsffsf", true),
        ("ffsffsfsfs", false),
        ("sffsffsfsf", true),
        ("fsfsfsfsfs", false),
        ("sfsfsfsfsf", false),
        ("fsfsfsfsfsf", true),
        ("ssfsfsfsfsfsf", false),
    ] {
        let store = Memory::default();
        for (event, at) in attempts.bytes().zip(NOW..) {
            tell(&store, if event == b's' { succeeded(NOW, at) } else { failed(NOW, at) }, at);
        }
        let seen = vital(&store, NOW + 100);
        assert_eq!((seen.attempts, seen.cooling_until_ms.is_some()), (attempts.len() as u64, opens), "{attempts}");
    }
}

#[test]
fn a_bad_minute_is_over_when_it_is_a_minute_ago_or_a_trial_succeeds() {
    let bad = || {
        let store = Memory::default();
        for n in 0..5 {
            for event in [failed(NOW, NOW + n), failed(NOW, NOW + n), succeeded(NOW, NOW + n)] {
                tell(&store, event, NOW + n);
            }
        }
        store
    };
    let store = bad();
    let seen = vital(&store, NOW + 100);
    assert_eq!((seen.health, seen.success_rate, seen.attempts), (Degraded, Some(5.0 / 15.0), 15));
    assert!(seen.cooling_until_ms.is_some());
    let seen = vital(&store, NOW + 59_999);
    assert_eq!((seen.attempts, seen.trial), (15, Free));
    let seen = vital(&store, NOW + 60_000);
    assert_eq!((seen.success_rate, seen.attempts, seen.trial), (None, 0, Free), "time alone does not prove anything");
    let store = bad();
    tell(&store, succeeded(NOW + 2_000, NOW + 2_100), NOW + 2_100);
    let seen = vital(&store, NOW + 2_100);
    assert_eq!((seen.health, seen.success_rate, seen.attempts), (Healthy, Some(1.0), 1));
}

#[test]
fn a_stream_that_breaks_off_was_no_success() {
    let store = play("one", &[(100, Ok(0), Healthy, None, Closed), (7_000, Broke(0, 100), Degraded, None, Closed)]);
    assert_eq!(vital(&store, NOW + 7_000).success_rate, Some(0.0));
    let mut rows: Vec<Row> = Vec::new();
    for n in 0..10 {
        let opens = n == 9;
        rows.push((n * 100, Ok(n * 100), if opens { Degraded } else { Healthy }, None, Closed));
        rows.push((n * 100 + 50, Broke(n * 100, n * 100), Degraded, opens.then_some(n * 100 + 1_050), Closed));
    }
    play("every one of ten", &rows);
}

#[test]
fn a_success_noted_late_does_not_hide_the_failures_after_it() {
    let store = Memory::default();
    for at in [50, 60] {
        tell(&store, failed(NOW, NOW + at), NOW + at);
    }
    tell(&store, succeeded(NOW, NOW + 40), NOW + 90);
    tell(&store, failed(NOW, NOW + 95), NOW + 95);
    assert_eq!(vital(&store, NOW + 95).health, Down);
}
