//! Schemas of structured outputs and strict tools: the keywords that are not enforced are refused.

use serde_json::{Map, Value};

use super::invalid;
use crate::protocol::Refusal;

const FORMATS: [&str; 10] = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Checks every schema of a body that the answer will be held to.
pub(super) fn check(body: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(schema) = body.get("output_config").and_then(|config| config.pointer("/format/schema")) {
        check_schema("output_config.format.schema", schema)?;
    }
    for (index, tool) in body.get("tools").and_then(Value::as_array).into_iter().flatten().enumerate() {
        if tool.get("strict") == Some(&Value::Bool(true)) {
            check_schema(&format!("tools.{index}.custom"), &tool["input_schema"])?;
        }
    }
    Ok(())
}

fn check_schema(at: &str, schema: &Value) -> Result<(), Refusal> {
    let Some(object) = schema.as_object() else { return Ok(()) };
    let kind = object.get("type").map(|kind| kind.as_str().map_or_else(|| kind.to_string(), str::to_owned)).unwrap_or_default();
    let unknown: Vec<&str> = object.iter().filter(|(name, value)| !is_enforced(name, value)).map(|(name, _)| name.as_str()).collect();
    if let Some(first) = unknown.first() {
        return Err(invalid(match unknown.len() {
            1 => format!("{at}: For '{kind}' type, property '{first}' is not supported"),
            _ => format!("{at}: For '{kind}' type, properties {} are not supported", unknown.join(", ")),
        }));
    }
    let describes_objects = kind.contains("object") || object.contains_key("properties");
    if describes_objects && object.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(invalid(format!("{at}: For 'object' type, 'additionalProperties' must be explicitly set to false")));
    }
    for name in ["properties", "$defs", "definitions"] {
        object.get(name).and_then(Value::as_object).into_iter().flatten().try_for_each(|(_, schema)| check_schema(at, schema))?;
    }
    for name in ["anyOf", "allOf"] {
        object.get(name).and_then(Value::as_array).into_iter().flatten().try_for_each(|schema| check_schema(at, schema))?;
    }
    object.get("items").map_or(Ok(()), |items| check_schema(at, items))
}

fn is_enforced(name: &str, value: &Value) -> bool {
    match name {
        "type"
        | "title"
        | "description"
        | "default"
        | "required"
        | "$ref"
        | "properties"
        | "additionalProperties"
        | "$defs"
        | "definitions"
        | "items"
        | "anyOf"
        | "allOf"
        | "const"
        | "enum" => true,
        "format" => value.as_str().is_some_and(|format| FORMATS.contains(&format)),
        "minItems" => matches!(value.as_u64(), Some(0 | 1)),
        _ => false,
    }
}
