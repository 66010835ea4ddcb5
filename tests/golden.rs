//! Whole translations against recorded results, for every protocol of the registry.
//!
//! `UPDATE_GOLDENS=1 cargo test --test golden` writes the results anew; the difference is then read
//! and committed. A protocol without fixtures of its own has to behave like one that has them.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod fixtures;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fixtures::{ENVELOPE, Fixture, RESPONSES, codec, folder, framing, play, read};
use neural_router::openai::{Endpoint, Needs, Request, Usage};
use neural_router::provider::{Call, Codec, Envelope, Failed, Protocol, RequestBody};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What every protocol has to show.
const MANDATORY: [(&str, &[&str]); 4] = [
    (
        "request",
        &["basic", "system", "multi-turn", "tool-call", "parallel-tools", "tool-result", "image", "json-schema", "reasoning", "stream"],
    ),
    (
        "response",
        &["basic", "tool-call", "parallel-tools", "reasoning", "json-schema", "cached-usage", "length", "truncated", "html", "error"],
    ),
    (
        "stream",
        &[
            "basic",
            "usage-not-asked",
            "tool-call",
            "parallel-tools",
            "reasoning",
            "cached-usage",
            "length",
            "truncated",
            "truncated-inside-an-event",
            "without-farewell",
            "error",
            "error-midway",
        ],
    ),
    (
        "failure",
        &["invalid-request", "with-secrets", "not-json", "context-too-long", "credentials", "rate-limited", "overloaded", "unavailable"],
    ),
];

/// Kinds of requests.
const REQUESTS: [(&str, Endpoint); 2] = [("request", Endpoint::Chat), ("embeddings/request", Endpoint::Embeddings)];

/// What a protocol that has embeddings has to show besides.
const MANDATORY_FOR_EMBEDDINGS: [(&str, &[&str]); 2] = [
    ("embeddings/request", &["string", "array", "tokens", "token-arrays", "every-member"]),
    ("embeddings/response", &["float", "base64", "several", "without-usage", "empty", "truncated", "html", "error"]),
];

#[test]
fn requests_are_translated_as_recorded() {
    for (kind, endpoint) in REQUESTS {
        check(kind, |codec, fixture| request(codec, endpoint, fixture));
    }
}

#[test]
fn responses_are_translated_as_recorded() {
    for (kind, endpoint) in RESPONSES {
        check(kind, |codec, fixture| response(codec, endpoint, fixture));
    }
}

#[test]
fn streams_are_translated_as_recorded() {
    check("stream", stream);
}

#[test]
fn failures_are_translated_as_recorded() {
    check("failure", |codec, fixture| {
        let (status, _) = fixture.case.split_once('-').expect("<status>-<case>");
        failed(&codec.failed(status.parse().expect("a status"), &fixture.bytes))
    });
}

#[test]
fn every_protocol_with_fixtures_has_the_mandatory_ones_and_says_where_they_come_from() {
    for protocol in Protocol::all().filter(|protocol| folder(protocol).is_dir()) {
        let folder = folder(protocol);
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        assert!(readme.contains("https://"), "{}/README.md names no source", protocol.name);
        for (kind, cases) in mandatory(protocol) {
            let found = read(&folder, kind);
            let missing: Vec<&&str> = cases.iter().filter(|case| found.iter().all(|fixture| name(kind, fixture) != **case)).collect();
            assert!(missing.is_empty(), "{}/{kind} lacks {missing:?}", protocol.name);
        }
    }
}

#[test]
fn every_golden_belongs_to_a_fixture() {
    for protocol in Protocol::all() {
        for kind in ["request", "response", "stream", "failure", "embeddings/request", "embeddings/response"] {
            let folder = folder(protocol);
            let fixtures = read(&folder, kind);
            let Ok(entries) = std::fs::read_dir(folder.join(kind)) else { continue };
            for path in
                entries.map(|entry| entry.expect("a readable folder").path()).filter(|path| path.extension().is_some_and(|e| e == "golden"))
            {
                assert!(fixtures.iter().any(|fixture| golden(&folder, kind, fixture) == path), "{} is left over", path.display());
            }
        }
    }
}

/// The case without the status that a failure has before it.
fn name<'a>(kind: &str, fixture: &'a Fixture) -> &'a str {
    let failure = fixture.case.split_once('-').filter(|_| kind == "failure");
    failure.map_or(&fixture.case, |(_, case)| case)
}

