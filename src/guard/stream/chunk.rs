//! What one chunk of a streamed answer says, and in which of the answer's texts it says it.

use crate::guard::answer::is_no_answer;
use crate::guard::text::{Group, Look, Walk, inside, is_json, is_no_text};
use crate::openai::members::decode;
use crate::openai::scan::{Scan, Stop};

/// A chunk, borrowed from its event.
#[derive(Debug, Default)]
pub(super) struct Chunk<'t> {
    /// Whether it is one: it has an array of choices.
    pub has_choices: bool,
    /// `id`, `object`, `created` and `model`, as they are written.
    pub head: [Option<&'t str>; 4],
    /// By index.
    pub choices: Vec<Choice>,
    /// In the order of the event.
    pub pieces: Vec<Piece<'t>>,
    /// Probabilities of tokens, which repeat the text.
    pub logprobs: Vec<&'t str>,
}

/// What happens to one choice.
#[derive(Debug)]
pub(super) struct Choice {
    pub index: u64,
    /// Nothing more of it follows.
    pub finishes: bool,
    /// It says something.
    pub speaks: bool,
}

/// A piece of a text that goes on from event to event.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    pub choice: u64,
    pub path: Path,
    pub json: bool,
    /// As written, without quotes.
    pub written: &'t str,
}

/// Where in a delta a text stands: what is written before and behind its literal in a delta that has
/// nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Path {
    pub before: String,
    pub behind: String,
}

/// Deeper than any delta of the API; what lies below is taken as a whole.
const MAX_DEPTH: usize = 8;

/// Eight times what the API allows.
const MAX_CHOICES: usize = 1024;

/// More than a chunk has: a text for each of 128 choices, or of as many tools. Whatever is beyond is
/// taken as a whole.
const MAX_PIECES: usize = 256;

impl<'t> Chunk<'t> {
    /// Reads an event. `look` is given the texts that are whole in it.
    pub(super) fn read(event: &'t str, look: Look<'_, 't>) -> Result<Self, Stop> {
        let mut chunk = Self::default();
        let mut scan = Scan::new(event);
        scan.object(|scan, name| match decode(name).as_deref() {
            Some("choices") if scan.peek() == Some(b'[') => {
                chunk.has_choices = true;
                scan.array(|scan, position| chunk.take(scan, position as u64, look))
            }
            Some("id") => chunk.note(0, scan),
            Some("object") => chunk.note(1, scan),
            Some("created") => chunk.note(2, scan),
            Some("model") => chunk.note(3, scan),
            _ => whole(look).member(scan, name, 0),
        })?;
        scan.end()?;
        Ok(chunk)
    }

    fn note(&mut self, place: usize, scan: &mut Scan<'t>) -> Result<(), Stop> {
        let value = scan.value()?;
        self.head.get_mut(place).into_iter().for_each(|known| *known = Some(value));
        Ok(())
    }

    /// Whether a choice ends.
    pub(super) fn finishes(&self, choice: u64) -> bool {
        self.choice_of(choice).is_some_and(|choice| choice.finishes)
    }

    /// Whether a text of a choice that does not go on in this chunk has to go before it.
    pub(super) fn interrupts(&self, choice: u64) -> bool {
        self.choices.is_empty() || self.choice_of(choice).is_some_and(|choice| choice.finishes || choice.speaks)
    }

    /// Whether the answer, or a choice of it, is complete with this chunk.
    pub(super) fn closes(&self) -> bool {
        self.choices.is_empty() || self.choices.iter().any(|choice| choice.finishes)
    }

    fn choice_of(&self, index: u64) -> Option<&Choice> {
        self.choices.get(self.choices.binary_search_by_key(&index, |choice| choice.index).ok()?)
    }

