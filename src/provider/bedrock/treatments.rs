//! What becomes of each member of a request, for the documentation and for the ranking.

use crate::openai::{Fields, Needs};
use crate::provider::Treatment::{self, Dropped, Mapped, Refused};

/// Members without which a request would mean something else.
const REFUSED: Fields = Fields::of(&["audio", "logprobs", "modalities", "moderation", "top_logprobs", "web_search_options"]);

/// A need for which Converse has no words, by the member that states it.
pub(super) fn lacks(needs: &Needs) -> Option<&'static str> {
    [
        (needs.embeddings, "embeddings"),
        (needs.several_choices, "n"),
        (needs.functions, "functions"),
        (needs.remote_images, "image_url (web)"),
        (needs.audio, "input_audio"),
        (needs.custom_tools, "custom tools"),
    ]
    .into_iter()
    .find_map(|(needed, name)| needed.then_some(name))
    .or_else(|| needs.asked.first_common(REFUSED))
}

/// Every documented member and kind of content.
pub(super) const TABLE: &[(&str, Treatment)] = &[
    ("temperature", Mapped("`inferenceConfig.temperature`, at most 1; not for Claude 4.7 and newer, nor with its thinking")),
    ("max_tokens", Mapped("`inferenceConfig.maxTokens`, at most what the model gives")),
    ("max_completion_tokens", Mapped("`inferenceConfig.maxTokens`, at most what the model gives")),
    ("tools", Mapped("`toolConfig.tools`; `strict` for Claude 4.5 and newer and OpenAI's models")),
    ("tool_choice", Mapped("`toolConfig.toolChoice`; `none` by Claude's own `tool_choice` or in words")),
    ("parallel_tool_calls", Mapped("`false` by the `tool_choice` of Claude 4.5 and newer; otherwise dropped")),
    ("response_format", Mapped("`outputConfig.textFormat`; `json_object` in words")),
    ("top_p", Mapped("`inferenceConfig.topP`; not for Claude 4.7 and newer, nor beside `temperature` from Claude 4.1 on")),
    ("n", Refused),
    ("stop", Mapped("`inferenceConfig.stopSequences`")),
    ("audio", Refused),
    ("frequency_penalty", Dropped),
    ("function_call", Dropped),
    ("functions", Refused),
    ("logit_bias", Dropped),
    ("logprobs", Refused),
    ("metadata", Mapped("`requestMetadata`, without entries that have characters or lengths it does not take")),
    ("modalities", Refused),
    ("moderation", Refused),
    ("prediction", Dropped),
    ("presence_penalty", Dropped),
    ("prompt_cache_key", Dropped),
    ("prompt_cache_options", Dropped),
    ("prompt_cache_retention", Dropped),
    ("reasoning_effort", Mapped("`thinking` and `effort` of Claude, `reasoningConfig` of Nova 2, `reasoning_effort` of OpenAI's models")),
    ("safety_identifier", Dropped),
    ("seed", Dropped),
    ("service_tier", Mapped("`serviceTier`: default, flex, priority, reserved")),
    ("store", Dropped),
    ("top_logprobs", Refused),
    ("user", Dropped),
    ("verbosity", Dropped),
    ("web_search_options", Refused),
    ("image_url (web)", Refused),
    ("image_url (data)", Mapped("`image`")),
    ("input_audio", Refused),
    ("file", Mapped("`document`, under a neutral name")),
    ("custom tools", Refused),
    ("messages[].name", Dropped),
    ("cache_control", Mapped("`cachePoint`, for Claude and Nova")),
];
