//! `nr key new`.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::{Scratch, demo_with, run, stderr, stdout};

fn new(arguments: &[&str]) -> (String, String) {
    let output = run(&[&["key", "new"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let mut lines = text.lines().map(str::to_owned);
    let (Some(key), Some(line), None) = (lines.next(), lines.next(), lines.next()) else { panic!("two lines: {text:?}") };
    (key, line)
}

#[test]
fn prints_a_key_and_the_line_with_its_digest() {
    let (key, line) = new(&["--workspace", "acme", "--id", "laptop"]);
    let random = key.strip_prefix("nr-").expect("a key begins with nr-");
    assert!(random.len() >= 32 && random.bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
    let digest: String = Sha256::digest(&key).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(line, format!("- {{id: laptop, sha256: {digest}}}"));
}

#[test]
fn no_two_keys_are_alike() {
    let keys: HashSet<_> = (0..16).map(|_| new(&["--workspace", "acme"]).0).collect();
    assert_eq!(keys.len(), 16);
}

#[test]
fn the_line_fits_into_the_configuration() {
    let (_, line) = new(&["--workspace", "demo"]);
    let scratch = Scratch::new();
    let file = scratch.file("case.yaml", &demo_with("      - {id: public", &format!("      {line}\n      - {{id: public")));
    let output = run(&["check", &file]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_name_that_would_break_the_line_is_refused() {
    for arguments in [["--workspace", "a, b"], ["--workspace", ""]] {
        let output = run(&[&["key", "new"][..], &arguments].concat());
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{arguments:?}");
    }
}
