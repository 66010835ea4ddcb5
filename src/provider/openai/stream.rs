//! A stream of chunks (<https://platform.openai.com/docs/api-reference/chat-streaming>) on its way:
//! `routing` goes into the first, usage nobody asked for is taken out.

use std::borrow::Cow;

use super::calls::Begun;
use super::choices::{self, Called, Choice, Finish, Halt, is_blank};
use super::patch::Patch;
use super::{CHUNK, failure, response, rewrite};
use crate::openai::members::Members;
use crate::openai::scan::Scan;
use crate::openai::{Running, Usage};
use crate::provider::translate::answer::{head, told};
use crate::provider::{Envelope, Fault, Progress, StreamCodec};
use crate::sse::{Event, write_data};

/// One answer on its way.
#[derive(Default)]
pub(super) struct Stream {
    usage: Running,
    /// The client has seen it.
    accounted: bool,
    produced: u64,
    routed: bool,
    content: bool,
    cited: bool,
    done: bool,
    choices: Vec<One>,
}

/// One of its choices.
#[derive(Default)]
struct One {
    index: u64,
    /// Who speaks has been said.
    named: bool,
    calls: Begun,
    called: Called,
    finished: bool,
}

/// OpenAI gives as many.
const MAX_CHOICES: usize = 128;

