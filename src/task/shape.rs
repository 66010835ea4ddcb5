//! What is not words: lengths, marks, digits, scripts, and what surrounds the message.

use super::Evidence;
use super::literal::UNREADABLE;
use super::weights::BUCKETS;
use super::words::Letter;

/// Rows of the table by what they mean; the order and the numbers are those of `training/features.py`.
const USER_LENGTH: usize = BUCKETS;
const LINES: usize = USER_LENGTH + 10;
const QUESTIONS: usize = LINES + 7;
const LAST: usize = QUESTIONS + 2;
const FENCE: usize = LAST + 4;
const BACKTICK: usize = FENCE + 1;
const INDENTED: usize = BACKTICK + 1;
const LIST: usize = INDENTED + 1;
const OPTIONS: usize = LIST + 1;
const QUOTES: usize = OPTIONS + 1;
const DOLLAR: usize = QUOTES + 1;
const BACKSLASH: usize = DOLLAR + 1;
const ADDRESS: usize = BACKSLASH + 2;
const DIGITS: usize = ADDRESS + 1;
const BRACES: usize = DIGITS + 5;
const OPERATORS: usize = BRACES + 4;
const FOREIGN: usize = OPERATORS + 4;
const IDEOGRAPHS: usize = FOREIGN + 3;
const CYRILLIC: usize = IDEOGRAPHS + 1;
const MESSAGES: usize = CYRILLIC + 1;
const SYSTEM: usize = MESSAGES + 4;
const TOOLS: usize = SYSTEM + 1;
const TOOL_RESULTS: usize = TOOLS + 1;
const JSON: usize = TOOL_RESULTS + 1;
/// Number of these rows.
pub(super) const ROWS: usize = JSON + 1 - BUCKETS;

const LINE_FEED: u32 = 10;

/// Counts over the code points read.
#[derive(Default)]
pub(super) struct Shape {
    points: usize,
    line_feeds: usize,
    questions: usize,
    quotes: usize,
    dollars: usize,
    backslashes: usize,
    backticks: usize,
    /// Backticks just before.
    run: usize,
    fence: bool,
    digits: usize,
    braces: usize,
    operators: usize,
    foreign: usize,
    ideographs: usize,
    cyrillic: usize,
    indented: usize,
    list: usize,
    options: usize,
    addresses: usize,
    /// The last visible code point.
    last: u32,
    /// The two code points before, line feeds at the beginning.
    before: (u32, u32),
}

impl Shape {
    /// A piece begins; only the first begins with a line.
    pub(super) fn begin(&mut self, at_line: bool) {
        let point = if at_line { LINE_FEED } else { 0 };
        self.before = (point, point);
    }

    /// Counts ASCII letters and digits in a row, so many of them digits.
    #[inline]
    pub(super) fn word(&mut self, run: &[u8], digits: usize) {
        let [.., last] = run else { return };
        let (older, old) = self.before;
        if older == LINE_FEED {
            run.first().into_iter().for_each(|first| self.second_of_line(old, *first));
        }
        let last_but_one = run.len().checked_sub(2).and_then(|at| run.get(at)).map_or(old, |byte| u32::from(*byte));
        self.last = u32::from(*last);
        self.before = (last_but_one, self.last);
        self.points += run.len();
        self.digits += digits;
        self.run = 0;
    }

    /// Counts any other ASCII character.
    #[inline]
    pub(super) fn mark(&mut self, byte: u8) {
        self.points += 1;
        let (older, old) = self.before;
        self.before = (old, u32::from(byte));
        if byte > b' ' {
            self.last = u32::from(byte);
        }
        if older == LINE_FEED {
            self.second_of_line(old, byte);
        }
        if byte == b' ' {
            self.run = 0;
        } else {
            self.count(byte, older, old);
        }
    }

    /// Counts the next code point, whatever it is.
    pub(super) fn add(&mut self, point: u32, letter: Letter) {
        match u8::try_from(point) {
            Ok(byte) if byte.is_ascii_alphanumeric() => self.word(&[byte], usize::from(byte.is_ascii_digit())),
            Ok(byte) if byte.is_ascii() => self.mark(byte),
            _ => {
                self.points += 1;
                self.before = (self.before.1, point);
                self.beyond_ascii(point, letter);
            }
        }
    }

