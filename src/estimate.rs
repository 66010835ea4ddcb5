//! What a call may come to, before anybody has answered, and what an attempt came to when its
//! provider does not say.

use crate::config::Tokens;
use crate::config::catalog::Price;
use crate::config::policy::NanoUsd;
use crate::ledger;
use crate::openai::{Demand, Endpoint, Usage};
use crate::rank::{self, EXPECTED_OUTPUT};

/// Bytes of English text or code per token.
const BYTES_PER_TOKEN: u64 = 4;

/// What to set aside for a call: the tokens it is expected to take, and the most that any of its
/// candidates could charge for it, with the prompts of those that might fail before.
///
/// Without a bound in the request the token limit reckons with [`EXPECTED_OUTPUT`], since a model's
/// own bound is tens of thousands and a handful of calls would fill any limit; the budget, which is
/// never overspent, with the model's bound.
pub fn reservation(plan: &rank::Plan<'_>, endpoint: Endpoint, demand: &Demand) -> ledger::Ask {
    let mut ask = ledger::Ask::default();
    let (mut prompts, mut dearest_prompt) = (0_u64, 0);
    for candidate in &plan.candidates {
        let model = candidate.model;
        let most = model.max_output.0;
        let (expected, bound) = match (endpoint, demand.max_output) {
            (Endpoint::Embeddings, _) => (0, 0),
            (_, Some(asked)) => (asked.min(most), asked.min(most)),
            (_, None) => (EXPECTED_OUTPUT.min(most), most),
        };
        let tokens = demand.prompt_tokens.saturating_add(expected.saturating_mul(demand.choices));
        let prompt_bound = demand.prompt_tokens_at_most.min(model.context_window.0);
        let cost = model.price.most(Tokens(prompt_bound), Tokens(bound.saturating_mul(demand.choices)));
        let prompt = model.price.most(Tokens(prompt_bound), Tokens(0)).0;
        prompts = prompts.saturating_add(prompt);
        if cost >= ask.cost {
            dearest_prompt = prompt;
        }
        ask = ledger::Ask { tokens: ask.tokens.max(tokens), cost: ask.cost.max(cost) };
    }
    // An attempt that breaks off before its first token has read the prompt and may charge for it.
    ask.cost = NanoUsd(ask.cost.0.saturating_add(prompts.saturating_sub(dearest_prompt)));
    ask
}

/// What an attempt used of which only `produced` bytes of the answer are known: the prompt was read,
/// and what came was written.
pub fn used(prompt_tokens: u64, produced: u64) -> Usage {
    Usage { uncached_input: prompt_tokens, output: produced.div_ceil(BYTES_PER_TOKEN), ..Usage::default() }
}

/// A usage as the ledger counts it.
pub fn bill(price: &Price, usage: &Usage) -> ledger::Usage {
    ledger::Usage { tokens: usage.prompt().saturating_add(usage.output), cost: price.cost(usage) }
}

/// Nothing used.
pub const NOTHING: ledger::Usage = ledger::Usage { tokens: 0, cost: NanoUsd(0) };
