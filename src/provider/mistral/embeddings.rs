//! Embeddings (<https://docs.mistral.ai/api/#tag/embeddings>): OpenAI's but for one name, and texts only.

use crate::openai::members::{Members, encode};
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::parameters::member;
use crate::provider::translate::{Adjustments, Path};
use crate::provider::{Answer, Call, Envelope, Failed, Fault};

/// OpenAI's bound, which the router holds callers to.
const MAX_INPUTS: usize = 2048;

const INPUT: Path<'static> = Path::root("input");

/// The provider's body and the list of changes.
pub(super) fn request(call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Some(object) = Object::read(body) else { return Err(Failed::caller("expected a JSON object")) };
    let mut adjustments = Adjustments::default();
    let mut out = Vec::with_capacity(body.len() + 128);
    out.extend_from_slice(br#"{"model":"#);
    encode(call.model, &mut out);
    let input = object.find("input").ok_or_else(|| INPUT.missing("what is to be embedded"))?;
    if inner(input).is_none() {
        let visit = |index, text: &str| match text.as_bytes().first() {
            Some(b'"') => Ok(()),
            Some(b'[' | b'-' | b'0'..=b'9') => Err(INPUT.unsupported("tokens are not supported by this model's provider; send text")),
            _ => Err(INPUT.index(index).expected("a string")),
        };
        elements(input, MAX_INPUTS, visit).map_err(|halt| match halt {
            Halt::Visitor(failed) => failed,
            Halt::NotAnArray | Halt::Element(_) => INPUT.expected("a string or at most 2048 strings"),
        })?;
    }
    member("input", input, &mut out);
    if let Some(format) = object.find("encoding_format") {
        if !matches!(inner(format), Some("float" | "base64")) {
            return Err(Path::root("encoding_format").expected("one of float, base64"));
        }
        member("encoding_format", format, &mut out);
    }
    if let Some(dimensions) = object.find("dimensions") {
        let valid = dimensions.parse::<u32>().is_ok_and(|dimensions| dimensions > 0);
        valid.then_some(()).ok_or_else(|| Path::root("dimensions").expected("a whole number of at least 1"))?;
        member("output_dimension", dimensions, &mut out);
    }
    for (name, _) in object.others(&["model", "input", "encoding_format", "dimensions"]) {
        adjustments.dropped("", name);
    }
    out.push(b'}');
    Ok((out, adjustments.into_list()))
}

/// The list with our id and model.
pub(super) fn response(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let members = Members::read(text).map_err(|_| Fault::Malformed)?;
    let Some(data) = members.find("data").map(|member| member.value) else {
        return Err(Object::read(text).map_or(Fault::Malformed, |answer| super::in_band(&answer)));
    };
    if !elements(data, MAX_INPUTS, |_, _: Object<'_>| Ok::<_, ()>(())).is_ok_and(|count| count > 0) {
        return Err(Fault::Malformed);
    }
    let usage = members.find("usage").and_then(|member| super::response::usage(member.value));
    let quoted = |text: &str| {
        let mut literal = Vec::with_capacity(text.len() + 2);
        encode(text, &mut literal);
        String::from_utf8(literal).unwrap_or_default()
    };
    let (id, model) = (quoted(envelope.id), quoted(envelope.model));
    let mut out = Vec::with_capacity(text.len() + envelope.routing.len() + 128);
    let routing = envelope.routing_with(usage.as_ref());
    let mut values = vec![("model", model.as_str()), ("routing", &*routing)];
    if members.find("id").is_some() {
        values.push(("id", &id));
    }
    members.rewrite(&values, &mut out);
    Ok(Answer { body: out, usage, produced: 0 })
}
