//! SECURITY.md: each control is somewhere, and the tests that show it exist.

use crate::text::{quoted, read, root, table};

/// Whether a source has a test of this name: in Python, or in Rust right below `#[test]`.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let of_rust = format!("fn {name}()");
    let of_python = format!("def {name}(");
    lines.iter().any(|line| name.starts_with("test_") && line.starts_with(&of_python))
        || lines.windows(2).any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&of_rust))
}

#[test]
fn every_control_names_its_place_and_tests_that_exist() {
    let rows = table("SECURITY.md", "threats");
    assert!(rows.len() > 20, "the table was read: {} rows", rows.len());
    for row in rows {
        let [threat, control, place, shown] = row.as_slice() else { panic!("not four cells: {row:?}") };
        assert!(!control.is_empty() && !quoted(place).is_empty(), "{threat}: a control that is nowhere");
        for path in quoted(place) {
            assert!(root().join(path).exists(), "{threat}: `{path}` does not exist");
        }
        let tests = quoted(shown);
        assert!(!tests.is_empty(), "{threat}: nothing shows that the control works");
        for test in tests {
            let (path, name) = test.split_once("::").unwrap_or_else(|| panic!("{threat}: `{test}` is not FILE::TEST"));
            assert!(has_test(&read(path), name), "{threat}: {path} has no test {name}");
        }
    }
}

#[test]
fn a_test_is_told_from_what_only_looks_like_one() {
    for (source, name, expected) in [
        ("#[test]\nfn a() {}", "a", true),
        ("    #[test]\n    fn a() {}", "a", true),
        ("fn a() {}", "a", false),
        ("#[test]\nfn ab() {}", "a", false),
        ("def test_a(x):", "test_a", true),
        ("def a(x):", "a", false),
        ("# def test_a(x):", "test_a", false),
    ] {
        assert_eq!(has_test(source, name), expected, "{source}");
    }
}
