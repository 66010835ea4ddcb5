//! Messages become contents (<https://ai.google.dev/api/caching#Content>).
//!
//! OpenAI's roles fold into two: instructions move to the system instruction, neighbours of one role
//! become one content. What tools returned is the user's too, but a content of its own: Google counts
//! the results there against the calls before them.

use core::ops::Range;
use std::borrow::Cow;

use hashbrown::HashMap;

use super::Service;
use super::generation::Generation;
use super::part;
use super::tools;
use crate::openai::members::decode;
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::request::Messages;

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    System,
    User,
    Model,
    /// What tools returned.
    Result,
}

/// The contents written so far, and what was seen on the way.
pub(super) struct Conversation<'a> {
    /// The body being written; contents are appended.
    pub out: Vec<u8>,
    /// Parts of the system instruction, separated by commas.
    pub system: Vec<u8>,
    /// What was changed.
    pub adjustments: Adjustments,
    /// Where it goes.
    pub service: Service,
    /// The model's.
    pub generation: Generation,
    /// Names of the functions called, as written, and where the calls stand, by the id of the call.
    calls: HashMap<Cow<'a, str>, (&'a str, usize)>,
    content: Option<Place>,
    /// Where the parts of the content begin.
    begin: usize,
    /// The results in the content: where the call stands, and where they do.
    results: Vec<(usize, Range<usize>)>,
    /// Whether the content has a call: the first one carries the signature of its step.
    called: bool,
    moved: usize,
}

/// More calls than any message has.
const MAX_CALLS: usize = 4096;

const MESSAGES: Path<'static> = Path::root("messages");

/// Google's own way of sending calls that it has not signed, those of another model or of a client
/// that does not send signatures back
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>).
const UNSIGNED: &str = r#""skip_thought_signature_validator""#;

impl<'a> Conversation<'a> {
    /// Appends `[…]`, the value of `contents`, to `out`.
    pub(super) fn translate(out: Vec<u8>, service: Service, generation: Generation, messages: Messages<'a>) -> Result<Self, Failed> {
        let mut conversation = Self {
            out,
            system: Vec::new(),
            adjustments: Adjustments::default(),
            service,
            generation,
            calls: HashMap::new(),
            content: None,
            begin: 0,
            results: Vec::new(),
            called: false,
            moved: 0,
        };
        conversation.out.push(b'[');
        messages.each(&mut |message, at| conversation.message(message, at))?;
        conversation.finish()?;
        Ok(conversation)
    }

    /// Opens the next part at a place, after a comma or the head of a new content.
    pub(super) fn part(&mut self, place: Place) -> &mut Vec<u8> {
        match place {
            Place::System => {
                if !self.system.is_empty() {
                    self.system.push(b',');
                }
                return &mut self.system;
            }
            place if self.content == Some(place) => self.out.push(b','),
            place => {
                self.order_results();
                if self.content.replace(place).is_some() {
                    self.out.extend_from_slice(b"]},");
                }
                self.called = false;
                let role: &[u8] = if place == Place::Model { b"model" } else { b"user" };
                for piece in [br#"{"role":""#, role, br#"","parts":["#] {
                    self.out.extend_from_slice(piece);
                }
                self.begin = self.out.len();
            }
        }
        &mut self.out
    }

