//! The vendors that speak OpenAI's protocol and what they do otherwise. The pages that say so are cited; where a
//! vendor has said it in an error message only, its words are.

use std::sync::LazyLock;

use super::OpenAi;
use super::dialect::{Dialect, Images, Length, Messages, SAMPLING, Sampling};
use crate::openai::Fields;
use crate::provider::Treatment;

/// A codec of this dialect.
macro_rules! vendor {
    ($(#[$doc:meta])* $visible:vis $name:ident = $dialect:expr) => {
        $(#[$doc])*
        $visible static $name: OpenAi = {
            const DIALECT: Dialect = $dialect;
            static TREATMENTS: LazyLock<Vec<(&'static str, Treatment)>> = LazyLock::new(|| DIALECT.treatments());
            OpenAi { dialect: DIALECT, treatments: &TREATMENTS }
        };
    };
}

/// OpenAI itself, and what `base_url` makes of it (<https://platform.openai.com/docs/api-reference/chat/create>).
/// What it does not document passes, but for what answers of other vendors leave in a conversation.
const ITSELF: Dialect = Dialect {
    deployments: false,
    without: Fields::of(&[]),
    embeddings: true,
    images: Images::Any,
    audio: true,
    files: true,
    custom_tools: true,
    json_object: true,
    json_schema: true,
    named_tool: true,
    developer: true,
    names: true,
    cache_control: false,
    long_ids: false,
    messages: Messages::Foreign(&[]),
    length: Length::Either,
    sampling: Sampling::Free,
    efforts: &[],
    wants_reasoning: false,
    of_model: reasoning,
};

/// What most imitators have in common.
const IMITATOR: Dialect = Dialect {
    without: RECENT,
    files: false,
    audio: false,
    custom_tools: false,
    developer: false,
    long_ids: true,
    of_model: |_| None,
    ..ITSELF
};

/// A server for open weights, which takes whatever its model's template makes something of.
const SERVER: Dialect = Dialect { messages: Messages::Foreign(&["reasoning", "reasoning_content"]), length: Length::Tokens, ..IMITATOR };

/// Members that belong to OpenAI's own platform and models, or are as good as gone.
const RECENT: Fields = Fields::of(&[
    "audio",
    "function_call",
    "functions",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
    "web_search_options",
]);

/// gpt-oss and its like know three efforts.
const THREE_EFFORTS: &[(&str, &str)] = &[("minimal", "low"), ("xhigh", "high"), ("max", "high")];

vendor! {
    pub(in crate::provider) OPENAI = ITSELF
}

vendor! {
    /// <https://learn.microsoft.com/azure/ai-foundry/openai/reference>. Deployments are called what their owner
    /// likes; one named like its model is recognised.
    pub(in crate::provider) AZURE = Dialect { deployments: true, without: Fields::of(&["moderation", "web_search_options"]), ..ITSELF }
}

vendor! {
    /// o1, o3, o4 and gpt-5 (<https://platform.openai.com/docs/guides/reasoning>).
    REASONING = REASONER
}

vendor! {
    /// The o series calls its tools in whatever order it likes.
    O_SERIES = Dialect { without: REASONER.without.and(Fields::of(&["parallel_tool_calls"])), ..REASONER }
}

const REASONER: Dialect = Dialect {
    without: Fields::of(&SAMPLING).and(Fields::of(&["logit_bias", "logprobs", "stop", "top_logprobs"])),
    length: Length::CompletionTokens,
    of_model: |_| None,
    ..ITSELF
};

vendor! {
    /// From 5.1 on, sampling is the caller's as long as the model does not reason, which is the default
    /// (<https://platform.openai.com/docs/guides/latest-model#gpt-5-1-parameter-compatibility>).
    AT_WILL = Dialect { length: Length::CompletionTokens, sampling: Sampling::WithoutReasoning, of_model: |_| None, ..ITSELF }
}

vendor! {
    /// `gpt-5-chat-latest` does not reason.
    CHATTING = Dialect { length: Length::CompletionTokens, of_model: |_| None, ..ITSELF }
}

/// What a model of OpenAI's is by its name, also as fine-tuned (`ft:o4-mini:…`) and as a deployment.
fn reasoning(model: &str) -> Option<&'static OpenAi> {
    let name = model.strip_prefix("ft:").unwrap_or(model);
    let family = |family: &str| name.strip_prefix(family).filter(|rest| rest.is_empty() || rest.starts_with(['-', ':', '.']));
    if ["o1", "o3", "o4"].iter().any(|name| family(name).is_some()) {
        return Some(&O_SERIES);
    }
    let rest = family("gpt-5")?;
    let point = rest.strip_prefix('.').is_some();
    Some(match rest {
        _ if rest.contains("-chat") => &CHATTING,
        _ if point && !rest.contains("-pro") && !rest.contains("-codex") => &AT_WILL,
        _ => &REASONING,
    })
}

vendor! {
    /// <https://console.groq.com/docs/openai#currently-unsupported-openai-features>,
    /// <https://console.groq.com/docs/api-reference#chat-create>; "property 'reasoning_content' is unsupported".
    pub(in crate::provider) GROQ = Dialect {
        without: RECENT
            .without(Fields::of(&["function_call", "functions", "service_tier"]))
            .and(Fields::of(&["logit_bias", "logprobs", "n", "top_logprobs"])),
        names: false,
        messages: Messages::Strict(&[]),
        efforts: THREE_EFFORTS,
        ..IMITATOR
    }
}

vendor! {
    /// <https://api-docs.deepseek.com/api/create-chat-completion>,
    /// <https://api-docs.deepseek.com/guides/thinking_mode#tool-calls>; "unknown variant `developer`".
    pub(in crate::provider) DEEPSEEK = Dialect {
        without: RECENT.and(Fields::of(&["logit_bias", "n", "parallel_tool_calls", "seed", "user"])),
        embeddings: false,
        images: Images::None,
        json_schema: false,
        messages: Messages::Foreign(&["reasoning_content"]),
        length: Length::Tokens,
        wants_reasoning: true,
        ..IMITATOR
    }
}

vendor! {
    /// <https://docs.together.ai/reference/chat-completions-1>. Its `logprobs` is a number, and so are its answers'.
    pub(in crate::provider) TOGETHER = Dialect {
        without: RECENT.and(Fields::of(&["logprobs", "parallel_tool_calls", "top_logprobs", "user"])),
        efforts: THREE_EFFORTS,
        ..SERVER
    }
}

vendor! {
    /// <https://docs.fireworks.ai/api-reference/post-chatcompletions>; "Extra inputs are not permitted, field: …".
    pub(in crate::provider) FIREWORKS = Dialect {
        without: RECENT.without(Fields::of(&["metadata", "prediction", "prompt_cache_key", "service_tier"])),
        messages: Messages::Strict(&["reasoning_content"]),
        efforts: THREE_EFFORTS,
        ..IMITATOR
    }
}

const GROK: Dialect = Dialect {
    without: RECENT.without(Fields::of(&["service_tier", "web_search_options"])).and(Fields::of(&[
        "frequency_penalty",
        "logit_bias",
        "presence_penalty",
        "stop",
    ])),
    embeddings: false,
    messages: Messages::Foreign(&["reasoning_content"]),
    of_model: grok,
    ..IMITATOR
};

vendor! {
    /// <https://docs.x.ai/docs/api-reference#chat-completions>,
    /// <https://docs.x.ai/docs/guides/reasoning>: models that reason take neither penalties nor `stop`.
    pub(in crate::provider) XAI = GROK
}

vendor! {
    /// "Model … does not support parameter reasoningEffort."
    XAI_AS_IT_LIKES = Dialect { without: GROK.without.and(Fields::of(&["reasoning_effort"])), of_model: |_| None, ..GROK }
}

vendor! {
    /// Models that do not reason.
    XAI_AT_ONCE = Dialect {
        without: GROK
            .without
            .without(Fields::of(&["frequency_penalty", "presence_penalty", "stop"]))
            .and(Fields::of(&["reasoning_effort"])),
        of_model: |_| None,
        ..GROK
    }
}

/// Those that came before efforts could be chosen are a closed list; a new one takes them.
fn grok(model: &str) -> Option<&'static OpenAi> {
    let is = |name: &str| model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if is("grok-2") || (is("grok-3") && !is("grok-3-mini")) || model.contains("non-reasoning") {
        return Some(&XAI_AT_ONCE);
    }
    let fixed = ["grok-4", "grok-4-1", "grok-code", "grok-build"].iter().any(|name| is(name))
        || (is("grok-4.20") && !model.contains("multi-agent"));
    fixed.then_some(&XAI_AS_IT_LIKES)
}

vendor! {
    /// <https://openrouter.ai/docs/api-reference/parameters>: it leaves out itself what a model does not take, and
    /// wants its reasoning and Anthropic's markers back.
    pub(in crate::provider) OPENROUTER = Dialect {
        without: Fields::of(&[
            "function_call",
            "functions",
            "moderation",
            "n",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "store",
        ]),
        audio: true,
        files: true,
        developer: true,
        cache_control: true,
        messages: Messages::Any,
        ..IMITATOR
    }
}

vendor! {
    /// <https://docs.perplexity.ai/api-reference/chat-completions-post>: a model that searches, and calls nothing.
    pub(in crate::provider) PERPLEXITY = Dialect {
        without: RECENT.without(Fields::of(&["web_search_options"])).and(Fields::of(&[
            "logit_bias",
            "logprobs",
            "n",
            "parallel_tool_calls",
            "seed",
            "stream_options",
            "tool_choice",
            "tools",
            "top_logprobs",
            "user",
        ])),
        embeddings: false,
        json_object: false,
        messages: Messages::Strict(&[]),
        length: Length::Tokens,
        ..IMITATOR
    }
}

vendor! {
    /// <https://inference-docs.cerebras.ai/resources/openai>,
    /// <https://inference-docs.cerebras.ai/api-reference/chat-completions>; "property
    /// 'messages.2.assistant.reasoning_content' is unsupported".
    pub(in crate::provider) CEREBRAS = Dialect {
        without: RECENT.and(Fields::of(&["frequency_penalty", "logit_bias", "n", "presence_penalty"])),
        embeddings: false,
        messages: Messages::Strict(&[]),
        length: Length::CompletionTokens,
        efforts: THREE_EFFORTS,
        ..IMITATOR
    }
}

const KIMI: Dialect = Dialect {
    without: MOONSHOT_V1.without.and(Fields::of(&SAMPLING)).and(Fields::of(&["n"])),
    wants_reasoning: true,
    of_model: |model| model.starts_with("moonshot-v1").then_some(&MOONSHOT_OLD),
    ..MOONSHOT_V1
};

const MOONSHOT_V1: Dialect = Dialect {
    without: RECENT.without(Fields::of(&["prompt_cache_key", "safety_identifier"])).and(Fields::of(&[
        "logit_bias",
        "logprobs",
        "parallel_tool_calls",
        "seed",
        "top_logprobs",
        "user",
    ])),
    embeddings: false,
    messages: Messages::Foreign(&["reasoning_content"]),
    ..IMITATOR
};

vendor! {
    /// <https://platform.moonshot.ai/docs/api/chat>; "invalid temperature: only 1 is allowed for this model",
    /// "reasoning_content is missing in assistant tool call message".
    pub(in crate::provider) MOONSHOT = KIMI
}

vendor! {
    MOONSHOT_OLD = MOONSHOT_V1
}

vendor! {
    /// <https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html>.
    pub(in crate::provider) NVIDIA = SERVER
}

vendor! {
    /// <https://huggingface.co/docs/inference-providers/tasks/chat-completion>: a router to others, who agree on this.
    pub(in crate::provider) HUGGINGFACE = Dialect { embeddings: false, ..SERVER }
}

vendor! {
    /// <https://docs.ollama.com/api/openai-compatibility>.
    pub(in crate::provider) OLLAMA = Dialect {
        without: RECENT.and(Fields::of(&["logit_bias", "n", "parallel_tool_calls", "tool_choice", "user"])),
        images: Images::Inline,
        efforts: THREE_EFFORTS,
        ..SERVER
    }
}

vendor! {
    /// <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>.
    pub(in crate::provider) VLLM = Dialect { audio: true, length: Length::Either, ..SERVER }
}

vendor! {
    /// <https://lmstudio.ai/docs/developer/openai-compat/chat-completions>; "'response_format.type' must be 'json_schema'
    /// or 'text'", "Invalid tool_choice type: 'object'".
    pub(in crate::provider) LMSTUDIO = Dialect {
        without: RECENT.and(Fields::of(&["logprobs", "n", "parallel_tool_calls", "top_logprobs", "user"])),
        images: Images::Inline,
        json_object: false,
        named_tool: false,
        ..SERVER
    }
}

vendor! {
    /// <https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md>.
    pub(in crate::provider) LLAMACPP = Dialect {
        without: RECENT.and(Fields::of(&["n", "user"])),
        audio: true,
        named_tool: false,
        ..SERVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_one_vendor_are_told_apart_by_their_names() {
        let name = |codec: Option<&'static OpenAi>| {
            let all = [
                ("o", &O_SERIES),
                ("reasoning", &REASONING),
                ("at will", &AT_WILL),
                ("chatting", &CHATTING),
                ("as it likes", &XAI_AS_IT_LIKES),
                ("at once", &XAI_AT_ONCE),
                ("old", &MOONSHOT_OLD),
            ];
            codec.map_or("", |codec| all.iter().find(|(_, known)| core::ptr::eq(*known, codec)).map_or("?", |(name, _)| name))
        };
        for (of_model, model, expected) in [
            (ITSELF.of_model, "", ""),
            (ITSELF.of_model, "gpt-4o-2024-11-20", ""),
            (ITSELF.of_model, "gpt-4.1", ""),
            (ITSELF.of_model, "o1", "o"),
            (ITSELF.of_model, "o3-mini-2025-01-31", "o"),
            (ITSELF.of_model, "ft:o4-mini-2025-04-16:acme::1", "o"),
            (ITSELF.of_model, "o1000", ""),
            (ITSELF.of_model, "gpt-5", "reasoning"),
            (ITSELF.of_model, "gpt-5-mini", "reasoning"),
            (ITSELF.of_model, "gpt-50", ""),
            (ITSELF.of_model, "gpt-5-chat-latest", "chatting"),
            (ITSELF.of_model, "gpt-5.1", "at will"),
            (ITSELF.of_model, "gpt-5.2-pro", "reasoning"),
            (ITSELF.of_model, "gpt-5.1-codex-max", "reasoning"),
            (GROK.of_model, "", ""),
            (GROK.of_model, "grok-3-mini", ""),
            (GROK.of_model, "grok-3", "at once"),
            (GROK.of_model, "grok-4-0709", "as it likes"),
            (GROK.of_model, "grok-4-1-fast-non-reasoning", "at once"),
            (GROK.of_model, "grok-4-1-fast-reasoning", "as it likes"),
            (GROK.of_model, "grok-code-fast-1", "as it likes"),
            (GROK.of_model, "grok-4.3", ""),
            (GROK.of_model, "grok-4.20-0309-reasoning", "as it likes"),
            (GROK.of_model, "grok-4.20-multi-agent-0309", ""),
            (KIMI.of_model, "kimi-k2.6", ""),
            (KIMI.of_model, "moonshot-v1-32k", "old"),
        ] {
            assert_eq!(name(of_model(model)), expected, "{model}");
        }
    }
}
