//! Streams that the goldens do not have.

use super::*;

const ENVELOPE: Envelope<'static> = Envelope { id: "nrc_1", model: "m", created: 7, routing: "{}", include_usage: false, bill: None };

fn run(events: &[(&str, &str)]) -> (String, Vec<Result<Progress, Fault>>, Stream) {
    let mut stream = Stream::default();
    let mut out = Vec::new();
    let progress = events.iter().map(|(name, data)| stream.event(&ENVELOPE, &Event { name, data }, &mut out)).collect();
    (String::from_utf8(out).expect("UTF-8"), progress, stream)
}

const START: (&str, &str) = ("messageStart", r#"{"role":"assistant"}"#);
const TEXT: (&str, &str) = ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#);
const STOP: (&str, &str) = ("messageStop", r#"{"stopReason":"end_turn"}"#);
const USAGE: (&str, &str) = ("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":12,"totalTokens":15}}"#);

#[test]
fn nothing_before_the_first_word_commits_to_this_candidate() {
    let signature = ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"x"}}}"#);
    let events = [START, ("tomorrow", "{}"), ("contentBlockStart", r#"{"start":{}}"#), signature, TEXT, STOP, USAGE, TEXT];
    let (out, progress, stream) = run(&events);
    let (preamble, content) = (Ok(Progress::Preamble), Ok(Progress::Content));
    let expected =
        [preamble.clone(), preamble.clone(), preamble.clone(), preamble, content.clone(), content, Ok(Progress::Done), Ok(Progress::Done)];
    assert_eq!(progress, expected);
    assert_eq!((stream.usage(), stream.produced()), (Some(Usage { uncached_input: 3, output: 12, ..Usage::default() }), 2));
    assert!(out.ends_with("data: [DONE]\n\n"), "{out}");
}

#[test]
fn an_exception_is_a_fault_until_the_answer_stands() {
    let exception = ("exception:throttlingException", r#"{"message":"x"}"#);
    let fault = |name: &str| Err(Fault::InBand(name.to_owned()));
    assert_eq!(run(&[exception]).1, [fault("throttlingException")]);
    assert_eq!(run(&[START, TEXT, ("error:InternalFailure", "")]).1.last(), Some(&fault("InternalFailure")));
    assert_eq!(run(&[("", r#"{"message":"x"}"#)]).1, [fault("error")]);
    let (_, progress, mut stream) = run(&[START, TEXT, STOP, exception]);
    assert_eq!(progress.last(), Some(&Ok(Progress::Content)));
    let mut out = Vec::new();
    assert_eq!((stream.end(&ENVELOPE, &mut out), out.as_slice()), (Ok(()), &b"data: [DONE]\n\n"[..]));
}

#[test]
fn figures_may_come_before_the_end() {
    let (_, progress, stream) = run(&[START, TEXT, USAGE, STOP]);
    assert_eq!(progress.last(), Some(&Ok(Progress::Content)));
    assert_eq!(stream.usage().map(|usage| usage.output), Some(12));
}

#[test]
fn what_is_not_the_protocol_is_refused() {
    for event in [
        ("contentBlockDelta", "{}"),
        ("contentBlockDelta", r#"{"delta":{"text":7}}"#),
        ("contentBlockDelta", r#"{"delta":{"toolUse":{}}}"#),
        ("contentBlockDelta", r#"{"delta":{"reasoningContent":{"text":7}}}"#),
        ("contentBlockStart", r#"{"start":{"toolUse":{"toolUseId":"a"}}}"#),
        ("messageStop", r#"{"stopReason":"end_turn"}"#),
        ("messageStart", "[]"),
        ("messageStart", ""),
    ] {
        assert_eq!(run(&[event]).1, [Err(Fault::Malformed)], "{event:?}");
    }
}

#[test]
fn arguments_of_no_call_are_nobodys() {
    let arguments = ("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":"{}"}}}"#);
    let (out, progress, _) = run(&[START, arguments, TEXT, ("contentBlockStop", r#"{"contentBlockIndex":4}"#)]);
    assert!(progress.iter().all(Result::is_ok) && !out.contains("tool_calls"), "{out}");
}

#[test]
fn open_tools_are_bounded() {
    let start = |index: usize| {
        ("contentBlockStart", format!(r#"{{"contentBlockIndex":{index},"start":{{"toolUse":{{"toolUseId":"t{index}","name":"f"}}}}}}"#))
    };
    let starts: Vec<(&str, String)> = (0..=MAX_OPEN_TOOLS).map(start).collect();
    let events: Vec<(&str, &str)> = starts.iter().map(|(name, data)| (*name, data.as_str())).collect();
    let (_, progress, _) = run(&events);
    assert_eq!(progress.iter().position(Result::is_err), Some(MAX_OPEN_TOOLS));
}