fn mandatory(protocol: &Protocol) -> Vec<(&'static str, &'static [&'static str])> {
    // A vendor's own fixtures are of what it does otherwise than the rest.
    if protocol.wire != protocol.name {
        return Vec::new();
    }
    let lacks_embeddings = protocol.codec("").lacks(&Needs { embeddings: true, ..Needs::default() }).is_some();
    let besides = if lacks_embeddings { &[] } else { MANDATORY_FOR_EMBEDDINGS.as_slice() };
    MANDATORY.iter().chain(besides).copied().collect()
}

/// Compares every fixture of a kind with its golden, for all protocols.
fn check(kind: &str, translate: impl Fn(&dyn Codec, &Fixture) -> String) {
    let update = std::env::var_os("UPDATE_GOLDENS").is_some();
    let (mut owners, presets): (Vec<_>, Vec<_>) = Protocol::all().partition(|protocol| folder(protocol).is_dir());
    owners.retain(|owner| !read(&folder(owner), kind).is_empty());
    assert!(!owners.is_empty(), "no fixtures");
    let differing = |protocol: &Protocol, folder: &Path, update: bool| -> Option<String> {
        for fixture in read(folder, kind) {
            let result = translate(codec(protocol, &fixture), &fixture);
            let path = golden(folder, kind, &fixture);
            if update {
                std::fs::write(&path, &result).expect("a writable folder");
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            if golden != result {
                return Some(format!("{} as {}:\n--- recorded\n{golden}\n--- now\n{result}", path.display(), protocol.name));
            }
        }
        None
    };
    for protocol in &owners {
        if let Some(difference) = differing(protocol, &folder(protocol), update) {
            panic!("{difference}");
        }
    }
    for preset in presets {
        let kin = owners.iter().any(|owner| differing(preset, &folder(owner), false).is_none());
        assert!(kin, "{} has no fixtures and does not behave like any protocol that has", preset.name);
    }
}

fn golden(folder: &Path, kind: &str, fixture: &Fixture) -> PathBuf {
    folder.join(kind).join(format!("{}.golden", fixture.case))
}

#[derive(Deserialize)]
struct RequestFixture<'a> {
    #[serde(borrow)]
    call: CallFixture<'a>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct CallFixture<'a> {
    model: &'a str,
    stream: bool,
    max_output: u64,
}

/// The provider's body and the changes, or the refusal.
fn request(codec: &dyn Codec, endpoint: Endpoint, fixture: &Fixture) -> String {
    let recorded: RequestFixture<'_> = serde_json::from_slice(&fixture.bytes).unwrap_or_else(|error| panic!("{}: {error}", fixture.case));
    let CallFixture { model, stream, max_output } = recorded.call;
    let whole = recorded.body.get().replacen('{', r#"{"model":"m","#, 1);
    let asked = Request::parse(endpoint, whole.as_bytes()).unwrap_or_else(|error| panic!("{}: {error:?}", fixture.case));
    let stream_options = stream.then_some(r#"{"include_usage":true}"#);
    let call = Call { endpoint, model, stream, stream_options, max_output, fields: asked.fields() };
    let (body, changes) = match codec.request(&call, recorded.body.get()) {
        Ok(translated) => translated,
        Err(refusal) => return failed(&refusal),
    };
    if let RequestBody::Head(head) = codec.body(&call) {
        let spliced = [head.as_slice(), recorded.body.get().as_bytes().get(1..).unwrap_or_default()].concat();
        assert_eq!(spliced, body, "{}: the head and the translation differ", fixture.case);
    }
    let mut golden = format!("POST {}\n", codec.path("", &call));
    if let Some(lack) = codec.lacks(&asked.needs()) {
        let _ = writeln!(golden, "(not asked: lacks {lack})");
    }
    for (name, value) in codec.headers() {
        let _ = writeln!(golden, "{name}: {value}");
    }
    let _ = writeln!(golden, "\n{}", indented(&body));
    changes.iter().for_each(|change| golden.push_str(&format!("adjustment: {change}\n")));
    golden
}

fn response(codec: &dyn Codec, endpoint: Endpoint, fixture: &Fixture) -> String {
    match codec.response(endpoint, &ENVELOPE, &fixture.bytes) {
        Ok(answer) => format!("{}\n{}", indented(&answer.body), used(answer.usage, answer.produced)),
        Err(fault) => format!("{fault:?}\n"),
    }
}

fn stream(codec: &dyn Codec, fixture: &Fixture) -> String {
    let envelope = Envelope { include_usage: fixture.case != "usage-not-asked", ..ENVELOPE };
    let played = play(codec, framing(codec, fixture), &envelope, [fixture.bytes.as_slice()]);
    for data in
        played.out.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").expect("an event")).filter(|data| *data != "[DONE]")
    {
        serde_json::from_str::<serde_json::Value>(data).unwrap_or_else(|error| panic!("{}: {error}: {data}", fixture.case));
    }
    let (preamble, rest) = played.out.split_at(played.preamble);
    format!(
        "{preamble}(until here another candidate could take over)\n\n{rest}{:?}\n{}",
        played.outcome,
        used(played.usage, played.produced)
    )
}

fn failed(failed: &Failed) -> String {
    format!("class: {:?}\nmessage: {}\nparam: {:?}\ncode: {:?}\n", failed.class, failed.message, failed.param, failed.code)
}

fn used(usage: Option<Usage>, produced: u64) -> String {
    format!("{usage:?}\n{produced} bytes written\n")
}

/// The JSON with line breaks for the reader; every token stays as it was written.
fn indented(json: &[u8]) -> String {
    let json = core::str::from_utf8(json).expect("UTF-8");
    serde_json::from_str::<&RawValue>(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let (mut out, mut depth, mut in_string, mut escaped) = (String::new(), 0, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_string {
            out.push(character);
            in_string = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
            continue;
        }
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        };
        match character {
            '{' | '[' => {
                out.push(character);
                while characters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(close) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            character if character.is_ascii_whitespace() => {}
            character => {
                in_string = character == '"';
                out.push(character);
            }
        }
    }
    out
}
