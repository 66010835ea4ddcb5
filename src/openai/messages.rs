//! What the conversation asks of a model: whether it has images, and roughly how long it is.
//! Contents are weighed, never decoded or kept, in the one walk over the body.

use super::body::{Fault, invalid, unexpected};
use super::conversation::Conversation;
use super::mark::{CACHE_CONTROL, DEVELOPER, FOREIGN, LONG_ID, NAME, RARE, SHORT_ID, UNREASONED};
use super::members::decode;
use super::parameters::Fields;
use super::scan::Scan;

/// Sum of what the messages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weight<'a> {
    /// Who said what, in short.
    pub conversation: Conversation<'a>,
    /// Messages.
    pub messages: usize,
    /// Bytes of text as written, escapes included.
    pub text_bytes: usize,
    /// Image parts.
    pub images: usize,
    /// Bytes of them as written.
    pub image_bytes: usize,
    /// Something in them is longer than it looks: a file, or an answer in audio of the past.
    pub refers: bool,
    /// An image is an address of the web.
    pub remote_images: bool,
    /// A part has audio.
    pub audio: bool,
    /// A part has a file.
    pub files: bool,
    /// A file is no PDF in the request itself.
    pub uploads: bool,
    /// What some vendors do not take as it is.
    pub marks: Fields,
}

impl Weight<'_> {
    const fn mark(&mut self, mark: Fields) {
        self.marks = self.marks.and(mark);
    }
}

/// A conversation of more turns is an attack on whoever has to parse it.
pub const MAX_MESSAGES: usize = 65_536;

/// Roles of the Chat Completions schema.
const ROLES: [&str; 6] = ["developer", "system", "user", "assistant", "tool", "function"];

const NOT_MESSAGES: &str = "expected an array of 1 to 65536 messages";
const NOT_A_MESSAGE: &str = "expected an object with a string `role`, each member once";
const NOT_A_ROLE: &str = "expected one of developer, system, user, assistant, tool, function";
const NOT_CONTENT: &str = "expected a string, an array of parts or null";
const NOT_A_PART: &str = "expected an object with a string `type`, each member once";

/// Goes over the value of `messages`, which is the next one.
pub(super) fn weigh<'a>(scan: &mut Scan<'a>) -> Result<Weight<'a>, Fault> {
    let mut weight = Weight::default();
    if scan.peek() != Some(b'[') {
        return Err(unexpected(scan, NOT_MESSAGES, || "messages".to_owned()));
    }
    scan.array(|scan, index| {
        if index == MAX_MESSAGES {
            return Err(invalid(NOT_MESSAGES, "messages".to_owned()));
        }
        message(scan, index, &mut weight)
    })?;
    if weight.messages == 0 {
        return Err(invalid(NOT_MESSAGES, "messages".to_owned()));
    }
    Ok(weight)
}

fn message<'a>(scan: &mut Scan<'a>, index: usize, weight: &mut Weight<'a>) -> Result<(), Fault> {
    let at = |member: &str| format!("messages[{index}]{member}");
    if scan.peek() != Some(b'{') {
        return Err(unexpected(scan, NOT_A_MESSAGE, || at("")));
    }
    let (mut role, mut content, mut calls, mut reasoned) = (false, false, false, false);
    let (mut speaker, mut text) = (None, None);
    scan.object(|scan, name| {
        let name = decode(name);
        let seen = match name.as_deref() {
            Some("role") => core::mem::replace(&mut role, true),
            Some("content") => core::mem::replace(&mut content, true),
            Some("tool_calls") => core::mem::replace(&mut calls, true),
            _ => false,
        };
        if seen {
            return Err(invalid(NOT_A_MESSAGE, at("")));
        }
        match name.as_deref() {
            Some("role") => {
                let role = decode(scan.value()?);
                if !role.as_deref().is_some_and(|role| ROLES.contains(&role)) {
                    return Err(invalid(NOT_A_ROLE, at(".role")));
                }
                if role.as_deref() == Some("developer") {
                    weight.mark(const { Fields::of(&[DEVELOPER]) });
                }
                speaker = role;
            }
            Some("content") => text = self::content(scan, weight, &at)?,
            Some("tool_calls") => self::calls(scan, weight)?,
            Some("tool_call_id") => {
                if is_long(scan.value()?) {
                    weight.mark(const { Fields::of(&[LONG_ID]) });
                }
            }
            Some(name) => {
                let value = scan.value()?;
                weight.refers |= name == "audio" && value != "null";
                reasoned |= name == "reasoning_content" && !matches!(value, "null" | r#""""#);
                weight.mark(mark(name));
            }
            None => drop(scan.value()?),
        }
        Ok(())
    })?;
    if calls && !reasoned {
        weight.mark(const { Fields::of(&[UNREASONED]) });
    }
    if !role {
        return Err(invalid(NOT_A_MESSAGE, at("")));
    }
    weight.messages += 1;
    weight.conversation.add(&speaker.unwrap_or_default(), text);
    Ok(())
}

