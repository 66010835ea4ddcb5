//! What the conversation asks of a model: whether it has images, and roughly how long it is.
//! Contents are weighed, never decoded or kept.

use std::borrow::Cow;
use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::chat::BadRequest;

/// Sum of what the messages hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Weight {
    /// Messages.
    pub messages: usize,
    /// Bytes of text as written, escapes included.
    pub text_bytes: usize,
    /// Image parts.
    pub images: usize,
}

/// A conversation of more turns is an attack on whoever has to parse it.
pub const MAX_MESSAGES: usize = 65_536;

/// Roles of the Chat Completions schema.
const ROLES: [&str; 6] = ["developer", "system", "user", "assistant", "tool", "function"];

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
}

/// Weighs the value of `messages`.
pub(super) fn weigh(value: &str) -> Result<Weight, BadRequest> {
    let mut weight = Weight::default();
    let mut fault = None;
    each(value, |index, message| {
        let outcome = self::message(message, &mut weight);
        outcome.map_err(|(place, message)| fault = Some(BadRequest::invalid(format!("messages[{index}]{place}"), message)))
    })
    .map_err(|()| fault.unwrap_or_else(|| BadRequest::invalid("messages", format!("expected an array of at most {MAX_MESSAGES} messages"))))?;
    if weight.messages == 0 {
        return Err(BadRequest::invalid("messages", "expected at least one message"));
    }
    Ok(weight)
}

type Misplaced = (Cow<'static, str>, &'static str);

fn message(value: &str, weight: &mut Weight) -> Result<(), Misplaced> {
    let Some(message) = object::<Message<'_>>(value) else {
        return Err(("".into(), "expected an object with a string `role`, each member once"));
    };
    if !ROLES.contains(&message.role.as_ref()) {
        return Err((".role".into(), "expected one of developer, system, user, assistant, tool, function"));
    }
    weight.messages += 1;
    weight.text_bytes += message.tool_calls.map_or(0, |calls| calls.get().len());
    let Some(content) = message.content.map(RawValue::get) else { return Ok(()) };
    match content.as_bytes().first() {
        Some(b'"') => weight.text_bytes += content.len() - 2,
        Some(b'[') => {
            let mut fault = None;
            each(content, |index, part| {
                let outcome = self::part(part, weight);
                outcome.map_err(|message| fault = Some((format!(".content[{index}]").into(), message)))
            })
            .map_err(|()| fault.unwrap_or((".content".into(), "expected fewer parts")))?;
        }
        Some(b'n') => {}
        _ => return Err((".content".into(), "expected a string, an array of parts or null")),
    }
    Ok(())
}

fn part(value: &str, weight: &mut Weight) -> Result<(), &'static str> {
    let Some(part) = object::<Part<'_>>(value) else {
        return Err("expected an object with a string `type`, each member once");
    };
    if part.kind == "image_url" {
        weight.images += 1;
    }
    weight.text_bytes += part.text.map_or(0, |text| text.get().len());
    Ok(())
}

/// Reads a struct from an object; serde would also take an array.
fn object<'a, T: Deserialize<'a>>(value: &'a str) -> Option<T> {
    value.starts_with('{').then(|| serde_json::from_str(value).ok()).flatten()
}

/// Calls `visit` with every element of a JSON array as written; stops with an error if it is not
/// an array, has too many elements, or `visit` says so.
fn each(array: &str, visit: impl FnMut(usize, &str) -> Result<(), ()>) -> Result<(), ()> {
    struct Elements<F>(F);

    impl<'de, F: FnMut(usize, &str) -> Result<(), ()>> Visitor<'de> for Elements<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
            let mut index = 0;
            while let Some(element) = elements.next_element::<&RawValue>()? {
                if index == MAX_MESSAGES || (self.0)(index, element.get()).is_err() {
                    return Err(A::Error::custom("stopped"));
                }
                index += 1;
            }
            Ok(())
        }
    }

    let mut json = serde_json::Deserializer::from_str(array);
    json.deserialize_seq(Elements(visit)).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_images_are_weighed() {
        let weight = weigh(
            r#"[{"role":"system","content":"abcd"},
                {"role":"user","content":[{"type":"text","text":"ab"},{"type":"image_url","image_url":{"url":"data:…"}}]},
                {"role":"assistant","content":null,"tool_calls":[{}]},
                {"role":"assistant"}]"#,
        );
        assert_eq!(weight, Ok(Weight { messages: 4, text_bytes: 4 + 4 + 4, images: 1 }));
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
            (r#"[{"role":7}]"#, "messages[0]"),
            (r#"[{"role":"user","role":"system"}]"#, "messages[0]"),
            (r#"[{"role":"user","content":5}]"#, "messages[0].content"),
            (r#"[{"role":"user","content":{"secret":1}}]"#, "messages[0].content"),
            (r#"[{"role":"user","content":[{"type":"text","text":"x"},"secret"]}]"#, "messages[0].content[1]"),
        ] {
            match weigh(value) {
                Err(BadRequest::Invalid { param, message }) => {
                    assert_eq!(param, named, "{value}");
                    assert!(!message.contains("secret"), "{value}: {message}");
                }
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
