//! The tables of docs/configuration.md and docs/api.md against the code they describe: keys of the
//! configuration and their defaults, protocols, error codes, outcomes.

use std::collections::{BTreeMap, BTreeSet};

use neural_router::config::document::{Admin, Listen, Routing};
use neural_router::provider::{Place, Protocol};
use serde_json::Value;

use super::text::{files, read, table, word};

const CONFIGURATION: &str = "docs/configuration.md";
const API: &str = "docs/api.md";

/// A struct or enum of `src/config/document/`.
#[derive(Default)]
struct Shape {
    derived: bool,
    is_enum: bool,
    /// Fields or variants with their types; a variant without a value has none.
    parts: Vec<(String, String)>,
}

fn shapes() -> BTreeMap<String, Shape> {
    let source: String = files("src/config/document", ".rs").iter().map(|path| read(path)).collect();
    let (mut shapes, mut derived, mut open) = (BTreeMap::new(), false, None::<(String, Shape)>);
    for line in source.lines() {
        let text = line.trim_end();
        if let Some((name, shape)) = &mut open {
            if text == "}" {
                let (name, shape) = (std::mem::take(name), std::mem::take(shape));
                shapes.insert(name, shape);
                open = None;
            } else if let Some(part) =
                text.strip_prefix("    ").map(|part| part.trim_end_matches(',')).filter(|part| !part.starts_with(['/', '#', ' ']))
            {
                let part = part.strip_prefix("pub ").unwrap_or(part);
                let (name, kind) = match (part.split_once(": "), part.split_once('(')) {
                    (Some((name, kind)), _) => (name, kind),
                    (None, Some((name, kind))) => (name, kind.trim_end_matches(')')),
                    (None, None) => (part, ""),
                };
                shape.parts.push((name.to_owned(), kind.to_owned()));
            }
            continue;
        }
        match text.strip_prefix("#[derive(") {
            Some(traits) => derived = traits.contains("Deserialize"),
            None if text.starts_with("///") => derived = false,
            None => {}
        }
        for (word, is_enum) in [("pub struct ", false), ("pub enum ", true)] {
            if let Some(name) = text.strip_prefix(word).and_then(|rest| rest.strip_suffix(" {")) {
                open = Some((name.to_owned(), Shape { derived, is_enum, parts: Vec::new() }));
            }
        }
    }
    shapes
}

/// Every key that can be written, from a type of the document downwards.
fn keys(shapes: &BTreeMap<String, Shape>, path: &str, kind: &str, found: &mut BTreeSet<String>) {
    let inside = |wrapper: &str| kind.strip_prefix(wrapper)?.strip_suffix('>').map(str::to_owned);
    if let Some(kind) = inside("Option<") {
        return keys(shapes, path, &kind, found);
    }
    if let Some(kind) = inside("Vec<") {
        return keys(shapes, &format!("{path}[]"), &kind, found);
    }
    if let Some(kind) = inside("BTreeMap<String, ") {
        return keys(shapes, &format!("{path}.*"), &kind, found);
    }
    let Some(shape) = shapes.get(kind) else {
        assert!(
            ["String", "bool", "u16", "u32", "u64", "f64"].contains(&kind),
            "{path} is of the type {kind}, which this test does not know"
        );
        found.insert(path.to_owned());
        return;
    };
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (shape.is_enum, shape.derived) {
        (false, _) => shape.parts.iter().for_each(|(name, kind)| keys(shapes, &below(name), kind, found)),
        // A word, or a key with the name of the variant.
        (true, true) => {
            for (name, kind) in &shape.parts {
                if kind.is_empty() {
                    found.insert(path.to_owned());
                } else {
                    keys(shapes, &below(&name.to_lowercase()), kind, found);
                }
            }
        }
        // Read by hand: a word, or the fields of a variant's struct.
        (true, false) => {
            found.insert(path.to_owned());
            shape.parts.iter().filter(|(_, kind)| !kind.is_empty()).for_each(|(_, kind)| keys(shapes, path, kind, found));
        }
    }
}

#[test]
fn the_reference_has_every_key_of_the_configuration_and_no_other() {
    let mut read = BTreeSet::new();
    keys(&shapes(), "", "Document", &mut read);
    assert!(read.len() > 40 && read.contains("models[].price.input_per_m"), "the shapes were read: {read:?}");
    let rows = table(CONFIGURATION, "keys");
    let documented: BTreeSet<String> =
        rows.iter().map(|row| word(&row[0]).unwrap_or_else(|| panic!("`{}` is no key", row[0])).to_owned()).collect();
    assert_eq!(documented.len(), rows.len(), "a key stands twice");
    assert_eq!(documented, read);
}

