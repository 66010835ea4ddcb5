//! What becomes of every documented member of a request, for the documentation.

use crate::provider::Treatment::{self, Dropped, Mapped, Refused};

/// On the Gemini API.
pub(in crate::provider) const GEMINI_API: &[(&str, Treatment)] = &table(Dropped, Mapped("serviceTier"));

/// On Vertex AI.
pub(in crate::provider) const VERTEX_AI: &[(&str, Treatment)] = &table(Mapped("labels, where names and values can be labels"), Dropped);

/// The members, in the order of the schema, and the kinds of content.
const fn table(metadata: Treatment, service_tier: Treatment) -> [(&'static str, Treatment); 40] {
    [
        ("temperature", Mapped("generationConfig.temperature")),
        ("max_tokens", Mapped("generationConfig.maxOutputTokens")),
        ("max_completion_tokens", Mapped("generationConfig.maxOutputTokens")),
        ("tools", Mapped("tools[].functionDeclarations, schemas as parametersJsonSchema")),
        ("tool_choice", Mapped("toolConfig.functionCallingConfig")),
        ("parallel_tool_calls", Dropped),
        ("response_format", Mapped("generationConfig.responseMimeType and responseJsonSchema")),
        ("top_p", Mapped("generationConfig.topP")),
        ("n", Refused),
        ("stop", Mapped("generationConfig.stopSequences")),
        ("audio", Refused),
        ("frequency_penalty", Mapped("generationConfig.frequencyPenalty; left out for Gemini 2.5 and later, which refuse it")),
        ("function_call", Refused),
        ("functions", Refused),
        ("logit_bias", Dropped),
        ("logprobs", Mapped("generationConfig.responseLogprobs")),
        ("metadata", metadata),
        ("modalities", Refused),
        ("moderation", Refused),
        ("prediction", Dropped),
        ("presence_penalty", Mapped("generationConfig.presencePenalty; left out for Gemini 2.5 and later, which refuse it")),
        ("prompt_cache_key", Dropped),
        ("prompt_cache_options", Dropped),
        ("prompt_cache_retention", Dropped),
        ("reasoning_effort", Mapped("generationConfig.thinkingConfig")),
        ("safety_identifier", Dropped),
        ("seed", Mapped("generationConfig.seed")),
        ("service_tier", service_tier),
        ("store", Dropped),
        ("top_logprobs", Mapped("generationConfig.logprobs")),
        ("user", Dropped),
        ("verbosity", Dropped),
        ("web_search_options", Refused),
        ("image_url (web)", Refused),
        ("image_url (data)", Mapped("inlineData")),
        ("input_audio", Mapped("inlineData")),
        ("file", Mapped("inlineData, or fileData for a file of Google's")),
        ("custom tools", Refused),
        ("messages[].name", Dropped),
        ("cache_control", Dropped),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Fields;

    #[test]
    fn every_documented_member_has_its_row() {
        for name in Fields::documented().filter(|name| !["model", "messages", "route", "stream", "stream_options"].contains(name)) {
            for table in [GEMINI_API, VERTEX_AI] {
                assert_eq!(table.iter().filter(|(row, _)| *row == name).count(), 1, "{name}");
            }
        }
    }
}
