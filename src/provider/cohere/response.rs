//! An answer becomes a chat completion (<https://docs.cohere.com/v2/reference/chat>, "Response").

use super::{finish_reason, in_band, may_be_empty, usage};
use crate::provider::translate::answer::{Message, call_id};
use crate::provider::translate::json::{Halt, Object, elements, inner, is_blank, write_dense};
use crate::provider::{Answer, Envelope, Fault};

/// More blocks, calls or citations than any answer has.
const MAX_PIECES: usize = 65_536;

/// The whole answer.
pub(super) fn translate(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let answer = Object::read(text).ok_or(Fault::Malformed)?;
    let message = answer.object("message").ok_or_else(|| in_band(&answer))?;
    let reason = answer.text("finish_reason").unwrap_or_default();
    let mut said = Message::default();
    if let Some(plan) = message.find("tool_plan") {
        said.reasoning.extend_from_slice(inner(plan).ok_or(Fault::Malformed)?.as_bytes());
    }
    let content = message.find("content").unwrap_or("[]");
    match inner(content) {
        Some(text) => said.text.extend_from_slice(text.as_bytes()),
        None => {
            said.text.reserve(content.len());
            each(content, |_, block| take(&mut said, &block))?;
        }
    }
    each(message.find("tool_calls").unwrap_or("[]"), |index, made| {
        let call = Call::read(&made)?;
        let id = call.id.map_or_else(|| call_id(envelope, index), str::to_owned);
        said.call(&id, call.name.ok_or(Fault::Malformed)?, &call.arguments()?, b"");
        Ok(())
    })?;
    let finish = finish_reason(&reason, said.count > 0)?;
    if said.text.is_empty() && said.count == 0 && !may_be_empty(&reason) {
        return Err(Fault::Malformed);
    }
    if let Some(citations) = message.find("citations") {
        annotate(citations, content, &mut said)?;
    }
    let logprobs = answer.find("logprobs").and_then(logprobs);
    let usage = answer.object("usage").and_then(|said| usage(&said));
    Ok(said.answer(envelope, finish, logprobs.as_deref(), usage))
}

/// Visits the objects of an array.
fn each<'a>(array: &'a str, visit: impl FnMut(usize, Object<'a>) -> Result<(), Fault>) -> Result<(), Fault> {
    elements(array, MAX_PIECES, visit).map(|_| ()).map_err(|halt| match halt {
        Halt::NotAnArray | Halt::Element(_) => Fault::Malformed,
        Halt::Visitor(fault) => fault,
    })
}

fn take(said: &mut Message, block: &Object<'_>) -> Result<(), Fault> {
    match block.text("type").ok_or(Fault::Malformed)?.as_ref() {
        "text" => said.text.extend_from_slice(block.literal("text").ok_or(Fault::Malformed)?.as_bytes()),
        "thinking" => said.reasoning.extend_from_slice(block.literal("thinking").ok_or(Fault::Malformed)?.as_bytes()),
        // What is invented tomorrow.
        _ => {}
    }
    Ok(())
}

