//! `nr render envoy --secrets`: where provider keys go.

use std::os::unix::fs::PermissionsExt;

use super::{Scratch, nr, stderr, stdout};

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_of_the_environment_lands_in_a_file_only_its_owner_reads() {
    let scratch = Scratch::new();
    let directory = scratch.path("secrets");
    let output = nr(&["render", "envoy", "--config", "examples/neural-router.yaml", "--secrets", &directory])
        .env("OPENAI_API_KEY", "sk-canary\n")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let key = format!("{directory}/provider_openai.key");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "sk-canary");
    assert_eq!((mode(&directory), mode(&key)), (0o700, 0o600));
    let definition = std::fs::read_to_string(format!("{directory}/provider_openai.yaml")).unwrap();
    assert!(definition.contains(&format!("filename: {key}")) && !definition.contains("canary"), "{definition}");
    assert!(stdout(&output).contains(&format!("path: {directory}/provider_openai.yaml")));
    assert!(stderr(&output).contains("warning: providers.groq.api_key: the variable GROQ_API_KEY is not set"));
}

#[test]
fn a_key_that_is_not_in_the_environment_leaves_the_written_one_alone() {
    let scratch = Scratch::new();
    let directory = scratch.path("secrets");
    let render = || nr(&["render", "envoy", "--config", "examples/neural-router.yaml", "--secrets", &directory]);
    assert!(render().env("GROQ_API_KEY", "gsk-first").output().unwrap().status.success());
    assert!(render().output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(format!("{directory}/provider_groq.key")).unwrap(), "gsk-first");
}

#[test]
fn secrets_of_another_machine_are_named_and_not_touched() {
    let scratch = Scratch::new();
    let directory = scratch.path("elsewhere");
    let output = nr(&["render", "envoy", "--config", "examples/neural-router.yaml", "--secrets-at", &directory])
        .env("OPENAI_API_KEY", "sk-canary")
        .output()
        .unwrap();
    assert!(stdout(&output).contains(&directory));
    assert!(!std::path::Path::new(&directory).exists());
}
