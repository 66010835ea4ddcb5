//! Starts the real program on free ports and talks to it over plain sockets.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A running simulator with the providers `openai` and `anthropic`.
pub(crate) struct Simulator {
    child: Child,
    pub(crate) control: SocketAddr,
    pub(crate) openai: SocketAddr,
    pub(crate) anthropic: SocketAddr,
    /// All providers, by their names.
    pub(crate) others: BTreeMap<String, SocketAddr>,
}

/// How the server's side of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Fin,
    Reset,
    /// Nothing more came within the patience of the client.
    Silence,
}

/// What a client saw.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) raw: Vec<u8>,
    pub(crate) end: End,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// With the chunked framing taken off.
    pub(crate) body: Vec<u8>,
    /// The sizes of the HTTP chunks.
    pub(crate) chunks: Vec<usize>,
    /// Whether the body came to its proper end.
    pub(crate) whole: bool,
}

impl Simulator {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with a provider of this protocol, and where it is.
    pub(crate) fn start_beside(protocol: &str) -> (Self, SocketAddr) {
        let simulator = Self::start_with(&[&format!("more={protocol}@127.0.0.1:0")]);
        let at = simulator.others["more"];
        (simulator, at)
    }

    /// The same with more providers, as `NAME=PROTOCOL@ADDRESS`.
    pub(crate) fn start_with(more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nr-simulator"))
            .args(["--control", "127.0.0.1:0", "--provider", "openai=openai@127.0.0.1:0"])
            .args(["--provider", "anthropic=anthropic@127.0.0.1:0", "--workers", "2"])
            .args(more.iter().flat_map(|provider| ["--provider", provider]))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("a ready line");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        assert_eq!(ready["ready"], true);
        let at = |value: &Value| value.as_str().expect("an address").parse().expect("an address");
        let providers = &ready["providers"];
        let others = providers.as_object().expect("providers").iter().map(|(name, address)| (name.clone(), at(address))).collect();
        Self { control: at(&ready["control"]), openai: at(&providers["openai"]), anthropic: at(&providers["anthropic"]), others, child }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().expect("the program can be waited for")
    }

    /// A control call that must succeed.
    pub(crate) fn set(&self, method: &str, path: &str, body: &str) -> Value {
        let reply = call(self.control, method, path, &[], body);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, 200, "{method} {path}: {text}");
        serde_json::from_str(&text).expect("the control API answers JSON")
    }

    pub(crate) fn fault(&self, provider: &str, fault: &str) {
        self.set("PUT", &format!("/providers/{provider}/fault"), fault);
    }

    pub(crate) fn behaviour(&self, provider: &str, behaviour: &str) {
        self.set("PUT", &format!("/providers/{provider}/behaviour"), behaviour);
    }

    pub(crate) fn requests(&self, provider: &str) -> Vec<Value> {
        self.set("GET", &format!("/providers/{provider}/requests"), "").as_array().expect("an array").clone()
    }

    /// `POST /v1/chat/completions`
    pub(crate) fn chat(&self, body: &str) -> Reply {
        call(self.openai, "POST", "/v1/chat/completions", &["content-type: application/json"], body)
    }

    /// `POST /v1/embeddings`
    pub(crate) fn embed(&self, body: &str) -> Reply {
        call(self.openai, "POST", "/v1/embeddings", &["content-type: application/json"], body)
    }

    /// `POST /v1/messages`
    pub(crate) fn message(&self, body: &str) -> Reply {
        call(self.anthropic, "POST", "/v1/messages", &["anthropic-version: 2023-06-01"], body)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself, which is what some tests are about.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(value: &Value) -> SocketAddr {
    value.as_str().expect("an address").parse().expect("an address")
}

/// One request on a connection of its own.
pub(crate) fn call(to: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
    let mut stream = TcpStream::connect(to).expect("the server accepts");
    let head = request(method, path, headers, body).replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(head.as_bytes()).expect("the request is taken");
    read_to_end(&mut stream, Duration::from_secs(10))
}

/// The bytes of a request.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Everything the server sends until it ends the connection or falls silent.
pub(crate) fn read_to_end(stream: &mut TcpStream, patience: Duration) -> Reply {
    stream.set_read_timeout(Some(patience)).expect("a timeout can be set");
    let mut raw = Vec::new();
    let mut buffer = [0; 65_536];
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break End::Fin,
            Ok(count) => raw.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break End::Silence,
            Err(error) => panic!("reading: {error}"),
        }
    };
    Reply::parse(raw, end)
}

impl Reply {
    fn parse(raw: Vec<u8>, end: End) -> Self {
        let mut reply = Self { raw, end, status: 0, headers: Vec::new(), body: Vec::new(), chunks: Vec::new(), whole: false };
        let Some(at) = reply.raw.windows(4).position(|window| window == b"\r\n\r\n") else { return reply };
        let head = String::from_utf8_lossy(&reply.raw[..at]).into_owned();
        let mut lines = head.split("\r\n");
        reply.status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
        reply.headers =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut rest = reply.raw[at + 4..].to_vec();
        if reply.header("transfer-encoding") != Some("chunked") {
            let promised = reply.header("content-length").and_then(|length| length.parse().ok());
            reply.whole = promised == Some(rest.len());
            reply.body = rest;
            return reply;
        }
        while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).expect("a chunk size"), 16).expect("a chunk size");
            if size == 0 {
                reply.whole = true;
                break;
            }
            reply.chunks.push(size);
            let end = (at + 2 + size).min(rest.len());
            reply.body.extend_from_slice(&rest[at + 2..end]);
            rest.drain(..(end + 2).min(rest.len()));
        }
        reply
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The `data:` of each complete SSE event.
    pub(crate) fn data(&self) -> Vec<String> {
        let text = self.text();
        let complete = text.rsplit_once("\n\n").map_or("", |(complete, _)| complete);
        let data = |event: &str| event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
        complete.split("\n\n").filter_map(data).collect()
    }

    /// The parsed `data:` of each SSE event but `[DONE]`.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |data: &String| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        self.data().iter().filter(|data| *data != "[DONE]").map(parse).collect()
    }
}

pub(crate) const CHAT: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#;
pub(crate) const CHAT_STREAM: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}],"stream":true}"#;
pub(crate) const EMBED: &str = r#"{"model":"text-embedding-3-small","input":"hello"}"#;
pub(crate) const MESSAGE: &str = r#"{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}"#;
pub(crate) const MESSAGE_STREAM: &str =
    r#"{"model":"claude-sonnet-4-5","max_tokens":100,"messages":[{"role":"user","content":"hello"}],"stream":true}"#;
