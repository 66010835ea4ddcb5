//! The upstream seat: one attempt at one provider. Translates the request, judges the answer while
//! its headers are still held, and translates it back.
//!
//! Envoy's router decides on a retry by `:status` alone, so an attempt that failed, in whatever
//! way, becomes a 503 before the router sees it.

mod refusal;

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::attempt::Attempt;
use super::stream::{Step, Stream};
use super::{JSON, outcome, reject, target, with_head};
use crate::attempt::{Outcome, Verdict, verdict};
use crate::config::ProviderSeat;
use crate::handoff::End;
use crate::host::{self, Side};
use crate::openai::Endpoint;
use crate::provider::{Codec, Credential, Failed, Fault, Protocol, RequestBody};
use crate::rejection::Rejection;
use crate::vitals::Notebook;

/// One attempt.
pub(super) struct Provider {
    seat: Rc<ProviderSeat>,
    notebook: Rc<Notebook>,
    protocol: &'static Protocol,
    /// That of the model asked, once it is known.
    codec: &'static dyn Codec,
    phase: Phase,
    /// Whether another candidate is left should this one fail.
    successor: bool,
    /// Bytes of the body that Envoy held for us at the last callback, for the trailers callback,
    /// which is not told.
    request_held: usize,
    response_held: usize,
}

enum Phase {
    /// Nothing has been read.
    Start,
    /// What stands for the opening brace of the body is to be replaced by these.
    Head(Attempt, Vec<u8>),
    /// The body is arriving and will be translated.
    Translate(Attempt),
    /// The provider has it.
    Sent(Attempt),
    /// A whole answer is arriving.
    Whole(Attempt, u16),
    /// A refusal is arriving: whose fault it is decides what follows.
    Refusal(Attempt, u16),
    /// A streamed answer is arriving.
    Stream(Attempt, u16, Box<Stream>),
    /// The client has its answer; whatever else the provider sends is dropped.
    Discard,
    /// Nothing more to do.
    Over,
}

/// Largest answer held: a whole one, or the beginning of a stream without a token. Envoy's own
/// buffer is larger (`request_body_buffer_limit`) and its overflow would end the call.
const MAX_HELD_BYTES: usize = 16 << 20;

/// Vectors are long. What would be longer than 32 MiB by our reckoning is not asked for; this leaves
/// room for reckoning wrong.
const MAX_EMBEDDINGS_BYTES: usize = 40 << 20;

const fn most(endpoint: Endpoint) -> usize {
    match endpoint {
        Endpoint::Chat => MAX_HELD_BYTES,
        Endpoint::Embeddings => MAX_EMBEDDINGS_BYTES,
    }
}

/// An attempt leaves its headers, and the credentials added to it behind us, in the map that the next
/// attempt starts from: nothing of one provider may reach another.
fn strip_headers_of_earlier_attempts() {
    for name in Credential::HEADERS {
        host::remove_header(Side::Request, name);
    }
    for protocol in Protocol::all() {
        for (name, _) in protocol.codec("").headers() {
            host::remove_header(Side::Request, name);
        }
    }
}

impl Provider {
    pub(super) fn new(seat: Rc<ProviderSeat>, protocol: &'static Protocol, notebook: Rc<Notebook>) -> Self {
        Self {
            seat,
            notebook,
            protocol,
            codec: protocol.codec(""),
            phase: Phase::Start,
            successor: false,
            request_held: 0,
            response_held: 0,
        }
    }

    fn begin(&mut self) -> Action {
        let Some(attempt) = Attempt::begin(&self.seat, &self.notebook) else {
            return self.not_ours();
        };
        let Some(call) = attempt.call() else { return self.not_ours() };
        self.codec = self.protocol.codec(call.model);
        self.successor = attempt.has_successor();
        if attempt.is_retry() {
            strip_headers_of_earlier_attempts();
            // The same key with another body would be a conflict.
            host::remove_header(Side::Request, "idempotency-key");
            let (path, accept) = target(&self.seat.base_path, self.codec, &call);
            host::set_header(Side::Request, ":path", path.as_bytes());
            host::set_header(Side::Request, ":authority", self.seat.authority.as_bytes());
            host::set_header(Side::Request, "accept", accept);
        } else {
            // The router seat has set the rest for the first candidate.
            host::remove_header(Side::Request, "x-forwarded-proto");
        }
        for (name, value) in self.codec.headers() {
            host::set_header(Side::Request, name, value.as_bytes());
        }
        match self.codec.body(&call) {
            RequestBody::Head(head) => {
                let length = with_head(attempt.body_len(), &head);
                if !attempt.announces(length) {
                    host::set_header(Side::Request, "content-length", length.to_string().as_bytes());
                }
                self.phase = if attempt.has_head(&head) { Phase::Sent(attempt) } else { Phase::Head(attempt, head) };
                Action::Continue
            }
            RequestBody::Translate => {
                self.phase = Phase::Translate(attempt);
                Action::Pause
            }
        }
    }

