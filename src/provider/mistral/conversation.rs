//! Messages in the order Mistral wants them (<https://docs.mistral.ai/capabilities/completion/>): the
//! roles and contents are OpenAI's, but instructions stand first or follow the user, a result is
//! followed by the assistant, and the last word is the user's or a tool's.

use super::{id, part, tools};
use crate::provider::Failed;
use crate::provider::translate::json::{Halt, Object, elements_of_request, inner};
use crate::provider::translate::request::Messages;
use crate::provider::translate::{Adjustments, Path};

/// The messages written so far.
pub(super) struct Conversation {
    /// The body being written; messages are appended.
    pub out: Vec<u8>,
    /// What was changed.
    pub adjustments: Adjustments,
    /// Whether the model has thoughts in its contents.
    thinks: bool,
    /// Where the instructions end that stand first.
    begin: usize,
    /// Instructions that go there, each with a comma behind it.
    moved: Vec<u8>,
    /// The last message that was written.
    last: Option<Last>,
}

#[derive(Clone, Copy)]
struct Last {
    role: Role,
    /// Where the name of its role stands.
    role_at: usize,
    /// Whether its sender waits for results of calls.
    calls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    System,
    User,
    Assistant,
    Tool,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// More parts than any message has.
const MAX_PARTS: usize = 65_536;

const MESSAGES: Path<'static> = Path::root("messages");

impl Conversation {
    /// Appends `[…]`, the value of `messages`, to `out`.
    pub(super) fn translate(mut out: Vec<u8>, messages: Messages<'_>, thinks: bool) -> Result<Self, Failed> {
        out.push(b'[');
        let begin = out.len();
        let mut to = Self { out, adjustments: Adjustments::default(), thinks, begin, moved: Vec::new(), last: None };
        messages.each(&mut |message, at| to.message(message, at))?;
        to.finish()?;
        Ok(to)
    }

