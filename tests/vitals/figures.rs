//! What is told of speed and length, and how it is blended with what the catalogue expects.

use neural_router::config::TaskClass;
use neural_router::config::catalog::Latency;
use neural_router::vitals::{CLASSES, Cache, Event, Mean, Snapshot, Vital, key};

use super::store::Memory;
use super::{NOW, config, first, succeeded, tell, vital};

const SEED: Latency = Latency { first_token_ms: 400.0, tokens_per_second: 100.0 };

fn streamed(first_token_ms: f64) -> Event {
    Event::Answered { began_ms: NOW, at_ms: NOW, first_token_ms: Some(first_token_ms), wait_ms: None }
}

fn complete(class: Option<TaskClass>, output: u64, tokens_per_second: Option<f64>, whole_ms: Option<f64>) -> Event {
    Event::Complete { class, output, tokens_per_second, whole_ms }
}

#[test]
fn nothing_is_known_until_it_was_seen() {
    let fresh = vital(&Memory::default(), NOW);
    assert_eq!(fresh, Vital::default());
    assert_eq!((fresh.first_token.known(), fresh.first_token_p95_ms, fresh.tokens_per_second.known()), (None, None, None));
    let latency = fresh.latency(SEED);
    assert_eq!((latency.first_token_ms, latency.first_token_p95_ms, latency.tokens_per_second), (400.0, 800.0, 100.0));
    assert_eq!(fresh.expected_output(TaskClass::Code, 500.0), 500.0);
}

#[test]
fn streams_tell_both_figures_and_weigh_more_the_more_there_are() {
    let store = Memory::default();
    for _ in 0..5 {
        tell(&store, streamed(200.0), NOW);
        tell(&store, complete(None, 90, Some(50.0), None), NOW);
    }
    let seen = vital(&store, NOW);
    assert_eq!((seen.first_token, seen.tokens_per_second), (Mean { value: 200.0, samples: 5 }, Mean { value: 50.0, samples: 5 }));
    let p95 = seen.first_token_p95_ms.expect("known");
    assert!((p95 / 200.0 - 1.0).abs() <= 0.0911, "{p95}");
    let latency = seen.latency(SEED);
    // Five figures: half and half.
    assert_eq!((latency.first_token_ms, latency.tokens_per_second), (300.0, 75.0));
    assert_eq!(latency.first_token_p95_ms, 800.0 + 0.5 * (p95 - 800.0));
}

#[test]
fn whole_answers_scale_what_is_expected_and_claim_no_first_token() {
    // Expected of 100 tokens: 400 ms + 1 s. They take twice as long; after twenty, 80 % of that is believed.
    let store = Memory::default();
    for _ in 0..20 {
        tell(&store, complete(Some(TaskClass::Qa), 100, None, Some(2_800.0)), NOW);
    }
    let seen = vital(&store, NOW);
    assert_eq!((seen.first_token.known(), seen.first_token_p95_ms, seen.tokens_per_second.known()), (None, None, None));
    let latency = seen.latency(SEED);
    for (told, expected) in
        [(latency.first_token_ms, 720.0), (latency.first_token_p95_ms, 1_440.0), (latency.tokens_per_second, 100.0 / 1.8)]
    {
        assert!((told / expected - 1.0).abs() < 1e-6, "{told} {expected}");
    }
}

#[test]
fn no_expectation_is_turned_over_by_an_absurd_answer() {
    for (whole_ms, slowest) in [(0.0, 400.0), (1e9, 400.0 * 20.0)] {
        let store = Memory::default();
        (0..1_000).for_each(|_| tell(&store, complete(None, 10, None, Some(whole_ms)), NOW));
        let latency = vital(&store, NOW).latency(SEED);
        assert!(latency.first_token_ms > 0.0 && latency.first_token_ms <= slowest, "{latency:?}");
        assert!(latency.tokens_per_second.is_finite() && latency.tokens_per_second > 0.0, "{latency:?}");
    }
}

#[test]
fn lengths_are_learned_by_class() {
    let store = Memory::default();
    for class in TaskClass::ALL {
        for _ in 0..=*class as u64 {
            tell(&store, complete(Some(*class), 100 * (*class as u64 + 1), None, None), NOW);
        }
    }
    tell(&store, complete(None, 1_000_000, None, None), NOW);
    let seen = vital(&store, NOW);
    assert_eq!(CLASSES, 11);
    for class in TaskClass::ALL {
        let n = *class as u16 + 1;
        let mean = seen.output_tokens[*class as usize];
        assert_eq!(mean, Mean { value: 100.0 * f32::from(n), samples: n.into() }, "{class}");
        let (n, own) = (f64::from(n), 100.0 * f64::from(n));
        let expected = 500.0 + n / (n + 5.0) * (own - 500.0);
        assert!((seen.expected_output(*class, 500.0) - expected).abs() < 1e-9, "{class}");
    }
}

#[test]
fn a_snapshot_has_every_deployment_at_its_position() {
    let (store, config) = (Memory::default(), config());
    let positions: Vec<usize> = config.catalog.deployments().map(|deployment| deployment.position).collect();
    assert_eq!(positions, [0, 1, 2]);
    let cache = Cache::of(&config.catalog);
    let keys: Vec<&str> = config.catalog.deployments().map(|deployment| cache.key(deployment)).collect();
    assert_eq!(keys, [&first(), &key("two", "b"), &key("one", "c")]);
    tell(&store, succeeded(NOW, NOW), NOW);
    let snapshot = Snapshot::read(&store, &config.catalog, NOW);
    let attempts: Vec<u64> = config.catalog.deployments().map(|deployment| snapshot.of(deployment).attempts).collect();
    assert_eq!(attempts, [1, 0, 0]);
    let unknown = Snapshot::default();
    assert!(config.catalog.deployments().all(|deployment| *unknown.of(deployment) == Vital::default()));
}

#[test]
fn a_worker_reads_all_records_at_most_every_hundred_milliseconds() {
    let (store, config) = (Memory::default(), config());
    let cache = Cache::of(&config.catalog);
    for (at_us, reads) in [(0, 3), (1, 0), (99_999, 0), (100_000, 3), (150_000, 0), (200_000, 3), (10_000_000, 3)] {
        let snapshot = cache.get(&store, NOW * 1_000_000 + at_us * 1_000);
        assert_eq!((snapshot.0.len(), store.taken()), (3, (reads, 0)), "{at_us}");
    }
    cache.forget();
    cache.get(&store, NOW * 1_000_000 + 10_000_001_000);
    assert_eq!(store.taken(), (3, 0), "forgotten");
}

#[test]
fn garbage_in_shared_data_is_a_deployment_that_starts_anew() {
    for garbage in [&b""[..], b"nr", &[0xff; 4], &[0; 64], &[0xff; 656], &[0; 5_000]] {
        let store = Memory::default();
        store.put(&first(), garbage);
        assert_eq!(vital(&store, NOW), Vital::default());
        tell(&store, succeeded(NOW, NOW), NOW);
        assert_eq!(vital(&store, NOW).attempts, 1);
    }
}
