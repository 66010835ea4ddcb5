//! Messages become Cohere's (<https://docs.cohere.com/v2/reference/chat>, `messages`): the roles are
//! the same, and so are most contents.

use super::tools;
use crate::provider::Failed;
use crate::provider::translate::Adjustments;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::media::{data_uri, is_web};
use crate::provider::translate::request::Messages;

/// The messages written so far.
pub(super) struct Conversation {
    /// The body being written; messages are appended.
    pub out: Vec<u8>,
    /// What was changed.
    pub adjustments: Adjustments,
    /// Whether the model has thoughts in its contents.
    thinks: bool,
    /// Whether a message has been written.
    any: bool,
    /// Where the role of the last message stands, if all are instructions.
    instruction: Option<usize>,
}

/// More parts than any message has.
const MAX_PARTS: usize = 65_536;

/// Media types of images (<https://docs.cohere.com/v2/docs/image-inputs>).
const IMAGES: [&str; 5] = ["image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp"];

const MESSAGES: Path<'static> = Path::root("messages");
const SYSTEM: &str = "system";

impl Conversation {
    /// Appends `[…]`, the value of `messages`, to `out`.
    pub(super) fn translate(out: Vec<u8>, messages: Messages<'_>, thinks: bool) -> Result<Self, Failed> {
        let mut to = Self { out, adjustments: Adjustments::default(), thinks, any: false, instruction: None };
        to.out.push(b'[');
        messages.each(&mut |message, at| to.message(message, at))?;
        if !to.any {
            return Err(MESSAGES.expected("a message that is not empty"));
        }
        if let Some(at) = to.instruction {
            to.out.splice(at..at + SYSTEM.len(), *b"user");
            to.adjustments.note("sent the last system message as a user message, since there is no other");
        }
        to.out.push(b']');
        Ok(to)
    }

