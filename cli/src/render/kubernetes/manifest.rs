//! The form of all manifests: names, labels, and a stream of documents under a comment.

use neural_router::config::ConfigError;
use serde_json::{Value, json};

use super::NAME;
use crate::render::yaml;

/// By which pods are selected, and the only label whose value never changes.
pub(in crate::render) fn selector() -> Value {
    json!({"app.kubernetes.io/name": NAME})
}

/// Of everything that is called like the whole.
pub(in crate::render) fn metadata(namespace: &str) -> Value {
    named(NAME, namespace)
}

/// Of what has a name of its own.
pub(in crate::render) fn named(name: &str, namespace: &str) -> Value {
    json!({"name": name, "namespace": namespace, "labels": selector()})
}

/// Lines of comment, then the documents.
pub(in crate::render) fn text(head: &[String], documents: impl IntoIterator<Item = Value>) -> Result<String, ConfigError> {
    let mut text: String = head.iter().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
    for document in documents {
        text.push_str("---\n");
        text.push_str(&yaml(document)?);
    }
    Ok(text)
}
