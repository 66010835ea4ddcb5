//! Phrases: an automaton (Aho and Corasick, 1975) that goes over a text once, however many there are.
//!
//! A state is a beginning of phrases, and the automaton is always in that of the longest beginning
//! which the text ends with. So the state at the end of a text says how much of it a stream has to hold
//! back. It works on bytes. Letters of ASCII are folded where the text is read; for the other letters
//! the phrases have both cases, as two ways from one state to another (docs/decisions/0012).

use super::rules::RuleIndex;
use core::ops::Range;

/// The phrases of all rules of one side.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    states: Vec<State>,
    /// The ways out of the states, those of one state together.
    ways: Vec<Way>,
    /// Where a byte leads from the state in which nothing has begun.
    first: Vec<StateIndex>,
    /// What ends in the states, those of one state together: for each rule the longest.
    ends: Vec<End>,
    /// Bytes of the longest phrase.
    longest: usize,
}

type StateIndex = u32;

/// Nothing has begun.
const NOTHING: StateIndex = 0;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Where its ways begin in the list; they end where those of the next state begin.
    ways: u32,
    /// The state of the longest beginning that is an end of this one.
    shorter: StateIndex,
    /// Where its ends are in the list.
    ends: u32,
    ends_count: u16,
    /// Bytes.
    length: u16,
}

#[derive(Debug, Clone, Copy)]
struct Way {
    byte: u8,
    to: StateIndex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    rule: RuleIndex,
    /// Bytes.
    length: u16,
}

impl Phrases {
    /// Of rules and their phrases, none of which is empty or has more than 65,535 bytes.
    pub(super) fn new<'a>(phrases: impl Iterator<Item = (RuleIndex, &'a str)>) -> Self {
        let mut tree = Tree::default();
        for (rule, phrase) in phrases {
            tree.insert(rule, phrase);
        }
        tree.finish()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.longest == 0
    }

    /// Bytes of the longest.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Reports for every place where phrases end the longest of each rule, if it lies within one of the
    /// regions of the text; those are in order. Returns how many bytes at the end of the last one may be
    /// the beginning of a phrase.
    pub(super) fn scan(
        &self,
        text: &[u8],
        regions: impl IntoIterator<Item = Range<usize>>,
        mut each: impl FnMut(RuleIndex, Range<usize>),
    ) -> usize {
        let mut state = NOTHING;
        for region in regions {
            state = NOTHING;
            for (byte, at) in text.get(region.clone()).unwrap_or_default().iter().zip(region.start + 1..) {
                state = self.next(state, byte.to_ascii_lowercase());
                if state != NOTHING {
                    for end in self.ends(state) {
                        each(end.rule, at - usize::from(end.length)..at);
                    }
                }
            }
        }
        while state != NOTHING && self.ways(state).is_empty() {
            state = self.state(state).shorter;
        }
        usize::from(self.state(state).length)
    }

    /// Whether a phrase stands at the beginning of the text.
    pub(super) fn begin(&self, text: &[u8]) -> bool {
        let mut bytes = text.iter().map(u8::to_ascii_lowercase);
        let mut state = bytes.next().map_or(NOTHING, |byte| self.next(NOTHING, byte));
        while state != NOTHING {
            // A shorter phrase that ends here, too, does not count.
            let length = self.state(state).length;
            if self.ends(state).iter().any(|end| end.length == length) {
                return true;
            }
            let way = bytes.next().and_then(|byte| self.ways(state).iter().find(|way| way.byte == byte));
            state = way.map_or(NOTHING, |way| way.to);
        }
        false
    }

    fn next(&self, mut state: StateIndex, byte: u8) -> StateIndex {
        while state != NOTHING {
            if let Some(way) = self.ways(state).iter().find(|way| way.byte == byte) {
                return way.to;
            }
            state = self.state(state).shorter;
        }
        self.first.get(usize::from(byte)).copied().unwrap_or(NOTHING)
    }

    fn state(&self, state: StateIndex) -> State {
        self.states.get(state as usize).copied().unwrap_or_default()
    }

    fn ways(&self, state: StateIndex) -> &[Way] {
        let from = self.state(state).ways as usize;
        let to = self.states.get(state as usize + 1).map_or(self.ways.len(), |next| next.ways as usize);
        self.ways.get(from..to).unwrap_or_default()
    }

    fn ends(&self, state: StateIndex) -> &[End] {
        let state = self.state(state);
        let from = state.ends as usize;
        self.ends.get(from..from + usize::from(state.ends_count)).unwrap_or_default()
    }
}

