//! Streams, event by event.

use super::*;

const ENVELOPE: Envelope<'static> =
    Envelope { id: "nrc_1", model: "gpt-4o", created: 7, routing: r#"{"selected":"gpt-4o"}"#, include_usage: false, bill: None };

fn run(datas: &[&str], envelope: &Envelope<'_>) -> (String, Vec<Result<Progress, Fault>>) {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let progress = datas.iter().map(|data| stream.event(envelope, &Event { name: "", data }, &mut out)).collect();
    (String::from_utf8(out).expect("UTF-8"), progress)
}

#[test]
fn a_stream_gets_routing_once_and_hides_usage_nobody_asked_for() {
    let datas = [
        r#"{"id":"c","model":"m","choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"{"id":"c","model":"m","choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}"#,
        r#"{"id":"c","model":"m","choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
        "[DONE]",
    ];
    let (hidden, progress) = run(&datas, &ENVELOPE);
    assert_eq!(progress, [Ok(Progress::Preamble), Ok(Progress::Content), Ok(Progress::Content), Ok(Progress::Content), Ok(Progress::Done)]);
    assert_eq!(hidden.matches(r#""routing":"#).count(), 1);
    assert_eq!(hidden.matches("data: ").count(), 4);
    assert!(hidden.ends_with("data: [DONE]\n\n"), "{hidden}");
    let (shown, _) = run(&datas, &Envelope { include_usage: true, ..ENVELOPE });
    assert_eq!(shown.matches("data: ").count(), 5);
}

#[test]
fn usage_beside_choices_is_hidden_from_a_client_that_did_not_ask() {
    let chunk = r#"{"model":"m","choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let (hidden, _) = run(&[chunk], &ENVELOPE);
    assert!(hidden.contains(r#""usage":null"#) && !hidden.contains("prompt_tokens"), "{hidden}");
    let (shown, _) = run(&[chunk], &Envelope { include_usage: true, ..ENVELOPE });
    assert!(shown.contains(r#""usage":{"prompt_tokens":1"#), "{shown}");
}

#[test]
fn an_event_of_several_lines_reaches_the_client_in_one() {
    let (out, progress) = run(&["{\n \"model\": \"m\",\n \"choices\": [{\"delta\":{\"content\":\"a\\nb\"}}]\n}"], &ENVELOPE);
    assert_eq!(progress, [Ok(Progress::Content)]);
    assert_eq!(out.matches('\n').count(), 2, "{out}");
    assert!(out.ends_with("\n\n") && out.contains(r#""a\nb""#), "{out}");
}

#[test]
fn a_done_without_content_is_no_answer() {
    assert_eq!(run(&["[DONE]"], &ENVELOPE).1, [Err(Fault::Malformed)]);
}

#[test]
fn a_stream_that_finished_without_done_is_completed_and_one_that_did_not_is_cut() {
    for (finish, expected) in [(r#""stop""#, Ok(())), ("null", Err(Fault::Malformed))] {
        let mut stream = Stream::default();
        let mut out = Vec::new();
        let data = format!(r#"{{"choices":[{{"delta":{{"content":"x"}},"finish_reason":{finish}}}]}}"#);
        assert_eq!(stream.event(&ENVELOPE, &Event { name: "", data: &data }, &mut out), Ok(Progress::Content));
        assert_eq!(stream.end(&ENVELOPE, &mut out), expected, "{finish}");
    }
}

#[test]
fn what_the_model_wrote_is_counted_and_the_json_around_it_is_not() {
    let call = |function: &str| format!(r#"{{"tool_calls":[{{"index":0,"id":"call_1","type":"function","function":{function}}}]}}"#);
    for (delta, bytes, progress) in [
        (r#"{"role":"assistant","content":""}"#.to_owned(), 0, Progress::Preamble),
        (r#"{"content":"Hi\n"}"#.to_owned(), 4, Progress::Content),
        (r#"{"role":"assistant","content":null,"refusal":"No"}"#.to_owned(), 2, Progress::Content),
        (r#"{"reasoning_content":"hm"}"#.to_owned(), 2, Progress::Content),
        (r#"{"audio":{"data":"x"}}"#.to_owned(), 12, Progress::Content),
        (call(r#"{"name":"weather","arguments":""}"#), 7, Progress::Content),
        (call(r#"{"arguments":"{\"city"}"#), 7, Progress::Content),
        (r#"{"tool_calls":[7]}"#.to_owned(), 0, Progress::Content),
        (r#"{"function_call":{"name":"f","arguments":"{}"}}"#.to_owned(), 3, Progress::Content),
        ("7".to_owned(), 0, Progress::Preamble),
    ] {
        let mut stream = Stream::default();
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}},{{"index":1,"delta":{{}}}}]}}"#);
        assert_eq!(stream.event(&ENVELOPE, &Event { name: "", data: &data }, &mut Vec::new()), Ok(progress), "{delta}");
        assert_eq!(stream.produced(), bytes, "{delta}");
    }
    let mut stream = Stream::default();
    for data in [
        r#"{"choices":[{"delta":{"content":"abc"}},{"delta":{"content":"de"}}]}"#,
        r#"{"choices":[{"delta":{"content":"f"},"finish_reason":"stop"}]}"#,
        "[DONE]",
        r#"{"choices":[{"delta":{"content":"after the end"}}]}"#,
    ] {
        let _ = stream.event(&ENVELOPE, &Event { name: "", data }, &mut Vec::new());
    }
    assert_eq!(stream.produced(), 6);
}

#[test]
fn a_role_an_end_and_usage_are_told_once() {
    let usage = r#""usage":{"prompt_tokens":1,"completion_tokens":1}"#;
    let chunk = |delta: &str, finish: &str| format!(r#"{{"choices":[{{"delta":{delta},"finish_reason":{finish}}}],{usage}}}"#);
    let datas = [
        chunk(r#"{"content":""}"#, "null"),
        chunk(r#"{"role":"assistant","content":"x"}"#, "null"),
        chunk(r#"{"content":"y", "role":"assistant"}"#, r#""stop""#),
        chunk(r#"{"role":"assistant"}"#, r#""stop""#),
        r#"{"choices":[{"content_filter_results":{}},{"delta":null}]}"#.to_owned(),
        "[DONE]".to_owned(),
    ];
    let datas: Vec<&str> = datas.iter().map(String::as_str).collect();
    let (out, _) = run(&datas[..3], &Envelope { include_usage: true, ..ENVELOPE });
    assert_eq!((out.matches(r#""usage":null"#).count(), out.matches(usage).count()), (2, 1), "{out}");
    let (out, _) = run(&datas, &Envelope { include_usage: true, ..ENVELOPE });
    let choices: Vec<&str> = out.lines().filter_map(|line| line.split_once(r#""choices":"#)?.1.split_once(']')).map(|(it, _)| it).collect();
    assert_eq!(
        choices,
        [
            r#"[{"delta":{"content":"","role":"assistant"},"finish_reason":null}"#,
            r#"[{"delta":{"content":"x"},"finish_reason":null}"#,
            r#"[{"delta":{"content":"y"},"finish_reason":"stop"}"#,
            r#"[{"delta":{},"finish_reason":null}"#,
            r#"[{"content_filter_results":{},"delta":{}},{"delta":{}}"#,
        ]
    );
}

#[test]
fn a_call_without_arguments_ends_in_a_delta_that_had_a_role_only() {
    let call = r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}"#;
    let (out, _) = run(&[call, r#"{"choices":[{"finish_reason":"stop","delta":{"role":"assistant"}}]}"#], &ENVELOPE);
    let expected = r#"[{"finish_reason":"tool_calls","delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]"#;
    assert!(out.contains(expected), "{out}");
}

#[test]
fn a_function_called_in_the_older_form_is_why_the_answer_ends() {
    let call = r#"{"choices":[{"delta":{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},"finish_reason":null}]}"#;
    let (out, _) = run(&[call, r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#], &ENVELOPE);
    assert!(out.contains(r#""finish_reason":"function_call""#), "{out}");
    let (out, _) = run(&[call, "[DONE]"], &ENVELOPE);
    assert!(out.contains(r#""finish_reason":"function_call""#), "{out}");
}

#[test]
fn an_end_without_a_farewell_is_one_only_if_every_choice_has_ended() {
    let chunk =
        |index: u32, finish: &str| format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"x"}},"finish_reason":{finish}}}]}}"#);
    for (ends, expected) in [([r#""stop""#, r#""stop""#], Ok(())), ([r#""stop""#, "null"], Err(Fault::Malformed))] {
        let mut stream = Stream::default();
        let mut out = Vec::new();
        for (index, finish) in (0..).zip(ends) {
            stream.event(&ENVELOPE, &Event { name: "", data: &chunk(index, finish) }, &mut out).expect("a chunk");
        }
        assert_eq!(stream.end(&ENVELOPE, &mut out), expected, "{ends:?}");
    }
}

#[test]
fn what_another_gateway_says_of_its_routing_is_not_passed_on() {
    let chunk = r#"{"choices":[{"delta":{"content":"x"},"finish_reason":null}],"routing":{"cost_usd":-5,"selected":"theirs"}}"#;
    let (out, _) = run(&[chunk, chunk], &ENVELOPE);
    assert!(out.contains(r#""routing":{"selected":"gpt-4o"}"#), "{out}");
    assert!(!out.contains("theirs") && out.matches("routing").count() == 1 && out.matches(r#""choices":[{"#).count() == 2, "{out}");
}

#[test]
fn choices_that_are_no_list_are_no_chunk() {
    let (out, progress) = run(&[r#"{"choices":{"a":1}}"#], &ENVELOPE);
    assert_eq!((out.as_str(), progress), ("", vec![Err(Fault::Malformed)]));
}

#[test]
fn usage_of_zeros_is_no_usage_and_an_early_one_grows_with_the_text() {
    let text =
        |usage: &str| format!(r#"{{"choices":[{{"delta":{{"content":"{}"}},"finish_reason":null}}],"usage":{usage}}}"#, "x".repeat(40));
    for (datas, expected) in [
        (vec![text(r#"{"prompt_tokens":0,"completion_tokens":0}"#)], None),
        (vec![text(r#"{"prompt_tokens":7,"completion_tokens":9}"#)], Some((7, 9))),
        (vec![text(r#"{"prompt_tokens":7,"completion_tokens":9}"#), text("null")], Some((7, 19))),
        (vec![text("null"), text(r#"{"prompt_tokens":7,"completion_tokens":9}"#)], Some((7, 9))),
        (vec![text(r#"{"prompt_tokens":7,"completion_tokens":9}"#), text(r#"{"prompt_tokens":7,"completion_tokens":3}"#)], Some((7, 3))),
    ] {
        let mut stream = Stream::default();
        for data in &datas {
            stream.event(&ENVELOPE, &Event { name: "", data }, &mut Vec::new()).expect("a chunk");
        }
        assert_eq!(stream.usage().map(|usage| (usage.prompt(), usage.output)), expected, "{datas:?}");
    }
}
