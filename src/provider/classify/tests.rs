//! What vendors say, as their documentation and their callers report it, and whose fault it is.

use super::*;
use crate::provider::Class::{Caller, ContentPolicy, ContextTooLong, Credentials, Overloaded, RateLimited, Unavailable};

fn check(said: &[(&str, u16, &str, &str, Class)]) {
    for (vendor, status, code, message, expected) in said {
        assert_eq!(classify(*status, code, message), *expected, "{vendor}: {status} {code} {message}");
    }
}

#[test]
fn conversations_that_are_too_long() {
    check(&[
        (
            "openai",
            400,
            "context_length_exceeded",
            "This model's maximum context length is 8192 tokens. However, you requested 10000 tokens (200 in the messages, 9800 in the completion). Please reduce the length of the messages or completion.",
            ContextTooLong,
        ),
        (
            "openai",
            400,
            "context_length_exceeded",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            ContextTooLong,
        ),
        ("anthropic", 400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", ContextTooLong),
        (
            "anthropic",
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 195000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
            ContextTooLong,
        ),
        (
            "gemini",
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
            ContextTooLong,
        ),
        ("bedrock", 400, "ValidationException", "Input is too long for requested model.", ContextTooLong),
        (
            "bedrock",
            400,
            "ValidationException",
            "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again.",
            ContextTooLong,
        ),
        (
            "cohere",
            400,
            "",
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 8326. Try using a shorter prompt.",
            ContextTooLong,
        ),
        (
            "mistral",
            400,
            "invalid_request_prompt",
            "Prompt contains 40960 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            ContextTooLong,
        ),
        ("groq", 413, "context_length_exceeded", "Please reduce the length of the messages or completion.", ContextTooLong),
        (
            "deepseek",
            400,
            "invalid_request_error",
            "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (66000 in the messages, 4000 in the completion).",
            ContextTooLong,
        ),
        (
            "together",
            422,
            "invalid_request_error",
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`",
            ContextTooLong,
        ),
        ("fireworks", 400, "invalid_request_error", "The prompt is too long: 140000, model maximum context length: 131071", ContextTooLong),
        (
            "xai",
            400,
            "Client specified an invalid argument",
            "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
            ContextTooLong,
        ),
        (
            "openrouter",
            400,
            "400",
            "This endpoint's maximum context length is 131072 tokens. However, you requested about 150000 tokens.",
            ContextTooLong,
        ),
        (
            "cerebras",
            400,
            "context_length_exceeded",
            "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
            ContextTooLong,
        ),
        ("moonshot", 400, "invalid_request_error", "Invalid request: Your request exceeded model token limit: 8192", ContextTooLong),
        (
            "vllm",
            400,
            "BadRequestError",
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages. Please reduce the length of the messages.",
            ContextTooLong,
        ),
        (
            "lm studio",
            400,
            "",
            "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
            ContextTooLong,
        ),
        (
            "llama.cpp",
            400,
            "exceed_context_size_error",
            "the request exceeds the available context size, try increasing it",
            ContextTooLong,
        ),
        ("ollama", 400, "", "the input length exceeds the context length", ContextTooLong),
        ("dashscope", 400, "invalid_parameter_error", "Range of input length should be [1, 30720]", ContextTooLong),
    ]);
}

#[test]
fn contents_against_a_policy() {
    check(&[
        (
            "openai",
            400,
            "invalid_prompt",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
            ContentPolicy,
        ),
        ("openai", 400, "content_policy_violation", "Your request was rejected as a result of our safety system.", ContentPolicy),
        (
            "azure",
            400,
            "content_filter",
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
            ContentPolicy,
        ),
        ("anthropic", 400, "invalid_request_error", "Output blocked by content filtering policy", ContentPolicy),
        (
            "xai",
            403,
            "The caller does not have permission to execute the specified operation",
            "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
            ContentPolicy,
        ),
        ("xai", 403, "", "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO", ContentPolicy),
        ("deepseek", 400, "", "Content Exists Risk", ContentPolicy),
        ("moonshot", 400, "content_filter", "The request was rejected because it was considered high risk", ContentPolicy),
        (
            "openrouter",
            403,
            "403",
            "The model requires moderation on x. Your input was flagged for \"violence\". No credits were charged.",
            ContentPolicy,
        ),
        ("dashscope", 400, "data_inspection_failed", "Input data may contain inappropriate content.", ContentPolicy),
    ]);
}

#[test]
fn limits_and_crowds() {
    check(&[
        (
            "openai",
            429,
            "rate_limit_exceeded",
            "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.",
            RateLimited,
        ),
        (
            "openai",
            429,
            "rate_limit_exceeded",
            "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 50000. The input or output tokens must be reduced in order to run successfully.",
            RateLimited,
        ),
        (
            "azure",
            429,
            "429",
            "Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier.",
            RateLimited,
        ),
        (
            "anthropic",
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 40,000 input tokens per minute.",
            RateLimited,
        ),
        ("anthropic", 529, "overloaded_error", "Overloaded", Overloaded),
        ("gemini", 429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details.", RateLimited),
        ("gemini", 503, "UNAVAILABLE", "The model is overloaded. Please try again later.", Overloaded),
        ("bedrock", 429, "ThrottlingException", "Too many tokens, please wait before trying again.", RateLimited),
        ("bedrock", 429, "", "Too many tokens, please wait before trying again.", RateLimited),
        ("bedrock", 400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account.", RateLimited),
        ("bedrock", 429, "ModelNotReadyException", "Model is not ready for inference.", Overloaded),
        ("cohere", 429, "", "You are using a Trial key, which is limited to 10 API calls / minute.", RateLimited),
        ("mistral", 429, "service_tier_capacity_exceeded", "Service tier capacity exceeded for this model.", Overloaded),
        (
            "groq",
            413,
            "rate_limit_exceeded",
            "Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your message size and try again.",
            RateLimited,
        ),
        ("groq", 503, "", "Model is currently over capacity. Please try again and back off exponentially.", Overloaded),
        ("moonshot", 429, "engine_overloaded_error", "The engine is currently overloaded, please try again later", Overloaded),
        ("together", 503, "overloaded", "The server is overloaded or not ready yet.", Overloaded),
        ("hugging face", 503, "", "Model is currently loading", Overloaded),
        ("hugging face", 429, "", "Model too busy, unable to get response in less than 60 second(s)", Overloaded),
        ("perplexity", 429, "rate_limit", "Request rate limit exceeded, please try again later.", RateLimited),
        ("cerebras", 429, "too_many_requests_error", "Tokens per minute limit exceeded - too many tokens processed.", RateLimited),
        ("dashscope", 400, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", RateLimited),
    ]);
}

#[test]
fn accounts_and_names_of_models() {
    check(&[
        ("openai", 401, "invalid_api_key", "Incorrect API key provided", Credentials),
        ("openai", 429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details.", Credentials),
        ("openai", 404, "model_not_found", "The model `gpt-6` does not exist or you do not have access to it.", Credentials),
        ("openai", 403, "unsupported_country_region_territory", "Country, region, or territory not supported", Credentials),
        ("openai", 400, "unsupported_value", "Your organization must be verified to stream this model.", Credentials),
        ("azure", 404, "DeploymentNotFound", "The API deployment for this resource does not exist.", Credentials),
        (
            "azure",
            400,
            "OperationNotSupported",
            "The chatCompletion operation does not work with the specified model, text-embedding-ada-002.",
            Credentials,
        ),
        ("anthropic", 400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", Credentials),
        (
            "anthropic",
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
            Credentials,
        ),
        ("gemini", 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", Credentials),
        ("gemini", 400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Credentials),
        (
            "gemini",
            400,
            "FAILED_PRECONDITION",
            "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.",
            Credentials,
        ),
        ("gemini", 403, "PERMISSION_DENIED", "Permission denied on resource project x.", Credentials),
        ("bedrock", 400, "ValidationException", "The provided model identifier is invalid.", Credentials),
        ("bedrock", 400, "ValidationException", "Invocation of model ID x with on-demand throughput isn\u{2019}t supported.", Credentials),
        ("bedrock", 403, "UnrecognizedClientException", "The security token included in the request is invalid.", Credentials),
        (
            "bedrock",
            400,
            "InvalidSignatureException",
            "Signature expired: 20261122T000000Z is now earlier than 20261122T001000Z",
            Credentials,
        ),
        ("mistral", 400, "invalid_model", "Invalid model: mistral-huge", Credentials),
        ("groq", 400, "model_decommissioned", "The model `x` has been decommissioned and is no longer supported.", Credentials),
        ("deepseek", 400, "invalid_request_error", "Model Not Exist", Credentials),
        ("deepseek", 402, "", "Insufficient Balance", Credentials),
        (
            "together",
            400,
            "model_not_available",
            "Unable to access non-serverless model x. Please visit the page to create a dedicated endpoint.",
            Credentials,
        ),
        (
            "xai",
            400,
            "Client specified an invalid argument",
            "Incorrect API key provided: [redacted]. You can obtain an API key from the console.",
            Credentials,
        ),
        (
            "xai",
            429,
            "Some resource has been exhausted",
            "Your team has either used all available credits or reached its monthly spending limit.",
            Credentials,
        ),
        (
            "openrouter",
            402,
            "402",
            "This request requires more credits, or fewer max_tokens. You requested up to 4096 tokens, but can only afford 100.",
            Credentials,
        ),
        ("openrouter", 400, "400", "x/y is not a valid model ID", Credentials),
        ("perplexity", 400, "invalid_model", "Invalid model 'x'. Permitted models can be found in the documentation.", Credentials),
        (
            "moonshot",
            429,
            "exceeded_current_quota_error",
            "Your account is suspended, please check your plan and billing details",
            Credentials,
        ),
        (
            "hugging face",
            400,
            "model_not_supported",
            "The requested model 'x' is not supported by any provider you have enabled.",
            Credentials,
        ),
        ("lm studio", 400, "", "No models loaded. Please load a model in the developer page or use the `lms load` command.", Credentials),
        ("ollama", 404, "", "model \"x\" not found, try pulling it first", Credentials),
        ("nvidia", 404, "", "Function 'x': Not found for account 'y'", Credentials),
    ]);
}

/// A tool or a member of a schema may be called like a fault of ours, and is not one.
#[test]
fn what_the_caller_has_to_change() {
    check(&[
        (
            "openai",
            400,
            "invalid_value",
            "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.",
            Caller,
        ),
        (
            "openai",
            400,
            "unsupported_parameter",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            Caller,
        ),
        (
            "openai",
            400,
            "invalid_function_parameters",
            "Invalid schema for function 'set_permission': In context=('properties', 'billing'), schema must have a 'type' key.",
            Caller,
        ),
        (
            "openai",
            400,
            "invalid_request_error",
            "Invalid schema for function 'f': In context=('properties', 'api_key'), schema must have a 'type' key.",
            Caller,
        ),
        (
            "openai",
            400,
            "string_above_max_length",
            "Invalid 'messages[0].content': string too long. Expected a string with maximum length 10485760.",
            Caller,
        ),
        ("anthropic", 400, "invalid_request_error", "messages: at least one message is required", Caller),
        (
            "anthropic",
            400,
            "invalid_request_error",
            "max_tokens: 300000 > 128000, which is the maximum allowed number of output tokens for claude-opus-4",
            Caller,
        ),
        ("anthropic", 400, "invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block", Caller),
        ("anthropic", 400, "invalid_request_error", "tools.0.custom.input_schema.properties.payment: Input should be an object", Caller),
        ("anthropic", 413, "request_too_large", "Request exceeds the maximum size", Caller),
        ("gemini", 400, "INVALID_ARGUMENT", "Function call `capacity` in the 2. content block is missing a `thought_signature`.", Caller),
        ("gemini", 400, "INVALID_ARGUMENT", "Unable to submit request because it has an empty text parameter.", Caller),
        (
            "bedrock",
            400,
            "ValidationException",
            "The maximum tokens you requested exceeds the model limit of 8192. Try again with a maximum tokens value that is lower than 8192.",
            Caller,
        ),
        (
            "bedrock",
            400,
            "ValidationException",
            "Malformed input request: #: required key [messages] not found, please reformat your input and try again.",
            Caller,
        ),
        ("cohere", 422, "", "invalid type: parameter seed is of type string but should be of type integer.", Caller),
        ("mistral", 422, "invalid_request_error", "messages.0.user.name: Extra inputs are not permitted", Caller),
        (
            "deepseek",
            400,
            "invalid_request_error",
            "Failed to deserialize the JSON body into the target type: response_format: unknown variant `yaml`",
            Caller,
        ),
        (
            "vllm",
            400,
            "BadRequestError",
            "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
            Caller,
        ),
        ("ollama", 400, "", "registry.ollama.ai/library/gemma:2b does not support tools", Caller),
        (
            "groq",
            400,
            "invalid_request_error",
            "'messages.0' : for 'role:user' the following must be satisfied[('messages.0.content' : value must be a string)]",
            Caller,
        ),
    ]);
}

#[test]
fn what_is_nobodys_fault() {
    check(&[
        (
            "groq",
            400,
            "tool_use_failed",
            "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
            Unavailable,
        ),
        ("groq", 400, "json_validate_failed", "Failed to generate JSON. Please adjust your prompt.", Unavailable),
        ("anyone", 500, "", "the prompt is too long", Unavailable),
        ("bedrock", 424, "ModelErrorException", "The request failed due to an error while processing the model.", Unavailable),
        ("anyone", 504, "", "", Unavailable),
        ("anyone", 418, "", "", Unavailable),
        ("anyone", 503, "", "", Overloaded),
        ("anyone", 400, "", "", Caller),
    ]);
}

#[test]
fn an_error_inside_an_answer_may_be_named_by_a_status() {
    for (name, class) in [
        ("429", Some(RateLimited)),
        ("402", Some(Credentials)),
        ("502", Some(Unavailable)),
        ("rate_limit_error", Some(RateLimited)),
        ("200", None),
        ("70000", None),
        ("", None),
        ("server_error", None),
    ] {
        assert_eq!(of_name(name), class, "{name}");
    }
}

#[test]
fn only_the_beginning_of_a_message_is_looked_at() {
    let long = "é".repeat(2_000) + "prompt is too long";
    assert_eq!(classify(400, "", &long), Caller);
}

#[test]
fn words_are_in_lower_case_and_none_hides_another_of_its_kind() {
    for words in &WORDS {
        for word in words.names.iter().chain(words.phrases) {
            assert_eq!(word.to_ascii_lowercase(), **word);
        }
        for list in [words.names, words.phrases] {
            for word in list {
                let hides = |other: &&&str| *other != word && word.contains(**other);
                assert_eq!(list.iter().find(hides), None, "{word} is found by a shorter one");
            }
        }
    }
}