/// A tool call, whole or the beginning of one.
pub(super) struct Call<'a> {
    /// String literal; not empty.
    pub id: Option<&'a str>,
    /// String literal; not empty.
    pub name: Option<&'a str>,
    /// As they are written, usually a string literal.
    pub written: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// `{"id", "type", "function": {"name", "arguments"}}`.
    pub(super) fn read(made: &Object<'a>) -> Result<Self, Fault> {
        let filled = |object: &Object<'a>, name: &str| object.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty()));
        let function = made.object("function").ok_or(Fault::Malformed)?;
        Ok(Self { id: filled(made, "id"), name: filled(&function, "name"), written: function.find("arguments") })
    }

    /// The arguments as a string literal; a call without any has an empty object.
    pub(super) fn arguments(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.piece()?.unwrap_or_else(|| br#""{}""#.to_vec()))
    }

    /// The arguments as a string literal, if there are any.
    pub(super) fn piece(&self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(written) = self.written else { return Ok(None) };
        match inner(written) {
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

/// Adds `annotations` for the sources that have an address; OpenAI has no place for others.
fn annotate(citations: &str, content: &str, said: &mut Message) -> Result<(), Fault> {
    let mut written = Vec::new();
    let mut starts = None;
    each(citations, |_, cited| {
        let block = cited.number("content_index").unwrap_or(0) as usize;
        let before = written.len();
        annotations(&cited, 0, None, &mut written);
        if written.len() > before && block > 0 {
            // Positions count from the beginning of their block.
            let start = starts.get_or_insert_with(|| block_starts(content)).get(block).copied().unwrap_or(0);
            written.truncate(before);
            annotations(&cited, start, None, &mut written);
        }
        Ok(())
    })?;
    if !written.is_empty() {
        said.more.extend_from_slice(br#","annotations":["#);
        said.more.extend_from_slice(&written);
        said.more.push(b']');
    }
    Ok(())
}

/// Where in the whole text each block begins, in characters.
fn block_starts(content: &str) -> Vec<u64> {
    let (mut starts, mut at) = (Vec::new(), 0);
    // The blocks have been gone over before.
    let _ = each(content, |_, block| {
        starts.push(at);
        at += block.text("text").map_or(0, |text| text.chars().count() as u64);
        Ok(())
    });
    starts
}

/// Appends OpenAI's `url_citation` for every source of a citation that has an address, separated by
/// commas. `start` is added to its positions. Those of a stream have an `index`, by which clients put them
/// together: the first one's is given, and is left as that of the next.
pub(super) fn annotations(cited: &Object<'_>, start: u64, mut index: Option<&mut usize>, out: &mut Vec<u8>) {
    if cited.text("type").is_some_and(|kind| kind != "TEXT_CONTENT") {
        return;
    }
    let Some(sources) = cited.find("sources") else { return };
    let at = |name: &str| cited.number(name).unwrap_or(0).saturating_add(start);
    // A source of another shape has no address.
    let _ = each(sources, |_, source| {
        let Some(document) = source.object("document").or_else(|| source.object("tool_output")) else { return Ok(()) };
        let Some(url) = document.find("url").filter(|url| inner(url).is_some_and(|url| !url.is_empty())) else { return Ok(()) };
        let title = document.find("title").filter(|title| inner(title).is_some()).unwrap_or(url);
        if !out.is_empty() {
            out.push(b',');
        }
        let number = index.as_deref_mut().map(|index| {
            *index += 1;
            format!(r#""index":{},"#, *index - 1)
        });
        let positions = format!(r#","start_index":{},"end_index":{}}}}}"#, at("start"), at("end"));
        let number = number.as_deref().unwrap_or_default();
        for piece in ["{", number, r#""type":"url_citation","url_citation":{"url":"#, url, r#","title":"#, title, &positions] {
            out.extend_from_slice(piece.as_bytes());
        }
        Ok(())
    });
}

/// OpenAI's `logprobs` for an array of `{"text", "token_ids", "logprobs"}`; a text of several tokens
/// has the sum of theirs. `None` if there are none.
pub(super) fn logprobs(items: &str) -> Option<Vec<u8>> {
    let mut out = br#"{"content":["#.to_vec();
    let empty = out.len();
    each(items, |_, item| {
        let text = item.find("text").filter(|text| inner(text).is_some()).ok_or(Fault::Malformed)?;
        let mut sum = 0.0;
        let add = |_, logprob: &str| logprob.parse::<f64>().map(|logprob| sum += logprob);
        elements(item.find("logprobs").unwrap_or("[]"), MAX_PIECES, add).map_err(|_| Fault::Malformed)?;
        if !f64::is_finite(sum) {
            return Err(Fault::Malformed);
        }
        if out.len() > empty {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"token":"#);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(format!(r#","logprob":{sum},"bytes":null,"top_logprobs":[]}}"#).as_bytes());
        Ok(())
    })
    .ok()?;
    let any = out.len() > empty;
    out.extend_from_slice(br#"],"refusal":null}"#);
    any.then_some(out)
}

#[cfg(test)]
mod tests;
