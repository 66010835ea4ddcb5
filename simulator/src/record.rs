//! What a provider received, in the order it came, for tests to assert on byte for byte.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::http::request::Parts;
use serde::Serialize;

/// Requests kept for each provider; the oldest goes first.
const KEPT: usize = 1_000;
/// Body bytes kept for each provider, so that a load test with recording on does not eat the machine.
const KEPT_BYTES: usize = 256 << 20;

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Progress {
    Receiving,
    Answering,
    Done,
    Aborted,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    /// The request line and headers as they were on the wire; HTTP/2 has none.
    head: Option<Vec<u8>>,
    body: Vec<u8>,
    connection: u64,
    progress: Progress,
}

/// One request as the control API shows it.
#[derive(Serialize)]
struct Shown<'a> {
    method: &'a str,
    path: &'a str,
    headers: &'a [(String, String)],
    body_base64: String,
    connection: u64,
    completed: bool,
    progress: Progress,
    head_base64: Option<String>,
}

/// The requests of one provider.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) enabled: Arc<AtomicBool>,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    next_serial: u64,
    bytes: usize,
    list: VecDeque<Entry>,
}

impl Default for Record {
    fn default() -> Self {
        Self { enabled: Arc::new(AtomicBool::new(true)), entries: Mutex::default() }
    }
}

impl Record {
    /// Opens an entry for a request whose head has arrived. `None` when recording is off.
    pub(crate) fn open(self: &Arc<Self>, parts: &Parts, head: Option<Vec<u8>>, connection: u64) -> Option<Ticket> {
        if !self.enabled.load(Ordering::Relaxed) {
            return None;
        }
        let headers = head
            .as_deref()
            .and_then(headers_of)
            .unwrap_or_else(|| parts.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect());
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let serial = entries.next_serial;
        entries.next_serial += 1;
        let method = parts.method.to_string();
        let progress = Progress::Receiving;
        entries.list.push_back(Entry { serial, method, path, headers, head, body: Vec::new(), connection, progress });
        entries.trim();
        Some(Ticket { record: Arc::clone(self), serial, settled: false })
    }

    pub(crate) fn clear(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.list.clear();
        entries.bytes = 0;
    }

    /// The JSON array of `GET /providers/{name}/requests`.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let shown: Vec<Shown<'_>> = entries
            .list
            .iter()
            .map(|entry| Shown {
                method: &entry.method,
                path: &entry.path,
                headers: &entry.headers,
                body_base64: BASE64.encode(&entry.body),
                connection: entry.connection,
                completed: entry.progress == Progress::Done,
                progress: entry.progress,
                head_base64: entry.head.as_deref().map(|head| BASE64.encode(head)),
            })
            .collect();
        serde_json::to_vec(&shown).unwrap_or_default()
    }

    fn update(&self, serial: u64, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        // The entry may have been cleared or pushed out since.
        let Ok(index) = entries.list.binary_search_by_key(&serial, |entry| entry.serial) else { return };
        let before = entries.list[index].body.len();
        change(&mut entries.list[index]);
        entries.bytes += entries.list[index].body.len() - before;
        entries.trim();
    }
}

impl Entries {
    fn trim(&mut self) {
        while self.list.len() > KEPT || (self.bytes > KEPT_BYTES && self.list.len() > 1) {
            let Some(oldest) = self.list.pop_front() else { return };
            self.bytes -= oldest.body.len();
        }
    }
}

/// The right to complete one entry; dropped before that, the request is marked aborted.
#[derive(Debug)]
pub(crate) struct Ticket {
    record: Arc<Record>,
    serial: u64,
    settled: bool,
}

impl Ticket {
    pub(crate) fn body(&self, piece: &[u8]) {
        self.record.update(self.serial, |entry| entry.body.extend_from_slice(piece));
    }

    /// The request is in; the answer begins.
    pub(crate) fn answering(&self) {
        self.record.update(self.serial, |entry| entry.progress = Progress::Answering);
    }

    /// The answer was written to its end.
    pub(crate) fn complete(mut self) {
        self.settled = true;
        self.record.update(self.serial, |entry| entry.progress = Progress::Done);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.record.update(self.serial, |entry| entry.progress = Progress::Aborted);
        }
    }
}

/// Header names and values as sent, in order. `None` when the head is not one we can split.
fn headers_of(head: &[u8]) -> Option<Vec<(String, String)>> {
    let head = head.strip_suffix(b"\r\n\r\n")?;
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.find(|line| !line.is_empty())?;
    lines
        .map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some((text(&line[..colon]), text(line[colon + 1..].trim_ascii())))
        })
        .collect()
}

/// UTF-8 as it is; any other bytes as Latin-1, so that nothing is lost.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}
