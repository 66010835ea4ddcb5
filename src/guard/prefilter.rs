//! Whether a text can be passed on unread, and where phrases may be in it if not.
//!
//! Most bodies hold nothing that a rule names, and to know that one does not need strings or escapes. Every
//! match contains one of a few signs of three bytes (`trigrams`), or a window of a phrase
//! (`windows`). Both are looked for in one pass over the JSON text as it is written. What is found is
//! looked at closely where it stands: by the automaton of the phrases, and by the detectors, told that the
//! text is JSON.
//!
//! What the text could hide: any character may be written `\u0041`, so an escape that stands for a
//! letter that matters is a sign, too. Other escapes stand for characters that are part of phrases
//! only; of those phrases the longest stretch without them is looked for, and counts if it is found.

mod frequency;
mod needle;
mod trigrams;
mod windows;

use super::detect::{self, Detector, Text, Wanted};
use super::phrases::Phrases;
use core::ops::Range;
use needle::{Needle, OneOf};
use trigrams::{Buckets, Kinds, SEEN, STEP, Sign, Tables, Trigrams};
use windows::{MAX_WIDTH, Near, Windows};

/// What to look for.
#[derive(Debug)]
pub(super) struct Prefilter {
    /// Everything may match: there are phrases, or patterns, that leave no sign.
    blind: bool,
    /// Phrases may be anywhere.
    blind_for_phrases: bool,
    /// There are phrases with letters outside ASCII.
    wide: bool,
    wanted: Wanted,
    /// Of everything, and of phrases only, if there are any among the signs.
    signs: Trigrams,
    phrase_signs: Option<Trigrams>,
    /// Where phrases may be, seen from a sign of one.
    near_signs: Vec<Near>,
    windows: Option<Windows>,
    /// Every how many places there is a sample: 1, 2, 4 or 8, and [`STEP`] if there are no windows.
    stride: usize,
}

/// More phrases among the signs would give an alarm everywhere.
const MAX_SIGNS_OF_PHRASES: usize = 16;

/// What samples take for each byte of a text at each of the strides, measured in V8, in nanoseconds.
const STRIDES: [(usize, f32); 5] = [(STEP, 0.0), (8, 0.05), (4, 0.13), (2, 0.28), (1, 0.6)];

/// What a false alarm takes, in nanoseconds, if it is one of samples or of signs.
const FALSE_SAMPLE: f32 = 15.0;
const FALSE_SIGN: f32 = 25.0;

/// So many phrases stand for all where that is good enough.
const ENOUGH_FOR_AN_ESTIMATE: usize = 256;

