//! `GET /v1/models`: the catalogue as one workspace sees it.

use serde::Serialize;

use crate::authenticate::Caller;
use crate::config::Catalog;
use crate::config::catalog::{Kind, Model};
use crate::rejection::Rejection;
use crate::vitals::{Health, Snapshot, Vital};

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    provider: &'a str,
    kind: Kind,
    context_window: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u32>,
    input_per_m: f64,
    output_per_m: f64,
    health: Health,
    success_rate: Option<f64>,
    latency: Latency,
}

/// What was measured, in milliseconds; `null` where nothing was.
#[derive(Serialize)]
struct Latency {
    first_token_ms: Option<f64>,
    first_token_p95_ms: Option<f64>,
    tokens_per_second: Option<f64>,
}

impl Latency {
    fn of(vital: &Vital) -> Self {
        Self {
            first_token_ms: vital.first_token.known().map(shown),
            first_token_p95_ms: vital.first_token_p95_ms.map(shown),
            tokens_per_second: vital.tokens_per_second.known().map(shown),
        }
    }
}

/// A tenth is more than is known.
fn shown(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

/// Catalogue entries have no date of their own; OpenAI's clients demand one.
const CREATED: u64 = 1_735_689_600;

/// Nano-dollars per token to US dollars per million tokens.
const PER_MILLION: f64 = 1000.0;

fn entry<'a>(model: &'a Model, snapshot: &Snapshot) -> Entry<'a> {
    // That of its healthiest deployment; of equals, the first of the file.
    let unknown = Vital::default();
    let vital = model.deployments.iter().map(|deployment| snapshot.of(deployment)).min_by_key(|vital| vital.health).unwrap_or(&unknown);
    Entry {
        id: &model.id,
        object: "model",
        created: CREATED,
        owned_by: &model.provider_name,
        provider: &model.provider_name,
        kind: model.kind,
        context_window: model.context_window.0,
        max_output_tokens: (model.kind == Kind::Chat).then_some(model.max_output.0),
        dimensions: model.dimensions,
        input_per_m: model.price.input as f64 / PER_MILLION,
        output_per_m: model.price.output as f64 / PER_MILLION,
        health: vital.health,
        success_rate: vital.success_rate.map(|rate| (f64::from(rate) * 1000.0).round() / 1000.0),
        latency: Latency::of(vital),
    }
}

/// The body of `GET /v1/models`.
pub fn list(catalog: &Catalog, caller: &Caller<'_>, snapshot: &Snapshot) -> Vec<u8> {
    let data = catalog.models().filter(|(index, _)| caller.may_use(*index)).map(|(_, model)| entry(model, snapshot)).collect();
    serde_json::to_vec(&List { object: "list", data }).unwrap_or_default()
}

/// The body of `GET /v1/models/{id}`.
pub fn retrieve(catalog: &Catalog, caller: &Caller<'_>, id: &str, snapshot: &Snapshot) -> Result<Vec<u8>, Rejection> {
    let index = caller.known(catalog, id, || "model".to_owned())?;
    let model = catalog.model(index).ok_or_else(|| Rejection::model_not_found(id, "model"))?;
    Ok(serde_json::to_vec(&entry(model, snapshot)).unwrap_or_default())
}
