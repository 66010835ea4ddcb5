//! A key's scope and its workspace's together.

use neural_router::config::policy::{NanoUsd, Period};
use neural_router::ledger::account::{Account, Booking};
use neural_router::ledger::{Refusal, Standing, Terms};

use crate::store::Memory;
use crate::{NOW, SECOND, ask, budget, requests, terms, tokens, usage};

fn account(workspace: Terms, key: Terms) -> Account {
    Account::of("acme", workspace, "laptop", key)
}

fn remaining(standing: &Standing) -> (Option<u64>, Option<u64>) {
    (standing.requests.map(|gauge| gauge.remaining), standing.tokens.map(|gauge| gauge.remaining))
}

#[test]
fn scopes_are_the_keys_then_the_workspaces_and_those_without_limits_are_left_out() {
    let keys = |account: &Account| account.scopes.iter().map(|scope| scope.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&account(requests(1, 1), tokens(1))), ["nr.ledger.acme/laptop", "nr.ledger.acme"]);
    assert_eq!(keys(&account(budget(1, Period::Day), terms())), ["nr.ledger.acme"]);
    assert_eq!(keys(&account(terms(), tokens(1))), ["nr.ledger.acme/laptop"]);
    assert_eq!(keys(&account(terms(), terms())), [""; 0]);
}

#[test]
fn where_nothing_is_limited_nothing_is_stored() {
    let (store, account) = (Memory::default(), account(terms(), terms()));
    let (booking, standing) = account.admit(&store, &ask(1, 1), NOW).expect("no limits");
    booking.settle(&store, &usage(1, 1), NOW);
    assert_eq!((standing, account.standing(&store, NOW)), (Standing::default(), Standing::default()));
    assert_eq!(store.taken(), (0, 0));
}

#[test]
fn what_the_workspace_refuses_costs_the_key_nothing() {
    let (store, account) = (Memory::default(), account(requests(60, 2), requests(60, 10)));
    for _ in 0..2 {
        account.admit(&store, &ask(1, 0), NOW).expect("room");
    }
    let key = account.scopes[0].clone();
    let before = neural_router::ledger::standing(&store, &key.key, &key.terms, NOW);
    for _ in 0..50 {
        let refused = account.admit(&store, &ask(1, 0), NOW).expect_err("the workspace has no room");
        assert_eq!(refused.refusal, Refusal::Requests { retry_after_ms: 1000 });
        assert_eq!(remaining(&refused.standing), (Some(0), None));
    }
    assert_eq!(neural_router::ledger::standing(&store, &key.key, &key.terms, NOW), before);
}

#[test]
fn tokens_and_money_are_undone_too() {
    let mut key = tokens(1000);
    key.budget = budget(1000, Period::Total).budget;
    let (store, account) = (Memory::default(), account(tokens(100), key));
    account.admit(&store, &ask(100, 0), NOW).expect("room");
    account.admit(&store, &ask(50, 300), NOW).expect_err("the workspace has no room");
    let scope = account.scopes[0].clone();
    let standing = neural_router::ledger::standing(&store, &scope.key, &scope.terms, NOW);
    assert_eq!(standing.tokens.map(|gauge| gauge.reserved), Some(100));
    assert_eq!(standing.budget.map(|budget| budget.reserved), Some(NanoUsd(0)));
}

#[test]
fn a_key_that_is_refused_leaves_the_workspace_alone() {
    let (store, account) = (Memory::default(), account(requests(600, 600), requests(60, 1)));
    account.admit(&store, &ask(1, 0), NOW).expect("room");
    let workspace = store.value("nr.ledger.acme");
    account.admit(&store, &ask(1, 0), NOW).expect_err("the key has no room");
    assert_eq!(store.value("nr.ledger.acme"), workspace);
}

#[test]
fn an_empty_budget_is_named_before_a_rate_of_the_key() {
    let (store, account) = (Memory::default(), account(budget(10, Period::Month), requests(60, 1)));
    account.admit(&store, &ask(1, 10), NOW).expect("room");
    let refused = account.admit(&store, &ask(1, 10), NOW).expect_err("neither has room");
    assert_eq!(refused.refusal, Refusal::Budget { needed: NanoUsd(10) });
    assert_eq!(refused.standing.budget.map(|budget| budget.reserved), Some(NanoUsd(10)));
}

#[test]
fn of_two_rates_the_longer_wait_is_named() {
    for (workspace, key) in [(1, 60), (60, 1)] {
        let (store, account) = (Memory::default(), account(requests(workspace, 1), requests(key, 1)));
        account.admit(&store, &ask(1, 0), NOW).expect("room");
        let refused = account.admit(&store, &ask(1, 0), NOW).expect_err("neither has room");
        assert_eq!(refused.refusal, Refusal::Requests { retry_after_ms: 60_000 });
    }
}

#[test]
fn of_each_limit_the_one_with_less_left_is_shown() {
    let both = |per_minute, burst, tokens_per_minute| Terms {
        limits: neural_router::config::policy::Limits {
            requests: requests(per_minute, burst).limits.requests,
            tokens_per_minute: tokens(tokens_per_minute).limits.tokens_per_minute,
        },
        ..terms()
    };
    let (store, account) = (Memory::default(), account(both(60, 5, 9000), both(60, 50, 400)));
    assert_eq!(remaining(&account.standing(&store, NOW)), (Some(5), Some(400)));
    let (_, standing) = account.admit(&store, &ask(100, 0), NOW).expect("room");
    assert_eq!(remaining(&standing), (Some(4), Some(300)));
    assert_eq!(standing, account.standing(&store, NOW));
    let limits = (standing.requests.map(|gauge| gauge.limit), standing.tokens.map(|gauge| gauge.limit));
    assert_eq!(limits, (Some(60), Some(400)));
}

#[test]
fn whoever_has_the_booking_can_end_the_call_in_both_scopes() {
    let mut workspace = tokens(1000);
    workspace.budget = budget(1000, Period::Month).budget;
    let (store, account) = (Memory::default(), account(workspace, tokens(500)));
    let (booking, _) = account.admit(&store, &ask(100, 70), NOW).expect("room");
    store.taken();
    booking.settle(&store, &usage(80, 60), NOW + SECOND);
    assert_eq!(store.taken(), (2, 2));
    for (scope, spent) in account.scopes.iter().zip([None, Some(NanoUsd(60))]) {
        let standing = neural_router::ledger::standing(&store, &scope.key, &scope.terms, NOW + SECOND);
        assert_eq!(standing.tokens.map(|gauge| (gauge.used, gauge.reserved)), Some((80, 0)));
        assert_eq!(standing.budget.map(|budget| budget.spent), spent);
    }
}

#[test]
fn a_booking_that_is_charged_and_released_is_settled() {
    let account = account(tokens(1000), requests(60, 60));
    let ends: [fn(&Memory, &Booking); 2] = [
        |store, booking| booking.settle(store, &usage(80, 60), NOW),
        |store, booking| {
            booking.charge(store, &usage(80, 60), NOW);
            booking.release(store, NOW, false);
        },
    ];
    let [settled, charged] = ends.map(|end| {
        let store = Memory::default();
        let (booking, _) = account.admit(&store, &ask(100, 0), NOW).expect("room");
        end(&store, &booking);
        [store.value("nr.ledger.acme"), store.value("nr.ledger.acme/laptop")]
    });
    assert_eq!(settled, charged);
}
