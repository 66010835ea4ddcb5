//! One scope, one call at a time.

use neural_router::config::policy::{NanoUsd, Period};
use neural_router::ledger::{Gauge, Hold, Refusal, Spending, Standing, Terms, admit, charge, release, settle, standing};

use crate::store::Memory;
use crate::{LEASE_S, NOW, SECOND, ask, budget, requests, tokens, usage};

const KEY: &str = "nr.ledger.acme";

fn everything() -> Terms {
    let mut terms = requests(60, 10);
    terms.limits.tokens_per_minute = tokens(1000).limits.tokens_per_minute;
    terms.budget = budget(500, Period::Month).budget;
    terms
}

fn spending(standing: &Standing) -> (u64, u64) {
    let Spending { spent, reserved, .. } = standing.budget.expect("a budget");
    (spent.0, reserved.0)
}

fn used(standing: &Standing) -> (u64, u64) {
    let Gauge { used, reserved, .. } = standing.tokens.expect("a limit");
    (used, reserved)
}

#[test]
fn an_admission_is_one_read_and_one_swap_and_so_is_its_end() {
    let store = Memory::default();
    for step in 0..5 {
        let (hold, _) = admit(&store, KEY, &everything(), &ask(10, 10), NOW + step).expect("room");
        assert_eq!(store.taken(), (1, 1));
        settle(&store, KEY, &hold, &usage(5, 5), NOW + step);
        assert_eq!(store.taken(), (1, 1));
    }
    standing(&store, KEY, &everything(), NOW);
    assert_eq!(store.taken(), (1, 0));
}

#[test]
fn a_refusal_and_an_end_without_effect_write_nothing() {
    let store = Memory::default();
    admit(&store, KEY, &everything(), &ask(600, 10), NOW).expect("room");
    let before = store.value(KEY);
    store.taken();
    for ask in [ask(600, 10), ask(1, 491)] {
        admit(&store, KEY, &everything(), &ask, NOW).expect_err("no room");
    }
    release(&store, KEY, &Hold::default(), NOW, true);
    charge(&store, KEY, &usage(0, 0), NOW);
    settle(&store, KEY, &Hold::default(), &usage(0, 0), NOW);
    assert_eq!(store.taken(), (2, 0));
    assert_eq!(store.value(KEY), before);
}

#[test]
fn the_standing_says_what_the_record_holds() {
    let store = Memory::default();
    let fresh = standing(&store, KEY, &everything(), NOW);
    assert!(store.is_empty());
    assert_eq!(fresh.requests.map(|gauge| (gauge.limit, gauge.remaining, gauge.reset_ms)), Some((60, 10, 0)));
    assert_eq!(fresh.tokens.map(|gauge| (gauge.limit, gauge.remaining, gauge.reset_ms)), Some((1000, 1000, 0)));
    let december = 1_701_388_800;
    assert_eq!(
        fresh.budget,
        Some(Spending { cap: NanoUsd(500), spent: NanoUsd(0), reserved: NanoUsd(0), period: Period::Month, resets_at_s: Some(december) })
    );

    let (hold, held) = admit(&store, KEY, &everything(), &ask(100, 50), NOW).expect("room");
    assert_eq!(held, standing(&store, KEY, &everything(), NOW));
    assert_eq!(held.requests.map(|gauge| (gauge.remaining, gauge.reset_ms)), Some((9, 1000)));
    assert_eq!((used(&held), held.tokens.map(|gauge| gauge.remaining)), ((0, 100), Some(900)));
    assert_eq!((spending(&held), held.budget.map(|budget| budget.remaining())), ((0, 50), Some(NanoUsd(450))));

    settle(&store, KEY, &hold, &usage(70, 30), NOW + 3 * SECOND);
    let after = standing(&store, KEY, &everything(), NOW + 3 * SECOND);
    assert_eq!((used(&after), spending(&after)), ((70, 0), (30, 0)));
    assert_eq!(after.requests.map(|gauge| gauge.remaining), Some(10));
    let reset = after.tokens.expect("a limit").reset_ms;
    assert!((60_000..=62_000).contains(&reset), "{reset}");
}

#[test]
fn charge_and_release_in_either_order_are_a_settlement() {
    let ends: [fn(&Memory, &Hold, u64); 3] = [
        |store, hold, now| settle(store, KEY, hold, &usage(70, 30), now),
        |store, hold, now| {
            charge(store, KEY, &usage(70, 30), now);
            release(store, KEY, hold, now, false);
        },
        |store, hold, now| {
            release(store, KEY, hold, now, false);
            charge(store, KEY, &usage(60, 10), now);
            charge(store, KEY, &usage(10, 20), now);
        },
    ];
    let records = ends.map(|end| {
        let store = Memory::default();
        let (hold, _) = admit(&store, KEY, &everything(), &ask(100, 50), NOW).expect("room");
        end(&store, &hold, NOW + 9 * SECOND);
        store.value(KEY)
    });
    assert_eq!(records[0], records[1]);
    assert_eq!(records[0], records[2]);
}

