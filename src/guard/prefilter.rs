//! Whether a text can be passed on unread, and where phrases are in it if not.
//!
//! Most bodies hold nothing that a rule names, and to know that one does not need strings or escapes. Every
//! match contains one of a few signs of three bytes (`signs`), or a window of a phrase (`windows`). Both are
//! looked for in one pass over the JSON text as it is written. What is found is looked at closely where
//! it stands: by the automaton of the phrases, and by the detectors, told that the text is JSON.
//!
//! What the text could hide: any character may be written `\u0041`, so an escape that stands for a
//! letter that matters is a sign, too. Other escapes stand for characters that are part of phrases
//! only; of those phrases the longest stretch without them is looked for, and counts if it is found.

mod needle;
mod parts;
mod signs;
mod windows;

use super::detect::{self, Detector, Text, Wanted};
use super::phrases::Phrases;
use super::{lanes, order};
use core::ops::Range;
use needle::Needle;
pub(super) use parts::may_have_parts;
use signs::{BACK, Begun, ROOM, SEEN, STEP, Sign, Tables};
use windows::{MAX_WINDOWS, Near, Windows};

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
    tables: Tables,
    /// What the signs in the tables announce.
    kinds: [Kind; ROOM],
    /// The sign of numbers, if they can be cards only.
    cards: u8,
    /// The sign of a text in several parts, a bit in the tables; none if there is no room for it.
    parts: u8,
    /// Signs of phrases, if there is no room for them among the others.
    apart: Option<Tables>,
    /// Which sign a short phrase has, and where it is, seen from there.
    short: Vec<(u8, Near)>,
    /// Of longer phrases.
    windows: Option<Windows>,
    /// Every how many places there is a sample: 2, 4 or 8, and [`STEP`] if there are no windows.
    stride: usize,
}

/// What a sign announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Email,
    Number,
    Key,
    /// Or a number that begins with `+`.
    Escape,
    Phrase,
}

/// Ways to look for phrases, the one that takes least time first: at every how many places there is a sample; bytes
/// of the shortest phrase that has enough windows for that, of which few are in every sentence; and how
/// many shorter ones there may be, which become signs. 0: as many as there is room for among the others.
const WAYS: [(usize, usize, usize); 8] =
    [(8, 12, 0), (4, 8, 0), (8, 12, ROOM), (4, 8, ROOM), (2, 4, 0), (4, 8, MAX_SHORT), (2, 4, ROOM), (2, 4, MAX_SHORT)];

