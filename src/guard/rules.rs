//! The rules of one side of a workspace, and how a text is searched for what they name.

use super::detect::{self, Detector, Text, Wanted};
use super::patterns::Patterns;
use super::phrases::Phrases;
use super::prefilter::{Prefilter, may_have_parts};
use super::{Action, Spec, order};
use core::ops::Range;

/// The rules for requests, or those for answers, of one workspace, compiled.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    phrases: Phrases,
    patterns: Patterns,
    wanted: Wanted,
    /// Whose the detectors are.
    detectors: Vec<(Detector, RuleIndex)>,
    prefilter: Prefilter,
}

/// One of [`Rules`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Shown to the caller.
    pub name: String,
    /// What happens to what it finds.
    pub action: Action,
}

/// Which of [`Rules`]; see [`Rules::rule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub(super) u16);

/// A stretch of a text that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Whose it is.
    pub rule: RuleIndex,
    /// Bytes of the text, at the bounds of characters.
    pub range: Range<usize>,
    /// The detector that found the beginning of it, or `terms`, or `patterns`.
    pub what: &'static str,
}

/// How much of the text before it decides what begins at a place: whoever goes on after
/// [`Rules::settled`] keeps so many bytes that he has released (fewer only if there were fewer).
pub const LOOKBEHIND: usize = 4;

impl Rules {
    /// Of rules that are valid, and look for something.
    pub(super) fn compile(specs: &[&Spec]) -> Self {
        let rules = specs.iter().map(|spec| Rule { name: spec.name.clone(), action: spec.action }).collect();
        let indexed = || (0..).map(RuleIndex).zip(specs.iter().copied());
        let terms = || indexed().flat_map(|(rule, spec)| spec.terms.iter().map(move |term| (rule, term.as_str())));
        let detects = |spec: &Spec, detector: Detector| spec.detect.iter().any(|name| name == detector.name());
        let detectors = Detector::ALL
            .into_iter()
            .flat_map(|detector| indexed().filter(move |(_, spec)| detects(spec, detector)).map(move |(rule, _)| (detector, rule)));
        let detectors: Vec<_> = detectors.collect();
        let mut wanted = Wanted::default();
        detectors.iter().for_each(|(detector, _)| wanted.insert(*detector));
        let patterns = indexed().flat_map(|(rule, spec)| spec.patterns.iter().map(move |pattern| (rule, pattern.as_str())));
        let patterns = Patterns::new(patterns);
        let prefilter = Prefilter::new(wanted, !patterns.is_empty(), terms().map(|(_, term)| term));
        Self { rules, phrases: Phrases::new(terms()), patterns, wanted, detectors, prefilter }
    }

