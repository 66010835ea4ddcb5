//! What is said when a request cannot be translated: the caller's member by OpenAI's path, what
//! was expected, and never what stood there.

use core::fmt;

use crate::provider::Failed;

/// Where in the caller's body: `messages[3].tool_calls[0].function.arguments`. Borrowed links, so
/// that a path costs nothing until something is wrong.
#[derive(Clone, Copy)]
pub(in crate::provider) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Member(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// A member of the body.
    pub(in crate::provider) const fn root(name: &'p str) -> Self {
        Self { parent: None, step: Step::Member(name) }
    }

    /// A member of the object here.
    pub(in crate::provider) const fn member(&'p self, name: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Member(name) }
    }

    /// An element of the array here.
    pub(in crate::provider) const fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// It is not what it should be.
    pub(in crate::provider) fn expected(&self, what: &str) -> Failed {
        self.failed("invalid_value", format!("{self}: expected {what}"))
    }

    /// It has to be there.
    pub(in crate::provider) fn missing(&self, what: &str) -> Failed {
        self.failed("missing_required_parameter", format!("{self}: required, {what}"))
    }

    /// It is right, but this protocol has nothing like it.
    pub(in crate::provider) fn unsupported(&self, what: &str) -> Failed {
        self.failed("unsupported_value", format!("{self}: {what}"))
    }

    fn failed(&self, code: &str, message: String) -> Failed {
        Failed { param: Some(self.to_string()), code: Some(code.to_owned()), ..Failed::caller(message) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Member(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Member(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_reads_as_the_member_would_be_written() {
        let messages = Path::root("messages");
        let message = messages.index(3);
        let calls = message.member("tool_calls");
        assert_eq!(calls.index(0).member("function").to_string(), "messages[3].tool_calls[0].function");
    }
}