#[test]
fn a_call_that_nobody_answered_has_never_been() {
    let store = Memory::default();
    let before = standing(&store, KEY, &everything(), NOW);
    let (hold, _) = admit(&store, KEY, &everything(), &ask(100, 50), NOW).expect("room");
    release(&store, KEY, &hold, NOW + SECOND / 10, true);
    let after = standing(&store, KEY, &everything(), NOW + SECOND / 10);
    assert_eq!(after, before);
}

#[test]
fn without_giving_back_a_request_counts_though_nothing_was_used() {
    let store = Memory::default();
    let (hold, _) = admit(&store, KEY, &everything(), &ask(100, 50), NOW).expect("room");
    release(&store, KEY, &hold, NOW, false);
    assert_eq!(standing(&store, KEY, &everything(), NOW).requests.map(|gauge| gauge.remaining), Some(9));
}

#[test]
fn a_scope_reserves_only_what_it_limits() {
    let cases = [(requests(60, 10), (0, 0)), (tokens(1000), (100, 0)), (budget(500, Period::Day), (0, 50)), (everything(), (100, 50))];
    for (terms, expected) in cases {
        let (hold, _) = admit(&Memory::default(), KEY, &terms, &ask(100, 50), NOW).expect("room");
        assert_eq!((hold.tokens, hold.nano_usd), expected, "{terms:?}");
        assert_eq!(hold.expires_s > 0, expected != (0, 0), "{terms:?}");
        assert_eq!(hold.request_ns > 0, terms.limits.requests.is_some(), "{terms:?}");
    }
}

#[test]
fn money_is_refused_before_rates_and_requests_before_tokens() {
    let store = Memory::default();
    let mut terms = everything();
    terms.limits.requests = requests(60, 1).limits.requests;
    admit(&store, KEY, &terms, &ask(1000, 500), NOW).expect("room");
    let refusal = |nano| admit(&store, KEY, &terms, &ask(1, nano), NOW).expect_err("no room").0;
    assert_eq!(refusal(7), Refusal::Budget { needed: NanoUsd(7) });
    assert_eq!(refusal(0), Refusal::Requests { retry_after_ms: 1000 });
    let later = admit(&store, KEY, &terms, &ask(1, 0), NOW + SECOND).expect_err("no room").0;
    assert_eq!(later, Refusal::Tokens { retry_after_ms: 5000 });
}

#[test]
fn a_refusal_for_tokens_leaves_the_requests_alone() {
    let store = Memory::default();
    admit(&store, KEY, &everything(), &ask(1000, 0), NOW).expect("room");
    for _ in 0..100 {
        let (refusal, standing) = admit(&store, KEY, &everything(), &ask(1, 0), NOW).expect_err("no room");
        assert!(matches!(refusal, Refusal::Tokens { .. }));
        assert_eq!(standing.requests.map(|gauge| gauge.remaining), Some(9));
    }
}

#[test]
fn who_waits_as_long_as_a_refusal_says_is_admitted() {
    let store = Memory::default();
    let mut waited = 0;
    let mut now = NOW;
    for step in 0..400 {
        match admit(&store, KEY, &everything(), &ask(120, 0), now) {
            Ok((hold, _)) => settle(&store, KEY, &hold, &usage(100 + step % 20, 0), now),
            Err((Refusal::Requests { retry_after_ms } | Refusal::Tokens { retry_after_ms }, _)) => {
                assert!(admit(&store, KEY, &everything(), &ask(120, 0), now + (retry_after_ms - 1) * 1_000_000).is_err());
                now += retry_after_ms * 1_000_000;
                let (hold, _) = admit(&store, KEY, &everything(), &ask(120, 0), now).expect("waited long enough");
                settle(&store, KEY, &hold, &usage(120, 0), now);
                waited += 1;
            }
            Err((refusal, _)) => panic!("{refusal:?}"),
        }
        now += 123_456_789;
    }
    assert!(waited > 20, "{waited}");
}

