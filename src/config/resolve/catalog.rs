//! Providers, models and prices.

use super::{Checked, err, one_of};
use crate::config::ConfigError;
use crate::config::catalog::{
    Capabilities, Capability, Catalog, Deployment, Endpoint, Kind, Latency, Model, ModelIndex, Place, Price, Provider, Quality, TaskClass,
    Tokens,
};
use crate::config::document::{self, Document, PerMillion};
use crate::provider::{Protocol, Unsaid};

/// Well above any embedding model's.
const MAX_DIMENSIONS: u32 = 65_536;

/// Above any price there is; keeps a price times the tokens of a call far from the end of 64 bits.
const MAX_USD_PER_MILLION: f64 = 1_000_000.0;

pub(super) fn catalog(document: &Document, label_sets: u32) -> Checked<Catalog> {
    let mut catalog = Catalog::default();
    for (name, provider) in &document.providers {
        catalog.providers.push(self::provider(name, provider, label_sets)?);
    }
    if document.models.is_empty() {
        return err("models", "at least one model");
    }
    for (i, model) in document.models.iter().enumerate() {
        let path = format!("models[{i}]");
        let model = self::model(&path, model, &catalog.providers, catalog.deployments().count())?;
        let index = ModelIndex(catalog.models.len());
        if catalog.by_id.insert(model.id.clone(), index).is_some() {
            return err(format!("{path}.id"), format!("`{}` stands twice in the catalogue", model.id));
        }
        catalog.models.push(model);
    }
    Ok(catalog)
}

fn provider(name: &str, provider: &document::Provider, label_sets: u32) -> Checked<Provider> {
    let path = format!("providers.{name}");
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return err(path, "a provider's name is made of letters, digits, `-` and `_`");
    }
    let Some(protocol) = Protocol::find(&provider.protocol) else {
        let known: Vec<&str> = Protocol::all().map(|p| p.name).collect();
        return err(format!("{path}.protocol"), one_of(&known));
    };
    let place = place(&path, provider)?;
    let codec = protocol.codec("");
    let unsaid =
        |Unsaid(setting): Unsaid| ConfigError::new(format!("{path}.{setting}"), "this protocol needs it to know where the provider is");
    let base_url = match (&provider.base_url, protocol.base_url) {
        (Some(url), _) => url.clone(),
        (None, Some(preset)) => preset.to_owned(),
        (None, None) => codec.base_url(&place.within("")).map_err(unsaid)?,
    };
    let mut endpoint = Endpoint::parse(&base_url).map_err(|message| ConfigError::new(format!("{path}.base_url"), message))?;
    endpoint.path = codec.base_path(&place.within(&endpoint.path)).map_err(unsaid)?;
    Ok(Provider { name: name.to_owned(), cluster: ["provider_", name].concat(), protocol, endpoint, place, label_sets })
}

/// What becomes part of a path, a query or a host name must not end it.
fn place(path: &str, provider: &document::Provider) -> Checked<Place> {
    let word = |field: &str, value: &Option<String>, colon: bool| -> Checked<Option<String>> {
        let Some(value) = value else { return Ok(None) };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') || (colon && b == b':');
        let sound = (1..=64).contains(&value.len()) && value.bytes().all(plain) && !value.bytes().all(|b| b == b'.');
        if sound { Ok(Some(value.clone())) } else { err(format!("{path}.{field}"), if colon { PROJECT } else { WORD }) }
    };
    Ok(Place {
        api_version: word("api_version", &provider.api_version, false)?,
        project: word("project", &provider.project, true)?,
        location: word("location", &provider.location, false)?,
        region: word("region", &provider.region, false)?,
    })
}

const WORD: &str = "1 to 64 ASCII letters, digits, `-`, `.` and `_`, not only dots";
const PROJECT: &str = "1 to 64 ASCII letters, digits, `-`, `.`, `_` and `:`, not only dots";