/// What a member of a message is to a vendor that does not know all of them.
fn mark(name: &str) -> Fields {
    match name {
        "name" => const { Fields::of(&[NAME]) },
        "cache_control" => const { Fields::of(&[CACHE_CONTROL]) },
        "refusal" | "annotations" | "audio" | "function_call" => const { Fields::of(&[RARE]) },
        _ => const { Fields::of(&[FOREIGN]) },
    }
}

/// Goes over `tool_calls`, whatever they are.
fn calls(scan: &mut Scan<'_>, weight: &mut Weight<'_>) -> Result<(), Fault> {
    let (value, (foreign, long)) = scan.written(|scan| {
        let (mut foreign, mut long) = (false, false);
        if scan.peek() != Some(b'[') {
            scan.value()?;
            return Ok::<_, Fault>((false, false));
        }
        scan.array(|scan, _| {
            if scan.peek() != Some(b'{') {
                return scan.value().map(drop);
            }
            scan.object(|scan, name| {
                let name = decode(name);
                foreign |= !matches!(name.as_deref(), Some("id" | "type" | "function" | "custom"));
                let value = scan.value()?;
                long |= name.as_deref() == Some("id") && is_long(value);
                Ok(())
            })
        })?;
        Ok((foreign, long))
    })?;
    weight.text_bytes += value.len();
    if foreign {
        weight.mark(const { Fields::of(&[FOREIGN]) });
    }
    if long {
        weight.mark(const { Fields::of(&[LONG_ID]) });
    }
    Ok(())
}

/// Whether an id may be a long one: a character takes a byte or more.
const fn is_long(literal: &str) -> bool {
    literal.len() > SHORT_ID + 2
}

/// Goes over a content; gives the inside of its first text.
fn content<'a>(scan: &mut Scan<'a>, weight: &mut Weight<'_>, at: &impl Fn(&str) -> String) -> Result<Option<&'a str>, Fault> {
    let mut first = None;
    match scan.peek() {
        Some(b'"') => {
            let value = scan.value()?;
            weight.text_bytes += value.len() - 2;
            first = inside(value);
        }
        Some(b'n') => drop(scan.value()?),
        Some(b'[') => scan.array(|scan, index| {
            let text = part(scan, weight, || at(&format!(".content[{index}]")))?;
            first = first.or(text);
            Ok::<_, Fault>(())
        })?,
        _ => return Err(unexpected(scan, NOT_CONTENT, || at(".content"))),
    }
    Ok(first)
}

/// The inside of a string literal.
fn inside(literal: &str) -> Option<&str> {
    literal.strip_prefix('"')?.strip_suffix('"')
}

