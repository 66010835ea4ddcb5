//! The path of a call from the name of its model, in every form in which Google writes it.

use crate::provider::Call;

/// Below the Gemini API's address: `models/x`, `tunedModels/x`, or the name alone
/// (<https://ai.google.dev/api/models>).
pub(super) fn gemini_api(call: &Call<'_>) -> String {
    let name = call.model.trim_start_matches('/');
    let name = name.strip_prefix("publishers/google/").or_else(|| name.strip_prefix("google/")).unwrap_or(name);
    let folder = if name.starts_with("models/") || name.starts_with("tunedModels/") { "" } else { "models/" };
    ["/v1beta/", folder, &escaped(name), method(call)].concat()
}

/// Below a project and location of Vertex AI: a model of a publisher, or an endpoint, which is where
/// tuned models are. Of a name that begins with its project, what follows the location.
pub(in crate::provider) fn vertex_ai(call: &Call<'_>) -> String {
    let name = call.model.trim_start_matches('/');
    let tail = ["/publishers/", "/endpoints/"].iter().find_map(|folder| name.find(folder)).and_then(|at| name.get(at + 1..));
    let name = tail.filter(|_| name.starts_with("projects/")).unwrap_or(name);
    if name.starts_with("publishers/") || name.starts_with("endpoints/") {
        return ["/", &escaped(name), method(call)].concat();
    }
    let name = name.strip_prefix("models/").or_else(|| name.strip_prefix("google/")).unwrap_or(name);
    ["/publishers/google/models/", &escaped(name), method(call)].concat()
}

fn method(call: &Call<'_>) -> &'static str {
    if call.stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" }
}

/// What cannot stand in a path, or would end the name of the model, as `%20`.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'@' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::{Endpoint, Fields};

    fn call(model: &str, stream: bool) -> Call<'_> {
        Call { endpoint: Endpoint::Chat, model, stream, stream_options: None, max_output: 1, fields: Fields::default() }
    }

    #[test]
    fn every_form_of_a_models_name_has_its_path() {
        for (model, gemini, vertex) in [
            ("gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro", "/publishers/google/models/gemini-2.5-pro"),
            ("models/gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro", "/publishers/google/models/gemini-2.5-pro"),
            ("publishers/google/models/x-001", "/v1beta/models/x-001", "/publishers/google/models/x-001"),
            ("google/x@default", "/v1beta/models/x@default", "/publishers/google/models/x@default"),
            ("tunedModels/mine", "/v1beta/tunedModels/mine", "/publishers/google/models/tunedModels/mine"),
            ("a b?c:d%é", "/v1beta/models/a%20b%3Fc%3Ad%25%C3%A9", "/publishers/google/models/a%20b%3Fc%3Ad%25%C3%A9"),
        ] {
            assert_eq!(gemini_api(&call(model, false)), [gemini, ":generateContent"].concat());
            assert_eq!(vertex_ai(&call(model, true)), [vertex, ":streamGenerateContent?alt=sse"].concat());
        }
        for (model, vertex) in [
            ("endpoints/123", "/endpoints/123:generateContent"),
            ("projects/p/locations/l/endpoints/123", "/endpoints/123:generateContent"),
            ("projects/p/locations/l/publishers/google/models/x", "/publishers/google/models/x:generateContent"),
            ("publishers/acme/models/x", "/publishers/acme/models/x:generateContent"),
        ] {
            assert_eq!(vertex_ai(&call(model, false)), vertex);
        }
    }
}
