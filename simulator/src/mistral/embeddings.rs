//! Embeddings: texts only, and vectors that depend on the model and the text alone.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{invalid, request};
use crate::behaviour::Behaviour;
use crate::completion;
use crate::openai::embeddings::{Input, encoded, vector};
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Either, Enum, Text};
use crate::schema::{Field, POSITIVE, Shape, nullable, optional, required};

const BODY: &[Field] = &[
    required("model", Text),
    required("input", Either(&[Text, Array(1, &Text)])),
    nullable("metadata", Shape::Map(&Any)),
    nullable("output_dimension", POSITIVE),
    optional("output_dtype", Enum(&["float", "int8", "uint8", "binary", "ubinary"])),
    optional("encoding_format", Enum(&["float", "base64"])),
];

/// What `mistral-embed` gives.
const DIMENSIONS: u64 = 1024;

/// The answer, or the provider's refusal.
pub(super) fn answer(body: &[u8], behaviour: &Behaviour) -> Result<Bytes, Refusal> {
    let body = request::checked(BODY, body)?;
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let texts: Vec<&str> = match body.get("input") {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        one => one.and_then(Value::as_str).into_iter().collect(),
    };
    let asked = body.get("output_dimension").and_then(Value::as_u64);
    if asked.is_some() && model == "mistral-embed" {
        return Err(invalid("invalid_request_invalid_args", "3051", "output_dimension is not supported for this model"));
    }
    let base64 = body.get("encoding_format").is_some_and(|format| format == "base64");
    let embedding = |(index, text): (usize, &&str)| {
        let vector = vector(model, &Input::Text(text), asked.unwrap_or(DIMENSIONS) as usize);
        let embedding = if base64 { json!(encoded(&vector)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let tokens: u64 = texts.iter().map(|text| completion::tokens(text.len())).sum();
    let data: Vec<Value> = texts.iter().enumerate().map(embedding).collect();
    let usage = behaviour.usage.then(|| json!({"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}));
    let mut answer = json!({"id": "embd-simulated", "object": "list", "data": data, "model": model});
    if let (Some(answer), Some(usage)) = (answer.as_object_mut(), usage) {
        answer.insert("usage".to_owned(), usage);
    }
    Ok(answer.to_string().into())
}
