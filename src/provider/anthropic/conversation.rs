//! Messages become turns
//! (<https://platform.claude.com/docs/en/build-with-claude/working-with-messages>).
//!
//! OpenAI's roles fold into two that alternate: instructions move to the system prompt, what tools
//! returned is the user's, and neighbours of one role become one turn. Contents are always written
//! as arrays of blocks, for which a string is only the short form.

use super::adjustments::Adjustments;
use super::complaint::Path;
use super::json::{Halt, Object, elements, inner, is_blank};
use super::part::{self, Place, cache_control};
use super::tools;
use crate::openai::MAX_MESSAGES;
use crate::provider::Failed;

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
    turn: Option<Place>,
    in_result: bool,
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

impl<'a> Conversation<'a> {
    /// Appends `[…]`, the value of `messages`, to `out`.
    pub(super) fn translate(out: Vec<u8>, messages: &'a str) -> Result<Self, Failed> {
        let mut conversation = Self {
            out,
            system: Vec::new(),
            adjustments: Adjustments::default(),
            called: Vec::new(),
            ending: Ending::User,
            turn: None,
            in_result: false,
            moved: 0,
        };
        conversation.out.push(b'[');
        elements(messages, MAX_MESSAGES, |index, message: Object<'a>| conversation.message(&message, MESSAGES.index(index))).map_err(
            |halt| match halt {
                Halt::NotAnArray => MESSAGES.expected("an array of messages"),
                Halt::Element(index) => MESSAGES.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            },
        )?;
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
            Place::User | Place::Assistant if self.turn != Some(place) => {
                if self.turn.replace(place).is_some() {
                    self.out.extend_from_slice(b"]},");
                }
                let role: &[u8] = if place == Place::User { b"user" } else { b"assistant" };
                for part in [br#"{"role":""#, role, br#"","content":["#] {
                    self.out.extend_from_slice(part);
                }
            }
            Place::Result | Place::User | Place::Assistant => self.out.push(b','),
        }
        &mut self.out
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
        self.content(Place::Assistant, message, at)?;
        if let Some(refusal) = message.find("refusal") {
            let refusal = inner(refusal).ok_or_else(|| at.member("refusal").expected("a string"))?;
            part::text(self, Place::Assistant, refusal, None);
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
        self.others(message, &["tool_calls", "refusal"]);
        self.ending = Ending::Assistant;
        Ok(())
    }

