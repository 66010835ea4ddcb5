//! The house as `src/lib.rs` describes it, read from the sources: who may name whom, how files
//! begin and how long they get.

#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules from the bottom up: each may use those of earlier lines, and itself.
const LAYERS: &[&[&str]] = &[
    &["json_path", "sse"],
    &["framing"],
    &["openai"],
    &["guard"],
    &["rejection"],
    &["meter"],
    &["provider"],
    &["config"],
    &["task"],
    &["ledger"],
    &["fleet"],
    &["authenticate"],
    &["vitals"],
    &["rank"],
    &["estimate"],
    &["attempt"],
    &["retry_after"],
    &["handoff"],
    &["annotate"],
    &["host"],
    &["models", "usage"],
    &["seat"],
];

/// A codec translates between these two; what a call costs, who makes it and what happens when it
/// fails are not its business.
const CODECS_MAY_USE: &[&str] = &["openai", "sse", "framing", "provider"];

/// Only these may name the SDK.
const KNOW_THE_SDK: &[&str] = &["seat", "host", "lib"];

const LONGEST_FILE: usize = 500;

struct Source {
    /// Below `src/`, with slashes.
    path: String,
    /// First folder or file name, without `.rs`.
    module: String,
    /// All of it.
    text: String,
    /// Without comments, strings and the tests at its end.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources: Vec<Source> = files(&root)
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root).expect("below src").to_str().expect("UTF-8").replace('\\', "/");
            let module = path.split('/').next().expect("a name").trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
            let code = code(&text);
            Source { path, module, text, code }
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20, "the sources were found: {}", sources.len());
    sources
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .collect()
}

/// What the compiler sees of a file, roughly: enough to find paths.
fn code(text: &str) -> String {
    let before_tests = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    before_tests.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Modules of the crate that code names as `crate::x`, also inside braces.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code.get(at + "crate::".len()..).unwrap_or_default();
        match rest.strip_prefix('{') {
            Some(list) => used.extend(list.split('}').next().unwrap_or_default().split(',').map(first_name)),
            None => drop(used.insert(first_name(rest))),
        }
    }
    used.remove("");
    used
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn layer(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or_else(|| {
        panic!("`{module}` has no place in the order of modules: give it one in tests/architecture.rs and in the table of src/lib.rs")
    })
}

#[test]
fn only_the_seats_and_the_host_name_the_sdk() {
    for source in sources() {
        let names = source.code.contains("proxy_wasm");
        assert!(!names || KNOW_THE_SDK.contains(&source.module.as_str()), "{} names proxy_wasm", source.path);
    }
}

#[test]
fn only_the_host_makes_host_calls() {
    for source in sources().iter().filter(|source| source.module != "host") {
        assert!(!source.code.contains("hostcalls"), "{} makes host calls; add a function to src/host.rs", source.path);
    }
}

#[test]
fn codecs_know_the_clients_protocol_and_events_and_nothing_else() {
    for source in sources().iter().filter(|source| source.module == "provider") {
        for name in used(&source.code) {
            assert!(CODECS_MAY_USE.contains(&name.as_str()), "{} uses crate::{name}", source.path);
        }
    }
}

#[test]
fn modules_use_only_modules_below_them() {
    for source in sources().iter().filter(|source| source.module != "lib") {
        let own = layer(&source.module);
        for name in used(&source.code) {
            assert!(name == source.module || layer(&name) < own, "{} uses crate::{name}, which is not below it", source.path);
        }
    }
}

#[test]
fn every_module_of_lib_is_a_file_and_every_file_a_module_of_lib() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "lib.rs").expect("src/lib.rs");
    let declared: BTreeSet<String> =
        lib.code.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let present: BTreeSet<String> = sources.iter().map(|source| source.module.clone()).filter(|module| module != "lib").collect();
    assert_eq!(declared, present);
}

#[test]
fn the_table_of_lib_lists_every_module_from_the_bottom_up() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "lib.rs").expect("src/lib.rs");
    let listed: Vec<&str> = lib.text.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split('`').next()).collect();
    let all: BTreeSet<&str> = LAYERS.iter().flat_map(|layer| layer.iter().copied()).collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), all, "the table and the order of modules name the same");
    for source in sources.iter().filter(|source| source.module != "lib") {
        let place = |module: &str| listed.iter().position(|listed| *listed == module);
        for name in used(&source.code).iter().filter(|name| **name != source.module) {
            assert!(
                place(name) < place(&source.module),
                "the table says that modules use only those above, but {} uses {name}",
                source.path
            );
        }
    }
}

#[test]
fn every_file_says_what_it_owns() {
    for source in sources() {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 20, "{} begins with `{first}`, not with a sentence after `//!`", source.path);
    }
}

#[test]
fn no_file_grows_beyond_what_one_reads_at_once() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines; split it by concern", source.path);
    }
}

#[test]
fn headers_are_read_as_bytes() {
    let getters = [
        "get_map(",
        "get_map_value(",
        "get_http_request_header(",
        "get_http_request_headers(",
        "get_http_response_header(",
        "get_http_response_headers(",
        "get_http_request_trailer",
        "get_http_response_trailer",
        "get_http_call_response_header",
    ];
    for source in sources() {
        for getter in getters {
            assert!(!source.code.contains(getter), "{} calls {getter}…): one byte above 0x7f traps the VM", source.path);
        }
    }
}

#[test]
fn nothing_in_the_filter_is_unsafe_or_silenced() {
    for source in sources() {
        assert!(!source.code.contains("unsafe {") && !source.code.contains("unsafe fn"), "{} has unsafe code", source.path);
        assert!(!source.code.contains("[allow("), "{} silences a lint; use `expect` with a reason", source.path);
    }
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "lib.rs").expect("src/lib.rs");
    assert!(lib.code.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn modules_have_names_of_their_own() {
    let vague = ["manager", "helper", "helpers", "util", "utils", "processor", "service", "common", "types", "misc"];
    for source in sources() {
        for part in source.path.trim_end_matches(".rs").split('/') {
            assert!(!vague.contains(&part), "{}: `{part}` says nothing", source.path);
        }
    }
}

#[test]
fn the_reader_of_sources_finds_what_it_looks_for() {
    let text = "use crate::{sse, config::Config};\n// crate::host\nfn f() { crate::rank::plan() } // crate::seat\n#[cfg(test)]\nmod tests { use crate::host; }";
    assert_eq!(used(&code(text)).into_iter().collect::<Vec<_>>(), ["config", "rank", "sse"]);
}
