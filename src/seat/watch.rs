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

    /// More of the body is there: all of a whole answer, the next piece of a stream.
    pub(super) fn take(&mut self, body_size: usize, end: bool) -> Step {
        match self {
            Self::Nothing | Self::Waiting { .. } => Step::Continue,
            Self::Blocked => {
                host::replace_body(Side::Response, body_size, b"");
                Step::Continue
            }
            Self::Whole(_, held) if !end => {
                *held = body_size;
                Step::Hold
            }
            Self::Whole(guard, _) => {
                let step = whole(guard, body_size);
                *self = Self::Nothing;
                step
            }
            Self::Stream(guard, watched) => {
                let Some(rules) = guard.output() else { return Step::Continue };
                let piece = host::body(Side::Response, 0, body_size);
                let mut out = Vec::with_capacity(piece.len());
                if let Flow::Blocked { rule } = watched.push(rules, &piece, end, &mut out) {
                    write_data(&Rejection::guardrail(&rule).body(), &mut out);
                    write_data(b"[DONE]", &mut out);
                    *self = Self::Blocked;
                }
                if out != piece {
                    host::replace_body(Side::Response, body_size, &out);
                }
                Step::Continue
            }
        }
    }
}

fn whole(guard: &Guard, body_size: usize) -> Step {
    let body = host::body(Side::Response, 0, body_size);
    // The provider seat wrote it, so it is text.
    let verdict = simdutf8::basic::from_utf8(&body).ok().zip(guard.output()).map(|(text, rules)| rules.answer(text));
    match verdict {
        None | Some(Verdict::Clean) => Step::Continue,
        Some(Verdict::Blocked { rule }) => Step::Blocked(Rejection::guardrail(&rule)),
        Some(Verdict::Redacted { body: redacted, .. }) => {
            host::replace_body(Side::Response, body_size, &redacted);
            host::set_header(Side::Response, "content-length", redacted.len().to_string().as_bytes());
            Step::Continue
        }
    }
}
