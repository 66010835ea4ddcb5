//! The documents, compared with the sources: files, links and make targets they name, the map of
//! the repository, decision records, the tests that SECURITY.md names; and, in `docs/`, the reference and what is shown.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "docs/example.rs"]
mod example;
#[path = "docs/metrics.rs"]
mod metrics;
#[path = "docs/protocols.rs"]
mod protocols;
#[path = "docs/reference.rs"]
mod reference;
#[path = "docs/security.rs"]
mod security;
#[path = "docs/text.rs"]
mod text;

use std::collections::BTreeSet;
use std::path::Path;

use text::{documents, files, links, prose_and_blocks, quoted, read, root};

/// Whether something between backticks means a file or folder of this repository.
fn is_path(text: &str) -> bool {
    const ENDINGS: [&str; 9] = [".rs", ".md", ".yaml", ".yml", ".toml", ".sh", ".py", ".json", ".lock"];
    // Made by the user, or by a build.
    const NOT_OURS: [&str; 8] = [
        "neural-router.yaml",
        "summary.json",
        "envoy.yaml",
        "listeners.yaml",
        "routes.yaml",
        "router.yaml",
        "clusters.yaml",
        "gateway.json",
    ];
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let folder = text.split('/').next().unwrap_or_default();
    let known = !folder.is_empty() && text.contains('/') && root().join(folder).is_dir();
    plain
        && !text.starts_with(['/', '.'])
        && !text.starts_with("target/")
        && !NOT_OURS.contains(&text)
        && (known || ENDINGS.iter().any(|ending| text.ends_with(ending)) || (text.ends_with('/') && text.len() > 1))
}

/// Files are named from the root, or from where the document is.
fn exists(document: &str, path: &str) -> bool {
    let beside = Path::new(document).parent().unwrap_or(Path::new(""));
    root().join(path).exists() || root().join(beside).join(path).exists()
}

#[test]
fn files_that_are_named_exist() {
    let mut named = 0;
    for (document, text) in documents() {
        let (prose, _) = prose_and_blocks(&text);
        for path in quoted(&prose).into_iter().flat_map(str::split_whitespace).filter(|path| is_path(path)) {
            assert!(exists(&document, path), "{document} names `{path}`, which does not exist");
            named += 1;
        }
    }
    assert!(named > 25, "only {named} files were found in the documents");
}

