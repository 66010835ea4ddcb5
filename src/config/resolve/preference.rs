//! How quality, price and speed are weighed, and the name of all of it together.

use sha2::{Digest as _, Sha256};

use super::{Checked, err};
use crate::config::Routing;
use crate::config::catalog::{Catalog, Kind, Model, Objective, TaskClass};
use crate::config::document;
use crate::config::preference::{Preferences, QualityPerDollar};

/// Half the calls by lot are no longer routed.
const MAX_EXPLORATION: f64 = 0.5;

/// A billionth of a dollar, as prices are counted.
const LEAST_C0_USD: f64 = 1e-9;

/// More would be a slip: quality itself is at most 1.
const MAX_LAMBDA: f64 = 10.0;

pub(super) fn preferences(path: &str, said: &document::Preferences, otherwise: &Preferences) -> Checked<Preferences> {
    let mut preferences = *otherwise;
    if let Some(constants) = &said.quality_per_dollar {
        let QualityPerDollar { lambda, delta, c0_usd } = &mut preferences.quality_per_dollar;
        let path = format!("{path}.quality_per_dollar");
        figure(&path, "lambda", constants.lambda, lambda, |x| (0.0..=MAX_LAMBDA).contains(&x), "from 0 to 10")?;
        figure(&path, "delta", constants.delta, delta, |x| (0.0..=1.0).contains(&x), "from 0 to 1")?;
        figure(&path, "c0_usd", constants.c0_usd, c0_usd, |x| x.is_finite() && x >= LEAST_C0_USD, "US dollars above 0")?;
    }
    for (name, floor) in said.quality_floor.iter().flatten() {
        let path = format!("{path}.quality_floor.{name}");
        if !(0.0..=1.0).contains(floor) {
            return err(path, "from 0 to 1");
        }
        // In the order of the alphabet `code` comes before `default`.
        if name != "default" && TaskClass::parse(name).is_none() {
            return err(path, ["expected `default` or a task class: ", &TaskClass::NAMES.join(", ")].concat());
        }
    }
    if let Some(floors) = &said.quality_floor {
        let default = floors.get("default");
        for (class, floor) in TaskClass::ALL.iter().zip(&mut preferences.floors) {
            *floor = *floors.get(class.name()).or(default).unwrap_or(floor);
        }
    }
    figure(path, "exploration", said.exploration, &mut preferences.exploration, |x| (0.0..=MAX_EXPLORATION).contains(&x), "from 0 to 0.5")?;
    Ok(preferences)
}

fn figure(path: &str, name: &str, said: Option<f64>, figure: &mut f64, sound: impl Fn(f64) -> bool, expected: &str) -> Checked<()> {
    match said {
        Some(x) if sound(x) => *figure = x,
        Some(_) => return err(format!("{path}.{name}"), expected),
        None => {}
    }
    Ok(())
}

/// Goes up with every change of the formulas in `rank` and of the weights in `task`: filters that may choose differently
/// give their policies different names.
const REVISION: &str = "1";

/// Digits of a policy's name.
const NAME_BYTES: usize = 6;

/// A short name of everything a choice depends on besides the call and the traffic: the same figures have the same
/// name, wherever they were read.
pub(super) fn policy<'c>(
    catalog: &Catalog,
    models: impl Iterator<Item = &'c Model>,
    objective: Objective,
    preferences: &Preferences,
    routing: &Routing,
) -> String {
    let mut hash = Sha256::new();
    let mut text = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    text(REVISION);
    text(objective.name());
    let models: Vec<&Model> = models.collect();
    for model in &models {
        text(&model.id);
        for deployment in &model.deployments {
            text(&deployment.model);
            let provider = catalog.provider(deployment);
            text(provider.map_or("", |provider| &provider.name));
            text(provider.map_or("", |provider| provider.protocol.name));
        }
    }
    let mut number = |bits: u64| hash.update(bits.to_le_bytes());
    number(routing.max_attempts.into());
    number(routing.adaptive.into());
    let QualityPerDollar { lambda, delta, c0_usd } = preferences.quality_per_dollar;
    [lambda, delta, c0_usd, preferences.exploration].into_iter().chain(preferences.floors).for_each(|x| number(x.to_bits()));
    for model in models {
        let price = model.price;
        let whole = [model.context_window.0, model.max_output.0, price.input, price.output, price.cached_input, price.cache_write];
        let kind = [u64::from(model.kind == Kind::Embedding), model.dimensions.map_or(0, u64::from)];
        let shape = [model.capabilities.bits().into(), model.deployments.len() as u64];
        whole.into_iter().chain(kind).chain(shape).for_each(&mut number);
        let quality = TaskClass::ALL.iter().map(|class| model.quality.of(Some(*class)));
        quality.chain([model.quality.default, model.sensitivity]).for_each(|x| number(x.to_bits()));
        for deployment in &model.deployments {
            let latency = deployment.latency.map_or([0.0; 2], |latency| [latency.first_token_ms, latency.tokens_per_second]);
            number(deployment.priority.into());
            latency.into_iter().for_each(|x| number(x.to_bits()));
        }
    }
    hash.finalize().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect()
}
