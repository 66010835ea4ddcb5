//! `nr check`.

use super::{Scratch, demo_with, run, stderr, stdout};

#[test]
fn accepts_the_examples() {
    for (file, expected) in [
        ("examples/demo.yaml", "ok: 3 providers, 4 models, 1 workspace\n"),
        ("examples/neural-router.yaml", "ok: 3 providers, 4 models, 1 workspace\n"),
        ("examples/providers.yaml", "ok: 12 providers, 6 models, 1 workspace\n"),
    ] {
        let output = run(&["check", file]);
        assert!(stdout(&output).starts_with(expected), "{file}: {}{}", stdout(&output), stderr(&output));
        assert!(output.status.success(), "{file}");
    }
}

#[test]
fn an_error_names_the_path_in_the_file() {
    let cases = [
        ("a missing provider", "{provider: openai, model", "{provider: nobody, model", "models[1].deployments[0].provider"),
        ("an unknown key", "  port: 8080", "  port: 8080\n  prot: 1", "listen.prot"),
        ("a number for a name", "id: gpt-4o", "id: [gpt-4o]", "models[1].id"),
        ("a port that is none", "port: 8080", "port: 80800", "listen.port"),
        ("a port of nobody", "port: 8080", "port: 0", "listen.port"),
        ("a listener by name", "address: 127.0.0.1 ", "address: localhost ", "listen.address"),
        ("two on one port", "port: 9901", "port: 8080", "admin.port"),
        ("no connection at all", "  port: 8080", "  port: 8080\n  max_connections: 0", "listen.max_connections"),
        ("a heap for nothing", "  port: 8080", "  port: 8080\n  max_heap_bytes: 1000000", "listen.max_heap_bytes"),
        (
            "a certificate somewhere",
            "  port: 8080",
            "  port: 8080\n  tls: {certificate: {file: tls.pem}, private_key: {file: /tls.key}}",
            "listen.tls.certificate.file",
        ),
        (
            "a key somewhere",
            "  port: 8080",
            "  port: 8080\n  tls: {certificate: {file: /tls.pem}, private_key: {file: tls.key}}",
            "listen.tls.private_key.file",
        ),
        (
            "authorities somewhere",
            "base_url: http://127.0.0.1:18002",
            "base_url: https://127.0.0.1:18002\n    ca: {file: ca.pem}",
            "providers.anthropic.ca.file",
        ),
        (
            "authorities of nobody",
            "base_url: http://127.0.0.1:18002",
            "base_url: http://127.0.0.1:18002\n    ca: {file: /ca.pem}",
            "providers.anthropic.ca",
        ),
        ("another HTTP", "base_url: http://127.0.0.1:18002", "base_url: http://127.0.0.1:18002\n    http: 3", "providers.anthropic.http"),
        ("an unknown protocol", "protocol: anthropic", "protocol: antropic", "providers.anthropic.protocol"),
        ("a URL without a scheme", "http://127.0.0.1:18002", "127.0.0.1:18002", "providers.anthropic.base_url"),
        ("a literal key", "    base_url: http://127.0.0.1:18002", "    api_key: sk-literal", "providers.anthropic.api_key"),
        ("an unknown capability", "[tools, json_object]", "[tools, telepathy]", "models[2].capabilities[1]"),
        ("a quality above 1", "{default: 0.76, code: 0.74}", "{default: 7.6}", "models[2].quality.default"),
        ("an unknown objective", "default_objective: quality-per-dollar", "default_objective: fame", "routing.default_objective"),
        ("a digest too short", "sha256: 4b4f", "sha256: 4b", "workspaces[0].keys[0].sha256"),
        ("a glob for nothing", "models: [\"*\"]", "models: [\"claude-*\", \"mistral-*\"]", "workspaces[0].models[1]"),
        ("a rate of nothing", "requests_per_minute: 600", "requests_per_minute: 0", "workspaces[0].limits.requests_per_minute"),
        ("a budget as text", "usd: 25", "usd: \"25\"", "workspaces[0].budget.usd"),
        ("an unknown period", "period: month", "period: fortnight", "workspaces[0].budget.period"),
        ("an unknown detector", "[api_key]", "[api_key, dna]", "workspaces[0].guardrails[0].detect"),
        ("an unknown action", "action: redact", "action: warn", "workspaces[0].guardrails[1].action"),
    ];
    let scratch = Scratch::new();
    for (name, old, new, path) in cases {
        let file = scratch.file("case.yaml", &demo_with(old, new));
        let output = run(&["check", &file]);
        let expected = format!("error: {file}: {path}: ");
        assert!(stderr(&output).starts_with(&expected), "{name}: expected {expected:?} in {}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{name}: one sentence");
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{name}");
    }
}

