//! Messages become turns
//! (<https://platform.claude.com/docs/en/build-with-claude/working-with-messages>).
//!
//! OpenAI's roles fold into two that alternate: instructions move to the system prompt, what tools
//! returned is the user's, and neighbours of one role become one turn. Contents are always written
//! as arrays of blocks, for which a string is only the short form.
//!
//! The API wants what tools returned before anything else that the user says, a first turn of the
//! user's, and of newer models a last one. That every call was answered is left to it to say: OpenAI
//! refuses such a conversation as well.

use core::ops::Range;

use super::part::{self, Place, cache_control};
use super::said::Said;
use super::{thinking, tools};
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Object, inner, is_blank};
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
    /// Whether the last turn of the assistant's begins with what it thought.
    pub thought: bool,
    /// Where the last text of the assistant's ends in `out`, if its block does right behind it.
    pub(super) tail: usize,
    turn: Option<Place>,
    /// Whether the turn has no block yet.
    first: bool,
    /// Whether the assistant's last turn has calls, so that their results come first in the user's.
    awaits: bool,
    /// What the user says besides, behind the results.
    late: Vec<u8>,
    /// What the assistant thought before the block that comes next: the API refuses it at the end.
    pending: Vec<u8>,
    /// Where in `out` the assistant's turn has what it thought, each with the comma behind it.
    thoughts: Vec<Range<usize>>,
    in_result: bool,
    moved: usize,
}

/// Whose turn is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    User,
    Assistant,
    /// The user's, with what tools returned.
    ToolResult,
}

/// More tools than any conversation calls; the list is searched once per call.
const MAX_CALLED: usize = 128;

/// Stands where the API wants the user to say something and the caller has nothing.
const NOTHING: &[u8] = br#"{"type":"text","text":"."}"#;

/// What a model is told that does not go on with a message of its own.
const GO_ON: &[u8] = br#"{"type":"text","text":"Continue."}"#;

const MESSAGES: Path<'static> = Path::root("messages");

impl<'a> Conversation<'a> {
    /// Appends `[…]`, the value of `messages`, to `out`. `continues` says whether the model goes on with
    /// a last message of the assistant's.
    pub(super) fn translate(out: Vec<u8>, messages: Messages<'a>, continues: bool) -> Result<Self, Failed> {
        let mut conversation = Self {
            out,
            system: Vec::new(),
            adjustments: Adjustments::default(),
            called: Vec::new(),
            ending: Ending::User,
            thought: false,
            tail: 0,
            turn: None,
            first: true,
            awaits: false,
            late: Vec::new(),
            pending: Vec::new(),
            thoughts: Vec::new(),
            in_result: false,
            moved: 0,
        };
        conversation.out.push(b'[');
        messages.each(&mut |message, at| conversation.message(message, at))?;
        conversation.finish(continues)?;
        Ok(conversation)
    }

    /// Opens the next block at a place, after a comma or the head of a new turn.
    pub(super) fn block(&mut self, place: Place) -> &mut Vec<u8> {
        let (out, comma) = match place {
            Place::System => {
                let comma = !self.system.is_empty();
                (&mut self.system, comma)
            }
            Place::Result => {
                let comma = core::mem::replace(&mut self.in_result, true);
                (&mut self.out, comma)
            }
            Place::User if self.awaits => {
                self.enter(Place::User);
                let comma = !self.late.is_empty();
                (&mut self.late, comma)
            }
            Place::User => {
                self.enter(place);
                let comma = !core::mem::replace(&mut self.first, false);
                (&mut self.out, comma)
            }
            Place::Assistant => {
                self.enter(place);
                let mut comma = !core::mem::replace(&mut self.first, false);
                if !self.pending.is_empty() {
                    self.thought |= !comma;
                    if core::mem::replace(&mut comma, true) {
                        self.out.push(b',');
                    }
                    let begin = self.out.len();
                    self.out.append(&mut self.pending);
                    self.thoughts.push(begin..self.out.len() + 1);
                }
                (&mut self.out, comma)
            }
        };
        if comma {
            out.push(b',');
        }
        out
    }

    /// Opens a `tool_result`, before anything else in a turn of the user's.
    fn result_block(&mut self) -> &mut Vec<u8> {
        self.enter(Place::User);
        if !core::mem::replace(&mut self.first, false) {
            self.out.push(b',');
        }
        &mut self.out
    }

    /// Begins a turn, unless it is under way.
    fn enter(&mut self, place: Place) {
        if self.turn == Some(place) {
            return;
        }
        match self.turn {
            Some(_) => self.leave(b"]},"),
            None if place == Place::Assistant => {
                self.adjustments.note("put a message of the user's before the first of the assistant's");
                for piece in [br#"{"role":"user","content":["#, NOTHING, b"]},"] {
                    self.out.extend_from_slice(piece);
                }
            }
            None => {}
        }
        let role: &[u8] = if place == Place::User { b"user" } else { b"assistant" };
        for piece in [br#"{"role":""#, role, br#"","content":["#] {
            self.out.extend_from_slice(piece);
        }
        self.turn = Some(place);
        self.first = true;
        if place == Place::Assistant {
            (self.awaits, self.thought) = (false, false);
            self.thoughts.clear();
        }
    }

