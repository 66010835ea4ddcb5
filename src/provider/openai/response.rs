//! A whole answer: gone over once, and spliced as it is unless something in its choices has to be mended.

use super::calls::Given;
use super::choices::{self, Choice, Finish, Halt};
use super::failure;
use super::patch::Patch;
use super::{COMPLETION, LIST, rewrite};
use crate::openai::members::{Members, decode};
use crate::openai::scan::{Scan, Stop};
use crate::openai::{Endpoint, Usage};
use crate::provider::{Answer, Envelope, Fault};

/// The answer with our id, the served model and `routing`.
pub(super) fn translate(endpoint: Endpoint, envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = simdutf8::basic::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let mut patch = Patch::new(text);
    let mut whole = Whole { envelope, given: Given::default(), said: false, excused: false, first: None, fault: None };
    // What the first member of this name says.
    let mut used = None;
    let members = Members::read_with(Scan::new(text), |scan, name| {
        let array = scan.peek() == Some(b'[');
        let (value, ()) = match (endpoint, name) {
            (Endpoint::Chat, "choices") if array => {
                scan.written(|scan| choices::each(scan, "message", |choice| whole.take(&choice, &mut patch)))?
            }
            (Endpoint::Embeddings, "data") if array => scan.written(vectors)?,
            (_, "usage") => {
                let (value, said) = scan.written(Usage::read)?;
                used.get_or_insert(said);
                (value, ())
            }
            _ => return Ok::<_, Halt>(scan.value()?),
        };
        Ok(value)
    });
    let members = members.map_err(|Halt(fault)| fault)?;
    failure::in_band(&members)?;
    if let Some(fault) = whole.fault {
        return Err(fault);
    }
    let (name, object) = match endpoint {
        Endpoint::Chat => ("choices", COMPLETION),
        Endpoint::Embeddings => ("data", LIST),
    };
    let parts = members.find(name).map(|member| member.value);
    let parts = parts.filter(|value| value.starts_with('[') && !choices::is_blank(value)).ok_or(Fault::Malformed)?;
    if endpoint == Endpoint::Chat {
        // Nothing at all is no answer, unless it says that it was cut before its first word.
        if !whole.said && !whole.excused {
            return Err(Fault::Malformed);
        }
        if let (Some(message), Some(citations)) = (whole.first, citations(&members)) {
            patch.add(message, &citations);
        }
    }
    let mended = (!patch.is_empty()).then(|| patch.apply(parts));
    let produced = if endpoint == Endpoint::Chat { parts.len() as u64 } else { 0 };
    let usage = used.flatten().or_else(|| usage_of_groq(&members));
    // No prompt is empty, and no answer that says something.
    let usage = usage.filter(|usage| *usage != Usage::default()).map(|usage| usage.of_answer(if whole.said { produced } else { 0 }));
    let routing = envelope.routing_with(usage.as_ref());
    let mut more = vec![("routing", &*routing)];
    more.extend(mended.as_deref().map(|mended| (name, mended)));
    let mut body = Vec::with_capacity(text.len() + routing.len() + 128);
    rewrite(&members, object, envelope, &more, &mut body);
    Ok(Answer { body, usage, produced })
}

/// What is known of an answer while it is gone over.
struct Whole<'e, 'a> {
    envelope: &'e Envelope<'e>,
    given: Given<'a>,
    /// Some choice says something.
    said: bool,
    /// Some choice says why it says nothing.
    excused: bool,
    /// The first message, if nothing is cited in it.
    first: Option<&'a str>,
    fault: Option<Fault>,
}

