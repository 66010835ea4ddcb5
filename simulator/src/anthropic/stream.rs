//! The events of a message stream: `message_start`, blocks with their deltas, a ping, `message_delta`, `message_stop`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::response::{self, Block, Message, Usage};
use super::thought;
use crate::completion::{Ask, Completion, Content};
use crate::identity::Identity;
use crate::protocol::{Event, Part};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Data<'a> {
    MessageStart {
        message: Message<'a>,
    },
    ContentBlockStart {
        index: usize,
        content_block: Block,
    },
    Ping,
    ContentBlockDelta {
        index: usize,
        delta: Delta<'a>,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        delta: Ending<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
    MessageStop,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
}

#[derive(Serialize)]
struct Ending<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
}

/// Writes all events.
pub(super) fn write(ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
    let mut events = Events(Vec::new());
    events.push(Part::Preamble, &Data::MessageStart { message: response::empty(ask, completion, identity) });
    let mut blocks = 0;
    if ask.thinking {
        let block = Block::Thinking { thinking: String::new(), signature: String::new() };
        let thinking = thought::of(ask);
        let signature = thought::sign(&thinking);
        let shown = (!ask.silent).then_some(Delta::Thinking { thinking: &thinking });
        events.block(&mut blocks, block, shown.into_iter().chain([Delta::Signature { signature: &signature }]));
    }
    match &completion.content {
        Content::Text(pieces) if pieces.is_empty() => {}
        Content::Text(pieces) => {
            let deltas = pieces.iter().map(|text| Delta::Text { text });
            events.block(&mut blocks, Block::Text { text: String::new() }, deltas);
        }
        Content::Calls(calls) => {
            for (index, call) in calls.iter().enumerate() {
                let id = response::call_id(identity, index);
                let input = Value::Object(Map::new());
                let block = Block::ToolUse { id, name: call.name.clone(), input };
                // The provider opens every argument stream with an empty fragment.
                let fragments = std::iter::once("").chain(call.pieces.iter().map(String::as_str));
                let deltas = fragments.map(|partial_json| Delta::InputJson { partial_json });
                events.block(&mut blocks, block, deltas);
            }
        }
    }
    let (stop_reason, stop_sequence) = response::ending(&completion.ending);
    let usage = completion.usage.map(response::cumulative);
    events.push(Part::Closing, &Data::MessageDelta { delta: Ending { stop_reason, stop_sequence }, usage });
    events.push(Part::Closing, &Data::MessageStop);
    events.0
}

struct Events(Vec<Event>);

impl Events {
    fn block<'a>(&mut self, blocks: &mut usize, content_block: Block, deltas: impl Iterator<Item = Delta<'a>>) {
        let index = *blocks;
        self.push(Part::Framing, &Data::ContentBlockStart { index, content_block });
        if index == 0 {
            self.push(Part::Framing, &Data::Ping);
        }
        for delta in deltas {
            self.push(Part::Content, &Data::ContentBlockDelta { index, delta });
        }
        self.push(Part::Framing, &Data::ContentBlockStop { index });
        *blocks += 1;
    }

    fn push(&mut self, part: Part, data: &Data<'_>) {
        let name = match data {
            Data::MessageStart { .. } => "message_start",
            Data::ContentBlockStart { .. } => "content_block_start",
            Data::Ping => "ping",
            Data::ContentBlockDelta { .. } => "content_block_delta",
            Data::ContentBlockStop { .. } => "content_block_stop",
            Data::MessageDelta { .. } => "message_delta",
            Data::MessageStop => "message_stop",
        };
        self.0.push(Event { part, bytes: event(name, data) });
    }
}

/// One SSE event as the provider frames it.
pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut bytes = format!("event: {name}\ndata: ").into_bytes();
    bytes.extend(serde_json::to_vec(data).unwrap_or_default());
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}