    /// Ends the turn under way.
    fn leave(&mut self, end: &[u8]) {
        if !self.late.is_empty() {
            if !self.first {
                self.out.push(b',');
            }
            self.out.append(&mut self.late);
        }
        self.out.extend_from_slice(end);
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
                // Behind results it is the same turn.
                if self.ending != Ending::ToolResult {
                    self.ending = Ending::User;
                }
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
        let thoughts = message.find("thinking_blocks").and_then(thinking::read);
        if message.find("function_call").is_some() {
            return Err(at.member("function_call").unsupported("not supported by this model's provider; use tool_calls"));
        }
        let mut said = Said::read(message, at)?;
        for (after, block) in thoughts.iter().flatten() {
            said.until(self, after, at)?;
            if !self.pending.is_empty() {
                self.pending.push(b',');
            }
            self.pending.extend_from_slice(block);
        }
        said.rest(self, message, at)?;
        if !core::mem::take(&mut self.pending).is_empty() {
            self.adjustments.note("dropped what the assistant thought last, since nothing follows it");
        }
        let known: &[&str] = match thoughts.as_deref() {
            None => &["tool_calls", "refusal"],
            Some([]) => &["tool_calls", "refusal", "thinking_blocks"],
            // The blocks say the same.
            Some(_) => &["tool_calls", "refusal", "thinking_blocks", "reasoning_content"],
        };
        self.others(message, known);
        self.ending = Ending::Assistant;
        Ok(())
    }

    pub(super) fn call(&mut self, call: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let name = tools::call(call, at, self.block(Place::Assistant))?;
        self.awaits = true;
        if self.called.len() < MAX_CALLED && !self.called.contains(&name) {
            self.called.push(name);
        }
        Ok(())
    }

    /// A `tool_result` block
    /// (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls>).
    fn result(&mut self, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let id_at = at.member("tool_call_id");
        let id = message.find("tool_call_id").ok_or_else(|| id_at.missing("the id of the call that is answered"))?;
        let out = self.result_block();
        out.extend_from_slice(br#"{"type":"tool_result","tool_use_id":"#);
        tools::id(id, id_at, out)?;
        let content_at = at.member("content");
        match message.find("content") {
            None => {}
            Some(content) if content.starts_with('[') => {
                let before = self.out.len();
                self.out.extend_from_slice(br#","content":["#);
                self.in_result = false;
                part::parts(self, Place::Result, content, content_at)?;
                match self.in_result {
                    true => self.out.push(b']'),
                    false => self.out.truncate(before),
                }
            }
            Some(content) => {
                let text = inner(content).ok_or_else(|| content_at.expected("a string or an array of parts"))?;
                if !is_blank(text) {
                    self.out.extend_from_slice(br#","content":"#);
                    self.out.extend_from_slice(content.as_bytes());
                }
            }
        }
        cache_control(message, at, &mut self.out)?;
        self.out.push(b'}');
        self.others(message, &["tool_call_id"]);
        self.ending = Ending::ToolResult;
        Ok(())
    }

    pub(super) fn content(&mut self, place: Place, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let content_at = at.member("content");
        match message.find("content") {
            None => Ok(()),
            Some(content) if content.starts_with('[') => part::parts(self, place, content, content_at),
            Some(content) => {
                let text = inner(content).ok_or_else(|| content_at.expected("a string, an array of parts or null"))?;
                let mut marker = Vec::new();
                cache_control(message, at, &mut marker)?;
                part::text(self, place, text, Some(&marker));
                Ok(())
            }
        }
    }

    fn others(&mut self, message: &Object<'a>, known: &[&str]) {
        for (name, _) in message.others(&["role", "content", "cache_control"]).filter(|(name, _)| !known.contains(name)) {
            self.adjustments.dropped("messages[].", name);
        }
    }

    /// Takes what was thought out of the last turn, which has it only while the model thinks.
    fn forget(&mut self) {
        self.thought = false;
        if !self.thoughts.is_empty() {
            self.adjustments.note("dropped messages[].thinking_blocks of the last message");
        }
        while let Some(range) = self.thoughts.pop() {
            self.tail = self.tail.saturating_sub(range.len());
            self.out.drain(range);
        }
    }

    fn finish(&mut self, continues: bool) -> Result<(), Failed> {
        if self.moved > 0 {
            self.adjustments.note(format!("moved {} system message(s) from inside the conversation to its beginning", self.moved));
        }
        match self.turn {
            None if self.system.is_empty() => return Err(MESSAGES.expected("a message that is not empty")),
            None => {
                let system = core::mem::take(&mut self.system);
                self.block(Place::User).extend_from_slice(&system);
                self.adjustments.note("sent the system prompt as a user message, since there is no other");
            }
            Some(Place::Assistant) if self.awaits => {}
            Some(Place::Assistant) if continues => {
                self.forget();
                if self.tail + TEXT_END.len() == self.out.len() && trim(&mut self.out, self.tail) {
                    self.out.extend_from_slice(TEXT_END);
                    self.adjustments.note("trimmed the last message");
                }
            }
            Some(Place::Assistant) => {
                self.block(Place::User).extend_from_slice(GO_ON);
                self.adjustments.note("asked the model to continue, which it does not by itself");
            }
            Some(_) => {}
        }
        self.leave(b"]}]");
        Ok(())
    }
}

/// What stands behind the text of a block that has no marker.
const TEXT_END: &[u8] = br#""}"#;

/// Cuts a body behind the text that ends here, less the white space at its end, which the API refuses in
/// a last message of the assistant's. Returns whether there was any.
fn trim(out: &mut Vec<u8>, tail: usize) -> bool {
    let mut end = tail;
    while let Some((text, last)) = out.get(..end).and_then(|text| text.split_last().map(|(last, rest)| (rest, *last))) {
        let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\').count();
        end -= match last {
            b' ' => 1,
            b'n' | b'r' | b't' if backslashes % 2 == 1 => 2,
            _ => break,
        };
    }
    if end < tail {
        out.truncate(end);
    }
    end < tail
}

#[cfg(test)]
mod tests;