#[test]
fn what_is_not_yaml_is_refused_with_its_line() {
    let scratch = Scratch::new();
    for (name, text, expected) in [
        ("a tab", "listen:\n\tport: 1\n", "line 2"),
        ("a key that stands twice", "listen: {}\nlisten: {}\n", "duplicate"),
        ("no mapping", "just words\n", "no keys: a configuration has at least `providers`"),
        ("nothing", "", "it is empty: a configuration has at least `providers`"),
    ] {
        let output = run(&["check", &scratch.file("case.yaml", text)]);
        assert!(stderr(&output).contains(expected), "{name}: {}", stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{name}");
    }
}

#[test]
fn what_was_expected_is_said_in_words_and_not_in_types_of_rust() {
    let scratch = Scratch::new();
    for (old, new, expected) in [
        ("requests_per_minute: 600", "requests_per_minute: many", "string \"many\", expected a whole number\n"),
        ("usd: 25", "usd: much", "string \"much\", expected a number\n"),
        ("port: 8080", "port: http", "string \"http\", expected a whole number\n"),
        ("models: [\"*\"]", "models: \"*\"", "string \"*\", expected a list\n"),
        ("{requests_per_minute: 600, tokens_per_minute: 400000}", "none", "string \"none\", expected keys with values\n"),
    ] {
        let output = run(&["check", &scratch.file("case.yaml", &demo_with(old, new))]);
        assert!(stderr(&output).ends_with(expected), "{new}: {}", stderr(&output));
    }
}

#[test]
fn a_key_written_into_the_file_is_refused_without_being_repeated() {
    let scratch = Scratch::new();
    for api_key in ["sk-canary", "{env: sk-canary}", "{file: sk-canary}", "{sk-canary: x}", "{value: sk-canary}"] {
        let file = scratch.file("case.yaml", &demo_with("    base_url: http://127.0.0.1:18002", &format!("    api_key: {api_key}")));
        let output = run(&["check", &file]);
        let said = stderr(&output);
        assert!(said.contains("providers.anthropic.api_key: a key does not stand in this file"), "{api_key}: {said}");
        assert!(!said.contains("canary"), "{api_key}: {said}");
        assert_eq!(output.status.code(), Some(1), "{api_key}");
    }
}

#[test]
fn a_file_that_is_not_there_is_one_sentence() {
    let output = run(&["check", "no-such-file.yaml"]);
    assert_eq!(
        stderr(&output),
        "error: no-such-file.yaml: there is no such file; name your configuration, or begin with a copy of examples/neural-router.yaml\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn says_what_each_workspace_may_use() {
    let scratch = Scratch::new();
    let demo = demo_with("requests_per_minute: 600", "requests_per_minute: 600, burst: 60").replace(
        "sha256: 4b4fcb7764c5b6edd6e005a4347426d0289426dc208fc222e8f10e16cff69eec}",
        "sha256: 4b4fcb7764c5b6edd6e005a4347426d0289426dc208fc222e8f10e16cff69eec, models: [gpt-4o, \"claude-*\"], \
         limits: {tokens_per_minute: 10}}",
    );
    let bare = "  - {id: bare, keys: [], models: [gpt-4o]}\n";
    let output = run(&["check", &scratch.file("case.yaml", &[demo.as_str(), bare].concat())]);
    let expected = "ok: 3 providers, 4 models, 2 workspaces\n\
                    demo: 4 models, 1 key\n  \
                      limits: 600 requests per minute (60 at once), 400000 tokens per minute\n  \
                      budget: 25 USD per month\n  \
                      guardrails: keys (block input), project (redact input and output)\n  \
                      key public: only gpt-4o claude-*, 10 tokens per minute\n\
                    bare: 1 model, 0 keys\n  \
                      limits: none\n  \
                      budget: none\n  \
                      guardrails: none\n";
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    assert!(output.status.success());
}

#[test]
fn pages_that_may_call_are_named_as_browsers_name_them() {
    let scratch = Scratch::new();
    let check =
        |cors: &str| run(&["check", &scratch.file("case.yaml", &demo_with("  port: 8080", &format!("  port: 8080\n  cors: {cors}")))]);
    for origins in [
        "[\"*\"]",
        "[https://app.example.com]",
        "[http://localhost:3000, \"http://127.0.0.1:8000\", \"http://[::1]:3000\", \"https://[::1]\"]",
        "[tauri://localhost, chrome-extension://abcdefghijklmnop]",
    ] {
        let output = check(&format!("{{allow_origins: {origins}, max_age_s: 0}}"));
        assert!(output.status.success(), "{origins}: {}", stderr(&output));
    }
    for (cors, path) in [
        ("{allow_origins: []}", "allow_origins"),
        ("{allow_origins: [\"*\", https://a.example]}", "allow_origins[0]"),
        ("{allow_origins: [https://a.example, \"*\"]}", "allow_origins[1]"),
        ("{allow_origins: [https://a.example/]}", "allow_origins[0]"),
        ("{allow_origins: [https://A.example]}", "allow_origins[0]"),
        ("{allow_origins: [a.example]}", "allow_origins[0]"),
        ("{allow_origins: [\"https://\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"https://*.example\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"https://a.example:443\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"http://a.example:080\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"http://a.example:99999\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"http://[::1\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"http://u@a.example\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"http://[0:0:0:0:0:0:0:1]\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"null\"]}", "allow_origins[0]"),
        ("{allow_origins: [\"*\"], max_age_s: 86401}", "max_age_s"),
        ("{max_age_s: 5}", ""),
    ] {
        let output = check(cors);
        let expected = format!("listen.cors{}{path}: ", if path.is_empty() { "" } else { "." });
        assert!(stderr(&output).contains(&expected), "{cors}: expected {expected:?} in {}", stderr(&output));
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{cors}");
    }
}

#[test]
fn an_administration_page_open_to_others_is_refused_unless_that_is_said() {
    let scratch = Scratch::new();
    for address in ["0.0.0.0", "192.0.2.1", "\"::\""] {
        let opened = format!("{address}\n  port: 9901");
        let refused = scratch.file("refused.yaml", &demo_with("127.0.0.1\n  port: 9901", &opened));
        for command in [&["check", &refused][..], &["render", "envoy", "--config", &refused], &["up", "--config", &refused]] {
            let output = run(command);
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{command:?}");
            assert!(stderr(&output).contains("admin.address: ") && stderr(&output).contains("`allow_remote: true`"), "{}", stderr(&output));
        }
        let meant = scratch.file("meant.yaml", &demo_with("127.0.0.1\n  port: 9901", &format!("{opened}\n  allow_remote: true")));
        let output = run(&["check", &meant]);
        assert!(output.status.success() && stderr(&output).starts_with("warning: admin.address: "), "{}", stderr(&output));
    }
}

#[test]
fn warns_of_a_placeholder_key() {
    assert!(stderr(&run(&["check", "examples/neural-router.yaml"])).contains("workspaces[0].keys[0].sha256: `placeholder`"));
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [&["chekc"][..], &[], &["render"], &["key", "new"], &["up", "--workers", "0"]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
