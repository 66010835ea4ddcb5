//! Prices that decide more than they were meant to.

use neural_router::config::catalog::Kind;
use neural_router::config::document;

use super::{Policy, calls, list};
use crate::finding::{Finding, Rule};

/// A free model beside priced ones of its kind, where somebody may use both.
pub(super) fn free(policy: &Policy<'_>) -> Vec<Finding> {
    let is_free = |i: usize| policy.document.models.get(i).is_some_and(|model| matches!(model.price, document::Price::Free));
    let callers = policy.callers();
    let finding = |(i, index, model)| {
        let model: &neural_router::config::Model = model;
        let together = |other| callers.iter().any(|caller| caller.may_use(index) && caller.may_use(other));
        let priced: Vec<&str> = policy
            .models()
            .filter(|(j, other, priced)| priced.kind == model.kind && !is_free(*j) && together(*other))
            .map(|(_, _, priced)| priced.id.as_str())
            .collect();
        (is_free(i) && !priced.is_empty()).then(|| Finding {
            rule: Rule::FreeBesidePriced,
            path: format!("models[{i}].price"),
            what: format!("`{}` is free beside {}, which have a price", model.id, list(priced.iter().copied())),
            why: format!(
                "the objective `cost` picks it for every {} request it can take, `quality-per-dollar` prefers it, and no budget holds it back",
                calls(model.kind)
            ),
            advice: "if it costs something, such as the machine it runs on, write that as its price; if this is meant, say --allow \
                     free-beside-priced"
                .to_owned(),
        })
    };
    policy.models().filter_map(finding).collect()
}

/// The figure 0 where `free` would say that it is meant.
pub(super) fn zero(policy: &Policy<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, model) in policy.document.models.iter().enumerate() {
        let document::Price::PerMillion(price) = &model.price else { continue };
        let answers = model.kind == Kind::Chat;
        let figures = [("input_per_m", Some(price.input_per_m)), ("output_per_m", price.output_per_m.filter(|_| answers))];
        let zeros: Vec<&str> = figures.iter().filter(|(_, figure)| *figure == Some(0.0)).map(|(name, _)| *name).collect();
        if zeros.is_empty() {
            continue;
        }
        let whole = zeros.len() == figures.iter().filter(|(_, figure)| figure.is_some()).count();
        findings.push(Finding {
            rule: Rule::ZeroPrice,
            path: format!("models[{i}].price{}", if whole { String::new() } else { format!(".{}", zeros.join(".")) }),
            what: format!("`{}` has the price 0 for {}", model.id, if whole { "everything" } else { "a part of each call" }),
            why: "the ranking takes that for its price, and budgets do not count it".to_owned(),
            advice: if whole { "write the price, or `price: free` if it costs nothing" } else { "write the price of that part" }.to_owned(),
        });
    }
    findings
}
