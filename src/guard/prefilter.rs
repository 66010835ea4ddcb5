//! Whether a body can be passed on unread: a look at the JSON text as it is written.
//!
//! Most bodies hold nothing that a rule names, and to know that one does not need strings or escapes. Every
//! match contains one of a few signs of three bytes (`trigrams`), or a window of a phrase
//! (`windows`). Both are looked for in one pass. What is found is looked at closely where it stands: by
//! the automaton of the phrases, and by the detectors, told that the text is JSON.
//!
//! What the text could hide: any character may be written `\u0041`, so an escape that stands for a
//! letter that matters is a sign, too. Other escapes stand for characters that are part of phrases
//! only; of those phrases the longest stretch without them is looked for, and counts if it is found.

mod frequency;
mod trigrams;
mod windows;

use super::detect::{self, Detector, Text, Wanted};
use super::phrases::{Phrases, cases};
use trigrams::{Kinds, PLACES, SEEN, STEP, Sign, Trigrams};
use windows::{Extent, Needle, OneOf, Windows};

/// What to look for.
#[derive(Debug)]
pub(super) struct Prefilter {
    /// There are phrases, or patterns, that leave no sign.
    blind: bool,
    /// There are phrases with letters outside ASCII.
    wide: bool,
    wanted: Wanted,
    signs: Trigrams,
    /// How far phrases reach of which there is a sign.
    around_signs: Extent,
    windows: Option<Windows>,
    /// Every how many places there is a sample: 1, 2, 4 or 8, and 0 if there are no windows.
    stride: usize,
}

/// More phrases among the signs would give an alarm everywhere.
const MAX_SIGNS_OF_PHRASES: usize = 16;

/// What samples take, for a million places, at each of the strides; measured in V8, in nanoseconds.
const STRIDES: [(usize, u64); 4] = [(8, 60_000), (4, 140_000), (2, 300_000), (1, 600_000)];

/// What a close look takes, in nanoseconds.
const CLOSE_LOOK: u64 = 10;

impl Prefilter {
    /// For detectors and phrases.
    pub(super) fn new<'a>(wanted: Wanted, patterns: bool, phrases: impl Iterator<Item = &'a str>) -> Self {
        let mut needles: Vec<Needle> = Vec::new();
        let (mut blind, mut wide) = (patterns, false);
        for phrase in phrases {
            wide |= !phrase.is_ascii();
            match needle(phrase) {
                Some(needle) => needles.push(needle),
                None => blind = true,
            }
        }
        needles.sort_by_key(|needle| needle.bytes.len());
        let options = STRIDES.into_iter().chain([(0, 0)]).filter_map(|(stride, cost)| Self::with(wanted, wide, &needles, stride, cost));
        match options.min_by_key(|(cost, _)| *cost) {
            Some((_, filter)) => Self { blind, ..filter },
            None => Self {
                blind: true,
                wide,
                wanted,
                signs: Trigrams::new(Vec::new()),
                around_signs: Extent::default(),
                windows: None,
                stride: 0,
            },
        }
    }

    /// With samples at this stride for all phrases that are long enough for it, and signs for the rest; and
    /// what that takes for a million places, in nanoseconds.
    fn with(wanted: Wanted, wide: bool, needles: &[Needle], stride: usize, cost: u64) -> Option<(u64, Self)> {
        // Windows of less than four bytes are seen everywhere, unless there are samples of every place.
        let least = match stride {
            0 => usize::MAX,
            1 => 2,
            2 => 4,
            _ => stride + 3,
        };
        let (short, long) = needles.split_at(needles.partition_point(|needle| needle.bytes.len() < least));
        if short.len() > MAX_SIGNS_OF_PHRASES || long.is_empty() && stride > 0 {
            return None;
        }
        let windows = if stride > 0 { Some(Windows::new(long, stride)?) } else { None };
        let mut signs = signs(wanted, wide);
        let mut around_signs = Extent::default();
        for needle in short {
            let (window, extent) = needle.rarest();
            let set = |at: usize| window.get(at).map_or_else(any_byte, OneOf::unfolded);
            signs.push(Sign::new(Kinds::PHRASE, [&set(0), &set(1), &set(2)]));
            around_signs = around_signs.and(extent);
        }
        let signs = Trigrams::new(signs);
        let looks = signs.weight() + windows.as_ref().map_or(0, |windows| windows.weight() / stride as u64);
        let cost = cost + looks / (PLACES / 1_000_000) * CLOSE_LOOK;
        Some((cost, Self { blind: false, wide, wanted, signs, around_signs, windows, stride }))
    }

    /// `false` only if none of the phrases, and nothing that the detectors find, stands in this text.
    pub(super) fn may_match(&self, json: &[u8], phrases: &Phrases) -> bool {
        let mut look = Look { filter: self, phrases, json, numbers_from: 0 };
        self.blind
            || match self.stride {
                0 => look.over::<STEP>(),
                1 => look.over::<1>(),
                2 => look.over::<2>(),
                4 => look.over::<4>(),
                _ => look.over::<8>(),
            }
    }
}

