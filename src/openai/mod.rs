//! OpenAI's protocol: what clients speak, and the pivot between them and every provider.
//!
//! Texts are read where they lie: members are located, the few that matter are decoded, everything
//! else passes through byte for byte, so a field invented tomorrow survives.

mod body;
pub mod chat;
mod conversation;
mod embeddings;
mod endpoint;
pub mod mark;
pub mod members;
mod messages;
mod needs;
mod parameters;
mod request;
mod route;
pub mod scan;
mod shape;
mod usage;

pub use chat::{BadRequest, ChatRequest};
pub use conversation::Conversation;
pub use embeddings::{EmbeddingRequest, EncodingFormat};
pub use endpoint::Endpoint;
pub use messages::MAX_MESSAGES;
pub use needs::Needs;
pub use parameters::{Fields, is_neutral};
pub use request::{Counts, Demand, Request};
pub use route::Route;
pub(crate) use usage::count;
pub use usage::{Running, Usage};
