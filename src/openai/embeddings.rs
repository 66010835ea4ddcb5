//! An embeddings request (<https://platform.openai.com/docs/api-reference/embeddings/create>): what
//! of it decides the choice, and the cuts that take our own members out of it.
//! Inputs are weighed, never decoded or kept, in the one walk over the body.

use std::borrow::Cow;

use super::body::{self, Cuts, Fault, invalid, unexpected};
use super::chat::{BYTES_PER_TOKEN, BadRequest};
use super::members::decode;
use super::needs::Needs;
use super::route::Route;
use super::scan::Scan;
use super::shape::Shape::{Any, Integer, OneOf, Text};
use super::shape::{Field, Walk, optional, required};

/// A request, borrowed from its body. All sizes are sums over the inputs but for the one of the longest.
#[derive(Debug, Clone)]
pub struct EmbeddingRequest<'a> {
    /// A model id, or `auto`.
    pub model: Cow<'a, str>,
    /// The caller's wishes.
    pub route: Route<'a>,
    /// Length of the vectors; the model's own without it.
    pub dimensions: Option<u64>,
    /// How the vectors are written.
    pub encoding_format: EncodingFormat,
    /// How many vectors there will be.
    pub inputs: u64,
    /// Bytes of text as written, escapes included; none if the inputs are tokens.
    pub text_bytes: u64,
    /// Tokens: exact if the inputs are tokens, else estimated from the length of the text.
    pub prompt_tokens: u64,
    /// Tokens at most: no token of a text is shorter than a byte.
    pub prompt_tokens_at_most: u64,
    /// Tokens of the longest input, as in `prompt_tokens`. Each has the context window to itself.
    pub longest_input_tokens: u64,
    pub(super) text: &'a str,
    cuts: Cuts,
}

/// What stands in `embedding` of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncodingFormat {
    /// An array of numbers.
    #[default]
    Float,
    /// The bytes of little-endian 32-bit floats.
    Base64,
}

/// OpenAI's bound. It also keeps the answer, of which each takes some kilobytes, within reason.
pub const MAX_INPUTS: usize = 2048;

/// OpenAI takes 300,000 tokens in one request; going over as many takes some 4 ms.
const MAX_VALUES: usize = 320_000;

const NOT_INPUT: &str = "expected a string, an array of 1 to 2048 strings, an array of tokens, or an array of 1 to 2048 arrays of tokens";
const NOT_AN_ELEMENT: &str = "expected a string, a token or an array of tokens";
const NOT_A_TOKEN: &str = "expected a token: a whole number from 0 to 4294967295";
const EMPTY: &str = "must not be empty";

impl<'a> EmbeddingRequest<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, BadRequest> {
        let mut walk = Walk::new(REQUEST);
        let mut weight = Weight::default();
        let members = body::walk(body, MAX_VALUES, |scan, name| {
            let Some((_, field)) = walk.member(name)? else { return Ok(scan.value()?) };
            if name == "input" {
                weight = weigh(scan)?;
                return Ok("");
            }
            Ok(scan.written(|scan| field.check(scan))?.0)
        })?;
        let model = body::model(members.find("model"))?;
        if weight.inputs == 0 {
            return Err(BadRequest::invalid("input", "required: what is to be embedded"));
        }
        let value = |name: &str| members.find(name).map(|member| member.value).filter(|value| *value != "null");
        let format = value("encoding_format").and_then(decode);
        Ok(Self {
            model,
            route: value("route").map_or(Ok(Route::default()), Route::parse)?,
            dimensions: value("dimensions").and_then(|value| value.parse().ok()),
            encoding_format: if format.as_deref() == Some("base64") { EncodingFormat::Base64 } else { EncodingFormat::Float },
            inputs: weight.inputs,
            text_bytes: weight.text_bytes,
            prompt_tokens: weight.tokens,
            prompt_tokens_at_most: weight.tokens_at_most,
            longest_input_tokens: weight.longest,
            text: members.text(),
            cuts: Cuts::of(&members, |name| matches!(name, "model" | "route")),
        })
    }

    /// How to take `model` and `route` out of the body: the bytes that replace its first `usize`
    /// bytes. Nothing behind the last cut has to be touched.
    pub fn bare<'b>(&self, body: &'b [u8]) -> (usize, Cow<'b, [u8]>) {
        self.cuts.bare(body)
    }

    /// Bytes of the vectors in the answer, about: OpenAI writes a number in some 20 bytes, and three
    /// bytes of it as four in base64. `dimensions` are the model's.
    pub fn answer_bytes(&self, dimensions: Option<u64>) -> Option<u64> {
        let numbers = self.dimensions.or(dimensions)?.saturating_mul(self.inputs);
        Some(match self.encoding_format {
            EncodingFormat::Float => numbers.saturating_mul(20),
            EncodingFormat::Base64 => numbers.saturating_mul(16) / 3,
        })
    }

    /// What a protocol must have words for.
    pub fn needs(&self) -> Needs {
        Needs { embeddings: true, ..Needs::default() }
    }
}