/// More signs would be seen everywhere.
const MAX_SHORT: usize = 24;

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
        let (mut signs, mut kinds) = detector_signs(wanted, wide);
        let room = ROOM - signs.len();
        let shorter_than = |least: usize| needles.iter().filter(|needle| needle.bytes.len() < least).count();
        let is_possible = |(stride, least, few): &&(usize, usize, usize)| {
            shorter_than(*least) <= if *few == 0 { room } else { *few } && needles.len() * stride <= MAX_WINDOWS
        };
        let way = WAYS.iter().find(is_possible);
        let (stride, least, _) = way.copied().unwrap_or((STEP, usize::MAX, 0));
        let (short, long): (Vec<&Needle>, Vec<&Needle>) = needles.iter().partition(|needle| needle.bytes.len() < least);
        let windows = Windows::new(&long, stride);
        blind_for_phrases |= way.is_none() || windows.is_none() && !long.is_empty();
        let mut apart = [Sign::default(); ROOM];
        let fits = short.len() <= room;
        let mut nears = Vec::new();
        for (index, needle) in short.iter().take(MAX_SHORT).enumerate() {
            let from = needle.rarest(needle.bytes.len().min(3));
            let sign = Sign::folded(needle.bytes.get(from..).unwrap_or_default());
            let bit = if fits { signs.len() } else { index % ROOM };
            if fits {
                signs.push(sign);
                kinds.push(Kind::Phrase);
            } else if let Some(place) = apart.get_mut(bit) {
                *place = place.or(sign);
            }
            nears.push((1 << bit, needle.near(from)));
        }
        let number = kinds.iter().position(|kind| *kind == Kind::Number).filter(|_| wanted.numbers_are_cards());
        let mut parts = 0;
        if signs.len() < ROOM {
            parts = 1 << signs.len();
            signs.push(parts::SIGN);
        }
        Self {
            blind: patterns || blind_for_phrases,
            blind_for_phrases,
            wide,
            wanted,
            tables: Tables::new(&signs),
            kinds: core::array::from_fn(|bit| kinds.get(bit).copied().unwrap_or(Kind::Phrase)),
            cards: number.map_or(0, |bit| 1 << bit),
            parts,
            apart: (!fits).then(|| Tables::new(&apart)),
            short: nears,
            stride: if windows.is_some() { stride } else { STEP },
            windows,
        }
    }

    /// Whether [`may_match`](Self::may_match) tells of arrays.
    pub(super) fn sees_parts(&self) -> bool {
        self.parts != 0
    }

    /// `false` only if none of the phrases, and nothing that the detectors find, stands in this text; nor, if it
    /// [`sees_parts`](Self::sees_parts), an array of objects that is none of these.
    pub(super) fn may_match(&self, json: &[u8], phrases: &Phrases, arrays: Option<&[&str]>) -> bool {
        let left = FREE_LOOKS + json.len() / BYTES_PER_LOOK;
        let mut look = Look { filter: self, phrases, json, arrays, numbers_from: 0, left };
        self.blind || self.any(json, &mut |at, seen| look.at(at, seen))
    }

    /// Where phrases are in a text that is not written as JSON, in order.
    pub(super) fn regions(&self, text: &[u8], phrases: &Phrases) -> Vec<Range<usize>> {
        if self.blind_for_phrases || text.len() < SEEN {
            return core::iter::once(0..text.len()).collect();
        }
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut add = |at: usize, near: Near| {
            let region = near.region(at, text.len());
            if phrases.begin(text.get(region.clone()).unwrap_or_default()) {
                match found.last_mut() {
                    Some(last) if last.start <= region.start && region.start <= last.end => last.end = last.end.max(region.end),
                    _ => found.push(region),
                }
            }
        };
        self.any(text, &mut |at, seen| {
            match seen {
                Seen::Window(near) => add(at, near),
                Seen::Signs(_) if self.apart.is_some() => {}
                Seen::Signs(signs) | Seen::Apart(signs) => self.phrases_with(signs).for_each(|near| add(at, near)),
            }
            false
        });
        let mut regions: Vec<Range<usize>> = Vec::new();
        let starts: Vec<usize> = found.iter().map(|region| region.start).collect();
        for region in order::of(&starts).into_iter().filter_map(|at| found.get(at)) {
            match regions.last_mut() {
                Some(last) if region.start <= last.end => last.end = last.end.max(region.end),
                _ => regions.push(region.clone()),
            }
        }
        regions
    }

    /// Where the short phrases are that have one of these signs.
    fn phrases_with(&self, signs: u8) -> impl Iterator<Item = Near> {
        self.short.iter().filter(move |(bit, _)| bit & signs != 0).map(|(_, near)| *near)
    }

    /// Reports windows and signs, until one is enough.
    fn any(&self, text: &[u8], enough: Enough<'_>) -> bool {
        let found = match self.stride {
            8 => self.whole::<8>(text, self.tables, enough),
            4 => self.whole::<4>(text, self.tables, enough),
            2 => self.whole::<2>(text, self.tables, enough),
            _ => self.whole::<STEP>(text, self.tables, enough),
        };
        let only_phrases: Enough<'_> = &mut |at, seen| match seen {
            Seen::Signs(signs) => enough(at, Seen::Apart(signs)),
            _ => false,
        };
        found || self.apart.is_some_and(|tables| self.whole::<STEP>(text, tables, only_phrases))
    }

    fn whole<const STRIDE: usize>(&self, text: &[u8], tables: Tables, enough: Enough<'_>) -> bool {
        let steps = (text.len() + STEP).saturating_sub(SEEN) / STEP * STEP;
        // The last bytes, and then nothing.
        let mut last = [0; STEP + SEEN];
        last.iter_mut().zip(text.get(steps..).unwrap_or_default()).for_each(|(to, from)| *to = *from);
        let mut begun = Begun::nothing();
        self.over::<STRIDE>(text, (text, 0), tables, &mut begun, enough)
            || self.over::<STRIDE>(text, (&last, steps), tables, &mut begun, enough)
    }

    /// Goes over a part of the text, of which the place is given, as far as there are enough bytes.
    #[inline(never)]
    fn over<const STRIDE: usize>(
        &self,
        text: &[u8],
        (part, from): (&[u8], usize),
        tables: Tables,
        begun: &mut Begun,
        enough: Enough<'_>,
    ) -> bool {
        let windows = self.windows.as_ref().filter(|_| STRIDE < STEP);
        // By value, so that it stays in registers.
        let slots = windows.map(Windows::slots);
        let (mut at, mut open) = (0, *begun);
        while let Some(seen) = part.get(at..).and_then(|rest| rest.first_chunk()) {
            let window = slots.is_some_and(|slots| slots.are_used::<STRIDE>(seen));
            let signs = tables.signs(seen, &mut open);
            if window
                && windows
                    .is_some_and(|windows| windows.any::<STRIDE>(text, from + at, seen, &mut |at, near| enough(at, Seen::Window(near))))
                || lanes::any(signs)
                    && signs::any(signs, &mut |place, signs| enough((from + at + place).saturating_sub(BACK), Seen::Signs(signs)))
            {
                return true;
            }
            at += STEP;
        }
        *begun = open;
        false
    }
}

/// What is seen at a place.
#[derive(Clone, Copy)]
enum Seen {
    Window(Near),
    Signs(u8),
    /// Signs of phrases only.
    Apart(u8),
}

type Enough<'a> = &'a mut dyn FnMut(usize, Seen) -> bool;