    fn call(&mut self, call: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        let name = tools::call(call, at, self.block(Place::Assistant))?;
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
        let out = self.block(Place::User);
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

    fn content(&mut self, place: Place, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
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
        self.out.extend_from_slice(b"]}]");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(messages: &str) -> Result<(String, String, Vec<String>), Failed> {
        let conversation = Conversation::translate(Vec::new(), messages)?;
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ok((text(conversation.out), text(conversation.system), conversation.adjustments.into_list()))
    }

    #[test]
    fn roles_fold_into_two_that_alternate() {
        let text = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
        let turn = |role: &str, blocks: &[String]| format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(","));
        let user = |content: &str| format!(r#"{{"role":"user","content":"{content}"}}"#);
        let call = r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","function":{"name":"g","arguments":""}}]}"#;
        let calls = [
            r#"{"type":"tool_use","id":"c1","name":"f","input":{"a":1}}"#.to_owned(),
            r#"{"type":"tool_use","id":"c2","name":"g","input":{}}"#.to_owned(),
        ];
        let result = |id: &str, content: &str| format!(r#"{{"type":"tool_result","tool_use_id":"{id}"{content}}}"#);
        for (messages, expected) in [
            (user("hi"), vec![turn("user", &[text("hi")])]),
            ([user("a"), user("b")].join(","), vec![turn("user", &[text("a"), text("b")])]),
            ([user("a"), r#"{"role":"assistant","content":" "}"#.into(), user("b")].join(","), vec![turn("user", &[text("a"), text("b")])]),
            (r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"refusal":"never"}"#.into(), vec![turn("assistant", &[text("no"), text("never")])]),
            (
                [&user("a"), call, r#"{"role":"tool","tool_call_id":"c1","content":"1"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":""}]}"#, &user("b")].join(","),
                vec![turn("user", &[text("a")]), turn("assistant", &calls), turn("user", &[result("c1", r#","content":"1""#), result("c2", ""), text("b")])],
            ),
            (
                r#"{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}],"cache_control":{"type":"ephemeral"}}"#.into(),
                vec![turn("user", &[result("c", &format!(r#","content":[{},{}],"cache_control":{{"type":"ephemeral"}}"#, text("x"), text("y")))])],
            ),
        ] {
            let (out, system, changes) = translated(&format!("[{messages}]")).expect(&messages);
            assert_eq!((out, system.as_str(), changes), (format!("[{}]", expected.join(",")), "", vec![]), "{messages}");
        }
    }

    #[test]
    fn instructions_move_to_the_system_prompt_in_their_order() {
        let messages = r#"[{"role":"system","content":"a"},{"role":"user","content":"b"},{"role":"developer","content":[{"type":"text","text":"c","cache_control":{"type":"ephemeral"}}]}]"#;
        let (_, system, changes) = translated(messages).expect("turns");
        assert_eq!(system, r#"{"type":"text","text":"a"},{"type":"text","text":"c","cache_control":{"type":"ephemeral"}}"#);
        assert_eq!(changes, ["moved 1 system message(s) from inside the conversation to its beginning"]);
        let (out, system, changes) = translated(r#"[{"role":"system","content":"a"}]"#).expect("a turn");
        assert_eq!((out.as_str(), system.as_str()), (r#"[{"role":"user","content":[{"type":"text","text":"a"}]}]"#, ""));
        assert_eq!(changes, ["sent the system prompt as a user message, since there is no other"]);
    }

    #[test]
    fn what_cannot_be_translated_is_named_and_never_quoted() {
        let call = |call: &str| format!(r#"[{{"role":"assistant","tool_calls":[{call}]}}]"#);
        let part = |part: &str| format!(r#"[{{"role":"user","content":[{{"type":"text","text":"x"}},{part}]}}]"#);
        for (messages, param) in [
            (r#""secret""#.to_owned(), "messages"),
            ("[]".into(), "messages"),
            (r#"[{"role":"user","content":""}]"#.into(), "messages"),
            (r#"["secret"]"#.into(), "messages[0]"),
            (r#"[{"content":"secret"}]"#.into(), "messages[0].role"),
            (r#"[{"role":"secret"}]"#.into(), "messages[0].role"),
            (r#"[{"role":"function","name":"secret"}]"#.into(), "messages[0].role"),
            (r#"[{"role":"user","content":7}]"#.into(), "messages[0].content"),
            (r#"[{"role":"user","content":{"secret":1}}]"#.into(), "messages[0].content"),
            (r#"[{"role":"user","content":"x","cache_control":7}]"#.into(), "messages[0].cache_control"),
            (r#"[{"role":"tool","content":"secret"}]"#.into(), "messages[0].tool_call_id"),
            (r#"[{"role":"tool","tool_call_id":"c","content":7}]"#.into(), "messages[0].content"),
            (r#"[{"role":"assistant","function_call":{}}]"#.into(), "messages[0].function_call"),
            (r#"[{"role":"assistant","tool_calls":{}}]"#.into(), "messages[0].tool_calls"),
            (r#"[{"role":"assistant","content":[{"type":"image_url"}]}]"#.into(), "messages[0].content[0].type"),
            (call("7"), "messages[0].tool_calls[0]"),
            (call(r#"{"id":"c","type":"custom"}"#), "messages[0].tool_calls[0].type"),
            (call(r#"{"function":{"name":"f"}}"#), "messages[0].tool_calls[0].id"),
            (call(r#"{"id":7,"function":{"name":"f"}}"#), "messages[0].tool_calls[0].id"),
            (call(r#"{"id":"c"}"#), "messages[0].tool_calls[0].function"),
            (call(r#"{"id":"c","function":{"name":7}}"#), "messages[0].tool_calls[0].function.name"),
            (call(r#"{"id":"c","function":{"name":"f","arguments":"{secret"}}"#), "messages[0].tool_calls[0].function.arguments"),
            (part("7"), "messages[0].content[1]"),
            (part(r#"{"text":"secret"}"#), "messages[0].content[1].type"),
            (part(r#"{"type":"text"}"#), "messages[0].content[1].text"),
            (part(r#"{"type":"secret"}"#), "messages[0].content[1].type"),
            (part(r#"{"type":"input_audio"}"#), "messages[0].content[1].type"),
            (part(r#"{"type":"image_url","image_url":"https://secret"}"#), "messages[0].content[1].image_url"),
            (part(r#"{"type":"image_url","image_url":{"url":"secret"}}"#), "messages[0].content[1].image_url.url"),
            (part(r#"{"type":"image_url","image_url":{"url":"data:image/tiff;base64,secret"}}"#), "messages[0].content[1].image_url.url"),
            (part(r#"{"type":"file","file":{"file_id":"secret"}}"#), "messages[0].content[1].file.file_id"),
            (part(r#"{"type":"file","file":{"file_data":"data:text/plain;base64,secret"}}"#), "messages[0].content[1].file.file_data"),
        ] {
            let failed = translated(&messages).expect_err(&messages);
            assert_eq!(failed.param.as_deref(), Some(param), "{messages}: {failed:?}");
            assert!(!failed.message.contains("secret"), "{messages}: {failed:?}");
        }
    }
}
