//! `GET /v1/models`: the catalogue as one workspace sees it.

use serde::Serialize;

use crate::authenticate::Caller;
use crate::config::Catalog;
use crate::config::catalog::{Kind, Model};
use crate::health::{self, Health};
use crate::rejection::Rejection;

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
}

/// Catalogue entries have no date of their own; OpenAI's clients demand one.
const CREATED: u64 = 1_735_689_600;

/// Nano-dollars per token to US dollars per million tokens.
const PER_MILLION: f64 = 1000.0;

fn entry<'a>(catalog: &Catalog, model: &'a Model) -> Entry<'a> {
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
        health: health::of(catalog, model),
    }
}

/// The body of `GET /v1/models`.
pub fn list(catalog: &Catalog, caller: &Caller<'_>) -> Vec<u8> {
    let data = catalog.models().filter(|(index, _)| caller.may_use(*index)).map(|(_, model)| entry(catalog, model)).collect();
    serde_json::to_vec(&List { object: "list", data }).unwrap_or_default()
}

/// The body of `GET /v1/models/{id}`.
pub fn retrieve(catalog: &Catalog, caller: &Caller<'_>, id: &str) -> Result<Vec<u8>, Rejection> {
    let index = caller.known(catalog, id, || "model".to_owned())?;
    let model = catalog.model(index).ok_or_else(|| Rejection::model_not_found(id, "model"))?;
    Ok(serde_json::to_vec(&entry(catalog, model)).unwrap_or_default())
}
