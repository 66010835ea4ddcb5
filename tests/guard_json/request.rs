//! Requests: what is text, how it may be written, and what is left of a body.

use super::{Random, compile, detect, redacted, terms};
use neural_router::guard::{Action, Verdict};

const MARK: &str = "[redacted:project-x]";

fn redact(body: &str) -> Result<(String, Vec<String>), String> {
    let guard = compile(&[terms("project-x", Action::Redact, &["project x"])]);
    redacted(guard.input().expect("rules").request(body))
}

fn chat(messages: &str) -> String {
    format!(r#"{{"model":"m","messages":[{messages}],"seed" : 1.50}}"#)
}

#[test]
fn a_phrase_is_taken_out_wherever_it_stands_and_nothing_else_changes() {
    for body in [
        chat(r#"{"role":"system","content":"about Project X."}"#),
        chat(r#"{"role":"developer","content":"Project X"}"#),
        chat(r#"{"role":"user","content":"say Project X!","name":"u"}"#),
        chat(r#"{"role":"user","name":"Project X","content":"u"}"#),
        chat(r#"{"role":"assistant","content":null,"refusal":"no Project X"}"#),
        chat(r#"{"role":"assistant","content":null,"reasoning_content":"Project X?"}"#),
        chat(r#"{"role":"tool","tool_call_id":"call_1","content":"{\"name\":\"Project X\"}"}"#),
        chat(r#"{"role":"function","name":"f","content":"Project X"}"#),
        chat(r#"{"role":"user","content":[ {"type":"text","text":"Project X"} ]}"#),
        chat(r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/Project X.png","detail":"low"}}]}"#),
        chat(r#"{"role":"user","content":[{"type":"file","file":{"filename":"Project X.pdf","file_data":"QUJD"}}]}"#),
        chat(r#"{"role":"user","content":[{"type":"future","future":{"deep":[["Project X"]]}}]}"#),
        chat(
            r#"{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"q\": \"Project X\"}"}}]}"#,
        ),
        chat(r#"{"role":"assistant","function_call":{"name":"Project X","arguments":"{}"}}"#),
        chat(r#"{"role":"user","content":"a"},{"role":"user","content":"Project X"}"#),
        r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f","description":"Project X"}}]}"#.to_owned(),
        r#"{"tools":[{"function":{"parameters":{"type":"object","properties":{"Project X":{"type":"string"}}}}}]}"#.to_owned(),
        r#"{"tools":[{"function":{"parameters":{"properties":{"a":{"enum":["Project X","b"],"type":"string"}}}}}]}"#.to_owned(),
        r#"{"functions":[{"name":"f","parameters":{"properties":{"a":{"default":{"type":"Project X"}}}}}]}"#.to_owned(),
        r#"{"response_format":{"type":"json_schema","json_schema":{"name":"Project X","schema":{}}}}"#.to_owned(),
        r#"{"metadata":{"Project X":"1"}}"#.to_owned(),
        r#"{"metadata":{"type":"Project X"}}"#.to_owned(),
        r#"{"user":"Project X"}"#.to_owned(),
        r#"{"stop":["a","Project X"]}"#.to_owned(),
        r#"{"prediction":{"type":"content","content":"Project X"}}"#.to_owned(),
        r#"{"role":"Project X"}"#.to_owned(),
        r#"{"future_of Project X":{}}"#.to_owned(),
        r#"{"input":"Project X"}"#.to_owned(),
        r#"{"input":["a","Project X",[1,2]]}"#.to_owned(),
    ] {
        let (changed, notes) = redact(&body).unwrap_or_else(|other| panic!("{other}: {body}"));
        assert_eq!(changed, body.replace("Project X", MARK));
        assert_eq!(notes, ["redacted project-x in the request (1)"], "{body}");
    }
}

#[test]
fn what_is_no_text_stays() {
    let data = "cHJvamVjdHg".repeat(20);
    for body in [
        r#"{"model":"project x","route":{"objective":"project x"},"messages":[]}"#.to_owned(),
        chat(r#"{"role":"user","content":"project y"},{"role":"user","content":"project"},{"role":"user","content":" x"}"#),
        chat(
            r#"{"role":"user","content":[{"type":"text","text":"project "},{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"x"}]}"#,
        ),
        r#"{"input":["project","x"]}"#.to_owned(),
        r#"{"metadata":{"project":"x"}}"#.to_owned(),
        r#"{}"#.to_owned(),
    ] {
        assert_eq!(redact(&body), Err("clean".to_owned()), "{body}");
    }
    let guard = compile(&[terms("t", Action::Block, &["projectx", "user", "cHJvamVjdHg", "string"])]);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}},{{"type":"input_audio","input_audio":{{"data":"{data}","format":"wav"}}}}]}}],"user":"a","tools":[{{"type":"function","function":{{"parameters":{{"properties":{{"a":{{"type":"string"}}}}}}}}}}]}}"#
    );
    assert_eq!(guard.input().expect("rules").request(&body), Verdict::Clean);
}

#[test]
fn escapes_hide_nothing() {
    for (written, left) in [
        (r"\u0070roject x", MARK),
        (r"a\u0050\u0052OJECT\u0020X\u0021", r"a[redacted:project-x]\u0021"),
        (r"\ud83d\ude00 project x \ud83d", r"\ud83d\ude00 [redacted:project-x] \ud83d"),
        (r"\\\u0070roject x\\", r"\\[redacted:project-x]\\"),
        // Escaped twice, as in arguments and results of tools.
        (r#"{\"a\":\"\\u0070roject\\u0020x\"}"#, r#"{\"a\":\"[redacted:project-x]\"}"#),
        (r"\\u0070roject x", MARK),
        (r"\u005cu0070roject x", MARK),
        (r"\u005c\u0075\u0030070roject x and project x", "[redacted:project-x] and [redacted:project-x]"),
        // No escape, but it looks like the end of one.
        (r"C:\\project x", r"C:\\[redacted:project-x]"),
        (r"\\nproject x", r"\\n[redacted:project-x]"),
        (r"\n\tproject x\r\n", r"\n\t[redacted:project-x]\r\n"),
    ] {
        for (before, after) in [
            (r#"{"messages":[{"role":"user","content":""#, r#""}]}"#),
            (r#"{"messages":[{"role":"user","content":[{"type":"text","text":""#, r#""}]}]}"#),
            (r#"{"messages":[{"tool_calls":[{"function":{"name":"f","arguments":""#, r#""}}]}]}"#),
            (r#"{"input":[[1],""#, r#""]}"#),
            (r#"{"metadata":{""#, r#"":"v"}}"#),
            (r#"{"tools":[{"function":{"parameters":{"properties":{""#, r#"":{"type":"string"}}}}}]}"#),
        ] {
            let body = [before, written, after].concat();
            // Outside a string of its own JSON a placeholder gets quotes.
            let quoted = before.contains("arguments") && !written.starts_with('{');
            let left = if quoted { left.replace('[', r#"\"["#).replace(']', r#"]\""#) } else { left.to_owned() };
            let changed = redact(&body).unwrap_or_else(|other| panic!("{other}: {body}")).0;
            if !quoted || !written.contains("and") {
                assert_eq!(changed, [before, &left, after].concat(), "{body}");
            }
        }
    }
}

#[test]
fn a_number_in_arguments_becomes_a_string() {
    let guard = compile(&[terms("n", Action::Redact, &["4111"])]);
    let body = r#"{"messages":[{"tool_calls":[{"function":{"arguments":"{\"a\\\"\": 4111, \"b\":\"4111\", \"c\":[4111]}"}}]},{"role":"tool","content":"{\"a\": 4111}"}]}"#;
    let (changed, notes) = redacted(guard.input().expect("rules").request(body)).expect("redacted");
    let expected = r#"{"messages":[{"tool_calls":[{"function":{"arguments":"{\"a\\\"\": \"[redacted:n]\", \"b\":\"[redacted:n]\", \"c\":[\"[redacted:n]\"]}"}}]},{"role":"tool","content":"{\"a\": [redacted:n]}"}]}"#;
    assert_eq!((changed.as_str(), notes), (expected, vec!["redacted n in the request (4)".to_owned()]));
    let whole: serde_json::Value = serde_json::from_str(&changed).expect("JSON");
    let arguments = whole["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().expect("a string");
    serde_json::from_str::<serde_json::Value>(arguments).expect("the arguments are JSON still");
}

#[test]
fn a_phrase_in_two_parts_is_taken_out_of_both() {
    let text = |texts: &[&str]| {
        let parts: Vec<String> = texts.iter().map(|text| format!(r#"{{"type":"text","text":"{text}"}}"#)).collect();
        chat(&format!(r#"{{"role":"user","content":[{}]}}"#, parts.join(", ")))
    };
    let long = |begin: &str, end: &str| format!("{begin}{}{end}", "ü".repeat(3_000));
    for (before, after) in [
        (&["a pro", "ject x b"][..], &["a [redacted:project-x]", " b"][..]),
        (&["project ", "x"], &["[redacted:project-x]", ""]),
        (&["project", "x!"], &["[redacted:project-x]", "!"]),
        (&["pro", "", "jec", "t", "-", "x", "y"], &["pro", "", "jec", "t", "-", "x", "y"]),
        (&["pro", "", "jec", "t", " ", "x", " y"], &["[redacted:project-x]", "", "", "", "", "", " y"]),
        (
            &[r"pr\u006f", r"\u006aect x project x pro", "ject x"],
            &["[redacted:project-x]", " [redacted:project-x] [redacted:project-x]", ""],
        ),
        (&[r"\\u007", "0roject x"], &["[redacted:project-x]", ""]),
        (&[&long("", " project"), &long("x.", "x PROject"), "x"], &[&long("", &format!(" {MARK}")), &long(".", &format!("x {MARK}")), ""]),
        (&[&long("", "project"), "x", &long("x", "")], &[&long("", MARK), "", &long("x", "")]),
    ] {
        let verdict = redact(&text(before)).map(|(body, _)| body);
        let expected = if before == after { Err("clean".to_owned()) } else { Ok(text(after)) };
        assert!(verdict == expected, "{before:?}: {verdict:?}");
    }
}

#[test]
fn parts_of_every_kind_are_joined() {
    let rules = compile(&[terms("block", Action::Block, &["secretword"])]);
    for content in [
        r#"[{"type":"refusal","refusal":"sec"},{"type":"refusal","refusal":"retword"}]"#,
        r#"[{"type":"text","text":"sec"},{"type":"refusal","refusal":"retword"}]"#,
        r#"[{"type":"thinking","thinking":[{"type":"text","text":"sec"},{"type":"text","text":"retword"}]}]"#,
    ] {
        let body = chat(&format!(r#"{{"role":"assistant","content":{content}}}"#));
        let verdict = rules.input().expect("rules").request(&body);
        assert_eq!(verdict, Verdict::Blocked { rule: "block".to_owned() }, "{content}");
    }
}

#[test]
fn a_block_wins_over_everything() {
    let guard = compile(&[
        terms("mild", Action::Redact, &["apple", "pear"]),
        terms("strict", Action::Block, &["cherry"]),
        terms("other", Action::Block, &["date"]),
    ]);
    let rules = guard.input().expect("rules");
    let verdict = |content: &str| rules.request(&chat(&format!(r#"{{"role":"user","content":"{content}"}}"#)));
    let blocked = |rule: &str| Verdict::Blocked { rule: rule.to_owned() };
    assert_eq!(verdict("apple then cherry"), blocked("strict"));
    assert_eq!(verdict("date, cherry, apple"), blocked("other"));
    assert_eq!(verdict("nothing"), Verdict::Clean);
    let (body, notes) = redacted(verdict("apple pear APPLE")).expect("redacted");
    assert!(body.contains("[redacted:mild] [redacted:mild] [redacted:mild]"), "{body}");
    assert_eq!(notes, ["redacted mild in the request (3)"]);
}

#[test]
fn matches_that_overlap_share_a_placeholder() {
    let guard = compile(&[terms("a", Action::Redact, &["one two", "five"]), terms("b", Action::Redact, &["two three", "five six"])]);
    let body = chat(r#"{"role":"user","content":"x one two three y five six z two three"}"#);
    let (changed, notes) = redacted(guard.input().expect("rules").request(&body)).expect("redacted");
    assert!(changed.contains(r#""x [redacted:a] y [redacted:a] z [redacted:b]""#), "{changed}");
    assert_eq!(notes, ["redacted a in the request (2)", "redacted b in the request (1)"]);
}

#[test]
fn hostile_bodies_take_bounded_time_and_memory() {
    let guard = compile(&[terms("a", Action::Redact, &["ab", "project x"])]);
    let rules = guard.input().expect("rules");
    let blocked = Verdict::Blocked { rule: "a".to_owned() };
    let nested = |depth: usize, inside: &str| [r#"{"a":"#, &"[".repeat(depth), inside, &"]".repeat(depth), "}"].concat();
    let changed = redacted(rules.request(&nested(400, r#""ab""#))).expect("redacted").0;
    assert_eq!(changed, nested(400, r#""[redacted:a]""#));
    assert_eq!(rules.request(&nested(100_000, r#""ab""#)), blocked);
    assert_eq!(rules.request(&nested(100_000, r#""cd""#)), Verdict::Clean);
    assert_eq!(rules.request(&r#"{"a":"#.repeat(100_000)), Verdict::Clean);
    let list = |item: &str, count: usize| format!(r#"{{"input":[{}]}}"#, vec![item; count].join(","));
    assert_eq!(redacted(rules.request(&list(r#""ab""#, 60_000))).expect("redacted").1, ["redacted a in the request (60000)"]);
    assert_eq!(rules.request(&list(r#""ab""#, 70_000)), blocked);
    assert_eq!(rules.request(&chat(&format!(r#"{{"role":"user","content":"{}"}}"#, "ab ".repeat(70_000)))), blocked);
    assert_eq!(rules.request(&list("1", 200_000)), Verdict::Clean);
    assert_eq!(rules.request(&chat(&format!(r#"{{"role":"user","content":"{}"}}"#, r"\\".repeat(300_000)))), Verdict::Clean);
    let parts = format!(r#"{{"role":"user","content":[{}]}}"#, vec![r#"{"type":"text","text":"a"}"#; 60_000].join(","));
    assert_eq!(rules.request(&chat(&parts)), Verdict::Clean);
    for body in ["", "null", "[]", r#"{"a":"project x"#, r#"{"a":1} project y"#] {
        let expected = if body.contains("project x") { blocked.clone() } else { Verdict::Clean };
        assert_eq!(rules.request(body), expected, "{body}");
    }
}

/// Writes a text as a literal in one of the ways it can be written.
fn escaped(text: &str, random: &mut Random, out: &mut String) {
    for character in text.chars() {
        match (random.below(6), character) {
            (0, _) => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
            (_, '"' | '\\') => out.extend(['\\', character]),
            (_, '\n') => out.push_str("\\n"),
            _ => out.push(character),
        }
    }
}

#[test]
fn however_a_text_is_written_it_is_found_and_the_rest_is_kept() {
    let guard = compile(&[terms("p", Action::Redact, &["project x", "müller"]), detect("d", Action::Redact, &["email"])]);
    let rules = guard.input().expect("rules");
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    const WORDS: [&str; 10] = ["project x", "müller", "ann@example.com", "plain", "\"quoted\"", "C:\\temp", "😀", "\n", "a", "project"];
    let mut found = 0;
    for _ in 0..3_000 {
        let words: Vec<&str> = (0..=random.below(5)).map(|_| WORDS[random.below(WORDS.len())]).collect();
        let twice = random.below(2) == 1;
        let text = words.join("; ");
        let mut written = String::new();
        if twice {
            let mut inner = String::new();
            escaped(&text, &mut random, &mut inner);
            escaped(&inner, &mut random, &mut written);
        } else {
            escaped(&text, &mut random, &mut written);
        }
        let body = chat(&format!(r#"{{"role":"user","content":"{written}"}}"#));
        let forbidden = words.iter().filter(|word| WORDS[..3].contains(word)).count();
        found += forbidden;
        let verdict = redacted(rules.request(&body));
        if forbidden == 0 {
            assert_eq!(verdict, Err("clean".to_owned()), "{body}");
            continue;
        }
        let (changed, _) = verdict.unwrap_or_else(|other| panic!("{other}: {body}"));
        let changed: serde_json::Value = serde_json::from_str(&changed).expect("JSON");
        let mut content = changed["messages"][0]["content"].as_str().expect("a string").to_owned();
        if twice {
            content = serde_json::from_str(&format!("\"{content}\"")).unwrap_or_else(|error| panic!("{error}: {content}"));
        }
        let left = text.replace("project x", "[redacted:p]").replace("müller", "[redacted:p]").replace("ann@example.com", "[redacted:d]");
        assert_eq!(content, left, "{body}");
    }
    assert!(found > 1_500, "{found}");
}