    fn message(&mut self, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let role = message.text("role").ok_or_else(|| at.member("role").missing("a string"))?;
        match role.as_ref() {
            "system" | "developer" => {
                self.moved += usize::from(self.content.is_some());
                self.content(Place::System, message, None, at)?;
                self.others(message, &[]);
            }
            "user" => {
                self.content(Place::User, message, None, at)?;
                self.others(message, &[]);
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
        let signature = signature(message);
        self.content(Place::Model, message, signature, at)?;
        if let Some(refusal) = message.find("refusal") {
            let refusal = inner(refusal).ok_or_else(|| at.member("refusal").expected("a string"))?;
            part::text(self, Place::Model, refusal, None);
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
        let known = if signature.is_some() { &["tool_calls", "refusal", "extra_content"][..] } else { &["tool_calls", "refusal"] };
        self.others(message, known);
        Ok(())
    }

    /// A `functionCall` part (<https://ai.google.dev/api/caching#FunctionCall>).
    fn call(&mut self, call: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let (id, name) = tools::call(self.service, call, at, self.part(Place::Model))?;
        if let Some(id) = id {
            self.calls.insert(id, (name, self.out.len()));
        }
        let first = !core::mem::replace(&mut self.called, true);
        let signature = signature(call).or_else(|| {
            let needed = first && self.generation.wants_signatures();
            needed.then(|| {
                self.adjustments.note("skipped the check of thought signatures that were not sent back");
                UNSIGNED
            })
        });
        if let Some(signature) = signature {
            for piece in [",\"thoughtSignature\":", signature] {
                self.out.extend_from_slice(piece.as_bytes());
            }
        }
        self.out.push(b'}');
        for (name, _) in call.others(&["id", "type", "function", "index", "extra_content"]) {
            self.adjustments.dropped("messages[].tool_calls[].", name);
        }
        Ok(())
    }

    /// A `functionResponse` part (<https://ai.google.dev/api/caching#FunctionResponse>).
    fn result(&mut self, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let id_at = at.member("tool_call_id");
        let id = message.find("tool_call_id").ok_or_else(|| id_at.missing("the id of the call that is answered"))?;
        let decoded = decode(id).ok_or_else(|| id_at.expected("a string"))?;
        let named = || message.find("name").filter(|name| inner(name).is_some_and(|name| !name.is_empty()));
        let called = self.calls.get(&decoded).copied().or_else(|| Some((named()?, usize::MAX)));
        let (name, called) = called.ok_or_else(|| id_at.expected("the id of a call earlier in the conversation"))?;
        let comma = (self.content == Some(Place::Result)).then(|| self.out.len() + 1);
        tools::result(self, id, name, message.find("content"), at.member("content"))?;
        self.results.push((called, comma.unwrap_or(self.begin)..self.out.len()));
        self.others(message, &["tool_call_id", "name"]);
        Ok(())
    }

    /// Brings the results of the content into the order of their calls, by which alone Vertex AI tells apart
    /// those of one function.
    fn order_results(&mut self) {
        let mut results = core::mem::take(&mut self.results);
        if results.is_sorted_by_key(|(call, _)| *call) {
            return;
        }
        results.sort_by_key(|(call, _)| *call);
        let ordered: Vec<&[u8]> = results.iter().filter_map(|(_, place)| self.out.get(place.clone())).collect();
        let ordered = ordered.join(&b',');
        self.out.truncate(self.begin);
        self.out.extend_from_slice(&ordered);
    }

    fn content(&mut self, place: Place, message: &Object<'a>, signature: Option<&str>, at: Path<'_>) -> Result<(), Failed> {
        let content_at = at.member("content");
        let content = message.find("content").unwrap_or(r#""""#);
        if content.starts_with('[') {
            part::parts(self, place, content, content_at)?;
            // It goes by the last part of a text; which of the caller's that was is not known.
            if signature.is_some() {
                part::text(self, place, "", signature);
            }
            return Ok(());
        }
        let text = inner(content).ok_or_else(|| content_at.expected("a string, an array of parts or null"))?;
        part::text(self, place, text, signature);
        Ok(())
    }

    fn others(&mut self, message: &Object<'a>, known: &[&str]) {
        for (name, _) in message.others(&["role", "content"]).filter(|(name, _)| !known.contains(name)) {
            self.adjustments.dropped("messages[].", name);
        }
    }

    fn finish(&mut self) -> Result<(), Failed> {
        if self.moved > 0 {
            self.adjustments.note(format!("moved {} system message(s) from inside the conversation to its beginning", self.moved));
        }
        if self.content.is_none() {
            if self.system.is_empty() {
                return Err(MESSAGES.expected("a message that is not empty"));
            }
            let system = core::mem::take(&mut self.system);
            self.part(Place::User).extend_from_slice(&system);
            self.adjustments.note("sent the system prompt as a user message, since there is no other");
        }
        self.order_results();
        self.out.extend_from_slice(b"]}]");
        Ok(())
    }
}

/// The literal of `extra_content.google.thought_signature`, as Google's own compatibility with OpenAI
/// has it (<https://ai.google.dev/gemini-api/docs/thought-signatures#openai>).
fn signature<'a>(object: &Object<'a>) -> Option<&'a str> {
    let literal = object.object("extra_content")?.object("google")?.find("thought_signature")?;
    inner(literal).is_some_and(|signature| !signature.is_empty()).then_some(literal)
}

#[cfg(test)]
mod tests;
