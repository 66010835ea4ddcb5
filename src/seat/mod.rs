//! Where the filter sits. One module, two seats, told apart by the VM's configuration: "router"
//! stands before Envoy's router once per call, "provider" before a provider once per attempt.
//!
//! The seats only translate callbacks into calls to the stages and keep what must be kept from one
//! callback to the next, in one enum each.

mod attempt;
mod dispatch;
mod entry;
mod gateway;
mod provider;
mod root;
mod router;
mod stream;
mod watch;

use crate::host;
use crate::provider::{Call, Codec};
use crate::rejection::Rejection;

pub use root::root;

/// Set on what a provider seat sends that is no answer, and taken off by the router seat.
mod outcome {
    /// Header name.
    pub(super) const HEADER: &str = "x-nr-outcome";
    /// The body is a refusal in OpenAI's form, ready for the client.
    pub(super) const REFUSAL: &[u8] = b"refusal";
    /// The attempt failed; if no other follows, the router seat says so.
    pub(super) const FAILURE: &[u8] = b"failure";
}

/// Where a call goes at a provider with this base path, and in which form it is to be answered.
fn target(base_path: &str, codec: &dyn Codec, call: &Call<'_>) -> (String, &'static [u8]) {
    ([base_path, codec.path(call)].concat(), if call.stream { b"text/event-stream" } else { JSON })
}

const JSON: &[u8] = b"application/json";

/// Sends a refusal; `mark` tells the router seat that it is one of ours.
fn reject(rejection: &Rejection, mark: Option<&'static [u8]>) {
    let mut headers: Vec<(&str, &[u8])> = vec![("content-type", JSON)];
    headers.extend(rejection.headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    headers.extend(mark.map(|mark| (outcome::HEADER, mark)));
    host::reply(rejection.status, headers, &rejection.body());
}
