//! Embeddings (<https://docs.cohere.com/v2/reference/embed>): texts in, vectors by their type out.

use crate::openai::Usage;
use crate::openai::members::encode;
use crate::provider::translate::json::{Halt, Object, elements, inner};
use crate::provider::translate::parameters::member;
use crate::provider::translate::{Adjustments, Path};
use crate::provider::{Answer, Call, Envelope, Failed, Fault};

/// Most texts in one request.
const MAX_TEXTS: usize = 96;

const TOO_MANY: &str = "a string or at most 96 strings: this model's provider takes no more in one call";
const NOT_TEXT: &str = "tokens are not supported by this model's provider; send text";
const INPUT: Path<'static> = Path::root("input");

/// The provider's own members, which a caller may send to have them passed on.
const OWN: [&str; 2] = ["input_type", "truncate"];

/// The provider's body and the list of changes.
pub(super) fn request(call: &Call<'_>, body: &str) -> Result<(Vec<u8>, Vec<String>), Failed> {
    let Some(object) = Object::read(body) else { return Err(Failed::caller("expected a JSON object")) };
    let mut adjustments = Adjustments::default();
    let mut out = Vec::with_capacity(body.len() + 256);
    out.extend_from_slice(br#"{"model":"#);
    encode(call.model, &mut out);
    let input = object.find("input").ok_or_else(|| INPUT.missing("what is to be embedded"))?;
    if inner(input).is_some() {
        member("texts", &["[", input, "]"].concat(), &mut out);
    } else {
        let visit = |index, text: &str| match text.as_bytes().first() {
            Some(b'"') => Ok(()),
            Some(b'[' | b'-' | b'0'..=b'9') => Err(INPUT.unsupported(NOT_TEXT)),
            _ => Err(INPUT.index(index).expected("a string")),
        };
        elements(input, MAX_TEXTS, visit).map_err(|halt| match halt {
            Halt::Visitor(failed) => failed,
            Halt::NotAnArray | Halt::Element(_) => INPUT.expected(TOO_MANY),
        })?;
        member("texts", input, &mut out);
    }
    for name in OWN {
        if let Some(value) = object.find(name) {
            inner(value).ok_or_else(|| Path::root(name).expected("a string"))?;
            member(name, value, &mut out);
        }
    }
    if object.find("input_type").is_none() {
        // What is searched is embedded more often than what is searched for.
        member("input_type", r#""search_document""#, &mut out);
        adjustments.note("input_type set to search_document");
    }
    match object.find("encoding_format").map(|format| (format, inner(format))) {
        None | Some((_, Some("float"))) => member("embedding_types", r#"["float"]"#, &mut out),
        Some((_, Some("base64"))) => member("embedding_types", r#"["base64"]"#, &mut out),
        Some(_) => return Err(Path::root("encoding_format").expected("one of float, base64")),
    }
    if let Some(dimensions) = object.find("dimensions") {
        let valid = dimensions.parse::<u32>().is_ok_and(|dimensions| dimensions > 0);
        valid.then_some(()).ok_or_else(|| Path::root("dimensions").expected("a whole number of at least 1"))?;
        member("output_dimension", dimensions, &mut out);
    }
    for (name, _) in object.others(&["model", "input", "input_type", "truncate", "encoding_format", "dimensions"]) {
        adjustments.dropped("", name);
    }
    out.push(b'}');
    Ok((out, adjustments.into_list()))
}

/// OpenAI's list of embeddings.
pub(super) fn response(envelope: &Envelope<'_>, body: &[u8]) -> Result<Answer, Fault> {
    let text = core::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let answer = Object::read(text).ok_or(Fault::Malformed)?;
    let embeddings = answer.find("embeddings").ok_or_else(|| super::in_band(&answer))?;
    // Without types there is a plain array of vectors.
    let vectors = match Object::read(embeddings) {
        Some(by_type) => ["float", "base64"].iter().find_map(|kind| by_type.find(kind)).ok_or(Fault::Malformed)?,
        None => embeddings,
    };
    let mut out = Vec::with_capacity(vectors.len() + vectors.len() / 8 + envelope.routing.len() + 512);
    out.extend_from_slice(br#"{"object":"list","data":["#);
    let count = elements(vectors, MAX_TEXTS, |index, vector: &str| {
        if !vector.starts_with(['[', '"']) {
            return Err(());
        }
        let comma = if index == 0 { "" } else { "," };
        out.extend_from_slice(format!(r#"{comma}{{"object":"embedding","index":{index},"embedding":"#).as_bytes());
        out.extend_from_slice(vector.as_bytes());
        out.push(b'}');
        Ok(())
    })
    .map_err(|_| Fault::Malformed)?;
    if count == 0 {
        return Err(Fault::Malformed);
    }
    let usage = answer.object("meta").and_then(|meta| super::usage(&meta));
    out.extend_from_slice(br#"],"model":"#);
    encode(envelope.model, &mut out);
    let tokens = usage.unwrap_or_default().prompt();
    out.extend_from_slice(format!(r#","usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}},"routing":"#).as_bytes());
    out.extend_from_slice(envelope.routing_with(usage.as_ref()).as_bytes());
    out.push(b'}');
    Ok(Answer { body: out, usage: usage.map(|usage| Usage { output: 0, ..usage }), produced: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::{Endpoint, Fields};

    fn translated(extra: &str) -> Result<(String, Vec<String>), Option<String>> {
        let call = Call {
            endpoint: Endpoint::Embeddings,
            model: "embed-v4.0",
            stream: false,
            stream_options: None,
            max_output: 0,
            fields: Fields::default(),
        };
        let (body, changes) = request(&call, &format!("{{{extra}}}")).map_err(|failed| failed.param)?;
        Ok((String::from_utf8(body).expect("UTF-8"), changes))
    }

    #[test]
    fn texts_are_sent_as_they_are_written() {
        let sent = |rest: &str| format!(r#"{{"model":"embed-v4.0","texts":{rest}}}"#);
        let assumed = vec!["input_type set to search_document".to_owned()];
        for (extra, expected, changes) in [
            (r#""input":"a\n""#, sent(r#"["a\n"],"input_type":"search_document","embedding_types":["float"]"#), assumed.clone()),
            (
                r#""input":["a", "b"],"encoding_format":"base64","dimensions":256"#,
                sent(r#"["a", "b"],"input_type":"search_document","embedding_types":["base64"],"output_dimension":256"#),
                assumed.clone(),
            ),
            (
                r#""input":"a","input_type":"search_query","truncate":"NONE","user":"u""#,
                sent(r#"["a"],"input_type":"search_query","truncate":"NONE","embedding_types":["float"]"#),
                vec!["dropped user".to_owned()],
            ),
        ] {
            assert_eq!(translated(extra), Ok((expected, changes)), "{extra}");
        }
    }

    #[test]
    fn what_cannot_be_embedded_is_named() {
        let many = format!(r#""input":[{}"x"]"#, r#""x","#.repeat(96));
        for (extra, param) in [
            ("", "input"),
            (r#""input":7"#, "input"),
            (r#""input":[1,2]"#, "input"),
            (r#""input":[[1],[2]]"#, "input"),
            (r#""input":["a",null]"#, "input[1]"),
            (many.as_str(), "input"),
            (r#""input":"a","encoding_format":"int8""#, "encoding_format"),
            (r#""input":"a","dimensions":0"#, "dimensions"),
            (r#""input":"a","input_type":7"#, "input_type"),
        ] {
            assert_eq!(translated(extra), Err(Some(param.to_owned())), "{extra}");
        }
        let many = many.replacen(r#""x","#, "", 1);
        assert!(translated(&many).is_ok());
    }

    #[test]
    fn vectors_of_every_type_become_a_list() {
        let envelope = Envelope { id: "nrc_1", model: "embed", created: 7, routing: "{}", include_usage: false, bill: None };
        for (body, data) in [
            (r#"{"embeddings":{"float":[[0.1,-2e-3],[1]]},"meta":{"billed_units":{"input_tokens":5}}}"#, Ok(["[0.1,-2e-3]", "[1]"])),
            (r#"{"embeddings":{"base64":["AAAA","BBBB"]},"meta":{"billed_units":{"input_tokens":5}}}"#, Ok([r#""AAAA""#, r#""BBBB""#])),
            (r#"{"embeddings":[[0.1],[1]],"meta":{"tokens":{"input_tokens":5}}}"#, Ok(["[0.1]", "[1]"])),
            (r#"{"embeddings":{"int8":[[1]]}}"#, Err(Fault::Malformed)),
            (r#"{"embeddings":{"float":[]}}"#, Err(Fault::Malformed)),
            (r#"{"embeddings":{"float":[1]}}"#, Err(Fault::Malformed)),
            (r#"{"message":"internal server error"}"#, Err(Fault::InBand("error".into()))),
            ("{}", Err(Fault::Malformed)),
        ] {
            let expected = data.map(|[one, two]| {
                format!(
                    r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{one}}},{{"object":"embedding","index":1,"embedding":{two}}}],"model":"embed","usage":{{"prompt_tokens":5,"total_tokens":5}},"routing":{{}}}}"#
                )
            });
            let found = response(&envelope, body.as_bytes()).map(|answer| String::from_utf8(answer.body).expect("UTF-8"));
            assert_eq!(found, expected, "{body}");
        }
    }
}
