//! `tool_choice` and `parallel_tool_calls`
//! (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools#forcing-tool-use>).

use std::borrow::Cow;

use super::generation::Generation;
use crate::openai::members::decode;
use crate::provider::Failed;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::tools::named;

/// More tools than either API takes.
const MAX_TOOLS: usize = 4096;

const CHOICE: Path<'static> = Path::root("tool_choice");

/// Which tools the caller wants called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// Not said.
    Free,
    /// The model decides.
    Auto,
    /// None.
    Never,
    /// Any, but one of them.
    Any,
    /// The one of this name, as written with its quotes.
    Named(&'a str),
    /// None but those of these names, decoded; and whether it has to be one.
    Allowed(Vec<Cow<'a, str>>, bool),
}

/// How the caller wants tools called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish<'a> {
    pub choice: Choice<'a>,
    /// One at a time.
    serial: bool,
}

impl<'a> Wish<'a> {
    pub(super) fn read(body: &Object<'a>) -> Result<Self, Failed> {
        let serial = match body.find("parallel_tool_calls") {
            None | Some("true") => false,
            Some("false") => true,
            Some(_) => return Err(Path::root("parallel_tool_calls").expected("true or false")),
        };
        let choice = match body.find("tool_choice").map(|value| (decode(value), value)) {
            None => Choice::Free,
            Some((Some(word), _)) => match word.as_ref() {
                "auto" => Choice::Auto,
                "none" => Choice::Never,
                "required" => Choice::Any,
                _ => return Err(CHOICE.expected("one of none, auto, required, or an object that names a function")),
            },
            Some((None, value)) => object(value)?,
        };
        Ok(Self { choice, serial })
    }

    /// Whether one of them has to be called.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.choice, Choice::Any | Choice::Named(_) | Choice::Allowed(_, true))
    }

    /// Whether a tool may be called at all.
    pub(super) fn allows(&self, tool: &Object<'_>) -> bool {
        let Choice::Allowed(names, _) = &self.choice else { return true };
        let name = tool.object("function").and_then(|function| function.text("name").map(Cow::into_owned));
        name.is_some_and(|name| names.iter().any(|allowed| *allowed == name))
    }

    /// What a model is told that cannot be forced, as the inside of a string literal.
    pub(super) fn in_words(&self) -> Option<String> {
        match self.choice {
            Choice::Any | Choice::Allowed(_, true) => Some("Answer with a call of a tool, not with a text.".to_owned()),
            Choice::Named(name) => Some(format!("Answer with a call of the tool {}, not with a text.", inner(name)?)),
            Choice::Free | Choice::Auto | Choice::Never | Choice::Allowed(_, false) => None,
        }
    }

    /// Appends `,"tool_choice":{…}`, unless it is what the API does by itself.
    pub(super) fn write(&self, generation: Generation, out: &mut Vec<u8>) {
        let (kind, name) = match self.choice {
            Choice::Free if !self.serial => return,
            Choice::Never => ("none", None),
            Choice::Any | Choice::Allowed(_, true) if generation.forces_tools() => ("any", None),
            Choice::Named(name) if generation.forces_tools() => ("tool", Some(name)),
            _ => ("auto", None),
        };
        for piece in [r#","tool_choice":{"type":""#, kind, "\""] {
            out.extend_from_slice(piece.as_bytes());
        }
        if let Some(name) = name {
            out.extend_from_slice(br#","name":"#);
            out.extend_from_slice(name.as_bytes());
        }
        if self.serial && kind != "none" {
            out.extend_from_slice(br#","disable_parallel_tool_use":true"#);
        }
        out.push(b'}');
    }
}

/// `{"type": "function", "function": {"name"}}` or
/// `{"type": "allowed_tools", "allowed_tools": {"mode", "tools": [{"type": "function", "function": {"name"}}]}}`.
fn object(value: &str) -> Result<Choice<'_>, Failed> {
    let choice = Object::read(value).ok_or_else(|| CHOICE.expected("a string or an object"))?;
    match choice.text("type").as_deref() {
        Some("function") => named(&choice, CHOICE).map(Choice::Named),
        Some("allowed_tools") => {
            let allowed_at = CHOICE.member("allowed_tools");
            let allowed = choice.object("allowed_tools").ok_or_else(|| allowed_at.expected("an object"))?;
            let forced = match allowed.text("mode").as_deref() {
                Some("auto") => false,
                Some("required") => true,
                _ => return Err(allowed_at.member("mode").expected("auto or required")),
            };
            let tools_at = allowed_at.member("tools");
            let tools = allowed.find("tools").ok_or_else(|| tools_at.missing("an array of tools"))?;
            let mut names = Vec::new();
            let each = |index: usize, tool: Object<'_>| {
                let at = tools_at.index(index);
                if tool.text("type").as_deref() != Some("function") {
                    return Err(at.member("type").unsupported("only function is supported by this model's provider"));
                }
                let name = named(&tool, at)?;
                names.push(Cow::Owned(decode(name).ok_or_else(|| at.expected("a name"))?.into_owned()));
                Ok(())
            };
            elements(tools, MAX_TOOLS, each).map_err(|halt| match halt {
                Halt::NotAnArray => tools_at.expected("an array of tools"),
                Halt::Element(index) => tools_at.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
            Ok(Choice::Allowed(names, forced))
        }
        _ => Err(CHOICE.member("type").unsupported("only function and allowed_tools are supported by this model's provider")),
    }
}