    fn message(&mut self, message: &Object<'_>, at: Path<'_>) -> Result<(), Failed> {
        let role = match message.text("role").ok_or_else(|| at.member("role").missing("a string"))?.as_ref() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            "function" => {
                return Err(at.member("role").unsupported("function messages are not supported by this model's provider; use tools"));
            }
            _ => return Err(at.member("role").expected("one of developer, system, user, assistant, tool")),
        };
        let known: &[&str] = match role {
            Role::Assistant => &["role", "content", "refusal", "tool_calls", "reasoning_content", "prefix"],
            Role::Tool => &["role", "content", "tool_call_id", "name"],
            Role::System | Role::User => &["role", "content"],
        };
        for (name, _) in message.others(known) {
            self.adjustments.dropped("messages[].", name);
        }
        let before = self.out.len();
        let previous = self.last.map(|last| last.role);
        if role == Role::User && previous == Some(Role::Tool) {
            self.out.extend_from_slice(br#",{"role":"assistant","content":"OK"}"#);
        }
        if previous.is_some() {
            self.out.push(b',');
        }
        let start = self.out.len();
        self.out.extend_from_slice(br#"{"role":""#);
        let role_at = self.out.len();
        self.out.extend_from_slice(role.name().as_bytes());
        self.out.push(b'"');
        let mut calls = false;
        let said = match role {
            Role::Assistant => self.assistant(message, at, &mut calls)?,
            Role::Tool => self.result(message, at)?,
            Role::System | Role::User => self.content(message, role, &[], at)?,
        };
        if !said {
            self.out.truncate(before);
            return Ok(());
        }
        self.out.push(b'}');
        if start > before + 1 {
            self.adjustments.note("put an assistant message between a tool's result and a user message");
        }
        if role == Role::System && matches!(previous, Some(Role::Assistant | Role::Tool)) {
            self.moved.extend_from_slice(self.out.get(start..).unwrap_or_default());
            self.moved.push(b',');
            self.out.truncate(before);
            return Ok(());
        }
        if role == Role::System && self.begin == before {
            self.begin = self.out.len();
        }
        self.last = Some(Last { role, role_at, calls });
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failed> {
        let Some(last) = self.last else { return Err(MESSAGES.expected("a message that is not empty")) };
        match last.role {
            Role::System => {
                self.out.splice(last.role_at..last.role_at + Role::System.name().len(), *b"user");
                self.adjustments.note("sent the last system message as a user message, since none follows");
            }
            Role::Assistant if !last.calls => {
                self.out.pop();
                self.out.extend_from_slice(br#","prefix":true}"#);
                self.adjustments.note("prefix set on the last assistant message");
            }
            Role::Assistant | Role::User | Role::Tool => {}
        }
        if !self.moved.is_empty() {
            let (moved, mut begin) = (core::mem::take(&mut self.moved), self.begin);
            if self.out.get(begin) == Some(&b',') {
                begin += 1;
            }
            self.out.splice(begin..begin, moved);
            self.adjustments.note("moved system messages from inside the conversation to its beginning");
        }
        self.out.push(b']');
        Ok(())
    }

    fn assistant(&mut self, message: &Object<'_>, at: Path<'_>, has_calls: &mut bool) -> Result<bool, Failed> {
        if message.find("function_call").is_some() {
            return Err(at.member("function_call").unsupported("not supported by this model's provider; use tool_calls"));
        }
        let mut lead = Vec::new();
        if let Some(thoughts) = message.find("reasoning_content") {
            let text = inner(thoughts).ok_or_else(|| at.member("reasoning_content").expected("a string"))?;
            match (self.thinks, text.is_empty()) {
                (_, true) => {}
                (true, false) => lead.push([r#"{"type":"thinking","thinking":[{"type":"text","text":"#, thoughts, "}]}"].concat()),
                (false, false) => self.adjustments.dropped("messages[].", "reasoning_content"),
            }
        }
        if let Some(refusal) = message.find("refusal") {
            let text = inner(refusal).ok_or_else(|| at.member("refusal").expected("a string"))?;
            if !text.is_empty() {
                lead.push([r#"{"type":"text","text":"#, refusal, "}"].concat());
            }
        }
        let spoken = self.content(message, Role::Assistant, &lead, at)?;
        let Some(calls) = message.find("tool_calls").filter(|calls| *calls != "[]") else { return Ok(spoken) };
        if !spoken {
            self.out.extend_from_slice(br#","content":"""#);
        }
        *has_calls = true;
        tools::calls(calls, at.member("tool_calls"), &mut self.out)?;
        Ok(true)
    }

    fn result(&mut self, message: &Object<'_>, at: Path<'_>) -> Result<bool, Failed> {
        let id_at = at.member("tool_call_id");
        let literal = message.find("tool_call_id").ok_or_else(|| id_at.missing("the id of the call that is answered"))?;
        self.out.extend_from_slice(br#","tool_call_id":"#);
        id::write(literal, id_at, &mut self.out)?;
        if let Some(name) = message.find("name") {
            inner(name).ok_or_else(|| at.member("name").expected("a string"))?;
            self.out.extend_from_slice(br#","name":"#);
            self.out.extend_from_slice(name.as_bytes());
        }
        if !self.content(message, Role::Tool, &[], at)? {
            self.out.extend_from_slice(br#","content":"""#);
        }
        Ok(true)
    }

    /// Appends `,"content":…`, with these chunks first; `false` if there is nothing to say.
    fn content(&mut self, message: &Object<'_>, role: Role, lead: &[String], at: Path<'_>) -> Result<bool, Failed> {
        let content_at = at.member("content");
        let content = message.find("content").filter(|content| *content != r#""""#);
        let before = self.out.len();
        self.out.extend_from_slice(br#","content":"#);
        let text = content.filter(|content| !content.starts_with('['));
        if let Some(text) = text {
            inner(text).ok_or_else(|| content_at.expected("a string, an array of parts or null"))?;
            if lead.is_empty() {
                self.out.extend_from_slice(text.as_bytes());
                return Ok(true);
            }
        }
        self.out.push(b'[');
        let empty = self.out.len();
        self.out.extend_from_slice(lead.join(",").as_bytes());
        match text {
            Some(text) => part::chunk(&[r#"{"type":"text","text":"#, text, "}"], &mut self.out),
            None => {
                let (adjustments, out) = (&mut self.adjustments, &mut self.out);
                let visit = |index, object: Object<'_>| part::write(&object, role.name(), content_at.index(index), adjustments, out);
                elements_of_request(content.unwrap_or("[]"), MAX_PARTS, visit).map_err(|halt| match halt {
                    Halt::NotAnArray => content_at.expected("an array of parts"),
                    Halt::Element(index) => content_at.index(index).expected("an object"),
                    Halt::Visitor(failed) => failed,
                })?;
            }
        }
        if self.out.len() == empty {
            self.out.truncate(before);
            return Ok(false);
        }
        self.out.push(b']');
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
