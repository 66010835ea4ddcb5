//! One text that grows event by event: what of it may go, and what has to wait for what follows.

use crate::guard::text::Quotes;
use crate::guard::text::escape::decode;
use crate::guard::text::review::{Tally, first_block};
use crate::guard::text::search::{Hit, MAX_HITS, kept_from, search};
use crate::guard::{RuleIndex, Rules};

/// A text of an answer.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The end of what has gone, and everything that waits.
    text: String,
    /// A match that begins before has been dealt with.
    from: usize,
    /// What is before has gone, or something else in its place. Never before `from`.
    gone: usize,
    /// Whether what went last went as a placeholder.
    covered: bool,
    /// Where in JSON the text stands that goes next; for arguments of tools.
    quotes: Option<Quotes>,
}

impl Window {
    pub(super) fn new(json: bool) -> Self {
        Self { quotes: json.then(Quotes::default), ..Self::default() }
    }

    /// Whether anything waits.
    pub(super) fn waits(&self) -> bool {
        self.gone < self.text.len()
    }

    /// Takes the next piece, as it is written in a literal, and appends what may go to `out`. An error is
    /// the rule that ends the answer; what stands before the match has been appended.
    pub(super) fn push(&mut self, rules: &Rules, piece: &str, tally: &mut Tally, out: &mut String) -> Result<(), RuleIndex> {
        decode(piece, &mut self.text);
        self.from = self.release(rules, false, tally, out)?;
        let start = kept_from(&self.text, self.from);
        self.text.drain(..start);
        self.from -= start;
        self.gone -= start;
        Ok(())
    }

    /// Appends what waits: nothing follows, or something else is said before. If the text goes on all
    /// the same, a match may still begin in what has gone.
    pub(super) fn flush(&mut self, rules: &Rules, tally: &mut Tally, out: &mut String) -> Result<(), RuleIndex> {
        if self.waits() {
            self.release(rules, true, tally, out)?;
        }
        Ok(())
    }

    /// Lets go what is settled, or everything if nothing follows. Returns up to where it is settled.
    fn release(&mut self, rules: &Rules, last: bool, tally: &mut Tally, out: &mut String) -> Result<usize, RuleIndex> {
        let mut hits = Vec::new();
        let until = search(rules, &self.text, self.from, last, &mut hits);
        hits.sort_by_key(|hit| (hit.range.start, core::cmp::Reverse(hit.range.end), hit.rule));
        let block = if hits.len() > MAX_HITS { hits.first() } else { first_block(rules, &hits) };
        let clean_until = block.map_or(until, |block| block.range.start);
        for hit in hits.iter().take_while(|hit| hit.range.start < clean_until) {
            self.replace(rules, hit, tally, out);
        }
        self.say(clean_until, out);
        block.map_or(Ok(until), |block| Err(block.rule))
    }

    fn replace(&mut self, rules: &Rules, hit: &Hit, tally: &mut Tally, out: &mut String) {
        if hit.range.end <= self.gone {
            return;
        }
        // What overlaps a placeholder lies behind the same one.
        if hit.range.start >= self.gone || !self.covered {
            self.say(hit.range.start, out);
            let bare = self.quotes.as_mut().is_some_and(|quotes| !quotes.pass(""));
            out.push_str(&rules.placeholder(hit.rule, if bare { "\"" } else { "" }));
            tally.add(hit.rule);
        }
        self.pass(hit.range.end);
        self.covered = true;
    }

    fn say(&mut self, until: usize, out: &mut String) {
        if self.gone < until {
            out.push_str(self.text.get(self.gone..until).unwrap_or_default());
            self.pass(until);
            self.covered = false;
        }
    }

    fn pass(&mut self, until: usize) {
        if let Some(quotes) = &mut self.quotes {
            quotes.pass(self.text.get(self.gone..until).unwrap_or_default());
        }
        self.gone = until;
    }
}
