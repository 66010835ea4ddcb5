//! The events of ConverseStream: `messageStart`, blocks with their deltas (a text block has no start), `messageStop`, and the figures
//! in `metadata`.

use serde_json::{Value, json};

use super::{frame, response};
use crate::completion::{Ask, Completion, Content};
use crate::identity::Identity;
use crate::protocol::{Event, Part};

/// Writes all events.
pub(super) fn write(ask: &Ask, completion: &Completion, identity: &Identity) -> Vec<Event> {
    let mut events = Events::default();
    events.push(Part::Preamble, "messageStart", json!({"role": "assistant"}));
    if ask.thinking {
        let deltas = [json!({"text": response::THOUGHT}), json!({"signature": response::SIGNATURE})];
        events.block(None, deltas.into_iter().map(|delta| json!({"reasoningContent": delta})));
    }
    match &completion.content {
        Content::Text(pieces) if pieces.is_empty() => {}
        Content::Text(pieces) => events.block(None, pieces.iter().map(|text| json!({"text": text}))),
        Content::Calls(calls) => {
            for (index, call) in calls.iter().enumerate() {
                let start = json!({"toolUse": {"toolUseId": response::call_id(identity, index), "name": call.name}});
                // The provider opens every argument stream with an empty fragment.
                let fragments = std::iter::once("").chain(call.pieces.iter().map(String::as_str));
                events.block(Some(start), fragments.map(|input| json!({"toolUse": {"input": input}})));
            }
        }
    }
    events.push(Part::Closing, "messageStop", json!({"stopReason": response::stop_reason(&completion.ending)}));
    if let Some(usage) = completion.usage {
        let metadata = json!({"usage": response::usage(usage), "metrics": {"latencyMs": response::LATENCY}});
        events.push(Part::Closing, "metadata", metadata);
    }
    events.all
}

#[derive(Default)]
struct Events {
    all: Vec<Event>,
    blocks: usize,
}

impl Events {
    fn block(&mut self, start: Option<Value>, deltas: impl Iterator<Item = Value>) {
        let index = self.blocks;
        if let Some(start) = start {
            self.push(Part::Framing, "contentBlockStart", json!({"start": start, "contentBlockIndex": index}));
        }
        for delta in deltas {
            self.push(Part::Content, "contentBlockDelta", json!({"delta": delta, "contentBlockIndex": index}));
        }
        self.push(Part::Framing, "contentBlockStop", json!({"contentBlockIndex": index}));
        self.blocks += 1;
    }

    /// With the padding that the provider adds against guessing from lengths.
    fn push(&mut self, part: Part, name: &str, mut payload: Value) {
        const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        payload["p"] = PADDING[..1 + self.all.len() * 7 % (PADDING.len() - 1)].into();
        self.all.push(Event { part, bytes: frame::event(name, payload.to_string().as_bytes()) });
    }
}
