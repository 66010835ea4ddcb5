//! Errors as the vendors write them, and what a client is told.

use super::*;

/// Class, message, code and `param` of what a vendor says.
fn said(status: u16, body: &str) -> (Class, String, Option<String>, Option<String>) {
    let Failed { class, message, param, code } = read(status, body.as_bytes());
    (class, message, code, param)
}

#[test]
fn every_vendors_error_is_understood() {
    let expected = |class, message: &str, code: Option<&str>| (class, message.to_owned(), code.map(str::to_owned), None);
    for (vendor, status, body, expected) in [
        (
            "vllm, older",
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400}"#,
            expected(Class::ContextTooLong, "This model's maximum context length is 4096 tokens.", None),
        ),
        (
            "vllm, newer",
            404,
            r#"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}}"#,
            expected(Class::Credentials, "The model `x` does not exist.", None),
        ),
        (
            "llama.cpp",
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#,
            expected(Class::ContextTooLong, "the request exceeds the available context size", None),
        ),
        (
            "llama.cpp, loading",
            503,
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            expected(Class::Overloaded, "Loading model", None),
        ),
        (
            "text-generation-inference",
            422,
            r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`","error_type":"validation"}"#,
            expected(
                Class::ContextTooLong,
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`",
                None,
            ),
        ),
        (
            "huggingface",
            503,
            r#"{"error":"Model x is currently loading","estimated_time":20.0}"#,
            expected(Class::Overloaded, "Model x is currently loading", None),
        ),
        (
            "fireworks",
            400,
            r#"{"error":{"object":"error","type":"invalid_request_error","code":"invalid_request_error","message":"Extra inputs are not permitted, field: 'store'"}}"#,
            expected(Class::Caller, "Extra inputs are not permitted, field: 'store'", Some("invalid_request_error")),
        ),
        (
            "fireworks, gateway",
            401,
            r#"{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"oauth.v2.InvalidApiKey"}}}"#,
            expected(Class::Credentials, "Invalid ApiKey", None),
        ),
        (
            "fastapi",
            422,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","messages",0,"name"],"msg":"Extra inputs are not permitted"}]}"#,
            expected(Class::Caller, "messages.0.name: Extra inputs are not permitted", None),
        ),
        (
            "nvidia",
            404,
            r#"{"status":404,"title":"Not Found","detail":"Function 'x': Not found for account 'y'"}"#,
            expected(Class::Credentials, "Function 'x': Not found for account 'y'", None),
        ),
        (
            "xai",
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xai-***ab."}"#,
            expected(Class::Credentials, "Incorrect API key provided: [redacted]", None),
        ),
        (
            "xai, argument",
            400,
            r#"{"code":"Client specified an invalid argument","error":"Argument not supported on this model: presencePenalty"}"#,
            expected(Class::Caller, "Argument not supported on this model: presencePenalty", None),
        ),
        (
            "azure, filter",
            400,
            r#"{"error":{"message":"The response was filtered.","type":null,"code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"jailbreak":{"filtered":true,"detected":true}}}}}"#,
            expected(Class::ContentPolicy, "The response was filtered.", Some("content_filter")),
        ),
        (
            "azure, inner code",
            400,
            r#"{"error":{"message":"No.","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            expected(Class::ContentPolicy, "No.", Some("ResponsibleAIPolicyViolation")),
        ),
        (
            "azure, gateway",
            401,
            r#"{ "statusCode": 401, "message": "Unauthorized. Access token is missing." }"#,
            expected(Class::Credentials, "Unauthorized. Access token is missing.", None),
        ),
        (
            "azure, deployment",
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            expected(Class::Credentials, "The API deployment for this resource does not exist.", Some("DeploymentNotFound")),
        ),
        (
            "azure, rate",
            429,
            r#"{"error":{"code":"429","message":"Requests have exceeded the token rate limit of your current tier."}}"#,
            expected(Class::RateLimited, "Requests have exceeded the token rate limit of your current tier.", None),
        ),
        (
            "moonshot",
            400,
            r#"{"error":{"message":"Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)","type":"invalid_request_error"}}"#,
            expected(Class::ContextTooLong, "Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)", None),
        ),
        (
            "moonshot, credit",
            429,
            r#"{"error":{"message":"Your account is suspended, please check your plan and billing details","type":"exceeded_current_quota_error"}}"#,
            expected(Class::Credentials, "Your account is suspended, please check your plan and billing details", None),
        ),
        (
            "deepseek",
            400,
            r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
            expected(Class::ContentPolicy, "Content Exists Risk", Some("invalid_request_error")),
        ),
        (
            "ollama",
            404,
            r#"{"error":{"message":"model 'x' not found","type":"not_found_error","param":null,"code":null}}"#,
            expected(Class::Credentials, "model 'x' not found", None),
        ),
        (
            "ollama, plain",
            400,
            r#"{"error":"invalid message content type: float64"}"#,
            expected(Class::Caller, "invalid message content type: float64", None),
        ),
        (
            "groq",
            400,
            r#"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"x"}}"#,
            expected(Class::Unavailable, "Failed to call a function.", Some("tool_use_failed")),
        ),
        (
            "openrouter",
            429,
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"message\":\"slow down\"}}","provider_name":"X"}},"user_id":"user_1"}"#,
            expected(Class::RateLimited, "Provider returned error: slow down", None),
        ),
        (
            "openrouter, raw",
            400,
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"prompt is too long"}}}"#,
            expected(Class::ContextTooLong, "Provider returned error: prompt is too long", None),
        ),
        (
            "openrouter, flagged",
            403,
            r#"{"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"]}}}"#,
            expected(Class::ContentPolicy, "Your input was flagged", None),
        ),
        (
            "a list of one",
            400,
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
            expected(Class::Credentials, "API key not valid. Please pass a valid API key.", None),
        ),
        ("a sentence", 400, "the prompt is too long\n", expected(Class::ContextTooLong, "the provider refused the request", None)),
        ("a string", 400, r#""the input is too long""#, expected(Class::ContextTooLong, "the input is too long", None)),
        ("a page", 502, "<html><title>Bad gateway</title></html>", expected(Class::Unavailable, "the provider refused the request", None)),
        ("nothing", 400, "", expected(Class::Caller, "the provider refused the request", None)),
        ("no words", 400, r#"{"error":{}}"#, expected(Class::Caller, "the provider refused the request", None)),
        ("half", 400, r#"{"error":{"message":"x"#, expected(Class::Caller, "the provider refused the request", None)),
    ] {
        assert_eq!(said(status, body), expected, "{vendor}");
    }
}

#[test]
fn a_parameter_is_named() {
    let body = r#"{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}"#;
    let expected = "Please reduce the length of the messages or completion.".to_owned();
    let code = Some("context_length_exceeded".to_owned());
    assert_eq!(said(400, body), (Class::ContextTooLong, expected, code, Some("messages".to_owned())));
}

#[test]
fn neither_size_nor_depth_of_an_error_matters() {
    let deep = [r#"{"error":"#, &"[".repeat(100_000), &"]".repeat(100_000), "}"].concat();
    let long = "x".repeat(1 << 20);
    let nested = (0..50).fold("x".to_owned(), |raw, _| {
        let raw = serde_json::to_string(&raw).expect("JSON").chars().take(4000).collect::<String>();
        format!(r#"{{"error":{{"message":"m","metadata":{{"raw":{raw}}}}}}}"#)
    });
    for body in [deep, long, nested] {
        assert!(read(400, body.as_bytes()).message.len() < 4_000);
    }
}