/// Of what is found by its form, and of escapes.
fn signs(wanted: Wanted, wide: bool) -> Vec<Sign> {
    // Below U+1000 if only ASCII matters.
    let escape = Sign::new(Kinds::ESCAPE, [b"\\", b"u", &if wide { any_byte() } else { vec![b'0'] }]);
    let kind = |detector| match detector {
        Detector::ApiKey => Kinds::KEY,
        Detector::Email => Kinds::EMAIL,
        _ => Kinds::NUMBER,
    };
    let wanted = Detector::ALL.into_iter().filter(|detector| wanted.contains(*detector));
    let found = wanted.flat_map(|detector| detector.signs().into_iter().map(move |sets| (kind(detector), sets)));
    found.map(|(kinds, sets)| Sign::new(kinds, sets.each_ref().map(Vec::as_slice))).chain([escape]).collect()
}

fn any_byte() -> Vec<u8> {
    (0..=u8::MAX).collect()
}

/// One look over a text.
struct Look<'a> {
    filter: &'a Prefilter,
    phrases: &'a Phrases,
    json: &'a [u8],
    /// Numbers that begin before have been looked at.
    numbers_from: usize,
}

impl Look<'_> {
    fn over<const STRIDE: usize>(&mut self) -> bool {
        let mut at = 0;
        while let Some(text) = self.json.get(at..).and_then(|rest| rest.first_chunk::<SEEN>()) {
            if self.step::<STRIDE>(at, text) {
                return true;
            }
            at += STEP;
        }
        // The rest, and then nothing.
        let mut last = [0; STEP + SEEN];
        last.iter_mut().zip(self.json.get(at..).unwrap_or_default()).for_each(|(to, from)| *to = *from);
        [0, STEP].into_iter().any(|from| {
            let text = last.get(from..).and_then(|rest| rest.first_chunk::<SEEN>());
            text.is_some_and(|text| self.step::<STRIDE>(at + from, text))
        })
    }

    #[inline]
    fn step<const STRIDE: usize>(&mut self, at: usize, text: &[u8; SEEN]) -> bool {
        let window = STRIDE < STEP && self.filter.windows.as_ref().is_some_and(|windows| windows.are_in::<STRIDE>(text));
        let sign = self.filter.signs.are_in(text);
        window && self.at_windows::<STRIDE>(at, text) || sign && self.at_signs(at, text)
    }

    #[cold]
    #[inline(never)]
    fn at_windows<const STRIDE: usize>(&self, at: usize, text: &[u8; SEEN]) -> bool {
        let windows = self.filter.windows.iter().flat_map(|windows| windows.places::<STRIDE>(text));
        windows.into_iter().any(|(place, extent)| self.phrase(at + place, extent))
    }

    #[cold]
    #[inline(never)]
    fn at_signs(&mut self, at: usize, text: &[u8; SEEN]) -> bool {
        let filter = self.filter;
        filter.signs.places(text).any(|(place, kinds)| self.sign(at + place, kinds))
    }

    fn sign(&mut self, at: usize, kinds: Kinds) -> bool {
        let text = Text::json(self.json);
        let wanted = self.filter.wanted;
        kinds.contain(Kinds::ESCAPE) && self.escape(at)
            || kinds.contain(Kinds::PHRASE) && self.phrase(at, self.filter.around_signs)
            || kinds.contain(Kinds::EMAIL) && detect::email_around(text, at)
            || kinds.contain(Kinds::KEY) && detect::key_around(text, at)
            || kinds.contain(Kinds::NUMBER) && detect::number_around(wanted, text, at, &mut self.numbers_from)
    }

    /// Whether an escape may stand for a character that matters.
    fn escape(&self, at: usize) -> bool {
        let digits = self.json.get(at..).and_then(|rest| rest.strip_prefix(b"\\u")?.get(..4));
        digits.is_some_and(|digits| self.filter.wide || digits.starts_with(b"00") && matches!(digits.get(2), Some(b'0'..=b'7')))
    }

    /// Whether a phrase stands so near to a place.
    fn phrase(&self, at: usize, extent: Extent) -> bool {
        let Some((before, behind)) = extent.bytes() else { return true };
        let from = at.saturating_sub(before);
        let to = self.json.len().min(at + behind);
        self.phrases.stands_in(self.json.get(from..to).unwrap_or_default())
    }
}

/// What to look for of a phrase; `None` if every character of it has an escape of its own.
fn needle(phrase: &str) -> Option<Needle> {
    let mut bytes: Vec<OneOf> = Vec::new();
    let mut escapes = Vec::new();
    for letter in phrase.chars() {
        if letter.is_ascii_control() || matches!(letter, '"' | '\\' | '/') {
            escapes.push(bytes.len());
        }
        let cases: Vec<char> = cases(letter).all().collect();
        let byte = |letter: &char, at: usize| {
            let mut buffer = [0; 4];
            letter.encode_utf8(&mut buffer).as_bytes().get(at).copied()
        };
        bytes.extend((0..letter.len_utf8()).map(|at| OneOf::new(cases.iter().filter_map(|letter| byte(letter, at)))));
    }
    let total = bytes.len();
    let ends = escapes.iter().copied().chain([total]);
    let begins = [0].into_iter().chain(escapes.iter().map(|at| at + 1));
    let (from, to) = begins.zip(ends).max_by_key(|(from, to)| to - from)?;
    let bytes: Vec<OneOf> = bytes.into_iter().skip(from).take(to - from).collect();
    let extent = if escapes.is_empty() { Extent::new(from, total - from) } else { Extent::UNKNOWN };
    (!bytes.is_empty()).then_some(Needle { bytes, extent })
}