impl<'a> Whole<'_, 'a> {
    fn take(&mut self, choice: &Choice<'a>, patch: &mut Patch<'a>) -> Result<(), Fault> {
        let said = &choice.said;
        if let Some(error) = choice.error {
            self.fault.get_or_insert(Fault::InBand(failure::name(error)));
        }
        let finish = choices::finish(choice.finish.unwrap_or("null"), said.calls());
        // What the whole answer is comes first: an error beside it is told by its own name.
        let finish = finish.unwrap_or_else(|fault| {
            self.fault.get_or_insert(fault);
            Finish::AsSaid
        });
        self.said |= said.anything();
        self.excused |= !said.whole.is_empty() && choice.finish.and_then(decode).is_some_and(|word| !is_stop(&word));
        if said.whole.is_empty() {
            return Ok(());
        }
        if choice.index == 0 && !said.annotated {
            self.first = self.first.or(Some(said.whole));
        }
        let word = match finish {
            Finish::AsSaid => None,
            Finish::Means(word) => Some(word),
            Finish::Not => Some(said.calls().reason()),
        };
        match (word, choice.finish) {
            (Some(word), Some(written)) => patch.set(written, format!("\"{word}\"")),
            (Some(word), None) => patch.add(choice.whole, &format!(r#""finish_reason":"{word}""#)),
            (None, _) => {}
        }
        said.name_role(patch);
        said.name_reasoning(patch);
        if let Some(calls) = said.tool_calls.filter(|calls| calls.starts_with('[')) {
            self.given.mend(calls, self.envelope, patch)?;
        }
        Ok(())
    }
}

/// Goes over the elements of `data`, each of which has a vector: numbers, or base64.
fn vectors(scan: &mut Scan<'_>) -> Result<(), Halt> {
    scan.array(|scan, _| {
        let mut vector = false;
        scan.object(|scan, name| {
            let value = scan.value()?;
            vector |= value.starts_with(['[', '"']) && decode(name).as_deref() == Some("embedding");
            Ok::<_, Stop>(())
        })?;
        if vector { Ok(()) } else { Err(Halt(Fault::Malformed)) }
    })
}

/// Whether a choice that ended like this should have said something.
pub(super) fn is_stop(word: &str) -> bool {
    !matches!(word.to_ascii_lowercase().as_str(), "length" | "max_tokens" | "model_length" | "content_filter" | "safety" | "refusal")
}

/// What was used; Groq has it in `x_groq` where it streams (<https://console.groq.com/docs/text-chat>).
pub(super) fn usage(members: &Members<'_>) -> Option<Usage> {
    let usage = members.find("usage").and_then(|member| Usage::parse(member.value));
    usage.or_else(|| usage_of_groq(members))
}

fn usage_of_groq(members: &Members<'_>) -> Option<Usage> {
    Usage::parse(Members::read(members.find("x_groq")?.value).ok()?.find("usage")?.value)
}

/// More than any answer is built on.
const MAX_CITATIONS: usize = 256;

/// `annotations` for what Perplexity has beside the choices: `search_results`, or the older `citations`
/// (<https://docs.perplexity.ai/api-reference/chat-completions-post>). Where in the text each is used is said there
/// by numbers in brackets, so no place is named.
pub(super) fn citations(members: &Members<'_>) -> Option<String> {
    let value = |name: &str| members.find(name).map(|member| member.value).filter(|value| value.starts_with('['));
    let mut all = Vec::new();
    let mut add = |url: &str, title: &str| {
        if all.len() < MAX_CITATIONS {
            let place = r#","start_index":0,"end_index":0}}"#;
            all.push([r#"{"type":"url_citation","url_citation":{"url":"#, url, r#","title":"#, title, place].concat());
        }
    };
    if let Some(results) = value("search_results") {
        each_element(results, |element| {
            let Ok(result) = Members::read(element) else { return };
            let text = |name: &str| result.find(name).map(|member| member.value).filter(|value| value.starts_with('"'));
            if let Some(url) = text("url") {
                add(url, text("title").unwrap_or(r#""""#));
            }
        });
    } else {
        each_element(value("citations")?, |element| {
            if element.starts_with('"') {
                add(element, r#""""#);
            }
        });
    }
    (!all.is_empty()).then(|| [r#""annotations":["#, &all.join(","), "]"].concat())
}

fn each_element<'a>(array: &'a str, mut visit: impl FnMut(&'a str)) {
    // It has been gone over before.
    let _ = Scan::new(array).array(|scan, _| {
        visit(scan.value()?);
        Ok::<_, Stop>(())
    });
}
