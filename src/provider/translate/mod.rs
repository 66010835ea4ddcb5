//! What every translation needs: reading the caller's JSON in place, saying where it is wrong,
//! listing what was changed, and writing answers in OpenAI's form.

mod adjustments;
pub(super) mod answer;
pub(super) mod chunks;
pub(super) mod json;
pub(super) mod media;
pub(super) mod parameters;
mod path;
pub(super) mod request;
pub(super) mod tools;

pub(super) use adjustments::Adjustments;
pub(super) use path::Path;