/// The automaton while phrases are added: what begins with what, and nothing about ends that are
/// beginnings.
struct Tree {
    nodes: Vec<Node>,
    /// Lists of ways, linked.
    ways: Vec<(Way, Option<u32>)>,
}

#[derive(Default)]
struct Node {
    /// First of its ways.
    ways: Option<u32>,
    length: u16,
    ends: Vec<End>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], ways: Vec::new() }
    }
}

impl Tree {
    fn insert(&mut self, rule: RuleIndex, phrase: &str) {
        let mut node = NOTHING;
        for letter in phrase.chars() {
            let [lower, others @ ..] = cases(letter);
            let to = self.walk(node, lower, None);
            for other in others {
                self.walk(node, other, Some(to));
            }
            node = to;
        }
        if let Some(node) = self.nodes.get_mut(node as usize) {
            let end = End { rule, length: node.length };
            if end.length > 0 && !node.ends.contains(&end) {
                node.ends.push(end);
            }
        }
    }

    /// The node behind a character. It is made, or is `to`, if there is none.
    fn walk(&mut self, from: StateIndex, character: char, to: Option<StateIndex>) -> StateIndex {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        let mut node = from;
        for (at, byte) in bytes.iter().enumerate() {
            let is_last = at + 1 == bytes.len();
            node = self.to(node, *byte).unwrap_or_else(|| self.add(node, *byte, to.filter(|_| is_last)));
        }
        node
    }

    fn to(&self, node: StateIndex, byte: u8) -> Option<StateIndex> {
        self.ways(node).find(|way| way.byte == byte).map(|way| way.to)
    }

    fn ways(&self, node: StateIndex) -> impl Iterator<Item = Way> {
        let mut next = self.nodes.get(node as usize).and_then(|node| node.ways);
        core::iter::from_fn(move || {
            let (way, following) = self.ways.get(next? as usize)?;
            next = *following;
            Some(*way)
        })
    }

    fn add(&mut self, from: StateIndex, byte: u8, to: Option<StateIndex>) -> StateIndex {
        let index = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let length = self.nodes.get(from as usize).map_or(0, |node| node.length.saturating_add(1));
        let to = to.unwrap_or_else(|| {
            self.nodes.push(Node { length, ..Node::default() });
            index(self.nodes.len() - 1)
        });
        let way = index(self.ways.len());
        if let Some(node) = self.nodes.get_mut(from as usize) {
            self.ways.push((Way { byte, to }, node.ways.replace(way)));
        }
        to
    }

