//! The workspace's eye on an answer: guardrails on what comes back, in one piece or as it streams.

use std::rc::Rc;

use proxy_wasm::types::Action;

use crate::guard::{Flow, Guard, StreamGuard, Verdict};
use crate::host::{self, Side};
use crate::openai::Request;
use crate::rejection::Rejection;
use crate::sse::write_data;

/// What is done with an answer.
pub(super) enum Watch {
    /// It passes.
    Nothing,
    /// It has not begun.
    Waiting {
        /// The rules.
        guard: Rc<Guard>,
        /// Whether it will be a stream.
        stream: bool,
    },
    /// It is held until it is complete; so many bytes are there.
    Whole(Rc<Guard>, usize),
    /// It passes event by event.
    Stream(Rc<Guard>, Box<StreamGuard>),
    /// It was broken off; whatever else comes is dropped.
    Blocked,
}

/// What the seat does next.
pub(super) enum Step {
    /// Let it go.
    Continue,
    /// Keep it.
    Hold,
    /// Send this in its stead.
    Blocked(Rejection),
    /// Let it go: it ends with this.
    Broken(Rejection),
}

impl Watch {
    /// The watch over the answer to a request.
    pub(super) fn of(guard: &Rc<Guard>, request: &Request<'_>) -> Self {
        // An embedding is no text.
        match request {
            Request::Chat(chat) if guard.output().is_some() => Self::Waiting { guard: Rc::clone(guard), stream: chat.stream },
            _ => Self::Nothing,
        }
    }

    /// The headers of a 200 are there.
    pub(super) fn begin(&mut self, end_of_stream: bool) -> Action {
        let Self::Waiting { guard, stream } = core::mem::replace(self, Self::Nothing) else { return Action::Continue };
        if end_of_stream {
            return Action::Continue;
        }
        if stream {
            *self = Self::Stream(guard, Box::default());
            return Action::Continue;
        }
        *self = Self::Whole(guard, 0);
        Action::Pause
    }

    /// Bytes of the body that are held here.
    pub(super) fn held(&self) -> Option<usize> {
        match self {
            Self::Whole(_, held) => Some(*held),
            _ => None,
        }
    }

    /// More of the body is there: all of a whole answer, the next piece of a stream. With what is to be done come, at the
    /// end, the rules that have replaced something, and how many places.
    pub(super) fn take(&mut self, body_size: usize, end: bool) -> (Step, Vec<(String, usize)>) {
        match self {
            Self::Nothing | Self::Waiting { .. } => (Step::Continue, Vec::new()),
            Self::Blocked => {
                host::replace_body(Side::Response, body_size, b"");
                (Step::Continue, Vec::new())
            }
            Self::Whole(_, held) if !end => {
                *held = body_size;
                (Step::Hold, Vec::new())
            }
            Self::Whole(guard, _) => {
                let step = whole(guard, body_size);
                *self = Self::Nothing;
                step
            }
            Self::Stream(guard, watched) => {
                let Some(rules) = guard.output() else { return (Step::Continue, Vec::new()) };
                let piece = host::body(Side::Response, 0, body_size);
                let mut out = Vec::with_capacity(piece.len());
                let flow = watched.push(rules, &piece, end, &mut out);
                let hits = if end || flow != Flow::Continue { watched.hits(rules) } else { Vec::new() };
                let mut step = Step::Continue;
                if let Flow::Blocked { rule } = flow {
                    let rejection = Rejection::guardrail(&rule);
                    write_data(&rejection.body(), &mut out);
                    write_data(b"[DONE]", &mut out);
                    step = Step::Broken(rejection);
                    *self = Self::Blocked;
                }
                if out != piece {
                    host::replace_body(Side::Response, body_size, &out);
                }
                (step, hits)
            }
        }
    }
}

fn whole(guard: &Guard, body_size: usize) -> (Step, Vec<(String, usize)>) {
    let body = host::body(Side::Response, 0, body_size);
    // The provider seat wrote it, so it is text.
    let verdict = simdutf8::basic::from_utf8(&body).ok().zip(guard.output()).map(|(text, rules)| rules.answer(text));
    match verdict {
        None | Some(Verdict::Clean) => (Step::Continue, Vec::new()),
        Some(Verdict::Blocked { rule }) => (Step::Blocked(Rejection::guardrail(&rule)), Vec::new()),
        Some(Verdict::Redacted { body: redacted, hits, .. }) => {
            host::replace_body(Side::Response, body_size, &redacted);
            host::set_header(Side::Response, "content-length", redacted.len().to_string().as_bytes());
            (Step::Continue, hits)
        }
    }
}
