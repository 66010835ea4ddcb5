//! The one place that calls Envoy. Every header travels as bytes: the SDK's own string getters
//! panic on a single byte above 0x7f, and a panic takes down every stream of the worker.
//!
//! The SDK panics on statuses it does not expect, too. They occur when a map or buffer is touched
//! in a phase where it does not exist, so each function says when it may be called.

pub mod series;

use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType};

use crate::ledger::{Store, Version};
use crate::meter::{Kind, Registry};

/// Which header map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Towards the provider; from the request headers callback until they are sent on.
    Request,
    /// Towards the client; from the response headers callback until they are sent on.
    Response,
}

impl Side {
    const fn headers(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestHeaders,
            Self::Response => MapType::HttpResponseHeaders,
        }
    }

    const fn trailers(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestTrailers,
            Self::Response => MapType::HttpResponseTrailers,
        }
    }

    const fn body(self) -> BufferType {
        match self {
            Self::Request => BufferType::HttpRequestBody,
            Self::Response => BufferType::HttpResponseBody,
        }
    }
}

/// Nanoseconds since the Unix epoch.
pub fn now_ns() -> u64 {
    let now = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    now.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    now_ns() / 1_000_000
}

/// All headers, names in lower case.
pub fn headers(side: Side) -> Vec<(String, Vec<u8>)> {
    hostcalls::get_map_bytes(side.headers()).unwrap_or_default()
}

/// One header.
pub fn header(side: Side, name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(side.headers(), name).ok().flatten()
}

/// Sets or adds one header.
pub fn set_header(side: Side, name: &str, value: &[u8]) {
    let _ = hostcalls::set_map_value_bytes(side.headers(), name, Some(value));
}

/// Removes a header, if it is there.
pub fn remove_header(side: Side, name: &str) {
    let _ = hostcalls::remove_map_value(side.headers(), name);
}

/// Replaces every header. Of a request it makes Envoy look up the route again, by the filter state there is
/// by then.
pub fn set_headers(side: Side, headers: Vec<(&str, &[u8])>) {
    let _ = hostcalls::set_map_bytes(side.headers(), headers);
}

/// Removes every trailer; only in a trailers callback.
pub fn clear_trailers(side: Side) {
    let _ = hostcalls::set_map_bytes(side.trailers(), Vec::new());
}

/// Bytes of the body that has arrived and is held; only in body and trailers callbacks.
pub fn body(side: Side, from: usize, to: usize) -> Vec<u8> {
    if from >= to {
        return Vec::new();
    }
    hostcalls::get_buffer(side.body(), from, to - from).ok().flatten().unwrap_or_default()
}

/// Replaces the first `len` bytes of the body that is held, of which there must be as many; only in
/// body callbacks, and in trailers callbacks if a body is held.
pub fn replace_body(side: Side, len: usize, with: &[u8]) {
    if len == 0 && with.is_empty() {
        return;
    }
    // The last piece first: the front is where more can be put, whatever follows.
    let mut pieces = with.rchunks(PIECE_BYTES);
    let _ = hostcalls::set_buffer(side.body(), 0, len, pieces.next().unwrap_or_default());
    for piece in pieces {
        let _ = hostcalls::set_buffer(side.body(), 0, 0, piece);
    }
}

/// Envoy keeps what it is given in one go in one slice of memory. Of a call with a megabyte, slices of this size save
/// about a tenth of its CPU time, smaller and larger ones less.
const PIECE_BYTES: usize = 64 << 10;

/// A property, or a filter state we set.
pub fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}

/// Whether it was the client who ended the call, by Envoy's response flags; when a stream ends.
pub fn client_left() -> bool {
    const DOWNSTREAM_CONNECTION_TERMINATION: u64 = 1 << 14;
    const DOWNSTREAM_REMOTE_RESET: u64 = 1 << 28;
    let flags = property(&["response", "flags"]).and_then(|flags| flags.try_into().ok()).map_or(0, u64::from_le_bytes);
    flags & (DOWNSTREAM_CONNECTION_TERMINATION | DOWNSTREAM_REMOTE_RESET) != 0
}

/// Sets a filter state; both seats, the route's matcher and the access log see it.
pub fn set_state(key: &str, value: &[u8]) {
    let _ = hostcalls::set_property(vec![key], Some(value));
}

/// Where ledger and vitals keep their records: one map for all workers of this Envoy and both seats, lost
/// when it ends.
#[derive(Debug, Clone, Copy)]
pub struct SharedData;

impl Store for SharedData {
    fn read(&self, key: &str) -> (Option<Vec<u8>>, Version) {
        let (value, version) = hostcalls::get_shared_data(key).unwrap_or((None, None));
        (value, Version(version.unwrap_or(CREATE)))
    }

    fn swap(&self, key: &str, value: &[u8], version: Version) -> bool {
        hostcalls::set_shared_data(key, Some(value), Some(version.0)).is_ok()
    }
}

/// Where metrics are kept: Envoy's statistics, one for all workers.
#[derive(Debug, Clone, Copy)]
pub struct Statistics;

impl Registry for Statistics {
    fn define(&self, kind: Kind, name: &str) -> Option<u32> {
        let series = define(kind, name)?;
        series::note(kind, name);
        Some(series)
    }

    fn add(&self, series: u32, by: u64) {
        let _ = hostcalls::increment_metric(series, i64::try_from(by).unwrap_or(i64::MAX));
    }

    fn record(&self, series: u32, value: u64) {
        let _ = hostcalls::record_metric(series, value);
    }
}

fn define(kind: Kind, name: &str) -> Option<u32> {
    let kind = match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    hostcalls::define_metric(kind, name).ok()
}

/// Instead of a version: create the key, unless somebody just did.
const CREATE: u32 = u32::MAX;

/// Has the root context of this plugin called every so many milliseconds; never, with 0.
pub fn tick_every(ms: u64) {
    let _ = hostcalls::set_tick_period(Duration::from_millis(ms));
}

/// Calls a method of a gRPC service at a cluster. Its end comes to the context whose callback this is, with the number
/// returned here; `None` if it could not be sent. Only in callbacks of the root context: those of a call that has ended
/// would hear nothing.
pub fn call_service(cluster: &str, service: &str, method: &str, message: &[u8], timeout_ms: u32) -> Option<u32> {
    let timeout = Duration::from_millis(timeout_ms.into());
    hostcalls::dispatch_grpc_call(cluster, service, method, Vec::new(), Some(message), timeout).ok()
}

/// The message that a service has answered with; only in the callback that says how long it is.
pub fn service_answer(size: usize) -> Vec<u8> {
    hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, size).ok().flatten().unwrap_or_default()
}

/// Until the end of this callback everything here is about another context, which must be alive.
pub fn act_for(context: u32) {
    let _ = hostcalls::set_effective_context(context);
}

/// Lets a request go on whose callback has paused it.
pub fn resume_request() {
    let _ = hostcalls::resume_http_request();
}

/// Breaks the stream off, towards the client too.
pub fn reset() {
    let _ = hostcalls::reset_http_response();
}

/// Answers in the provider's stead.
pub fn reply(status: u16, headers: Vec<(&str, &[u8])>, body: &[u8]) {
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, core::str::from_utf8(value).ok()?))).collect();
    let _ = hostcalls::send_http_response(status.into(), headers, Some(body));
}
