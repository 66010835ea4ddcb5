//! The texts of one streamed answer, each with its window, and the chunks of our own in which they go.

use super::chunk::{Chunk, Path, Piece};
use super::window::Window;
use crate::guard::text::review::Tally;
use crate::guard::{RuleIndex, Rules};
use crate::openai::members::encode;

/// The texts of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Texts {
    all: Vec<Text>,
    /// What every chunk has beside its choices, as the latest one said it; each member with a comma before.
    head: String,
    /// What was replaced in all of them.
    pub tally: Tally,
}

#[derive(Debug)]
struct Text {
    choice: u64,
    path: Path,
    window: Window,
    /// Pieces of it in this chunk that were not gone over.
    ahead: usize,
}

/// More than an answer has: 128 choices at most, and few of them have reasoning and tools besides a
/// content. Above it everything that waits goes, and the search begins anew.
const MAX_TEXTS: usize = 1024;

impl Texts {
    /// A chunk has come. What it interrupts or ends goes before it, unless it goes on in it.
    pub(super) fn begin(&mut self, rules: &Rules, chunk: &Chunk<'_>, out: &mut Vec<u8>) -> Result<(), RuleIndex> {
        if chunk.head.iter().any(Option::is_some) {
            self.head.clear();
            let members = ["id", "object", "created", "model"].into_iter().zip(chunk.head);
            for (name, value) in members.filter_map(|(name, value)| Some((name, value?))) {
                self.head.extend([",\"", name, "\":", value]);
            }
        }
        if self.all.len() > MAX_TEXTS {
            self.flush(rules, out)?;
            self.all.clear();
        }
        for piece in &chunk.pieces {
            let index = self.find(piece);
            self.all.iter_mut().skip(index).take(1).for_each(|text| text.ahead += 1);
        }
        self.flush_where(rules, |text| text.ahead == 0 && chunk.interrupts(text.choice), out)
    }

    /// Takes the next piece of a text; returns what of the text may go now. What may go before a match
    /// that ends the answer goes in a chunk of our own.
    pub(super) fn say(
        &mut self,
        rules: &Rules,
        index: usize,
        written: &str,
        finishes: bool,
        out: &mut Vec<u8>,
    ) -> Result<String, RuleIndex> {
        let mut said = String::with_capacity(written.len());
        let Some(text) = self.all.get_mut(index) else { return Ok(said) };
        text.ahead = text.ahead.saturating_sub(1);
        let mut outcome = text.window.push(rules, written, &mut self.tally, &mut said);
        if finishes && text.ahead == 0 {
            outcome = outcome.and_then(|()| text.window.flush(rules, &mut self.tally, &mut said));
        }
        if outcome.is_err() {
            write_chunk(&self.head, text, &said, out);
        }
        outcome.map(|()| said)
    }

    /// Everything that waits goes.
    pub(super) fn flush(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Result<(), RuleIndex> {
        self.flush_where(rules, |_| true, out)
    }

    fn flush_where(&mut self, rules: &Rules, goes: impl Fn(&Text) -> bool, out: &mut Vec<u8>) -> Result<(), RuleIndex> {
        for text in self.all.iter_mut().filter(|text| text.window.waits()) {
            if goes(text) {
                let mut said = String::new();
                let outcome = text.window.flush(rules, &mut self.tally, &mut said);
                write_chunk(&self.head, text, &said, out);
                outcome?;
            }
        }
        Ok(())
    }

    /// Which text a piece belongs to; a new one if it is the first.
    pub(super) fn find(&mut self, piece: &Piece<'_>) -> usize {
        let known = self.all.iter().rposition(|text| text.choice == piece.choice && text.path == piece.path);
        known.unwrap_or_else(|| {
            let window = Window::new(piece.json);
            self.all.push(Text { choice: piece.choice, path: piece.path.clone(), window, ahead: 0 });
            self.all.len() - 1
        })
    }

    /// A chunk that says nothing, without the line around it.
    pub(super) fn empty_chunk(&self) -> String {
        [r#"{"choices":[]"#, &self.head, "}"].concat()
    }
}

/// Appends a chunk in which only this text goes on.
fn write_chunk(head: &str, text: &Text, said: &str, out: &mut Vec<u8>) {
    if said.is_empty() {
        return;
    }
    out.extend_from_slice(b"data: {");
    out.extend_from_slice(head.strip_prefix(',').unwrap_or_default().as_bytes());
    out.extend_from_slice(if head.is_empty() { b"" } else { b"," });
    out.extend_from_slice(format!(r#""choices":[{{"index":{},"delta":{}"#, text.choice, text.path.before).as_bytes());
    encode(said, out);
    out.extend_from_slice(text.path.behind.as_bytes());
    out.extend_from_slice(b",\"finish_reason\":null}]}\n\n");
}
