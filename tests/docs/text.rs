//! Reading documents: prose apart from code, what stands in backticks, links, and the tables that
//! a document marks by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files of a folder of the repository with this ending, below it at any depth.
pub fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("UTF-8"));
        if entry.path().is_dir() {
            found.extend(files(&path, ending));
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Everything written for people, by path.
pub fn documents() -> BTreeMap<String, String> {
    let mut paths: Vec<String> =
        ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md", "simulator/README.md"].map(str::to_owned).into();
    paths.extend(files("docs", ".md"));
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// The text without blocks of code, and the blocks.
pub fn prose_and_blocks(text: &str) -> (String, Vec<String>) {
    let (mut prose, mut blocks, mut block) = (String::new(), Vec::new(), None::<String>);
    for line in text.lines() {
        match (&mut block, line.trim_start().starts_with("```")) {
            (None, true) => block = Some(String::new()),
            (None, false) => prose.push_str(&format!("{line}\n")),
            (Some(_), true) => blocks.extend(block.take()),
            (Some(lines), false) => lines.push_str(&format!("{line}\n")),
        }
    }
    assert!(block.is_none(), "a block of code is not closed");
    (prose, blocks)
}

/// What stands between backticks.
pub fn quoted(prose: &str) -> Vec<&str> {
    prose.split('`').skip(1).step_by(2).collect()
}

/// The targets of the links.
pub fn links(prose: &str) -> Vec<&str> {
    prose.match_indices("](").filter_map(|(at, _)| prose.get(at + 2..)?.split(')').next()).collect()
}

/// The table between `<!-- name -->` and `<!-- /name -->` of a document: its rows without the heading, as cells.
pub fn table(document: &str, name: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let between = text.split_once(&format!("<!-- {name} -->")).and_then(|(_, rest)| rest.split_once(&format!("<!-- /{name} -->")));
    let (between, _) = between.unwrap_or_else(|| panic!("{document} has no table `{name}`"));
    let cells = |line: &str| line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = between.lines().filter(|line| line.starts_with('|')).skip(2).map(cells).collect();
    assert!(rows.len() > 2, "the table `{name}` was found");
    rows
}

/// A cell that is one word in backticks.
pub fn word(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`').filter(|word| !word.contains('`'))
}