/// The documented members; `input` has a reader of its own.
const REQUEST: &[Field] = &[
    required("model", Any),
    required("input", Any),
    optional("dimensions", Integer(1, u32::MAX as i64)),
    optional("encoding_format", OneOf(&["float", "base64"])),
    optional("user", Text),
    optional("route", Any),
];

/// Sum of what the inputs hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Weight {
    inputs: u64,
    text_bytes: u64,
    tokens: u64,
    tokens_at_most: u64,
    longest: u64,
}

impl Weight {
    fn add_text(&mut self, bytes: u64) {
        self.text_bytes += bytes;
        self.add((bytes / BYTES_PER_TOKEN).max(1), bytes);
    }

    fn add(&mut self, tokens: u64, at_most: u64) {
        self.inputs += 1;
        self.tokens += tokens;
        self.tokens_at_most += at_most;
        self.longest = self.longest.max(tokens);
    }
}

/// What an element of `input` is; its first byte says so, and the first element says it for all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Token,
    Tokens,
}

impl Kind {
    fn of(first: Option<u8>) -> Option<Self> {
        match first? {
            b'"' => Some(Self::Text),
            b'-' | b'0'..=b'9' => Some(Self::Token),
            b'[' => Some(Self::Tokens),
            _ => None,
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Text => "expected a string, as the first element is",
            Self::Token => "expected a token, as the first element is: a whole number from 0 to 4294967295",
            Self::Tokens => "expected an array of tokens, as the first element is",
        }
    }
}

/// Goes over the value of `input`, which is the next one.
fn weigh(scan: &mut Scan<'_>) -> Result<Weight, Fault> {
    let whole = || "input".to_owned();
    let mut weight = Weight::default();
    match scan.peek() {
        Some(b'"') => weight.add_text(text(scan, whole)?),
        Some(b'[') => array(scan, &mut weight)?,
        _ => return Err(unexpected(scan, NOT_INPUT, whole)),
    }
    if weight.inputs == 0 { Err(invalid(EMPTY, whole())) } else { Ok(weight) }
}

fn array(scan: &mut Scan<'_>, weight: &mut Weight) -> Result<(), Fault> {
    let mut first = None;
    let mut flat = 0;
    scan.array(|scan, index| {
        let at = || format!("input[{index}]");
        let kind = match (first, Kind::of(scan.peek())) {
            (None, Some(kind)) => kind,
            (Some(first), Some(kind)) if kind == first => kind,
            (None, None) => return Err(unexpected(scan, NOT_AN_ELEMENT, at)),
            (Some(first), _) => return Err(unexpected(scan, first.expected(), at)),
        };
        first = Some(kind);
        // An array of tokens is one input, however long.
        if index == MAX_INPUTS && kind != Kind::Token {
            return Err(invalid(NOT_INPUT, "input".to_owned()));
        }
        match kind {
            Kind::Text => weight.add_text(text(scan, at)?),
            Kind::Token => {
                token(scan, at)?;
                flat += 1;
            }
            Kind::Tokens => {
                let tokens = tokens(scan, index)?;
                weight.add(tokens, tokens);
            }
        }
        Ok(())
    })?;
    if flat > 0 {
        weight.add(flat, flat);
    }
    Ok(())
}

/// Bytes of a text, which is the next value.
fn text(scan: &mut Scan<'_>, at: impl FnOnce() -> String) -> Result<u64, Fault> {
    match scan.value()?.len().saturating_sub(2) {
        0 => Err(invalid(EMPTY, at())),
        bytes => Ok(bytes as u64),
    }
}

fn token(scan: &mut Scan<'_>, at: impl FnOnce() -> String) -> Result<(), Fault> {
    if scan.whole_number()? { Ok(()) } else { Err(invalid(NOT_A_TOKEN, at())) }
}

/// How many tokens there are in the element of `input` at `index`, an array of them.
fn tokens(scan: &mut Scan<'_>, index: usize) -> Result<u64, Fault> {
    let mut count = 0;
    scan.array(|scan, place| {
        count += 1;
        token(scan, || format!("input[{index}][{place}]"))
    })?;
    if count == 0 { Err(invalid(EMPTY, format!("input[{index}]"))) } else { Ok(count) }
}

#[cfg(test)]
mod tests;
