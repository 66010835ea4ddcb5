//! Providers' wire protocols: one file each, one row of [`registry`] each.
//!
//! A [`Codec`] is two-way: an OpenAI call out, an OpenAI answer back, whole or event by event.
//! Codecs are pure: no clock, no host, no network. Which provider is asked, what happens when it
//! fails and what an answer costs are not their business.

pub mod anthropic;
mod codec;
pub mod openai;
mod registry;
mod scrub;

pub use codec::{Answer, Call, Codec, Envelope, Failed, Fault, Progress, RequestBody, StreamCodec};
pub use registry::{Credential, Protocol};
pub use scrub::scrub;