impl Prefilter {
    /// For detectors and phrases, and patterns of which nothing is known.
    pub(super) fn new<'a>(wanted: Wanted, patterns: bool, phrases: impl Iterator<Item = &'a str>) -> Self {
        let mut needles: Vec<Needle> = Vec::new();
        let (mut blind_for_phrases, mut wide) = (false, false);
        for phrase in phrases {
            wide |= !phrase.is_ascii();
            match Needle::new(phrase) {
                Some(needle) => needles.push(needle),
                None => blind_for_phrases = true,
            }
        }
        needles.sort_by_key(|needle| needle.bytes.len());
        let mut all = Buckets::new(detector_signs(wanted).chain([escape_sign(wide)]));
        let Way { stride, width } = cheapest(&needles, all);
        let (short, long) = needles.split_at(needles.partition_point(|needle| needle.bytes.len() < stride + width - 1));
        let windows = if stride < STEP { Windows::new(long, stride, width) } else { None };
        blind_for_phrases |= windows.is_none() && !long.is_empty() || short.len() > MAX_SIGNS_OF_PHRASES;
        let mut only_phrases = Buckets::default();
        for needle in short.iter().take(MAX_SIGNS_OF_PHRASES) {
            all.insert(&sign(needle));
            only_phrases.insert(&sign(needle));
        }
        Self {
            blind: patterns || blind_for_phrases,
            blind_for_phrases,
            wide,
            wanted,
            signs: Trigrams::new(&all),
            phrase_signs: (!short.is_empty()).then(|| Trigrams::new(&only_phrases)),
            near_signs: near_signs(short),
            windows,
            stride,
        }
    }

    /// `false` only if none of the phrases, and nothing that the detectors find, stands in this text.
    pub(super) fn may_match(&self, json: &[u8], phrases: &Phrases) -> bool {
        let mut look = Look { filter: self, phrases, json, numbers_from: 0 };
        self.blind || self.any(json, Some(&self.signs), &mut |at, seen| look.at(at, seen))
    }

    /// Where phrases are in a text that is not written as JSON, in order.
    pub(super) fn regions(&self, text: &[u8], phrases: &Phrases) -> Vec<Range<usize>> {
        if self.blind_for_phrases || text.len() < SEEN {
            return vec![0..text.len()];
        }
        let mut regions: Vec<Range<usize>> = Vec::new();
        let mut add = |at: usize, near: &Near| {
            let region = near.region(at, text.len());
            if near.anywhere || phrases.begin(text.get(region.clone()).unwrap_or_default()) {
                match regions.last_mut() {
                    Some(last) if region.start <= last.end && last.start <= region.end => {
                        *last = region.start.min(last.start)..region.end.max(last.end);
                    }
                    _ => regions.push(region),
                }
            }
        };
        self.any(text, self.phrase_signs.as_ref(), &mut |at, seen| {
            match seen {
                Seen::Window(near) => add(at, &near),
                Seen::Sign(_) => self.near_signs.iter().for_each(|near| add(at, near)),
            }
            false
        });
        regions.sort_unstable_by_key(|region| region.start);
        regions.dedup_by(|next, last| {
            let one = next.start <= last.end;
            if one {
                last.end = last.end.max(next.end);
            }
            one
        });
        regions
    }

    /// Reports windows and signs, until one is enough.
    fn any(&self, text: &[u8], signs: Option<&Trigrams>, enough: Enough<'_>) -> bool {
        match (self.stride, signs) {
            (8, None) => self.over::<8, false>(text, &self.signs, enough),
            (4, None) => self.over::<4, false>(text, &self.signs, enough),
            (8, Some(signs)) => self.over::<8, true>(text, signs, enough),
            (4, Some(signs)) => self.over::<4, true>(text, signs, enough),
            (2, signs) => self.over::<2, true>(text, signs.unwrap_or(&self.signs), enough),
            (1, signs) => self.over::<1, true>(text, signs.unwrap_or(&self.signs), enough),
            (_, Some(signs)) => self.over::<STEP, true>(text, signs, enough),
            (_, None) => false,
        }
    }

    fn over<const STRIDE: usize, const SIGNS: bool>(&self, text: &[u8], signs: &Trigrams, enough: Enough<'_>) -> bool {
        let windows = if STRIDE < STEP { self.windows.as_ref() } else { None };
        // By value, so that they stay in registers.
        let tables = signs.tables();
        let mut at = 0;
        while let Some(seen) = text.get(at..).and_then(|rest| rest.first_chunk()) {
            // What there is, first: in most steps there is nothing.
            let (window, sign) = are_in::<STRIDE, SIGNS>(windows, tables, seen);
            if window && at_windows::<STRIDE>(windows, text, at, seen, enough) || sign && at_signs(signs, at, seen, enough) {
                return true;
            }
            at += STEP;
        }
        self.rest::<STRIDE, SIGNS>(text, at, signs, enough)
    }

    /// The last bytes of a text, and then nothing.
    #[inline(never)]
    fn rest<const STRIDE: usize, const SIGNS: bool>(&self, text: &[u8], at: usize, signs: &Trigrams, enough: Enough<'_>) -> bool {
        let windows = if STRIDE < STEP { self.windows.as_ref() } else { None };
        let mut last = [0; STEP + SEEN];
        last.iter_mut().zip(text.get(at..).unwrap_or_default()).for_each(|(to, from)| *to = *from);
        [0, STEP].into_iter().any(|from| {
            let Some(seen) = last.get(from..).and_then(|rest| rest.first_chunk()) else { return false };
            let (window, sign) = are_in::<STRIDE, SIGNS>(windows, signs.tables(), seen);
            window && at_windows::<STRIDE>(windows, text, at + from, seen, enough) || sign && at_signs(signs, at + from, seen, enough)
        })
    }
}

/// Whether there is a window, and whether there is a sign.
#[inline(always)]
fn are_in<const STRIDE: usize, const SIGNS: bool>(windows: Option<&Windows>, tables: Tables, seen: &[u8; SEEN]) -> (bool, bool) {
    (windows.is_some_and(|windows| windows.are_in::<STRIDE>(seen)), SIGNS && tables.are_in(seen))
}

/// What is seen at a place.
enum Seen {
    Window(Near),
    Sign(Kinds),
}

type Enough<'a> = &'a mut dyn FnMut(usize, Seen) -> bool;

#[cold]
#[inline(never)]
fn at_windows<const STRIDE: usize>(windows: Option<&Windows>, text: &[u8], at: usize, seen: &[u8; SEEN], enough: Enough<'_>) -> bool {
    windows.is_some_and(|windows| windows.any::<STRIDE>(text, at, seen, |at, near| enough(at, Seen::Window(near))))
}

#[cold]
#[inline(never)]
fn at_signs(signs: &Trigrams, at: usize, seen: &[u8; SEEN], enough: Enough<'_>) -> bool {
    signs.places(seen).any(|(place, kinds)| enough(at + place, Seen::Sign(kinds)))
}

/// How phrases are looked for.
#[derive(Debug, Clone, Copy)]
struct Way {
    stride: usize,
    width: usize,
}

