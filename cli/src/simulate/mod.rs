//! `nr simulate`: what the calls of an access log would have cost, and how good the catalogue says they would have
//! been, under one policy or two; each beside a control that has its mix of models and none of its judgement.
//!
//! ```text
//! log ─► record ─► replay (the filter's own ranking) ─┬─► comparison ◄─ control, chance
//!                                                     └─► curve ─► svg
//! ```

mod chance;
mod comparison;
mod control;
mod curve;
mod log;
mod record;
mod replay;
mod report;
mod svg;

use std::collections::BTreeMap;

use crate::failure::{Failure, print};
use crate::load;
use crate::options::Simulate;

use comparison::Comparison;
use log::Log;
use record::Record;
use replay::{Choice, Policy};

const NAMES: [&str; 2] = ["A", "B"];

/// Bad lines that are told one by one.
const TOLD: usize = 20;

/// The calls that every policy has an answer to, and those that one has none to.
struct Replayed<'l> {
    calls: Vec<&'l Record>,
    /// By policy: a choice for each of the calls.
    choices: Vec<Vec<Choice>>,
    /// By policy: line numbers by what it says to them.
    refused: Vec<BTreeMap<String, Vec<usize>>>,
}

/// Replays a log and prints what comes of it.
pub(crate) fn run(options: &Simulate) -> Result<(), Failure> {
    if options.policy.len() > NAMES.len() {
        return Err(Failure::new("--policy: one or two configurations"));
    }
    let policies = NAMES.iter().zip(&options.policy).map(|(name, file)| Ok(Policy::new(name, file, load::file(file)?.config)));
    let policies: Vec<Policy> = policies.collect::<Result<_, Failure>>()?;
    let log = log::read(&options.log, options.workspace.as_deref())?;
    for (line, why) in log.bad.iter().take(TOLD) {
        eprintln!("line {line}: {why}");
    }
    if let Some(more) = log.bad.len().checked_sub(TOLD).filter(|more| *more > 0) {
        eprintln!("and {more} more lines that cannot be read");
    }
    let replayed = replay(&policies, &log);
    let comparison = Comparison::of(&policies, &replayed, options.seed);
    let name = options.log.display().to_string();
    let Some(comparison) = comparison else {
        // Why there is nothing is what the reader needs then.
        eprint!("{}", report::coverage(&name, &log, &policies, &replayed));
        return Err(Failure::new(format!("{name}: no call that could be replayed")));
    };
    let drawn = options.plot.as_ref().map(|file| (file, curve::figure(&policies, &replayed, &comparison)));
    if options.json {
        print(&[&report::json(&name, &log, &policies, &replayed, &comparison, options.seed), "\n"].concat())?;
    } else {
        print(&[&report::coverage(&name, &log, &policies, &replayed), "\n", &report::table(&policies, &comparison)].concat())?;
    }
    if let Some((file, (figure, notes))) = drawn {
        std::fs::write(file, svg::draw(&figure)).map_err(|error| crate::input::failed(file, &error))?;
        notes.iter().for_each(|note| eprintln!("{}: {note}", file.display()));
    }
    Ok(())
}

fn replay<'l>(policies: &[Policy], log: &'l Log) -> Replayed<'l> {
    let mut calls = Vec::new();
    let mut choices = vec![Vec::new(); policies.len()];
    let mut refused = vec![BTreeMap::<String, Vec<usize>>::new(); policies.len()];
    for call in &log.calls {
        let mut all = Vec::with_capacity(policies.len());
        for (policy, refused) in policies.iter().zip(&mut refused) {
            match policy.replay(call, None) {
                Ok(choice) => all.push(choice),
                Err(why) => refused.entry(why).or_default().push(call.line),
            }
        }
        if all.len() == policies.len() {
            calls.push(call);
            choices.iter_mut().zip(all).for_each(|(choices, choice)| choices.push(choice));
        }
    }
    Replayed { calls, choices, refused }
}
