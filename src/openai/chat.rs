//! A chat completion request: what of it decides the choice, and the cuts that take our own
//! members out of it.

use core::ops::Range;
use std::borrow::Cow;

use super::members::{Member, Members, NotAnObject, decode, encode, placed};
use super::messages::{self, Fault};
use super::route::Route;
use super::scan::Scan;

/// A request, borrowed from its body.
#[derive(Debug, Clone)]
pub struct ChatRequest<'a> {
    /// A model id, or `auto`.
    pub model: Cow<'a, str>,
    /// The caller's wishes.
    pub route: Route<'a>,
    /// Whether to answer event by event.
    pub stream: bool,
    /// Whether the client wants to see usage in the stream.
    pub include_usage: bool,
    /// `max_completion_tokens`, or the older `max_tokens`.
    pub max_output: Option<u64>,
    /// What the model must be able to do.
    pub needs: Needs,
    /// Prompt tokens, estimated from the length of the text.
    pub prompt_tokens: u64,
    stream_options: Option<&'a str>,
    cuts: Vec<Range<usize>>,
}

/// What a request asks of a model beyond text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// It has tools or functions.
    pub tools: bool,
    /// It says `parallel_tool_calls: true`.
    pub parallel_tools: bool,
    /// It has images.
    pub vision: bool,
    /// `response_format` is `json_object`.
    pub json_object: bool,
    /// `response_format` is `json_schema`.
    pub json_schema: bool,
    /// It says `reasoning_effort`, other than `none`.
    pub reasoning: bool,
    /// `n` is not 1.
    pub several_choices: bool,
    /// It has `functions`, which `tools` replaced in 2023.
    pub functions: bool,
}

/// Why a body is not a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRequest {
    /// Not a JSON object.
    NotAnObject(NotAnObject),
    /// Not UTF-8.
    NotUtf8,
    /// A member has a wrong value.
    Invalid {
        /// Path of the member.
        param: String,
        /// What was expected.
        message: String,
    },
}

impl BadRequest {
    pub(super) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { param: param.into(), message: message.into() }
    }
}

/// What OpenAI bills for a 512 × 512 tile and its base; images are rarely less.
const TOKENS_PER_IMAGE: u64 = 255;

/// Role, separators and the like (OpenAI's cookbook on counting tokens).
const TOKENS_PER_MESSAGE: u64 = 4;

/// Bytes of English text or code per token, rounded up so that the estimate stays low: it only
/// has to keep hopeless candidates out, and a wrong exclusion is worse than a refused attempt.
const BYTES_PER_TOKEN: u64 = 4;

/// The longest conversation has two for each message; going over as many takes some 3 ms.
const MAX_VALUES: usize = 1 << 18;

/// They travel in the plan and stay in memory for as long as the call; what is documented of them
/// takes fifty bytes.
const MAX_STREAM_OPTIONS_BYTES: usize = 4096;

