//! What the rules say of a streamed answer, while it passes.
//!
//! Every text of the answer (the content of each choice, its reasoning, the arguments of each tool)
//! is searched in a window of its own. What more text could still make a match of waits there, and
//! goes in a chunk of its own if its choice goes on with something else, or ends. Events in which
//! nothing changes pass as they are.

mod chunk;
mod texts;
mod window;

use super::answer::{WITHOUT_LOGPROBS, annotated};
use super::text::review::Review;
use super::text::{closing_quote, escape, offset};
use super::{RuleIndex, Rules};
use crate::openai::members::encode;
use crate::sse::write_data;
use chunk::Chunk;
use texts::Texts;

/// What is known of a streamed answer so far.
#[derive(Debug, Default)]
pub struct StreamGuard {
    /// The beginning of an event whose end has not come.
    partial: Vec<u8>,
    texts: Texts,
    usual: Usual,
    without_logprobs: bool,
    /// How many changes the chunks have told of.
    told: usize,
    blocked: bool,
}

/// The latest event, if it said nothing but a piece of one text: most events are the same but for the
/// piece, and need not be read then.
#[derive(Debug, Default)]
struct Usual {
    /// Which of the texts.
    text: usize,
    /// Up to the piece, with the quote before it; empty if the latest event is not usual.
    before: Vec<u8>,
    /// From the quote behind the piece.
    behind: Vec<u8>,
}

/// What becomes of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// It goes on.
    Continue,
    /// It ends here; the caller tells the client.
    Blocked {
        /// Name of the rule.
        rule: String,
    },
}

/// What is kept of a buffer after a large event: streams live long, and most events are small.
const KEPT_BYTES: usize = 64 << 10;

impl Rules {
    /// Begins a streamed answer.
    pub fn stream(&self) -> StreamGuard {
        StreamGuard::default()
    }
}

impl StreamGuard {
    /// Takes the next piece of a stream of our own chunks, one `data` line an event, cut anywhere; `end`
    /// if it is the last. Appends what may go, whole events, to `out`. The rules are the same for the
    /// whole stream. After a block nothing goes any more.
    pub fn push(&mut self, rules: &Rules, piece: &[u8], end: bool, out: &mut Vec<u8>) -> Flow {
        if self.blocked {
            return Flow::Continue;
        }
        let mut outcome = self.events(rules, piece, out);
        if end && outcome.is_ok() {
            // What is left of an event without its end is no event for anybody.
            outcome = self.farewell(rules, out);
        }
        self.blocked = outcome.is_err();
        outcome.map_or_else(|rule| Flow::Blocked { rule: rules.name(rule).to_owned() }, |()| Flow::Continue)
    }

    /// The rules that replaced something so far, with how many places.
    pub fn hits(&self, rules: &Rules) -> Vec<(String, usize)> {
        self.texts.tally.hits(rules)
    }

    fn events(&mut self, rules: &Rules, mut piece: &[u8], out: &mut Vec<u8>) -> Result<(), RuleIndex> {
        while let Some((event, rest)) = split_event(&self.partial, piece) {
            piece = rest;
            if self.partial.is_empty() {
                self.event(rules, event, out)?;
                continue;
            }
            let mut whole = core::mem::take(&mut self.partial);
            whole.extend_from_slice(event);
            self.event(rules, &whole, out)?;
            whole.clear();
            whole.shrink_to(KEPT_BYTES);
            self.partial = whole;
        }
        // The codec that writes the events has bounded them.
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    /// Takes an event, with the empty line at its end.
    fn event(&mut self, rules: &Rules, event: &[u8], out: &mut Vec<u8>) -> Result<(), RuleIndex> {
        // What is no text is no event of ours.
        let Ok(text) = core::str::from_utf8(event) else { return Ok(()) };
        if let Some(written) = self.usual.piece(text) {
            let said = self.texts.say(rules, self.usual.text, written, false, out)?;
            if escape::stands_for(written, &said) {
                out.extend_from_slice(event);
            } else {
                out.extend_from_slice(&self.usual.before);
                out.extend_from_slice(inside_of_literal(&said).as_bytes());
                out.extend_from_slice(&self.usual.behind);
            }
            return Ok(());
        }
        self.usual.before.clear();
        if let Some(data) = text.strip_prefix("data:").map(str::trim_ascii) {
            let mut review = Review::new(rules, data);
            match Chunk::read(data, &mut |group| review.look(group)) {
                Ok(chunk) if chunk.has_choices => return self.chunk(rules, text, &chunk, review, out),
                // An error, which we have written.
                Ok(_) => {}
                Err(_) if data == "[DONE]" => {}
                Err(_) => rules.found_in(data).map_or(Ok(()), Err)?,
            }
            self.farewell(rules, out)?;
        }
        out.extend_from_slice(event);
        Ok(())
    }

    fn chunk<'t>(
        &mut self,
        rules: &Rules,
        event: &'t str,
        chunk: &Chunk<'t>,
        mut review: Review<'_, 't>,
        out: &mut Vec<u8>,
    ) -> Result<(), RuleIndex> {
        self.texts.begin(rules, chunk, out)?;
        review.blocked.map_or(Ok(()), Err)?;
        if let ([piece], [], false, true) = (chunk.pieces.as_slice(), chunk.logprobs.as_slice(), chunk.closes(), review.is_clean()) {
            self.usual.learn(event, piece.written, self.texts.find(piece));
        }
        for piece in &chunk.pieces {
            let index = self.texts.find(piece);
            let said = self.texts.say(rules, index, piece.written, chunk.finishes(piece.choice), out)?;
            if !escape::stands_for(piece.written, &said) {
                review.change(piece.written, inside_of_literal(&said));
            }
        }
        for value in &chunk.logprobs {
            self.without_logprobs = true;
            review.change(value, "null");
        }
        self.texts.tally.add_all(&review.tally);
        let notes = if chunk.closes() { self.untold(rules) } else { Vec::new() };
        if review.is_clean() && notes.is_empty() {
            out.extend_from_slice(event.as_bytes());
            return Ok(());
        }
        let mut changed = Vec::with_capacity(event.len());
        review.write(&mut changed);
        write_data(&with_notes(changed, &notes), out);
        Ok(())
    }

