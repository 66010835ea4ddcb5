//! What a test says of the outside world (a client's request, a provider's reply) and what it gets
//! back (the client's answer, the provider's request).

use std::collections::BTreeMap;

use serde_json::Value;

use super::headers::Headers;

/// What a client sends.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) headers: Headers,
    pub(super) body: Vec<Vec<u8>>,
    pub(super) trailers: Option<Headers>,
    pub(super) leaves: Leaves,
}

/// When the client hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// It stays to the end.
    Never,
    /// Before it has sent everything.
    Uploading,
    /// After it got so many pieces of the body.
    After(usize),
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        let headers = Headers::of(&[
            (":method", method),
            (":path", path),
            (":authority", "gateway.example"),
            (":scheme", "http"),
            ("x-request-id", "request-1"),
        ]);
        Self { headers, body: Vec::new(), trailers: None, leaves: Leaves::Never }
    }

    /// A chat call with this body.
    pub fn chat(body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", "/v1/chat/completions").header("content-type", "application/json").key(super::KEY).body(body)
    }

    /// Presents a key.
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name.as_bytes(), value.as_ref());
        self
    }

    /// Takes a header away.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name.as_bytes());
        self
    }

    /// Sends a body, its length announced.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.headers.set(b"content-length", body.as_ref().len().to_string().as_bytes());
        self.body = vec![body.as_ref().to_vec()];
        self
    }

    /// Sends the body in pieces of so many bytes.
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        self.body = pieces(&self.body.concat(), size);
        self
    }

    /// Sends the body in two pieces.
    pub fn cut_at(mut self, at: usize) -> Self {
        self.body = cut(&self.body.concat(), at);
        self
    }

    /// Ends with trailers.
    pub fn trailers(mut self, trailers: &[(&str, &str)]) -> Self {
        self.trailers = Some(Headers::of(trailers));
        self
    }

    /// Hangs up.
    pub fn leaves(mut self, leaves: Leaves) -> Self {
        self.leaves = leaves;
        self
    }
}

/// What a provider does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// It cannot be reached.
    Refuses,
    /// It takes the request and resets the connection.
    Resets,
    /// It takes the request and says nothing.
    Silent,
    /// It answers.
    Answers(Message),
}

/// A provider's answer.
#[derive(Debug, Clone)]
pub struct Message {
    pub(super) headers: Headers,
    pub(super) body: Vec<Vec<u8>>,
    pub(super) trailers: Option<Headers>,
    pub(super) end: End,
    pub(super) after_ms: u64,
    pub(super) pace_ms: u64,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Clean,
    /// The connection is reset.
    Reset,
    /// Never.
    Silence,
}

impl Reply {
    /// An answer of this type.
    pub fn of(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let status = status.to_string();
        let headers = Headers::of(&[(":status", &status), ("content-type", content_type)]);
        Self::Answers(Message {
            headers,
            body: pieces(body.as_ref(), usize::MAX),
            trailers: None,
            end: End::Clean,
            after_ms: 0,
            pace_ms: 0,
        })
    }

    /// A JSON answer.
    pub fn json(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::of(status, "application/json", body)
    }

    /// A stream of events.
    pub fn stream(body: impl AsRef<[u8]>) -> Self {
        Self::of(200, "text/event-stream", body)
    }

    fn edit(mut self, edit: impl FnOnce(&mut Message)) -> Self {
        match &mut self {
            Self::Answers(message) => edit(message),
            other => panic!("only an answer can be changed, not {other:?}"),
        }
        self
    }

    /// Adds a header.
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.edit(|message| message.headers.add(name.as_bytes(), value.as_ref()))
    }

    /// Takes a header away.
    pub fn without(self, name: &str) -> Self {
        self.edit(|message| drop(message.headers.remove(name.as_bytes())))
    }

    /// Writes the body in pieces of so many bytes.
    pub fn in_pieces_of(self, size: usize) -> Self {
        self.edit(|message| message.body = pieces(&message.body.concat(), size))
    }

    /// Writes the body in two pieces.
    pub fn cut_at(self, at: usize) -> Self {
        self.edit(|message| message.body = cut(&message.body.concat(), at))
    }

    /// Ends with trailers.
    pub fn trailers(self, trailers: &[(&str, &str)]) -> Self {
        self.edit(|message| message.trailers = Some(Headers::of(trailers)))
    }

    /// Ends in another way.
    pub fn then(self, end: End) -> Self {
        self.edit(|message| message.end = end)
    }

    /// Begins so many milliseconds after the request.
    pub fn after_ms(self, ms: u64) -> Self {
        self.edit(|message| message.after_ms = ms)
    }

    /// Leaves so many milliseconds between the pieces.
    pub fn pace_ms(self, ms: u64) -> Self {
        self.edit(|message| message.pace_ms = ms)
    }
}

fn pieces(body: &[u8], size: usize) -> Vec<Vec<u8>> {
    body.chunks(size).map(<[u8]>::to_vec).collect()
}

fn cut(body: &[u8], at: usize) -> Vec<Vec<u8>> {
    let (head, tail) = body.split_at(at);
    [head, tail].into_iter().filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

/// A request as a provider got it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The provider's name.
    pub provider: String,
    /// With the credential Envoy injects.
    pub headers: Headers,
    /// All of it.
    pub body: Vec<u8>,
    /// If there were any.
    pub trailers: Option<Headers>,
    /// Whether the request came to its end.
    pub whole: bool,
}

impl Received {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the provider got JSON")
    }
}

/// How the client's answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Whole.
    Whole,
    /// Broken off.
    Torn,
    /// The client left.
    Left,
}

/// What the client got.
#[derive(Debug, Clone)]
pub struct Answer {
    /// With `:status`; empty if there was no answer.
    pub headers: Headers,
    /// Pieces of the body as they came.
    pub body: Vec<Vec<u8>>,
    /// If there were any.
    pub trailers: Option<Headers>,
    /// How it ended.
    pub finish: Finish,
    /// Filter state at the end, by key.
    pub state: BTreeMap<String, Vec<u8>>,
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.headers.text(":status").and_then(|status| status.parse().ok()).expect("the client got a status")
    }

    /// The whole body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.concat()).expect("the client got text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body.concat()).unwrap_or_else(|error| panic!("the client got no JSON ({error}): {}", self.text()))
    }

    /// The data of every event of a stream.
    pub fn events(&self) -> Vec<String> {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with("\n\n"), "the stream ends inside an event: {text:?}");
        text.split_terminator("\n\n")
            .map(|event| event.strip_prefix("data: ").unwrap_or_else(|| panic!("an event of one data line: {event:?}")).to_owned())
            .collect()
    }

    /// Every chunk of a stream, without `[DONE]`.
    pub fn chunks(&self) -> Vec<Value> {
        self.events().iter().filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("a chunk is JSON")).collect()
    }

    /// The `routing` object, wherever it is.
    pub fn routing(&self) -> Value {
        let streamed = self.headers.text("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if streamed { self.chunks()[0]["routing"].clone() } else { self.json()["routing"].clone() }
    }

    /// `model`, `outcome` and `status` of every attempt.
    pub fn attempts(&self) -> Vec<(String, String, Option<u64>)> {
        let routing = self.routing();
        let attempts = routing["attempts"].as_array().unwrap_or_else(|| panic!("attempts in {routing}"));
        attempts
            .iter()
            .map(|a| {
                (
                    a["model"].as_str().unwrap_or_default().to_owned(),
                    a["outcome"].as_str().unwrap_or_default().to_owned(),
                    a["status"].as_u64(),
                )
            })
            .collect()
    }
}
