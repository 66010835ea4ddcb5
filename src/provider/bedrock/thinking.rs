//! Reasoning on its way there and back. Anthropic's models sign theirs, and want it unchanged at the
//! beginning of the turn whose tools are answered
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningContentBlock.html>).
//!
//! OpenAI's schema has no place for signatures. They travel in `thinking_blocks` of the message, in
//! Anthropic's own form, which a client sends back with the rest of what it was given.

use super::conversation::Conversation;
use super::part::Place;
use crate::provider::Failed;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};

/// More blocks than any turn has.
const MAX_BLOCKS: usize = 1024;

/// Appends the signed blocks of a message; returns whether there were any.
pub(super) fn blocks(to: &mut Conversation<'_>, blocks: &str, at: Path<'_>) -> Result<bool, Failed> {
    let mut any = false;
    let visit = |_: usize, block: Object<'_>| {
        let literal = |name: &str| block.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty()));
        match (block.text("type").as_deref(), literal("signature"), literal("data")) {
            (Some("thinking"), Some(signature), _) => {
                let text = block.find("thinking").filter(|value| inner(value).is_some()).unwrap_or(r#""""#);
                let out = to.block(Place::Assistant);
                for piece in [r#"{"reasoningContent":{"reasoningText":{"text":"#, text, r#","signature":"#, signature, "}}}"] {
                    out.extend_from_slice(piece.as_bytes());
                }
                any = true;
            }
            (Some("redacted_thinking"), _, Some(data)) => {
                let out = to.block(Place::Assistant);
                for piece in [r#"{"reasoningContent":{"redactedContent":"#, data, "}}"] {
                    out.extend_from_slice(piece.as_bytes());
                }
                any = true;
            }
            // Without a signature it is another model's, and nobody would believe it.
            _ => to.adjustments.dropped("messages[].", "thinking_blocks[]"),
        }
        Ok(())
    };
    elements(blocks, MAX_BLOCKS, visit).map_err(|halt| match halt {
        Halt::NotAnArray => at.expected("an array"),
        Halt::Element(index) => at.index(index).expected("an object"),
        Halt::Visitor(failed) => failed,
    })?;
    Ok(any)
}

/// One block of an answer, as literals.
#[derive(Debug, Clone, Copy)]
pub(super) enum Block<'a> {
    /// `reasoningText`, or in a stream a piece of it, or of its signature.
    Thinking { text: Option<&'a str>, signature: Option<&'a str> },
    /// `redactedContent`
    Redacted(&'a str),
}

/// Appends `{…}`, an entry of `thinking_blocks`; in a stream the entries of one block have its `index`.
pub(super) fn entry(block: Block<'_>, index: Option<usize>, out: &mut Vec<u8>) {
    out.push(b'{');
    if let Some(index) = index {
        out.extend_from_slice(format!(r#""index":{index},"#).as_bytes());
    }
    let (kind, members): (&str, [(&str, Option<&str>); 2]) = match block {
        Block::Thinking { text, signature } => ("thinking", [("thinking", text), ("signature", signature)]),
        Block::Redacted(data) => ("redacted_thinking", [("data", Some(data)), ("", None)]),
    };
    for piece in [r#""type":""#, kind, "\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    for (name, literal) in members {
        for piece in literal.iter().flat_map(|literal| [",\"", name, "\":", *literal]) {
            out.extend_from_slice(piece.as_bytes());
        }
    }
    out.push(b'}');
}
