//! Embeddings: the documented schema of a request, and vectors that depend on the model and the input alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{invalid, request};
use crate::behaviour::Behaviour;
use crate::completion;
use crate::identity::mix;
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Enum, Text};
use crate::schema::{Field, POSITIVE, optional, required};

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// What becomes one vector.
pub(crate) enum Input<'a> {
    Text(&'a str),
    Tokens(Vec<u64>),
}

/// What the provider offers of a model.
struct Model {
    dimensions: usize,
    /// Whether a request may ask for fewer.
    shortens: bool,
}

const BODY: &[Field] = &[
    required("model", Text),
    // The provider has one sentence for all that can be wrong with it.
    required("input", Any),
    optional("encoding_format", Enum(&["float", "base64"])),
    optional("dimensions", POSITIVE),
    optional("user", Text),
];

const INPUT_INVALID: &str = "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.";

/// Documented bounds: inputs in a request, tokens in an input, tokens in a request.
const MOST_INPUTS: usize = 2048;
const WINDOW: u64 = 8192;
const MOST_TOKENS: u64 = 300_000;

/// The answer, or the provider's refusal.
pub(super) fn answer(headers: &HeaderMap, body: &[u8], behaviour: &Behaviour) -> Result<Bytes, Refusal> {
    let body = request::checked(BODY, headers, body)?;
    let name = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let inputs = body.get("input").and_then(inputs).ok_or_else(|| invalid(INPUT_INVALID))?;
    let dimensions = dimensions(name, &body)?;
    let prompt_tokens = count(&inputs)?;
    let base64 = body.get("encoding_format").is_some_and(|format| format == "base64");
    let embedding = |(index, input): (usize, &Input<'_>)| {
        let vector = vector(name, input, dimensions);
        let embedding = if base64 { Vector::Base64(encoded(&vector)) } else { Vector::Float(vector) };
        Embedding { object: "embedding", index, embedding }
    };
    let answer = Answer {
        object: "list",
        data: inputs.iter().enumerate().map(embedding).collect(),
        model: name,
        usage: behaviour.usage.then_some(Usage { prompt_tokens, total_tokens: prompt_tokens }),
    };
    Ok(serde_json::to_vec(&answer).unwrap_or_default().into())
}

/// A text, texts, tokens, or arrays of tokens; none of them empty and all of a kind.
fn inputs(value: &Value) -> Option<Vec<Input<'_>>> {
    let text = |value| Value::as_str(value).filter(|text| !text.is_empty()).map(Input::Text);
    let items = match value {
        Value::String(_) => return text(value).map(|input| vec![input]),
        Value::Array(items) => items.as_slice(),
        _ => return None,
    };
    match items {
        [] => None,
        [Value::Number(_), ..] => tokens(items).map(|input| vec![input]),
        _ if items.len() > MOST_INPUTS => None,
        [Value::Array(_), ..] => items.iter().map(|item| tokens(item.as_array()?)).collect(),
        _ => items.iter().map(text).collect(),
    }
}

fn tokens<'a>(items: &[Value]) -> Option<Input<'a>> {
    let tokens: Option<Vec<u64>> = items.iter().map(Value::as_u64).collect();
    tokens.filter(|tokens| !tokens.is_empty()).map(Input::Tokens)
}

fn model(name: &str) -> Model {
    match name {
        "text-embedding-3-large" => Model { dimensions: 3072, shortens: true },
        "text-embedding-ada-002" => Model { dimensions: 1536, shortens: false },
        _ => Model { dimensions: 1536, shortens: true },
    }
}

fn dimensions(name: &str, body: &Map<String, Value>) -> Result<usize, Refusal> {
    let model = model(name);
    let Some(asked) = body.get("dimensions").and_then(Value::as_u64) else { return Ok(model.dimensions) };
    if !model.shortens {
        return Err(invalid("This model does not support specifying dimensions."));
    }
    let most = model.dimensions;
    usize::try_from(asked)
        .ok()
        .filter(|asked| *asked <= most)
        .ok_or_else(|| invalid(format!("Invalid value for 'dimensions' = {asked}. Must be less than or equal to {most}.")))
}

/// Tokens of all inputs, if the model takes them.
fn count(inputs: &[Input<'_>]) -> Result<u64, Refusal> {
    let mut total = 0;
    for input in inputs {
        let tokens = match input {
            Input::Text(text) => completion::tokens(text.len()),
            Input::Tokens(tokens) => tokens.len() as u64,
        };
        if tokens > WINDOW {
            return Err(invalid(format!(
                "This model's maximum context length is {WINDOW} tokens, however you requested {tokens} tokens ({tokens} in your prompt; \
                 0 for the completion). Please reduce your prompt; or completion length."
            )));
        }
        total += tokens;
    }
    if total > MOST_TOKENS {
        let message = format!("Requested {total} tokens, max {MOST_TOKENS} tokens per request");
        let kind = "max_tokens_per_request";
        return Err(Refusal { kind, code: Some(kind), ..invalid(message) });
    }
    Ok(total)
}

/// A vector of length 1. With fewer dimensions it is the beginning of the whole one, stretched to that length.
pub(crate) fn vector(model: &str, input: &Input<'_>, dimensions: usize) -> Vec<f32> {
    let state = seed(model.len() as u64, model.bytes().map(u64::from));
    let mut state = match input {
        Input::Text(text) => seed(state, text.bytes().map(u64::from)),
        Input::Tokens(tokens) => seed(!state, tokens.iter().copied()),
    };
    let component = |_| {
        state = mix(state);
        // The upper 32 bits, as a number from -1 to 1.
        f64::from((state >> 32) as u32) / f64::from(u32::MAX) * 2.0 - 1.0
    };
    let raw: Vec<f64> = (0..dimensions).map(component).collect();
    let length = raw.iter().map(|x| x * x).sum::<f64>().sqrt();
    raw.iter().map(|x| (x / length) as f32).collect()
}

fn seed(state: u64, values: impl Iterator<Item = u64>) -> u64 {
    values.fold(state, |state, value| mix(state ^ value.wrapping_add(1)))
}

/// Little-endian 32-bit floats, in base64.
pub(crate) fn encoded(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    BASE64.encode(bytes)
}
