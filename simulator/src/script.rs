//! What is written for one answer: all of it at once, or timed steps that may end in a broken connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::connection::Connection;
use crate::record::Ticket;

/// One thing the socket does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(Bytes),
    /// Flushes what is written; the next write is a segment of its own.
    Flush,
    Sleep(Duration),
    Reset,
    Close,
    Silence,
}

/// The writes of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Whole(Bytes),
    Steps(Arc<[Step]>),
}

/// A plan being played to a client: hyper's response body.
pub(crate) struct Performance {
    plan: Plan,
    next: usize,
    flushed: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    connection: Arc<Connection>,
    /// Settled when the last byte is handed over; dropped earlier, the record says so.
    ticket: Option<Ticket>,
    _busy: Busy,
}

/// Marks the connection as answering for as long as it lives.
pub(crate) struct Busy(Arc<Connection>);

impl Busy {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        connection.busy.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Self(Arc::clone(connection))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Performance {
    pub(crate) fn new(plan: Plan, busy: Busy, ticket: Option<Ticket>) -> Self {
        let connection = Arc::clone(&busy.0);
        let mut performance = Self { plan, next: 0, flushed: false, sleep: None, connection, ticket, _busy: busy };
        // Hyper never polls a body that is empty from the start.
        performance.settle_at_end();
        performance
    }

    fn settle_at_end(&mut self) {
        if self.is_end_stream()
            && let Some(ticket) = self.ticket.take()
        {
            ticket.complete();
        }
    }

    fn write(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        self.next += 1;
        self.settle_at_end();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Body for Performance {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        let this = &mut *self;
        loop {
            let step = match &this.plan {
                Plan::Whole(bytes) if this.next == 0 && !bytes.is_empty() => Step::Write(bytes.clone()),
                Plan::Whole(_) => return Poll::Ready(None),
                Plan::Steps(steps) => match steps.get(this.next) {
                    Some(step) => step.clone(),
                    None => return Poll::Ready(None),
                },
            };
            match step {
                Step::Write(bytes) => return this.write(bytes),
                Step::Flush if this.flushed => this.flushed = false,
                Step::Flush => {
                    // Hyper flushes when the body is not ready.
                    this.flushed = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Sleep(duration) => {
                    let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(duration)));
                    ready!(sleep.as_mut().poll(cx));
                    this.sleep = None;
                }
                Step::Reset => {
                    this.connection.reset();
                    return Poll::Pending;
                }
                Step::Close => {
                    this.connection.close();
                    return Poll::Pending;
                }
                Step::Silence => return Poll::Pending,
            }
            this.next += 1;
            this.settle_at_end();
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.plan {
            Plan::Whole(bytes) => self.next > 0 || bytes.is_empty(),
            Plan::Steps(steps) => self.next >= steps.len(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.plan {
            Plan::Whole(bytes) if self.next == 0 => SizeHint::with_exact(bytes.len() as u64),
            Plan::Whole(_) => SizeHint::with_exact(0),
            Plan::Steps(_) => SizeHint::default(),
        }
    }
}