    fn message(&mut self, message: &Object<'_>, at: Path<'_>) -> Result<(), Failed> {
        let role = message.text("role").ok_or_else(|| at.member("role").missing("a string"))?;
        let role = match role.as_ref() {
            "system" | "developer" => SYSTEM,
            "user" => "user",
            "assistant" => "assistant",
            "tool" => "tool",
            "function" => {
                return Err(at.member("role").unsupported("function messages are not supported by this model's provider; use tools"));
            }
            _ => return Err(at.member("role").expected("one of developer, system, user, assistant, tool")),
        };
        let before = self.out.len();
        if self.any {
            self.out.push(b',');
        }
        self.out.extend_from_slice(br#"{"role":""#);
        let role_at = self.out.len();
        self.out.extend_from_slice(role.as_bytes());
        self.out.push(b'"');
        let known: &[&str] = match role {
            "assistant" => &["role", "content", "refusal", "tool_calls", "reasoning_content"],
            "tool" => &["role", "content", "tool_call_id"],
            _ => &["role", "content"],
        };
        for (name, _) in message.others(known) {
            self.adjustments.dropped("messages[].", name);
        }
        let said = match role {
            "assistant" => self.assistant(message, at)?,
            "tool" => self.result(message, at)?,
            _ => self.content(message, role, &[], at)?,
        };
        if !said {
            self.out.truncate(before);
            return Ok(());
        }
        self.out.push(b'}');
        self.instruction = (role == SYSTEM && (self.instruction.is_some() || !self.any)).then_some(role_at);
        self.any = true;
        Ok(())
    }

    /// Thoughts, what was said, and what was called.
    fn assistant(&mut self, message: &Object<'_>, at: Path<'_>) -> Result<bool, Failed> {
        if message.find("function_call").is_some() {
            return Err(at.member("function_call").unsupported("not supported by this model's provider; use tool_calls"));
        }
        let calls = message.find("tool_calls").filter(|calls| *calls != "[]");
        let thoughts = message.find("reasoning_content");
        if let Some(thoughts) = thoughts {
            inner(thoughts).ok_or_else(|| at.member("reasoning_content").expected("a string"))?;
        }
        let thoughts = thoughts.filter(|thoughts| *thoughts != r#""""#);
        let mut lead = Vec::new();
        match thoughts {
            Some(thoughts) if self.thinks => lead.push([r#"{"type":"thinking","thinking":"#, thoughts, "}"].concat()),
            // What is thought before a call is its plan.
            Some(thoughts) if calls.is_some() => {
                self.out.extend_from_slice(br#","tool_plan":"#);
                self.out.extend_from_slice(thoughts.as_bytes());
            }
            Some(_) => self.adjustments.dropped("messages[].", "reasoning_content"),
            None => {}
        }
        if let Some(refusal) = message.find("refusal") {
            let text = inner(refusal).ok_or_else(|| at.member("refusal").expected("a string"))?;
            if !text.is_empty() {
                lead.push([r#"{"type":"text","text":"#, refusal, "}"].concat());
            }
        }
        let spoken = self.content(message, "assistant", &lead, at)?;
        let Some(calls) = calls else { return Ok(spoken) };
        tools::calls(calls, at.member("tool_calls"), &mut self.out)?;
        Ok(true)
    }

    fn result(&mut self, message: &Object<'_>, at: Path<'_>) -> Result<bool, Failed> {
        let id_at = at.member("tool_call_id");
        let id = message.find("tool_call_id").ok_or_else(|| id_at.missing("the id of the call that is answered"))?;
        inner(id).filter(|id| !id.is_empty()).ok_or_else(|| id_at.expected("a string that is not empty"))?;
        self.out.extend_from_slice(br#","tool_call_id":"#);
        self.out.extend_from_slice(id.as_bytes());
        if !self.content(message, "tool", &[], at)? {
            self.out.extend_from_slice(br#","content":"""#);
        }
        Ok(true)
    }

    /// Appends `,"content":…`, with these parts first; `false` if there is nothing to say.
    fn content(&mut self, message: &Object<'_>, role: &str, lead: &[String], at: Path<'_>) -> Result<bool, Failed> {
        let content_at = at.member("content");
        let content = message.find("content").filter(|content| *content != r#""""#);
        let before = self.out.len();
        self.out.extend_from_slice(br#","content":"#);
        match content {
            Some(text) if !text.starts_with('[') => {
                inner(text).ok_or_else(|| content_at.expected("a string, an array of parts or null"))?;
                if lead.is_empty() {
                    self.out.extend_from_slice(text.as_bytes());
                    return Ok(true);
                }
                self.out.push(b'[');
                self.lead(lead);
                for piece in [r#",{"type":"text","text":"#, text, "}"] {
                    self.out.extend_from_slice(piece.as_bytes());
                }
            }
            parts => {
                self.out.push(b'[');
                self.lead(lead);
                let empty = self.out.len();
                let visit = |index, part: Object<'_>| self.part(&part, role, content_at.index(index));
                elements(parts.unwrap_or("[]"), MAX_PARTS, visit).map_err(|halt| match halt {
                    Halt::NotAnArray => content_at.expected("an array of parts"),
                    Halt::Element(index) => content_at.index(index).expected("an object"),
                    Halt::Visitor(failed) => failed,
                })?;
                if lead.is_empty() && self.out.len() == empty {
                    self.out.truncate(before);
                    return Ok(false);
                }
            }
        }
        self.out.push(b']');
        Ok(true)
    }

    fn lead(&mut self, lead: &[String]) {
        self.out.extend_from_slice(lead.join(",").as_bytes());
    }

    fn part(&mut self, part: &Object<'_>, role: &str, at: Path<'_>) -> Result<(), Failed> {
        let kind = part.text("type").ok_or_else(|| at.member("type").missing("a string"))?;
        match kind.as_ref() {
            "text" | "refusal" if kind == "text" || role == "assistant" => {
                let text = part.find(&kind).filter(|text| inner(text).is_some()).ok_or_else(|| at.member(&kind).expected("a string"))?;
                if text != r#""""# {
                    self.begin(r#"{"type":"text","text":"#);
                    self.out.extend_from_slice(text.as_bytes());
                    self.out.push(b'}');
                }
            }
            "image_url" if role == "user" => self.image(part, at.member("image_url"))?,
            "image_url" | "refusal" => return Err(at.member("type").expected("text in a message of this role")),
            "input_audio" => return Err(at.member("type").unsupported("audio is not supported by this model's provider")),
            "file" => return Err(at.member("type").unsupported("files are not supported by this model's provider")),
            _ => return Err(at.member("type").unsupported("this kind of part is not supported by this model's provider")),
        }
        for (name, _) in part.others(&["type", "text", "refusal", "image_url"]) {
            self.adjustments.dropped("messages[].content[].", name);
        }
        Ok(())
    }

    fn image(&mut self, part: &Object<'_>, at: Path<'_>) -> Result<(), Failed> {
        let image = part.object("image_url").ok_or_else(|| at.expected("an object with a `url`"))?;
        let url_at = at.member("url");
        let url = image.literal("url").ok_or_else(|| url_at.expected("a string"))?;
        if !is_web(url) && !data_uri(url).is_some_and(|(media_type, _)| IMAGES.contains(&media_type.as_str())) {
            return Err(url_at.expected("an http(s) URL, or base64 data of type image/jpeg, image/png, image/gif or image/webp"));
        }
        self.begin(r#"{"type":"image_url","image_url":{"url":""#);
        self.out.extend_from_slice(url.as_bytes());
        self.out.push(b'"');
        if let Some(detail) = image.find("detail") {
            inner(detail).ok_or_else(|| at.member("detail").expected("a string"))?;
            self.out.extend_from_slice(br#","detail":"#);
            self.out.extend_from_slice(detail.as_bytes());
        }
        self.out.extend_from_slice(b"}}");
        for (name, _) in image.others(&["url", "detail"]) {
            self.adjustments.dropped("messages[].content[].image_url.", name);
        }
        Ok(())
    }

    /// Opens the next part.
    fn begin(&mut self, head: &str) {
        if self.out.last() != Some(&b'[') {
            self.out.push(b',');
        }
        self.out.extend_from_slice(head.as_bytes());
    }
}
