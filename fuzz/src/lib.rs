//! What holds of any bytes that a protocol is given. Each target goes over every row of the registry,
//! so that a new protocol is covered by itself; libFuzzer runs them, and so does
//! `tests/fuzz_corpus.rs` over what was found and over mutations of the fixtures.
//!
//! An input is a head of [`HEAD`] bytes, which chooses the circumstances, and what the provider or the
//! caller sends.

pub mod advice;
pub mod failed;
pub mod framing;
pub mod memory;
pub mod request;
pub mod response;
pub mod seeds;
pub mod stream;

use neural_router::provider::{Envelope, Protocol};

/// A property of all protocols.
#[derive(Clone, Copy)]
pub struct Target {
    /// As its file, its folder of the corpus and its program are called.
    pub name: &'static str,
    /// Panics where the property does not hold of these bytes.
    pub check: fn(&Given, &[u8]),
    /// How many times as much memory as input may be in use at once.
    pub memory: usize,
}

/// Every target.
pub const TARGETS: [Target; 6] = [request::TARGET, response::TARGET, stream::TARGET, framing::TARGET, failed::TARGET, advice::TARGET];

/// The circumstances of an input.
#[derive(Debug, Clone, Copy)]
pub struct Given {
    /// Whose protocol.
    pub protocol: &'static Protocol,
    /// Whose name may choose the protocol, or what is sent.
    pub model: &'static str,
    /// What else there is to choose, by target.
    pub option: u8,
    /// How a stream is cut.
    pub cuts: u8,
}

/// Bytes of the head: protocol, model, option, cuts.
pub const HEAD: usize = 4;

/// Names for which some protocol does something of its own.
pub const MODELS: [&str; 12] = [
    "gpt-4o",
    "o3-mini",
    "claude-sonnet-4-5",
    "claude-opus-4-7",
    "gemini-2.5-flash",
    "gemini-3-pro-preview",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "amazon.nova-pro-v1:0",
    "command-a-03-2025",
    "mistral-large-latest",
    "deepseek-reasoner",
    "",
];

/// What stands around every answer.
pub const ENVELOPE: Envelope<'static> = Envelope {
    id: "nrc_0123456789abcdef0123456789abcdef",
    model: "served-model",
    created: 1_700_000_000,
    routing: r#"{"selected":"served-model","adjustments":[]}"#,
    include_usage: true,
    bill: None,
};

/// Memory that an input of any length may take: tables of members, buffers that begin with room.
const MEMORY: usize = 256 << 10;

/// Runs a target on an input of libFuzzer's.
pub fn run(target: Target, input: &[u8]) {
    let Some((&[protocol, model, option, cuts], bytes)) = input.split_first_chunk::<HEAD>() else { return };
    let rows = Protocol::all().count();
    let Some(protocol) = Protocol::all().nth(usize::from(protocol) % rows) else { return };
    hold(target, &Given { protocol, model: MODELS[usize::from(model) % MODELS.len()], option, cuts }, bytes);
}

/// Holds a target to its property, and to its bound of memory.
pub fn hold(target: Target, given: &Given, bytes: &[u8]) {
    let most = memory::most(|| (target.check)(given, bytes));
    let bound = MEMORY + target.memory * bytes.len();
    assert!(most <= bound, "{}: {most} bytes of memory for {} of input, as {:?}", target.name, bytes.len(), given.protocol);
}