#[test]
fn a_call_above_the_whole_limit_may_have_the_window_for_itself() {
    let store = Memory::default();
    let (hold, standing) = admit(&store, KEY, &tokens(1000), &ask(50_000, 0), NOW).expect("the window is empty");
    assert_eq!((hold.tokens, standing.tokens.map(|gauge| gauge.remaining)), (1000, Some(0)));
    admit(&store, KEY, &tokens(1000), &ask(1, 0), NOW).expect_err("nothing is left");
    settle(&store, KEY, &hold, &usage(1, 0), NOW);
    admit(&store, KEY, &tokens(1000), &ask(50_000, 0), NOW).expect_err("one token was used");
    admit(&store, KEY, &tokens(1000), &ask(999, 0), NOW).expect("the rest");
}

#[test]
fn a_budget_is_spent_to_the_last_nano_dollar_and_no_further() {
    let store = Memory::default();
    let terms = budget(100, Period::Total);
    let (hold, _) = admit(&store, KEY, &terms, &ask(0, 100), NOW).expect("all of it");
    admit(&store, KEY, &terms, &ask(0, 1), NOW).expect_err("reserved");
    settle(&store, KEY, &hold, &usage(0, 40), NOW);
    admit(&store, KEY, &terms, &ask(0, 61), NOW).expect_err("one too many");
    let (hold, _) = admit(&store, KEY, &terms, &ask(0, 60), NOW).expect("the rest");
    settle(&store, KEY, &hold, &usage(0, 75), NOW);
    let (refusal, standing) = admit(&store, KEY, &terms, &ask(0, 1), NOW + 400 * 86_400 * SECOND).expect_err("spent");
    assert_eq!((refusal, spending(&standing)), (Refusal::Budget { needed: NanoUsd(1) }, (115, 0)));
    assert_eq!(standing.budget.map(|budget| (budget.remaining(), budget.resets_at_s)), Some((NanoUsd(0), None)));
    admit(&store, KEY, &terms, &ask(0, 0), NOW).expect("what costs nothing is not refused for money");
}

#[test]
fn a_new_period_starts_at_nothing_spent_and_keeps_what_is_reserved() {
    for period in [Period::Day, Period::Week, Period::Month] {
        let (store, terms) = (Memory::default(), budget(100, period));
        let (first, _) = admit(&store, KEY, &terms, &ask(0, 30), NOW).expect("room");
        settle(&store, KEY, &first, &usage(0, 30), NOW);
        let end = standing(&store, KEY, &terms, NOW).budget.and_then(|budget| budget.resets_at_s).expect("an end");
        let late = (end - 1) * SECOND;
        let (under_way, _) = admit(&store, KEY, &terms, &ask(0, 20), late).expect("room");
        assert_eq!(spending(&standing(&store, KEY, &terms, late)), (30, 20), "{period:?}");
        assert_eq!(spending(&standing(&store, KEY, &terms, end * SECOND)), (0, 20), "{period:?}");
        settle(&store, KEY, &under_way, &usage(0, 15), end * SECOND);
        let after = standing(&store, KEY, &terms, end * SECOND);
        assert_eq!(spending(&after), (15, 0), "{period:?}: charged to the period it ended in");
        assert!(after.budget.and_then(|budget| budget.resets_at_s) > Some(end), "{period:?}");
    }
}

#[test]
fn a_reservation_whose_holder_vanished_ends_with_its_lease() {
    let (store, terms) = (Memory::default(), everything());
    admit(&store, KEY, &terms, &ask(1000, 500), NOW).expect("room");
    let before = NOW + LEASE_S * SECOND;
    assert!(matches!(admit(&store, KEY, &terms, &ask(1, 1), before - 1).expect_err("still reserved").0, Refusal::Budget { .. }));
    let after = before + LEASE_S / 8 * SECOND;
    let standing = standing(&store, KEY, &terms, after);
    assert_eq!((used(&standing), spending(&standing)), ((0, 0), (0, 0)), "read, without anybody writing");
    admit(&store, KEY, &terms, &ask(1000, 500), after).expect("room again");
}

#[test]
fn a_release_after_the_lease_takes_nothing_from_others() {
    let (store, terms) = (Memory::default(), everything());
    let (slow, _) = admit(&store, KEY, &terms, &ask(400, 100), NOW).expect("room");
    let later = NOW + 2 * LEASE_S * SECOND;
    admit(&store, KEY, &terms, &ask(300, 200), later).expect("room");
    settle(&store, KEY, &slow, &usage(350, 90), later);
    let standing = standing(&store, KEY, &terms, later);
    assert_eq!((used(&standing), spending(&standing)), ((350, 300), (90, 200)));
}

