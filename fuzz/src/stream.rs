//! A streamed answer, whatever the provider sends and however the network cuts it: chunks in OpenAI's
//! schema, the same for every way of cutting.

use neural_router::framing::{Broken, Decoder, Framing};
use neural_router::openai::Usage;
use neural_router::openai::members::Members;
use neural_router::provider::{Envelope, Fault, Progress};

use super::framing::{framings, pieces};
use super::{ENVELOPE, Given, Target};

/// The option's lowest bit is whether usage is asked for, the others choose the framing.
pub const TARGET: Target = Target { name: "stream", check, memory: 192 };

/// How many times as long as the provider's stream ours may be, and what comes once: role, `routing`,
/// usage and farewell. A piece of a dozen bytes becomes a chunk with everything around it.
const GROWTH: usize = 48;
const ADDED: usize = 4 << 10;

/// Tokens that any number of kinds may come to, whatever a provider says.
const MOST_COUNTED: u64 = 1_000_000_000;

/// What a client and the counters see.
#[derive(Debug, PartialEq)]
struct Seen {
    out: Vec<u8>,
    progress: Progress,
    outcome: Result<(), Fault>,
    usage: Option<Usage>,
    produced: u64,
}

struct Halted(Fault);

impl From<Broken> for Halted {
    fn from(_: Broken) -> Self {
        Self(Fault::Malformed)
    }
}

fn check(given: &Given, bytes: &[u8]) {
    let framings = framings(given);
    let framing = framings[usize::from(given.option >> 1) % framings.len()];
    let envelope = Envelope { include_usage: given.option & 1 == 0, ..ENVELOPE };
    let whole = play(given, framing, &envelope, std::iter::once(bytes));
    let cut = play(given, framing, &envelope, pieces(bytes, given.cuts));
    assert_eq!(whole, cut, "cut otherwise");
    assert!(whole.out.len() <= GROWTH * bytes.len() + ADDED, "{} bytes became {}", bytes.len(), whole.out.len());
    chunks(&whole);
    if let Some(usage) = whole.usage {
        let most = MOST_COUNTED + whole.produced;
        assert!(usage.prompt() <= most && usage.output <= most && usage.reasoning <= most, "{usage:?}");
    }
}

fn play<'a>(given: &Given, framing: Framing, envelope: &Envelope<'_>, pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
    let (mut decoder, mut stream) = (Decoder::new(framing), given.protocol.codec(given.model).stream());
    let (mut out, mut progress) = (Vec::new(), Progress::Preamble);
    let mut pushed = Ok(());
    for piece in pieces {
        pushed = decoder.push(piece, |event| {
            let now = stream.event(envelope, &event, &mut out).map_err(Halted)?;
            assert!(rank(now) >= rank(progress), "{now:?} after {progress:?}");
            progress = now;
            Ok(())
        });
        if pushed.is_err() {
            break;
        }
    }
    let outcome = pushed.map_err(|Halted(fault)| fault).and_then(|()| stream.end(envelope, &mut out));
    Seen { out, progress, outcome, usage: stream.usage(), produced: stream.produced() }
}

const fn rank(progress: Progress) -> u8 {
    match progress {
        Progress::Preamble => 0,
        Progress::Content => 1,
        Progress::Done => 2,
    }
}

/// Every event is a chunk or the farewell, the first one has `routing`, and the farewell comes last.
fn chunks(seen: &Seen) {
    let text = core::str::from_utf8(&seen.out).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
    let (mut first, mut ended) = (true, false);
    for event in text.split_terminator("\n\n") {
        assert!(!ended, "more after the farewell: {text}");
        let data = event.strip_prefix("data: ").unwrap_or_else(|| panic!("{event:?}"));
        if data == "[DONE]" {
            ended = true;
            continue;
        }
        assert!(!data.contains(['\n', '\r']), "{data:?}");
        serde_json::from_str::<&serde_json::value::RawValue>(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        let chunk = Members::read(data).unwrap_or_else(|error| panic!("{error:?}: {data}"));
        assert!(chunk.find("choices").is_some(), "{data}");
        let routing = chunk.find("routing").map(|member| member.value);
        assert_eq!(routing.filter(|_| first), first.then_some(ENVELOPE.routing), "{data}");
        first = false;
    }
    match &seen.outcome {
        Ok(()) => assert!(ended && !first, "complete without an answer or a farewell: {text}"),
        // What comes after the farewell may still be broken.
        Err(_) => assert!(!ended || seen.progress == Progress::Done, "a farewell to what is not complete: {text}"),
    }
}
