//! One text that grows event by event: what of it may go, and what has to wait for what follows.

use crate::guard::text::Quotes;
use crate::guard::text::escape::decode;
use crate::guard::text::review::{Tally, first_block};
use crate::guard::text::search::{Hit, MAX_HITS, kept_from, search, unite};
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
    /// Whether anything has come since everything went.
    open: bool,
    /// Where in JSON the text stands that goes next; for arguments of tools.
    quotes: Option<Quotes>,
}

impl Window {
    pub(super) fn new(json: bool) -> Self {
        Self { quotes: json.then(Quotes::default), ..Self::default() }
    }

    /// Whether anything waits, be it for the verdict of another rule on what a placeholder stands for.
    pub(super) fn waits(&self) -> bool {
        self.open && self.from < self.text.len()
    }

    /// Takes the next piece, as it is written in a literal, and appends what may go to `out`. An error is
    /// the rule that ends the answer; what stands before the match has been appended.
    pub(super) fn push(&mut self, rules: &Rules, piece: &str, tally: &mut Tally, out: &mut String) -> Result<(), RuleIndex> {
        decode(piece, &mut self.text);
        self.open = true;
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
            self.open = false;
            self.release(rules, true, tally, out)?;
        }
        Ok(())
    }

    /// Lets go what is settled, or everything if nothing follows. Returns up to where it is settled.
    fn release(&mut self, rules: &Rules, last: bool, tally: &mut Tally, out: &mut String) -> Result<usize, RuleIndex> {
        let mut hits = Vec::new();
        let until = search(rules, &self.text, self.from, last, &mut hits);
        let block = if hits.len() > MAX_HITS { hits.first() } else { first_block(rules, &hits) }.cloned();
        let clean_until = block.as_ref().map_or(until, |block| block.range.start);
        hits.retain(|hit| hit.range.start < clean_until);
        unite(&mut hits);
        hits.iter().for_each(|hit| self.replace(rules, hit, tally, out));
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
            tally.add(hit.rule, 1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Action, Guard, Spec};

    fn guard(rules: &[(&str, Action, &[&str], &[&str])]) -> Guard {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let spec = |(name, action, terms, detect): &(&str, Action, &[&str], &[&str])| Spec {
            name: (*name).to_owned(),
            action: *action,
            terms: owned(terms),
            detect: owned(detect),
            output: true,
            ..Spec::default()
        };
        Guard::compile(&rules.iter().map(spec).collect::<Vec<_>>()).expect("rules")
    }

    /// What goes of pieces and at the end, divided by `|`, and the name of the rule that ends it.
    fn play(guard: &Guard, pieces: &[&str]) -> (String, Option<String>) {
        let rules = guard.output().expect("rules");
        let (mut window, mut tally, mut out) = (Window::new(false), Tally::default(), String::new());
        let mut outcome = Ok(());
        for piece in pieces {
            let written = piece.replace('\\', r"\\");
            outcome = outcome.and_then(|()| window.push(rules, &written, &mut tally, &mut out));
            out.push('|');
        }
        outcome = outcome.and_then(|()| window.flush(rules, &mut tally, &mut out));
        (out, outcome.err().map(|rule| rules.name(rule).to_owned()))
    }

    #[test]
    fn what_could_become_a_match_waits_and_nothing_else() {
        let guard = guard(&[("a", Action::Redact, &["one two", "three"], &[])]);
        for (pieces, expected) in [
            (&["x on", "e tw", "o y"][..], "x ||[redacted:a] y|"),
            (&["x on", "e tw", "i y"], "x ||one twi y|"),
            (&["one twthre", "e"], "one tw|[redacted:a]|"),
            (&["one two"], "[redacted:a]|"),
            (&["x one", "one two"], "x |one[redacted:a]|"),
            (&["t", "h", "r"], "|||thr"),
        ] {
            assert_eq!(play(&guard, pieces), (expected.to_owned(), None), "{pieces:?}");
        }
    }

    #[test]
    fn a_block_is_found_behind_a_placeholder_too() {
        let guard = guard(&[("a", Action::Redact, &["a/b"], &[]), ("b", Action::Block, &["b", "bcd"], &[])]);
        assert_eq!(play(&guard, &["x a/b"]), ("x [redacted:a]|".to_owned(), Some("b".to_owned())));
        assert_eq!(play(&guard, &["x a/", "b"]), ("x |[redacted:a]|".to_owned(), Some("b".to_owned())));
    }

    #[test]
    fn of_rules_that_find_the_same_the_first_names_it_however_far_the_other_reaches() {
        let guard = guard(&[("a", Action::Redact, &["one"], &[]), ("b", Action::Redact, &["one", "e two"], &[])]);
        for pieces in [&["one two x"][..], &["one", " two x"], &["o", "n", "e", " ", "t", "w", "o", " x"]] {
            let (out, _) = play(&guard, pieces);
            assert_eq!(out.replace('|', ""), "[redacted:a] x", "{pieces:?}");
        }
    }

    #[test]
    fn an_escape_goes_as_a_whole_or_not_at_all() {
        let guard = guard(&[("a", Action::Redact, &["b\\", "ab", "éé"], &["email"])]);
        for (text, expected) in [
            (r"x ab\u00e9\u00e9", "x [redacted:a]"),
            (r"xb\u0061b \u006", r"x[redacted:a] \u006"),
            (r"\nann@example.com ", r"\n[redacted:a] "),
            (r"\\ud83d\ude00 ab \ud83d", r"\\ud83d\ude00 [redacted:a] \ud83d"),
        ] {
            let letters: Vec<String> = text.chars().map(String::from).collect();
            let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
            for pieces in [&[text][..], &letters] {
                assert_eq!(play(&guard, pieces).0.replace('|', ""), expected, "{pieces:?}");
            }
        }
    }
}
