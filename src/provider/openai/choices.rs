//! The choices of an answer or a chunk, gone over where they stand, and what is mended in each: why it ended, and
//! reasoning under the one name that clients look for.

use super::patch::Patch;
use crate::openai::members::{NotAnObject, decode};
use crate::openai::scan::{Scan, Stop};
use crate::provider::Fault;
use crate::provider::translate::json::inner;

/// Why an answer is not gone over to its end.
pub(super) struct Halt(pub(super) Fault);

impl From<Stop> for Halt {
    fn from(_: Stop) -> Self {
        Self(Fault::Malformed)
    }
}

impl From<NotAnObject> for Halt {
    fn from(_: NotAnObject) -> Self {
        Self(Fault::Malformed)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

/// One choice; all parts as they are written, `null` as absent.
#[derive(Default)]
pub(super) struct Choice<'a> {
    pub whole: &'a str,
    pub index: u64,
    /// `finish_reason`, also if it is `null`.
    pub finish: Option<&'a str>,
    /// A fault of the vendor's, as OpenRouter reports one.
    pub error: Option<&'a str>,
    /// `usage`, which Moonshot has here.
    pub usage: Option<&'a str>,
    /// `message` or `delta`.
    pub said: Said<'a>,
    /// The same where it is no object.
    pub other: Option<&'a str>,
}

/// What a message or a delta says.
#[derive(Default)]
pub(super) struct Said<'a> {
    /// Empty if it is not there.
    pub whole: &'a str,
    /// `role`, whatever it is.
    role: Option<&'a str>,
    content: Option<&'a str>,
    reasoning_content: Option<&'a str>,
    reasoning: Option<&'a str>,
    reasoning_details: Option<&'a str>,
    pub tool_calls: Option<&'a str>,
    function_call: Option<&'a str>,
    pub annotated: bool,
    /// Bytes of anything else but the role: a refusal, audio, what is invented tomorrow.
    others: usize,
}

/// Visits the choices in the array that is the next value.
pub(super) fn each<'a>(scan: &mut Scan<'a>, message: &str, mut visit: impl FnMut(Choice<'a>) -> Result<(), Fault>) -> Result<(), Halt> {
    scan.array(|scan, _| {
        let mut choice = Choice::default();
        let (whole, ()) = scan.written(|scan| {
            scan.object(|scan, name| {
                let name = decode(name);
                if name.as_deref() == Some(message) && scan.peek() == Some(b'{') {
                    let (whole, said) = scan.written(said)?;
                    choice.said = Said { whole, ..said };
                    return Ok(());
                }
                let value = scan.value()?;
                match name.as_deref() {
                    Some(name) if name == message => choice.other = Some(value),
                    Some("index") => choice.index = value.parse().unwrap_or(0),
                    Some("finish_reason") => choice.finish = Some(value),
                    Some("error") if value != "null" => choice.error = Some(value),
                    Some("usage") => choice.usage = Some(value),
                    _ => {}
                }
                Ok::<_, Halt>(())
            })
        })?;
        choice.whole = whole;
        visit(choice)?;
        Ok(())
    })
}

fn said<'a>(scan: &mut Scan<'a>) -> Result<Said<'a>, Halt> {
    let mut said = Said::default();
    scan.object(|scan, name| {
        let value = scan.value()?;
        let name = decode(name);
        if name.as_deref() == Some("role") {
            said.role = Some(value);
            return Ok::<_, Halt>(());
        }
        if is_blank(value) {
            return Ok(());
        }
        match name.as_deref() {
            Some("content") => said.content = Some(value),
            Some("reasoning_content") => said.reasoning_content = Some(value),
            Some("reasoning") => said.reasoning = Some(value),
            Some("reasoning_details") => said.reasoning_details = Some(value),
            Some("tool_calls") => said.tool_calls = Some(value),
            Some("function_call") => said.function_call = Some(value),
            Some("annotations") => said.annotated = true,
            // Numbers count something and say nothing.
            _ if value.starts_with(['"', '[', '{']) => said.others += text_bytes(value),
            _ => {}
        }
        Ok(())
    })?;
    Ok(said)
}

/// Whether a value says nothing.
pub(super) fn is_blank(value: &str) -> bool {
    match value {
        "null" | r#""""# => true,
        _ => value.strip_prefix(['[', '{']).is_some_and(|rest| matches!(rest.trim_ascii_start(), "]" | "}")),
    }
}

