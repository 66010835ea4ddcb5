//! What the conversation asks of a model: whether it has images, and roughly how long it is.
//! Contents are weighed, never decoded or kept, and read once: the walk is part of reading the
//! request.

use core::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::chat::BadRequest;
use super::members::decode;

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

/// Reads the value of `messages` where it stands.
#[derive(Default)]
pub(super) struct Weigh {
    /// The sum so far.
    pub weight: Weight,
    place: Place,
}

/// Where the walk is, for the error.
#[derive(Default)]
struct Place {
    message: Option<usize>,
    member: &'static str,
    part: Option<usize>,
    expected: &'static str,
}

impl Weigh {
    /// What is wrong where the walk stopped.
    pub(super) fn fault(&self) -> BadRequest {
        let Place { message, member, part, expected } = &self.place;
        let Some(message) = message else {
            return BadRequest::invalid("messages", format!("expected an array of 1 to {MAX_MESSAGES} messages"));
        };
        let part = part.map_or(String::new(), |part| format!("[{part}]"));
        BadRequest::invalid(format!("messages[{message}]{member}{part}"), *expected)
    }

    fn message<'de, A: MapAccess<'de>>(&mut self, mut members: A) -> Result<(), A::Error> {
        let (mut role, mut content, mut calls) = (false, false, false);
        while let Some(member) = members.next_key::<Member>()? {
            let seen = match member {
                Member::Role => core::mem::replace(&mut role, true),
                Member::Content => core::mem::replace(&mut content, true),
                Member::ToolCalls => core::mem::replace(&mut calls, true),
                Member::Other => false,
            };
            if seen {
                return Err(A::Error::custom("twice"));
            }
            match member {
                Member::Role => {
                    self.at(".role", "expected one of developer, system, user, assistant, tool, function");
                    let role = decode(members.next_value::<&RawValue>()?.get());
                    if !role.is_some_and(|role| ROLES.contains(&role.as_ref())) {
                        return Err(A::Error::custom("role"));
                    }
                }
                Member::Content => {
                    self.at(".content", "expected a string, an array of parts or null");
                    self.content(members.next_value::<&RawValue>()?.get())?;
                }
                Member::ToolCalls => self.weight.text_bytes += members.next_value::<&RawValue>()?.get().len(),
                Member::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            self.at("", MESSAGE);
        }
        if !role {
            return Err(A::Error::custom("no role"));
        }
        self.weight.messages += 1;
        Ok(())
    }

    fn content<E: serde::de::Error>(&mut self, content: &str) -> Result<(), E> {
        match content.as_bytes().first() {
            Some(b'"') => self.weight.text_bytes += content.len() - 2,
            Some(b'[') => serde_json::Deserializer::from_str(content).deserialize_seq(Parts(self)).map_err(|_| E::custom("parts"))?,
            Some(b'n') => {}
            _ => return Err(E::custom("content")),
        }
        Ok(())
    }

    fn part<'de, A: MapAccess<'de>>(&mut self, mut members: A) -> Result<(), A::Error> {
        let mut kind = false;
        while let Some(member) = members.next_key::<PartMember>()? {
            match member {
                PartMember::Type => {
                    let name = decode(members.next_value::<&RawValue>()?.get());
                    self.weight.images += usize::from(name.as_deref() == Some("image_url"));
                    if name.is_none() || core::mem::replace(&mut kind, true) {
                        return Err(A::Error::custom("type"));
                    }
                }
                PartMember::Text => self.weight.text_bytes += members.next_value::<&RawValue>()?.get().len().saturating_sub(2),
                PartMember::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        if kind { Ok(()) } else { Err(A::Error::custom("no type")) }
    }

    fn at(&mut self, member: &'static str, expected: &'static str) {
        self.place.member = member;
        self.place.expected = expected;
    }
}

const MESSAGE: &str = "expected an object with a string `role`, each member once";
const PART: &str = "expected an object with a string `type`, each member once";

#[derive(Deserialize, Clone, Copy)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Role,
    Content,
    ToolCalls,
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(field_identifier, rename_all = "snake_case")]
enum PartMember {
    Type,
    Text,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for &mut Weigh {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(Messages(self))
    }
}

/// The elements of an array that are objects, each given to a method of [`Weigh`].
macro_rules! elements {
    ($name:ident, $element:ident, $at:expr, $read:expr) => {
        struct $name<'w>(&'w mut Weigh);
        struct $element<'w>(&'w mut Weigh);

        impl<'de> Visitor<'de> for $name<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
                for index in 0.. {
                    $at(self.0, Some(index));
                    if elements.next_element_seed($element(self.0))?.is_none() {
                        break;
                    }
                    if index == MAX_MESSAGES {
                        return Err(A::Error::custom("too many"));
                    }
                }
                $at(self.0, None);
                Ok(())
            }
        }

        impl<'de> DeserializeSeed<'de> for $element<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_map(self)
            }
        }

        impl<'de> Visitor<'de> for $element<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
                $read(self.0, members)
            }
        }
    };
}

elements!(
    Messages,
    Message,
    |weigh: &mut Weigh, index| {
        weigh.place.message = index;
        weigh.at("", MESSAGE);
    },
    Weigh::message
);

elements!(
    Parts,
    Part,
    |weigh: &mut Weigh, index| {
        weigh.place.part = index;
        weigh.at(".content", PART);
    },
    Weigh::part
);

#[cfg(test)]
mod tests {
    use super::*;

    fn weigh(value: &str) -> Result<Weight, BadRequest> {
        let mut weigh = Weigh::default();
        match weigh.deserialize(&mut serde_json::Deserializer::from_str(value)) {
            Ok(()) => Ok(weigh.weight),
            Err(_) => Err(weigh.fault()),
        }
    }

    #[test]
    fn texts_and_images_are_weighed() {
        let weight = weigh(
            r#"[{"role":"system","content":"abcd"},
                {"role":"user","content":[{"type":"text","text":"ab"},{"type":"image_url","image_url":{"url":"data:…"}}]},
                {"role":"assistant","content":null,"tool_calls":[{}]},
                {"role":"assistant","future":{"x":[1]}}]"#,
        );
        assert_eq!(weight, Ok(Weight { messages: 4, text_bytes: 4 + 2 + 4, images: 1 }));
    }

    #[test]
    fn an_error_names_the_message_and_never_quotes_it() {
        for (value, named) in [
            (r#""secret""#, "messages"),
            (r#"{"role":"user"}"#, "messages"),
            (r#"["secret"]"#, "messages[0]"),
            (r#"[["user","secret"]]"#, "messages[0]"),
            (r#"[{"role":"user"},{"content":"secret"}]"#, "messages[1]"),
            (r#"[{"role":"secret"}]"#, "messages[0].role"),
            (r#"[{"role":7}]"#, "messages[0].role"),
            (r#"[{"role":"user","role":"system"}]"#, "messages[0]"),
            (r#"[{"role":"user","content":5}]"#, "messages[0].content"),
            (r#"[{"role":"user","content":{"secret":1}}]"#, "messages[0].content"),
            (r#"[{"role":"user","content":[{"type":"text","text":"x"},"secret"]}]"#, "messages[0].content[1]"),
            (r#"[{"role":"user","content":[{"text":"secret"}]}]"#, "messages[0].content[0]"),
            (r#"[{"role":"user","content":[{"type":"text"}]},7]"#, "messages[1]"),
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