    /// Nothing leaves through this seat that the router seat has not planned.
    fn not_ours(&mut self) -> Action {
        self.phase = Phase::Over;
        reject(&Rejection::envoy(503), None);
        Action::Pause
    }

    fn translate(&mut self, mut attempt: Attempt, body_size: usize) -> Action {
        let body = host::body(Side::Request, 0, body_size);
        let bare = attempt.without_head(&body);
        let translated = match (simdutf8::basic::from_utf8(&bare), attempt.call()) {
            (Ok(text), Some(call)) => self.codec.request(&call, text),
            _ => Err(Failed::caller("the body was lost on its way")),
        };
        match translated {
            Ok((translated, adjustments)) => {
                attempt.adjustments = adjustments;
                host::replace_body(Side::Request, body.len(), &translated);
                host::set_header(Side::Request, "content-length", translated.len().to_string().as_bytes());
                self.phase = Phase::Sent(attempt);
                Action::Continue
            }
            Err(failed) => {
                attempt.end(Outcome::Refused, None);
                self.phase = Phase::Over;
                let rejection = Rejection::refused_by_provider(&failed.message, failed.param, failed.code.as_deref());
                reject(&with_standing(rejection, &attempt), Some(outcome::REFUSAL));
                Action::Pause
            }
        }
    }

    fn answer_begins(&mut self, mut attempt: Attempt, end_of_stream: bool) -> Action {
        let headers = host::headers(Side::Response);
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let status = header(":status").and_then(|status| core::str::from_utf8(&status).ok()?.parse::<u16>().ok()).unwrap_or(0);
        match verdict(status) {
            Verdict::Next => {
                self.failed(attempt, status, b"");
                self.fail()
            }
            Verdict::Ask if end_of_stream => self.refused_without_a_word(attempt, status),
            Verdict::Ask => {
                self.phase = Phase::Refusal(attempt, status);
                Action::Pause
            }
            Verdict::Deliver if end_of_stream => {
                attempt.end(Outcome::Malformed, Some(status));
                self.fail()
            }
            Verdict::Deliver => {
                if header("content-encoding").is_some_and(|value| !value.eq_ignore_ascii_case(b"identity")) {
                    attempt.end(Outcome::Malformed, Some(status));
                    return self.fail();
                }
                attempt.heard(header);
                let framing = attempt.stream().then(|| {
                    let kind = header("content-type").unwrap_or_default();
                    self.codec.framing(&String::from_utf8_lossy(&kind).to_ascii_lowercase())
                });
                self.phase = match framing.flatten() {
                    Some(framing) => Phase::Stream(attempt, status, Box::new(Stream::new(self.codec.stream(), framing))),
                    None => Phase::Whole(attempt, status),
                };
                Action::Pause
            }
        }
    }

    /// The attempt failed and the trail says why; the router decides what follows.
    fn fail(&mut self) -> Action {
        self.phase = Phase::Over;
        // What comes after the last candidate is nothing: Envoy may have retries left.
        let status: &[u8] = if self.successor { b"503" } else { b"502" };
        host::set_headers(Side::Response, vec![(":status", status), (outcome::HEADER, outcome::FAILURE)]);
        Action::Continue
    }

