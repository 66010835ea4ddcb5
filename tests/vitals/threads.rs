//! Many threads at one record: nothing is lost, and one of them has the trial.

use std::sync::Barrier;
use std::thread;

use neural_router::ledger::{Store, Version};
use neural_router::vitals::{Event, Notebook, claim};

use super::store::Memory;
use super::{NOW, failed, first, succeeded, tell, vital};

const THREADS: u64 = 8;

/// Hands the processor on between a read and its swap, so that somebody else is often faster.
struct Contended(Memory);

impl Store for Contended {
    fn read(&self, key: &str) -> (Option<Vec<u8>>, Version) {
        let read = self.0.read(key);
        thread::yield_now();
        read
    }

    fn swap(&self, key: &str, value: &[u8], version: Version) -> bool {
        self.0.swap(key, value, version)
    }
}

/// What each thread comes to, all having begun together.
fn run<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (barrier, work) = (Barrier::new(usize::try_from(THREADS).expect("few")), &work);
    thread::scope(|scope| {
        let start = |thread| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                work(thread)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn nothing_is_lost_when_eight_workers_write_at_once() {
    const CALLS: u64 = 1_000;
    let store = Contended(Memory::default());
    run(|thread| {
        let notebook = Notebook::default();
        for n in 0..CALLS {
            // Two thirds fail, which keeps every one of them from waiting.
            let event = if n % 3 == 0 { succeeded(NOW, NOW + n) } else { failed(NOW, NOW + n) };
            let complete = Event::Complete { class: None, output: 1 + thread, tokens_per_second: Some(5.0), whole_ms: None };
            notebook.note(&store, &first(), &[event, complete], NOW + n);
        }
        notebook.flush(&store, NOW + CALLS);
    });
    let seen = vital(&store.0, NOW + CALLS);
    assert_eq!((seen.attempts, u64::from(seen.tokens_per_second.samples)), (THREADS * CALLS, THREADS * CALLS));
    assert_eq!(seen.success_rate, Some(334.0 / 1_000.0));
    assert!(store.0.lost() > 0, "the threads did meet");
}

#[test]
fn exactly_one_of_eight_workers_gets_each_trial() {
    for round in 0..200 {
        let store = Contended(Memory::default());
        (0..3).for_each(|_| tell(&store.0, failed(NOW, NOW), NOW));
        let at = NOW + 1_000 + round;
        let granted = run(|thread| claim(&store, &first(), 500, at + thread % 2)).into_iter().filter(|granted| *granted).count();
        assert_eq!(granted, 1, "round {round}");
    }
}
