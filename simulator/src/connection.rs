//! One TCP connection: the stream hyper reads and writes, and the handle with which a request can break it.
//!
//! Hyper owns the [`Wire`]; the [`Connection`] beside it can write raw bytes around hyper and end the socket with a reset. That
//! is why a fault set at run time also hits requests on connections a client has pooled for long. The wire also keeps the raw
//! head of each HTTP/1 request, because hyper lower-cases header names and groups repeated ones.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use memchr::memmem;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Larger than any head a gateway sends; past it the head is not kept raw.
const HEAD_LIMIT: usize = 1 << 20;

/// What a request can do to the connection it came on.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    /// Weak, so that dropping hyper's side closes the socket at once.
    stream: Weak<TcpStream>,
    head: Mutex<Head>,
    capturing: Arc<AtomicBool>,
    /// Requests being answered; 0 means idle.
    pub(crate) busy: AtomicUsize,
    pub(crate) ended: Notify,
    pub(crate) draining: Notify,
}

#[derive(Debug)]
enum Head {
    Arriving(Vec<u8>),
    Complete(Vec<u8>),
    /// Body bytes are passing, or the head was too long to keep.
    Passing,
}

impl Connection {
    /// Splits an accepted socket in hyper's wire and our handle. `capturing` says whether heads are to be kept.
    pub(crate) fn split(id: u64, stream: TcpStream, capturing: Arc<AtomicBool>) -> (Wire, Arc<Self>) {
        let stream = Arc::new(stream);
        let connection = Arc::new(Self {
            id,
            stream: Arc::downgrade(&stream),
            head: Mutex::new(Head::Arriving(Vec::new())),
            capturing,
            busy: AtomicUsize::new(0),
            ended: Notify::new(),
            draining: Notify::new(),
        });
        (Wire { stream, connection: Arc::clone(&connection) }, connection)
    }

    /// Writes bytes to the socket around hyper. Only sound while hyper has nothing of its own to write.
    pub(crate) async fn write_raw(&self, mut bytes: &[u8]) {
        let Some(stream) = self.stream.upgrade() else { return };
        while !bytes.is_empty() {
            match stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stream.writable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
        drop(stream);
        tokio::time::sleep(SETTLE).await;
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(&self) {
        if let Some(stream) = self.stream.upgrade() {
            // Failing means the peer is gone already, and then there is nobody to reset.
            let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
        }
        self.ended.notify_one();
    }

    /// Ends the connection with a FIN, whatever hyper still meant to write.
    pub(crate) fn close(&self) {
        self.ended.notify_one();
    }

    /// The raw head of the request hyper just parsed, if it was kept.
    pub(crate) fn take_head(&self) -> Option<Vec<u8>> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *head, Head::Passing) {
            Head::Complete(bytes) => Some(bytes),
            Head::Arriving(_) | Head::Passing => None,
        }
    }

    /// Says that the request's body is in: what arrives next is the head of another request.
    pub(crate) fn expect_head(&self) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Head::Arriving(Vec::new());
    }

    fn capture(&self, bytes: &[u8]) {
        if !self.capturing.load(Ordering::Relaxed) {
            return;
        }
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let Head::Arriving(kept) = &mut *head else { return };
        let seen = kept.len().saturating_sub(3);
        kept.extend_from_slice(bytes);
        if let Some(end) = memmem::find(&kept[seen..], b"\r\n\r\n") {
            kept.truncate(seen + end + 4);
            *head = Head::Complete(std::mem::take(kept));
        } else if kept.len() > HEAD_LIMIT {
            *head = Head::Passing;
        }
    }
}

/// Time for the peer to read what was written before a reset would discard it.
pub(crate) const SETTLE: Duration = Duration::from_millis(10);

/// The socket as hyper sees it.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Arc<TcpStream>,
    connection: Arc<Connection>,
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(buf) {
                Ok(_) => {
                    self.connection.capture(&buf.filled()[before..]);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Wire {
    fn poll_write_with(&self, cx: &mut Context<'_>, write: impl Fn(&TcpStream) -> io::Result<usize>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }
}
