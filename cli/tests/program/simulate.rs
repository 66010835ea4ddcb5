//! `nr simulate`, on a log that Envoy wrote: tests/envoy records it anew with UPDATE_GOLDENS=1.

use std::process::Output;

use serde_json::Value;

use super::{Scratch, demo_with, root, run, stderr, stdout};

const LOG: &str = "cli/tests/fixtures/simulate/access.log";
const CHEAPER: &str = "cli/tests/fixtures/simulate/cheaper.yaml";
const DEMO: &str = "examples/demo.yaml";

fn simulate(log: &str, options: &[&str]) -> Output {
    run(&[&["simulate", log], options].concat())
}

fn json(log: &str, options: &[&str]) -> Value {
    let output = simulate(log, &[options, &["--json"]].concat());
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{options:?}: {}", stderr(&output)))
}

fn recorded() -> String {
    std::fs::read_to_string(root().join(LOG)).unwrap()
}

/// Compares with a file beside the log, or writes it.
fn assert_golden(name: &str, found: &str) {
    let path = root().join("cli/tests/fixtures/simulate").join(name);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap(), "{name}: UPDATE_GOLDENS=1 writes it anew");
}

#[test]
fn two_policies_beside_their_controls() {
    let output = simulate(LOG, &["--policy", DEMO, "--policy", CHEAPER, "--seed", "7"]);
    assert_eq!(stderr(&output), "");
    assert_golden("two.txt", &stdout(&output));
}

#[test]
fn a_policy_compared_with_itself_is_no_different() {
    let found = json(LOG, &["--policy", DEMO, "--policy", DEMO]);
    for figure in ["quality", "usd_per_1000_calls", "latency_ms"] {
        for end in ["mean", "low", "high"] {
            assert_eq!(found["b_less_a"][figure][end], 0.0, "{figure} {end}");
        }
    }
    let [a, b] = [&found["policies"][0], &found["policies"][1]];
    for of in ["own", "control", "beyond_control", "calls_by_model"] {
        assert_eq!(a[of], b[of], "{of}");
    }
}

#[test]
fn the_seed_is_all_the_chance_there_is() {
    let with = |seed: &str| json(LOG, &["--policy", CHEAPER, "--seed", seed]);
    assert_eq!(with("1"), with("1"));
    let (one, other) = (with("1"), with("2"));
    let own = |found: &Value, end: &str| found["policies"][0]["own"]["quality"][end].clone();
    assert_eq!(own(&one, "mean"), own(&other, "mean"));
    assert_ne!((own(&one, "low"), own(&one, "high")), (own(&other, "low"), own(&other, "high")));
}

#[test]
fn more_of_the_same_calls_make_narrower_intervals() {
    let scratch = Scratch::new();
    let many = scratch.file("many.log", &recorded().repeat(16));
    let width = |log: &str| {
        let found = json(log, &["--policy", DEMO]);
        let quality = &found["policies"][0]["own"]["quality"];
        quality["high"].as_f64().unwrap() - quality["low"].as_f64().unwrap()
    };
    let ratio = width(LOG) / width(&many);
    assert!((3.0..5.3).contains(&ratio), "a quarter for sixteen times as many: {ratio}");
}

#[test]
fn a_router_that_looks_at_nothing_is_not_seen_to_be_better_than_its_control() {
    let scratch = Scratch::new();
    // Every model is as good at everything, so it does not matter which call goes where.
    let alike = demo_with("{default: 0.86, code: 0.90, summarization: 0.84}", "{default: 0.8}")
        .replace("{default: 0.84, code: 0.82}", "{default: 0.8}")
        .replace("{default: 0.76, code: 0.74}", "{default: 0.8}")
        .replace("quality: {default: 0.8}", "quality: {default: 0.8}\n    sensitivity: 0")
        .replace("default_objective: quality-per-dollar", "default_objective: quality-per-dollar\n  exploration: 0.5");
    let policy = scratch.file("alike.yaml", &alike);
    let found = json(LOG, &["--policy", &policy]);
    let beyond = &found["policies"][0]["beyond_control"]["quality"];
    assert!(beyond["mean"].as_f64().unwrap().abs() < 1e-12, "{beyond}");
    let output = simulate(LOG, &["--policy", &policy]);
    assert!(stdout(&output).contains("A is not seen to be better than its control"), "{}", stdout(&output));
}

