//! What in a body is not text of a human: words of the API and of JSON Schema, and bytes in base64.
//!
//! The lists are closed. Whatever is not on them is looked at, so that a member invented tomorrow, or
//! by a caller, hides nothing; the price is that a rule may find something in it.

/// Names of members that are no text: those of the Chat Completions and Embeddings API
/// (<https://platform.openai.com/docs/api-reference>) and of JSON Schema
/// (<https://json-schema.org/draft/2020-12/schema>). In alphabetical order.
#[rustfmt::skip]
const NAMES: [&str; 163] = [
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema", "additionalItems",
    "additionalProperties", "allOf", "allowed_tools", "annotations", "anyOf", "approximate", "arguments", "audio",
    "budget_tokens", "cache_control", "choices", "citations", "city", "const", "contains", "content", "contentEncoding",
    "contentMediaType", "contentSchema", "country", "created", "custom", "data", "default", "definition", "definitions", "delta",
    "dependentRequired", "dependentSchemas", "deprecated", "description", "detail", "dimensions", "effort", "else",
    "encoding_format", "end_index", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "expires_at", "file", "file_data",
    "file_id", "filename", "finish_reason", "format", "frequency_penalty", "function", "function_call", "functions", "grammar",
    "id", "if", "image_url", "include_obfuscation", "include_usage", "index", "input", "input_audio", "items", "json_schema",
    "logit_bias", "logprobs", "maxContains", "maxItems", "maxLength", "maxProperties", "max_completion_tokens", "max_tokens",
    "maximum", "message", "messages", "metadata", "minContains", "minItems", "minLength", "minProperties", "min_p", "minimum",
    "modalities", "mode", "model", "multipleOf", "n", "name", "not", "nullable", "object", "oneOf", "parallel_tool_calls",
    "parameters", "pattern", "patternProperties", "prediction", "prefixItems", "presence_penalty", "prompt_cache_key",
    "prompt_cache_retention", "properties", "propertyNames", "readOnly", "reasoning", "reasoning_content", "reasoning_effort",
    "refusal", "region", "repetition_penalty", "required", "response_format", "role", "route", "safety_identifier", "schema",
    "search_context_size", "seed", "service_tier", "start_index", "stop", "store", "stream", "stream_options", "strict", "syntax",
    "system_fingerprint", "temperature", "text", "then", "thinking", "timezone", "title", "tool_call_id", "tool_calls",
    "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "transcript", "ttl", "type", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems", "url", "url_citation", "usage", "user", "user_location", "verbosity", "voice",
    "web_search_options", "writeOnly",
];

/// Members whose string is a word of the API, or an id that a provider has given out. In
/// alphabetical order.
#[rustfmt::skip]
const WORDS: [&str; 20] = [
    "detail", "effort", "encoding_format", "finish_reason", "format", "function_call", "id", "modalities", "mode", "object",
    "reasoning_effort", "role", "search_context_size", "service_tier", "syntax", "tool_call_id", "tool_choice", "type", "verbosity",
    "voice",
];

/// Members whose names and values are all chosen by the caller: `{"type": "…"}` in there is no word
/// of the API.
const FREE: [&str; 6] = ["const", "default", "enum", "examples", "input", "metadata"];

/// Members that carry images, sounds and documents.
const DATA: [&str; 5] = ["b64_json", "data", "file_data", "image_url", "url"];

/// The longest word is shorter, and so are the ids of most providers.
const MAX_WORD_BYTES: usize = 64;

/// Fewer characters of base64 are no file, but may be a number that somebody should not send.
const MIN_DATA_BYTES: usize = 64;

/// `data:application/vnd.openxmlformats-officedocument.wordprocessingml.document;base64,` has 86.
const MAX_DATA_HEAD_BYTES: usize = 256;

/// Whether a member's name is one of the API or of JSON Schema.
pub(super) fn is_name(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// Whether everything in a member of this name is the caller's.
pub(super) fn is_free(name: &str) -> bool {
    FREE.binary_search(&name).is_ok()
}

/// Whether a string that is the value of a member is a word of the API or data, and no text. It has to
/// look like one, too: a sentence, a number or an address is text, whatever the member's name.
/// `inside` is the string as written, without its quotes.
pub(crate) fn is_no_text(name: &str, inside: &str) -> bool {
    inside.is_empty() || WORDS.binary_search(&name).is_ok() && is_word(inside) || DATA.contains(&name) && is_data(inside)
}

fn is_word(inside: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    inside.len() <= MAX_WORD_BYTES && inside.bytes().all(fits) && inside.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Base64, also below a `data:` URI, and also with its slashes escaped.
fn is_data(inside: &str) -> bool {
    let bytes = inside.as_bytes();
    let head = bytes.get(..bytes.len().min(MAX_DATA_HEAD_BYTES)).unwrap_or_default();
    let body = match memchr::memchr(b',', head) {
        Some(comma) if is_data_head(head.get(..comma).unwrap_or_default()) => bytes.get(comma + 1..).unwrap_or_default(),
        Some(_) => return false,
        None => bytes,
    };
    body.len() >= MIN_DATA_BYTES
        && body.split(|byte| *byte == b'\\').enumerate().all(|(index, run)| {
            let run = if index == 0 { Some(run) } else { run.strip_prefix(b"/") };
            run.is_some_and(|run| run.iter().all(|byte| byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')))
        })
}

fn is_data_head(head: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'\\' | b'+' | b'-' | b'.' | b';' | b'=');
    let kind = head.strip_prefix(b"data:").and_then(|kind| kind.strip_suffix(b";base64"));
    kind.is_some_and(|kind| kind.iter().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order() {
        for list in [NAMES.as_slice(), &WORDS, &FREE] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
        assert!(WORDS.iter().chain(&FREE).all(|name| is_name(name)));
        assert!(!is_name("project x") && !is_name(""));
    }

    #[test]
    fn a_word_of_the_api_looks_like_one() {
        for (name, inside, no_text) in [
            ("role", "user", true),
            ("id", "call_abc-123.4", true),
            ("tool_call_id", "toolu_01A09q90qw90lq917835lq9", true),
            ("content", "user", false),
            ("role", "project x", false),
            ("id", "4111111111111111", false),
            ("id", "10.0.0.1", false),
            ("id", "+1-202-555-0100", false),
            ("detail", r"\u0070roject", false),
            ("type", &"x".repeat(65), false),
            ("content", "", true),
        ] {
            assert_eq!(is_no_text(name, inside), no_text, "{name}: {inside}");
        }
    }

    #[test]
    fn data_is_base64_and_long() {
        let base64 = "QUJD+/09".repeat(10);
        for (name, inside, no_text) in [
            ("url", format!("data:image/png;base64,{base64}=="), true),
            ("url", format!(r"data:image\/png;base64,{}", base64.replace('/', r"\/")), true),
            ("data", base64.clone(), true),
            ("file_data", base64.replace('/', "_").replace('+', "-"), true),
            ("text", base64.clone(), false),
            ("url", "data:image/png;base64,QUJD".to_owned(), false),
            ("data", "4111111111111111".to_owned(), false),
            ("url", format!("data:text/plain;base64,project x{base64}"), false),
            ("url", format!("data:text/plain,{base64}"), false),
            ("url", format!("data:project x;base64,{base64}"), false),
            ("url", format!(r"data:image/png;base64,{base64}\u0070"), false),
            ("url", format!("https://example.com/{base64}"), false),
        ] {
            assert_eq!(is_no_text(name, &inside), no_text, "{name}: {inside}");
        }
    }
}
