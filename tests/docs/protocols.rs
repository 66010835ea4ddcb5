//! `docs/protocols.md`, written from the registry and the tables of its protocols.
//! `UPDATE_GOLDENS=1 cargo test --test docs` writes it anew.

use std::fmt::Write as _;

use neural_router::provider::{Place, Protocol, Treatment};

use super::text::{links, read, root};

const PATH: &str = "docs/protocols.md";

/// Longest cell; what is longer is said below the table.
const MAX_CELL: usize = 28;

/// The protocol that presets are compared with.
const PLAIN: &str = "openai";

#[test]
fn the_table_of_members_is_that_of_the_code() {
    let written = document();
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(root().join(PATH), &written).expect("a writable folder");
    }
    assert!(read(PATH) == written, "{PATH} is not what the code says; UPDATE_GOLDENS=1 cargo test --test docs writes it anew");
    let readme = read("README.md");
    assert!(links(&readme).contains(&PATH), "README.md does not link to {PATH}");
}

#[test]
fn presets_are_compared_by_what_they_do_otherwise() {
    let plain = [("a", Treatment::Passed), ("b", Treatment::Dropped)];
    let other = [("a", Treatment::Dropped), ("b", Treatment::Dropped)];
    assert_eq!(differences(&plain, &other), ["`a` dropped"]);
    assert!(differences(&plain, &plain).is_empty());
    let mut notes = Vec::new();
    assert_eq!(cell(Treatment::Mapped("short"), &mut notes), "→ short");
    let long = "a mapping that takes more words than a column has room for";
    assert_eq!((cell(Treatment::Mapped(long), &mut notes), cell(Treatment::Mapped(long), &mut notes)), ("→ [1]".into(), "→ [1]".into()));
    assert_eq!(notes, [long]);
}

/// A row's table for models of its own kind.
fn table(protocol: &Protocol) -> &'static [(&'static str, Treatment)] {
    protocol.codec("").treatments()
}

fn document() -> String {
    let mut out = String::from(
        "# What becomes of a request, protocol by protocol\n\n\
         Written from the code by `tests/docs.rs`. A member is *passed* as it is, mapped (→) to something of the provider's own,\n\
         *dropped* and listed in `routing.adjustments`, or *refused*: then a candidate of this protocol is not asked. A value that says\n\
         what would happen anyway is left out without a word. Where models of a protocol differ, the table says what becomes of it at best,\n\
         and `routing.adjustments` what became of it.\n\n",
    );
    members(&mut out);
    presets(&mut out);
    registry(&mut out);
    out
}

/// Members and kinds of content by wire protocol.
fn members(out: &mut String) {
    let wires: Vec<&Protocol> = Protocol::all().filter(|protocol| protocol.wire == protocol.name).collect();
    let names: Vec<&str> = wires
        .iter()
        .map(|protocol| table(protocol))
        .max_by_key(|table| table.len())
        .unwrap_or_default()
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let mut notes = Vec::new();
    out.push_str("## Members and kinds of content\n\n");
    row(out, std::iter::once("member".to_owned()).chain(wires.iter().map(|protocol| code(protocol.name))));
    row(out, std::iter::repeat_n("---".to_owned(), wires.len() + 1));
    for name in names {
        let of = |protocol: &&Protocol| table(protocol).iter().find(|(row, _)| *row == name).map(|(_, treatment)| *treatment);
        let cells: Vec<String> =
            wires.iter().map(|protocol| of(protocol).map_or_else(String::new, |treatment| cell(treatment, &mut notes))).collect();
        row(out, std::iter::once(code(name)).chain(cells));
    }
    out.push('\n');
    for (number, note) in (1..).zip(&notes) {
        let _ = writeln!(out, "{number}. {note}");
    }
    if !notes.is_empty() {
        out.push('\n');
    }
}

/// What vendors do otherwise than the protocol they speak.
fn presets(out: &mut String) {
    out.push_str("## Vendors that speak another's protocol\n\n");
    row(out, ["protocol", "speaks", "otherwise than it"].map(str::to_owned));
    row(out, ["---", "---", "---"].map(str::to_owned));
    for protocol in Protocol::all().filter(|protocol| protocol.wire != protocol.name) {
        let plain = Protocol::find(protocol.wire).or_else(|| Protocol::find(PLAIN)).expect("a wire protocol");
        let found = differences(table(plain), table(protocol));
        let said = if found.is_empty() { "nothing".to_owned() } else { found.join("; ") };
        row(out, [code(protocol.name), code(protocol.wire), said]);
    }
    out.push('\n');
}

fn differences(plain: &[(&str, Treatment)], other: &[(&str, Treatment)]) -> Vec<String> {
    let unlike = other.iter().filter(|row| !plain.contains(row));
    unlike.map(|(name, treatment)| format!("{} {}", code(name), phrase(*treatment))).collect()
}

/// Where each row is and where that is from.
fn registry(out: &mut String) {
    out.push_str("## The registry\n\n");
    row(out, ["`protocol`", "speaks", "address", "key in", "source"].map(str::to_owned));
    row(out, ["---"; 5].map(str::to_owned));
    for protocol in Protocol::all() {
        let key =
            format!("{}{}", code(protocol.credential.header), if protocol.credential.prefix.is_empty() { "" } else { ", as a bearer" });
        row(out, [code(protocol.name), code(protocol.wire), address(protocol), key, source(protocol)]);
    }
}

/// The base URL, with the names of settings where their values go.
fn address(protocol: &Protocol) -> String {
    let place =
        Place { path: "", api_version: Some("API_VERSION"), project: Some("PROJECT"), location: Some("LOCATION"), region: Some("REGION") };
    let made = || protocol.codec("").base_url(&place).ok();
    protocol.base_url.map(str::to_owned).or_else(made).map_or_else(|| "as configured".to_owned(), |url| code(&url))
}

/// The page that the row in the registry names, or the protocol's fixtures.
fn source(protocol: &Protocol) -> String {
    let registry = read("src/provider/registry.rs");
    let (before, _) = registry.split_once(&format!("\"{}\"", protocol.name)).expect("a row");
    let above: Vec<&str> = before.lines().rev().take_while(|line| !line.trim().ends_with([',', ';', '['])).collect();
    let fixtures = std::fs::read_to_string(root().join("tests/fixtures").join(protocol.name).join("README.md")).unwrap_or_default();
    let end = |c: char| c.is_whitespace() || ">),;`".contains(c);
    let page = |text: &str| Some(format!("<https://{}>", text.split_once("https://")?.1.split(end).next()?));
    page(&above.join("\n")).or_else(|| page(&fixtures)).unwrap_or_else(|| panic!("{} names no source in the registry", protocol.name))
}

fn cell(treatment: Treatment, notes: &mut Vec<&'static str>) -> String {
    let Treatment::Mapped(words) = treatment else { return phrase(treatment) };
    if words.chars().count() <= MAX_CELL {
        return phrase(treatment);
    }
    let index = notes.iter().position(|note| *note == words).unwrap_or_else(|| {
        notes.push(words);
        notes.len() - 1
    });
    format!("→ [{}]", index + 1)
}

fn phrase(treatment: Treatment) -> String {
    match treatment {
        Treatment::Passed => "passed".to_owned(),
        Treatment::Mapped(words) => format!("→ {words}"),
        Treatment::Dropped => "dropped".to_owned(),
        Treatment::Refused => "refused".to_owned(),
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn row(out: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}