#[test]
fn lines_that_are_no_calls_or_cannot_be_read_are_counted_and_named() {
    let scratch = Scratch::new();
    let clean = json(LOG, &["--policy", DEMO]);
    let good = recorded();
    let first = good.lines().next().unwrap();
    let spoilt = first.replacen(r#"\"objective\":\"quality-per-dollar\""#, r#"\"objective\":\"fame\""#, 1);
    assert_ne!(spoilt, first);
    let mixed = format!("[2026-11-23 02:00:00.000][7][warning] not ours\n{{\"path\":\n{spoilt}\n{good}");
    let log = scratch.file("mixed.log", &mixed);
    let output = simulate(&log, &["--policy", DEMO]);
    let said = stderr(&output);
    assert!(said.starts_with("line 2: EOF while parsing") && said.ends_with("line 3: decision: no objective `fame`\n"), "{said}");
    let shown = stdout(&output);
    assert!(shown.contains("1  not of the access log (line 1)\n") && shown.contains("2  cannot be read (lines 2, 3)\n"), "{shown}");
    let found = json(&log, &["--policy", DEMO]);
    assert_eq!(found["policies"][0]["own"], clean["policies"][0]["own"]);
    assert_eq!((found["bad_lines"].as_array().map(Vec::len), found["lines"].as_u64()), (Some(2), Some(good.lines().count() as u64 + 3)));
    let of_all: usize = found["left_out"].as_array().unwrap().iter().map(|entry| entry["lines"].as_array().unwrap().len()).sum();
    assert_eq!(of_all as u64 + 2 + found["calls"].as_u64().unwrap(), found["lines"].as_u64().unwrap(), "no line is lost");
}

#[test]
fn only_the_first_of_many_bad_lines_are_told_one_by_one() {
    let scratch = Scratch::new();
    let log = scratch.file("bad.log", &("{\n".repeat(30) + &recorded()));
    let said = stderr(&simulate(&log, &["--policy", DEMO]));
    assert_eq!(said.lines().count(), 21, "{said}");
    assert!(said.ends_with("and 10 more lines that cannot be read\n"), "{said}");
}

#[test]
fn calls_that_a_policy_cannot_answer_are_left_out_for_both() {
    let scratch = Scratch::new();
    let blind = scratch.file("blind.yaml", &demo_with(", vision, json_object, json_schema, reasoning]", "]").replace(", vision", ""));
    let found = json(LOG, &["--policy", DEMO, "--policy", &blind]);
    let refused = &found["policies"][1]["no_answer"];
    assert!(refused[0]["why"].as_str().unwrap().contains("vision"), "{refused}");
    let alone = json(LOG, &["--policy", DEMO]);
    let lines: u64 = refused.as_array().unwrap().iter().map(|entry| entry["lines"].as_array().unwrap().len() as u64).sum();
    assert_eq!(found["calls"].as_u64().unwrap() + lines, alone["calls"].as_u64().unwrap());
    assert_eq!(found["policies"][0]["no_answer"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_log_without_calls_is_an_error_that_says_what_was_there() {
    let scratch = Scratch::new();
    for (text, options, expected) in [
        ("", &[][..], ": 0 lines, 0 calls replayed\n"),
        ("{}\nx\n", &[], "1  nothing was decided (no call of a model, or refused before) (line 1)"),
        (&recorded(), &["--workspace", "nobody"], "of another workspace (lines 1, 2, "),
    ] {
        let log = scratch.file("empty.log", text);
        let output = simulate(&log, &[&["--policy", DEMO], options].concat());
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(stderr(&output).ends_with("no call that could be replayed\n"), "{}", stderr(&output));
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    }
}

#[test]
fn wrong_usage_is_told() {
    for (options, status, said) in [
        (&[][..], 2, "--policy"),
        (&["--policy", DEMO, "--policy", DEMO, "--policy", DEMO], 1, "error: --policy: one or two configurations\n"),
        (&["--policy", "nowhere.yaml"], 1, "error: nowhere.yaml: there is no such file"),
        (&["--policy", DEMO, "--seed", "x"], 2, "--seed"),
        (&["--policy", DEMO, "--plot", "/nowhere/x.svg"], 1, "error: /nowhere/x.svg: No such file"),
    ] {
        let output = simulate(LOG, options);
        assert_eq!(output.status.code(), Some(status), "{options:?}");
        assert!(stderr(&output).contains(said), "{options:?}: {}", stderr(&output));
    }
}

#[test]
fn the_drawing_has_the_policies_their_controls_and_the_models() {
    let scratch = Scratch::new();
    let file = scratch.path("curve.svg");
    let output = simulate(LOG, &["--policy", DEMO, "--policy", CHEAPER, "--seed", "7", "--plot", &file]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("llama-3.3-70b alone: 1 of the calls, which it cannot take, are as A has them"),
        "{}",
        stderr(&output)
    );
    assert_golden("curve.svg", &std::fs::read_to_string(&file).unwrap());
}
