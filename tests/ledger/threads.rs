//! Many threads at one record: nothing is admitted beyond the limits, nothing is lost, and nothing
//! stays reserved.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use neural_router::config::policy::Period;
use neural_router::ledger::account::Account;
use neural_router::ledger::{Refusal, Store, Version, admit, release, settle, standing};

use crate::store::Memory;
use crate::{LEASE_S, NOW, SECOND, ask, budget, requests, tokens, usage, xorshift};

const KEY: &str = "nr.ledger.acme";
const THREADS: u64 = 8;
const CALLS: u64 = 20_000;

/// After so many calls the threads wait for each other, so that none falls behind in the time of a
/// test by more than workers ever do.
const ROUND: usize = 50;

/// Lets somebody be faster than every sixteenth change, whatever the machine does: hands the
/// processor on between its read and its swap, and writes the value once more.
struct Contended(Memory);

impl Store for Contended {
    fn read(&self, key: &str) -> (Option<Vec<u8>>, Version) {
        let (value, version) = self.0.read(key);
        if let Some(value) = value.as_deref().filter(|_| version.0 % 16 == 1) {
            thread::yield_now();
            self.0.swap(key, value, version);
        }
        (value, version)
    }

    fn swap(&self, key: &str, value: &[u8], version: Version) -> bool {
        self.0.swap(key, value, version)
    }
}

/// All calls, shared out between threads: `call` gets its number and a random one, and must not
/// panic, since others would wait for it. Returns what the threads have collected.
fn run<T: Send>(threads: u64, call: impl Fn(u64, u64) -> Option<T> + Sync) -> Vec<T> {
    let threads = usize::try_from(threads).expect("few");
    let barrier = Barrier::new(threads);
    let work = |thread: u64| {
        let (mut random, mut collected) = (0x9e37_79b9_7f4a_7c15 ^ (thread + 1) << 17, Vec::new());
        for (n, number) in (thread..CALLS).step_by(threads).enumerate() {
            if n % ROUND == 0 {
                barrier.wait();
            }
            collected.extend(call(number, xorshift(&mut random)));
        }
        collected
    };
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..threads as u64).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn at_one_moment_exactly_the_burst_is_admitted_by_any_number_of_threads() {
    for threads in [1, 2, THREADS] {
        let (store, mut terms) = (Contended(Memory::default()), requests(600, 5000));
        terms.limits.tokens_per_minute = tokens(1_000_000_000).limits.tokens_per_minute;
        terms.budget = budget(1_000_000_000, Period::Month).budget;
        let admitted = run(threads, |_, random| {
            let (hold, _) = admit(&store, KEY, &terms, &ask(100, 50), NOW).ok()?;
            // A tenth of the clients leaves early.
            let (tokens, nano) = if random % 10 == 0 { (10, 5) } else { (100, 50) };
            settle(&store, KEY, &hold, &usage(tokens, nano), NOW);
            Some((tokens, nano))
        });
        assert_eq!(admitted.len(), 5000, "{threads} threads");
        let after = standing(&store, KEY, &terms, NOW);
        let (tokens, nano) = admitted.iter().fold((0, 0), |(tokens, nano), (t, n)| (tokens + t, nano + n));
        assert_eq!(after.tokens.map(|gauge| (gauge.used, gauge.reserved)), Some((tokens, 0)), "{threads} threads");
        assert_eq!(after.budget.map(|budget| (budget.spent.0, budget.reserved.0)), Some((nano, 0)), "{threads} threads");
        assert_eq!(after.requests.map(|gauge| gauge.remaining), Some(0));
        assert!(store.0.lost() > 500, "{} swaps were lost", store.0.lost());
    }
}

#[test]
fn calls_that_are_given_back_count_for_nobody() {
    let (store, terms) = (Contended(Memory::default()), requests(600, 5000));
    let kept = run(THREADS, |_, random| {
        let (hold, _) = admit(&store, KEY, &terms, &ask(0, 0), NOW).ok()?;
        let failed = random % 2 == 0;
        release(&store, KEY, &hold, NOW, failed);
        (!failed).then_some(())
    });
    assert_eq!(kept.len(), 5000);
}

#[test]
fn while_time_passes_no_span_has_more_than_the_burst_and_the_rate() {
    // An interval is 20 ms; calls come every 3 ms.
    let (store, terms, clock) = (Contended(Memory::default()), requests(3000, 50), AtomicU64::new(NOW));
    let interval = 20_000_000_i64;
    let mut admitted = run(THREADS, |_, random| {
        let now = clock.fetch_add(random % 6_000_000, Ordering::SeqCst);
        admit(&store, KEY, &terms, &ask(0, 0), now).is_ok().then_some(now)
    });
    admitted.sort_unstable();
    // From call i to call j there are at most burst + (t_j − t_i) / interval calls, both included.
    let mut smallest = i64::MAX;
    for (calls, at) in (0..).zip(&admitted) {
        let ahead = calls * interval - i64::try_from(at - NOW).expect("a minute");
        smallest = smallest.min(ahead);
        assert!(ahead - smallest <= 49 * interval, "call {calls} at {}", at - NOW);
    }
    let bound = 50 + (clock.load(Ordering::SeqCst) - NOW) / interval.unsigned_abs();
    assert!(admitted.len() as u64 <= bound && admitted.len() as u64 >= bound - 50, "{} of {bound}", admitted.len());
}

