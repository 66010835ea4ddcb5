//! OpenAI's protocol: what clients speak, and the pivot between them and every provider.
//!
//! Texts are read where they lie: members are located, the few that matter are decoded, everything
//! else passes through byte for byte, so a field invented tomorrow survives.

pub mod chat;
pub mod members;
mod messages;
mod route;
pub mod scan;
mod usage;

pub use chat::{BadRequest, ChatRequest, Needs};
pub use messages::MAX_MESSAGES;
pub use route::Route;
pub use usage::Usage;
