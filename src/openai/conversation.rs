//! Where a conversation began and what was said last, borrowed from the body: what its task is told from, and
//! what its turns have in common.

/// The texts of a request that say what it is about. Each is the inside of a string literal, escapes as written;
/// of a message in parts, its first text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conversation<'a> {
    /// Of the first system or developer message.
    pub system: Option<&'a str>,
    /// Of the first user message.
    pub opening: Option<&'a str>,
    /// Of the last user message.
    pub latest: Option<&'a str>,
    /// User messages.
    pub user_messages: usize,
    /// A model has answered before.
    pub answered: bool,
    /// The last message is the result of a tool.
    pub in_tool_loop: bool,
}

impl<'a> Conversation<'a> {
    /// Adds the next message.
    pub(super) fn add(&mut self, role: &str, text: Option<&'a str>) {
        self.in_tool_loop = false;
        match role {
            "system" | "developer" => self.system = self.system.or(text),
            "user" => {
                self.opening = self.opening.or(text);
                self.latest = text.or(self.latest);
                self.user_messages += 1;
            }
            "assistant" => self.answered = true,
            _ => self.in_tool_loop = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Conversation;

    #[test]
    fn turns_are_told_apart() {
        let mut conversation = Conversation::default();
        let begun = |conversation: &Conversation<'static>| (conversation.opening, conversation.latest, conversation.answered);
        conversation.add("developer", Some("be brief"));
        conversation.add("user", Some("a"));
        assert_eq!(begun(&conversation), (Some("a"), Some("a"), false));
        conversation.add("assistant", None);
        conversation.add("tool", Some("7"));
        assert_eq!((begun(&conversation), conversation.in_tool_loop), ((Some("a"), Some("a"), true), true));
        conversation.add("system", Some("late"));
        conversation.add("user", Some("b"));
        assert_eq!((begun(&conversation), conversation.in_tool_loop), ((Some("a"), Some("b"), true), false));
        assert_eq!((conversation.system, conversation.user_messages), (Some("be brief"), 2));
    }
}
