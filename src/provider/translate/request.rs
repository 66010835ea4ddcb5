//! The body of a chat completion request, whose syntax the router seat has checked: gone over once, since going
//! over a long conversation is most of what translating it costs.

use super::Path;
use super::json::{Halt, Object};
use crate::openai::MAX_MESSAGES;
use crate::openai::scan::{Scan, Stop};
use crate::provider::Failed;

const MESSAGES: Path<'static> = Path::root("messages");

/// A request.
pub(in crate::provider) struct Request<'a> {
    /// All of its members.
    pub members: Object<'a>,
    /// Its messages; that it has none is to be said when they are asked for.
    pub messages: Result<Messages<'a>, Failed>,
}

impl<'a> Request<'a> {
    /// The request in `text`.
    pub(in crate::provider) fn read(text: &'a str) -> Result<Self, Failed> {
        let mut scan = Scan::new(text);
        let mut messages = None;
        let members = Object::take_with(&mut scan, &mut |scan, name| {
            // As everywhere, `null` counts as absent and the first of two as the one.
            if name != "messages" || messages.is_some() || scan.peek() == Some(b'n') {
                return scan.leap();
            }
            let (value, read) = scan.written(Messages::take)?;
            messages = Some(read);
            Ok(value)
        });
        let members = members.filter(|_| scan.end().is_ok()).ok_or_else(|| Failed::caller("expected a JSON object"))?;
        Ok(Self { members, messages: messages.ok_or_else(|| MESSAGES.missing("an array of messages")) })
    }
}

/// The members of each message, in order.
pub(in crate::provider) struct Messages<'a> {
    all: Vec<Object<'a>>,
    /// What keeps those that follow from being read.
    halt: Option<Halt<Failed>>,
}

impl<'a> Messages<'a> {
    /// Goes over the next value.
    fn take(scan: &mut Scan<'a>) -> Result<Self, Stop> {
        let before = scan.clone();
        let mut all = Vec::new();
        let walk = scan.array(|scan, index| {
            let message = Object::take_with(scan, &mut |scan, _| scan.leap());
            all.push(message.filter(|_| index < MAX_MESSAGES).ok_or(Halt::Element(index))?);
            Ok(())
        });
        let halt = walk.err();
        if halt.is_some() {
            *scan = before;
            scan.leap()?;
        }
        Ok(Self { all, halt })
    }

    /// The messages in `text`.
    #[cfg(test)]
    pub(in crate::provider) fn read(text: &'a str) -> Self {
        Self::take(&mut Scan::new(text)).unwrap_or(Self { all: Vec::new(), halt: Some(Halt::NotAnArray) })
    }

    /// Calls `visit` with each message and where it is.
    #[inline(never)]
    pub(in crate::provider) fn each(self, visit: &mut dyn FnMut(&Object<'a>, Path<'_>) -> Result<(), Failed>) -> Result<(), Failed> {
        for (index, message) in self.all.iter().enumerate() {
            visit(message, MESSAGES.index(index))?;
        }
        match self.halt {
            None => Ok(()),
            Some(Halt::NotAnArray) => Err(MESSAGES.expected("an array of messages")),
            Some(Halt::Element(index)) => Err(MESSAGES.index(index).expected("an object")),
            Some(Halt::Visitor(failed)) => Err(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contents of the messages, and the member that is wrong.
    fn contents(body: &str) -> Result<Vec<String>, (Vec<String>, Option<String>)> {
        let mut seen = Vec::new();
        let outcome = Request::read(body).and_then(|request| request.messages).and_then(|messages| {
            messages.each(&mut |message, at| {
                seen.push(message.find("content").unwrap_or("none").to_owned());
                if message.find("bad").is_some() { Err(at.member("bad").unsupported("bad")) } else { Ok(()) }
            })
        });
        match outcome {
            Ok(()) => Ok(seen),
            Err(failed) => Err((seen, failed.param)),
        }
    }

    #[test]
    fn messages_are_visited_until_something_is_wrong() {
        for (messages, expected) in [
            (r#"[]"#, Ok(&[][..])),
            (r#"[ {"content":"a"} , {"content":[{"x":"]}"}]} ]"#, Ok(&[r#""a""#, r#"[{"x":"]}"}]"#][..])),
            (r#"[{},{"content":"b","bad":1},7]"#, Err((&["none", r#""b""#][..], "messages[1].bad"))),
            (r#"[{"content":null},"x",{}]"#, Err((&["none"], "messages[1]"))),
            (r#"[[],{}]"#, Err((&[], "messages[0]"))),
            (r#"{"content":"a"}"#, Err((&[], "messages"))),
            (r#""[]""#, Err((&[], "messages"))),
            (r#"null"#, Err((&[], "messages"))),
        ] {
            let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let expected = expected.map(owned).map_err(|(seen, param): (&[&str], &str)| (owned(seen), Some(param.to_owned())));
            assert_eq!(contents(&format!(r#"{{"a":1,"messages":{messages},"b":2}}"#)), expected, "{messages}");
        }
    }

    #[test]
    fn members_stand_beside_the_messages_however_those_are() {
        for messages in [r#"[{"content":"a"}]"#, "[[{}],7]", r#""x""#, "null", "{}"] {
            let body = format!(r#" {{"model":"m","messages":{messages},"user":"u"}} "#);
            let request = Request::read(&body).unwrap_or_else(|failed| panic!("{body}: {failed:?}"));
            let found = ["model", "messages", "user"].map(|name| request.members.find(name));
            assert_eq!(found, [Some(r#""m""#), Some(messages).filter(|value| *value != "null"), Some(r#""u""#)], "{body}");
        }
    }

    #[test]
    fn the_first_messages_count_and_null_does_not() {
        let body = r#"{"messages":null,"m\u0065ssages":[{"content":1}],"messages":[{"content":2}]}"#;
        assert_eq!(contents(body), Ok(vec!["1".to_owned()]));
    }

    #[test]
    fn what_is_no_object_is_no_request() {
        for body in ["", "[]", "null", r#"{"messages":[]"#, r#"{"messages":[{}]}x"#, r#"{"messages":[{"a":"]}"#] {
            assert_eq!(contents(body), Err((vec![], None)), "{body}");
        }
    }

    #[test]
    fn no_conversation_is_longer_than_the_limit() {
        let body = |messages: usize| format!(r#"{{"messages":[{}{{}}]}}"#, "{},".repeat(messages - 1));
        assert_eq!(contents(&body(MAX_MESSAGES)).map(|seen| seen.len()), Ok(MAX_MESSAGES));
        let refused = contents(&body(MAX_MESSAGES + 1)).map_err(|(seen, param)| (seen.len(), param));
        assert_eq!(refused, Err((MAX_MESSAGES, Some(format!("messages[{MAX_MESSAGES}]")))));
    }
}
