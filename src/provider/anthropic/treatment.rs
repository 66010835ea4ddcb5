//! What becomes of each member of a request, and what a candidate is not asked for.

use crate::openai::{Fields, Needs};
use crate::provider::codec::Treatment::{self, Dropped, Mapped, Passed, Refused};

/// Members without which the answer would not be what was asked for.
const REFUSED: Fields = Fields::of(&["audio", "logprobs", "modalities", "moderation", "web_search_options"]);

/// The first need that the protocol has no words for.
pub(super) fn lacks(needs: &Needs) -> Option<&'static str> {
    [
        (needs.embeddings, "embeddings"),
        (needs.several_choices, "n"),
        (needs.functions, "functions"),
        (needs.custom_tools, "custom tools"),
        (needs.audio, "input_audio"),
        (needs.uploads, "file"),
    ]
    .into_iter()
    .find_map(|(needed, name)| needed.then_some(name))
    .or_else(|| needs.asked.first_common(REFUSED))
}

/// The table of Anthropic's own API.
pub(super) const ANTHROPIC: &[(&str, Treatment)] =
    &table(Mapped("`auto` as it is, `default` as `standard_only`; any other is left out"), Mapped("an image by its `url`"));

/// The table of Google's.
pub(super) const VERTEX: &[(&str, Treatment)] = &table(Dropped, Refused);

