//! `nr explain`. That it decides as the filter does is for tests/envoy to say, on the filter itself.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use super::{Scratch, demo_with, nr, run, stderr, stdout};

const DEMO: [&str; 2] = ["--config", "examples/demo.yaml"];
const HELLO: &str = r#""messages":[{"role":"user","content":"Say hello."}]"#;

/// Explains a body that comes on standard input.
fn explain(body: &str, options: &[&str]) -> Output {
    let mut child = nr(&[&["explain", "-"], options].concat());
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who is asked wrongly does not read it.
    let _ = child.stdin.take().unwrap().write_all(body.as_bytes());
    child.wait_with_output().unwrap()
}

/// A chat body with these members besides `messages`.
fn chat(members: &str) -> String {
    format!("{{{members},{HELLO}}}")
}

#[test]
fn a_decision_is_a_few_facts_and_a_table() {
    // Vectors have no task, so nothing here is inferred.
    let output = explain(r#"{"model":"auto","input":["Say hello.","And bye."]}"#, &DEMO);
    let expected = "\
objective       quality-per-dollar
task class      none, for vectors
prompt          about 4 tokens
estimated cost  0.00000008 USD
policy          POLICY
reason          the only eligible model

try  model                   provider  deployment                   q      c, USD  L, ms     score
  1  text-embedding-3-small  openai    text-embedding-3-small  0.6200  0.00000008    800  0.619996

not asked: claude-sonnet: answers chats
not asked: gpt-4o: answers chats
not asked: llama-3.3-70b: answers chats
";
    let shown = stdout(&output);
    let policy = shown.lines().find_map(|line| line.strip_prefix("policy")).unwrap_or_default().trim().to_owned();
    assert_eq!(policy.len(), 12, "{shown}");
    assert_eq!(shown.replace(&policy, "POLICY"), expected, "{}", stderr(&output));
}

#[test]
fn the_table_and_the_json_tell_of_the_same_candidates_in_the_same_order() {
    for members in [
        r#""model":"auto""#,
        r#""model":"auto","route":{"objective":"cost","task_class":"code"}"#,
        r#""model":"gpt-4o","route":{"fallbacks":["llama-3.3-70b"],"dry_run":true,"explain":false}"#,
        r#""model":"auto","tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"}"#,
        r#""model":"auto","route":{"max_latency_ms":1}"#,
        r#""model":"auto","max_tokens":100000"#,
    ] {
        let (page, json) = (explain(&chat(members), &DEMO), explain(&chat(members), &[&DEMO[..], &["--json"]].concat()));
        let (page, routing) = (stdout(&page), serde_json::from_str::<Value>(&stdout(&json)).unwrap());
        assert_eq!(stdout(&json).lines().count(), 1, "{members}");
        let told = |name: &str| routing[name].as_str().unwrap_or_default().to_owned();
        for (heading, value) in [("objective", told("objective")), ("policy", told("policy")), ("reason", told("reason"))] {
            let line = page.lines().find(|line| line.starts_with(heading)).unwrap_or_default();
            assert!(line.ends_with(&value) && !value.is_empty(), "{members}: {value} in {page}");
        }
        let rows: Vec<Vec<&str>> =
            page.lines().skip_while(|line| !line.starts_with("try")).skip(1).take_while(|line| !line.is_empty()).map(words).collect();
        let eligible: Vec<&Value> = routing["candidates"].as_array().unwrap().iter().filter(|row| row.get("q").is_some()).collect();
        assert_eq!(rows.len(), eligible.len(), "{members}: {page}");
        for (row, candidate) in rows.iter().zip(eligible) {
            assert_eq!(row[1], candidate["model"], "{members}: {page}");
            assert_eq!(row[5].parse::<f64>().ok(), candidate["c_usd"].as_f64(), "{members}: {page}");
        }
        let not_asked = page.lines().filter(|line| line.starts_with("not asked: ")).count();
        let excluded = routing["candidates"].as_array().unwrap().iter().filter(|row| row.get("excluded").is_some()).count();
        assert_eq!(not_asked, excluded, "{members}: {page}");
        assert_eq!(rows[0][1], told("selected"), "{members}");
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn a_task_class_is_said_to_be_given_or_inferred() {
    for (members, expected) in [
        (r#""model":"auto","route":{"task_class":"math"}"#, "math, given; difficulty 0."),
        (r#""model":"auto""#, ", inferred; difficulty 0."),
    ] {
        let shown = stdout(&explain(&chat(members), &DEMO));
        let line = shown.lines().find(|line| line.starts_with("task class")).unwrap_or_default();
        assert!(line.contains(expected), "{members}: {line}");
    }
}

#[test]
fn what_content_rules_take_out_is_told_and_what_they_block_is_refused() {
    let body = |text: &str| format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let redacted = explain(&body("What of project bluebird?"), &DEMO);
    assert!(stdout(&redacted).contains("\nadjustment      redacted project in the request (1)\n"), "{}", stdout(&redacted));
    let blocked = explain(&body(&format!("Is nr-{} good?", "5f8e1c0b7a2d4963".repeat(3))), &DEMO);
    let expected = "error: the gateway would refuse this with 403: the guardrail `keys` of this workspace does not let this through \
                    (code guardrail_blocked)\n";
    assert_eq!((stderr(&blocked).as_str(), blocked.status.code()), (expected, Some(1)));
}

#[test]
fn a_refusal_is_the_gateway_s_error_and_exit_status_1() {
    let scratch = Scratch::new();
    let small = scratch.file("small.yaml", &demo_with("  port: 8080", "  port: 8080\n  max_request_bytes: 1024"));
    let long = chat(&format!(r#""model":"auto","user":"{}""#, "x".repeat(1100)));
    for (body, config, status, kind, param) in [
        (chat(r#""model":"nobody""#), DEMO[1], 404, "model_not_found", Some("model")),
        (chat(r#""model":"auto","route":{"objective":"fame"}"#), DEMO[1], 400, "invalid_request", Some("route.objective")),
        (chat(r#""model":"auto","max_tokens":"many""#), DEMO[1], 400, "invalid_request", Some("max_tokens")),
        ("{".to_owned(), DEMO[1], 400, "invalid_request", None),
        (long, &small, 400, "invalid_request", None),
    ] {
        let output = explain(&body, &["--config", config, "--json"]);
        let error: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{body}: {}", stderr(&output)));
        let error = &error["error"];
        assert_eq!((error["type"].as_str(), error["param"].as_str()), (Some(kind), param), "{body}");
        let expected = format!("error: the gateway would refuse this with {status}: {}", error["message"].as_str().unwrap());
        assert!(stderr(&output).starts_with(&expected), "{body}: {}", stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{body}");
        let page = explain(&body, &["--config", config]);
        assert_eq!((stdout(&page).as_str(), stderr(&page)), ("", stderr(&output)), "{body}");
    }
}

#[test]
fn it_is_asked_as_a_workspace_or_as_one_of_its_keys() {
    let scratch = Scratch::new();
    let digest = |n: u32| format!("{n:064x}");
    let workspaces = format!(
        "\n      - {{id: small, sha256: {}, models: [llama-*]}}\n    models: [\"*\"]\n  - id: other\n    keys:\n      - {{id: small, sha256: {}}}\n    models: [gpt-4o]\n",
        digest(1),
        digest(2)
    );
    let config = scratch.file("two.yaml", &(demo_with("\n    models: [\"*\"]\n", &workspaces)));
    let body = chat(r#""model":"auto","route":{"objective":"quality"}"#);
    // The demo's limits now are those of `other`, which does not matter here.
    for (options, expected) in [
        (&["--workspace", "demo"][..], Ok("claude-sonnet")),
        (&["--workspace", "demo", "--key-id", "public"], Ok("claude-sonnet")),
        (&["--key-id", "public"], Ok("claude-sonnet")),
        (&["--workspace", "demo", "--key-id", "small"], Ok("llama-3.3-70b")),
        (&["--workspace", "other"], Ok("gpt-4o")),
        (&[], Err("--workspace: say which one is meant: demo, other")),
        (&["--key-id", "small"], Err("--workspace: say which one is meant: demo, other")),
        (&["--workspace", "nowhere"], Err("--workspace: no workspace `nowhere`; there are demo, other")),
        (&["--key-id", "nobody"], Err("--key-id: no key `nobody` in demo, other")),
        (&["--workspace", "other", "--key-id", "public"], Err("--key-id: no key `public` in other")),
    ] {
        let output = explain(&body, &[&["--config", &config, "--json"], options].concat());
        match expected {
            Ok(model) => {
                let routing: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{options:?}: {}", stderr(&output)));
                assert_eq!(routing["selected"], model, "{options:?}");
            }
            Err(said) => assert_eq!(stderr(&output), format!("error: {said}\n"), "{options:?}"),
        }
    }
}

#[test]
fn a_file_says_the_same_as_standard_input() {
    let scratch = Scratch::new();
    let body = chat(r#""model":"auto""#);
    let file = scratch.file("request.json", &body);
    assert_eq!(stdout(&run(&["explain", &file, DEMO[0], DEMO[1]])), stdout(&explain(&body, &DEMO)));
    let missing = run(&["explain", "no-such-file.json", DEMO[0], DEMO[1]]);
    assert_eq!(stderr(&missing), "error: no-such-file.json: No such file or directory (os error 2)\n");
}

#[test]
fn a_lot_shows_what_exploration_would_pick() {
    let scratch = Scratch::new();
    let config = scratch.file("explore.yaml", &demo_with("\nrouting:\n", "\nrouting:\n  exploration: 0.3\n"));
    let picked = |lot: &str| {
        let output = explain(&chat(r#""model":"auto""#), &["--config", &config, "--json", "--lot", lot]);
        let routing: Value = serde_json::from_str(&stdout(&output)).unwrap();
        (routing["selected"].as_str().unwrap().to_owned(), routing["propensity"].as_f64().unwrap())
    };
    let (best, likely) = picked("1");
    assert_eq!(likely, 0.8, "the share that does not explore, and the best one's third of the rest");
    let others: Vec<(String, f64)> = ["0", "0.15", "0.25"].map(picked).to_vec();
    assert_eq!(others.iter().filter(|(model, _)| *model == best).count(), 1, "{others:?}");
    assert!(others.iter().all(|(model, likely)| *likely == if *model == best { 0.8 } else { 0.1 }), "{others:?}");
    for wrong in ["-0.1", "1.5", "x", "NaN"] {
        assert_eq!(explain("{}", &["--config", &config, &format!("--lot={wrong}")]).status.code(), Some(2), "{wrong}");
    }
}
