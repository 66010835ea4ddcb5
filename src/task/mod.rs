//! stub
use crate::config::TaskClass;
/// A task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Task {
    /// class
    pub class: TaskClass,
    /// difficulty
    pub difficulty: f32,
}
/// Evidence.
pub struct Evidence<'a> {
    /// .
    pub user: &'a str,
    /// .
    pub system: Option<&'a str>,
    /// .
    pub messages: u64,
    /// .
    pub tools: bool,
    /// .
    pub tool_results: bool,
    /// .
    pub json: bool,
    /// .
    pub prompt_bytes: u64,
}
/// infer
pub fn infer(_: &Evidence<'_>) -> Task {
    Task { class: TaskClass::Chat, difficulty: 0.0 }
}
