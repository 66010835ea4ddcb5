//! What a protocol says it does with each member of a request, held to what it does: every row of
//! every protocol's table, with a value that says more than what would happen anyway.
#![expect(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "treatments/fields.rs"]
mod fields;
#[path = "treatments/sample.rs"]
mod sample;

use neural_router::openai::{Endpoint, Fields, Request};
use neural_router::provider::{Call, Codec, Protocol, Treatment};
use sample::{KINDS, Sample};
use serde_json::Value;

/// Members that every protocol has, each in its own way.
const OURS: [&str; 5] = ["model", "messages", "route", "stream", "stream_options"];

/// What models of a protocol are called. Where they differ, a member has to be treated as the table says
/// for one of them at least.
const MODELS: [(&str, &[&str]); 6] = [
    ("anthropic", &["claude-sonnet-4-5", "claude-opus-4-7"]),
    ("gemini", &["gemini-2.5-flash", "gemini-2.0-flash"]),
    ("vertex", &["gemini-2.5-flash", "gemini-2.0-flash", "claude-sonnet-4-5"]),
    ("bedrock", &["anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0"]),
    ("cohere", &["command-a-03-2025", "command-a-reasoning-08-2025"]),
    ("mistral", &["mistral-large-latest", "magistral-medium-latest"]),
];

const ANY_MODEL: &[&str] = &["gpt-4o"];

fn models(protocol: &Protocol) -> &'static [&'static str] {
    let own = |name: &str| MODELS.iter().find(|(wire, _)| *wire == name).map(|(_, models)| *models);
    own(protocol.name).or_else(|| own(protocol.wire)).unwrap_or(ANY_MODEL)
}

type Table = &'static [(&'static str, Treatment)];

/// Every table of a protocol, with the models that it is about; an empty one says nothing.
fn tables(protocol: &Protocol) -> Vec<(Table, Vec<&'static str>)> {
    let mut tables: Vec<(Table, Vec<&'static str>)> = Vec::new();
    for model in models(protocol) {
        let table = protocol.codec(model).treatments();
        match tables.iter_mut().find(|(known, _)| core::ptr::eq(*known, table)) {
            Some((_, models)) => models.push(model),
            None if table.is_empty() => {}
            None => tables.push((table, vec![model])),
        }
    }
    tables
}

/// The names that a table has to have.
fn names() -> Vec<&'static str> {
    Fields::documented().filter(|name| !OURS.contains(name)).chain(KINDS).collect()
}

#[test]
fn every_protocol_says_what_it_does() {
    for protocol in Protocol::all() {
        for model in models(protocol) {
            assert!(!protocol.codec(model).treatments().is_empty(), "{} has no table for {model}", protocol.name);
        }
    }
}

#[test]
fn tables_have_every_member_and_kind_of_content_once() {
    for protocol in Protocol::all() {
        for (table, models) in tables(protocol) {
            let mut said: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            let mut expected = names();
            said.sort_unstable();
            expected.sort_unstable();
            assert_eq!(said, expected, "{} for {models:?}", protocol.name);
        }
    }
}

