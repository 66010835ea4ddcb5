//! Plausible values for a JSON schema: the arguments of a simulated tool call, the answer to a `json_schema` format.

use serde_json::{Map, Value, json};

/// A value the schema admits, as far as the keywords tools use go: type, enum, const, properties, required, items,
/// anyOf/oneOf/allOf, local $ref, bounds and lengths.
pub(crate) fn plausible(schema: &Value) -> Value {
    let value = value_of("value", schema, schema, 0);
    if value.is_null() { json!({}) } else { value }
}

/// Schemas may refer to themselves.
const DEPTH: usize = 8;

fn value_of(name: &str, schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEPTH {
        return Value::Null;
    }
    for fixed in ["const", "default"] {
        if let Some(value) = schema.get(fixed) {
            return value.clone();
        }
    }
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| value_of(name, target, root, depth + 1));
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(choice).and_then(|schemas| schemas.get(0)) {
            return value_of(name, first, root, depth + 1);
        }
    }
    match kind(schema) {
        "object" => object(schema, root, depth),
        "array" => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).min(16);
            (0..count).map(|_| value_of(name, items, root, depth + 1)).collect()
        }
        "integer" => json!(schema.get("minimum").and_then(Value::as_i64).unwrap_or(1)),
        "number" => json!(schema.get("minimum").and_then(Value::as_f64).unwrap_or(1.5)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => string(name, schema),
    }
}

fn kind(schema: &Value) -> &str {
    let stated = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        Some(kind) => kind.as_str(),
        None => None,
    };
    match stated {
        Some(kind) => kind,
        None if schema.get("items").is_some() => "array",
        None if schema.get("properties").is_some() || schema.as_object().is_none_or(Map::is_empty) => "object",
        None => "string",
    }
}

/// The required properties; all of them where none is required.
fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return json!({}) };
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted = properties.iter().filter(|(name, _)| required.is_empty() || required.contains(&name.as_str()));
    wanted.map(|(name, property)| (name.clone(), value_of(name, property, root, depth + 1))).collect::<Map<_, _>>().into()
}

fn string(name: &str, schema: &Value) -> Value {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2025-01-31",
        Some("date-time") => "2025-01-31T12:00:00Z",
        Some("email") => "someone@example.com",
        Some("uri" | "url") => "https://example.com/",
        _ => match name {
            "city" | "location" | "place" => "Paris",
            "query" | "q" | "question" => "weather in Paris",
            "unit" => "celsius",
            _ => "example",
        },
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(4_096) as usize;
    let most = schema.get("maxLength").and_then(Value::as_u64).map_or(usize::MAX, |most| most as usize);
    json!(text.chars().chain(std::iter::repeat('x')).take(text.len().max(least).min(most)).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_follow_the_schema() {
        for (case, schema, expected) in [
            ("no schema", Value::Null, json!({})),
            (
                "required only",
                json!({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}),
                json!({"city":"Paris"}),
            ),
            ("all when none is required", json!({"properties":{"a":{"type":"number"},"b":{"type":"boolean"}}}), json!({"a":1.5,"b":true})),
            ("enum", json!({"type":"object","properties":{"unit":{"enum":["c","f"]}}}), json!({"unit":"c"})),
            ("nullable", json!({"properties":{"x":{"type":["null","string"]}}}), json!({"x":"example"})),
            (
                "array with a bound",
                json!({"properties":{"xs":{"type":"array","minItems":2,"items":{"type":"integer","minimum":7}}}}),
                json!({"xs":[7,7]}),
            ),
            (
                "reference",
                json!({"$defs":{"p":{"type":"string","minLength":9}},"properties":{"x":{"$ref":"#/$defs/p"}}}),
                json!({"x":"examplexx"}),
            ),
        ] {
            assert_eq!(plausible(&schema), expected, "{case}");
        }
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let schema = json!({"type":"object","properties":{"next":{"$ref":"#"}}});
        assert!(plausible(&schema).to_string().len() < 1_000);
    }
}
