//! The ready line and a call to paste: all that `nr up` writes to standard output.

use std::io::Write;

use neural_router::config::Document;

use super::readiness::reachable;
use crate::failure::Failure;

/// Says that calls are taken, where, and with which key.
pub(super) fn ready(document: &Document, key: Option<&str>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text(document, key).as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(format!("standard output: {error}")))
}

fn text(document: &Document, key: Option<&str>) -> String {
    let scheme = if document.listen.tls.is_some() { "https" } else { "http" };
    let address = reachable(&document.listen.address, document.listen.port)
        .map_or_else(|| format!("{}:{}", document.listen.address, document.listen.port), |address| address.to_string());
    let url = format!("{scheme}://{address}");
    let shown = key.map_or_else(String::new, |key| format!(" key {key}"));
    let (authorization, hint) = match key {
        Some(key) => (format!("'Authorization: Bearer {key}'"), ""),
        None => ("\"Authorization: Bearer $NR_KEY\"".to_owned(), "# NR_KEY: a key made with `nr key new`\n"),
    };
    format!(
        "ready {url}{shown}\n\n{hint}curl {url}/v1/chat/completions \\\n  -H {authorization} -H 'Content-Type: application/json' \\\n  \
         -d '{{\"model\": \"auto\", \"messages\": [{{\"role\": \"user\", \"content\": \"Say hello.\"}}]}}'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;

    fn demo() -> Document {
        load::document(include_str!("../../../examples/demo.yaml")).unwrap()
    }

    #[test]
    fn the_first_line_names_address_and_key() {
        let text = text(&demo(), Some("nr-k"));
        assert_eq!(text.lines().next(), Some("ready http://127.0.0.1:8080 key nr-k"));
        assert!(text.contains("-H 'Authorization: Bearer nr-k'"), "{text}");
    }

    #[test]
    fn without_a_key_the_line_ends_with_the_address() {
        let mut document = demo();
        document.listen.address = "0.0.0.0".to_owned();
        let text = text(&document, None);
        assert_eq!(text.lines().next(), Some("ready http://127.0.0.1:8080"));
        assert!(text.contains("Bearer $NR_KEY\""), "{text}");
    }
}
