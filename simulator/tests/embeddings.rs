//! The OpenAI protocol's embeddings: the vectors, the two ways to write them, and the provider's words for a request it refuses.

mod harness;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use harness::{EMBED, End, Simulator, call};
use serde_json::{Value, json};

fn body(input: &str, fields: &str) -> String {
    format!(r#"{{"model":"text-embedding-3-small","input":{input}{fields}}}"#)
}

/// The vectors of an answer, as floats.
fn vectors(answer: &Value) -> Vec<Vec<f32>> {
    answer["data"].as_array().unwrap().iter().map(|one| serde_json::from_value(one["embedding"].clone()).unwrap()).collect()
}

fn vector(simulator: &Simulator, body: &str) -> Vec<f32> {
    vectors(&simulator.embed(body).json()).remove(0)
}

#[test]
fn an_answer_has_the_documented_form() {
    let simulator = Simulator::start();
    let reply = simulator.embed(EMBED);
    let mut answer = reply.json();
    let embedding = answer["data"][0]["embedding"].take();
    assert_eq!(
        answer,
        json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": null}], "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 2, "total_tokens": 2}})
    );
    let vector: Vec<f32> = serde_json::from_value(embedding).unwrap();
    assert_eq!(vector.len(), 1536);
    assert!((vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() - 1.0).abs() < 1e-5);
    for name in ["x-request-id", "openai-organization", "x-ratelimit-remaining-tokens", "set-cookie"] {
        assert!(reply.header(name).is_some(), "{name}");
    }
}