impl<'a> ChatRequest<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, BadRequest> {
        let text = simdutf8::basic::from_utf8(body).map_err(|_| BadRequest::NotUtf8)?;
        let mut weight = None;
        let members = Members::read_with(Scan::bounded(text, MAX_VALUES), |scan, name| {
            // A second one is left as text; that it stands twice is noticed below.
            if name != "messages" || weight.is_some() {
                return scan.value().map_err(|stop| BadRequest::NotAnObject(placed(text, stop)));
            }
            weight = Some(messages::weigh(scan).map_err(|fault| match fault {
                Fault::Text(stop) => BadRequest::NotAnObject(placed(text, stop)),
                Fault::Invalid(bad) => bad,
            })?);
            Ok("")
        })?;
        let mut seen = Seen::default();
        for member in members.iter() {
            seen.take(member)?;
        }
        let Some(model) = seen.model else { return Err(BadRequest::invalid("model", "required: a model id or `auto`")) };
        let Some(model_name) = decode(model.value).filter(|name| !name.is_empty()) else {
            return Err(BadRequest::invalid("model", "expected a model id or `auto`"));
        };
        let Some(weight) = weight else { return Err(BadRequest::invalid("messages", "required: an array of messages")) };
        let stream = flag(seen.stream)?.unwrap_or(false);
        let mut cuts = members.cuts(|member| match member.name.as_ref() {
            "model" | "route" => true,
            "stream_options" => stream,
            _ => false,
        });
        // What is handed on begins with the brace: an OpenAI-protocol provider's body is begun anew there.
        let lead = text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len();
        if lead > 0 {
            cuts.insert(0, 0..lead);
        }
        let stream_options = seen.stream_options.map(|member| member.value).filter(|value| *value != "null");
        let tools_bytes = seen.tools.map_or(0, |member| member.value.len()) as u64;
        let text_tokens = (weight.text_bytes as u64 + tools_bytes) / BYTES_PER_TOKEN;
        Ok(Self {
            model: model_name,
            route: seen.route.map_or(Ok(Route::default()), |member| Route::parse(member.value))?,
            stream,
            include_usage: include_usage(stream_options)?,
            max_output: count(seen.max_completion_tokens)?.or(count(seen.max_tokens)?),
            needs: Needs {
                tools: [seen.tools, seen.functions].into_iter().flatten().any(|member| !matches!(member.value, "null" | "[]")),
                parallel_tools: flag(seen.parallel_tool_calls)?.unwrap_or(false) && seen.tools.is_some(),
                vision: weight.images > 0,
                json_object: response_format(seen.response_format)? == Some("json_object"),
                json_schema: response_format(seen.response_format)? == Some("json_schema"),
                several_choices: seen.n.is_some_and(|member| !matches!(member.value, "null" | "1")),
                functions: seen.functions.is_some_and(|member| !matches!(member.value, "null" | "[]")),
                reasoning: seen.reasoning_effort.is_some_and(|member| !matches!(member.value, "null" | r#""none""#)),
            },
            prompt_tokens: text_tokens + weight.messages as u64 * TOKENS_PER_MESSAGE + weight.images as u64 * TOKENS_PER_IMAGE,
            stream_options,
            cuts,
        })
    }

    /// How to take `model`, `route` and, in a stream, `stream_options` out of the body: the bytes
    /// that replace its first `usize` bytes. Nothing behind the last cut has to be touched.
    pub fn bare<'b>(&self, body: &'b [u8]) -> (usize, Cow<'b, [u8]>) {
        let part = |range: Range<usize>| body.get(range).unwrap_or_default();
        match self.cuts.as_slice() {
            [] => (0, Cow::Borrowed(&[])),
            // What most clients send, and no reason to copy a long conversation.
            [only] => (only.end, Cow::Borrowed(part(0..only.start))),
            [.., last] => {
                let mut kept = Vec::with_capacity(last.start);
                let mut from = 0;
                for cut in &self.cuts {
                    kept.extend_from_slice(part(from..cut.start));
                    from = cut.end;
                }
                (last.end, Cow::Owned(kept))
            }
        }
    }

    /// The `stream_options` for an OpenAI-protocol provider: the caller's, with usage always on.
    pub fn stream_options(&self) -> Option<String> {
        if !self.stream {
            return None;
        }
        let mut merged = br#"{"include_usage":true"#.to_vec();
        if let Some(Ok(members)) = self.stream_options.map(Members::read) {
            for member in members.iter().filter(|member| member.name != "include_usage") {
                merged.push(b',');
                encode(&member.name, &mut merged);
                merged.push(b':');
                merged.extend_from_slice(member.value.as_bytes());
            }
        }
        merged.push(b'}');
        String::from_utf8(merged).ok()
    }
}

impl From<NotAnObject> for BadRequest {
    fn from(error: NotAnObject) -> Self {
        Self::NotAnObject(error)
    }
}

#[derive(Default)]
struct Seen<'m, 'a> {
    model: Option<&'m Member<'a>>,
    messages: Option<&'m Member<'a>>,
    route: Option<&'m Member<'a>>,
    stream: Option<&'m Member<'a>>,
    stream_options: Option<&'m Member<'a>>,
    max_tokens: Option<&'m Member<'a>>,
    max_completion_tokens: Option<&'m Member<'a>>,
    tools: Option<&'m Member<'a>>,
    functions: Option<&'m Member<'a>>,
    n: Option<&'m Member<'a>>,
    parallel_tool_calls: Option<&'m Member<'a>>,
    response_format: Option<&'m Member<'a>>,
    reasoning_effort: Option<&'m Member<'a>>,
}

