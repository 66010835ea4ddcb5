//! A provider has refused: whose fault that is, and so who hears of it.

use proxy_wasm::types::Action;

use super::{Phase, Provider, deliver, with_standing};
use crate::attempt::{Answer, Outcome, answer};
use crate::handoff::End;
use crate::host::{self, Side};
use crate::provider::{Class, Failed};
use crate::rejection::Rejection;
use crate::retry_after;
use crate::seat::attempt::Attempt;
use crate::seat::{JSON, outcome, reject};

/// Refusals are a sentence; whoever sends more is not listened to.
pub(super) const MAX_BYTES: usize = 64 << 10;

impl Provider {
    /// The attempt ends without an answer, for a reason that is not the caller's. Notes how long the
    /// provider wants to be left alone; the response headers must still be there.
    pub(super) fn failed(&self, mut attempt: Attempt, status: u16, body: &[u8]) {
        let failed = self.codec.failed(status, body);
        let class = failed.class;
        let now_ns = host::now_ns();
        if is_larger_than_a_minute(&failed) {
            attempt.end_excused(End { error: Some(class), ..End::of(Outcome::Status, Some(status)) }, now_ns);
            return;
        }
        let asked = matches!(class, Class::RateLimited | Class::Overloaded | Class::Credentials | Class::Unavailable);
        let advice = || retry_after::advised_ms(|name| host::header(Side::Response, name), body, now_ns / 1_000_000);
        let retry_after_ms = if asked { advice() } else { None };
        attempt.end_at(End { outcome: Outcome::Status, status: Some(status), error: Some(class), retry_after_ms }, now_ns);
    }

    /// A refusal that consists of a status.
    pub(super) fn refused_without_a_word(&mut self, mut attempt: Attempt, status: u16) -> Action {
        let failed = self.codec.failed(status, b"");
        if !self.is_told(&mut attempt, &failed) {
            self.failed(attempt, status, b"");
            return self.fail();
        }
        note(&mut attempt, status, &failed);
        self.phase = Phase::Over;
        reject(&with_standing(self.told(failed), &attempt), Some(outcome::REFUSAL));
        Action::Pause
    }

    /// A refusal with a body, of which so much is there; `end` when it is all.
    pub(super) fn refusal_complete(&mut self, mut attempt: Attempt, status: u16, body_size: usize, end: bool) -> Action {
        let body = host::body(Side::Response, 0, body_size.min(MAX_BYTES));
        let failed = self.codec.failed(status, &body);
        if !self.is_told(&mut attempt, &failed) {
            self.failed(attempt, status, &body);
            host::replace_body(Side::Response, body_size, b"");
            return self.fail();
        }
        note(&mut attempt, status, &failed);
        let body = self.told(failed).body();
        let length = body.len().to_string();
        host::replace_body(Side::Response, body_size, &body);
        deliver(
            &attempt,
            &[(":status", b"400"), ("content-type", JSON), ("content-length", length.as_bytes()), (outcome::HEADER, outcome::REFUSAL)],
        );
        self.phase = if end { Phase::Over } else { Phase::Discard };
        Action::Continue
    }

    /// Whether the caller is told, since no other candidate could do better.
    fn is_told(&self, attempt: &mut Attempt, failed: &Failed) -> bool {
        match answer(failed.class) {
            Answer::Tell => true,
            Answer::Larger => !attempt.keep_larger(),
            Answer::Next => false,
        }
    }

    /// What the caller is told of a refusal, and who said it.
    fn told(&self, failed: Failed) -> Rejection {
        let message = format!("{} refused the request: {}", self.seat.provider, failed.message);
        let (class, code) = (failed.class, failed.code.as_deref());
        let code = match class {
            Class::ContextTooLong => Some("context_length_exceeded"),
            Class::ContentPolicy => code.or(Some("content_filter")),
            _ => code,
        };
        Rejection::refused_by_provider(&message, failed.param, code)
    }
}

/// Whether the request alone has more tokens than a minute's limit of OpenAI or Groq: a smaller one would be answered.
fn is_larger_than_a_minute(failed: &Failed) -> bool {
    failed.class == Class::RateLimited && memchr::memmem::find(failed.message.as_bytes(), b"Request too large").is_some()
}

fn note(attempt: &mut Attempt, status: u16, failed: &Failed) {
    let end = End { error: Some(failed.class), ..End::of(Outcome::Refused, Some(status)) };
    attempt.end_at(end, host::now_ns());
}