/// What stands in every match of a detector, and in every escape that may stand for a letter that matters: of
/// ASCII, or any. Those of keys are the prefixes that the detector knows.
fn detector_signs(wanted: Wanted, wide: bool) -> (Vec<Sign>, Vec<Kind>) {
    const DIGIT: &[u8] = b"0123456789";
    const LETTER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const WORD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-";
    const NUMBER: Sign = Sign::new([DIGIT, b"0123456789.", DIGIT]);
    const IBAN: Sign = Sign::new([LETTER, DIGIT, DIGIT]);
    const PHONE: Sign = Sign::new([b"+", DIGIT, b"0123456789 -.("]);
    const EMAIL: Sign = Sign::new([WORD, b"@", WORD]);
    const ESCAPE: Sign = Sign::new([b"\\", b"u", b"0"]);
    const WIDE_ESCAPE: Sign = Sign::new([b"\\", b"u", b"0123456789ABCDEFabcdef"]);
    const KEYS: [Sign; 3] =
        [Sign::new([b"snhruxp", b"krfbom", b"-_x"]), Sign::new([b"g", b"h", b"pousr"]), Sign::new([b"Ag", b"KSIl", b"Izp"])];
    let has = |some: &[Detector]| some.iter().any(|detector| wanted.contains(*detector));
    let escape = if wide { WIDE_ESCAPE } else { ESCAPE };
    let escape = if has(&[Detector::Phone]) { escape.or(PHONE) } else { escape };
    let mut signs = vec![(escape, Kind::Escape)];
    if has(&[Detector::CreditCard, Detector::Phone, Detector::Ipv4]) {
        signs.push((NUMBER, Kind::Number));
    }
    if has(&[Detector::Iban]) {
        signs.push((IBAN, Kind::Number));
    }
    if has(&[Detector::Email]) {
        signs.push((EMAIL, Kind::Email));
    }
    if has(&[Detector::ApiKey]) {
        signs.extend(KEYS.map(|sign| (sign, Kind::Key)));
    }
    signs.into_iter().unzip()
}

/// A close look at what is found in a JSON text.
struct Look<'a> {
    filter: &'a Prefilter,
    phrases: &'a Phrases,
    json: &'a [u8],
    /// Arrays of objects that are no parts; `None` if nobody asks for parts.
    arrays: Option<&'a [&'a str]>,
    /// Numbers that begin before have been looked at.
    numbers_from: usize,
    /// Looks that are still worth it.
    left: usize,
}

/// A text that needs more looks than that, such as a table of numbers, is searched in less time.
const BYTES_PER_LOOK: usize = 64;
const FREE_LOOKS: usize = 64;

impl Look<'_> {
    fn at(&mut self, at: usize, seen: Seen) -> bool {
        let seen = match seen {
            // What is seen most often.
            Seen::Signs(signs) if signs == self.filter.cards => match detect::end_of_short_number(self.json, at, self.numbers_from) {
                Some(end) => {
                    self.numbers_from = end;
                    return false;
                }
                None => seen,
            },
            Seen::Signs(signs) if signs & self.filter.parts != 0 => {
                if self.arrays.is_some_and(|arrays| parts::begin_at(self.json, at, arrays)) {
                    return true;
                }
                if signs == self.filter.parts {
                    return false;
                }
                Seen::Signs(signs ^ self.filter.parts)
            }
            seen => seen,
        };
        let Some(left) = self.left.checked_sub(1) else { return true };
        self.left = left;
        match seen {
            Seen::Window(near) => self.phrase(at, near),
            Seen::Signs(mut signs) => {
                while let Some(kind) = self.filter.kinds.get(signs.trailing_zeros() as usize) {
                    let rest = signs & (signs - 1);
                    if self.announced(at, *kind, signs ^ rest) {
                        return true;
                    }
                    signs = rest;
                }
                false
            }
            Seen::Apart(signs) => self.announced(at, Kind::Phrase, signs),
        }
    }

    fn announced(&mut self, at: usize, kind: Kind, signs: u8) -> bool {
        let text = Text::json(self.json);
        let mut number = || detect::number_around(self.filter.wanted, text, at, &mut self.numbers_from);
        match kind {
            Kind::Number => number(),
            Kind::Escape => number() || self.escape(at),
            Kind::Email => detect::email_around(text, at),
            Kind::Key => detect::key_around(text, at),
            Kind::Phrase => self.filter.phrases_with(signs).any(|near| self.phrase(at, near)),
        }
    }

    /// Whether an escape may stand for a character that matters.
    fn escape(&self, at: usize) -> bool {
        let digits = self.json.get(at..).and_then(|rest| rest.strip_prefix(b"\\u")?.get(..4));
        digits.is_some_and(|digits| self.filter.wide || digits.starts_with(b"00") && matches!(digits.get(2), Some(b'0'..=b'7')))
    }

    /// Whether a phrase stands where it is seen.
    fn phrase(&self, at: usize, near: Near) -> bool {
        near.escaped || self.phrases.begin(self.json.get(near.region(at, self.json.len())).unwrap_or_default())
    }
}