    fn answer_complete(&mut self, mut attempt: Attempt, status: u16, body_size: usize) -> Action {
        let body = host::body(Side::Response, 0, body_size);
        let now_ns = host::now_ns();
        let routing = attempt.routing(status, now_ns);
        let answer = match self.codec.response(attempt.endpoint(), &attempt.envelope(&routing), &body) {
            // A stream was asked for; whatever else came is no answer, however well it reads.
            Ok(_) if attempt.stream() => Err(Fault::Malformed),
            answer => answer,
        };
        match answer {
            Ok(answer) => {
                attempt.answered_whole(status, answer.usage, answer.produced, now_ns);
                host::replace_body(Side::Response, body.len(), &answer.body);
                let length = answer.body.len().to_string();
                deliver(&attempt, &[(":status", b"200"), ("content-type", JSON), ("content-length", length.as_bytes())]);
                self.phase = Phase::Over;
                Action::Continue
            }
            Err(fault) => {
                if let Some(usage) = self.codec.billed(&body) {
                    attempt.bill(&usage);
                }
                attempt.end_at(End::of_fault(&fault, status), host::now_ns());
                host::replace_body(Side::Response, body.len(), b"");
                self.fail()
            }
        }
    }

    /// An answer larger than any is none.
    fn too_large(&mut self, mut attempt: Attempt, status: u16, body_size: usize) -> Action {
        if attempt.stream() {
            attempt.end(Outcome::Malformed, Some(status));
        } else {
            // A caller can ask for as much.
            attempt.end_excused(End::of(Outcome::Malformed, Some(status)), host::now_ns());
        }
        host::replace_body(Side::Response, body_size, b"");
        self.fail()
    }

    fn stream_continues(&mut self, mut attempt: Attempt, status: u16, mut stream: Box<Stream>, body_size: usize, end: bool) -> Action {
        let piece = host::body(Side::Response, stream.read, body_size);
        let was_over = stream.over();
        let step = stream.take(&attempt, status, &piece, end);
        if matches!(step, Step::Begin(_)) {
            attempt.stream_begins(status);
        }
        if stream.over() && !was_over && !matches!(step, Step::Fail(_)) {
            stream_over(&mut attempt, &stream);
        }
        if stream.begun() && !stream.over() {
            attempt.stream_goes_on(|| stream.usage(), stream.produced());
        }
        match step {
            Step::Hold => {
                stream.read = body_size;
                self.phase = Phase::Stream(attempt, status, stream);
                Action::Pause
            }
            Step::Begin(out) => {
                host::replace_body(Side::Response, body_size, &out);
                deliver(&attempt, &[(":status", b"200"), ("content-type", b"text/event-stream"), ("cache-control", b"no-cache")]);
                stream.read = 0;
                self.phase = Phase::Stream(attempt, status, stream);
                Action::Continue
            }
            Step::More(out) => {
                host::replace_body(Side::Response, body_size, &out);
                self.phase = Phase::Stream(attempt, status, stream);
                Action::Continue
            }
            Step::Fail(fault) => {
                if let Some(usage) = stream.usage() {
                    attempt.bill(&usage);
                }
                attempt.end_at(End::of_fault(&fault, status), host::now_ns());
                host::replace_body(Side::Response, body_size, b"");
                self.fail()
            }
        }
    }

    /// Everything has been sent on and there is no body left to write to: a stream that was cut can
    /// only be torn, so that nobody takes it for complete.
    fn stream_ends_in_trailers(&mut self, attempt: &mut Attempt, status: u16, mut stream: Stream) -> Action {
        if stream.over() {
            return Action::Continue;
        }
        let _ = stream.take(attempt, status, b"", true);
        stream_over(attempt, &stream);
        if !stream.complete() {
            host::reset();
        }
        Action::Continue
    }

    fn body_arrives(&mut self, body_size: usize, end: bool) -> Action {
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Whole(attempt, status) if body_size > most(attempt.endpoint()) => self.too_large(attempt, status, body_size),
            Phase::Stream(attempt, status, stream) if !stream.begun() && body_size > MAX_HELD_BYTES => {
                self.too_large(attempt, status, body_size)
            }
            Phase::Whole(attempt, status) if end => self.answer_complete(attempt, status, body_size),
            Phase::Refusal(attempt, status) if end || body_size >= refusal::MAX_BYTES => {
                self.refusal_complete(attempt, status, body_size, end)
            }
            Phase::Discard => {
                host::replace_body(Side::Response, body_size, b"");
                self.phase = Phase::Discard;
                Action::Continue
            }
            Phase::Stream(attempt, status, stream) => self.stream_continues(attempt, status, stream, body_size, end),
            phase @ (Phase::Whole(..) | Phase::Refusal(..)) => {
                self.phase = phase;
                Action::Pause
            }
            phase => {
                self.phase = phase;
                Action::Continue
            }
        }
    }
}