impl StreamCodec for Stream {
    fn event(&mut self, envelope: &Envelope<'_>, event: &Event<'_>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        if self.done {
            return Ok(Progress::Done);
        }
        if event.data.trim_ascii() == "[DONE]" {
            if !self.content {
                return Err(Fault::Malformed);
            }
            self.farewell(envelope, out);
            return Ok(Progress::Done);
        }
        // Several `data` lines are joined by line feeds, which a JSON text may have between its tokens
        // and a `data` line may not.
        let several = memchr::memchr(b'\n', event.data.as_bytes()).is_some();
        let data = if several { Cow::Owned(event.data.replace('\n', " ")) } else { Cow::Borrowed(event.data) };
        let mut patch = Patch::new(&data);
        let (mut first, mut fault) = (None, None);
        let members = Members::read_with(Scan::new(&data), |scan, name| {
            if name == "choices" && scan.peek() == Some(b'[') {
                let (value, ()) = scan.written(|scan| {
                    choices::each(scan, "delta", |choice| {
                        // An error of the whole chunk has a name of its own, and may stand behind.
                        fault = fault.take().or(self.take(&choice, envelope, &mut patch, &mut first).err());
                        Ok(())
                    })
                })?;
                return Ok(value);
            }
            Ok::<_, Halt>(scan.value()?)
        });
        let members = members.map_err(|Halt(fault)| fault)?;
        failure::in_band(&members)?;
        if event.name == "error" {
            return Err(Fault::InBand(failure::name(&data)));
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        let usage = response::usage(&members);
        let choices = members.find("choices").map(|member| member.value).filter(|value| *value != "null");
        let choices = match choices {
            Some(choices) if choices.starts_with('[') => choices,
            // Some report what was used in an event of its own.
            None if usage.is_some() => "[]",
            _ => return Err(Fault::Malformed),
        };
        // The figures grow; whoever ends with zeros does not know.
        if let Some(usage) = usage.filter(|usage| *usage != Usage::default()) {
            self.usage.note(usage, self.produced);
        }
        // Some vendors report what was used so far with every chunk; clients add up what they are told.
        let told = envelope.include_usage && !self.accounted && (is_blank(choices) || self.choices.iter().all(|one| one.finished));
        if usage.is_some() && is_blank(choices) && !told {
            return Ok(self.progress());
        }
        self.accounted |= told
            && usage.is_some_and(|usage| usage != Usage::default())
            && members.find("usage").is_some_and(|member| member.value.starts_with('{'));
        if let (Some(delta), false, Some(citations)) = (first, self.cited, response::citations(&members)) {
            self.cited = true;
            patch.add(delta, &citations);
        }
        let mended = if patch.is_empty() { None } else { Some(patch.apply(choices)) };
        let mut more = Vec::new();
        if usage.is_some() && !told {
            more.push(("usage", "null"));
        }
        if mended.is_some() || members.find("choices").is_none_or(|member| member.value != choices) {
            more.push(("choices", mended.as_deref().unwrap_or(choices)));
        }
        let cost = if self.accounted && told { envelope.routing_of_usage(self.usage().as_ref()) } else { None };
        if !core::mem::replace(&mut self.routed, true) {
            more.push(("routing", envelope.routing));
        } else if let Some(cost) = &cost {
            more.push(("routing", cost));
        }
        out.extend_from_slice(b"data: ");
        // What another gateway has to say of its routing is not said in our name.
        let theirs = members.find("routing").is_some() && more.iter().all(|(name, _)| *name != "routing");
        let bare = theirs.then(|| members.without("routing"));
        match bare.as_deref().and_then(|bare| Members::read(bare).ok()) {
            Some(bare) => rewrite(&bare, CHUNK, envelope, &more, out),
            None => rewrite(&members, CHUNK, envelope, &more, out),
        }
        out.extend_from_slice(b"\n\n");
        Ok(self.progress())
    }

    fn end(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        match self.done {
            true => Ok(()),
            // Complete, but for the farewell that some vendors leave out.
            false if self.content && self.choices.iter().all(|one| one.finished) => {
                self.farewell(envelope, out);
                Ok(())
            }
            false => Err(Fault::Malformed),
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage.usage(self.produced)
    }

    fn produced(&self) -> u64 {
        self.produced
    }
}

impl Stream {
    fn progress(&self) -> Progress {
        if self.content { Progress::Content } else { Progress::Preamble }
    }

    /// Takes one choice of a chunk. `first` becomes the delta that ends the first choice.
    fn take<'a>(
        &mut self,
        choice: &Choice<'a>,
        envelope: &Envelope<'_>,
        patch: &mut Patch<'a>,
        first: &mut Option<&'a str>,
    ) -> Result<(), Fault> {
        if let Some(error) = choice.error {
            return Err(Fault::InBand(failure::name(error)));
        }
        let said = &choice.said;
        let place = match self.choices.iter().position(|one| one.index == choice.index) {
            Some(place) => place,
            None if self.choices.len() == MAX_CHOICES => return Err(Fault::Malformed),
            None => {
                self.choices.push(One { index: choice.index, ..One::default() });
                self.choices.len() - 1
            }
        };
        let Some(one) = self.choices.get_mut(place) else { return Err(Fault::Malformed) };
        let calls = said.tool_calls.filter(|calls| calls.starts_with('['));
        let literal = choice.finish.unwrap_or("null");
        one.called = one.called.max(said.calls());
        let finish = choices::finish(literal, one.called)?;
        let last = finish != Finish::Not;
        match (said.whole, choice.other) {
            // What a vendor reports of a choice, such as Azure on its filters, has no delta.
            ("", None) => patch.add(choice.whole, r#""delta":{}"#),
            ("", Some(other)) => patch.set(other, "{}"),
            _ if core::mem::replace(&mut one.named, true) => said.leave_role_out(patch),
            _ => said.name_role(patch),
        }
        if let Some(calls) = calls {
            self.produced = self.produced.saturating_add(one.calls.mend(calls, last, envelope, patch)?);
        }
        said.name_reasoning(patch);
        self.produced = self.produced.saturating_add(said.bytes());
        if let Some(usage) = choice.usage.and_then(Usage::parse) {
            self.usage.note(usage, self.produced);
        }
        match (&finish, choice.finish) {
            // An answer ends once, however often that is said.
            (Finish::AsSaid | Finish::Means(_), Some(written)) if one.finished => patch.set(written, "null"),
            (Finish::Means(word), Some(written)) => patch.set(written, format!("\"{word}\"")),
            // An empty word, which clients would take for an end.
            (Finish::Not, Some(r#""""#)) => patch.set(literal, "null"),
            _ => {}
        }
        if last {
            one.finished = true;
            match (one.calls.missing(), calls) {
                (Some(pieces), Some(calls)) => patch.add(calls, &pieces),
                (Some(pieces), None) if !said.whole.is_empty() => patch.add(said.whole, &[r#""tool_calls":["#, &pieces, "]"].concat()),
                _ => {}
            }
            if choice.index == 0 && !said.annotated && !said.whole.is_empty() {
                *first = Some(said.whole);
            }
        }
        // Who stops without a word has not answered; who was cut before the first has.
        self.content |= said.anything() || (last && !response::is_stop(literal.trim_matches('"')));
        Ok(())
    }

    /// Appends what a complete answer still lacks: the ends of choices that have none, usage that the vendor told
    /// elsewhere, and `[DONE]`.
    fn farewell(&mut self, envelope: &Envelope<'_>, out: &mut Vec<u8>) {
        self.done = true;
        for one in self.choices.iter_mut().filter(|one| !one.finished) {
            let delta = one.calls.missing().map(|pieces| [r#""tool_calls":["#, &pieces, "]"].concat()).unwrap_or_default();
            let reason = one.called.reason();
            out.extend_from_slice(b"data: ");
            head(envelope, "chat.completion.chunk", out);
            let choice = format!(r#","choices":[{{"index":{},"delta":{{{delta}}},"finish_reason":"{reason}"}}]}}"#, one.index);
            out.extend_from_slice(choice.as_bytes());
            out.extend_from_slice(b"\n\n");
        }
        if let (true, false, Some(usage)) = (envelope.include_usage, self.accounted, self.usage()) {
            out.extend_from_slice(b"data: ");
            head(envelope, "chat.completion.chunk", out);
            out.extend_from_slice(br#","choices":[],"usage":"#);
            told(envelope, &usage, out);
        }
        write_data(b"[DONE]", out);
    }
}

#[cfg(test)]
mod tests;