fn part<'a>(scan: &mut Scan<'a>, weight: &mut Weight<'_>, at: impl Fn() -> String) -> Result<Option<&'a str>, Fault> {
    if scan.peek() != Some(b'{') {
        return Err(unexpected(scan, NOT_A_PART, at));
    }
    let (mut kind, mut image, mut address, mut file, mut content) = (false, false, "", false, "");
    let mut text = None;
    scan.object(|scan, name| {
        let value = scan.value()?;
        match decode(name).as_deref() {
            Some("type") => {
                let name = decode(value);
                image = name.as_deref() == Some("image_url");
                weight.audio |= name.as_deref() == Some("input_audio");
                file = name.as_deref() == Some("file");
                // Of a file, or of what was invented since, the text says nothing.
                weight.refers |= !matches!(name.as_deref(), Some("text" | "refusal" | "image_url" | "input_audio"));
                if name.is_none() || core::mem::replace(&mut kind, true) {
                    return Err(invalid(NOT_A_PART, at()));
                }
            }
            Some("text") => {
                weight.text_bytes += value.len().saturating_sub(2);
                text = inside(value);
            }
            Some("image_url") => address = value,
            Some("file") => content = value,
            Some("cache_control") => weight.mark(const { Fields::of(&[CACHE_CONTROL]) }),
            _ => {}
        }
        Ok(())
    })?;
    if image {
        weight.images += 1;
        weight.image_bytes += address.len();
        weight.remote_images |= !is_data(address);
    }
    if file {
        weight.files = true;
        weight.uploads |= memchr::memmem::find(content.as_bytes(), b"\"data:application/pdf;").is_none();
    }
    if kind { Ok(text) } else { Err(invalid(NOT_A_PART, at())) }
}

/// Longest `{"url":"data:` looked for, spaces included.
const MAX_ADDRESS_HEAD: usize = 64;

/// Whether an image is in the request itself. What is written in escapes is taken for an address, which
/// costs it a candidate and nobody a byte.
fn is_data(image: &str) -> bool {
    let head = image.as_bytes().get(..MAX_ADDRESS_HEAD.min(image.len())).unwrap_or_default();
    memchr::memmem::find(head, b"\"data:").is_some()
}

#[cfg(test)]
mod tests {
    use super::super::chat::BadRequest;
    use super::super::scan::Stop;
    use super::*;