const fn table(service_tier: Treatment, remote_images: Treatment) -> [(&'static str, Treatment); 40] {
    [
        ("temperature", Mapped("at most 1; left out for models that do not sample")),
        ("max_tokens", Mapped("`max_tokens`, at most what the model gives; 32,000 if nobody says")),
        ("max_completion_tokens", Mapped("`max_tokens`")),
        ("tools", Mapped("`tools`; what strict schemas cannot enforce goes into descriptions")),
        ("tool_choice", Mapped("`tool_choice`; `allowed_tools` by leaving out the others")),
        ("parallel_tool_calls", Mapped("`tool_choice.disable_parallel_tool_use`")),
        ("response_format", Mapped("`output_config.format`; `json_object` as an instruction")),
        ("top_p", Mapped("`top_p`; left out where the model does not take it")),
        ("n", Refused),
        ("stop", Mapped("`stop_sequences`")),
        ("audio", Refused),
        ("frequency_penalty", Dropped),
        ("function_call", Dropped),
        ("functions", Refused),
        ("logit_bias", Dropped),
        ("logprobs", Refused),
        ("metadata", Dropped),
        ("modalities", Refused),
        ("moderation", Refused),
        ("prediction", Dropped),
        ("presence_penalty", Dropped),
        ("prompt_cache_key", Dropped),
        ("prompt_cache_options", Dropped),
        ("prompt_cache_retention", Dropped),
        ("reasoning_effort", Mapped("`thinking`: a budget of tokens, or `output_config.effort`")),
        ("safety_identifier", Mapped("`metadata.user_id`")),
        ("seed", Dropped),
        ("service_tier", service_tier),
        ("store", Dropped),
        ("top_logprobs", Refused),
        ("user", Mapped("`metadata.user_id`")),
        ("verbosity", Dropped),
        ("web_search_options", Refused),
        ("image_url (web)", remote_images),
        ("image_url (data)", Mapped("an image in base64")),
        ("input_audio", Refused),
        ("file", Mapped("a `document`; PDF in base64 only")),
        ("custom tools", Refused),
        ("messages[].name", Dropped),
        ("cache_control", Passed),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{Anthropic, VertexAnthropic};
    use super::*;
    use crate::openai::{Endpoint, Request};
    use crate::provider::codec::{Call, Codec};

    /// A value for each member that has to show in the translation; what it needs beside it.
    const SAMPLES: [(&str, &str); 33] = [
        ("temperature", "0.5"),
        ("max_tokens", "5"),
        ("max_completion_tokens", "5"),
        ("tools", r#"[{"type":"function","function":{"name":"f"}}]"#),
        ("tool_choice", r#""required","tools":[{"type":"function","function":{"name":"f"}}]"#),
        ("parallel_tool_calls", r#"false,"tools":[{"type":"function","function":{"name":"f"}}]"#),
        ("response_format", r#"{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"string"}}}"#),
        ("top_p", "0.5"),
        ("n", "2"),
        ("stop", r#""x""#),
        ("audio", r#"{"voice":"alloy","format":"mp3"}"#),
        ("frequency_penalty", "1"),
        ("function_call", r#""auto""#),
        ("functions", r#"[{"name":"f"}]"#),
        ("logit_bias", r#"{"7":1}"#),
        ("logprobs", "true"),
        ("metadata", r#"{"a":"b"}"#),
        ("modalities", r#"["text","audio"]"#),
        ("moderation", r#"{"model":"m"}"#),
        ("prediction", r#"{"type":"content","content":"x"}"#),
        ("presence_penalty", "1"),
        ("prompt_cache_key", r#""k""#),
        ("prompt_cache_options", r#"{"mode":"explicit"}"#),
        ("prompt_cache_retention", r#""24h""#),
        ("reasoning_effort", r#""low""#),
        ("safety_identifier", r#""s""#),
        ("seed", "7"),
        ("service_tier", r#""default""#),
        ("store", "true"),
        ("top_logprobs", r#"2,"logprobs":true"#),
        ("user", r#""u""#),
        ("verbosity", r#""low""#),
        ("web_search_options", "{}"),
    ];

    #[test]
    fn the_translation_does_what_the_table_says() {
        for codec in [&Anthropic as &dyn Codec, &VertexAnthropic] {
            for (name, value) in SAMPLES {
                let (_, treatment) = codec.treatments().iter().find(|(row, _)| *row == name).expect("a row");
                let bare = r#""messages":[{"role":"user","content":"hi"}]"#;
                let body = format!(r#"{{{bare},"{name}":{value}}}"#);
                let whole = body.replacen('{', r#"{"model":"m","#, 1);
                let needs = Request::parse(Endpoint::Chat, whole.as_bytes()).expect("a request").needs();
                assert_eq!(codec.lacks(&needs).is_some(), *treatment == Refused, "{name}");
                let call = Call {
                    endpoint: Endpoint::Chat,
                    model: "claude-sonnet-4-5",
                    stream: false,
                    stream_options: None,
                    max_output: 9_000,
                    fields: needs.asked,
                };
                if *treatment == Refused {
                    continue;
                }
                let (out, changes) = codec.request(&call, &body).expect(name);
                let (without, _) = codec.request(&call, &format!("{{{bare}}}")).expect(name);
                assert_eq!(changes.contains(&format!("dropped {name}")), *treatment == Dropped, "{name}: {changes:?}");
                assert_eq!(out != without, *treatment != Dropped, "{name}");
            }
        }
    }

    #[test]
    fn every_documented_member_has_its_row() {
        const NOT_OURS: [&str; 5] = ["model", "messages", "route", "stream", "stream_options"];
        for table in [ANTHROPIC, VERTEX] {
            let missing: Vec<&str> =
                Fields::documented().filter(|name| !NOT_OURS.contains(name) && table.iter().all(|(row, _)| row != name)).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    }

    #[test]
    fn what_the_protocol_has_no_words_for_is_named() {
        let none = Needs::default();
        for (needs, expected) in [
            (none, None),
            (Needs { tools: true, vision: true, remote_images: true, files: true, ..none }, None),
            (Needs { embeddings: true, ..none }, Some("embeddings")),
            (Needs { several_choices: true, ..none }, Some("n")),
            (Needs { functions: true, ..none }, Some("functions")),
            (Needs { tools: true, custom_tools: true, ..none }, Some("custom tools")),
            (Needs { audio: true, ..none }, Some("input_audio")),
            (Needs { files: true, uploads: true, ..none }, Some("file")),
            (Needs { asked: Fields::of(&["modalities"]), ..none }, Some("modalities")),
            (Needs { asked: Fields::of(&["logprobs"]), ..none }, Some("logprobs")),
            (Needs { asked: Fields::of(&["seed", "web_search_options"]), ..none }, Some("web_search_options")),
            (Needs { asked: Fields::of(&["seed", "user"]), ..none }, None),
        ] {
            assert_eq!(lacks(&needs), expected, "{needs:?}");
        }
    }
}
