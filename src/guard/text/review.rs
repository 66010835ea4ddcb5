//! Looking at the texts of one body, and what of the body has to change.

use core::ops::Range;

use super::escape::{Key, as_written, sort};
use super::search::{Hit, MAX_HITS, search, unite};
use super::{Group, Quotes, offset};
use crate::guard::{Action, RuleIndex, Rules};

/// A stretch of a body, and what stands there instead.
struct Cut {
    range: Range<usize>,
    with: String,
}

/// What was found in a body so far.
pub(crate) struct Review<'r, 't> {
    pub(crate) rules: &'r Rules,
    body: &'t str,
    cuts: Vec<Cut>,
    /// The rule that ends the call.
    pub(crate) blocked: Option<RuleIndex>,
    /// What is replaced.
    pub(crate) tally: Tally,
}

impl<'r, 't> Review<'r, 't> {
    pub(crate) fn new(rules: &'r Rules, body: &'t str) -> Self {
        Self { rules, body, cuts: Vec::new(), blocked: None, tally: Tally::default() }
    }

    /// Looks at a group of the body's strings.
    pub(crate) fn look(&mut self, group: &Group<'_, 't>) {
        if self.blocked.is_some() || matches!(group.strings, [only] if self.is_clean_for_sure(only)) {
            return;
        }
        let (text, ends) = group.decoded();
        let mut hits = Vec::new();
        search(self.rules, &text, 0, true, &mut hits);
        if group.strings.len() > 1 {
            self.look_between(&text, &ends, &mut hits);
        }
        if hits.is_empty() {
            return;
        }
        self.blocked = first_block(self.rules, &hits).map(|hit| hit.rule);
        unite(&mut hits);
        if self.blocked.is_none() && self.cuts.len() + hits.len() > MAX_HITS {
            self.blocked = hits.first().map(|hit| hit.rule);
        }
        if self.blocked.is_none() {
            self.cut(group, &text, &ends, &hits);
        }
    }

    /// A string with escapes is decoded and searched twice, which a look at it may spare if it is long.
    fn is_clean_for_sure(&self, written: &str) -> bool {
        written.len() > LONG && memchr::memchr(b'\\', written.as_bytes()).is_some() && !self.rules.may_match(written.as_bytes())
    }

    /// Searches what lies around the ends of a group's strings once more as if a space stood there: some
    /// providers put one, or a line feed, between the parts of a message.
    fn look_between(&self, text: &str, ends: &[usize], hits: &mut Vec<Hit>) {
        let mut run = Run::default();
        let mut start = 0;
        for (index, end) in ends.iter().enumerate() {
            let string = text.get(start..*end).unwrap_or_default();
            let (head, tail) = (floor(string, NEIGHBOURHOOD), floor(string, string.len().saturating_sub(NEIGHBOURHOOD)));
            if index > 0 {
                run.space();
            }
            if head < tail {
                run.text.push_str(string.get(..head).unwrap_or_default());
                run.search(self.rules, hits);
                run = Run { begins: start + tail, ..Run::default() };
                run.text.push_str(string.get(tail..).unwrap_or_default());
            } else {
                run.text.push_str(string);
            }
            start = *end;
        }
        run.search(self.rules, hits);
    }

