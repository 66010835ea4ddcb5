//! What a worker writes at once, and what it may keep for a while.

use neural_router::vitals::{Event, Notebook};

use super::store::Memory;
use super::{NOW, failed, first, succeeded, tell, vital};

const COMPLETE: Event = Event::Complete { class: None, output: 9, tokens_per_second: Some(10.0), whole_ms: None };

/// A worker that has just seen a deployment at rest, and told of a complete answer.
fn settled(store: &Memory) -> Notebook {
    let notebook = Notebook::default();
    assert!(!notebook.note(store, &first(), &[succeeded(NOW, NOW), COMPLETE], NOW).waits, "the first observation does not wait");
    assert_eq!(vital(store, NOW).attempts, 1);
    store.taken();
    notebook
}

#[test]
fn figures_wait_for_a_hundred_milliseconds_and_then_go_together() {
    let store = Memory::default();
    let notebook = settled(&store);
    let mut asked = Vec::new();
    for at in 1..100 {
        asked.push(notebook.note(&store, &first(), &[succeeded(NOW, NOW + at)], NOW + at).waits);
        asked.push(notebook.note(&store, &first(), &[COMPLETE], NOW + at).waits);
    }
    assert_eq!(store.taken(), (0, 0), "nothing is read nor written");
    assert!(asked[0] && asked[1..].iter().all(|again| !again), "and it asks once to be called");
    assert!(!notebook.note(&store, &first(), &[succeeded(NOW, NOW + 100)], NOW + 100).waits);
    assert_eq!(store.taken(), (1, 1));
    let seen = vital(&store, NOW + 100);
    assert_eq!((seen.attempts, seen.tokens_per_second.samples), (101, 100));
}

#[test]
fn the_tick_writes_what_waits() {
    let store = Memory::default();
    let notebook = settled(&store);
    assert!(notebook.note(&store, &first(), &[succeeded(NOW, NOW + 1)], NOW + 1).waits);
    notebook.flush(&store, NOW + 101);
    assert_eq!(vital(&store, NOW + 101).attempts, 2);
    store.taken();
    notebook.flush(&store, NOW + 102);
    assert_eq!(store.taken(), (0, 0));
    assert!(notebook.note(&store, &first(), &[succeeded(NOW, NOW + 103)], NOW + 103).waits, "it asks again");
}

#[test]
fn what_changes_the_state_does_not_wait() {
    let used_up = Event::Answered { began_ms: NOW, at_ms: NOW + 1, first_token_ms: None, wait_ms: Some(500) };
    let broke = Event::Broke { began_ms: NOW, answered_ms: NOW, at_ms: NOW + 1 };
    for (name, event) in [("failure", failed(NOW, NOW + 1)), ("limit", used_up), ("break", broke)] {
        let store = Memory::default();
        let notebook = settled(&store);
        notebook.note(&store, &first(), &[event], NOW + 1);
        assert_eq!(store.taken(), (1, 1), "{name}");
        notebook.note(&store, &first(), &[succeeded(NOW + 2, NOW + 2)], NOW + 2);
        assert_eq!(store.taken(), (1, 1), "{name}: the success after it");
    }
}

#[test]
fn a_trials_success_is_written_at_once_by_a_worker_that_knew_nothing_of_the_cool_down() {
    let store = Memory::default();
    let notebook = settled(&store);
    // Another worker.
    (0..3).for_each(|_| tell(&store, failed(NOW, NOW + 10), NOW + 10));
    assert!(neural_router::vitals::claim(&store, &first(), 500, NOW + 1_010));
    notebook.note(&store, &first(), &[succeeded(NOW + 1_010, NOW + 1_020)], NOW + 1_020);
    let seen = vital(&store, NOW + 1_020);
    assert_eq!((seen.health, seen.trial), Default::default());
}

#[test]
fn what_says_nothing_writes_nothing() {
    let store = Memory::default();
    Notebook::default().note(&store, &first(), &[Event::Excused { claimed_ms: NOW }], NOW);
    assert!(store.is_empty());
}

#[test]
fn no_worker_keeps_more_than_a_few_hundred_observations() {
    let store = Memory::default();
    let notebook = settled(&store);
    for _ in 0..1_000 {
        notebook.note(&store, &first(), &[COMPLETE], NOW + 1);
    }
    let written = u64::from(vital(&store, NOW + 1).tokens_per_second.samples);
    assert!((1_001 - 256..=1_001).contains(&written), "{written}");
}

#[test]
fn the_attempt_that_opens_a_cool_down_is_told_and_no_other() {
    let store = Memory::default();
    let (one, other) = (settled(&store), Notebook::default());
    let cools = |notebook: &Notebook, at: u64| notebook.note(&store, &first(), &[failed(NOW + at, NOW + at)], NOW + at).cools_down;
    let told = [cools(&one, 1), cools(&other, 2), cools(&one, 3), cools(&other, 4), cools(&one, 5)];
    assert_eq!(told, [false, false, true, false, false], "the third failure in a row opens it");
    assert!(cools(&other, 1_500), "the trial failed: it opens again");
}