#[test]
fn the_reference_has_the_defaults_of_the_code() {
    let json = |value: &dyn Fn() -> serde_json::Result<Value>| value().expect("JSON");
    let sections = [
        ("listen", json(&|| serde_json::to_value(Listen::default()))),
        ("admin", json(&|| serde_json::to_value(Admin::default()))),
        ("routing", json(&|| serde_json::to_value(Routing::default()))),
    ];
    let rows = table(CONFIGURATION, "keys");
    for (section, defaults) in sections {
        for (name, default) in defaults.as_object().expect("an object") {
            let key = format!("`{section}.{name}`");
            let row = rows.iter().find(|row| row[0] == key).unwrap_or_else(|| panic!("no row {key}"));
            assert_eq!(row[1], format!("`{}`", default.to_string().trim_matches('"')), "{key}");
        }
    }
}

#[test]
fn the_table_of_protocols_is_the_registry() {
    let documented: Vec<Vec<String>> = table(CONFIGURATION, "protocols");
    let code = |text: &str| format!("`{text}`");
    let place = Place { location: Some("{location}"), region: Some("{region}"), ..Place::default() };
    let base_url = |p: &Protocol| match (p.base_url, p.codec("").base_url(&place)) {
        (Some(url), _) => code(url),
        (None, Ok(url)) => code(&url),
        (None, Err(_)) => "required".to_owned(),
    };
    let registered: Vec<Vec<String>> = Protocol::all().map(|p| vec![code(p.name), base_url(p), code(p.credential.header)]).collect();
    assert_eq!(documented, registered);
    let row = table(CONFIGURATION, "keys").into_iter().find(|row| row[0] == "`providers.*.protocol`").expect("the key");
    assert!(Protocol::all().all(|protocol| row[2].contains(&code(protocol.name))), "{}", row[2]);
}

/// Words in quotation marks that follow one of `openers` in a source.
fn words_after(source: &str, openers: &[&str]) -> BTreeSet<String> {
    let production = source.split("#[cfg(test)]").next().unwrap_or_default();
    let word = |rest: &str| rest.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned);
    openers
        .iter()
        .flat_map(|opener| production.match_indices(opener).filter_map(|(at, _)| word(production.get(at + opener.len()..)?)))
        .collect()
}

/// `NoProviderAvailable` as serde writes it: `no_provider_available`.
fn snake(name: &str) -> String {
    let words = name.chars().flat_map(|c| c.is_ascii_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()]));
    words.collect::<String>().trim_start_matches('_').to_owned()
}

#[test]
fn the_table_of_errors_has_every_code() {
    let rejection = read("src/rejection.rs");
    let mut sent = words_after(&rejection, &["Some(", r#""code":"#]);
    sent.extend(words_after(&read("src/rank/eligible.rs"), &["Rejection::incapable("]));
    let local_reply = read("cli/src/render/local_reply.rs");
    let refusals = local_reply.lines().filter_map(|line| line.trim().strip_prefix("refusal(\"")?.split('"').nth(2).map(str::to_owned));
    let multiline = local_reply.lines().map(str::trim).filter_map(|line| line.strip_prefix('"')?.strip_suffix("\",").map(str::to_owned));
    let is_code = |code: &String| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    sent.extend(refusals.chain(multiline).filter(is_code));
    sent.extend(words_after(&local_reply, &["code: Some("]));
    assert!(
        sent.contains("http_version")
            && sent.contains("overloaded")
            && sent.contains("request_too_large")
            && sent.contains("stream_interrupted"),
        "{sent:?}"
    );
    let rows = table(API, "codes");
    let documented: BTreeSet<String> = rows.iter().filter_map(|row| word(&row[2]).map(str::to_owned)).collect();
    assert_eq!(documented, sent);
    let types: BTreeSet<&str> = rows.iter().filter_map(|row| word(&row[1])).collect();
    // The variants of `Type`, as they are written.
    let (_, variants) = rejection.split_once("pub enum Type {").expect("the enum");
    let variants = variants.split('}').next().unwrap_or_default().lines().map(str::trim).filter(|line| line.ends_with(','));
    let sent: Vec<String> = variants.map(|name| snake(name.trim_end_matches(','))).collect();
    assert_eq!(types, sent.iter().map(String::as_str).collect());
}

#[test]
fn the_table_of_outcomes_has_every_one() {
    let source = read("src/attempt.rs");
    let (_, rest) = source.split_once("pub enum Outcome {").expect("the enum");
    let variants =
        rest.split('}').next().unwrap_or_default().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let outcomes: BTreeSet<String> = variants.map(|name| snake(name.trim_end_matches(','))).filter(|name| name != "pending").collect();
    let documented: BTreeSet<String> = table(API, "outcomes").iter().filter_map(|row| word(&row[0]).map(str::to_owned)).collect();
    assert_eq!(documented, outcomes);
}
