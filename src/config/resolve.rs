//! From a [`Document`] to a [`Config`]: every reference resolved, every figure checked.

use super::catalog::{
    Capability, Catalog, Deployment, Endpoint, Latency, Model, ModelIndex, Objective, Price, Provider, Quality, TaskClass, Tokens,
};
use super::document::{self, Document};
use super::workspace::{Digest, Key, Workspace, WorkspaceIndex, Workspaces, matches_glob};
use super::{Config, ConfigError, Routing};
use crate::provider::Protocol;

type Checked<T> = Result<T, ConfigError>;

pub(super) fn config(document: &Document) -> Checked<Config> {
    let routing = routing(&document.routing)?;
    let default_objective = objective("routing.default_objective", &document.routing.default_objective)?;
    let catalog = catalog(document)?;
    let workspaces = workspaces(document, &catalog, default_objective)?;
    let max_request_bytes = document.listen.max_request_bytes;
    if !(1024..=MAX_REQUEST_BYTES).contains(&max_request_bytes) {
        return err("listen.max_request_bytes", format!("from 1024 to {MAX_REQUEST_BYTES}"));
    }
    Ok(Config { catalog, workspaces, routing, max_request_bytes, unenforced: unenforced(document) })
}

/// A VM traps near 1 GiB and holds several copies of a body while it translates.
const MAX_REQUEST_BYTES: u32 = 64 << 20;

/// An hour: longer waits are configuration errors in disguise.
const MAX_TIMEOUT_MS: u32 = 3_600_000;

fn err<T>(path: impl Into<String>, message: impl Into<String>) -> Checked<T> {
    Err(ConfigError::new(path, message))
}

fn one_of(names: &[&str]) -> String {
    ["expected one of ", &names.join(", ")].concat()
}

fn objective(path: &str, name: &str) -> Checked<Objective> {
    Objective::parse(name).map_or_else(|| err(path, one_of(Objective::NAMES)), Ok)
}

fn routing(routing: &document::Routing) -> Checked<Routing> {
    let answer_timeout_ms = routing.answer_timeout_ms.unwrap_or(routing.first_token_timeout_ms.saturating_mul(4).min(MAX_TIMEOUT_MS));
    for (name, value) in [
        ("first_token_timeout_ms", routing.first_token_timeout_ms),
        ("answer_timeout_ms", answer_timeout_ms),
        ("total_timeout_ms", routing.total_timeout_ms),
    ] {
        if !(1..=MAX_TIMEOUT_MS).contains(&value) {
            return err(format!("routing.{name}"), format!("milliseconds from 1 to {MAX_TIMEOUT_MS}"));
        }
    }
    if !(1..=16).contains(&routing.max_attempts) {
        return err("routing.max_attempts", "from 1 to 16");
    }
    Ok(Routing {
        max_attempts: routing.max_attempts,
        first_token_timeout_ms: routing.first_token_timeout_ms,
        answer_timeout_ms,
        total_timeout_ms: routing.total_timeout_ms,
    })
}

fn catalog(document: &Document) -> Checked<Catalog> {
    let mut catalog = Catalog::default();
    for (name, provider) in &document.providers {
        catalog.providers.push(self::provider(name, provider)?);
    }
    if document.models.is_empty() {
        return err("models", "at least one model");
    }
    for (i, model) in document.models.iter().enumerate() {
        let path = format!("models[{i}]");
        let model = self::model(&path, model, &catalog.providers)?;
        let index = ModelIndex(catalog.models.len());
        if catalog.by_id.insert(model.id.clone(), index).is_some() {
            return err(format!("{path}.id"), format!("`{}` stands twice in the catalogue", model.id));
        }
        catalog.models.push(model);
    }
    Ok(catalog)
}

fn provider(name: &str, provider: &document::Provider) -> Checked<Provider> {
    let path = format!("providers.{name}");
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return err(path, "a provider's name is made of letters, digits, `-` and `_`");
    }
    let Some(protocol) = Protocol::find(&provider.protocol) else {
        let known: Vec<&str> = Protocol::all().map(|p| p.name).collect();
        return err(format!("{path}.protocol"), one_of(&known));
    };
    let base_url = match (&provider.base_url, protocol.base_url) {
        (Some(url), _) => url.as_str(),
        (None, Some(preset)) => preset,
        (None, None) => return err(format!("{path}.base_url"), "this protocol has no preset; say where the provider is"),
    };
    let endpoint = Endpoint::parse(base_url).map_err(|message| ConfigError::new(format!("{path}.base_url"), message))?;
    Ok(Provider { name: name.to_owned(), cluster: ["provider_", name].concat(), protocol, endpoint })
}

