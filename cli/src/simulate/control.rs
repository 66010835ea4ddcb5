//! The control: the models that a policy chose, each as often and for the same money, given to the calls at random.
//!
//! A policy that sends more calls to a better model is dearer and better, which is no judgement: a die could do it.
//! What a policy is better than its control by, it owes to having looked at the calls.

use super::chance::Dice;
use super::replay::{Choice, Figures};

/// So many rounds until nothing is left of the policy's own order.
const BURN_IN: usize = 50;

/// Assignments that the figures are the mean of.
const ASSIGNMENTS: usize = 200;

/// How far the cost of an assignment may be from the policy's, as a share of it: less than an interval is wide, and
/// enough for calls of different lengths to change places.
const SAME_COST: f64 = 0.05;

/// Who takes each call, by the positions of models, and what that costs.
#[derive(Debug, Clone)]
struct Assignment {
    models: Vec<usize>,
    usd: f64,
    /// What the policy costs.
    policy_usd: f64,
}

impl Assignment {
    fn of(choices: &[Choice]) -> Self {
        let usd = choices.iter().map(|choice| choice.chosen().cost_usd).sum();
        Self { models: choices.iter().map(|choice| choice.chosen().model).collect(), usd, policy_usd: usd }
    }

    /// One round of Fisher and Yates, in which only those swap who can both take the other's call, and only if the
    /// cost stays what it is. Each swap is as likely as its reverse, so in the long run every assignment that can be
    /// reached is as likely as any other.
    fn shuffle(&mut self, choices: &[Choice], dice: &mut Dice) {
        for at in (1..self.models.len()).rev() {
            let with = dice.below(at + 1);
            let (one, other) = (self.models[at], self.models[with]);
            let usd = |call: usize, model| choices[call].by(model).map(|figures| figures.cost_usd);
            let (Some(here), Some(there)) = (usd(at, other), usd(with, one)) else { continue };
            let left = usd(at, one).unwrap_or(0.0) + usd(with, other).unwrap_or(0.0);
            let total = self.usd + here + there - left;
            if (total - self.policy_usd).abs() <= SAME_COST * self.policy_usd {
                self.models.swap(at, with);
                self.usd = total;
            }
        }
    }
}

/// The mean figures of each call over many random assignments: quality, cost in US dollars, latency in milliseconds.
pub(super) fn figures(choices: &[Choice], seed: u64) -> Vec<[f64; 3]> {
    let mut dice = Dice::new(seed);
    let mut assignment = Assignment::of(choices);
    let mut sums = vec![[0.0; 3]; choices.len()];
    for round in 0..BURN_IN + ASSIGNMENTS {
        assignment.shuffle(choices, &mut dice);
        if round < BURN_IN {
            continue;
        }
        for ((sum, choice), model) in sums.iter_mut().zip(choices).zip(&assignment.models) {
            let Figures { quality, cost_usd, latency_ms, .. } = *choice.by(*model).unwrap_or(choice.chosen());
            sum.iter_mut().zip([quality, cost_usd, latency_ms]).for_each(|(sum, figure)| *sum += figure);
        }
    }
    sums.iter().map(|sum| sum.map(|figure| figure / ASSIGNMENTS as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures_of(model: usize, quality: f64) -> Figures {
        Figures { model, quality, cost_usd: 1.0 + model as f64, latency_ms: 10.0 }
    }

    /// Calls that models 0 and 1 can take, half of which suit the one and half the other, and some that only 1 can take.
    fn choices(suited: bool) -> Vec<Choice> {
        let call = |at: usize| {
            let (best, chosen) = (at % 2, if suited { at % 2 } else { at / 2 % 2 });
            let quality = |model: usize| if model == best { 0.9 } else { 0.5 };
            Choice::new(figures_of(chosen, quality(chosen)), [figures_of(1 - chosen, quality(1 - chosen))])
        };
        let only = (0..50).map(|_| Choice::new(figures_of(1, 0.7), []));
        (0..400).map(call).chain(only).collect()
    }

    #[test]
    fn mix_and_cost_are_those_of_the_policy_and_nobody_gets_a_call_it_cannot_take() {
        // Calls of very different lengths, of which the policy gives the long ones to the cheap model.
        let mut choices = choices(true);
        for (choice, at) in choices.iter_mut().zip(0..) {
            let length = if at % 10 == 0 { 50.0 } else { 1.0 };
            let scaled = |model| choice.by(model).map(|f| Figures { cost_usd: f.cost_usd * length, ..*f });
            let first = if at % 10 == 0 { 0 } else { choice.chosen().model };
            let (first, other) = (scaled(first).or(scaled(1)).unwrap(), scaled(1 - first));
            *choice = Choice::new(first, other.filter(|other| other.model != first.model));
        }
        let mut assignment = Assignment::of(&choices);
        let mix = |assignment: &Assignment| {
            let mut mix = assignment.models.clone();
            mix.sort_unstable();
            mix
        };
        let cost = |assignment: &Assignment| {
            choices.iter().zip(&assignment.models).map(|(choice, model)| choice.by(*model).expect("takes it").cost_usd).sum::<f64>()
        };
        let (before, first, budget) = (mix(&assignment), assignment.models.clone(), cost(&assignment));
        let mut dice = Dice::new(5);
        for _ in 0..50 {
            assignment.shuffle(&choices, &mut dice);
            assert_eq!(mix(&assignment), before);
            assert!((cost(&assignment) / budget - 1.0).abs() <= SAME_COST + 1e-9, "{} for {budget}", cost(&assignment));
        }
        let moved = assignment.models.iter().zip(&first).filter(|(now, then)| now != then).count();
        assert!(moved > 100, "{moved}");
    }

    fn mean(figures: &[[f64; 3]], at: usize) -> f64 {
        figures.iter().map(|figures| figures[at]).sum::<f64>() / figures.len() as f64
    }

    #[test]
    fn judgement_is_better_than_its_control_and_a_mix_without_it_is_not() {
        for (suited, expected) in [(true, 0.2 * 400.0 / 450.0), (false, 0.0)] {
            let choices = choices(suited);
            let own: f64 = choices.iter().map(|choice| choice.chosen().quality).sum::<f64>() / choices.len() as f64;
            let gained = own - mean(&figures(&choices, 1), 0);
            assert!((gained - expected).abs() < 0.01, "{suited}: {gained}, expected about {expected}");
        }
    }

    #[test]
    fn prices_that_do_not_depend_on_the_call_cost_the_same_in_sum() {
        let choices = choices(true);
        let own: f64 = choices.iter().map(|choice| choice.chosen().cost_usd).sum::<f64>() / choices.len() as f64;
        assert!((own - mean(&figures(&choices, 1), 1)).abs() < 1e-9);
    }

    #[test]
    fn one_call_and_one_model_leave_no_choice() {
        let same = |calls: usize| (0..calls).map(|_| Choice::new(figures_of(0, 0.5), [figures_of(1, 0.9)])).collect::<Vec<_>>();
        for calls in [1, 9] {
            for row in figures(&same(calls), 1) {
                assert!((row[0] - 0.5).abs() < 1e-12 && (row[1] - 1.0).abs() < 1e-12, "{calls}: {row:?}");
            }
        }
    }
}