    /// Nothing more of the answer follows.
    fn farewell(&mut self, rules: &Rules, out: &mut Vec<u8>) -> Result<(), RuleIndex> {
        self.texts.flush(rules, out)?;
        let notes = self.untold(rules);
        if !notes.is_empty() {
            write_data(&with_notes(self.texts.empty_chunk().into_bytes(), &notes), out);
        }
        Ok(())
    }

    /// Everything that was done, if some of it has not been told: a later chunk that tells has all of it.
    fn untold(&mut self, rules: &Rules) -> Vec<String> {
        let done = self.texts.tally.sum() + usize::from(self.without_logprobs);
        if core::mem::replace(&mut self.told, done) == done {
            return Vec::new();
        }
        let mut notes = self.texts.tally.notes(rules, "answer");
        notes.extend(self.without_logprobs.then(|| WITHOUT_LOGPROBS.to_owned()));
        notes
    }
}

impl Usual {
    fn learn(&mut self, event: &str, piece: &str, text: usize) {
        let start = offset(event, piece);
        let (Some(before), Some(behind)) = (event.get(..start), event.get(start + piece.len()..)) else { return };
        if before.len() + behind.len() > KEPT_BYTES {
            return;
        }
        self.text = text;
        for (known, now) in [(&mut self.before, before), (&mut self.behind, behind)] {
            known.clear();
            known.extend_from_slice(now.as_bytes());
        }
    }

    /// The piece of an event that is the same otherwise.
    fn piece<'t>(&self, event: &'t str) -> Option<&'t str> {
        let around = event.as_bytes().strip_prefix(self.before.as_slice())?.strip_suffix(self.behind.as_slice())?;
        let piece = event.get(self.before.len()..self.before.len() + around.len())?;
        (!self.before.is_empty() && closing_quote(piece) == piece.len()).then_some(piece)
    }
}

/// The bytes up to the end of the first event, and those behind it. `before` is what there is of it
/// already.
fn split_event<'p>(before: &[u8], piece: &'p [u8]) -> Option<(&'p [u8], &'p [u8])> {
    if before.last() == Some(&b'\n') && piece.first() == Some(&b'\n') {
        return piece.split_at_checked(1);
    }
    let end = memchr::memchr_iter(b'\n', piece).find(|at| piece.get(at + 1) == Some(&b'\n'))?;
    piece.split_at_checked(end + 2)
}

fn inside_of_literal(text: &str) -> String {
    let mut literal = Vec::with_capacity(text.len() + 2);
    encode(text, &mut literal);
    literal.pop();
    String::from_utf8(literal).unwrap_or_default().split_off(1)
}

fn with_notes(chunk: Vec<u8>, notes: &[String]) -> Vec<u8> {
    if notes.is_empty() {
        return chunk;
    }
    let annotated = core::str::from_utf8(&chunk).ok().and_then(|text| annotated(text, notes).ok());
    annotated.unwrap_or(chunk)
}
