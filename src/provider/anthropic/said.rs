//! What the assistant said in one message, written piece by piece around what it thought in between.

use super::citation::split;
use super::conversation::Conversation;
use super::part::{self, Place, cache_control};
use super::thinking::After;
use crate::provider::Failed;
use crate::provider::translate::Path;
use crate::provider::translate::json::{Halt, Object, elements, inner};

/// More calls than any turn has.
const MAX_CALLS: usize = 4096;

/// The pieces that are not yet written.
pub(super) struct Said<'a> {
    /// The inside of a content that is a string.
    text: Option<&'a str>,
    /// `,"cache_control":…` of the text, or nothing.
    marker: Vec<u8>,
    /// Characters of the text that are written.
    characters: u64,
    calls: Vec<Object<'a>>,
    /// Calls that are written.
    called: usize,
}

impl<'a> Said<'a> {
    pub(super) fn read(message: &Object<'a>, at: Path<'_>) -> Result<Self, Failed> {
        let text = message.literal("content");
        let mut marker = Vec::new();
        if text.is_some() {
            cache_control(message, at, &mut marker)?;
        }
        let mut calls = Vec::new();
        if let Some(list) = message.find("tool_calls") {
            let calls_at = at.member("tool_calls");
            let keep = |_, call: Object<'a>| {
                calls.push(call);
                Ok::<_, Failed>(())
            };
            elements(list, MAX_CALLS, keep).map_err(|halt| match halt {
                Halt::NotAnArray => calls_at.expected("an array"),
                Halt::Element(index) => calls_at.index(index).expected("an object"),
                Halt::Visitor(failed) => failed,
            })?;
        }
        Ok(Self { text, marker, characters: 0, calls, called: 0 })
    }

    /// Appends what stood before a block. A content of parts is no answer of ours and stays whole, behind
    /// what was thought.
    pub(super) fn until(&mut self, to: &mut Conversation<'a>, after: &After, at: Path<'_>) -> Result<(), Failed> {
        if let Some(text) = self.text.filter(|_| after.characters > self.characters) {
            let (before, rest) = split(text, after.characters - self.characters);
            part::text(to, Place::Assistant, before, None);
            (self.text, self.characters) = (Some(rest), after.characters);
        }
        self.call(to, after.calls, at)
    }

    /// Appends the rest.
    pub(super) fn rest(mut self, to: &mut Conversation<'a>, message: &Object<'a>, at: Path<'_>) -> Result<(), Failed> {
        match self.text {
            Some(text) => part::text(to, Place::Assistant, text, Some(&self.marker)),
            None => to.content(Place::Assistant, message, at)?,
        }
        if let Some(refusal) = message.find("refusal") {
            let refusal = inner(refusal).ok_or_else(|| at.member("refusal").expected("a string"))?;
            part::text(to, Place::Assistant, refusal, None);
        }
        self.call(to, usize::MAX, at)
    }

    /// Appends the calls up to so many.
    fn call(&mut self, to: &mut Conversation<'a>, until: usize, at: Path<'_>) -> Result<(), Failed> {
        let calls_at = at.member("tool_calls");
        for (index, call) in self.calls.iter().enumerate().take(until).skip(self.called) {
            to.call(call, calls_at.index(index))?;
            self.called = index + 1;
        }
        Ok(())
    }
}