impl<'m, 'a> Seen<'m, 'a> {
    /// Notes a member the choice depends on; twice is refused, since we and a provider might each
    /// believe another one.
    fn take(&mut self, member: &'m Member<'a>) -> Result<(), BadRequest> {
        let place = match member.name.as_ref() {
            "model" => &mut self.model,
            "messages" => &mut self.messages,
            "route" => &mut self.route,
            "stream" => &mut self.stream,
            "stream_options" => &mut self.stream_options,
            "max_tokens" => &mut self.max_tokens,
            "max_completion_tokens" => &mut self.max_completion_tokens,
            "tools" => &mut self.tools,
            "functions" => &mut self.functions,
            "n" => &mut self.n,
            "parallel_tool_calls" => &mut self.parallel_tool_calls,
            "response_format" => &mut self.response_format,
            "reasoning_effort" => &mut self.reasoning_effort,
            _ => return Ok(()),
        };
        match place.replace(member) {
            None => Ok(()),
            Some(_) => Err(BadRequest::invalid(member.name.clone(), "stands more than once")),
        }
    }
}

fn flag(member: Option<&Member<'_>>) -> Result<Option<bool>, BadRequest> {
    let Some(member) = member else { return Ok(None) };
    match member.value {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        "null" => Ok(None),
        _ => Err(BadRequest::invalid(member.name.clone(), "expected true or false")),
    }
}

fn count(member: Option<&Member<'_>>) -> Result<Option<u64>, BadRequest> {
    let Some(member) = member.filter(|member| member.value != "null") else { return Ok(None) };
    match member.value.parse::<u32>() {
        Ok(count) if count > 0 => Ok(Some(count.into())),
        _ => Err(BadRequest::invalid(member.name.clone(), "expected a whole number of tokens, at least 1")),
    }
}

fn include_usage(stream_options: Option<&str>) -> Result<bool, BadRequest> {
    let Some(value) = stream_options else { return Ok(false) };
    if value.len() > MAX_STREAM_OPTIONS_BYTES {
        return Err(BadRequest::invalid("stream_options", format!("at most {MAX_STREAM_OPTIONS_BYTES} bytes")));
    }
    let members = Members::read(value).map_err(|_| BadRequest::invalid("stream_options", "expected an object"))?;
    match members.find("include_usage").map(|member| member.value) {
        None | Some("false" | "null") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(BadRequest::invalid("stream_options.include_usage", "expected true or false")),
    }
}