#[test]
fn protocols_do_what_their_tables_say() {
    let mut wrong = Vec::new();
    for protocol in Protocol::all() {
        for (table, models) in tables(protocol) {
            for (name, treatment) in table {
                let sample = Sample::of(name).known_to(protocol);
                let found: Vec<Result<Done, String>> = models.iter().map(|model| treat(protocol.codec(model), model, &sample)).collect();
                if let Err(complaint) = judge(*treatment, &sample, &found) {
                    wrong.push(format!("{} for {models:?}: {name} is {treatment:?}, but {complaint}", protocol.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn samples_are_requests_with_one_thing_more() {
    for name in names() {
        let sample = Sample::of(name);
        for (body, what) in [(&sample.with, "with"), (&sample.without, "without")] {
            Request::parse(Endpoint::Chat, body.as_bytes()).unwrap_or_else(|error| panic!("{what} {name}: {error:?}: {body}"));
        }
        assert_ne!(sample.with, sample.without, "{name}");
    }
}

/// What became of a sample with one model.
enum Done {
    /// The candidate is not asked; the reason.
    Refused(String),
    Sent(Sent),
}

struct Sent {
    /// What was written differs from what is written without the member.
    differs: bool,
    /// The member stands there with its value.
    stands: bool,
    /// The adjustment that names it.
    adjustment: Option<String>,
}

impl Sent {
    fn is_dropped(&self) -> bool {
        self.adjustment.as_ref().is_some_and(|adjustment| adjustment.contains("dropped"))
    }
}

fn treat(codec: &dyn Codec, model: &str, sample: &Sample) -> Result<Done, String> {
    // Who lacks tools may still be sent a choice of them.
    let alone = sample.alone().filter(|_| lacks(codec, &sample.without).is_some());
    let is_taken = |body: &str| Request::parse(Endpoint::Chat, body.as_bytes()).is_ok_and(|alone| codec.lacks(&alone.needs()).is_none());
    let sample = alone.as_ref().filter(|alone| is_taken(&alone.with)).unwrap_or(sample);
    if let Some(lack) = lacks(codec, &sample.with) {
        return Ok(Done::Refused(lack.to_owned()));
    }
    let (with, adjustments) = send(codec, model, &sample.with)?;
    let (without, _) = send(codec, model, &sample.without)?;
    Ok(Done::Sent(Sent {
        differs: with != without,
        stands: sample.stands_in(&with),
        adjustment: adjustments.into_iter().find(|adjustment| sample.is_named_in(adjustment)),
    }))
}

fn lacks(codec: &dyn Codec, body: &str) -> Option<&'static str> {
    codec.lacks(&Request::parse(Endpoint::Chat, body.as_bytes()).expect("a request").needs())
}

fn send(codec: &dyn Codec, model: &str, body: &str) -> Result<(Value, Vec<String>), String> {
    let request = Request::parse(Endpoint::Chat, body.as_bytes()).expect("a request");
    let (end, kept) = request.bare();
    let bare = String::from_utf8(kept.into_owned()).expect("UTF-8") + request.text().get(end..).expect("a cut at a character");
    let call = Call { endpoint: Endpoint::Chat, model, stream: false, stream_options: None, max_output: 20_000, fields: request.fields() };
    let (translated, adjustments) = codec.request(&call, &bare).map_err(|failed| format!("{model} refuses it: {}", failed.message))?;
    let translated = serde_json::from_slice(&translated).map_err(|error| format!("{model} is sent what is no JSON: {error}"))?;
    Ok((translated, adjustments))
}

/// Holds what became of a sample, model by model, to the table.
fn judge(treatment: Treatment, sample: &Sample, found: &[Result<Done, String>]) -> Result<(), String> {
    let mut done = 0;
    for found in found {
        let sent = match (found.as_ref().map_err(String::clone)?, treatment) {
            (Done::Refused(lack), Treatment::Refused) => match sample.is_lack(lack) {
                true => {
                    done += 1;
                    continue;
                }
                false => return Err(format!("what is said to be lacking is {lack}")),
            },
            (Done::Refused(lack), _) => return Err(format!("the candidate is not asked: {lack}")),
            (Done::Sent(_), Treatment::Refused) => return Err("the candidate is asked".to_owned()),
            (Done::Sent(sent), _) => sent,
        };
        let is_done = match treatment {
            Treatment::Passed => sent.stands && !sent.is_dropped(),
            Treatment::Mapped(_) => sent.differs && !sent.is_dropped(),
            Treatment::Dropped | Treatment::Refused => sent.is_dropped(),
        };
        done += usize::from(is_done);
        // A model may do without, but never without a word.
        if !is_done && sent.adjustment.is_none() {
            return Err(format!("differs: {}, stands: {}, and no adjustment names it", sent.differs, sent.stands));
        }
    }
    if done == 0 { Err("it is not for any model".to_owned()) } else { Ok(()) }
}

#[test]
fn the_judge_tells_right_from_wrong() {
    let sample = Sample::of("seed");
    let refused = |lack: &str| Ok(Done::Refused(lack.to_owned()));
    let sent =
        |differs, stands, adjustment: Option<&str>| Ok(Done::Sent(Sent { differs, stands, adjustment: adjustment.map(str::to_owned) }));
    let dropped = Some("dropped seed");
    for (treatment, found, right) in [
        (Treatment::Refused, vec![refused("seed")], true),
        (Treatment::Refused, vec![refused("n")], false),
        (Treatment::Refused, vec![sent(false, false, dropped)], false),
        (Treatment::Passed, vec![refused("seed")], false),
        (Treatment::Passed, vec![sent(true, true, None)], true),
        (Treatment::Passed, vec![sent(true, false, None)], false),
        (Treatment::Passed, vec![sent(true, true, None), sent(false, false, dropped)], true),
        (Treatment::Passed, vec![sent(true, true, None), sent(false, false, None)], false),
        (Treatment::Passed, vec![sent(false, false, dropped)], false),
        (Treatment::Mapped("x"), vec![sent(true, false, None)], true),
        (Treatment::Mapped("x"), vec![sent(false, false, None)], false),
        (Treatment::Mapped("x"), vec![sent(true, false, dropped)], false),
        (Treatment::Dropped, vec![sent(false, false, dropped)], true),
        (Treatment::Dropped, vec![sent(false, false, None)], false),
        (Treatment::Dropped, vec![Err("refused".to_owned())], false),
    ] {
        let said = judge(treatment, &sample, &found);
        assert_eq!(said.is_ok(), right, "{treatment:?}: {said:?}");
    }
}

#[test]
fn an_adjustment_names_a_member_only_by_its_whole_name() {
    for (name, adjustment, named) in [
        ("n", "dropped n", true),
        ("n", "dropped seed, not known", false),
        ("user", "dropped messages[].user", true),
        ("prompt_cache_key", "dropped prompt_cache_key", true),
        ("top_p", "dropped top_p: not beside temperature", true),
        ("messages[].name", "dropped messages[].name", true),
        ("file", "dropped messages[].content[].file.filename", false),
        ("tools", "dropped tools[].function.strict", false),
        ("cache_control", "dropped messages[].content[].cache_control", true),
    ] {
        assert_eq!(Sample::of(name).is_named_in(adjustment), named, "{adjustment}");
    }
}