#[test]
fn a_record_never_reaches_a_kilobyte() {
    let (store, mut longest) = (Memory::default(), 0);
    let mut terms = everything();
    terms.limits.tokens_per_minute = tokens(u64::MAX).limits.tokens_per_minute;
    terms.limits.requests = requests(u64::MAX, u64::MAX).limits.requests;
    terms.budget = budget(u64::MAX, Period::Month).budget;
    for step in 0..3000 {
        terms.lease_ms = 1000 * [1, 60, 600, 3600][step % 4];
        let now = NOW + step as u64 * SECOND;
        admit(&store, KEY, &terms, &ask(1, 1), now).expect("room");
        charge(&store, KEY, &usage(1, 1), now);
        longest = longest.max(store.value(KEY).len());
    }
    assert!((500..1024).contains(&longest), "{longest} bytes");
}

/// A record of so many cells and leases, all of them current.
fn many(cells: u8, leases: u8) -> Vec<u8> {
    let numbers = 4 + usize::from(cells);
    let (cell, second) = (NOW / SECOND / 2, NOW / SECOND + 100);
    [
        &[1, 3, cells, leases, 0, 0, 0, 0],
        cell.to_le_bytes().repeat(numbers).as_slice(),
        second.to_le_bytes().repeat(3 * usize::from(leases)).as_slice(),
    ]
    .concat()
}

#[test]
fn a_damaged_or_foreign_record_starts_the_scope_anew() {
    let store = Memory::default();
    let terms = everything();
    let (hold, _) = admit(&store, KEY, &terms, &ask(100, 50), NOW).expect("room");
    settle(&store, KEY, &hold, &usage(70, 30), NOW);
    admit(&store, KEY, &terms, &ask(100, 50), NOW).expect("room");
    let good = store.value(KEY);
    let fresh = standing(&Memory::default(), KEY, &terms, NOW);
    assert_ne!(standing(&store, KEY, &terms, NOW), fresh);

    store.put(KEY, &many(31, 24));
    assert_ne!(standing(&store, KEY, &terms, NOW), fresh, "as many as there can be");

    let mut damaged: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    damaged.extend([[good.as_slice(), &[0]].concat(), [good.as_slice(), &[0; 8]].concat(), [good.as_slice(), &[0; 24]].concat()]);
    // More cells and more sums than there can be, in the right form otherwise.
    damaged.extend([many(32, 0), many(0, 25), many(255, 255)]);
    damaged.extend([b"not a record".to_vec(), vec![0; 4096], vec![0xff; good.len()]]);
    // Layout, period, and the two counts.
    for (at, byte) in [(0, 0), (0, 2), (1, 5), (1, 255), (2, 0), (2, 255), (3, 0), (3, 255), (4, 1), (7, 255)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        damaged.push(bytes);
    }
    for bytes in damaged {
        store.put(KEY, &bytes);
        assert_eq!(standing(&store, KEY, &terms, NOW), fresh, "{bytes:?}");
        release(&store, KEY, &hold, NOW, true);
        store.put(KEY, &bytes);
        admit(&store, KEY, &terms, &ask(100, 50), NOW).expect("room");
        assert_eq!(used(&standing(&store, KEY, &terms, NOW)), (0, 100));
    }
}

#[test]
fn no_bytes_and_no_moment_break_it() {
    let (store, terms) = (Memory::default(), everything());
    let (hold, _) = admit(&store, KEY, &terms, &ask(100, 50), NOW).expect("room");
    settle(&store, KEY, &hold, &usage(70, 30), NOW);
    admit(&store, KEY, &terms, &ask(100, 50), NOW).expect("room");
    let good = store.value(KEY);
    let mut random = 0x9e37_79b9_7f4a_7c15;
    let extremes = [0, 1, NOW, u64::MAX - 1, u64::MAX];
    for step in 0..20_000_usize {
        let mut bytes = good.clone();
        for _ in 0..=step % 4 {
            let at = usize::try_from(crate::xorshift(&mut random) >> 33).expect("31 bits") % bytes.len();
            bytes[at] = crate::xorshift(&mut random).to_le_bytes()[0] | if step % 3 == 0 { 0xff } else { 0 };
        }
        store.put(KEY, &bytes);
        let now = extremes[step % 5];
        let amount = extremes[step / 5 % 5];
        standing(&store, KEY, &terms, now);
        let held = admit(&store, KEY, &terms, &ask(amount, amount), now).map_or(Hold::default(), |(hold, _)| hold);
        release(&store, KEY, &Hold { due_ns: amount, request_ns: amount, ..held }, now, true);
        settle(&store, KEY, &held, &usage(amount, amount), extremes[step / 25 % 5]);
    }
}