fn response_format<'a>(member: Option<&Member<'a>>) -> Result<Option<&'a str>, BadRequest> {
    let Some(member) = member.filter(|member| member.value != "null") else { return Ok(None) };
    let members = Members::read(member.value).map_err(|_| BadRequest::invalid("response_format", "expected an object"))?;
    let kind = members.find("type").and_then(|member| member.value.strip_prefix('"')?.strip_suffix('"'));
    match kind {
        Some("text" | "json_object" | "json_schema") => Ok(kind),
        _ => Err(BadRequest::invalid("response_format.type", "expected one of text, json_object, json_schema")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> ChatRequest<'_> {
        ChatRequest::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"))
    }

    fn bare(body: &str) -> String {
        let (end, kept) = parse(body).bare(body.as_bytes());
        String::from_utf8(kept.into_owned()).expect("UTF-8") + &body[end..]
    }

    #[test]
    fn our_own_members_are_taken_out_and_nothing_else_moves() {
        let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
        for (body, expected) in [
            (format!(r#"{{"model":"m",{messages}}}"#), format!(r#"{{{messages}}}"#)),
            (format!(r#"{{{messages},"model":"m","future": [1 ,2]}}"#), format!(r#"{{{messages},"future": [1 ,2]}}"#)),
            (format!(r#"{{"model":"m","route":{{}},{messages},"seed":7}}"#), format!(r#"{{{messages},"seed":7}}"#)),
            (format!(r#"{{"model":"m",{messages},"route":{{"objective":"cost"}}}}"#), format!(r#"{{{messages}}}"#)),
            (format!(r#"{{"model":"m",{messages},"stream_options":{{}},"stream":true}}"#), format!(r#"{{{messages},"stream":true}}"#)),
            (format!(" \r\n\t{{\"model\":\"m\",{messages}}} "), format!(r#"{{{messages}}} "#)),
            (format!("\n {{{messages},\"model\":\"m\"}}"), format!(r#"{{{messages}}}"#)),
            (format!(r#"{{"model":"m",{messages},"stream_options":null}}"#), format!(r#"{{{messages},"stream_options":null}}"#)),
        ] {
            assert_eq!(bare(&body), expected, "{body}");
        }
    }

    #[test]
    fn usage_is_always_asked_of_the_provider_and_other_stream_options_survive() {
        let body = |options: &str| format!(r#"{{"model":"m","messages":[{{"role":"user"}}],"stream":true,"stream_options":{options}}}"#);
        for (options, shown, sent) in [
            ("null", false, r#"{"include_usage":true}"#),
            ("{}", false, r#"{"include_usage":true}"#),
            (r#"{"include_usage":true}"#, true, r#"{"include_usage":true}"#),
            (r#"{"include_usage":false,"include_obfuscation":false}"#, false, r#"{"include_usage":true,"include_obfuscation":false}"#),
        ] {
            let body = body(options);
            let request = parse(&body);
            assert_eq!((request.include_usage, request.stream_options().as_deref()), (shown, Some(sent)), "{options}");
        }
    }

    #[test]
    fn needs_are_read_from_the_members_that_state_them() {
        let with =
            |extra: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"x"}}]}}],{extra}}}"#);
        let none = Needs::default();
        for (extra, needs) in [
            (r#""tools":[]"#, none),
            (r#""tools":null"#, none),
            (r#""tools":[{}]"#, Needs { tools: true, ..none }),
            (r#""tools":[{}],"parallel_tool_calls":true"#, Needs { tools: true, parallel_tools: true, ..none }),
            (r#""response_format":{"type":"text"}"#, none),
            (r#""response_format":{"type":"json_object"}"#, Needs { json_object: true, ..none }),
            (r#""response_format":{"json_schema":{},"type":"json_schema"}"#, Needs { json_schema: true, ..none }),
            (r#""functions":[{}]"#, Needs { tools: true, functions: true, ..none }),
            (r#""n":1"#, none),
            (r#""n":2"#, Needs { several_choices: true, ..none }),
            (r#""reasoning_effort":"none""#, none),
            (r#""reasoning_effort":"low""#, Needs { reasoning: true, ..none }),
        ] {
            assert_eq!(parse(&with(extra)).needs, needs, "{extra}");
        }
        let image = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}"#;
        assert!(parse(image).needs.vision);
    }

    #[test]
    fn an_error_names_the_member() {
        let with = |extra: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{extra}}}"#);
        for (body, named) in [
            (r#"{"messages":[{"role":"user"}]}"#.to_owned(), "model"),
            (r#"{"model":"","messages":[{"role":"user"}]}"#.to_owned(), "model"),
            (r#"{"model":7,"messages":[{"role":"user"}]}"#.to_owned(), "model"),
            (r#"{"model":"m"}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":"x"}"#.to_owned(), "messages"),
            (r#"{"model":"m","messages":[{"role":"user","content":[1]}]}"#.to_owned(), "messages[0].content[0]"),
            (with(r#""messages":[]"#), "messages"),
            (with(r#""model":"n""#), "model"),
            (with(r#""route":{},"route":{}"#), "route"),
            (with(r#""m\u006fdel":"n""#), "model"),
            (with(r#""stream":"yes""#), "stream"),
            (with(r#""max_tokens":18446744073709551616"#), "max_tokens"),
            (with(r#""max_tokens":-1"#), "max_tokens"),
            (with(r#""max_completion_tokens":1.5"#), "max_completion_tokens"),
            (with(r#""stream_options":[]"#), "stream_options"),
            (with(&format!(r#""stream_options":{{"z":"{}"}}"#, "z".repeat(5_000))), "stream_options"),
            (with(r#""stream_options":{"include_usage":1}"#), "stream_options.include_usage"),
            (with(r#""response_format":"json""#), "response_format"),
            (with(r#""response_format":{"type":"xml"}"#), "response_format.type"),
            (with(r#""route":{"objective":1}"#), "route.objective"),
        ] {
            match ChatRequest::parse(body.as_bytes()) {
                Err(BadRequest::Invalid { param, .. }) => assert_eq!(param, named, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
        assert_eq!(ChatRequest::parse(b"{\"a\":\"\xff\"}").map(|_| ()), Err(BadRequest::NotUtf8));
    }
}