fn model(path: &str, model: &document::Model, providers: &[Provider]) -> Checked<Model> {
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
    let mut capabilities = super::Capabilities::default();
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
        deployments.push(Deployment { provider, model: deployment.model.clone(), latency });
    }
    Ok(Model {
        id: model.id.clone(),
        kind: model.kind,
        provider_name: model.provider_name.clone(),
        context_window: Tokens(model.context_window.into()),
        max_output: Tokens(max_output.into()),
        price: price(&format!("{path}.price"), &model.price)?,
        capabilities,
        quality: quality(&format!("{path}.quality"), model)?,
        deployments,
    })
}

fn latency_figures(path: &str, latency: Latency) -> Checked<()> {
    let positive = |x: f64| x.is_finite() && x > 0.0;
    if positive(latency.first_token_ms) && positive(latency.tokens_per_second) { Ok(()) } else { err(path, "both figures are above 0") }
}

fn price(path: &str, price: &document::Price) -> Checked<Price> {
    let per_million = match price {
        document::Price::Free => return Ok(Price::default()),
        document::Price::PerMillion(per_million) => per_million,
    };
    let nanos = |name: &str, usd: f64| -> Checked<u64> {
        if usd.is_finite() && (0.0..=1_000_000.0).contains(&usd) {
            // USD per million tokens is micro-dollars per token; a thousandth of that is a nano-dollar.
            Ok((usd * 1000.0).round() as u64)
        } else {
            err(format!("{path}.{name}"), "USD per million tokens, 0 to 1000000")
        }
    };
    let input = nanos("input_per_m", per_million.input_per_m)?;
    Ok(Price {
        input,
        output: nanos("output_per_m", per_million.output_per_m)?,
        cached_input: per_million.cached_input_per_m.map_or(Ok(input), |usd| nanos("cached_input_per_m", usd))?,
    })
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

fn workspaces(document: &Document, catalog: &Catalog, default_objective: Objective) -> Checked<Workspaces> {
    let mut workspaces = Workspaces::default();
    if document.workspaces.is_empty() {
        return err("workspaces", "at least one workspace");
    }
    for (i, workspace) in document.workspaces.iter().enumerate() {
        let path = format!("workspaces[{i}]");
        if workspace.id.is_empty()
            || workspace.id.len() > 64
            || !workspace.id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        {
            return err(format!("{path}.id"), "1 to 64 letters, digits, `-`, `_` and `.`");
        }
        if workspaces.all.iter().any(|other| other.id == workspace.id) {
            return err(format!("{path}.id"), format!("`{}` stands twice", workspace.id));
        }
        for (k, key) in workspace.keys.iter().enumerate() {
            let at = format!("{path}.keys[{k}]");
            let Some(digest) = digest(&key.sha256) else {
                return err(format!("{at}.sha256"), "64 hexadecimal digits: the line that `nr key new` prints");
            };
            let key = Key { id: key.id.clone(), workspace: WorkspaceIndex(workspaces.all.len()) };
            if workspaces.keys.insert(digest, key).is_some() {
                return err(format!("{at}.sha256"), "this key stands twice");
            }
        }
        workspaces.all.push(Workspace {
            id: workspace.id.clone(),
            objective: workspace
                .objective
                .as_deref()
                .map_or(Ok(default_objective), |name| objective(&format!("{path}.objective"), name))?,
            models: allowed(&path, &workspace.models, catalog)?,
        });
    }
    Ok(workspaces)
}

fn allowed(path: &str, patterns: &[String], catalog: &Catalog) -> Checked<Vec<ModelIndex>> {
    for (i, pattern) in patterns.iter().enumerate() {
        if !catalog.models.iter().any(|model| matches_glob(pattern, &model.id)) {
            return err(format!("{path}.models[{i}]"), format!("no model of the catalogue matches `{pattern}`"));
        }
    }
    let allowed = catalog.models().filter(|(_, model)| patterns.iter().any(|pattern| matches_glob(pattern, &model.id)));
    Ok(allowed.map(|(index, _)| index).collect())
}

fn digest(hex: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    let nibble = |b: u8| char::from(b).to_digit(16);
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = u8::try_from(nibble(*high)? << 4 | nibble(*low)?).ok()?;
    }
    Some(digest)
}

fn unenforced(document: &Document) -> Vec<String> {
    let mut paths = Vec::new();
    for (i, workspace) in document.workspaces.iter().enumerate() {
        for (name, present) in [
            ("limits", workspace.limits.is_some()),
            ("budget", workspace.budget.is_some()),
            ("guardrails", !workspace.guardrails.is_empty()),
        ] {
            if present {
                paths.push(format!("workspaces[{i}].{name}"));
            }
        }
    }
    paths
}
