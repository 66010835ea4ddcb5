//! `nr up` as far as it goes before a process is started; the rest is shown by the suite on the real Envoy.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::{Scratch, demo_with, nr, stderr, stdout};

/// Says that it is an Envoy, and is none.
fn pretender(scratch: &Scratch, version: &str) -> String {
    let file = scratch.file("envoy", &format!("#!/bin/sh\necho 'envoy  version: 0000/{version}/Clean/RELEASE/BoringSSL'\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
    file
}

#[test]
fn a_busy_port_is_one_sentence_that_names_it() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = scratch.file("case.yaml", &demo_with("port: 8080", &format!("port: {port}")));
    let wasm = scratch.file("f.wasm", "");
    let output = nr(&["up", "--config", &config, "--wasm", &wasm]).env("ENVOY_BIN", pretender(&scratch, "1.40.9")).output().unwrap();
    let expected =
        format!("error: port {port} is in use on 127.0.0.1: stop the program that has it, or change listen.port in the configuration");
    assert_eq!(stderr(&output).lines().last(), Some(expected.as_str()));
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
}

#[test]
fn an_envoy_of_another_series_is_refused() {
    let scratch = Scratch::new();
    let envoy = pretender(&scratch, "1.39.1");
    let output = nr(&["up", "--config", "examples/demo.yaml"]).env("ENVOY_BIN", &envoy).output().unwrap();
    assert!(
        stderr(&output).ends_with(&format!("error: ENVOY_BIN names {envoy}, which is Envoy 1.39.1; 1.40 is needed\n")),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_missing_filter_says_how_to_get_it() {
    let scratch = Scratch::new();
    let output = nr(&["up", "--config", "examples/demo.yaml", "--wasm", "no.wasm"])
        .env("ENVOY_BIN", pretender(&scratch, "1.40.0"))
        .output()
        .unwrap();
    assert!(stderr(&output).ends_with("error: --wasm no.wasm: there is no such file\n"), "{}", stderr(&output));
}

#[test]
fn provider_keys_that_are_missing_are_named_before_anything_starts() {
    let scratch = Scratch::new();
    let example = std::fs::read_to_string(super::root().join("examples/neural-router.yaml")).unwrap();
    let free = |_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports: Vec<u16> = (0..2).map(free).collect();
    let config = example.replace("8080", &ports[0].to_string()).replace("9901", &ports[1].to_string());
    let (config, wasm) = (scratch.file("case.yaml", &config), scratch.file("f.wasm", ""));
    let output = nr(&["up", "--config", &config, "--wasm", &wasm])
        .env("ENVOY_BIN", pretender(&scratch, "1.40.0"))
        .env("OPENAI_API_KEY", "sk-canary")
        .output()
        .unwrap();
    let expected = "error: providers.anthropic.api_key: the variable ANTHROPIC_API_KEY is not set; \
                    providers.groq.api_key: the variable GROQ_API_KEY is not set; put it there, or take out what needs it\n";
    assert!(stderr(&output).ends_with(expected), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn an_envoy_that_ends_by_itself_ends_the_run_and_leaves_nothing() {
    let scratch = Scratch::new();
    let free = |_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports: Vec<u16> = (0..2).map(free).collect();
    let config = demo_with("port: 8080", &format!("port: {}", ports[0])).replace("port: 9901", &format!("port: {}", ports[1]));
    let (config, wasm) = (scratch.file("case.yaml", &config), scratch.file("f.wasm", "\0asm"));
    let runtime = scratch.path("runtime");
    std::fs::create_dir(&runtime).unwrap();
    let output = nr(&["up", "--config", &config, "--wasm", &wasm])
        .env("ENVOY_BIN", pretender(&scratch, "1.40.0"))
        .env("XDG_RUNTIME_DIR", &runtime)
        .output()
        .unwrap();
    assert!(stderr(&output).contains("error: Envoy ended by itself (exit status: 0)"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read_dir(&runtime).unwrap().count(), 0, "the private directory is still there");
}
