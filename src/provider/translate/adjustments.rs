//! The list a caller reads in `routing.adjustments`: what a translation changed or left out.

use core::fmt::Display;

/// Changes in the order they were made, each once.
#[derive(Default)]
pub(in crate::provider) struct Adjustments(Vec<String>);

/// The list travels in a response header's worth of JSON; a body of a thousand invented members
/// must not blow it up.
const MAX: usize = 32;

/// Longest member name repeated, in characters.
const MAX_NAME: usize = 64;

impl Adjustments {
    /// Notes a change.
    pub(in crate::provider) fn note(&mut self, change: impl Into<String>) {
        let change = change.into();
        match self.0.len() {
            MAX => self.0.push("more changes not listed".to_owned()),
            0..MAX if !self.0.contains(&change) => self.0.push(change),
            _ => {}
        }
    }

    /// Notes that a member was left out; `place` is the path before its name.
    pub(in crate::provider) fn dropped(&mut self, place: impl Display, name: &str) {
        if self.0.len() <= MAX {
            let name: String = name.chars().take(MAX_NAME).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
            self.note(format!("dropped {place}{name}"));
        }
    }

    /// The list.
    pub(in crate::provider) fn into_list(self) -> Vec<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printable_short_and_listed_once() {
        let mut adjustments = Adjustments::default();
        adjustments.dropped("", "seed");
        adjustments.dropped("", "a\n\u{1b}é");
        adjustments.dropped("messages[].", "name");
        adjustments.dropped("messages[].", "name");
        adjustments.dropped("", &"x".repeat(1000));
        assert_eq!(
            adjustments.into_list(),
            ["dropped seed", "dropped a???", "dropped messages[].name", &format!("dropped {}", "x".repeat(64))]
        );
    }

    #[test]
    fn the_list_stays_short() {
        let mut adjustments = Adjustments::default();
        (0..1000).for_each(|n| adjustments.dropped("", &n.to_string()));
        let list = adjustments.into_list();
        assert_eq!((list.len(), list.last().map(String::as_str)), (MAX + 1, Some("more changes not listed")));
    }
}
