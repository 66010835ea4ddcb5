//! Lots.

use serde_json::{Value, json};

use super::fixture::{config, document, hello, model, order, plan, plan_by_lot};

fn exploring(share: f64) -> Value {
    let models = json!([model("best", 0.9, 1.0, 1.0), model("good", 0.8, 1.0, 1.0), model("poor", 0.5, 0.1, 0.1)]);
    let mut document = document(models);
    document["routing"] = json!({"exploration": share});
    document
}

#[test]
fn nothing_is_left_to_chance_unless_it_is_asked_for() {
    let config = config(&exploring(0.0));
    for lot in [0.0, 0.01, 0.5] {
        let plan = plan_by_lot(&config, &hello(&json!({"route": {"objective": "quality"}})), lot);
        assert_eq!((order(&plan)[0].as_str(), plan.propensity), ("best", None));
    }
}

#[test]
fn the_share_is_spread_over_those_that_are_good_enough_and_every_probability_is_told() {
    let config = config(&exploring(0.2));
    let body = hello(&json!({"route": {"objective": "quality"}}));
    for (lot, first, propensity) in [(0.05, "best", 0.9), (0.15, "good", 0.1), (0.2, "best", 0.9), (0.99, "best", 0.9)] {
        let plan = plan_by_lot(&config, &body, lot);
        assert_eq!(order(&plan)[0], first, "{lot}");
        assert!((plan.propensity.expect("one") - propensity).abs() < 1e-9, "{lot}: {:?}", plan.propensity);
        assert_eq!(order(&plan).len(), 3, "nobody is lost");
    }
}

#[test]
fn a_model_by_its_id_and_a_conversation_under_way_are_not_drawn() {
    let config = config(&exploring(0.5));
    let under_way = json!([
        {"role": "user", "content": "Say hello."}, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Again."}
    ]);
    for body in [json!({"model": "best"}), json!({"messages": under_way, "route": {"objective": "quality"}})] {
        let plan = plan_by_lot(&config, &hello(&body), 0.3);
        assert_eq!((order(&plan)[0].as_str(), plan.propensity), ("best", None), "{body}");
    }
    assert_eq!(plan(&config, &hello(&json!({}))).propensity.map(|p| p > 0.5), Some(true));
}

#[test]
fn the_reason_says_between_how_many_the_lot_was() {
    let config = config(&exploring(0.2));
    let plan = plan_by_lot(&config, &hello(&json!({"route": {"objective": "quality"}})), 0.15);
    assert_eq!(plan.reason, "picked by lot among 2 of 3 eligible models, to learn how it does");
}

#[test]
fn a_choice_that_is_put_off_is_no_longer_that_choice() {
    let config = config(&exploring(0.2));
    let mut plan = plan_by_lot(&config, &hello(&json!({"route": {"objective": "quality"}})), 0.99);
    let costs: Vec<_> = plan.candidates.iter().map(|candidate| candidate.estimated_cost).collect();
    assert!(plan.estimated_cost == costs[0] && costs[1] != costs[2], "{costs:?}");
    plan.put_off_first();
    assert_eq!(
        (order(&plan), plan.estimated_cost, plan.propensity),
        (["good", "poor", "best"].map(str::to_owned).to_vec(), costs[1], None)
    );
    plan.put_off_first();
    assert_eq!((order(&plan)[0].as_str(), plan.estimated_cost), ("poor", costs[2]));
    assert_eq!(plan.reason.matches("tried out").count(), 1, "{}", plan.reason);
}
