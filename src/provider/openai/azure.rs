//! Where calls go at Azure OpenAI (<https://learn.microsoft.com/azure/ai-foundry/openai/reference>): a deployment
//! stands in the path and the version of the API in the query, but for the newer `/openai/v1`, which is OpenAI's.

use std::borrow::Cow;

use crate::openai::Endpoint;
use crate::provider::Place;

/// The version that is asked for where the file does not say: generally available, and supported longest.
const API_VERSION: &str = "2024-10-21";

const DEPLOYMENTS: &str = "/deployments/";

/// What stands before the paths of all calls. People write the resource, the resource with `/openai`, the
/// address of a deployment as the portal shows it, or the newer base.
pub(super) fn base_path(place: &Place<'_>) -> String {
    let whole = [Endpoint::Chat, Endpoint::Embeddings].iter().find_map(|endpoint| place.path.strip_suffix(endpoint.path()));
    let path = whole.unwrap_or(place.path).trim_end_matches('/');
    let newer = path.ends_with("/openai/v1");
    let complete = newer || path.ends_with("/openai") || path.contains(DEPLOYMENTS);
    let mut base = [path, if complete { "" } else { "/openai" }].concat();
    if let Some(version) = place.api_version.or((!newer).then_some(API_VERSION)) {
        base.push_str("?api-version=");
        escape(version, &mut base);
    }
    base
}

/// Where a call goes below it.
pub(super) fn path(base_path: &str, endpoint: Endpoint, model: &str) -> Cow<'static, str> {
    if base_path.ends_with("/openai/v1") || base_path.contains(DEPLOYMENTS) {
        return Cow::Borrowed(endpoint.path());
    }
    let mut path = DEPLOYMENTS.to_owned();
    escape(model, &mut path);
    path.push_str(endpoint.path());
    Cow::Owned(path)
}

/// Appends what may stand in a segment of a path or a value of a query (RFC 3986, section 2.3).
fn escape(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| char::from(HEX.get(usize::from(value)).copied().unwrap_or(b'0'));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_the_resource_leads_to_the_deployment() {
        let chat = "/deployments/gpt-4o/chat/completions";
        for (given, api_version, base, rest) in [
            ("", None, "/openai?api-version=2024-10-21", chat),
            ("/openai", None, "/openai?api-version=2024-10-21", chat),
            ("", Some("2025-04-01-preview"), "/openai?api-version=2025-04-01-preview", chat),
            ("/gateway", None, "/gateway/openai?api-version=2024-10-21", chat),
            ("/openai/v1", None, "/openai/v1", "/chat/completions"),
            ("/openai/v1", Some("preview"), "/openai/v1?api-version=preview", "/chat/completions"),
            ("/openai/v1/", None, "/openai/v1", "/chat/completions"),
            ("/openai/deployments/mine", None, "/openai/deployments/mine?api-version=2024-10-21", "/chat/completions"),
            ("/openai/deployments/mine/chat/completions", None, "/openai/deployments/mine?api-version=2024-10-21", "/chat/completions"),
            ("", Some("a&b=c"), "/openai?api-version=a%26b%3Dc", chat),
        ] {
            let found = base_path(&Place { path: given, api_version, ..Place::default() });
            assert_eq!(found, base, "{given}");
            let bare = found.split('?').next().unwrap_or_default();
            assert_eq!(path(bare, Endpoint::Chat, "gpt-4o"), rest, "{given}");
        }
    }

    #[test]
    fn a_deployment_is_one_segment_of_the_path() {
        assert_eq!(path("/openai", Endpoint::Embeddings, "a/b ü?#"), "/deployments/a%2Fb%20%C3%BC%3F%23/embeddings");
    }
}
