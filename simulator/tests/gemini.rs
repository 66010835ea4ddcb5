//! Google's protocol: answers, streams, and the provider's words for a request it refuses.

mod harness;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use harness::{Reply, call};
use serde_json::{Value, json};

/// A running simulator with the providers `gemini` and `vertex`.
struct Google {
    child: Child,
    control: SocketAddr,
    gemini: SocketAddr,
    vertex: SocketAddr,
}

impl Google {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nr-simulator"))
            .args(["--control", "127.0.0.1:0", "--provider", "gemini=gemini@127.0.0.1:0"])
            .args(["--provider", "vertex=vertex@127.0.0.1:0", "--workers", "2"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("a ready line");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let at = |value: &Value| value.as_str().expect("an address").parse().expect("an address");
        let providers = &ready["providers"];
        Self { control: at(&ready["control"]), gemini: at(&providers["gemini"]), vertex: at(&providers["vertex"]), child }
    }

    fn set(&self, path: &str, body: &str) {
        let reply = call(self.control, "PUT", path, &[], body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }

    fn generate(&self, model: &str, body: &str) -> Reply {
        call(self.gemini, "POST", &format!("/v1beta/models/{model}:generateContent"), &[], body)
    }

    fn stream(&self, model: &str, body: &str) -> Vec<Value> {
        let reply = call(self.gemini, "POST", &format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"), &[], body);
        assert_eq!(reply.status, 200, "{}", reply.text());
        let text = reply.text();
        let datas = text.split_terminator("\r\n\r\n").map(|event| event.strip_prefix("data: ").expect("data"));
        datas.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect()
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const HI: &str = r#"{"role":"user","parts":[{"text":"hello"}]}"#;
const TOOLS: &str = r#""tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}]"#;

fn body(fields: &str) -> String {
    format!(r#"{{"contents":[{HI}]{fields}}}"#)
}

fn contents(contents: &str) -> String {
    format!(r#"{{"contents":[{contents}]}}"#)
}

#[test]
fn an_answer_has_the_documented_form() {
    let google = Google::start();
    let reply = google.generate("gemini-2.5-flash", &body(""));
    let answer = reply.json();
    assert_eq!(
        answer["candidates"],
        json!([{"content":{"parts":[{"text":"This is a simulated answer."}],"role":"model"},"finishReason":"STOP","index":0}])
    );
    assert_eq!(answer["usageMetadata"], json!({"promptTokenCount":6,"candidatesTokenCount":7,"totalTokenCount":13}));
    assert_eq!(answer["modelVersion"], "gemini-2.5-flash");
    assert!(reply.header("server-timing").is_some());
}

#[test]
fn usage_that_is_given_is_split_as_this_provider_does() {
    let google = Google::start();
    google.set("/providers/gemini/behaviour", r#"{"tokens":{"prompt":1000,"cached":400,"completion":50,"reasoning":20}}"#);
    let expected = json!({"promptTokenCount":1000,"candidatesTokenCount":30,"totalTokenCount":1050,"cachedContentTokenCount":400,"thoughtsTokenCount":20});
    assert_eq!(google.generate("gemini-2.5-flash", &body("")).json()["usageMetadata"], expected);
    assert_eq!(google.stream("gemini-2.5-flash", &body("")).last().expect("events")["usageMetadata"], expected);
}

#[test]
fn a_stream_is_answers_of_which_the_last_has_the_reason() {
    let google = Google::start();
    let events = google.stream("gemini-2.5-flash", &body(""));
    let said: String = events.iter().map(|event| event["candidates"][0]["content"]["parts"][0]["text"].as_str().expect("a text")).collect();
    assert_eq!((events.len(), said.as_str()), (6, "This is a simulated answer."));
    let reasons: Vec<&Value> = events.iter().map(|event| &event["candidates"][0]["finishReason"]).collect();
    assert_eq!(reasons, [&Value::Null, &Value::Null, &Value::Null, &Value::Null, &Value::Null, &json!("STOP")]);
    let counts: Vec<u64> = events.iter().map(|event| event["usageMetadata"]["candidatesTokenCount"].as_u64().unwrap_or(0)).collect();
    assert!(counts.is_sorted() && counts[0] < counts[5], "{counts:?}");
}

#[test]
fn calls_are_answered_whole_and_streamed() {
    let google = Google::start();
    google.set("/providers/gemini/behaviour", r#"{"tool_call_count":2}"#);
    let forced = body(&format!(r#",{TOOLS},"toolConfig":{{"functionCallingConfig":{{"mode":"ANY"}}}}"#));
    let answer = google.generate("gemini-3-pro-preview", &forced).json();
    let parts = answer["candidates"][0]["content"]["parts"].as_array().expect("parts").clone();
    assert_eq!((parts.len(), &parts[0]["functionCall"]["args"]), (2, &json!({"city":"Paris"})));
    assert!(parts[0]["thoughtSignature"].is_string() && parts[1]["thoughtSignature"].is_null());
    assert_ne!(parts[0]["functionCall"]["id"], parts[1]["functionCall"]["id"]);
    assert_eq!(answer["candidates"][0]["finishReason"], "STOP");
    let events = google.stream("gemini-2.5-flash", &forced);
    assert_eq!(events[0]["candidates"][0]["content"]["parts"][0]["functionCall"], json!({"name":"weather","args":{"city":"Paris"}}));
    let none = forced.replace("ANY", "NONE");
    assert!(google.generate("gemini-2.5-flash", &none).json()["candidates"][0]["content"]["parts"][0]["text"].is_string());
}

#[test]
fn formats_limits_and_thoughts_show_in_the_answer() {
    let google = Google::start();
    let config = |config: &str| body(&format!(r#","generationConfig":{{{config}}}"#));
    let candidate = |config: &str| google.generate("gemini-2.5-flash", config).json()["candidates"][0].clone();
    let limited = candidate(&config(r#""maxOutputTokens":2"#));
    assert_eq!((&limited["finishReason"], &limited["content"]["parts"][0]["text"]), (&json!("MAX_TOKENS"), &json!("This is ")));
    let stopped = candidate(&config(r#""stop_sequences":[" simulated"]"#));
    assert_eq!((&stopped["finishReason"], &stopped["content"]["parts"][0]["text"]), (&json!("STOP"), &json!("This is a")));
    let thought = candidate(&config(r#""thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}"#));
    assert_eq!((&thought["content"]["parts"][0]["thought"], &thought["content"]["parts"][1]["thought"]), (&json!(true), &Value::Null));
    let schema = r#""responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}"#;
    assert_eq!(candidate(&config(schema))["content"]["parts"][0]["text"], "{\"age\":1}");
}

#[test]
fn a_request_off_the_schema_is_refused_in_the_words_of_the_provider() {
    let google = Google::start();
    let with = |fields: &str| body(&format!(",{fields}"));
    let config = |config: &str| body(&format!(r#","generationConfig":{{{config}}}"#));
    let called = r#"{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}"#;
    let result = r#"{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}"#;
    for (model, given, message) in [
        ("gemini-2.5-flash", "{".to_owned(), "Invalid JSON payload received."),
        ("gemini-2.5-flash", "{}".into(), "* GenerateContentRequest.contents: contents is not specified"),
        ("gemini-2.5-flash", contents(""), "* GenerateContentRequest.contents: contents is not specified"),
        ("gemini-2.5-flash", with(r#""messages":[]"#), "Invalid JSON payload received. Unknown name \"messages\": Cannot find field."),
        ("gemini-2.5-flash", with(r#""labels":{}"#), "Invalid JSON payload received. Unknown name \"labels\": Cannot find field."),
        (
            "gemini-2.5-flash",
            config(r#""stop":"x""#),
            "Invalid JSON payload received. Unknown name \"stop\" at 'generation_config': Cannot find field.",
        ),
        ("gemini-2.5-flash", config(r#""topP":"x""#), "Invalid value at 'generation_config.top_p' (TYPE_FLOAT), \"x\""),
        ("gemini-2.5-flash", config(r#""presencePenalty":1"#), "Penalty is not enabled for models/gemini-2.5-flash"),
        ("gemini-2.5-flash", config(r#""logprobs":1"#), "Logprobs is not supported unless"),
        ("gemini-2.5-flash", config(r#""responseJsonSchema":{}"#), "Response schema is set without response_mime_type."),
        (
            "gemini-2.5-flash",
            config(r#""responseMimeType":"application/json","responseJsonSchema":{"$ref":"x","title":"y"}"#),
            "If $ref is set",
        ),
        ("gemini-2.5-pro", config(r#""thinkingConfig":{"thinkingBudget":0}"#), "Budget 0 is invalid."),
        ("gemini-2.5-flash", config(r#""thinkingConfig":{"thinkingLevel":"low"}"#), "Thinking level is not supported"),
        ("gemini-3-flash", config(r#""thinkingConfig":{"thinkingLevel":"low","thinkingBudget":1}"#), "You can only set only one"),
        ("gemini-2.5-flash", contents(r#"{"role":"assistant","parts":[{"text":"x"}]}"#), "Please use a valid role: user, model."),
        (
            "gemini-2.5-flash",
            contents(r#"{"role":"user","parts":[]}"#),
            "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.",
        ),
        (
            "gemini-2.5-flash",
            contents(r#"{"role":"user","parts":[{"thought":true}]}"#),
            "* GenerateContentRequest.contents[0].parts[0].data: required oneof",
        ),
        ("gemini-2.5-flash", contents(called), "Please ensure that function call turn comes immediately after"),
        ("gemini-2.5-flash", contents(&[HI, called, HI].join(",")), "Please ensure that function response turn comes immediately after"),
        ("gemini-2.5-flash", contents(&[HI, result].join(",")), "Please ensure that the number of function response parts"),
        ("gemini-3-flash", contents(&[HI, called, result].join(",")), "Function call is missing a thought_signature"),
        ("gemini-2.5-flash", with(r#""toolConfig":{"functionCallingConfig":{"mode":"ANY"}}"#), "Function calling config is set without"),
        (
            "gemini-2.5-flash",
            with(&format!(r#"{TOOLS},"toolConfig":{{"functionCallingConfig":{{"allowedFunctionNames":["weather"]}}}}"#)),
            "Allowed function names may only",
        ),
        (
            "gemini-2.5-flash",
            with(&format!(r#"{TOOLS},"generationConfig":{{"responseMimeType":"application/json"}}"#)),
            "Function calling with a response mime type",
        ),
    ] {
        let reply = google.generate(model, &given);
        let answer = reply.json();
        let error = &answer["error"];
        assert_eq!((reply.status, &error["code"], &error["status"]), (400, &json!(400), &json!("INVALID_ARGUMENT")), "{given}: {answer}");
        assert!(error["message"].as_str().expect("a message").starts_with(message), "{given}: {answer}");
    }
    let signed = called.replace(r#""args":{}}}"#, r#""args":{}},"thoughtSignature":"skip_thought_signature_validator"}"#);
    assert_eq!(google.generate("gemini-3-flash", &contents(&[HI, &signed, result].join(","))).status, 200);
    assert_eq!(
        google.generate("gemini-3-flash", &contents(&[HI, called, result, HI].join(","))).status,
        200,
        "only the current turn counts"
    );
}

#[test]
fn paths_and_credentials_are_checked() {
    let google = Google::start();
    for provider in ["gemini", "vertex"] {
        google.set(&format!("/providers/{provider}/behaviour"), r#"{"api_key":"secret"}"#);
    }
    let given = body("");
    let vertex = "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash:generateContent";
    let gemini = "/v1beta/models/gemini-2.5-flash:generateContent";
    for (at, path, headers, status, kind, reason) in [
        (google.gemini, gemini, &["x-goog-api-key: secret"][..], 200, Value::Null, Value::Null),
        (google.gemini, gemini, &["x-goog-api-key: other"], 400, json!("INVALID_ARGUMENT"), json!("API_KEY_INVALID")),
        (google.gemini, gemini, &[], 403, json!("PERMISSION_DENIED"), Value::Null),
        (google.gemini, vertex, &["x-goog-api-key: secret"], 404, json!("NOT_FOUND"), Value::Null),
        (google.gemini, "/v1beta/models/gemini-2.5-flash:embedContent", &["x-goog-api-key: secret"], 404, json!("NOT_FOUND"), Value::Null),
        (google.vertex, vertex, &["authorization: Bearer secret"], 200, Value::Null, Value::Null),
        (
            google.vertex,
            "/v1/projects/p/locations/l/endpoints/7:generateContent",
            &["authorization: Bearer secret"],
            200,
            Value::Null,
            Value::Null,
        ),
        (google.vertex, vertex, &["x-goog-api-key: secret"], 401, json!("UNAUTHENTICATED"), Value::Null),
        (google.vertex, gemini, &["authorization: Bearer secret"], 404, json!("NOT_FOUND"), Value::Null),
    ] {
        let reply = call(at, "POST", path, headers, &given);
        let error = &reply.json()["error"];
        assert_eq!((reply.status, &error["status"], &error["details"][0]["reason"]), (status, &kind, &reason), "{path} {headers:?}");
    }
}

#[test]
fn faults_are_in_the_form_of_the_provider() {
    let google = Google::start();
    google.set("/providers/gemini/fault", r#"{"kind":"status","status":429,"times":1}"#);
    let error = google.generate("gemini-2.5-flash", &body("")).json()["error"].clone();
    assert_eq!((&error["status"], &error["details"][0]["retryDelay"]), (&json!("RESOURCE_EXHAUSTED"), &json!("34s")));
    google.set("/providers/gemini/fault", r#"{"kind":"sse_error_mid","after_chunks":2,"times":1}"#);
    let events = google.stream("gemini-2.5-flash", &body(""));
    assert_eq!((events.len(), &events[2]["error"]["status"]), (3, &json!("UNAVAILABLE")));
}