    fn take(&mut self, scan: &mut Scan<'t>, position: u64, look: Look<'_, 't>) -> Result<(), Stop> {
        if scan.peek() != Some(b'{') {
            return whole(look).value(scan, "", 1);
        }
        let mut choice = Choice { index: position, finishes: false, speaks: false };
        let mut delta = None;
        scan.object(|scan, name| match decode(name).as_deref() {
            Some("index") => {
                choice.index = scan.value()?.parse().unwrap_or(choice.index);
                Ok(())
            }
            Some("delta") => {
                delta = Some(scan.value()?);
                Ok(())
            }
            Some("finish_reason") => {
                choice.finishes = !matches!(scan.value()?, "null" | r#""""#);
                Ok(())
            }
            Some("logprobs") => {
                let value = scan.value()?;
                if value != "null" {
                    self.logprobs.push(value);
                }
                Ok(())
            }
            _ => whole(look).member(scan, name, 1),
        })?;
        if let Some(delta) = delta.filter(|delta| delta.starts_with('{')) {
            let mut reader = Delta { pieces: &mut self.pieces, choice: &mut choice, path: Path::default(), look };
            reader.object(&mut Scan::new(delta), 0)?;
        }
        if self.choices.len() > MAX_CHOICES {
            return Err(Stop::TooMany);
        }
        let place = self.choices.partition_point(|known| known.index < choice.index);
        match self.choices.get_mut(place) {
            Some(known) if known.index == choice.index => {
                known.finishes |= choice.finishes;
                known.speaks |= choice.speaks;
            }
            _ => self.choices.insert(place, choice),
        }
        Ok(())
    }
}

/// Goes over a delta.
struct Delta<'c, 't> {
    pieces: &'c mut Vec<Piece<'t>>,
    choice: &'c mut Choice,
    path: Path,
    look: Look<'c, 't>,
}

/// A walk over what is whole in an event.
fn whole<'l, 't>(look: Look<'l, 't>) -> Walk<'l, 't> {
    Walk { skip: is_no_answer, names: false, each: look }
}

impl<'t> Delta<'_, 't> {
    fn object(&mut self, scan: &mut Scan<'t>, depth: usize) -> Result<(), Stop> {
        let (before, behind) = (self.path.before.len(), self.path.behind.len());
        self.path.before.push('{');
        self.path.behind.insert(0, '}');
        self.members(scan, depth)?;
        self.path.before.truncate(before);
        self.path.behind.drain(..self.path.behind.len() - behind);
        Ok(())
    }

    /// The members of the object that the path has opened.
    fn members(&mut self, scan: &mut Scan<'t>, depth: usize) -> Result<(), Stop> {
        let before = self.path.before.len();
        scan.object(|scan, name| {
            self.path.before.truncate(before);
            if !self.path.before.ends_with('{') {
                self.path.before.push(',');
            }
            self.path.before.extend([name, ":"]);
            let name = decode(name).unwrap_or_default();
            self.value(scan, &name, depth)
        })
    }

    fn value(&mut self, scan: &mut Scan<'t>, name: &str, depth: usize) -> Result<(), Stop> {
        match scan.peek() {
            Some(b'"') if name != "name" && self.pieces.len() < MAX_PIECES => {
                let written = inside(scan.value()?);
                if !is_no_text(name, written) {
                    self.choice.speaks = true;
                    self.pieces.push(Piece { choice: self.choice.index, path: self.path.clone(), json: is_json(name), written });
                }
                Ok(())
            }
            Some(b'{') if depth < MAX_DEPTH => self.object(scan, depth + 1),
            Some(b'[') if depth < MAX_DEPTH => scan.array(|scan, _| self.element(scan, name, depth + 1)),
            Some(b'"' | b'{' | b'[') => self.whole(scan, name),
            _ => scan.value().map(drop),
        }
    }

    /// An element goes on in later events in that of the same index, or, where there are none, in the
    /// next of its type.
    fn element(&mut self, scan: &mut Scan<'t>, name: &str, depth: usize) -> Result<(), Stop> {
        if scan.peek() != Some(b'{') {
            return self.whole(scan, name);
        }
        let element = scan.value()?;
        let kind = kind(element)?;
        let (before, behind) = (self.path.before.len(), self.path.behind.len());
        self.path.before.push_str("[{");
        self.path.before.push_str(&kind);
        self.path.behind.insert_str(0, "}]");
        self.members(&mut Scan::new(element), depth)?;
        self.path.before.truncate(before);
        self.path.behind.drain(..self.path.behind.len() - behind);
        Ok(())
    }

    fn whole(&mut self, scan: &mut Scan<'t>, name: &str) -> Result<(), Stop> {
        let mut speaks = false;
        let mut look = |group: &Group<'_, 't>| {
            speaks = true;
            (self.look)(group);
        };
        let outcome = whole(&mut look).value(scan, name, 1);
        self.choice.speaks |= speaks;
        outcome
    }
}

/// The `index` of an element as a member, or else its `type`, or else nothing.
fn kind(element: &str) -> Result<String, Stop> {
    let (mut index, mut kind) = (None, None);
    Scan::new(element).object(|scan, name| {
        let value = scan.value()?;
        match name {
            r#""index""# => index = value.parse::<u64>().ok(),
            r#""type""# if value.len() < MAX_TYPE_BYTES && value.starts_with('"') => kind = Some(value),
            _ => {}
        }
        Ok::<_, Stop>(())
    })?;
    Ok(match (index, kind) {
        (Some(index), _) => format!(r#""index":{index}"#),
        (None, Some(kind)) => format!(r#""type":{kind}"#),
        (None, None) => String::new(),
    })
}

/// A type is a word.
const MAX_TYPE_BYTES: usize = 64;
