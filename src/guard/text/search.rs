//! Searching a text in both ways it can be read: as it stands, and as what it stands for if it is
//! JSON itself. Arguments of tools are, results of tools often are, and what is forbidden may be
//! written `m\u00fcller` there.

use core::ops::Range;

use super::escape::{Key, as_meant, as_written, cut_escape, decode, sort, unit_start, widen};
use crate::guard::{LOOKBEHIND, RuleIndex, Rules};

/// A stretch of a text that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: RuleIndex,
    pub(crate) range: Range<usize>,
}

/// So much of what was released is kept, so that [`LOOKBEHIND`] bytes remain of it if all of it is
/// escapes: six bytes, or twelve, stand for one, or four.
pub(crate) const KEPT_BYTES: usize = 6 * LOOKBEHIND;

/// More in one text is nothing that somebody wrote, and each takes memory: whoever finds so many has
/// the text blocked.
pub(crate) const MAX_HITS: usize = 65_536;

/// [`Rules::settled`] for both readings; adds to `hits`. `from` is 0 or a place that was returned;
/// `text` begins where it began then, or at [`kept_from`].
pub(crate) fn search(rules: &Rules, text: &str, from: usize, last: bool, hits: &mut Vec<Hit>) -> usize {
    let known = hits.len();
    let until = settled(rules, text, from, last, hits);
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return until;
    }
    // The end of an escape may look like the beginning of a word; what remained would be no JSON.
    let starts: Vec<usize> = hits.iter().skip(known).map(|hit| hit.range.start).collect();
    widen(text, hits.iter_mut().skip(known).map(|hit| &mut hit.range));
    // What an escape without its end will stand for is not known yet.
    let complete = if last { text } else { text.get(..cut_escape(text)).unwrap_or_default() };
    let mut until = until.min(complete.len());
    let mut second = Vec::new();
    let mut meant = String::with_capacity(complete.len());
    decode(complete, &mut meant);
    // Every escape is longer than what it stands for.
    if meant.len() < text.len() {
        let place = settled(rules, &meant, as_meant(text, from), last, &mut second);
        let mut place = (!last).then_some(place..place);
        as_written(text, second.iter_mut().map(|hit| &mut hit.range).chain(&mut place));
        until = place.map_or(until, |place| until.min(place.start));
    }
    for (hit, start) in hits.iter_mut().skip(known).zip(starts) {
        let widened = hit.range.start < start;
        // How far it reaches is not known before the escape it ends in, and the second reading, are.
        if !last && (hit.range.end > complete.len() || widened && hit.range.end > until) {
            until = until.min(hit.range.start);
        }
        if !widened {
            continue;
        }
        // If the second reading begins the same match behind the escape, the escape stays.
        let behind = second.partition_point(|other| other.range.start <= hit.range.start);
        let mut within = second.iter().skip(behind).take_while(|other| other.range.start < hit.range.end);
        if let Some(same) = within.find(|other| other.rule == hit.rule) {
            hit.range.start = same.range.start;
        }
    }
    hits.append(&mut second);
    if last {
        return text.len();
    }
    until = unit_start(text, until);
    hits.retain(|hit| hit.range.start < until);
    until
}

/// One function for both readings: the searches are large.
fn settled(rules: &Rules, text: &str, from: usize, last: bool, hits: &mut Vec<Hit>) -> usize {
    rules.settled(text, from, last, |found| {
        if hits.len() <= MAX_HITS {
            hits.push(Hit { rule: found.rule, range: found.range });
        }
    })
}

/// Where a text may begin that is to be searched again from `from` on.
pub(crate) fn kept_from(text: &str, from: usize) -> usize {
    let at = (0..=from.saturating_sub(KEPT_BYTES)).rev().find(|at| text.is_char_boundary(*at));
    unit_start(text, at.unwrap_or_default())
}

/// Unites hits that overlap, in the order in which they begin. What several rules name bears the name
/// of the rule that begins first, and of those that begin together of the first rule, however far it
/// reaches: in a stream it may be all that is known so far.
pub(crate) fn unite(hits: &mut Vec<Hit>) {
    let mut keys: Vec<Key> = hits.iter().map(|hit| hit.range.start).zip(0..).collect();
    sort(&mut keys);
    let mut united: Vec<Hit> = Vec::with_capacity(hits.len());
    for next in keys.into_iter().filter_map(|(_, at)| hits.get(usize::try_from(at).ok()?)) {
        match united.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                let together = last.range.start == next.range.start;
                last.rule = if together { last.rule.min(next.rule) } else { last.rule };
                last.range.end = last.range.end.max(next.range.end);
            }
            _ => united.push(next.clone()),
        }
    }
    *hits = united;
}
