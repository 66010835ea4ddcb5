//! Streams: whatever the events and however they are cut, what goes is what a whole answer would say.

use std::collections::BTreeMap;

use super::{Random, compile, detect, terms};
use neural_router::guard::{Action, Flow, Guard, Spec, Verdict};
use serde_json::Value;

/// What a client has after a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Received {
    /// The text of each choice and member.
    texts: BTreeMap<String, String>,
    /// Of each chunk that has any.
    adjustments: Vec<Vec<String>>,
    /// `[DONE]` has come.
    done: bool,
    blocked: Option<String>,
}

fn collect(value: &Value, path: &str, texts: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) if !path.ends_with(".id") && !path.ends_with(".type") => {
            texts.entry(path.to_owned()).or_default().push_str(text)
        }
        Value::Object(members) => members.iter().for_each(|(name, value)| collect(value, &format!("{path}.{name}"), texts)),
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, &format!("{path}[{}]", element["index"]), texts)),
        _ => {}
    }
}

fn receive(events: &str, blocked: Option<String>) -> Received {
    let mut received = Received { blocked, ..Received::default() };
    for event in events.split_terminator("\n\n") {
        assert!(!received.done, "{events}");
        let data = event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event}"));
        if data == "[DONE]" {
            received.done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        for choice in chunk["choices"].as_array().expect("choices") {
            collect(&choice["delta"], &choice["index"].to_string(), &mut received.texts);
        }
        if let Some(adjustments) = chunk["routing"]["adjustments"].as_array() {
            received.adjustments.push(adjustments.iter().map(|note| note.as_str().expect("a note").to_owned()).collect());
        }
    }
    received.texts.retain(|_, text| !text.is_empty());
    received
}

/// What goes if the stream comes in these pieces.
fn play<'a>(guard: &Guard, pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, Option<String>) {
    let rules = guard.output().expect("rules");
    let mut stream = rules.stream();
    let mut out = Vec::new();
    let mut blocked = None;
    for piece in pieces {
        let before = out.len();
        match stream.push(rules, piece, false, &mut out) {
            Flow::Continue => assert!(blocked.is_none() || out.len() == before, "nothing goes after a block"),
            Flow::Blocked { rule } => blocked = Some(rule),
        }
    }
    match stream.push(rules, b"", true, &mut out) {
        Flow::Continue => {}
        Flow::Blocked { rule } => blocked = Some(rule),
    }
    (String::from_utf8(out).expect("UTF-8"), blocked)
}

fn run(guard: &Guard, events: &str) -> Received {
    let (out, blocked) = play(guard, [events.as_bytes()]);
    receive(&out, blocked)
}

fn chunk(choices: &str) -> String {
    format!("data: {{\"id\":\"nrc_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{choices}]}}\n\n")
}

