//! A whole answer, whatever the provider sends: a completion or a list in OpenAI's schema, or a fault.

use neural_router::openai::Endpoint;
use neural_router::openai::members::{Members, decode};
use neural_router::provider::Fault;

use super::{ENVELOPE, Given, Target};

/// The option's lowest bit is the endpoint.
pub const TARGET: Target = Target { name: "response", check, memory: 64 };

/// How many times as long as the provider's answer ours may be, and what stands around every answer.
const GROWTH: usize = 16;
const ADDED: usize = 2 << 10;

/// Longest name of an error.
const MAX_NAME: usize = 600;

fn check(given: &Given, body: &[u8]) {
    let codec = given.protocol.codec(given.model);
    let endpoint = if given.option & 1 == 0 { Endpoint::Chat } else { Endpoint::Embeddings };
    let lacks =
        endpoint == Endpoint::Embeddings && codec.lacks(&neural_router::openai::Needs { embeddings: true, ..Default::default() }).is_some();
    let _ = codec.billed(body);
    if lacks {
        return;
    }
    match codec.response(endpoint, &ENVELOPE, body) {
        Ok(answer) => {
            assert!(answer.body.len() <= GROWTH * body.len() + ADDED, "{} bytes became {}", body.len(), answer.body.len());
            serde_json::from_slice::<&serde_json::value::RawValue>(&answer.body).expect("JSON");
            let text = core::str::from_utf8(&answer.body).expect("UTF-8");
            let members = Members::read(text).expect("an object");
            let value = |name: &str| members.find(name).map(|member| member.value);
            let parts = value(if endpoint == Endpoint::Chat { "choices" } else { "data" }).expect("what was asked for");
            assert!(parts.starts_with('[') && parts.contains('{'), "{text}");
            assert_eq!(value("routing"), Some(ENVELOPE.routing), "{text}");
            assert_eq!(value("model").and_then(decode).as_deref(), Some(ENVELOPE.model), "{text}");
            if endpoint == Endpoint::Chat {
                assert_eq!(value("id").and_then(decode).as_deref(), Some(ENVELOPE.id), "{text}");
            }
            // What is charged is what the caller is shown.
            assert!(answer.usage.is_none() || value("usage").is_some_and(|usage| usage.starts_with('{')), "{text}");
        }
        Err(Fault::InBand(name)) => assert!((1..=MAX_NAME).contains(&name.chars().count()), "{name:?}"),
        Err(Fault::Malformed) => {}
    }
}
