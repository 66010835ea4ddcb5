//! A stream of generated contents becomes a stream of chunks
//! (<https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>). Every event is an
//! answer of its own with what has been added; there is no event that says that it is the last.

use super::candidate::{self, Call, Said, extra_content};
use super::citation::{self, Boundaries};
use super::ending::Ending;
use super::logprobs;
use super::usage::Counts;
use crate::framing::Event;
use crate::openai::{Running, Usage};
use crate::provider::translate::answer::call_id;
use crate::provider::translate::chunks::Chunks;
use crate::provider::translate::json::inner;
use crate::provider::{Envelope, Fault, Progress, StreamCodec};

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    chunks: Chunks,
    /// Whether there is more than thoughts.
    answered: bool,
    counts: Counts,
    usage: Running,
    ending: Ending,
    /// The text so far.
    text: Boundaries,
    /// The last that was said of sources.
    annotations: Vec<u8>,
    /// The last signature of a text, a literal; clients join what comes twice.
    signature: Option<String>,
}

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        // Some proxies end every stream as OpenAI does.
        if self.chunks.is_done() || event.data == "[DONE]" {
            return Ok(self.chunks.progress());
        }
        let answer = candidate::answer(event.data).ok_or(Fault::Malformed)?;
        if let Some(fault) = candidate::in_band(&answer) {
            return Err(fault);
        }
        let said = answer.object("usageMetadata");
        if let Some(said) = &said {
            self.counts.note(said);
            if let Some(usage) = self.counts.usage() {
                self.usage.note(usage, self.chunks.produced);
            }
        }
        self.ending.note_prompt(&answer);
        if let Some(candidate) = candidate::first(&answer)? {
            self.ending.note_candidate(&candidate);
            self.chunks.logprobs = logprobs::write(&candidate);
            candidate::parts(&candidate, |said, signature| self.part(envelope, said, signature, out))?;
            let annotations = citation::annotations(&candidate, &self.text, &[]);
            if !annotations.is_empty() {
                self.annotations = annotations;
            }
        }
        if said.is_some() {
            self.usage.covers(self.chunks.produced);
        }
        self.chunks.open(envelope, out);
        Ok(self.chunks.progress())
    }

    /// Only now is it certain that the last reason was the last.
    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(finish_reason) = self.ending.finish_reason(self.chunks.calls > 0) {
            let refusal = match self.ending.without_content() {
                _ if self.answered => None,
                Ok(refusal) => refusal,
                // The client has seen thoughts, so nobody else can take over.
                Err(_) if self.chunks.has_content() => None,
                Err(fault) => return Err(fault),
            };
            if let Some(refusal) = refusal {
                self.chunks.delta(envelope, 0, &[br#""refusal":"#, &refusal], out);
            }
            if !self.annotations.is_empty() {
                self.chunks.aside(envelope, &[br#""annotations":["#, &self.annotations, b"]"], out);
            }
            let extra = extra_content(self.signature.as_deref());
            if let Some((_, member)) = extra.split_first() {
                self.chunks.aside(envelope, &[member], out);
            }
            self.chunks.finish(envelope, finish_reason, out);
        }
        self.chunks.end(envelope, self.usage(), out)
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.usage(self.chunks.produced)
    }

    fn produced(&self) -> u64 {
        self.chunks.produced
    }
}

impl Stream {
    fn part(&mut self, envelope: &Envelope<'_>, said: Said<'_>, signature: Option<&str>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match said {
            Said::Text(literal) => {
                self.text.push(literal);
                self.signature = signature.map(str::to_owned).or(self.signature.take());
                self.answered |= inner(literal) != Some("");
                self.chunks.text(envelope, "content", literal, out)
            }
            Said::Thought(literal) => self.chunks.text(envelope, "reasoning_content", literal, out),
            Said::Call(Call { id, name, arguments }) => {
                self.answered = true;
                let made = call_id(envelope, self.chunks.calls);
                let call = self.chunks.call(envelope, id.unwrap_or(&made), name, &extra_content(signature), out);
                self.chunks.arguments(envelope, call, &arguments, out);
                Ok(())
            }
            Said::Other => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
