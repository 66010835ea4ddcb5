//! Embeddings: vectors by their type, which depend on the model and the text alone.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{invalid, request};
use crate::behaviour::Behaviour;
use crate::completion;
use crate::openai::embeddings::{Input, encoded, vector};
use crate::protocol::Refusal;
use crate::schema::Shape::{Any, Array, Enum, Text};
use crate::schema::{Field, POSITIVE, optional, required};

const BODY: &[Field] = &[
    required("model", Text),
    required("input_type", Enum(&["search_document", "search_query", "classification", "clustering", "image"])),
    optional("texts", Array(1, &Text)),
    optional("images", Array(1, &Text)),
    optional("inputs", Array(1, &Any)),
    optional("max_tokens", POSITIVE),
    optional("output_dimension", POSITIVE),
    optional("embedding_types", Array(1, &Enum(&["float", "int8", "uint8", "binary", "ubinary", "base64"]))),
    optional("truncate", Enum(&["NONE", "START", "END"])),
    optional("priority", POSITIVE),
];

/// Documented bounds.
const MOST_TEXTS: usize = 96;
const DIMENSIONS: [u64; 4] = [256, 512, 1024, 1536];

/// The answer, or the provider's refusal. Of the types, only `float` and `base64` are written.
pub(super) fn answer(body: &[u8], behaviour: &Behaviour) -> Result<Bytes, Refusal> {
    let body = request::checked(BODY, body)?;
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let texts: Vec<&str> = items(body.get("texts")).iter().filter_map(Value::as_str).collect();
    if texts.is_empty() {
        return Err(invalid("texts must be provided"));
    }
    if texts.len() > MOST_TEXTS {
        return Err(invalid(format!("total number of texts must be at most {MOST_TEXTS} - received {}", texts.len())));
    }
    let asked = body.get("output_dimension").and_then(Value::as_u64);
    if asked.is_some_and(|asked| !DIMENSIONS.contains(&asked)) {
        return Err(invalid("output_dimension must be one of: 256, 512, 1024, 1536"));
    }
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| vector(model, &Input::Text(text), asked.unwrap_or(1536) as usize)).collect();
    let mut embeddings = Map::new();
    let types = items(body.get("embedding_types")).iter().filter_map(Value::as_str);
    for kind in types.chain(body.get("embedding_types").is_none().then_some("float")) {
        let of_type = match kind {
            "base64" => vectors.iter().map(|vector| json!(encoded(vector))).collect(),
            _ => vectors.iter().map(|vector| json!(vector)).collect::<Vec<_>>(),
        };
        embeddings.insert(kind.to_owned(), json!(of_type));
    }
    let mut meta = json!({"api_version": {"version": "2"}});
    if let (Some(meta), true) = (meta.as_object_mut(), behaviour.usage) {
        let tokens: u64 = texts.iter().map(|text| completion::tokens(text.len())).sum();
        meta.insert("billed_units".to_owned(), json!({"input_tokens": tokens}));
    }
    let answer =
        json!({"id": "e-simulated", "embeddings": embeddings, "texts": texts, "meta": meta, "response_type": "embeddings_by_type"});
    Ok(answer.to_string().into())
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