/// `before` is how many deployments the models before it have.
fn model(path: &str, model: &document::Model, providers: &[Provider], before: usize) -> Checked<Model> {
    if model.id.is_empty() || model.id == "auto" || model.id.len() > 128 || !model.id.bytes().all(|b| b.is_ascii_graphic()) {
        return err(format!("{path}.id"), "1 to 128 visible ASCII characters, and not `auto`");
    }
    if model.context_window == 0 {
        return err(format!("{path}.context_window"), "at least 1 token");
    }
    let max_output = model.max_output_tokens.unwrap_or(model.context_window);
    if max_output == 0 || max_output > model.context_window {
        return err(format!("{path}.max_output_tokens"), "from 1 to context_window");
    }
    if model.dimensions.is_some() && model.kind != Kind::Embedding {
        return err(format!("{path}.dimensions"), "only an embedding model has dimensions");
    }
    if model.dimensions.is_some_and(|dimensions| !(1..=MAX_DIMENSIONS).contains(&dimensions)) {
        return err(format!("{path}.dimensions"), format!("from 1 to {MAX_DIMENSIONS}"));
    }
    let mut capabilities = Capabilities::default();
    for (i, name) in model.capabilities.iter().enumerate() {
        match Capability::parse(name) {
            Some(capability) => capabilities.insert(capability),
            None => return err(format!("{path}.capabilities[{i}]"), one_of(Capability::NAMES)),
        }
    }
    if model.deployments.is_empty() {
        return err(format!("{path}.deployments"), "at least one deployment");
    }
    let mut deployments = Vec::with_capacity(model.deployments.len());
    for (i, deployment) in model.deployments.iter().enumerate() {
        let at = format!("{path}.deployments[{i}]");
        let Some(provider) = providers.iter().position(|p| p.name == deployment.provider) else {
            return err(format!("{at}.provider"), format!("no provider `{}` in providers", deployment.provider));
        };
        if deployment.model.is_empty() || deployment.model.len() > 256 || deployment.model.chars().any(char::is_control) {
            return err(format!("{at}.model"), "1 to 256 characters, none of them a control character");
        }
        let latency = deployment.latency.or(model.latency);
        latency.map_or(Ok(()), |l| latency_figures(&format!("{at}.latency"), l))?;
        let priority = deployment.priority.unwrap_or(u32::try_from(i).unwrap_or(u32::MAX));
        deployments.push(Deployment { provider, model: deployment.model.clone(), latency, priority, position: before + i });
    }
    let quality = quality(&format!("{path}.quality"), model)?;
    let sensitivity = model.sensitivity.unwrap_or(1.0 - quality.default);
    if !(0.0..=1.0).contains(&sensitivity) {
        return err(format!("{path}.sensitivity"), "from 0 to 1");
    }
    Ok(Model {
        id: model.id.clone(),
        kind: model.kind,
        provider_name: model.provider_name.clone(),
        context_window: Tokens(model.context_window.into()),
        max_output: Tokens(max_output.into()),
        dimensions: model.dimensions,
        price: price(&format!("{path}.price"), &model.price, model.kind)?,
        capabilities,
        quality,
        sensitivity,
        deployments,
    })
}

fn latency_figures(path: &str, latency: Latency) -> Checked<()> {
    let positive = |x: f64| x.is_finite() && x > 0.0;
    if positive(latency.first_token_ms) && positive(latency.tokens_per_second) { Ok(()) } else { err(path, "both figures are above 0") }
}

fn price(path: &str, price: &document::Price, kind: Kind) -> Checked<Price> {
    let PerMillion { input_per_m, output_per_m, cached_input_per_m, cache_write_per_m } = match price {
        document::Price::Free => return Ok(Price::default()),
        document::Price::PerMillion(figures) => *figures,
    };
    let nanos = |name: &str, usd: f64| -> Checked<u64> {
        nanos_per_token(usd).map_or_else(|| err(format!("{path}.{name}"), "USD per million tokens, 0 to 1000000"), Ok)
    };
    let input = nanos("input_per_m", input_per_m)?;
    let output = match (output_per_m, kind) {
        (Some(usd), _) => nanos("output_per_m", usd)?,
        (None, Kind::Embedding) => 0,
        (None, Kind::Chat) => return err(format!("{path}.output_per_m"), "say what answers cost; only an embedding model has none"),
    };
    Ok(Price {
        input,
        output,
        cached_input: cached_input_per_m.map_or(Ok(input), |usd| nanos("cached_input_per_m", usd))?,
        cache_write: cache_write_per_m.map_or(Ok(input), |usd| nanos("cache_write_per_m", usd))?,
    })
}

/// USD per million tokens are micro-dollars per token; a thousandth of that is a nano-dollar. What is
/// finer is rounded up, so that what has a price is never free.
fn nanos_per_token(usd: f64) -> Option<u64> {
    if !(0.0..=MAX_USD_PER_MILLION).contains(&usd) {
        return None;
    }
    let nearest = (usd * 1000.0).round();
    let nanos = if nearest / 1000.0 == usd { nearest } else { (usd * 1000.0).ceil() };
    Some(nanos as u64)
}

fn quality(path: &str, model: &document::Model) -> Checked<Quality> {
    let mut quality = Quality { default: f64::NAN, by_class: Vec::new() };
    for (name, value) in &model.quality {
        if !(0.0..=1.0).contains(value) {
            return err(format!("{path}.{name}"), "from 0 to 1");
        }
        match (name.as_str(), TaskClass::parse(name)) {
            ("default", _) => quality.default = *value,
            (_, Some(class)) => quality.by_class.push((class, *value)),
            (_, None) => {
                return err(format!("{path}.{name}"), ["expected `default` or a task class: ", &TaskClass::NAMES.join(", ")].concat());
            }
        }
    }
    if quality.default.is_nan() {
        return err(format!("{path}.default"), "a default quality is required");
    }
    Ok(quality)
}

#[cfg(test)]
mod tests {
    use super::nanos_per_token;

    #[test]
    fn a_price_is_nano_dollars_per_token_and_never_less_than_what_was_said() {
        for (usd, expected) in [
            (0.0, Some(0)),
            (3.0, Some(3000)),
            (0.59, Some(590)),
            (0.075, Some(75)),
            (0.001, Some(1)),
            (0.0375, Some(38)),
            (0.000_000_1, Some(1)),
            (1_000_000.0, Some(1_000_000_000)),
            (1_000_000.1, None),
            (-0.001, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(nanos_per_token(usd), expected, "{usd}");
        }
        for thousandths in 0..200_000_u32 {
            assert_eq!(nanos_per_token(f64::from(thousandths) / 1000.0), Some(thousandths.into()), "{thousandths}");
        }
    }
}