    /// Name and action of a rule.
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(usize::from(index.0))
    }

    /// How many bytes a stream holds back at most.
    pub fn longest_held(&self) -> usize {
        let detectors = Detector::ALL.into_iter().filter(|detector| self.wanted.contains(*detector)).map(Detector::longest_held);
        detectors.chain([self.phrases.longest(), self.patterns.longest_held()]).max().unwrap_or(0)
    }

    /// Everything in a text that is complete, in the order in which it begins. Every byte that belongs
    /// to a match of a rule is in exactly one range of this rule: overlapping matches of one rule are
    /// reported as one. Ranges of different rules may overlap, and begin at the same place in any order.
    pub fn find(&self, text: &str, each: impl FnMut(Match)) {
        self.settled(text, 0, true, each);
    }

    /// For streams: where the earliest match that more text could begin or lengthen starts; the
    /// length of the text if there is none.
    pub fn open(&self, text: &str) -> usize {
        self.settled(text, 0, false, |_| {})
    }

    /// Both in one, for a text of which only a part is new. `text[..from]` is what was released last,
    /// at least [`LOOKBEHIND`] bytes of it: nothing that begins there is reported. Unless the text is
    /// the `last`, returns where the earliest match starts that more text could begin, end or lengthen,
    /// and reports only what begins before that place: that is certain, whatever follows. Text before
    /// that place, less what was reported, can be released; what lies behind is to be given again,
    /// together with the text that follows.
    ///
    /// A range that is reported may end behind the returned place (a phrase that overlaps the
    /// beginning of another). What it covers there is part of it: it is to be given again, but a
    /// match found in or across it continues what has been replaced already, and is no new one.
    pub fn settled(&self, text: &str, from: usize, last: bool, each: impl FnMut(Match)) -> usize {
        let mut found = Found::new(self.rules.len());
        let mut open = text.len();
        if !self.phrases.is_empty() {
            let rest = text.as_bytes().get(from..).unwrap_or_default();
            let mut regions = self.prefilter.regions(rest, &self.phrases);
            if !last {
                // What may be the beginning of a phrase has no sign yet.
                let mut unfinished = rest.len().saturating_sub(self.phrases.longest());
                while let Some(region) = regions.pop_if(|region| region.end >= unfinished) {
                    unfinished = unfinished.min(region.start);
                }
                regions.push(unfinished..rest.len());
            }
            let begun = self.phrases.scan(rest, regions, |rule, range| {
                found.add(Match { rule, range: range.start + from..range.end + from, what: "terms" });
            });
            open -= if last { 0 } else { begun };
        }
        let searched = Text::new(text, last);
        open = open.min(detect::scan(self.wanted, searched, from, &mut |detector, range| {
            for (_, rule) in self.detectors.iter().filter(|(of, _)| *of == detector) {
                found.add(Match { rule: *rule, range: range.clone(), what: detector.name() });
            }
        }));
        let undecided = self.patterns.scan(text, from, last, |rule, range| found.add(Match { rule, range, what: "patterns" }));
        let open = open.min(undecided);
        found.report(open, each);
        open
    }

    /// Whether a text can have anything in it that [`find`](Self::find) would find: `false` only if
    /// certainly not. Looks at the text as it is written in JSON, a string or a whole body, once and
    /// fast. Knows nothing of what is put together from several strings.
    pub fn may_match(&self, raw: &[u8]) -> bool {
        self.prefilter.may_match(raw, &self.phrases, None)
    }

    /// The same of a body, or whether a text of it may be in several parts: it has an array of objects that
    /// is none of these.
    pub(super) fn may_match_or_have_parts(&self, body: &[u8], arrays: &[&str]) -> bool {
        self.prefilter.may_match(body, &self.phrases, Some(arrays)) || !self.prefilter.sees_parts() && may_have_parts(body, arrays)
    }
}

/// Matches, as they are found: each search goes through the text on its own.
struct Found {
    matches: Vec<Match>,
    /// Where the last match of each rule is among them.
    last: Vec<Option<usize>>,
}

impl Found {
    fn new(rules: usize) -> Self {
        Self { matches: Vec::new(), last: vec![None; rules] }
    }

    /// What overlaps the last match of its rule becomes part of that, so that a text of nothing but `aa` takes
    /// little memory.
    fn add(&mut self, found: Match) {
        let Some(last) = self.last.get_mut(usize::from(found.rule.0)) else { return };
        match last.and_then(|last| self.matches.get_mut(last)) {
            Some(last) if (last.range.start..last.range.end).contains(&found.range.start) => {
                last.range.end = last.range.end.max(found.range.end);
            }
            _ => {
                *last = Some(self.matches.len());
                self.matches.push(found);
            }
        }
    }

    /// Hands over what begins before a place, in order and united.
    fn report(mut self, open: usize, each: impl FnMut(Match)) {
        self.matches.retain(|found| found.range.start < open);
        let mut united = Self::new(self.last.len());
        let starts: Vec<usize> = self.matches.iter().map(|found| found.range.start).collect();
        for found in order::of(&starts).into_iter().filter_map(|at| self.matches.get(at)) {
            united.add(found.clone());
        }
        united.matches.into_iter().for_each(each);
    }
}