    fn finish(self) -> Phrases {
        let mut phrases = Phrases::default();
        for (index, node) in self.nodes.iter().enumerate() {
            let ways = u32::try_from(phrases.ways.len()).unwrap_or(u32::MAX);
            phrases.states.push(State { ways, length: node.length, ..State::default() });
            phrases.ways.extend(self.ways(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        let first = |byte: u8| self.to(NOTHING, byte).unwrap_or(NOTHING);
        phrases.first = (0..=u8::MAX).map(first).collect();
        // From short to long: what is shorter than a state is complete when the state's turn comes.
        let mut order: Vec<StateIndex> = phrases.first.iter().copied().filter(|state| *state != NOTHING).collect();
        let mut at = 0;
        let mut seen = vec![false; phrases.states.len()];
        while let Some(state) = order.get(at).copied() {
            at += 1;
            if seen.get_mut(state as usize).is_none_or(|seen| core::mem::replace(seen, true)) {
                continue;
            }
            let shorter = phrases.state(state).shorter;
            phrases.set_ends(state, self.nodes.get(state as usize).map_or(&[], |node| &node.ends), shorter);
            for way in phrases.ways(state).to_vec() {
                let next = phrases.next(shorter, way.byte);
                if let Some(to) = phrases.states.get_mut(way.to as usize) {
                    to.shorter = next;
                }
                order.push(way.to);
            }
        }
        phrases.longest = phrases.ends.iter().map(|end| usize::from(end.length)).max().unwrap_or(0);
        phrases
    }
}

impl Phrases {
    /// What ends in a state: its own phrases, and of the other rules what ends in the shorter one.
    fn set_ends(&mut self, state: StateIndex, own: &[End], shorter: StateIndex) {
        let inherited = self.state(shorter);
        let (from, count) = if own.is_empty() {
            (inherited.ends, inherited.ends_count)
        } else {
            let from = self.ends.len();
            let others: Vec<End> = self.ends(shorter).iter().copied().filter(|end| own.iter().all(|own| own.rule != end.rule)).collect();
            self.ends.extend(own.iter().copied().chain(others));
            (u32::try_from(from).unwrap_or(u32::MAX), u16::try_from(self.ends.len() - from).unwrap_or(u16::MAX))
        };
        if let Some(state) = self.states.get_mut(state as usize) {
            (state.ends, state.ends_count) = (from, count);
        }
    }
}

/// Blocks of Unicode where upper and lower case have the same length: the first and the last upper-case letter, and
/// how far the lower-case ones are from them. Where that is one, the two take turns.
const CASES: [(u32, u32, u32); 29] = [
    (0xc0, 0xd6, 0x20),
    (0xd8, 0xde, 0x20),
    (0x100, 0x12e, 1),
    (0x132, 0x136, 1),
    (0x139, 0x147, 1),
    (0x14a, 0x176, 1),
    (0x179, 0x17d, 1),
    (0x1a0, 0x1a4, 1),
    (0x1af, 0x1af, 1),
    (0x1cd, 0x1db, 1),
    (0x1de, 0x1ee, 1),
    (0x1f8, 0x21e, 1),
    (0x222, 0x232, 1),
    (0x386, 0x386, 0x26),
    (0x388, 0x38a, 0x25),
    (0x38c, 0x38c, 0x40),
    (0x38e, 0x38f, 0x3f),
    (0x391, 0x3a1, 0x20),
    (0x3a3, 0x3ab, 0x20),
    (0x3d8, 0x3ee, 1),
    (0x400, 0x40f, 0x50),
    (0x410, 0x42f, 0x20),
    (0x460, 0x480, 1),
    (0x48a, 0x4be, 1),
    (0x4c1, 0x4cd, 1),
    (0x4d0, 0x52e, 1),
    (0x531, 0x556, 0x30),
    (0x1e00, 0x1e94, 1),
    (0x1ea0, 0x1efe, 1),
];

/// A letter in its cases, lower case first, all of the same length in UTF-8; fewer than three repeat. One of
/// ASCII has one: the text is folded. The tables of the standard library know a few letters more, and are
/// 26 KB of the module.
pub(super) fn cases(letter: char) -> [char; 3] {
    if letter.is_ascii() {
        return [letter.to_ascii_lowercase(); 3];
    }
    let code = u32::from(letter);
    let pair = CASES.iter().find_map(|(first, last, distance)| {
        let step = if *distance == 1 { 2 } else { 1 };
        let is_upper = |code: &u32| (*first..=*last).contains(code) && (code - first).is_multiple_of(step);
        [Some(code), code.checked_sub(*distance)].into_iter().flatten().find(is_upper).map(|upper| (upper + distance, upper))
    });
    match (letter, pair) {
        ('σ' | 'ς' | 'Σ', _) => ['σ', 'Σ', 'ς'],
        (_, Some((lower, upper))) => [lower, upper, lower].map(|code| char::from_u32(code).unwrap_or(letter)),
        _ => [letter; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn found(phrases: &[&str], text: &str) -> Vec<(u16, Range<usize>)> {
        let phrases = Phrases::new((0..).map(RuleIndex).zip(phrases.iter().copied()));
        let mut found = Vec::new();
        phrases.scan(text.as_bytes(), core::iter::once(0..text.len()), |rule, range| found.push((rule.0, range)));
        found
    }

    #[test]
    fn reports_for_each_rule_the_longest_phrase_that_ends_somewhere() {
        assert_eq!(found(&["she", "he", "hers", "x"], "Ushers"), [(0, 1..4), (1, 2..4), (2, 2..6)]);
        assert_eq!(found(&["aa"], "aaaa"), [(0, 0..2), (0, 1..3), (0, 2..4)]);
        let one_rule = Phrases::new(["c", "bc", "abc", "bcd"].map(|phrase| (RuleIndex(0), phrase)).into_iter());
        let mut ranges = Vec::new();
        assert_eq!(one_rule.scan(b"abcdabc", [0..4, 5..7], |_, range| ranges.push(range)), 2);
        assert_eq!(ranges, [0..3, 1..4, 5..7]);
        assert_eq!(one_rule.longest(), 3);
    }

    #[test]
    fn letters_of_many_scripts_are_found_whatever_their_case() {
        for (phrase, text) in [
            ("Projekt Größe", "PROJEKT GRÖßE"),
            ("été", "ÉtÉ"),
            ("Žižkov łódź", "žIŽKOV ŁÓDŹ"),
            ("Проект Ёж", "пРОЕКТ ёЖ"),
            ("ΌΔΟΣ", "όδος"),
            ("Đường", "đƯỜNG"),
            ("Հայ", "հԱՅ"),
        ] {
            assert_eq!(found(&[phrase], &["x", text].concat()).last(), Some(&(0, 1..text.len() + 1)), "{phrase} in {text}");
        }
        assert_eq!(found(&["ß", "ı", "ﬁ"], "SS I fi"), []);
    }

    #[test]
    fn a_phrase_begins_only_at_the_beginning() {
        let phrases = Phrases::new(["abc", "bc", "é"].map(|phrase| (RuleIndex(0), phrase)).into_iter());
        let begin = |text: &str| phrases.begin(text.as_bytes());
        assert!(begin("ABC") && begin("bcx") && begin("É"));
        assert!(!begin("") && !begin("ab") && !begin("abx") && !begin("xabc"));
    }

    #[test]
    fn cases_are_those_of_unicode() {
        let set = |letter: char| cases(letter).into_iter().collect::<BTreeSet<_>>();
        let sigma = |letter: char| if letter == 'ς' { 'σ' } else { letter };
        let folded = |letter: char| letter.to_lowercase().map(sigma).collect::<String>();
        let mut missing = Vec::new();
        assert!(('\u{1f00}'..=char::MAX).all(|letter| cases(letter) == [letter; 3]));
        for letter in '\u{0}'..'\u{1f00}' {
            for other in set(letter) {
                assert_eq!(set(other), set(letter), "{letter} and {other}");
                assert_eq!(folded(other), folded(letter), "{letter} and {other}");
                assert_eq!(other.len_utf8(), letter.len_utf8(), "{letter} and {other}");
            }
            let pair =
                letter.to_lowercase().next().filter(|lower| lower.len_utf8() == letter.len_utf8() && folded(*lower) == folded(letter));
            if letter.is_uppercase() && pair.is_some_and(|lower| lower != letter && !set(letter).contains(&lower)) && !letter.is_ascii() {
                missing.push(letter);
            }
        }
        // Everything that languages of today are written in with these scripts.
        let scripts =
            |letter: &char| matches!(letter, '\u{c0}'..='\u{17e}' | '\u{386}'..='\u{3ab}' | '\u{400}'..='\u{4bf}' | '\u{531}'..='\u{556}');
        let missing: String = missing.into_iter().filter(scripts).collect();
        assert_eq!(missing, "Ÿ");
    }
}
