//! What is in the messages and tools of a request, besides its members, that decides whether the body has to be
//! changed for a vendor. Each has a place in [`Fields`](super::Fields), behind the documented members.

/// A message of the role `developer`.
pub const DEVELOPER: &str = "messages[].role developer";
/// A message with a `name`.
pub const NAME: &str = "messages[].name";
/// A `cache_control` of Anthropic's, in a message, a part or a tool.
pub const CACHE_CONTROL: &str = "cache_control";
/// A documented member of a message that many imitators do not know: `refusal`, `annotations`, `audio`,
/// `function_call`.
pub const RARE: &str = "messages[] rare";
/// A member of a message or a tool call that OpenAI does not document, such as `reasoning_content`.
pub const FOREIGN: &str = "messages[] foreign";
/// Tool calls of the assistant's without the `reasoning_content` that led to them.
pub const UNREASONED: &str = "messages[].tool_calls unreasoned";
/// An id of a tool call with more than [`SHORT_ID`] characters.
pub const LONG_ID: &str = "messages[].tool_calls[].id long";

/// The longest id of a tool call that OpenAI takes, in characters: "string too long. Expected a string with maximum
/// length 40". vLLM gives longer ones.
pub const SHORT_ID: usize = 40;

pub(super) const ALL: &[&str] = &[DEVELOPER, NAME, CACHE_CONTROL, RARE, FOREIGN, UNREASONED, LONG_ID];