    /// Cuts the hits, which do not overlap, out of the strings they lie in. The placeholder stands in
    /// the first of these.
    fn cut(&mut self, group: &Group<'_, 't>, text: &str, ends: &[usize], hits: &[Hit]) {
        let mut quotes = Quotes::default();
        let mut placeholder = |hit: &Hit| {
            self.tally.add(hit.rule, 1);
            let bare = group.json && !quotes.open_at(text, hit.range.start);
            self.rules.placeholder(hit.rule, if bare { r#"\""# } else { "" })
        };
        let mut with = hits.first().map(&mut placeholder);
        let mut hits = hits.iter().peekable();
        let mut start = 0;
        for (string, end) in group.strings.iter().zip(ends) {
            let known = self.cuts.len();
            while let Some(hit) = hits.peek().filter(|hit| hit.range.start < *end) {
                let range = hit.range.start.max(start) - start..hit.range.end.min(*end) - start;
                self.cuts.push(Cut { range, with: with.take().unwrap_or_default() });
                if hit.range.end > *end {
                    break;
                }
                hits.next();
                with = hits.peek().map(|hit| placeholder(hit));
            }
            let base = offset(self.body, string);
            as_written(string, self.cuts.iter_mut().skip(known).map(|cut| &mut cut.range));
            for cut in self.cuts.iter_mut().skip(known) {
                cut.range = cut.range.start + base..cut.range.end + base;
            }
            start = *end;
        }
    }

    /// A part of the body that has to change for another reason.
    pub(crate) fn change(&mut self, part: &'t str, with: impl Into<String>) {
        let start = offset(self.body, part);
        self.cuts.push(Cut { range: start..start + part.len(), with: with.into() });
    }

    /// Whether nothing has to change.
    pub(crate) fn is_clean(&self) -> bool {
        self.cuts.is_empty()
    }

    /// Appends the body with everything changed that has to.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut keys: Vec<Key> = self.cuts.iter().map(|cut| cut.range.start).zip(0..).collect();
        sort(&mut keys);
        let body = self.body.as_bytes();
        let mut from = 0;
        for cut in keys.into_iter().filter_map(|(_, at)| self.cuts.get(usize::try_from(at).ok()?)) {
            out.extend_from_slice(body.get(from..cut.range.start).unwrap_or_default());
            out.extend_from_slice(cut.with.as_bytes());
            from = cut.range.end;
        }
        out.extend_from_slice(body.get(from..).unwrap_or_default());
    }
}

/// Bytes from which on a look at a string takes less than to decode it.
const LONG: usize = 512;

/// Bytes on each side of the end of a string; phrases that are written in two parts are shorter.
const NEIGHBOURHOOD: usize = 1024;

/// The neighbourhood of ends of strings that are close to each other.
#[derive(Default)]
struct Run {
    /// Where it begins in the text of the group.
    begins: usize,
    /// With a space at each end of a string.
    text: String,
    /// Where these are.
    spaces: Vec<usize>,
}

impl Run {
    fn space(&mut self) {
        self.spaces.push(self.text.len());
        self.text.push(' ');
    }

    /// Adds what lies on both sides of a space. The rest is found without them.
    fn search(&self, rules: &Rules, hits: &mut Vec<Hit>) {
        if self.spaces.is_empty() {
            return;
        }
        let mut found = Vec::new();
        search(rules, &self.text, 0, true, &mut found);
        hits.extend(found.into_iter().filter_map(|Hit { rule, range }| {
            let before = |offset: usize| self.spaces.partition_point(|space| *space < offset);
            let (start, spaces) = (before(range.start), before(range.end) - before(range.start));
            let start = self.begins + range.start - start;
            (spaces > 0 && range.len() > spaces).then(|| Hit { rule, range: start..start + range.len() - spaces })
        }));
    }
}

/// The last place for a cut that is not behind this one.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// The first hit of a rule that ends a call.
pub(crate) fn first_block<'h>(rules: &Rules, hits: &'h [Hit]) -> Option<&'h Hit> {
    let blocks = |hit: &&Hit| rules.rule(hit.rule).is_none_or(|rule| rule.action == Action::Block);
    hits.iter().filter(blocks).min_by_key(|hit| (hit.range.start, hit.rule))
}

impl Rules {
    /// What stands for what a rule took out; no JSON text has to escape anything in it. `quote` stands
    /// around it.
    pub(crate) fn placeholder(&self, rule: RuleIndex, quote: &str) -> String {
        [quote, "[redacted:", self.name(rule), "]", quote].concat()
    }

    /// The name of a rule.
    pub(crate) fn name(&self, rule: RuleIndex) -> &str {
        self.rule(rule).map_or("", |rule| rule.name.as_str())
    }
}

/// How often each rule replaced something.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Vec<(RuleIndex, usize)>);

impl Tally {
    pub(crate) fn add(&mut self, rule: RuleIndex, times: usize) {
        let place = self.0.partition_point(|(known, _)| *known < rule);
        match self.0.get_mut(place) {
            Some((known, before)) if *known == rule => *before += times,
            _ => self.0.insert(place, (rule, times)),
        }
    }

    pub(crate) fn add_all(&mut self, others: &Self) {
        others.0.iter().for_each(|(rule, times)| self.add(*rule, *times));
    }

    pub(crate) fn sum(&self) -> usize {
        self.0.iter().map(|(_, times)| times).sum()
    }

    /// The rules with how often they did.
    pub(crate) fn hits(&self, rules: &Rules) -> Vec<(String, usize)> {
        self.0.iter().map(|(rule, times)| (rules.name(*rule).to_owned(), *times)).collect()
    }

    /// A sentence for each rule; `what` is the request or the answer.
    pub(crate) fn notes(&self, rules: &Rules, what: &str) -> Vec<String> {
        self.0.iter().map(|(rule, times)| format!("redacted {} in the {what} ({times})", rules.name(*rule))).collect()
    }
}
