//! Messages become turns
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html>).
//!
//! OpenAI's roles fold into two that alternate, beginning with the user's: instructions move to the
//! system prompt, what tools returned is the user's, and neighbours of one role become one turn.

use super::family::Family;
use super::part::{self, Marker, Place, cache_control};
use super::{thinking, tools};
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner, is_blank};
use crate::provider::translate::request::Messages;

/// The turns written so far, and what was seen on the way.
pub(super) struct Conversation<'a> {
    /// The body being written; turns are appended.
    pub out: Vec<u8>,
    /// Blocks of the system prompt, separated by commas.
    pub system: Vec<u8>,
    /// What was changed.
    pub adjustments: Adjustments,
    /// Names of the tools called in it, as written, each once.
    pub called: Vec<&'a str>,
    /// How it ends.
    pub ending: Ending,
    /// Whether the assistant's last turn has the signed thinking that came before its calls.
    pub has_thought: bool,
    /// Documents so far.
    pub documents: usize,
    /// Whether the user's turn that is open has a document, and whether it has a text.
    pub has_document: bool,
    pub has_text: bool,
    family: Family,
    turn: Option<Place>,
    /// Whether the assistant's last message calls tools.
    awaits: bool,
    in_result: bool,
    /// A marker inside a result, which holds no cache points of its own.
    after_result: Option<Marker>,
    moved: usize,
}

/// Whose message is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    User,
    Assistant,
    ToolResult,
}

/// More tools than any conversation calls; the list is searched once per call.
const MAX_CALLED: usize = 128;

/// More calls than any turn has.
const MAX_CALLS: usize = 4096;

const MESSAGES: Path<'static> = Path::root("messages");

/// Stands for what a tool returned when that is nothing: Bedrock takes neither an empty text nor no
/// content.
const NO_OUTPUT: &[u8] = br#"{"text":"(no output)"}"#;

/// Stands where Bedrock demands a text and the caller has none.
const PLACEHOLDER: &[u8] = br#"{"text":"."}"#;

/// What a model is told that does not go on with a message of its own.
const GO_ON: &[u8] = br#"{"text":"Continue."}"#;

impl<'a> Conversation<'a> {
    /// Appends `[…]`, the value of `messages`, to `out`.
    pub(super) fn translate(out: Vec<u8>, messages: Messages<'a>, family: Family) -> Result<Self, Failed> {
        let mut conversation = Self {
            out,
            system: Vec::new(),
            adjustments: Adjustments::default(),
            called: Vec::new(),
            ending: Ending::User,
            has_thought: false,
            documents: 0,
            has_document: false,
            has_text: false,
            family,
            turn: None,
            awaits: false,
            in_result: false,
            after_result: None,
            moved: 0,
        };
        conversation.out.push(b'[');
        messages.each(&mut |message, at| conversation.message(message, at))?;
        conversation.finish()?;
        Ok(conversation)
    }

    /// Opens the next block at a place, after a comma or the head of a new turn.
    pub(super) fn block(&mut self, place: Place) -> &mut Vec<u8> {
        match place {
            Place::System => {
                if !self.system.is_empty() {
                    self.system.push(b',');
                }
                return &mut self.system;
            }
            Place::Result if !core::mem::replace(&mut self.in_result, true) => {}
            Place::User | Place::Assistant if self.turn != Some(place) => self.open(place),
            Place::Result | Place::User | Place::Assistant => self.out.push(b','),
        }
        &mut self.out
    }

    /// Appends a cache point behind the last block of a place.
    pub(super) fn cache_point(&mut self, place: Place, marker: Marker) {
        if !self.family.caches() {
            return self.adjustments.dropped("messages[].", "cache_control");
        }
        match place {
            Place::Result => self.after_result = Some(marker),
            Place::System | Place::User | Place::Assistant => {
                let marker = self.lasting(marker);
                part::cache_point(marker, self.block(place));
            }
        }
    }

    /// Only Claude is told for how long.
    fn lasting(&mut self, marker: Marker) -> Marker {
        if self.family.is_claude() || marker == Marker::Default {
            return marker;
        }
        self.adjustments.dropped("cache_control.", "ttl");
        Marker::Default
    }

    fn open(&mut self, place: Place) {
        if self.turn.is_none() && place == Place::Assistant {
            self.block(Place::User).extend_from_slice(PLACEHOLDER);
            self.adjustments.note("began the conversation with a user message, as the provider demands");
        }
        self.close();
        self.turn = Some(place);
        let role: &[u8] = if place == Place::User { b"user" } else { b"assistant" };
        for part in [br#"{"role":""#, role, br#"","content":["#] {
            self.out.extend_from_slice(part);
        }
    }

    fn close(&mut self) {
        let lacks_text = core::mem::take(&mut self.has_document) && !core::mem::take(&mut self.has_text);
        self.has_text = false;
        if self.turn.is_none() {
            return;
        }
        if lacks_text {
            self.out.push(b',');
            self.out.extend_from_slice(PLACEHOLDER);
            self.adjustments.note("added a text beside a document, as the provider demands");
        }
        self.out.extend_from_slice(b"]},");
    }

    fn message(&mut self, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let role = message.text("role").ok_or_else(|| at.member("role").missing("a string"))?;
        match role.as_ref() {
            "system" | "developer" => {
                self.moved += usize::from(self.turn.is_some());
                self.content(Place::System, message, at)?;
                self.others(message, &[]);
            }
            "user" => {
                self.content(Place::User, message, at)?;
                self.others(message, &[]);
                self.ending = Ending::User;
            }
            "assistant" => self.assistant(message, at)?,
            "tool" => self.result(message, at)?,
            "function" => {
                return Err(at.member("role").unsupported("function messages are not supported by this model's provider; use tools"));
            }
            _ => return Err(at.member("role").expected("one of developer, system, user, assistant, tool")),
        }
        Ok(())
    }

