//! Whole answers: what is text in them, and how they tell what was done.

use super::{compile, redacted, terms};
use neural_router::guard::{Action, Verdict};

const ROUTING: &str = r#""routing":{"selected":"m","adjustments":["max_tokens set to 32000"],"provider":"p"}"#;

fn answer(message: &str, routing: &str) -> String {
    let comma = if routing.is_empty() { "" } else { "," };
    format!(
        r#"{{"id":"nrc_1","object":"chat.completion","created":7,"model":"project x","choices":[{{"index":0,"message":{message},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"total_tokens":3}}{comma}{routing}}}"#
    )
}

fn redact(body: &str) -> Result<(String, Vec<String>), String> {
    let guard = compile(&[terms("project-x", Action::Redact, &["project x"])]);
    redacted(guard.output().expect("rules").answer(body))
}

#[test]
fn a_phrase_is_taken_out_of_every_text_and_the_answer_says_so() {
    for message in [
        r#"{"role":"assistant","content":"on Project X","refusal":null}"#,
        r#"{"role":"assistant","content":null,"refusal":"Project X"}"#,
        r#"{"role":"assistant","content":"","reasoning_content":"Project X"}"#,
        r#"{"role":"assistant","content":"","reasoning":"Project X"}"#,
        r#"{"content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":\"Project X\"}"}}]}"#,
        r#"{"content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"Project X","arguments":"{}"}}]}"#,
        r#"{"content":null,"function_call":{"name":"f","arguments":"{\"Project X\":1}"}}"#,
        r#"{"content":[{"type":"text","text":"Project X"}]}"#,
        r#"{"content":"","audio":{"id":"a","data":"QUJD","transcript":"Project X"}}"#,
        r#"{"content":"","annotations":[{"type":"url_citation","url_citation":{"title":"Project X"}}]}"#,
        r#"{"content":"","future":["Project X"]}"#,
    ] {
        let changed = message.replace("Project X", "[redacted:project-x]");
        let note = "redacted project-x in the answer (1)";
        for (routing, expected) in [
            ("", format!(r#""routing":{{"adjustments":["{note}"]}}"#)),
            (ROUTING, ROUTING.replace("32000\"", &format!("32000\",\"{note}\""))),
            (r#""routing":{"adjustments":[ ]}"#, format!(r#""routing":{{"adjustments":["{note}"]}}"#)),
            (r#""routing":{"selected":"m"}"#, format!(r#""routing":{{"selected":"m","adjustments":["{note}"]}}"#)),
            (r#""routing":null"#, format!(r#""routing":{{"adjustments":["{note}"]}}"#)),
        ] {
            let body = answer(message, routing);
            let (new, notes) = redact(&body).unwrap_or_else(|other| panic!("{other}: {body}"));
            assert_eq!(new, answer(&changed, &expected));
            assert_eq!(notes, [note]);
        }
    }
}

#[test]
fn what_no_model_has_written_stays() {
    for body in [
        answer(r#"{"content":"clean"}"#, r#""routing":{"reason":"project x"}"#),
        answer(r#"{"content":"clean","project x":1}"#, ""),
        r#"{"object":"list","data":[{"object":"embedding","embedding":"project x"}],"model":"project x"}"#.to_owned(),
        r#"{"error":{"message":"project x"}}"#.to_owned(),
    ] {
        assert_eq!(redact(&body), Err("clean".to_owned()), "{body}");
    }
}

#[test]
fn a_block_ends_the_answer() {
    let guard = compile(&[terms("mild", Action::Redact, &["apple"]), terms("strict", Action::Block, &["cherry"])]);
    let body = answer(r#"{"content":"apple","refusal":"a ch\u0065rry"}"#, ROUTING);
    assert_eq!(guard.output().expect("rules").answer(&body), Verdict::Blocked { rule: "strict".to_owned() });
}

#[test]
fn probabilities_of_tokens_go_with_what_was_taken_out() {
    let choice = |content: &str, logprobs: &str| format!(r#"{{"index":0,"message":{{"content":"{content}"}},"logprobs":{logprobs}}}"#);
    let logprobs = r#"{"content":[{"token":"project x","logprob":-0.1,"bytes":[112],"top_logprobs":[]}]}"#;
    let body = |content: &str, logprobs: &str, more: &str| {
        format!(r#"{{"choices":[{},{}]{more}}}"#, choice(content, logprobs), choice("clean", logprobs))
    };
    assert_eq!(redact(&body("clean", logprobs, "")), Err("clean".to_owned()));
    let (changed, notes) = redact(&body("project x", logprobs, "")).expect("redacted");
    let told = ["redacted project-x in the answer (1)", "left out logprobs, which repeat the text"];
    let routing = format!(r#","routing":{{"adjustments":["{}","{}"]}}"#, told[0], told[1]);
    assert_eq!((changed, notes), (body("[redacted:project-x]", "null", &routing), told.map(str::to_owned).to_vec()));
}
