//! The model as the filter runs it: obvious prompts, the trainer's numbers, and hostile texts.

use serde::Deserialize;

use super::{Evidence, Task, USER_HEAD, USER_TAIL, class, infer, scores};
use crate::config::TaskClass;

fn of(user: &str) -> Evidence<'_> {
    Evidence { user, system: None, messages: 1, tools: false, tool_results: false, json: false }
}

#[derive(Deserialize)]
struct Case {
    user: String,
    system: Option<String>,
    messages: u64,
    tools: bool,
    tool_results: bool,
    json: bool,
    scores: [i32; 12],
    class: String,
}

#[test]
fn scores_are_those_of_the_trainer() {
    let cases: Vec<Case> =
        include_str!("parity.jsonl").lines().map(|line| serde_json::from_str(line).expect("a line of `training.export`")).collect();
    assert!(cases.len() > 200, "{} cases", cases.len());
    for case in &cases {
        let Case { user, messages, tools, tool_results, json, .. } = case;
        let evidence =
            Evidence { user, system: case.system.as_deref(), messages: *messages, tools: *tools, tool_results: *tool_results, json: *json };
        assert_eq!(scores(&evidence), case.scores, "{user:?}");
        assert_eq!(class(&case.scores, &evidence).name(), case.class, "{user:?}");
    }
}

#[test]
fn recognises_what_is_obvious() {
    let cases = [
        (TaskClass::Code, "Write a Python script that renames all .jpeg files in a folder to .jpg"),
        (TaskClass::Code, r"My C++ program crashes, why?\n```cpp\nint *p = nullptr;\n*p = 3;\n```"),
        (TaskClass::Code, "How do I revert a merge commit in git?"),
        (TaskClass::Math, "A bus has 45 seats. 17 people get off and 9 get on. If it was full, how many seats are free now?"),
        (TaskClass::Math, r"Compute the integral $\\int_0^2 (3x^2 + 1) dx$."),
        (
            TaskClass::Extraction,
            r"Extract all person names and dates from this text:\n\nOn 3 May 1999 Peter Novak met Lena Hart in Vienna.",
        ),
        (
            TaskClass::Summarization,
            r"Summarize the following article in two sentences:\n\nThe central bank raised rates again on Thursday.",
        ),
        (TaskClass::Summarization, r"The port of Gdynia was closed for two days because of a storm. Ferries were late.\n\nTL;DR"),
        (TaskClass::Translation, "Translate the following sentence into French: The meeting has been moved to Monday."),
        (TaskClass::Translation, "Übersetze ins Englische: Der Zug hat Verspätung."),
        (TaskClass::Qa, "What is the capital of Mongolia?"),
        (TaskClass::Qa, "Who invented the telephone?"),
        (
            TaskClass::Reasoning,
            "Anna is taller than Bea and Bea is taller than Cleo. Dora is shorter than Cleo. Who is the second tallest?",
        ),
        (TaskClass::Creative, "Write a short poem about the sea in winter"),
        (TaskClass::Creative, "Schreibe eine kurze Geschichte über einen mutigen Igel."),
        (TaskClass::Chat, "hey, how's it going?"),
        (TaskClass::Chat, "I feel a bit down today"),
        (TaskClass::Classification, r"Classify the sentiment of this review as positive or negative:\n\nThe battery died after a week."),
        (TaskClass::Classification, r"Is this email spam? Answer yes or no.\n\nYou won a new phone, click here!"),
    ];
    for (expected, user) in cases {
        assert_eq!(infer(&of(user)).class, expected, "{user}");
    }
}

#[test]
fn an_escaped_text_is_what_it_stands_for() {
    let cases = [
        (r"\u00dcbersetze ins Englische: \u65e5\u672c", "Übersetze ins Englische: 日本"),
        (r"smile \ud83d\ude00", "smile 😀"),
        (r"a\/b", "a/b"),
    ];
    for (escaped, plain) in cases {
        assert_eq!(scores(&of(escaped))[..11].iter().max(), scores(&of(plain))[..11].iter().max(), "{escaped}");
        assert_eq!(infer(&of(escaped)).class, infer(&of(plain)).class, "{escaped}");
    }
}

#[test]
fn tools_need_tools() {
    let weather = of("What's the weather in Paris right now?");
    let poem = of("Write a short poem about the sea in winter");
    let cases = [
        ("asked for and offered", Evidence { tools: true, ..weather }, true),
        ("asked for, none offered", weather, false),
        ("offered, not asked for", Evidence { tools: true, ..poem }, false),
        ("in the middle of a loop", Evidence { tools: true, tool_results: true, ..poem }, true),
        ("results of tools that are offered no more", Evidence { tool_results: true, ..poem }, false),
    ];
    for (name, evidence, expected) in cases {
        assert_eq!(infer(&evidence).class == TaskClass::Tools, expected, "{name}");
    }
}

#[test]
fn tools_that_are_offered_are_not_for_everything() {
    let cases = [
        "Book me a table for two tonight.",
        "Send an email to Bob that I'm late.",
        "Look up the current price of AAPL.",
        "What's on my calendar tomorrow?",
        "Set a timer for 10 minutes",
        "Remind me to call mom",
    ];
    for user in cases {
        assert_eq!(infer(&Evidence { tools: true, ..of(user) }).class, TaskClass::Tools, "{user}");
    }
    let others = [
        (TaskClass::Math, "What is 2+2?"),
        (TaskClass::Summarization, "Summarize this text: the cat sat."),
        (TaskClass::Translation, "Translate 'good morning' to French."),
        (TaskClass::Code, "Fix this bug: for i in range(10) print(i)"),
        (TaskClass::Qa, "Who wrote Hamlet?"),
        (TaskClass::Chat, "hi"),
    ];
    for (expected, user) in others {
        assert_eq!(infer(&Evidence { tools: true, ..of(user) }).class, expected, "{user}");
    }
}

#[test]
fn reads_no_more_than_its_bounds() {
    let (head, tail) = ("h ".repeat(USER_HEAD / 2), "t ".repeat(USER_TAIL / 2));
    let around = |middle: &str| format!("{head}{middle}{tail}");
    let (quiet, loud) = ("m ".repeat(8 << 20), "translate \\ud83d ``` ".repeat((16 << 20) / 20));
    assert_eq!(scores(&of(&around(&quiet))), scores(&of(&around(&loud))));
    let system = format!("{}{}", "s ".repeat(128), "translate");
    let with = |system| Evidence { system: Some(system), ..of("hello") };
    assert_eq!(scores(&with(&system)), scores(&with(&system[..256])));
}

#[test]
fn answers_whatever_the_text() {
    let mut texts: Vec<String> =
        ["", "\\", "\\u", "\\ud83d", "\\ud83d\\u", "\\udead\\ud83d\\ude00", "\\u00zz", "\u{feff}", "\0"].map(String::from).into();
    texts.extend(["\\", "\"", "`", "\\u00e9", "\\ud800", "é", "漢", "😀", "a", " a"].map(|unit| unit.repeat(3000)));
    for text in &texts {
        for cut in (0..text.len().min(1600)).filter(|cut| text.is_char_boundary(*cut)) {
            let evidence = Evidence { system: Some(text), messages: u64::MAX, ..of(&text[cut..]) };
            let Task { difficulty, .. } = infer(&evidence);
            assert!((0.0..=1.0).contains(&difficulty), "{cut} of {text:.20}: {difficulty}");
        }
    }
}
