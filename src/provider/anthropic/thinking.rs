//! What the model thought, on its way through a client of OpenAI's and back
//! (<https://platform.claude.com/docs/en/build-with-claude/thinking>, "Preserving thinking blocks").
//!
//! The API signs its thoughts and wants them back unchanged before the results of tools. A message
//! carries them as `thinking_blocks`, a list of the API's own blocks; in a stream every entry has an
//! `index`, by which clients put the pieces together. `reasoning_content` says the same in words; without
//! a signature it is of no use to the API.
//!
//! A signature is good for one place alone. What was not thought first has `after`, a member of ours, that
//! says what stood before it: `{"characters": 12, "tool_calls": 1}`.

use crate::provider::translate::json::{Object, elements, inner};

/// More blocks than any message has.
const MAX_BLOCKS: usize = 4096;

/// What stood before a block in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct After {
    /// Of the text.
    pub characters: u64,
    /// Tool calls.
    pub calls: usize,
}

impl After {
    /// The member with a comma before it; nothing for what was thought first.
    fn member(self) -> String {
        match self {
            Self { characters: 0, calls: 0 } => String::new(),
            Self { characters, calls } => format!(r#","after":{{"characters":{characters},"tool_calls":{calls}}}"#),
        }
    }
}

/// A block of a message: where it stood, and as the API wants it.
pub(super) type Thought = (After, Vec<u8>);

/// The blocks of a message. `None` if one of them is not the API's own, as those of other vendors are: it
/// refuses a list that is not complete.
pub(super) fn read(blocks: &str) -> Option<Vec<Thought>> {
    let mut thoughts = Vec::new();
    elements(blocks, MAX_BLOCKS, |_, block: Object<'_>| {
        let after = block.object("after").map(|after| After {
            characters: after.number("characters").unwrap_or(0),
            calls: after.number("tool_calls").and_then(|calls| usize::try_from(calls).ok()).unwrap_or(0),
        });
        let mut out = Vec::new();
        write(&block, After::default(), &mut out).ok_or(())?;
        thoughts.push((after.unwrap_or_default(), out));
        Ok::<_, ()>(())
    })
    .ok()?;
    Some(thoughts)
}

/// Appends a `thinking` or `redacted_thinking` block as the API has it, and where it stands; `None` if it is
/// neither, or not signed.
pub(super) fn write(block: &Object<'_>, after: After, out: &mut Vec<u8>) -> Option<()> {
    let said = |name: &str| block.find(name).filter(|value| inner(value).is_some_and(|text| !text.is_empty()));
    match block.text("type").as_deref() {
        Some("thinking") => {
            // Kept from us, it may be kept from the client as well.
            let thinking = block.find("thinking").unwrap_or(r#""""#);
            let (_, signature) = (inner(thinking)?, said("signature")?);
            for piece in [r#"{"type":"thinking","thinking":"#, thinking, r#","signature":"#, signature, &after.member(), "}"] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
        Some("redacted_thinking") => {
            for piece in [r#"{"type":"redacted_thinking","data":"#, said("data")?, &after.member(), "}"] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
        _ => return None,
    }
    Some(())
}

/// The entries of a streamed answer: which block of the API's is which.
#[derive(Default)]
pub(super) struct Entries {
    /// Entries begun.
    count: usize,
    /// The block of the last one.
    block: Option<u64>,
}

impl Entries {
    /// The beginning of the delta for a block: `"thinking_blocks":[{"index":0,"type":"thinking"`. It
    /// ends with a member, a closing brace and a closing bracket. Where it stands is said once, since
    /// clients add numbers up.
    pub(super) fn of(&mut self, block: u64, kind: &str, after: After) -> String {
        let mut place = String::new();
        if self.block != Some(block) {
            self.block = Some(block);
            self.count += 1;
            place = after.member();
        }
        format!(r#""thinking_blocks":[{{"index":{},"type":"{kind}"{place}"#, self.count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blocks_that_the_api_has_signed_go_back() {
        let read = |blocks: &str| {
            let written: Vec<Vec<u8>> = read(blocks)?.into_iter().map(|(_, block)| block).collect();
            Some(String::from_utf8(written.join(&b',')).expect("UTF-8"))
        };
        let thought = r#"{"type":"thinking","thinking":"a\n","signature":"c2ln"}"#;
        let hidden = r#"{"type":"redacted_thinking","data":"ZGF0YQ=="}"#;
        for (blocks, expected) in [
            ("[]".to_owned(), Some(String::new())),
            (format!("[{thought},{hidden}]"), Some(format!("{thought},{hidden}"))),
            (r#"[{"index":0,"signature":"c2ln","thinking":"a\n","type":"thinking"}]"#.into(), Some(thought.to_owned())),
            (
                r#"[{"type":"thinking","thinking":"","signature":"c2ln"}]"#.into(),
                Some(r#"{"type":"thinking","thinking":"","signature":"c2ln"}"#.into()),
            ),
            (format!(r#"[{thought},{{"type":"thinking","thinking":"b"}}]"#), None),
            (r#"[{"type":"thinking","thinking":"b","signature":""}]"#.into(), None),
            (r#"[{"type":"thinking","thinking":["b"],"signature":"x"}]"#.into(), None),
            (r#"[{"type":"thinking","signature":"x"}]"#.into(), Some(r#"{"type":"thinking","thinking":"","signature":"x"}"#.into())),
            (r#"[{"type":"redacted_thinking"}]"#.into(), None),
            (r#"[{"type":"reasoning.encrypted","data":"x"}]"#.into(), None),
            ("[7]".into(), None),
            (r#"{"type":"thinking"}"#.into(), None),
            ("7".into(), None),
        ] {
            assert_eq!(read(&blocks), expected, "{blocks}");
        }
    }

    #[test]
    fn entries_are_counted_alone() {
        let mut entries = Entries::default();
        let after = |calls| After { characters: 0, calls };
        let blocks = [(3, 0), (3, 0), (5, 2), (5, 2), (6, 0)];
        let begins: Vec<String> = blocks.into_iter().map(|(block, calls)| entries.of(block, "thinking", after(calls))).collect();
        let of = |index: usize, place: &str| format!(r#""thinking_blocks":[{{"index":{index},"type":"thinking"{place}"#);
        assert_eq!(begins, [of(0, ""), of(0, ""), of(1, r#","after":{"characters":0,"tool_calls":2}"#), of(1, ""), of(2, "")]);
    }
}