    fn beyond_ascii(&mut self, point: u32, letter: Letter) {
        self.run = 0;
        if point == UNREADABLE {
            return;
        }
        self.foreign += usize::from(letter != Letter::Gap);
        self.ideographs += usize::from(matches!(letter, Letter::Single(_)));
        self.cyrillic += usize::from((0x400..0x530).contains(&point));
        self.last = point;
    }

    /// The first two characters of a line tell lists and code.
    fn second_of_line(&mut self, first: u32, second: u8) {
        let Ok(first) = u8::try_from(first) else { return };
        self.indented += usize::from(matches!((first, second), (b' ', b' ') | (b'\t', _)));
        self.list += usize::from(matches!((first, second), (b'0'..=b'9', b'.' | b')') | (b'*' | b'-', b' ')));
        self.options += usize::from(first == b'(' || first.is_ascii_alphanumeric() && second == b')');
    }

    fn count(&mut self, byte: u8, older: u32, old: u32) {
        self.run = if byte == b'`' { self.run + 1 } else { 0 };
        match byte {
            b'{' | b'}' | b'[' | b']' | b'(' | b')' | b';' | b'<' | b'>' => self.braces += 1,
            b'=' => (self.braces, self.operators) = (self.braces + 1, self.operators + 1),
            b'+' | b'-' | b'*' | b'^' | b'%' => self.operators += 1,
            b'/' => {
                self.operators += 1;
                self.addresses += usize::from((older, old) == (u32::from(b':'), u32::from(b'/')));
            }
            b'\n' => self.line_feeds += 1,
            b'?' => self.questions += 1,
            b'"' => self.quotes += 1,
            b'$' => self.dollars += 1,
            b'\\' => self.backslashes += 1,
            b'`' => {
                self.backticks += 1;
                self.fence |= self.run == 3;
            }
            _ => {}
        }
    }

    /// The rows that apply.
    pub(super) fn rows(&self, evidence: &Evidence<'_>, mut add: impl FnMut(usize)) {
        add(USER_LENGTH + bits(evidence.user.len() >> 5).min(9));
        add(LINES + bits(self.line_feeds).min(6));
        let last = match u8::try_from(self.last).unwrap_or_default() {
            b'?' => Some(0),
            b':' => Some(1),
            b'.' | b'!' => Some(2),
            b'"' | b')' | b']' | b'}' | b'\'' => Some(3),
            _ => None,
        };
        last.into_iter().for_each(|value| add(LAST + value));
        add(DIGITS + self.share(self.digits, &[32, 16, 8]));
        add(BRACES + self.share(self.braces, &[32, 16]));
        add(OPERATORS + self.share(self.operators, &[64, 32]));
        add(FOREIGN + self.share(self.foreign, &[16]));
        add(MESSAGES + [1, 3, 7].iter().filter(|bound| evidence.messages > **bound).count());
        let flags = [
            (FENCE, self.fence),
            (BACKTICK, self.backticks > 0 && !self.fence),
            (INDENTED, self.indented > 1),
            (LIST, self.list > 1),
            (OPTIONS, self.options > 1),
            (QUOTES, self.quotes > 1),
            (DOLLAR, self.dollars > 0),
            (QUESTIONS, self.questions == 1),
            (QUESTIONS + 1, self.questions > 1),
            (BACKSLASH, self.backslashes == 1),
            (BACKSLASH + 1, self.backslashes > 1),
            (ADDRESS, self.addresses > 0),
            (IDEOGRAPHS, self.share(self.ideographs, &[8]) == 2),
            (CYRILLIC, self.share(self.cyrillic, &[8]) == 2),
            (SYSTEM, evidence.system.is_some()),
            (TOOLS, evidence.tools),
            (TOOL_RESULTS, evidence.tool_results),
            (JSON, evidence.json),
        ];
        flags.iter().filter(|(_, applies)| *applies).for_each(|(row, _)| add(*row));
    }

    /// 0 for none, else one more than the number of these parts of the whole that `count` reaches.
    fn share(&self, count: usize, parts: &[usize]) -> usize {
        if count == 0 { 0 } else { 1 + parts.iter().filter(|part| count * **part >= self.points).count() }
    }
}

/// Bits that a number needs.
fn bits(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()) as usize
}
