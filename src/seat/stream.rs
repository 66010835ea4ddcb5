//! A streamed answer in the provider seat: bytes of the provider in, bytes for the client out.

use super::attempt::Attempt;
use super::witness::is_excused;
use crate::framing::{Broken, Decoder, Framing};
use crate::host;
use crate::openai::Usage;
use crate::provider::{Fault, Progress, StreamCodec};
use crate::rejection::stream_interrupted;
use crate::sse::write_data;

/// Bytes by which a chunk grows at most, mostly: our id and the model's, and what other protocols have no word for.
const GROWTH: usize = 256;

/// The state of one stream.
pub(super) struct Stream {
    decoder: Decoder,
    codec: Box<dyn StreamCodec>,
    /// Until the first chunk is written, the `routing` object it carries.
    routing: String,
    /// Bytes of Envoy's buffer that have been read while it is held.
    pub(super) read: usize,
    /// What is ready for the client while nothing may go yet.
    held: Vec<u8>,
    begun: bool,
    over: bool,
    complete: bool,
    /// Whether an error ended it that the caller brought about.
    excused: bool,
}

/// What the seat has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing of the answer has come: keep holding.
    Hold,
    /// The answer begins: let the headers and these bytes go.
    Begin(Vec<u8>),
    /// More of the answer.
    More(Vec<u8>),
    /// Nothing has reached the client: another candidate may try.
    Fail(Fault),
}

impl From<Broken> for Fault {
    fn from(_: Broken) -> Self {
        Self::Malformed
    }
}

impl Stream {
    pub(super) fn new(codec: Box<dyn StreamCodec>, framing: Framing) -> Self {
        Self {
            decoder: Decoder::new(framing),
            codec,
            routing: String::new(),
            read: 0,
            held: Vec::new(),
            begun: false,
            over: false,
            complete: false,
            excused: false,
        }
    }

    /// Takes the next bytes of the provider; `end` when they are the last.
    pub(super) fn take(&mut self, attempt: &Attempt, status: u16, piece: &[u8], end: bool) -> Step {
        if self.over {
            return Step::More(Vec::new());
        }
        if self.routing.is_empty() {
            self.routing = attempt.routing(status, host::now_ns());
        }
        let mut out = core::mem::take(&mut self.held);
        out.reserve(piece.len() + GROWTH + if self.begun { 0 } else { self.routing.len() });
        let mut progress = if self.begun { Progress::Content } else { Progress::Preamble };
        let envelope = attempt.envelope(&self.routing);
        let (codec, decoder) = (&mut self.codec, &mut self.decoder);
        let mut outcome = decoder.push(piece, |event| {
            let next = codec.event(&envelope, &event, &mut out)?;
            progress = if progress == Progress::Done { progress } else { next };
            Ok(())
        });
        if progress == Progress::Done {
            // Whatever follows the end, in whatever form, changes nothing about the answer.
            outcome = Ok(());
        } else if end && outcome.is_ok() {
            outcome = codec.end(&envelope, &mut out);
            progress = if outcome.is_ok() { Progress::Done } else { progress };
        }
        self.complete = progress == Progress::Done;
        self.over = self.complete || end;
        let begins = !self.begun && progress != Progress::Preamble;
        match outcome {
            Ok(()) if begins => {}
            Ok(()) if self.begun => return Step::More(out),
            Ok(()) => {
                self.held = out;
                return Step::Hold;
            }
            Err(fault) if !self.begun && progress == Progress::Preamble => return Step::Fail(fault),
            Err(fault) => {
                self.over = true;
                self.excused = is_excused(&fault);
                write_data(stream_interrupted(), &mut out);
            }
        }
        if begins {
            self.begun = true;
            Step::Begin(out)
        } else {
            Step::More(out)
        }
    }

    /// Whether the client has been sent anything.
    pub(super) fn begun(&self) -> bool {
        self.begun
    }

    /// Whether the answer came to its proper end.
    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    /// Whether it broke off by an error that the caller brought about.
    pub(super) fn excused(&self) -> bool {
        self.excused
    }

    /// Whether nothing more of the answer can come.
    pub(super) fn over(&self) -> bool {
        self.over
    }

    /// Bytes of the answer so far.
    pub(super) fn produced(&self) -> u64 {
        self.codec.produced()
    }

    /// What was used, as far as the provider has said.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.codec.usage()
    }
}
