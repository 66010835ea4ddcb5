//! Models that "auto" never picks, because another one is at least as good in every figure.

use neural_router::config::catalog::{Kind, Latency, Model};
use neural_router::config::{Capability, Catalog, ModelIndex, TaskClass};
use neural_router::provider::Treatment;
use neural_router::rank::ASSUMED_LATENCY;

use super::{Policy, list};
use crate::finding::{Finding, Rule};

pub(super) fn models(policy: &Policy<'_>) -> Vec<Finding> {
    let finding = |(i, index, model): (usize, ModelIndex, &Model)| {
        let (_, _, better) = policy.models().find(|(j, other, better)| {
            *j != i && policy.within_reach(index, *other) && at_least_as_good(better, model) && is_preferred(better, *j < i, model)
        })?;
        let exception = match only_by(&policy.config.catalog, model, better) {
            parameters if parameters.is_empty() => String::new(),
            parameters => format!(", but for requests with {}, which `{}` cannot take", list(parameters), better.id),
        };
        Some(Finding {
            rule: Rule::DominatedModel,
            path: format!("models[{i}].id"),
            what: format!(
                "no objective ever picks `{}` for \"auto\"{exception}: `{}` is at least as good in everything and better in {}",
                model.id,
                better.id,
                advantages(better, model).join(", ")
            ),
            why: "it only answers when it is asked for by its id, as a fallback, or after others have failed".to_owned(),
            advice: format!(
                "take it out if nobody asks for it by id; if it is better at something, say so in its figures, such as a quality for that \
                 class of task ({})",
                TaskClass::NAMES.join(", ")
            ),
        })
    };
    policy.models().filter_map(finding).collect()
}

impl Policy<'_> {
    /// Whether somebody may use `model`, and everybody who may also may use `other`.
    fn within_reach(&self, model: ModelIndex, other: ModelIndex) -> bool {
        let mut users = self.callers().into_iter().filter(|caller| caller.may_use(model)).peekable();
        users.peek().is_some() && users.all(|caller| caller.may_use(other))
    }
}

fn at_least_as_good(better: &Model, model: &Model) -> bool {
    let (a, b) = (&model.price, &better.price);
    let cheap = b.input <= a.input && b.output <= a.output && b.cached_input <= a.cached_input && b.cache_write <= a.cache_write;
    let steady = better.sensitivity <= model.sensitivity;
    let good = steady && classes().all(|class| better.quality.of(class) >= model.quality.of(class));
    let quick = at_least_as_fast(better, model).is_some();
    let able = model.capabilities.missing_from(better.capabilities).next().is_none();
    // Longer vectors are other vectors, and fewer of them fit into an answer.
    let alike = better.kind == model.kind && better.dimensions == model.dimensions;
    let roomy = better.context_window >= model.context_window && (model.kind == Kind::Embedding || better.max_output >= model.max_output);
    alike && able && roomy && cheap && good && quick && !advantages(better, model).is_empty()
}

/// Whether no tie is decided for the lesser one: what is equal stays in the order of the file.
fn is_preferred(better: &Model, stands_first: bool, model: &Model) -> bool {
    let cheaper = better.price.input < model.price.input || better.price.output < model.price.output;
    stands_first || cheaper || classes().all(|class| better.quality.of(class) > model.quality.of(class))
}

/// Every class, and the unknown one.
fn classes() -> impl Iterator<Item = Option<TaskClass>> {
    TaskClass::ALL.iter().copied().map(Some).chain([None])
}

/// A model is as fast as its fastest deployment, which may be one for short answers and another for long ones: the best
/// figures of `model`, and a deployment of `better` that has no worse.
fn at_least_as_fast(better: &Model, model: &Model) -> Option<(Latency, Latency)> {
    let figures = |model: &Model| -> Vec<Latency> { model.deployments.iter().map(|d| d.latency.unwrap_or(ASSUMED_LATENCY)).collect() };
    let own = figures(model);
    let best = own.iter().copied().reduce(|a, b| Latency {
        first_token_ms: a.first_token_ms.min(b.first_token_ms),
        tokens_per_second: a.tokens_per_second.max(b.tokens_per_second),
    })?;
    let no_worse = |fast: &Latency| fast.first_token_ms <= best.first_token_ms && fast.tokens_per_second >= best.tokens_per_second;
    Some((best, figures(better).into_iter().find(no_worse)?))
}

/// In what the better one is strictly better.
fn advantages(better: &Model, model: &Model) -> Vec<String> {
    let (a, b) = (&model.price, &better.price);
    let (faster, speedier) = at_least_as_fast(better, model).map_or((false, false), |(slow, fast)| {
        (fast.first_token_ms < slow.first_token_ms, fast.tokens_per_second > slow.tokens_per_second)
    });
    let quality = classes().any(|class| better.quality.of(class) > model.quality.of(class));
    let more: Vec<&str> = better.capabilities.missing_from(model.capabilities).map(|capability| capability.name()).collect();
    let mut advantages: Vec<String> = [
        (quality, "quality"),
        (better.sensitivity < model.sensitivity, "sensitivity to hard prompts"),
        (b.input < a.input, "input price"),
        (b.output < a.output, "output price"),
        (b.cached_input < a.cached_input, "price of cached input"),
        (b.cache_write < a.cache_write, "price of cache writes"),
        (better.context_window > model.context_window, "context window"),
        (model.kind == Kind::Chat && better.max_output > model.max_output, "longest answer"),
        (faster, "time to the first token"),
        (speedier, "tokens per second"),
    ]
    .into_iter()
    .filter(|(is_better, _)| *is_better)
    .map(|(_, name)| name.to_owned())
    .collect();
    if !more.is_empty() {
        advantages.push(format!("capabilities ({})", more.join(", ")));
    }
    advantages
}

/// Parameters with which requests go to `model` but not to `better`, whose protocols have no words for them.
fn only_by(catalog: &Catalog, model: &Model, better: &Model) -> Vec<&'static str> {
    let tables = |model: &Model| -> Vec<&'static [(&'static str, Treatment)]> {
        let table = |deployment| catalog.provider(deployment).map(|provider| provider.protocol.codec(&deployment.model).treatments());
        model.deployments.iter().filter_map(table).collect()
    };
    let (own, others) = (tables(model), tables(better));
    let is_refused = |tables: &[&[(&str, Treatment)]], parameter: &str| {
        tables.iter().all(|table| table.iter().any(|(name, treatment)| *name == parameter && *treatment == Treatment::Refused))
    };
    let Some(first) = others.first() else { return Vec::new() };
    let parameters = first.iter().map(|(name, _)| *name).filter(|parameter| is_within(model, parameter));
    parameters.filter(|parameter| is_refused(&others, parameter) && !is_refused(&own, parameter)).collect()
}

/// Whether requests with this parameter are for models that can do what this one can.
fn is_within(model: &Model, parameter: &str) -> bool {
    let needed = match parameter {
        "image_url" | "image_url (web)" => Capability::Vision,
        "custom tools" | "functions" | "function_call" => Capability::Tools,
        _ => return true,
    };
    model.capabilities.contains(needed)
}
