//! What the model says, whole or in pieces: a content is a text or an array of chunks
//! (<https://docs.mistral.ai/capabilities/reasoning/>), arguments are a text or an object.

use crate::provider::Fault;
use crate::provider::translate::json::{Halt, Object, elements, inner, is_blank, write_dense};

/// More chunks or calls than any answer has.
const MAX_PIECES: usize = 65_536;

/// Visits the objects of an array.
pub(super) fn each<'a>(array: &'a str, visit: impl FnMut(usize, Object<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
    elements(array, MAX_PIECES, visit).map(|_| ()).map_err(|halt| match halt {
        Halt::NotAnArray | Halt::Element(_) => Fault::Malformed,
        Halt::Visitor(fault) => fault,
    })
}

/// Appends text and thoughts of a content, as they stand between quotes.
pub(super) fn content(content: &str, text: &mut Vec<u8>, thoughts: &mut Vec<u8>) -> Result<(), Fault> {
    if let Some(plain) = inner(content) {
        text.extend_from_slice(plain.as_bytes());
        return Ok(());
    }
    each(content, |_, chunk| {
        match chunk.text("type").ok_or(Fault::Malformed)?.as_ref() {
            "text" => text.extend_from_slice(chunk.literal("text").ok_or(Fault::Malformed)?.as_bytes()),
            "thinking" => {
                let thinking = chunk.find("thinking").ok_or(Fault::Malformed)?;
                match inner(thinking) {
                    Some(plain) => thoughts.extend_from_slice(plain.as_bytes()),
                    None => each(thinking, |_, thought| {
                        thoughts.extend_from_slice(thought.literal("text").unwrap_or_default().as_bytes());
                        Ok(())
                    })?,
                }
            }
            // References, which have no address, and what is invented tomorrow.
            _ => {}
        }
        Ok(())
    })
}

/// A tool call, whole or a piece of one.
pub(super) struct Call<'a> {
    /// String literal; neither empty nor the word `null` that stands for none.
    pub id: Option<&'a str>,
    /// String literal; not empty.
    pub name: Option<&'a str>,
    /// Where it stands among the calls; some answers number all of them 0.
    pub index: Option<u64>,
    written: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// `{"id", "type", "function": {"name", "arguments"}, "index"}`.
    pub(super) fn read(made: &Object<'a>) -> Result<Self, Fault> {
        let filled = |object: &Object<'a>, name: &str| object.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty()));
        let function = made.object("function").ok_or(Fault::Malformed)?;
        Ok(Self {
            id: filled(made, "id").filter(|id| *id != r#""null""#),
            name: filled(&function, "name"),
            index: made.number("index"),
            written: function.find("arguments"),
        })
    }

    /// The arguments as a string literal, if there are any. What continues others may be blank.
    pub(super) fn arguments(&self, continues: bool) -> Result<Option<Vec<u8>>, Fault> {
        let Some(written) = self.written else { return Ok(None) };
        match inner(written) {
            Some(_) if continues => Ok(Some(written.as_bytes().to_vec())),
            Some("null") => Ok(None),
            Some(text) if is_blank(text) => Ok(None),
            Some(_) => Ok(Some(written.as_bytes().to_vec())),
            None if written.starts_with('{') => {
                let mut literal = Vec::with_capacity(written.len() + 2);
                write_dense(written, &mut literal);
                Ok(Some(literal))
            }
            None => Err(Fault::Malformed),
        }
    }
}