#[test]
fn tokens_of_a_minute_are_never_more_than_the_limit() {
    const LIMIT: u64 = 100_000;
    let (store, terms, clock) = (Contended(Memory::default()), tokens(LIMIT), AtomicU64::new(NOW));
    let mut charged = run(THREADS, |_, random| {
        let now = clock.fetch_add(random % 20_000_000, Ordering::SeqCst);
        let most = 100 + (random >> 20) % 400;
        let (hold, _) = admit(&store, KEY, &terms, &ask(most, 0), now).ok()?;
        let used = 1 + (random >> 40) % most;
        let end = clock.load(Ordering::SeqCst);
        settle(&store, KEY, &hold, &usage(used, 0), end);
        Some((end, used))
    });
    charged.sort_unstable();
    let mut busiest = 0;
    for (first, (start, _)) in charged.iter().enumerate() {
        let minute: u64 = charged[first..].iter().take_while(|(at, _)| at - start < 60 * SECOND).map(|(_, used)| used).sum();
        busiest = busiest.max(minute);
    }
    assert!(busiest <= LIMIT, "{busiest}");
    assert!(busiest > LIMIT * 9 / 10, "the limit was reached: {busiest}");
    let end = clock.load(Ordering::SeqCst);
    assert_eq!(standing(&store, KEY, &terms, end).tokens.map(|gauge| gauge.reserved), Some(0));
}

#[test]
fn at_the_edge_of_a_budget_nothing_is_overspent() {
    for cap in [1, 99, 1000, 123_456] {
        let (store, terms) = (Contended(Memory::default()), budget(cap, Period::Day));
        let most = AtomicU64::new(0);
        let paid = run(THREADS, |_, random| {
            let worst = 1 + random % 100;
            let (hold, standing) = admit(&store, KEY, &terms, &ask(0, worst), NOW).ok()?;
            most.fetch_max(standing.budget.map_or(u64::MAX, |budget| budget.spent.0 + budget.reserved.0), Ordering::SeqCst);
            let paid = (random >> 20) % (worst + 1);
            settle(&store, KEY, &hold, &usage(0, paid), NOW);
            Some(paid)
        });
        let after = standing(&store, KEY, &terms, NOW).budget.expect("a budget");
        assert_eq!((after.spent.0, after.reserved.0), (paid.iter().sum(), 0), "cap {cap}");
        assert!(most.into_inner() <= cap, "cap {cap}");
        assert!(after.spent.0 <= cap && after.spent.0 + 100 >= cap, "cap {cap}: {}", after.spent.0);
    }
}

#[test]
fn holders_that_vanish_keep_what_they_reserved_until_their_lease_ends() {
    const CAP: u64 = 50_000;
    let (store, mut terms) = (Contended(Memory::default()), budget(CAP, Period::Total));
    terms.limits.tokens_per_minute = tokens(u64::MAX).limits.tokens_per_minute;
    let calls = run(THREADS, |number, random| {
        let (hold, _) = admit(&store, KEY, &terms, &ask(7, 10), NOW).ok()?;
        let vanished = number % 10 == 0;
        if !vanished {
            settle(&store, KEY, &hold, &usage(5, random % 11), NOW);
        }
        Some(if vanished { (0, 10) } else { (random % 11, 0) })
    });
    let (paid, lost) = calls.iter().fold((0, 0), |(paid, lost), (p, l)| (paid + p, lost + l));
    let spending = |now| standing(&store, KEY, &terms, now).budget.map(|budget| (budget.spent.0, budget.reserved.0));
    assert!(lost > 1000, "some have vanished: {lost}");
    assert_eq!(spending(NOW), Some((paid, lost)));
    assert!(paid + lost <= CAP && paid + lost + 10 > CAP, "the edge was reached: {paid} and {lost}");
    assert!(matches!(admit(&store, KEY, &terms, &ask(7, 10), NOW).expect_err("at the edge").0, Refusal::Budget { .. }));

    let later = NOW + (LEASE_S + LEASE_S / 8) * SECOND;
    assert_eq!(spending(later), Some((paid, 0)));
    assert_eq!(standing(&store, KEY, &terms, later).tokens.map(|gauge| (gauge.used, gauge.reserved)), Some((0, 0)));
    admit(&store, KEY, &terms, &ask(7, lost), later).expect("what had been reserved is free again");
}

#[test]
fn two_scopes_together_admit_exactly_what_the_narrower_one_allows() {
    for (workspace, key) in [(3000, 9000), (9000, 3000)] {
        let store = Contended(Memory::default());
        let mut terms = requests(60, workspace);
        terms.budget = budget(1_000_000_000, Period::Week).budget;
        let account = Account::of("acme", terms, "laptop", requests(60, key));
        let admitted = run(THREADS, |_, _| {
            let (booking, _) = account.admit(&store, &ask(10, 10), NOW).ok()?;
            booking.settle(&store, &usage(10, 10), NOW);
            Some(())
        });
        assert_eq!(admitted.len(), 3000, "{workspace} and {key}");
        let remaining: Vec<u64> = account
            .scopes
            .iter()
            .filter_map(|scope| standing(&store, &scope.key, &scope.terms, NOW).requests)
            .map(|gauge| gauge.remaining)
            .collect();
        assert_eq!(remaining, [key - 3000, workspace - 3000], "what was refused has been undone");
        let budget = account.standing(&store, NOW).budget.expect("a budget");
        assert_eq!((budget.spent.0, budget.reserved.0), (30_000, 0));
    }
}
