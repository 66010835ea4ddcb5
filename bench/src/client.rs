//! One keep-alive HTTP/1.1 connection, as cheap as can be: the request is bytes made beforehand, the
//! response is read into buffers that are used again, and no header is looked at beyond its framing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::case::Expected;
use crate::framing::Head;

/// A response that passed its checks, and when its parts came, counted from the first byte of the request sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    /// The first byte of the body.
    pub(crate) first_byte: Duration,
    /// The first event with text of the answer in it.
    pub(crate) first_content: Option<Duration>,
    /// The last one.
    pub(crate) last_content: Option<Duration>,
    pub(crate) end: Duration,
    pub(crate) body_bytes: usize,
    /// Events of a stream.
    pub(crate) events: usize,
    /// Reads that brought a part of the body.
    pub(crate) reads: usize,
}

/// Longer than any call of a benchmark may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that is used for one call after the other.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("no connection to {address}: {error}"))?;
        // Otherwise the tail of a large body may wait for an acknowledgement.
        stream.set_nodelay(true).map_err(|error| format!("TCP_NODELAY on a connection to {address}: {error}"))?;
        Ok(Self { stream, input: Vec::with_capacity(64 << 10), body: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and reads its response to the end.
    pub(crate) async fn call(&mut self, request: &[u8], expected: Expected) -> Result<Reply, String> {
        match tokio::time::timeout(PATIENCE, self.converse(request, expected)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no complete response within {} s", PATIENCE.as_secs())),
        }
    }

    async fn converse(&mut self, request: &[u8], expected: Expected) -> Result<Reply, String> {
        self.input.clear();
        self.body.clear();
        let began = Instant::now();
        let sent = self.stream.write_all(request).await;
        let head = self.head(&sent).await?;
        let mut framing = head.framing;
        let (mut first_byte, mut first_content, mut last_content) = (None, None, None);
        let (mut seen, mut reads) = (0, 0);
        loop {
            let complete = framing.take(&mut self.input, &mut self.body)?;
            if self.body.len() > seen {
                let now = began.elapsed();
                first_byte.get_or_insert(now);
                reads += 1;
                // An event that two reads share counts when its second part is here.
                if matches!(expected, Expected::Events { .. }) && has_content(&self.body[seen.saturating_sub(16)..]) {
                    first_content.get_or_insert(now);
                    last_content = Some(now);
                }
                seen = self.body.len();
            }
            if complete {
                break;
            }
            self.read().await?;
        }
        let end = began.elapsed();
        let events = check(head.status, &self.body, expected)?;
        Ok(Reply { first_byte: first_byte.unwrap_or(end), first_content, last_content, end, body_bytes: self.body.len(), events, reads })
    }

    async fn head(&mut self, sent: &std::io::Result<()>) -> Result<Head, String> {
        loop {
            if let Some(head) = Head::parse(&self.input)? {
                self.input.drain(..head.length);
                return Ok(head);
            }
            // A server may answer and close before it has read all: then the answer says why.
            self.read().await.map_err(|error| match sent {
                Ok(()) => error,
                Err(sending) => format!("sending the request: {sending}"),
            })?;
        }
    }

    async fn read(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) => Err("the connection was closed before the response was complete".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("the response broke off: {error}")),
        }
    }
}

/// A delta whose text is not empty.
fn has_content(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"\"content\":\"";
    memmem::find_iter(bytes, KEY).any(|at| bytes.get(at + KEY.len()).is_some_and(|next| *next != b'"'))
}

/// How many events, or why this is not the answer that was expected.
fn check(status: u16, body: &[u8], expected: Expected) -> Result<usize, String> {
    let fault = |what: &str| {
        let shown = String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned();
        Err(format!("{what}: status {status}, {} bytes of body: {shown}", body.len()))
    };
    if status != 200 {
        return fault("not the status 200");
    }
    match expected {
        Expected::Answer { at_most } => {
            if body.len() > at_most {
                return fault("the answer is too long");
            }
            match memmem::find(body, crate::body::ANSWER.as_bytes()) {
                Some(_) => Ok(0),
                None => fault("the answer does not hold the model's text"),
            }
        }
        Expected::Events { at_least } => {
            if !body.ends_with(b"data: [DONE]\n\n") {
                return fault("the stream does not end with [DONE]");
            }
            let events = memmem::find_iter(body, b"\n\n").count() - 1;
            if events < at_least {
                return fault("events are missing from the stream");
            }
            Ok(events)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Expected = Expected::Answer { at_most: 200 };
    const EVENTS: Expected = Expected::Events { at_least: 2 };

    #[test]
    fn only_a_good_response_passes() {
        let answer = format!(r#"{{"content":"{}"}}"#, crate::body::ANSWER);
        assert_eq!(check(200, answer.as_bytes(), ANSWER), Ok(0));
        assert_eq!(check(200, b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n", EVENTS), Ok(2));
        for (status, body, expected, complaint) in [
            (503, answer.as_str(), ANSWER, "not the status 200"),
            (200, "{}", ANSWER, "does not hold"),
            (200, "data: 1\n\ndata: 2\n\n", EVENTS, "[DONE]"),
            (200, "data: 1\n\ndata: [DONE]\n\n", EVENTS, "missing"),
        ] {
            let error = check(status, body.as_bytes(), expected).unwrap_err();
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn an_empty_delta_is_no_content() {
        assert!(!has_content(br#"{"delta":{"role":"assistant","content":""}}"#));
        assert!(has_content(br#"{"delta":{"content":" a"}}"#));
    }
}