impl Context for Provider {
    /// The attempt is over, whether its answer is or not: a client has left, a time is up, or a
    /// connection broke. What had come by then is charged for; what the next candidate makes up for
    /// is not.
    fn on_done(&mut self) -> bool {
        let held = self.response_held as u64;
        let (attempt, status, sent, known, produced) = match &mut self.phase {
            Phase::Head(attempt, _) | Phase::Translate(attempt) => (attempt, None, false, None, 0),
            Phase::Sent(attempt) => (attempt, None, true, None, 0),
            Phase::Whole(attempt, status) => (attempt, Some(*status), true, None, held),
            Phase::Refusal(attempt, status) => (attempt, Some(*status), false, None, 0),
            Phase::Stream(attempt, status, stream) if !stream.over() => (attempt, Some(*status), true, stream.usage(), stream.produced()),
            Phase::Stream(..) | Phase::Start | Phase::Discard | Phase::Over => return true,
        };
        let sent = sent && attempt.connected();
        let answered = !attempt.pending();
        let left = !answered && host::client_left();
        if let Some(known) = known.filter(|_| !answered && !left) {
            attempt.bill(&known);
        }
        if answered {
            attempt.stream_breaks();
        } else {
            attempt.abandoned(status);
        }
        match (sent, answered || left) {
            (true, true) => attempt.settle_late(known, produced),
            (false, true) => attempt.settle_unsent(),
            (_, false) => {}
        }
        true
    }
}

/// A stream that had begun is over, one way or the other.
fn stream_over(attempt: &mut Attempt, stream: &Stream) {
    if stream.complete() {
        attempt.stream_ends(stream.usage(), stream.produced());
    } else {
        if stream.excused() {
            attempt.stream_is_refused();
        } else {
            attempt.stream_breaks();
        }
        attempt.settle_late(stream.usage(), stream.produced());
    }
}

/// The headers of what reaches the client, with where it stands.
fn deliver(attempt: &Attempt, headers: &[(&str, &[u8])]) {
    let (standing, answer) = (attempt.standing(), outcome::answer_of(attempt.position()));
    let mut headers = headers.to_vec();
    headers.push((outcome::HEADER, answer.as_bytes()));
    headers.extend(standing.iter().map(|(name, value)| (*name, value.as_bytes())));
    host::set_headers(Side::Response, headers);
}

fn with_standing(mut rejection: Rejection, attempt: &Attempt) -> Rejection {
    rejection.headers.extend(attempt.standing());
    rejection
}

impl HttpContext for Provider {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match self.phase {
            Phase::Start => self.begin(),
            _ => Action::Continue,
        }
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        self.request_held = body_size;
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Head(attempt, head) if body_size >= attempt.head_len() => {
                host::replace_body(Side::Request, attempt.head_len(), &head);
                self.phase = Phase::Sent(attempt);
                Action::Continue
            }
            Phase::Translate(attempt) if end_of_stream => self.translate(attempt, body_size),
            phase => {
                let waits = matches!(phase, Phase::Translate(_) | Phase::Over) || body_size > 0 && matches!(phase, Phase::Head(..));
                self.phase = phase;
                if waits { Action::Pause } else { Action::Continue }
            }
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Translate(attempt) => self.translate(attempt, self.request_held),
            phase => {
                self.phase = phase;
                Action::Continue
            }
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Sent(attempt) | Phase::Head(attempt, _) | Phase::Translate(attempt) => self.answer_begins(attempt, end_of_stream),
            phase => {
                self.phase = phase;
                Action::Continue
            }
        }
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        self.response_held = body_size;
        self.body_arrives(body_size, end_of_stream)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        host::clear_trailers(Side::Response);
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Stream(mut attempt, status, stream) if stream.begun() => self.stream_ends_in_trailers(&mut attempt, status, *stream),
            Phase::Whole(mut attempt, status) | Phase::Refusal(mut attempt, status) | Phase::Stream(mut attempt, status, _)
                if self.response_held == 0 =>
            {
                attempt.end(Outcome::Malformed, Some(status));
                self.fail()
            }
            phase => {
                self.phase = phase;
                self.body_arrives(self.response_held, true)
            }
        }
    }
}
