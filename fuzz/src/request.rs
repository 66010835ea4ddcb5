//! What a caller sends: whatever is let in becomes JSON of a bounded size for every protocol, or a
//! refusal that says what is wrong.

use neural_router::openai::members::Members;
use neural_router::openai::{Endpoint, Fields, Request};
use neural_router::provider::{Call, Failed, RequestBody};

use super::{Given, Target};

/// The option's lowest bit is the endpoint.
pub const TARGET: Target = Target { name: "request", check, memory: 64 };

/// How many times as long as the caller's body the provider's may be, and what is added whatever the
/// length: the model's name and `stream_options`, defaults, a sentence that stands for a parameter.
/// Short turns grow most: `{"role":"user"}` becomes an array of blocks.
const GROWTH: usize = 16;
const ADDED: usize = 8 << 10;

/// Bounds of what a caller is told.
const MAX_ADJUSTMENTS: usize = 64;
const MAX_ADJUSTMENT: usize = 256;
const MAX_COMPLAINT: usize = 600;

fn check(given: &Given, body: &[u8]) {
    let endpoint = if given.option & 1 == 0 { Endpoint::Chat } else { Endpoint::Embeddings };
    let Ok(request) = Request::parse(endpoint, body) else { return };
    let codec = given.protocol.codec(given.model);
    let lack = codec.lacks(&request.needs());
    assert_ne!(lack, Some(""), "what is lacking has a name");
    if endpoint == Endpoint::Embeddings && lack.is_some() {
        return;
    }
    let stream_options = request.stream_options();
    let call = Call {
        endpoint,
        model: given.model,
        stream: request.stream(),
        stream_options: stream_options.as_deref(),
        max_output: 8_192,
        fields: request.fields(),
    };
    let path = codec.path("/v1", &call);
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?}");
    let (end, kept) = request.bare();
    let mut bare = String::from_utf8(kept.into_owned()).expect("UTF-8");
    bare.push_str(request.text().get(end..).expect("cuts end at a character"));
    match codec.request(&call, &bare) {
        Ok((translated, adjustments)) => {
            if let RequestBody::Head(head) = codec.body(&call) {
                assert_eq!([head.as_slice(), &bare.as_bytes()[1..]].concat(), translated, "the head and the translation differ");
            }
            translation(given, endpoint, &translated, bare.len());
            adjustments.iter().for_each(|adjustment| sentence(adjustment, MAX_ADJUSTMENT));
            assert!(adjustments.len() <= MAX_ADJUSTMENTS, "{} adjustments", adjustments.len());
        }
        Err(Failed { message, param, code, .. }) => {
            sentence(&message, MAX_COMPLAINT);
            [param, code].iter().flatten().for_each(|word| sentence(word, MAX_COMPLAINT));
        }
    }
}

fn translation(given: &Given, endpoint: Endpoint, translated: &[u8], from: usize) {
    assert!(translated.len() <= GROWTH * from + ADDED, "{from} bytes became {}", translated.len());
    serde_json::from_slice::<&serde_json::value::RawValue>(translated).expect("JSON");
    let text = core::str::from_utf8(translated).expect("UTF-8");
    let members = Members::read(text).expect("an object");
    // Whoever reads the first and whoever reads the last have to agree. What nobody documents passes
    // to those who speak OpenAI's protocol, and is theirs to judge.
    let is_known = |name: &str| match endpoint {
        Endpoint::Chat => given.protocol.wire != "openai" || Fields::documented().any(|documented| documented == name),
        Endpoint::Embeddings => matches!(name, "model" | "input"),
    };
    let mut names: Vec<&str> = members.iter().map(|member| member.name.as_ref()).filter(|name| is_known(name)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a member stands twice: {text}");
}

/// Something that is printed in an answer.
fn sentence(text: &str, most: usize) {
    assert!(!text.is_empty() && text.len() <= most && !text.contains(char::is_control), "{text:?}");
}