#[test]
fn links_lead_somewhere() {
    let mut followed = 0;
    for (document, text) in documents() {
        let (prose, _) = prose_and_blocks(&text);
        for link in links(&prose).into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            assert!(file.is_empty() || exists(&document, file), "{document} links to {file}, which does not exist");
            if !anchor.is_empty() {
                let there = if file.is_empty() { text.clone() } else { read(&beside(&document, file)) };
                assert!(anchors(&there).contains(anchor), "{document} links to {link}, which has no such heading");
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "only {followed} links were found");
}

/// A path that a document names, seen from the root.
fn beside(document: &str, file: &str) -> String {
    let mut path: Vec<&str> = document.split('/').collect();
    path.pop();
    for step in file.split('/') {
        match step {
            ".." => drop(path.pop()),
            step => path.push(step),
        }
    }
    path.join("/")
}

/// The names that the headings of a document can be linked by.
fn anchors(text: &str) -> BTreeSet<String> {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    let slug = |heading: &str| heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect();
    let (prose, _) = prose_and_blocks(text);
    prose.lines().filter(|line| line.starts_with('#')).map(|line| slug(line.trim_start_matches('#').trim())).collect()
}

/// The paths in the drawing of CONTRIBUTING, whose indentation is the folder.
#[test]
fn the_map_of_the_repository_is_true_and_complete_for_the_filter() {
    let (_, blocks) = prose_and_blocks(&read("CONTRIBUTING.md"));
    let map = blocks.iter().find(|block| block.starts_with("src/")).expect("a map");
    let (mut folder, mut mapped) = (String::new(), BTreeSet::new());
    for line in map.lines() {
        let name = line.split_whitespace().next().expect("a name");
        // Two spaces are a name in the folder above, more are the rest of a sentence.
        let path = match line.len() - line.trim_start().len() {
            0 => name.to_owned(),
            2 => format!("{folder}{name}"),
            _ => continue,
        };
        assert!(root().join(&path).exists(), "the map has {path}, which does not exist");
        if !line.starts_with(' ') {
            folder = path.clone();
        }
        mapped.insert(path.trim_end_matches('/').to_owned());
    }
    for entry in std::fs::read_dir(root().join("src")).expect("src") {
        let path = format!("src/{}", entry.expect("an entry").file_name().to_str().expect("UTF-8"));
        assert!(mapped.contains(&path), "{path} is not on the map of CONTRIBUTING.md");
    }
}

#[test]
fn make_targets_are_those_of_the_makefile() {
    let makefile = read("Makefile");
    let targets: BTreeSet<&str> = makefile.lines().filter_map(|line| line.split_once(": ## ").map(|(name, _)| name)).collect();
    assert!(targets.len() > 5, "{targets:?}");
    for (document, text) in documents() {
        let (prose, blocks) = prose_and_blocks(&text);
        let commands = quoted(&prose).into_iter().chain(blocks.iter().flat_map(|block| block.lines()));
        for target in commands.filter_map(|command| command.trim().strip_prefix("make ")?.split_whitespace().next()) {
            assert!(targets.contains(target), "{document} says `make {target}`, which is not in the Makefile");
        }
    }
    let readme = read("README.md");
    for target in targets {
        assert!(readme.contains(&format!("| `make {target}` |")), "README.md does not list `make {target}`");
    }
}

/// Ten minutes of reading, and from there to everything else.
#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 600, "README.md has {} lines: what is looked up belongs to a page of docs/", readme.lines().count());
    for page in files("docs", ".md").into_iter().filter(|page| !page.starts_with("docs/decisions/")) {
        assert!(links(&readme).contains(&page.as_str()), "README.md does not link to {page}");
    }
}

#[test]
fn decisions_are_numbered_without_gaps_and_say_what_is_given_up() {
    let records = files("docs/decisions", ".md");
    assert!(!records.is_empty());
    for (number, path) in (1..).zip(&records) {
        let name = path.rsplit('/').next().expect("a name");
        assert!(name.starts_with(&format!("{number:04}-")), "{path} should be number {number:04}");
        let text = read(path);
        assert!(text.starts_with(&format!("# {number:04} ")), "{path} begins with its number and title");
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["Context", "Decision", "What we give up"], "{path}");
    }
}

#[test]
fn sources_refer_to_decisions_that_exist() {
    let numbers: BTreeSet<String> = files("docs/decisions", ".md").iter().filter_map(|path| path.get(15..19).map(str::to_owned)).collect();
    let sources =
        [files("src", ".rs"), files("cli/src", ".rs"), files("bench/src", ".rs"), files("simulator/src", ".rs"), files("scripts", ".sh")];
    for path in sources.concat() {
        for rest in read(&path).split("docs/decisions/").skip(1) {
            let number = rest.get(..4).unwrap_or_default();
            assert!(numbers.contains(number), "{path} refers to docs/decisions/{number}, which does not exist");
        }
    }
}

#[test]
fn the_reader_of_documents_finds_what_it_looks_for() {
    let (prose, blocks) = prose_and_blocks("a `src/lib.rs` [b](c.md)\n```sh\nmake up\n```\nd");
    assert_eq!((quoted(&prose), links(&prose), blocks), (vec!["src/lib.rs"], vec!["c.md"], vec!["make up\n".to_owned()]));
    for (text, expected) in [
        ("src/nowhere.rs", true),
        ("src/", true),
        ("nowhere/", true),
        ("README.md", true),
        ("application/json", false),
        ("/v1/models", false),
        ("target/release/", false),
        ("gpt-4o", false),
    ] {
        assert_eq!(is_path(text), expected, "{text}");
    }
}