    fn weigh(value: &str) -> Result<Weight<'_>, Fault> {
        super::weigh(&mut Scan::new(value))
    }

    #[test]
    fn texts_and_images_are_weighed() {
        let weight = weigh(
            r#"[{"role":"system","content":"abcd"},
                {"role":"user","content":[{"type":"text","text":"ab"},{"type":"image_url","image_url":{"url":"data:…"}}]},
                {"role":"assistant","content":null,"tool_calls":[{}],"audio":null},
                {"role":"assistant","future":{"x":[1]}}]"#,
        );
        let image_bytes = r#"{"url":"data:…"}"#.len();
        let marks = Fields::of(&[RARE, FOREIGN, UNREASONED]);
        let conversation = Conversation {
            system: Some("abcd"),
            opening: Some("ab"),
            latest: Some("ab"),
            user_messages: 1,
            answered: true,
            ..Conversation::default()
        };
        let expected = Weight { conversation, messages: 4, text_bytes: 4 + 2 + 4, images: 1, image_bytes, marks, ..Weight::default() };
        assert_eq!(weight, Ok(expected));
    }

    #[test]
    fn what_some_vendors_do_not_take_is_marked() {
        let call = r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}"#;
        for (message, marks) in [
            (r#"{"role":"user","content":[{"type":"text","text":"x"}]}"#.to_owned(), &[][..]),
            (r#"{"role":"tool","tool_call_id":"c","content":"x"}"#.to_owned(), &[]),
            (r#"{"role":"d\u0065veloper","content":"x"}"#.to_owned(), &[DEVELOPER]),
            (r#"{"role":"user","content":"x","name":"n"}"#.to_owned(), &[NAME]),
            (r#"{"role":"user","content":[{"type":"text","text":"x","cache_control":{}}]}"#.to_owned(), &[CACHE_CONTROL]),
            (r#"{"role":"assistant","content":"x","refusal":null}"#.to_owned(), &[RARE]),
            (r#"{"role":"assistant","content":"x","reasoning_content":"y"}"#.to_owned(), &[FOREIGN]),
            (format!(r#"{{"role":"assistant","tool_calls":[{call}]}}"#), &[UNREASONED]),
            (format!(r#"{{"role":"assistant","tool_calls":[{call}],"reasoning_content":"y"}}"#), &[FOREIGN]),
            (format!(r#"{{"role":"assistant","tool_calls":[{call}],"reasoning_content":""}}"#), &[FOREIGN, UNREASONED]),
            (r#"{"role":"assistant","tool_calls":[{"id":"c","extra_content":{}}],"reasoning_content":"y"}"#.to_owned(), &[FOREIGN]),
            (r#"{"role":"assistant","tool_calls":[7]}"#.to_owned(), &[UNREASONED]),
            (format!(r#"{{"role":"tool","content":"x","tool_call_id":"{}"}}"#, "i".repeat(40)), &[]),
            (format!(r#"{{"role":"tool","content":"x","tool_call_id":"{}"}}"#, "i".repeat(41)), &[LONG_ID]),
            (format!(r#"{{"role":"assistant","tool_calls":[{{"id":"{}"}}]}}"#, "i".repeat(41)), &[UNREASONED, LONG_ID]),
        ] {
            assert_eq!(weigh(&format!("[{message}]")).map(|weight| weight.marks), Ok(Fields::of(marks)), "{message}");
        }
    }

    #[test]
    fn what_is_longer_than_it_looks_is_noticed() {
        let part = |part: &str| format!(r#"[{{"role":"user","content":[{part}]}}]"#);
        for (value, refers) in [
            (part(r#"{"type":"text","text":"x"},{"type":"refusal"},{"type":"input_audio"}"#), false),
            (part(r#"{"type":"file","file":{"file_id":"f"}}"#), true),
            (part(r#"{"type":"f\u0069le"}"#), true),
            (part(r#"{"type":"of_next_year"}"#), true),
            (r#"[{"role":"assistant","audio":{"id":"a"}}]"#.to_owned(), true),
        ] {
            assert_eq!(weigh(&value).map(|weight| weight.refers), Ok(refers), "{value}");
        }
    }

    #[test]
    fn only_the_address_of_an_image_is_not_text() {
        let image_bytes = |part: &str| weigh(&format!(r#"[{{"role":"user","content":[{part}]}}]"#)).map(|weight| weight.image_bytes);
        assert_eq!(image_bytes(r#"{"image_url":{"url":"x"},"type":"image_url","text":"hidden"}"#), Ok(11));
        assert_eq!(image_bytes(r#"{"image_url":{"url":"x"},"type":"text","text":"y"}"#), Ok(0));
    }

    #[test]
    fn an_error_names_the_message_and_never_quotes_it() {
        for (value, named) in [
            (r#""secret""#, "messages"),
            (r#"[]"#, "messages"),
            (r#"{"role":"user"}"#, "messages"),
            (r#"["secret"]"#, "messages[0]"),
            (r#"[["user","secret"]]"#, "messages[0]"),
            (r#"[{"role":"user"},{"content":"secret"}]"#, "messages[1]"),
            (r#"[{"role":"secret"}]"#, "messages[0].role"),
            (r#"[{"role":7}]"#, "messages[0].role"),
            (r#"[{"role":"user","role":"system"}]"#, "messages[0]"),
            (r#"[{"role":"user","r\u006fle":"system"}]"#, "messages[0]"),
            (r#"[{"role":"user","content":5}]"#, "messages[0].content"),
            (r#"[{"role":"user","content":{"secret":1}}]"#, "messages[0].content"),
            (r#"[{"role":"user","content":[{"type":"text","text":"x"},"secret"]}]"#, "messages[0].content[1]"),
            (r#"[{"role":"user","content":[{"text":"secret"}]}]"#, "messages[0].content[0]"),
            (r#"[{"role":"user","content":[{"type":"text"}]},7]"#, "messages[1]"),
        ] {
            match weigh(value) {
                Err(Fault::Invalid(BadRequest::Invalid { param, message })) => {
                    assert_eq!(param, named, "{value}");
                    assert!(!message.contains("secret"), "{value}: {message}");
                }
                other => panic!("{value}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_json_is_not_blamed_on_a_message() {
        for (value, stop) in [
            (r#"[{"role":"user""#, Stop::Truncated),
            (r#"[{"role":nope}]"#, Stop::Syntax(10)),
            ("", Stop::Truncated),
            (r#"[x]"#, Stop::Syntax(1)),
        ] {
            assert_eq!(weigh(value), Err(Fault::Text(stop)), "{value}");
        }
    }
}