#[test]
fn a_vector_depends_on_the_model_and_the_input_alone() {
    let simulator = Simulator::start();
    let hello = vector(&simulator, EMBED);
    assert_eq!(vector(&simulator, EMBED), hello);
    assert_eq!(vector(&simulator, &body(r#""h\u0065llo""#, r#","user":"u""#)), hello, "however it is written");
    assert_eq!(vectors(&simulator.embed(&body(r#"["world","hello"]"#, "")).json())[1], hello, "wherever it stands");
    for other in [body(r#""hallo""#, ""), body("[104]", ""), EMBED.replace("3-small", "ada-002"), EMBED.replace("3-small", "3-other")] {
        let other = vector(&simulator, &other);
        let cosine: f32 = other.iter().zip(&hello).map(|(a, b)| a * b).sum();
        assert!(cosine.abs() < 0.2, "unrelated: {cosine}");
    }
    assert_eq!(vector(&simulator, &EMBED.replace("3-small", "3-large")).len(), 3072);
}

#[test]
fn fewer_dimensions_are_the_beginning_of_the_whole_vector() {
    let simulator = Simulator::start();
    let whole = vector(&simulator, EMBED);
    let short = vector(&simulator, &body(r#""hello""#, r#","dimensions":3"#));
    let length = whole[..3].iter().map(|x| x * x).sum::<f32>().sqrt();
    let expected: Vec<f32> = whole[..3].iter().map(|x| x / length).collect();
    assert!(short.len() == 3 && short.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{short:?} {expected:?}");
}

#[test]
fn base64_holds_the_same_floats() {
    let simulator = Simulator::start();
    let floats = vectors(&simulator.embed(&body(r#"["a","b"]"#, r#","encoding_format":"float","dimensions":7"#)).json());
    let answer = simulator.embed(&body(r#"["a","b"]"#, r#","encoding_format":"base64","dimensions":7"#)).json();
    for (index, expected) in floats.iter().enumerate() {
        let bytes = BASE64.decode(answer["data"][index]["embedding"].as_str().unwrap()).unwrap();
        let decoded: Vec<f32> = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        assert_eq!((&decoded, &answer["data"][index]["index"]), (expected, &json!(index)));
    }
}

#[test]
fn every_form_of_input_is_counted() {
    let simulator = Simulator::start();
    let many = serde_json::to_string(&vec!["x"; 2048]).unwrap();
    for (input, count, tokens) in [
        (r#""four""#, 1, 1),
        (r#"["four","five5"]"#, 2, 3),
        ("[1,2,3]", 1, 3),
        ("[[1],[2,3]]", 2, 3),
        (many.as_str(), 2048, 2048),
        (&serde_json::to_string(&vec![7; 8192]).unwrap(), 1, 8192),
    ] {
        let answer = simulator.embed(&body(input, r#","dimensions":1"#)).json();
        let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
        assert_eq!((answer["data"].as_array().unwrap().len(), &answer["usage"]), (count, &usage), "{}", &input[..input.len().min(40)]);
    }
}

#[test]
fn usage_is_left_out_when_the_behaviour_says_so() {
    let simulator = Simulator::start();
    simulator.behaviour("openai", r#"{"usage":false}"#);
    assert!(simulator.embed(EMBED).json().get("usage").is_none());
}

#[test]
fn a_request_off_the_schema_is_refused_in_the_words_of_the_provider() {
    const INVALID: &str = "'$.input' is invalid.";
    let simulator = Simulator::start();
    let array = |of: &str, count: usize| format!("[{}]", vec![of; count].join(","));
    let input = |input: &str| body(input, "");
    let with = |fields: &str| body(r#""hello""#, &format!(",{fields}"));
    for (given, message, param, code) in [
        ("{".to_owned(), "We could not parse the JSON body", json!(null), json!(null)),
        (r#"{"input":"x"}"#.to_owned(), "you must provide a model parameter", json!(null), json!(null)),
        (r#"{"model":"m"}"#.to_owned(), "Missing required parameter: 'input'.", json!("input"), json!("missing_required_parameter")),
        (with(r#""mood":"good""#), "Unrecognized request argument supplied: mood", json!(null), json!(null)),
        (with(r#""encoding_format":"hex""#), "Invalid value: 'hex'.", json!("encoding_format"), json!("invalid_value")),
        (with(r#""dimensions":0"#), "Invalid 'dimensions': integer below", json!("dimensions"), json!("integer_below_min_value")),
        (with(r#""dimensions":"1""#), "Invalid type for 'dimensions'", json!("dimensions"), json!("invalid_type")),
        (with(r#""dimensions":1537"#), "Invalid value for 'dimensions' = 1537. Must be less than", json!(null), json!(null)),
        (with(r#""dimensions":9"#).replace("3-small", "ada-002"), "This model does not support specifying", json!(null), json!(null)),
        (input("null"), INVALID, json!(null), json!(null)),
        (input(r#""""#), INVALID, json!(null), json!(null)),
        (input("[]"), INVALID, json!(null), json!(null)),
        (input(r#"["a",""]"#), INVALID, json!(null), json!(null)),
        (input(r#"["a",1]"#), INVALID, json!(null), json!(null)),
        (input(r#"[1,"a"]"#), INVALID, json!(null), json!(null)),
        (input("[1.5]"), INVALID, json!(null), json!(null)),
        (input("[-1]"), INVALID, json!(null), json!(null)),
        (input("[[1],[]]"), INVALID, json!(null), json!(null)),
        (input(&array(r#""a""#, 2049)), INVALID, json!(null), json!(null)),
        (
            input(&array("1", 8193)),
            "This model's maximum context length is 8192 tokens, however you requested 8193",
            json!(null),
            json!(null),
        ),
        (input(&array(&format!("{:?}", "a".repeat(32_769)), 1)), "This model's maximum context length", json!(null), json!(null)),
    ] {
        let reply = simulator.embed(&given);
        let error = &reply.json()["error"];
        let shown = &given[..given.len().min(100)];
        assert_eq!(reply.status, 400, "{shown}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{shown}: {error}");
        assert_eq!((&error["type"], &error["param"], &error["code"]), (&json!("invalid_request_error"), &param, &code), "{shown}");
    }
    let too_many = simulator.embed(&input(&array(&array("1", 8000), 38)));
    let error = &too_many.json()["error"];
    assert_eq!((too_many.status, &error["code"]), (400, &json!("max_tokens_per_request")));
    assert_eq!(error["message"], "Requested 304000 tokens, max 300000 tokens per request");
}

#[test]
fn the_key_the_method_and_the_protocol_are_checked() {
    let simulator = Simulator::start();
    assert_eq!(call(simulator.openai, "GET", "/v1/embeddings", &[], "").status, 405);
    assert_eq!(call(simulator.anthropic, "POST", "/v1/embeddings", &[], EMBED).status, 404);
    simulator.behaviour("openai", r#"{"api_key":"sk-right"}"#);
    let with = |header| call(simulator.openai, "POST", "/v1/embeddings", &["content-type: application/json", header], EMBED).status;
    assert_eq!((with("authorization: Bearer sk-wrong"), with("authorization: Bearer sk-right")), (401, 200));
}

#[test]
fn faults_reach_embeddings_and_requests_are_recorded() {
    let simulator = Simulator::start();
    for (fault, status, whole, json) in [
        (r#"{"kind":"status","status":429,"times":1}"#, 429, true, true),
        (r#"{"kind":"sse_error_first","times":1}"#, 200, true, true),
        (r#"{"kind":"truncated_json","times":1}"#, 200, true, false),
        (r#"{"kind":"html","times":1}"#, 200, true, false),
        (r#"{"kind":"empty_body","times":1}"#, 200, true, false),
        (r#"{"kind":"gzip","times":1}"#, 200, true, false),
        (r#"{"kind":"close_mid_stream","times":1}"#, 200, false, false),
        (r#"{"kind":"trickle","bytes":9000,"interval_ms":1,"times":1}"#, 200, true, true),
    ] {
        simulator.fault("openai", fault);
        let reply = simulator.embed(EMBED);
        let parsed = serde_json::from_slice::<Value>(&reply.body);
        assert_eq!((reply.status, reply.whole, parsed.is_ok(), reply.end), (status, whole, json, End::Fin), "{fault}");
        assert_eq!(simulator.embed(EMBED).json()["object"], "list", "{fault} was for one request");
    }
    let kept = simulator.requests("openai");
    assert_eq!((kept.len(), &kept[0]["path"]), (16, &json!("/v1/embeddings")));
    assert_eq!(BASE64.decode(kept[1]["body_base64"].as_str().unwrap()).unwrap(), EMBED.as_bytes());
}