impl Said<'_> {
    /// Whether it is anything but a role.
    pub(super) fn anything(&self) -> bool {
        let parts = [self.content, self.reasoning_content, self.reasoning, self.reasoning_details, self.tool_calls, self.function_call];
        parts.iter().any(Option::is_some) || self.others > 0
    }

    /// What it calls functions by.
    pub(super) fn calls(&self) -> Called {
        match (self.tool_calls, self.function_call) {
            (Some(_), _) => Called::Tools,
            (None, Some(_)) => Called::Function,
            (None, None) => Called::Nothing,
        }
    }

    /// Bytes the model has written of it, calls aside; reasoning counts once however often it is told.
    pub(super) fn bytes(&self) -> u64 {
        let reasoning = self.reasoning_content.or(self.reasoning).or(self.reasoning_details);
        let texts = [self.content, reasoning].into_iter().flatten().map(text_bytes).sum::<usize>();
        let call = self.function_call.map_or(0, call_bytes);
        (texts + self.others + call) as u64
    }
}

impl<'a> Said<'a> {
    /// Says whose words these are, where the vendor does not.
    pub(super) fn name_role(&self, patch: &mut Patch<'a>) {
        match self.role {
            Some(role) if is_blank(role) => patch.set(role, r#""assistant""#),
            Some(_) => {}
            None => patch.add(self.whole, r#""role":"assistant""#),
        }
    }

    /// Takes the role out of a delta that is not the first: clients join the pieces of every text.
    pub(super) fn leave_role_out(&self, patch: &mut Patch<'a>) {
        if self.role.is_none_or(is_blank) {
            return;
        }
        let mut members = Vec::with_capacity(4);
        // It has been gone over before.
        let _ = Scan::new(self.whole).object(|scan, name| {
            members.push((name, scan.value()?));
            Ok::<_, Stop>(())
        });
        patch.remove(&members, |_, (name, _)| decode(name).as_deref() == Some("role"));
    }

    /// Adds `reasoning_content` where the vendor calls it otherwise: `reasoning` at Groq, Together, Ollama, vLLM,
    /// OpenRouter; `reasoning_details` at OpenRouter
    /// (<https://openrouter.ai/docs/use-cases/reasoning-tokens>).
    pub(super) fn name_reasoning(&self, patch: &mut Patch<'a>) {
        if self.reasoning_content.is_some() {
            return;
        }
        let text = match (self.reasoning, self.reasoning_details) {
            (Some(text), _) if text.starts_with('"') => text.to_owned(),
            (_, Some(details)) => of_details(details),
            _ => return,
        };
        if inner(&text).is_some_and(|text| !text.is_empty()) {
            patch.add(self.whole, &[r#""reasoning_content":"#, &text].concat());
        }
    }
}

/// Texts and summaries of the details, joined as they are written.
fn of_details(details: &str) -> String {
    let mut text = String::from("\"");
    // It has been gone over before: an error means that it is no array of objects.
    let _ = Scan::new(details).array(|scan, _| {
        scan.object(|scan, name| {
            let value = scan.value()?;
            if matches!(decode(name).as_deref(), Some("text" | "summary")) {
                text.push_str(inner(value).unwrap_or_default());
            }
            Ok::<_, Stop>(())
        })
    });
    text.push('"');
    text
}

/// Bytes of a text, or of anything else as it is written.
pub(super) fn text_bytes(value: &str) -> usize {
    value.len() - if value.starts_with('"') { 2 } else { 0 }
}

/// Bytes of a function's name and arguments.
pub(super) fn call_bytes(function: &str) -> usize {
    let mut bytes = 0;
    let _ = Scan::new(function).object(|scan, name| {
        let value = scan.value()?;
        if matches!(decode(name).as_deref(), Some("name" | "arguments")) && value != "null" {
            bytes += text_bytes(value);
        }
        Ok::<_, Stop>(())
    });
    bytes
}

/// Calls in the newer form, in the older, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Called {
    #[default]
    Nothing,
    Function,
    Tools,
}

impl Called {
    /// Why an answer with such calls ended.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Nothing => "stop",
            Self::Function => "function_call",
            Self::Tools => "tool_calls",
        }
    }
}

/// Why a choice ended, in OpenAI's words.
#[derive(Debug, PartialEq)]
pub(super) enum Finish {
    /// It has not.
    Not,
    /// Said as OpenAI says it, or in a word that nobody knows.
    AsSaid,
    Means(&'static str),
}

/// Reads a `finish_reason`. `called` says whether there are calls: clients look for them when, and only when, they
/// are told so. Some vendors end an answer by failing.
pub(super) fn finish(literal: &str, called: Called) -> Result<Finish, Fault> {
    let Some(word) = decode(literal).filter(|word| !word.is_empty()) else { return Ok(Finish::Not) };
    let said = match word.to_ascii_lowercase().as_str() {
        "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "completed" => "stop",
        "tool_calls" | "tool_use" | "tool_call" => "tool_calls",
        "length" | "max_tokens" | "model_length" => "length",
        "content_filter" | "safety" | "refusal" => "content_filter",
        // OpenRouter, DeepSeek, vLLM.
        "error" | "insufficient_system_resource" | "abort" => return Err(Fault::InBand(word.into_owned())),
        _ => return Ok(Finish::AsSaid),
    };
    let means = if matches!(said, "stop" | "tool_calls") { called.reason() } else { said };
    Ok(if word == means { Finish::AsSaid } else { Finish::Means(means) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_for_an_end_has_its_finish_reason() {
        for (literal, without, with) in [
            (r#""stop""#, Finish::AsSaid, Finish::Means("tool_calls")),
            (r#""tool_calls""#, Finish::Means("stop"), Finish::AsSaid),
            (r#""length""#, Finish::AsSaid, Finish::AsSaid),
            (r#""content_filter""#, Finish::AsSaid, Finish::AsSaid),
            (r#""function_call""#, Finish::AsSaid, Finish::AsSaid),
            (r#""eos""#, Finish::Means("stop"), Finish::Means("tool_calls")),
            (r#""eos_token""#, Finish::Means("stop"), Finish::Means("tool_calls")),
            (r#""end_turn""#, Finish::Means("stop"), Finish::Means("tool_calls")),
            (r#""STOP""#, Finish::Means("stop"), Finish::Means("tool_calls")),
            (r#""max_tokens""#, Finish::Means("length"), Finish::Means("length")),
            (r#""of_next_year""#, Finish::AsSaid, Finish::AsSaid),
            (r#""""#, Finish::Not, Finish::Not),
            ("null", Finish::Not, Finish::Not),
            ("7", Finish::Not, Finish::Not),
        ] {
            assert_eq!((finish(literal, Called::Nothing), finish(literal, Called::Tools)), (Ok(without), Ok(with)), "{literal}");
        }
        assert_eq!(finish(r#""stop""#, Called::Function), Ok(Finish::Means("function_call")));
        assert_eq!(finish(r#""insufficient_system_resource""#, Called::Nothing), Err(Fault::InBand("insufficient_system_resource".into())));
    }

    #[test]
    fn reasoning_has_one_name_and_keeps_the_vendors() {
        for (message, expected) in [
            (r#"{"content":"x","reasoning":"h\nm"}"#, r#"{"content":"x","reasoning":"h\nm","reasoning_content":"h\nm"}"#),
            (r#"{"reasoning":"a","reasoning_content":"b"}"#, r#"{"reasoning":"a","reasoning_content":"b"}"#),
            (r#"{"reasoning":null,"reasoning_content":""}"#, r#"{"reasoning":null,"reasoning_content":""}"#),
            (
                r#"{"reasoning_details":[{"type":"reasoning.text","text":"a"},{"type":"reasoning.summary","summary":"b"},{"data":"x"}]}"#,
                r#"{"reasoning_details":[{"type":"reasoning.text","text":"a"},{"type":"reasoning.summary","summary":"b"},{"data":"x"}],"reasoning_content":"ab"}"#,
            ),
            (
                r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#,
                r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#,
            ),
            (r#"{"reasoning":{"effort":"low"}}"#, r#"{"reasoning":{"effort":"low"}}"#),
        ] {
            let text = format!(r#"[{{"message":{message}}}]"#);
            let mut patch = Patch::new(&text);
            let visited = each(&mut Scan::new(&text), "message", |choice| {
                choice.said.name_reasoning(&mut patch);
                Ok(())
            });
            assert!(visited.is_ok());
            assert_eq!(patch.apply(&text), format!(r#"[{{"message":{expected}}}]"#));
        }
    }
}