/// The stride and the width of windows that take the least time, counting false alarms; phrases
/// that are too short for them become signs, together with `others`. The needles are in the order of their
/// lengths.
fn cheapest(needles: &[Needle], others: Buckets) -> Way {
    // What false alarms take with so many signs of phrases.
    let mut signs = others;
    let alarms = needles.iter().take(MAX_SIGNS_OF_PHRASES).map(|needle| {
        signs.insert(&sign(needle));
        signs.likelihood() * FALSE_SIGN
    });
    let alarms: Vec<f32> = [others.likelihood() * FALSE_SIGN].into_iter().chain(alarms).collect();
    let ways = STRIDES.into_iter().flat_map(|(stride, cost)| (1..=MAX_WIDTH).map(move |width| (Way { stride, width }, cost)));
    let costs = ways.filter_map(|(way, cost)| {
        let (short, long) = needles.split_at(needles.partition_point(|needle| needle.bytes.len() < way.stride + way.width - 1));
        let alarms = alarms.get(short.len()).filter(|_| (way.stride == STEP) == long.is_empty())?;
        let some = long.len() / ENOUGH_FOR_AN_ESTIMATE + 1;
        let samples: f32 = long.iter().step_by(some).map(|needle| needle.rarest(way.stride, way.width).1).sum();
        Some((cost + alarms + samples * some as f32 / way.stride as f32 * FALSE_SAMPLE, way))
    });
    costs.min_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(Way { stride: STEP, width: 1 }, |(_, way)| way)
}

/// The rarest three bytes of a phrase, or fewer if it has no more.
fn sign(needle: &Needle) -> Sign {
    let width = needle.bytes.len().min(3);
    let (from, _) = needle.rarest(1, width);
    let set = |at: usize| if at < width { needle.bytes.get(from + at).map(OneOf::unfolded) } else { None };
    let set = |at: usize| set(at).unwrap_or_else(|| (0..=u8::MAX).collect());
    Sign::new(Kinds::PHRASE, [&set(0), &set(1), &set(2)])
}

/// Where phrases may be, seen from a sign of any of them.
fn near_signs(needles: &[Needle]) -> Vec<Near> {
    let mut all: Vec<Near> = Vec::new();
    for needle in needles {
        let near = needle.near(needle.rarest(1, needle.bytes.len().min(3)).0);
        match all.iter_mut().find(|other| other.before == near.before && other.escaped == near.escaped) {
            Some(other) => *other = other.and(near),
            None => all.push(near),
        }
    }
    all
}

fn escape_sign(wide: bool) -> Sign {
    // Below U+1000 if only ASCII matters.
    let third: Vec<u8> = if wide { (0..=u8::MAX).collect() } else { vec![b'0'] };
    Sign::new(Kinds::ESCAPE, [b"\\", b"u", &third])
}

fn detector_signs(wanted: Wanted) -> impl Iterator<Item = Sign> {
    Detector::ALL.into_iter().filter(move |detector| wanted.contains(*detector)).flat_map(|detector| {
        let kind = match detector {
            Detector::ApiKey => Kinds::KEY,
            Detector::Email => Kinds::EMAIL,
            _ => Kinds::NUMBER,
        };
        detector.signs().into_iter().map(move |sets| Sign::new(kind, sets.each_ref().map(Vec::as_slice)))
    })
}

/// A close look at what is found in a JSON text.
struct Look<'a> {
    filter: &'a Prefilter,
    phrases: &'a Phrases,
    json: &'a [u8],
    /// Numbers that begin before have been looked at.
    numbers_from: usize,
}

impl Look<'_> {
    fn at(&mut self, at: usize, seen: Seen) -> bool {
        match seen {
            Seen::Window(near) => self.phrase(at, &near),
            Seen::Sign(kinds) => self.sign(at, kinds),
        }
    }

    fn sign(&mut self, at: usize, kinds: Kinds) -> bool {
        let text = Text::json(self.json);
        let filter = self.filter;
        kinds.contain(Kinds::NUMBER) && detect::number_around(filter.wanted, text, at, &mut self.numbers_from)
            || kinds.contain(Kinds::EMAIL) && detect::email_around(text, at)
            || kinds.contain(Kinds::KEY) && detect::key_at(text, at)
            || kinds.contain(Kinds::ESCAPE) && self.escape(at)
            || kinds.contain(Kinds::PHRASE) && filter.near_signs.iter().any(|near| self.phrase(at, near))
    }

    /// Whether an escape may stand for a character that matters.
    fn escape(&self, at: usize) -> bool {
        let digits = self.json.get(at..).and_then(|rest| rest.strip_prefix(b"\\u")?.get(..4));
        digits.is_some_and(|digits| self.filter.wide || digits.starts_with(b"00") && matches!(digits.get(2), Some(b'0'..=b'7')))
    }

    /// Whether a phrase stands so near to a place.
    fn phrase(&self, at: usize, near: &Near) -> bool {
        let text = self.json.get(near.region(at, self.json.len())).unwrap_or_default();
        if near.anywhere { self.phrases.stand_in(text) } else { near.escaped || self.phrases.begin(text) }
    }
}