fn delta(index: usize, members: &str) -> String {
    chunk(&format!(r#"{{"index":{index},"delta":{{{members}}},"logprobs":null,"finish_reason":null}}"#))
}

fn say(index: usize, member: &str, text: &str) -> String {
    delta(index, &format!(r#""{member}":{}"#, serde_json::to_string(text).expect("JSON")))
}

fn finish(index: usize) -> String {
    chunk(&format!(r#"{{"index":{index},"delta":{{}},"logprobs":null,"finish_reason":"stop"}}"#))
}

const DONE: &str = "data: [DONE]\n\n";

fn phrases() -> [Spec; 2] {
    [terms("p", Action::Redact, &["project x", "projection", "straße"]), terms("stop", Action::Block, &["forbidden fruit"])]
}

fn rules() -> Guard {
    let [redacted, blocked] = phrases();
    compile(&[redacted, detect("mail", Action::Redact, &["email"]), blocked])
}

#[test]
fn an_event_in_which_nothing_changes_passes_as_it_is() {
    let guard = compile(&phrases());
    let first = "data: {\"id\": \"nrc_1\" , \"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}}],\"routing\":{\"selected\":\"project x\"}}\n\n";
    let events = [
        first,
        &say(0, "content", "Hello, w"),
        &delta(0, r#""content":"\u00fcn\u0069 \ud83d\ude00""#),
        ": ping\n\n",
        &delta(0, r#""tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]"#),
        &delta(0, r#""tool_calls":[{"index":0,"function":{"arguments":"{}"}}]"#),
        &finish(0),
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n",
        DONE,
    ]
    .concat();
    assert_eq!(play(&guard, [events.as_bytes()]), (events.clone(), None));
    assert_eq!(play(&guard, events.as_bytes().chunks(1)), (events, None));
}

#[test]
fn a_phrase_in_events_of_one_letter_is_taken_out() {
    let text = "We call it Project X, a projection; write to ann@example.com. Straße";
    let events: String = text.chars().map(|letter| say(0, "content", &letter.to_string())).collect::<String>() + &finish(0) + DONE;
    let received = run(&rules(), &events);
    let expected = "We call it [redacted:p], a [redacted:p]; write to [redacted:mail]. [redacted:p]";
    assert_eq!(received.texts, BTreeMap::from([("0.content".to_owned(), expected.to_owned())]));
    assert_eq!(received.adjustments, [["redacted p in the answer (3)", "redacted mail in the answer (1)"]]);
    assert!(received.done && received.blocked.is_none());
}

#[test]
fn what_waits_goes_in_a_chunk_of_its_own_before_what_ends_it() {
    let guard = compile(&phrases());
    let held = |index: usize, delta: &str| {
        format!(
            "data: {{\"id\":\"nrc_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{{\"index\":{index},\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let arguments = |call: usize, text: &str| {
        let text = serde_json::to_string(text).expect("JSON");
        format!(r#"{{"tool_calls":[{{"index":{call},"function":{{"arguments":{text}}}}}]}}"#)
    };
    let inside = |object: &str| delta(0, object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).expect("an object"));
    let begin = |call: usize| {
        delta(
            0,
            &format!(r#""tool_calls":[{{"index":{call},"id":"call_{call}","type":"function","function":{{"name":"f","arguments":""}}}}]"#),
        )
    };
    let content = say(0, "content", "a proj");
    let waits = say(0, "content", "a ");
    let usage = "data: {\"choices\":[],\"usage\":{}}\n\n";
    let error = "data: {\"error\":{\"message\":\"project x\",\"type\":\"server_error\"}}\n\n";
    for (events, expected) in [
        (vec![content.clone(), finish(0)], vec![waits.clone(), held(0, r#"{"content":"proj"}"#), finish(0)]),
        (vec![content.clone(), DONE.into()], vec![waits.clone(), held(0, r#"{"content":"proj"}"#), DONE.into()]),
        (vec![content.clone(), usage.into()], vec![waits.clone(), held(0, r#"{"content":"proj"}"#), usage.into()]),
        (vec![content.clone(), error.into()], vec![waits.clone(), held(0, r#"{"content":"proj"}"#), error.into()]),
        (vec![content.clone()], vec![waits.clone(), held(0, r#"{"content":"proj"}"#)]),
        (vec![content.clone(), "data: {\"choi".into()], vec![waits.clone(), held(0, r#"{"content":"proj"}"#)]),
        (vec![content.clone(), begin(0)], vec![waits.clone(), held(0, r#"{"content":"proj"}"#), begin(0)]),
        (
            vec![say(0, "reasoning_content", "a proj"), say(0, "content", "b")],
            vec![say(0, "reasoning_content", "a "), held(0, r#"{"reasoning_content":"proj"}"#), say(0, "content", "b")],
        ),
        (
            vec![begin(0), inside(&arguments(0, "{\"a\":\"proj")), begin(1), inside(&arguments(1, "{\"p")), finish(0)],
            vec![
                begin(0),
                inside(&arguments(0, "{\"a\":\"")),
                held(0, &arguments(0, "proj")),
                begin(1),
                inside(&arguments(1, "{\"")),
                held(0, &arguments(1, "p")),
                finish(0),
            ],
        ),
        // Whatever a provider invents: it goes on if it is a string, below an index or not.
        (
            vec![inside(r#"{"audio":{"id":"a","transcript":"a proj"}}"#), inside(r#"{"x":[{"index":7,"type":"y","z":{"text":"p"}}]}"#)],
            vec![
                inside(r#"{"audio":{"id":"a","transcript":"a "}}"#),
                held(0, r#"{"audio":{"transcript":"proj"}}"#),
                inside(r#"{"x":[{"index":7,"type":"y","z":{"text":""}}]}"#),
                held(0, r#"{"x":[{"index":7,"z":{"text":"p"}}]}"#),
            ],
        ),
        // Another choice interrupts nothing, and neither does a member that says nothing.
        (
            vec![content.clone(), say(1, "content", "b"), delta(0, r#""role":"assistant","refusal":"""#), say(0, "content", "y")],
            vec![waits.clone(), say(1, "content", "b"), delta(0, r#""role":"assistant","refusal":"""#), say(0, "content", "projy")],
        ),
        // The last event may say something itself.
        (
            vec![content.clone(), chunk(r#"{"index":0,"delta":{"content":"e"},"finish_reason":"stop"}"#)],
            vec![waits.clone(), chunk(r#"{"index":0,"delta":{"content":"proje"},"finish_reason":"stop"}"#)],
        ),
        (vec![say(0, "content", "proj")], vec![say(0, "content", ""), held(0, r#"{"content":"proj"}"#)]),
    ] {
        let events = events.concat();
        assert_eq!(play(&guard, [events.as_bytes()]).0, expected.concat(), "{events}");
    }
}

#[test]
fn a_phrase_that_goes_on_after_an_interruption_is_caught() {
    let call = r#""tool_calls":[{"index":0,"id":"call_1","function":{"name":"f","arguments":"{}"}}]"#;
    let events = |second: &str| [say(0, "content", "a pro"), delta(0, call), say(0, "content", second), finish(0)].concat();
    let received = run(&rules(), &events("ject x b"));
    assert_eq!(received.texts["0.content"], "a pro[redacted:p] b");
    assert_eq!(run(&rules(), &events("be b")).texts["0.content"], "a probe b");
    let events = [say(0, "content", "a forbidden"), delta(0, call), say(0, "content", " fruit b"), finish(0)].concat();
    let received = run(&rules(), &events);
    assert_eq!((received.texts["0.content"].as_str(), received.blocked.as_deref()), ("a forbidden", Some("stop")));
}

#[test]
fn a_block_lets_nothing_of_the_match_go_and_nothing_after_it() {
    let letters: String = "Eat Project X or FORBIDDEN FRUIT then".chars().map(|letter| say(0, "content", &letter.to_string())).collect();
    for events in [letters, say(0, "content", "Eat Project X or forbidden fruit then") + &say(1, "content", "more")] {
        let events = events + &finish(0) + DONE;
        let received = run(&rules(), &events);
        let expected = Received {
            texts: BTreeMap::from([("0.content".to_owned(), "Eat [redacted:p] or ".to_owned())]),
            blocked: Some("stop".to_owned()),
            ..Received::default()
        };
        assert_eq!(received, expected);
    }
    let named = delta(0, r#""tool_calls":[{"index":0,"function":{"name":"forbidden fruit","arguments":""}}]"#);
    assert_eq!(play(&rules(), [named.as_bytes()]), (String::new(), Some("stop".to_owned())));
}

#[test]
fn choices_and_members_do_not_mix() {
    let events = [
        chunk(r#"{"index":0,"delta":{"content":"pro"}},{"index":1,"delta":{"content":"ject x"}}"#),
        chunk(r#"{"index":1,"delta":{"content":" pro"}},{"index":0,"delta":{"content":"ject"}}"#),
        chunk(r#"{"index":0,"delta":{"content":" x!"}},{"index":1,"delta":{"content":"ject x!"}}"#),
        say(2, "content", "pro") + &say(2, "refusal", "ject x"),
        finish(1) + &finish(0) + &finish(2) + DONE,
    ]
    .concat();
    let received = run(&rules(), &events);
    let expected = [("0.content", "[redacted:p]!"), ("1.content", "ject x [redacted:p]!"), ("2.content", "pro"), ("2.refusal", "ject x")];
    assert_eq!(received.texts, expected.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect());
    assert_eq!(received.adjustments, [["redacted p in the answer (2)"]]);
}

#[test]
fn a_text_in_elements_without_an_index_goes_on_in_the_next_of_its_type() {
    let guard = compile(&[terms("block", Action::Block, &["secretword"])]);
    for element in [r#"{"type":"text","text":"@"}"#, r#"{"type":"thinking","thinking":[{"type":"text","text":"@"}]}"#, r#"{"text":"@"}"#] {
        let event = |text: &str| delta(0, &format!(r#""content":[{}]"#, element.replace('@', text)));
        let received = run(&guard, &[event("he sec"), event("retword tail")].concat());
        assert_eq!(received.blocked.as_deref(), Some("block"), "{element}");
        assert!(received.texts.values().all(|text| !text.contains("sec")), "{received:?}");
    }
}

#[test]
fn escapes_inside_arguments_are_seen_however_they_are_cut() {
    let guard = rules();
    let text = r#"{"a":"\u0070roject\u0020x \ud83d\ude00 caf\u00e9 \\u C:\\temp pro\u006aect x","b":"ann@ex\u0061mple.com"}"#;
    let expected = r#"{"a":"[redacted:p] \ud83d\ude00 caf\u00e9 \\u C:\\temp [redacted:p]","b":"[redacted:mail]"}"#;
    let part = |text: &str| {
        let text = serde_json::to_string(text).expect("JSON");
        delta(0, &format!(r#""tool_calls":[{{"index":0,"function":{{"arguments":{text}}}}}]"#))
    };
    for at in 0..=text.len() {
        let (head, tail) = text.split_at(at);
        let received = run(&guard, &(part(head) + &part(tail) + &finish(0)));
        assert_eq!(received.texts["0.tool_calls[0].function.arguments"], expected, "cut at {at}");
    }
    let letters: String = text.chars().map(|letter| part(&letter.to_string())).collect();
    assert_eq!(run(&guard, &(letters + &finish(0))).texts["0.tool_calls[0].function.arguments"], expected);
}

#[test]
fn a_number_in_arguments_becomes_a_string() {
    let guard = compile(&[terms("n", Action::Redact, &["4111"])]);
    let text = r#"{"a\"":4111,"b":"4111","c":[4111,5]}"#;
    let part = |text: &str| {
        let text = serde_json::to_string(text).expect("JSON");
        delta(0, &format!(r#""function_call":{{"arguments":{text}}}"#))
    };
    for at in 0..=text.len() {
        let (head, tail) = text.split_at(at);
        let received = run(&guard, &(part(head) + &part(tail) + &finish(0)));
        let expected = r#"{"a\"":"[redacted:n]","b":"[redacted:n]","c":["[redacted:n]",5]}"#;
        assert_eq!(received.texts["0.function_call.arguments"], expected, "cut at {at}");
    }
}

#[test]
fn the_last_chunk_tells_everything_that_was_done() {
    let told = |events: &[String]| run(&rules(), &events.concat()).adjustments;
    let clean = |note: &str| vec![note.to_owned()];
    let one = clean("redacted p in the answer (1)");
    let phrase = say(0, "content", "project x");
    assert_eq!(told(&[phrase.clone(), finish(0), DONE.into()]), std::slice::from_ref(&one));
    assert_eq!(told(&[phrase.clone(), "data: {\"choices\":[],\"usage\":{}}\n\n".into(), DONE.into()]), std::slice::from_ref(&one));
    assert_eq!(told(&[phrase.clone(), DONE.into()]), std::slice::from_ref(&one));
    assert_eq!(told(std::slice::from_ref(&phrase)), std::slice::from_ref(&one));
    let both = [phrase.clone(), finish(0), say(1, "content", "a@example.com"), finish(1), DONE.into()];
    assert_eq!(told(&both), [one.clone(), vec![one[0].clone(), "redacted mail in the answer (1)".into()]]);
    let routed = finish(0).replace("]}\n", "],\"routing\":{\"adjustments\":[\"earlier\"],\"selected\":\"m\"}}\n");
    assert_eq!(told(&[phrase, routed]), [["earlier".to_owned(), one[0].clone()]]);
    assert_eq!(told(&[say(0, "content", "clean"), finish(0), DONE.into()]), Vec::<Vec<String>>::new());
}

#[test]
fn what_is_whole_in_an_event_does_not_wait() {
    let guard = compile(&phrases());
    for event in [
        delta(0, r#""annotations":[{"type":"url_citation","url_citation":{"title":"a Project X"}}]"#),
        delta(0, r#""tool_calls":[{"index":0,"function":{"name":"Project X","arguments":""}}]"#),
        delta(0, r#""content":["Project X",{"text":"Project X"}]"#),
        delta(0, r#""a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":"Project X"}}}}}}}}}"#),
        chunk(r#"{"index":0,"delta":{},"message":{"content":"Project X"}}"#),
        chunk("").replace("\"choices\"", "\"citations\":[\"Project X\"],\"choices\""),
        chunk(r#""Project X""#),
    ] {
        let (out, blocked) = play(&guard, [event.as_bytes()]);
        // The notes stand at the end of it, or in a chunk that follows.
        let expected = event.replace("Project X", "[redacted:p]");
        let expected = expected.trim_end().strip_suffix('}').expect("an object");
        assert!(out.starts_with(expected) && out.contains("redacted p in the answer") && blocked.is_none(), "{out}");
    }
}

#[test]
fn probabilities_of_tokens_do_not_pass() {
    let events = chunk(r#"{"index":0,"delta":{"content":"x"},"logprobs":{"content":[{"token":"x"}]},"finish_reason":"stop"}"#);
    let expected = chunk(r#"{"index":0,"delta":{"content":"x"},"logprobs":null,"finish_reason":"stop"}"#)
        .replace("]}\n", "],\"routing\":{\"adjustments\":[\"left out logprobs, which repeat the text\"]}}\n");
    assert_eq!(play(&rules(), [events.as_bytes()]).0, expected);
}

/// A whole answer with one text.
fn whole(guard: &Guard, text: &str) -> Result<String, String> {
    let content = serde_json::to_string(text).expect("JSON");
    match guard.output().expect("rules").answer(&format!(r#"{{"choices":[{{"message":{{"content":{content}}}}}]}}"#)) {
        Verdict::Clean => Ok(text.to_owned()),
        Verdict::Blocked { rule } => Err(rule),
        Verdict::Redacted { body, .. } => {
            let answer: Value = serde_json::from_slice(&body).expect("JSON");
            Ok(answer["choices"][0]["message"]["content"].as_str().expect("a text").to_owned())
        }
    }
}

#[test]
fn any_text_in_any_events_in_any_pieces_is_what_a_whole_answer_would_say() {
    let rule = |name: &str, action, words: &[&str], detectors: &[&str]| Spec {
        detect: detectors.iter().map(|detector| (*detector).to_owned()).collect(),
        ..terms(name, action, words)
    };
    let guard = compile(&[
        rule("a", Action::Redact, &["aba", "ab c", "b\u{e9}b\u{e9}", "one two"], &["email"]),
        rule("b", Action::Redact, &["bab", "cc", "two three"], &["credit_card", "ipv4"]),
        rule("c", Action::Block, &["c c b b"], &["iban"]),
    ]);
    const WORDS: [&str; 24] = [
        "a",
        "b",
        "c",
        "ab",
        "bab",
        " ",
        " ",
        "b\u{e9}",
        "\u{e9}",
        "one two",
        " three",
        "ann@example",
        ".com",
        "4111 1111 1111 1111",
        "10.0.0.",
        "7",
        "\\",
        "\\u0061",
        "\\n",
        "\"",
        "DE89 3704 0044 ",
        "0532 0130 00",
        "x",
        "\u{1f600}",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut changed, mut blocked) = (0, 0);
    for _ in 0..3_000 {
        let text: String = (0..random.below(14)).map(|_| WORDS[random.below(WORDS.len())]).collect();
        let mut events = String::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let longest = if random.below(2) == 0 { 2 } else { 12 };
            let mut at = 1 + random.below(longest);
            while !rest.is_char_boundary(at.min(rest.len())) {
                at += 1;
            }
            let (head, tail) = rest.split_at(at.min(rest.len()));
            events += &say(0, "content", head);
            rest = tail;
        }
        events += &finish(0);
        events += DONE;
        let step = 1 + random.below(events.len());
        let (out, outcome) = play(&guard, events.as_bytes().chunks(step));
        let received = receive(&out, outcome);
        let said = received.texts.get("0.content").cloned().unwrap_or_default();
        match whole(&guard, &text) {
            Ok(expected) => {
                assert_eq!((said, received.blocked), (expected.clone(), None), "{text:?}\n{events}");
                changed += usize::from(expected != text);
            }
            Err(rule) => {
                assert_eq!(received.blocked, Some(rule), "{text:?}\n{events}");
                blocked += 1;
            }
        }
    }
    assert!(changed > 500 && blocked > 5, "{changed} changed, {blocked} blocked");
}

#[test]
fn every_cut_of_a_stream_gives_the_same_bytes() {
    let events = [
        say(0, "reasoning_content", "think of Project "),
        say(0, "reasoning_content", "X at a@example.com"),
        say(0, "content", "Stra\u{df}"),
        say(0, "content", "e ✓ pro"),
        delta(0, r#""tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\":\"pro\\u006"}}]"#),
        delta(0, r#""tool_calls":[{"index":0,"function":{"arguments":"aect x\"}"}}]"#),
        finish(0),
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n".to_owned(),
        DONE.to_owned(),
    ]
    .concat();
    let guard = rules();
    let whole = play(&guard, [events.as_bytes()]);
    assert_eq!(receive(&whole.0, None).adjustments, [["redacted p in the answer (3)", "redacted mail in the answer (1)"]]);
    for at in 0..=events.len() {
        let (head, tail) = events.as_bytes().split_at(at);
        assert_eq!(play(&guard, [head, tail]), whole, "cut at byte {at}");
    }
    assert_eq!(play(&guard, events.as_bytes().chunks(1)), whole);
}

#[test]
fn no_more_waits_than_a_rule_needs() {
    let guard = rules();
    let rules = guard.output().expect("rules");
    let mut stream = rules.stream();
    let mut said = 0;
    for letter in "a project y; forbidden frui, nn@example.co and straß".repeat(20).chars() {
        let mut out = Vec::new();
        stream.push(rules, say(0, "content", &letter.to_string()).as_bytes(), false, &mut out);
        said += letter.len_utf8();
        let out = String::from_utf8(out).expect("UTF-8");
        said -= receive(&out, None).texts.values().map(|text| text.replace("[redacted:mail]", "nn@example.co").len()).sum::<usize>();
        assert!(said < 80, "{said} bytes wait");
    }
}

#[test]
fn hostile_streams_take_bounded_time_and_memory() {
    let guard = rules();
    // More texts than any answer has, each with something that waits.
    let many: String = (0..5_000).map(|index| say(index, "content", "pro")).collect();
    let received = run(&guard, &(many + DONE));
    assert_eq!((received.texts.len(), received.texts.values().all(|text| text == "pro")), (5_000, true));
    let calls: Vec<String> = (0..5_000).map(|index| format!(r#"{{"index":{index},"function":{{"arguments":"project x"}}}}"#)).collect();
    let received = run(&guard, &(delta(0, &format!(r#""tool_calls":[{}]"#, calls.join(","))) + &finish(0)));
    assert_eq!(received.adjustments, [["redacted p in the answer (5000)"]]);
    // One event that is large, and one that is nested too deep to be read.
    let large = say(0, "content", &"project y ".repeat(200_000)) + &finish(0);
    assert_eq!(run(&guard, &large).texts["0.content"].len(), 2_000_000);
    let deep = |text: &str| format!("data: {{\"choices\":{}{text:?}{}}}\n\n", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(play(&guard, [deep("project x").as_bytes()]).1, Some("p".to_owned()));
    assert_eq!(play(&guard, [deep("clean").as_bytes()]), (deep("clean"), None));
    // Neighbours that overlap for ever share a placeholder, and nothing piles up.
    let guard = compile(&[terms("a", Action::Redact, &["ab"]), terms("b", Action::Redact, &["ba"])]);
    let chain: String = (0..20_000).map(|index| say(0, "content", if index % 2 == 0 { "a" } else { "b" })).collect();
    assert_eq!(run(&guard, &(chain + &finish(0))).texts["0.content"], "[redacted:a]");
    // A choice that ends in every event.
    let ends: String = (0..20_000).map(|_| chunk(r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#)).collect();
    assert_eq!(run(&guard, &ends).texts["0.content"].len(), 20_000);
}