    fn assistant(&mut self, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        // Signed thinking stands at the beginning of its turn or is refused.
        let first = self.turn != Some(Place::Assistant);
        self.awaits = false;
        let thought = match message.find("thinking_blocks").filter(|_| first && self.family.is_claude()) {
            Some(blocks) => thinking::blocks(self, blocks, at.member("thinking_blocks"))?,
            None => false,
        };
        if first {
            self.has_thought = thought;
        }
        self.content(Place::Assistant, message, at)?;
        if let Some(refusal) = message.find("refusal") {
            let refusal = inner(refusal).ok_or_else(|| at.member("refusal").expected("a string"))?;
            part::text(self, Place::Assistant, refusal);
        }
        if message.find("function_call").is_some() {
            return Err(at.member("function_call").unsupported("not supported by this model's provider; use tool_calls"));
        }
        if let Some(calls) = message.find("tool_calls") {
            let calls_at = at.member("tool_calls");
            elements(calls, MAX_CALLS, |index, call: Object<'a>| self.call(&call, calls_at.index(index))).map_err(|halt| match halt {
                Halt::NotAnArray => calls_at.expected("an array"),
                Halt::Element(index) => calls_at.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
        }
        // The reasoning's text goes back with its signature.
        let known: &[&str] =
            if thought { &["tool_calls", "refusal", "thinking_blocks", "reasoning_content"] } else { &["tool_calls", "refusal"] };
        self.others(message, known);
        self.ending = Ending::Assistant;
        Ok(())
    }

    fn call(&mut self, call: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let name = tools::call(call, at, self.block(Place::Assistant))?;
        self.awaits = true;
        if self.called.len() < MAX_CALLED && !self.called.contains(&name) {
            self.called.push(name);
        }
        for (name, _) in call.others(&["id", "type", "function", "index"]) {
            self.adjustments.dropped("messages[].tool_calls[].", name);
        }
        Ok(())
    }

    /// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultBlock.html>.
    fn result(&mut self, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let id_at = at.member("tool_call_id");
        let id = message.find("tool_call_id").ok_or_else(|| id_at.missing("the id of the call that is answered"))?;
        let out = self.block(Place::User);
        out.extend_from_slice(br#"{"toolResult":{"toolUseId":"#);
        tools::id(id, id_at, out)?;
        self.out.extend_from_slice(br#","content":["#);
        let content_at = at.member("content");
        self.in_result = false;
        match message.find("content") {
            None => {}
            Some(content) if content.starts_with('[') => part::parts(self, Place::Result, content, content_at)?,
            Some(content) => {
                let text = inner(content).ok_or_else(|| content_at.expected("a string or an array of parts"))?;
                part::text(self, Place::Result, text);
            }
        }
        if !self.in_result {
            self.out.extend_from_slice(NO_OUTPUT);
            self.adjustments.note("wrote \"(no output)\" for an empty result of a tool");
        }
        self.out.extend_from_slice(b"]}}");
        let inside = self.after_result.take();
        if let Some(marker) = cache_control(message, at)?.or(inside) {
            self.cache_point(Place::User, marker);
        }
        self.others(message, &["tool_call_id"]);
        self.ending = Ending::ToolResult;
        Ok(())
    }

    fn content(&mut self, place: Place, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let content_at = at.member("content");
        let marker = cache_control(message, at)?;
        let written = match message.find("content") {
            None => false,
            Some(content) if content.starts_with('[') => {
                let before = self.out.len() + self.system.len();
                part::parts(self, place, content, content_at)?;
                self.out.len() + self.system.len() > before
            }
            Some(content) => {
                let text = inner(content).ok_or_else(|| content_at.expected("a string, an array of parts or null"))?;
                part::text(self, place, text)
            }
        };
        if let Some(marker) = marker.filter(|_| written) {
            self.cache_point(place, marker);
        }
        Ok(())
    }

    fn others(&mut self, message: &Object<'a>, known: &[&str]) {
        for (name, _) in message.others(&["role", "content", "cache_control"]).filter(|(name, _)| !known.contains(name)) {
            self.adjustments.dropped("messages[].", name);
        }
    }

    fn finish(&mut self) -> Result<(), Failed> {
        if self.moved > 0 {
            self.adjustments.note(format!("moved {} system message(s) from inside the conversation to its beginning", self.moved));
        }
        if self.turn.is_none() {
            if self.system.is_empty() {
                return Err(MESSAGES.expected("a message that is not empty"));
            }
            let system = core::mem::take(&mut self.system);
            self.block(Place::User).extend_from_slice(&system);
            self.adjustments.note("sent the system prompt as a user message, since there is no other");
        }
        if self.turn == Some(Place::Assistant) && !self.awaits && !self.family.continues() {
            self.block(Place::User).extend_from_slice(GO_ON);
            self.adjustments.note("asked the model to continue, which it does not by itself");
        }
        self.close();
        // The comma that the next turn would have had before it.
        self.out.pop();
        self.out.push(b']');
        Ok(())
    }
}

/// Whether a text says anything to Bedrock.
pub(super) fn says_nothing(literal: &str) -> bool {
    inner(literal).is_none_or(is_blank)
}

#[cfg(test)]
mod tests;
