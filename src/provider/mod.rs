//! Providers' wire protocols: one file each, one row of [`registry`] each.
//!
//! A [`Codec`] is two-way: an OpenAI call out, an OpenAI answer back, whole or event by event.
//! Codecs are pure: no clock, no host, no network. Which provider is asked, what happens when it
//! fails and what an answer costs are not their business.

pub mod anthropic;
pub mod bedrock;
mod classify;
mod codec;
pub mod cohere;
pub mod gemini;
pub mod mistral;
pub mod openai;
mod registry;
mod scrub;
mod translate;
pub mod vertex;

pub use codec::{Answer, Bill, Call, Class, Codec, Envelope, Failed, Fault, Place, Progress, RequestBody, StreamCodec, Treatment, Unsaid};
pub use registry::{Credential, Protocol};
pub use scrub::{error_name, refusal, scrub};
