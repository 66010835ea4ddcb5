//! The paths, and what the protocol has no words for.

use super::*;
use crate::openai::Fields;

fn call(model: &str, stream: bool) -> Call<'_> {
    Call { endpoint: Endpoint::Chat, model, stream, stream_options: None, max_output: 4096, fields: Fields::default() }
}

#[test]
fn the_model_is_one_segment_of_the_path() {
    for (model, expected) in [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.x/converse",
        ),
        ("a~b_c?d#e/../é", "/model/a~b_c%3Fd%23e%2F..%2F%C3%A9/converse"),
    ] {
        assert_eq!(Bedrock.path("", &call(model, false)), expected);
    }
    assert_eq!(Bedrock.path("/gw", &call("m", true)), "/gw/model/m/converse-stream");
}

#[test]
fn the_region_says_where_the_provider_is() {
    let place = Place { region: Some("eu-west-3"), ..Place::default() };
    assert_eq!(Bedrock.base_url(&place).as_deref(), Ok("https://bedrock-runtime.eu-west-3.amazonaws.com"));
    assert_eq!(Bedrock.base_url(&Place::default()), Err(Unsaid("region")));
}

#[test]
fn only_its_own_encoding_is_a_stream() {
    assert_eq!(Bedrock.framing("application/vnd.amazon.eventstream"), Some(Framing::EventStream));
    for content_type in ["application/json", "text/event-stream", ""] {
        assert_eq!(Bedrock.framing(content_type), None, "{content_type}");
    }
}

#[test]
fn every_documented_stop_reason_has_its_finish_reason() {
    for (stop_reason, said, called, empty) in [
        ("end_turn", "stop", "tool_calls", false),
        ("tool_use", "stop", "tool_calls", false),
        ("max_tokens", "length", "length", true),
        ("stop_sequence", "stop", "tool_calls", true),
        ("guardrail_intervened", "content_filter", "content_filter", true),
        ("content_filtered", "content_filter", "content_filter", true),
        ("model_context_window_exceeded", "length", "length", true),
        ("tomorrow", "stop", "tool_calls", false),
    ] {
        let found = (finish_reason(stop_reason, false), finish_reason(stop_reason, true), may_be_empty(stop_reason));
        assert_eq!(found, (Ok(said), Ok(called), empty), "{stop_reason}");
    }
    for stop_reason in ["malformed_model_output", "malformed_tool_use"] {
        assert_eq!(finish_reason(stop_reason, true), Err(Fault::InBand(stop_reason.into())));
    }
}

#[test]
fn what_the_protocol_has_no_words_for_is_named() {
    for (needs, expected) in [
        (Needs::default(), None),
        (Needs { tools: true, vision: true, files: true, ..Needs::default() }, None),
        (Needs { asked: Fields::of(&["temperature", "metadata", "user"]), ..Needs::default() }, None),
        (Needs { embeddings: true, ..Needs::default() }, Some("embeddings")),
        (Needs { several_choices: true, ..Needs::default() }, Some("n")),
        (Needs { functions: true, ..Needs::default() }, Some("functions")),
        (Needs { remote_images: true, ..Needs::default() }, Some("image_url (web)")),
        (Needs { audio: true, ..Needs::default() }, Some("input_audio")),
        (Needs { custom_tools: true, ..Needs::default() }, Some("custom tools")),
        (Needs { asked: Fields::of(&["logprobs"]), ..Needs::default() }, Some("logprobs")),
        (Needs { asked: Fields::of(&["web_search_options"]), ..Needs::default() }, Some("web_search_options")),
    ] {
        assert_eq!(Bedrock.lacks(&needs), expected, "{needs:?}");
    }
}

#[test]
fn the_table_has_every_documented_member_once() {
    let known = ["model", "messages", "route", "stream", "stream_options"];
    let names: Vec<&str> = treatments::TABLE.iter().map(|(name, _)| *name).collect();
    for documented in Fields::documented().filter(|name| !known.contains(name)) {
        assert_eq!(names.iter().filter(|name| **name == documented).count(), 1, "{documented}");
    }
}

#[test]
fn what_a_wrong_answer_cost_is_known_if_it_says_so() {
    let billed = |body: &str| Bedrock.billed(body.as_bytes());
    let expected = Usage { uncached_input: 3, output: 2, ..Usage::default() };
    assert_eq!(billed(r#"{"stopReason":"malformed_tool_use","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#), Some(expected));
    assert_eq!((billed("{}"), billed("<"), billed(r#"{"usage":{}}"#)), (None, None, None));
}
