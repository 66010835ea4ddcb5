//! The `chat.completion.chunk` events: role, content or argument fragments, finish reason, usage, `[DONE]`.

use bytes::Bytes;
use serde::Serialize;

use super::response::{self, Logprobs, Usage};
use crate::completion::{Ask, Completion, Content};
use crate::identity::Identity;
use crate::protocol::{Event, Part};

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    choices: Vec<Choice<'a>>,
    /// Absent unless usage was asked for; then null in every chunk but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<Logprobs<'a>>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// `Some(None)` is a null, which a role chunk has when tool calls follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Option<()>>,
}

#[derive(Serialize)]
struct Call<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// Writes all events.
pub(super) fn write(ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
    let id = response::id(identity);
    let mut written = Writer {
        ask,
        id: &id,
        created: identity.created,
        wants_usage: ask.include_usage && completion.usage.is_some(),
        events: Vec::new(),
    };
    for index in 0..ask.choices {
        let content = matches!(completion.content, Content::Text(_)).then_some("");
        let delta = Delta { role: Some("assistant"), content: Some(content), refusal: Some(None), ..Delta::default() };
        written.choice(Part::Preamble, Choice { index, delta, logprobs: None, finish_reason: None });
    }
    match &completion.content {
        Content::Text(pieces) => {
            for piece in pieces {
                for index in 0..ask.choices {
                    let delta = Delta { content: Some(Some(piece)), ..Delta::default() };
                    let logprobs = ask.logprobs.then(|| response::logprobs_of(std::slice::from_ref(piece)));
                    written.choice(Part::Content, Choice { index, delta, logprobs, finish_reason: None });
                }
            }
        }
        Content::Calls(calls) => {
            for choice in 0..ask.choices {
                for (index, call) in calls.iter().enumerate() {
                    let function = Function { name: Some(&call.name), arguments: "" };
                    let id = Some(response::call_id(identity, choice, index));
                    written.call(choice, Call { index, id, r#type: Some("function"), function });
                    for piece in &call.pieces {
                        let function = Function { name: None, arguments: piece };
                        written.call(choice, Call { index, id: None, r#type: None, function });
                    }
                }
            }
        }
    }
    let finish_reason = Some(response::finish_reason(&completion.ending));
    for index in 0..ask.choices {
        written.choice(Part::Closing, Choice { index, delta: Delta::default(), logprobs: None, finish_reason });
    }
    if let Some(usage) = completion.usage.filter(|_| ask.include_usage) {
        written.chunk(Part::Closing, Vec::new(), Some(response::usage(usage)));
    }
    written.events.push(Event { part: Part::Closing, bytes: Bytes::from_static(b"data: [DONE]\n\n") });
    written.events
}

/// One SSE event as the provider frames it.
pub(super) fn event(data: &impl Serialize) -> Bytes {
    let mut bytes = b"data: ".to_vec();
    bytes.extend(serde_json::to_vec(data).unwrap_or_default());
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

struct Writer<'a> {
    ask: &'a Ask,
    id: &'a str,
    created: u64,
    wants_usage: bool,
    events: Vec<Event>,
}

impl Writer<'_> {
    fn chunk(&mut self, part: Part, choices: Vec<Choice<'_>>, usage: Option<Usage>) {
        let chunk = Chunk {
            id: self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.ask.model,
            service_tier: response::TIER,
            system_fingerprint: response::FINGERPRINT,
            choices,
            usage: self.wants_usage.then_some(usage),
        };
        self.events.push(Event { part, bytes: event(&chunk) });
    }

    fn choice(&mut self, part: Part, choice: Choice<'_>) {
        self.chunk(part, vec![choice], None);
    }

    fn call(&mut self, choice: usize, call: Call<'_>) {
        let delta = Delta { tool_calls: Some([call]), ..Delta::default() };
        self.choice(Part::Content, Choice { index: choice, delta, logprobs: None, finish_reason: None });
    }
}
