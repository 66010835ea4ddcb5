//! A chat completion request: what of it decides the choice, and the cuts that take our own
//! members out of it.

use std::borrow::Cow;

use super::body::{self, Cuts};
use super::conversation::Conversation;
use super::mark;
use super::members::{Members, NotAnObject, decode, encode};
use super::messages::{self, Weight};
use super::needs::Needs;
use super::parameters::{self, Fields};
use super::route::Route;
use super::scan::{Scan, Stop};

/// A request, borrowed from its body. Every documented member has been checked.
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
    /// `max_completion_tokens` or the older `max_tokens`, whichever is more: tokens of each choice.
    pub max_output: Option<u64>,
    /// How many answers; 1 to 128.
    pub n: u64,
    /// What the model must be able to do.
    pub needs: Needs,
    /// The documented members it has; `null` counts as absent.
    pub fields: Fields,
    /// Messages.
    pub messages: u64,
    /// Tools and functions.
    pub tools: u64,
    /// Bytes of tools and functions, as written.
    pub tool_bytes: u64,
    /// Bytes of the texts of messages, and of tools and functions, as written.
    pub prompt_bytes: u64,
    /// Prompt tokens, estimated from `prompt_bytes`; rather too few.
    pub prompt_tokens: u64,
    /// Prompt tokens that no tokenizer exceeds, for what has to be paid for sure. [`u64::MAX`] where
    /// the body does not say how long the prompt is: the model's context window is the bound then,
    /// as it is whenever it is smaller.
    pub prompt_tokens_bound: u64,
    /// Where it began and what was said last.
    pub conversation: Conversation<'a>,
    pub(super) text: &'a str,
    stream_options: Option<&'a str>,
    cuts: Cuts,
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
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// The dearest image there is: 8 tiles of 5,667 tokens and 2,833 for the whole, at gpt-4o-mini
/// (<https://platform.openai.com/docs/guides/images-vision#calculating-costs>). Others stay below
/// 25,000.
const MOST_TOKENS_PER_IMAGE: u64 = 48_169;

/// What providers put before a prompt, such as how to call tools: up to 530 tokens at Anthropic
/// (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>).
const MOST_TOKENS_ADDED: u64 = 1024;

/// The longest conversation has two for each message; going over as many takes some 3 ms.
const MAX_VALUES: usize = 1 << 18;

/// They travel in the plan and stay in memory for as long as the call; what is documented of them
/// takes fifty bytes.
const MAX_STREAM_OPTIONS_BYTES: usize = 4096;

impl<'a> ChatRequest<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, BadRequest> {
        let mut walk = parameters::request();
        let (mut weight, mut tools, mut functions) = (Weight::default(), 0, 0);
        let (mut fields, mut asked) = (Fields::default(), Fields::default());
        let members = body::walk(body, MAX_VALUES, |scan, name| {
            let Some((bit, field)) = walk.member(name)? else { return Ok(scan.value()?) };
            if name == "messages" {
                (fields, asked) = (fields.with(bit), asked.with(bit));
                weight = messages::weigh(scan)?;
                return Ok("");
            }
            let (value, elements) = scan.written(|scan| field.check(scan))?;
            if value != "null" {
                fields = fields.with(bit);
                asked = if parameters::is_neutral(name, value) { asked } else { asked.with(bit) };
            }
            match name {
                "tools" => tools = elements,
                "functions" => functions = elements,
                _ => {}
            }
            Ok(value)
        })?;
        let model = body::model(members.find("model"))?;
        if weight.messages == 0 {
            return Err(BadRequest::invalid("messages", "required: an array of messages"));
        }
        let value = |name: &str| members.find(name).map(|member| member.value).filter(|value| *value != "null");
        let says = |name: &str| value(name) == Some("true");
        let number = |name: &str| value(name).and_then(|value| value.parse::<u64>().ok());
        // Asking for none is no reason to refuse.
        if number("top_logprobs").is_some_and(|top| top > 0) && !says("logprobs") {
            return Err(BadRequest::invalid("top_logprobs", "takes `logprobs: true`"));
        }
        let stream = says("stream");
        let stream_options = value("stream_options");
        let format = value("response_format").and_then(kind);
        let n = number("n").unwrap_or(1);
        let bytes = |name: &str| value(name).map_or(0, str::len);
        let tool_bytes = (bytes("tools") + bytes("functions")) as u64;
        let prompt_bytes = weight.text_bytes as u64 + tool_bytes;
        let refers = weight.refers || value("web_search_options").is_some();
        fields = fields.and(weight.marks);
        // Rather once too often: whoever takes it out looks for it where it belongs.
        if value("tools").is_some_and(|tools| memchr::memmem::find(tools.as_bytes(), b"\"cache_control\"").is_some()) {
            fields = fields.and(const { Fields::of(&[mark::CACHE_CONTROL]) });
        }
        Ok(Self {
            model,
            route: value("route").map_or(Ok(Route::default()), Route::parse)?,
            stream,
            include_usage: include_usage(stream_options)?,
            // Providers differ in which they know.
            max_output: number("max_completion_tokens").max(number("max_tokens")),
            n,
            needs: Needs {
                tools: tools + functions > 0,
                parallel_tools: says("parallel_tool_calls") && tools > 0,
                vision: weight.images > 0,
                json_object: format.as_deref() == Some("json_object"),
                json_schema: format.as_deref() == Some("json_schema"),
                several_choices: n != 1,
                functions: functions > 0,
                embeddings: false,
                remote_images: weight.remote_images,
                audio: weight.audio,
                files: weight.files,
                uploads: weight.uploads,
                custom_tools: value("tools").is_some_and(has_custom_tools),
                asked,
                reasoning: value("reasoning_effort").is_some_and(|effort| decode(effort).as_deref() != Some("none")),
            },
            fields,
            messages: weight.messages as u64,
            tools: (tools + functions) as u64,
            tool_bytes,
            prompt_bytes,
            prompt_tokens: prompt_bytes / BYTES_PER_TOKEN
                + weight.messages as u64 * TOKENS_PER_MESSAGE
                + weight.images as u64 * TOKENS_PER_IMAGE,
            prompt_tokens_bound: if refers { u64::MAX } else { bound(body.len(), &weight) },
            conversation: weight.conversation,
            text: members.text(),
            stream_options,
            cuts: Cuts::of(&members, |name| match name {
                "model" | "route" => true,
                "stream_options" => stream,
                _ => false,
            }),
        })
    }

    /// How to take `model`, `route` and, in a stream, `stream_options` out of the body: the bytes
    /// that replace its first `usize` bytes. Nothing behind the last cut has to be touched.
    pub fn bare<'b>(&self, body: &'b [u8]) -> (usize, Cow<'b, [u8]>) {
        self.cuts.bare(body)
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

/// No tokenizer makes more tokens than bytes, and none is given more bytes than JSON takes to write
/// them: an escape is longer than what it stands for, and `{"role":"user"}` longer than what
/// separates messages. Images aside.
fn bound(body_bytes: usize, weight: &Weight<'_>) -> u64 {
    let text = body_bytes.saturating_sub(weight.image_bytes) as u64;
    text + weight.images as u64 * MOST_TOKENS_PER_IMAGE + MOST_TOKENS_ADDED
}

fn include_usage(stream_options: Option<&str>) -> Result<bool, BadRequest> {
    let Some(value) = stream_options else { return Ok(false) };
    if value.len() > MAX_STREAM_OPTIONS_BYTES {
        return Err(BadRequest::invalid("stream_options", format!("at most {MAX_STREAM_OPTIONS_BYTES} bytes")));
    }
    let members = Members::read(value).map_err(|_| BadRequest::invalid("stream_options", "expected an object"))?;
    Ok(members.find("include_usage").is_some_and(|member| member.value == "true"))
}

/// Whether a list of tools that has been checked has others than functions.
fn has_custom_tools(tools: &str) -> bool {
    let mut custom = false;
    let outcome = Scan::new(tools).array(|scan, _| {
        custom |= kind(scan.value()?).as_deref() != Some("function");
        Ok::<_, Stop>(())
    });
    custom && outcome.is_ok()
}
/// The member `type` of an object that has been checked.
fn kind(value: &str) -> Option<Cow<'_, str>> {
    let mut kind = None;
    let outcome = Scan::new(value).object(|scan, name| {
        let value = scan.value()?;
        if decode(name).as_deref() == Some("type") {
            kind = decode(value);
        }
        Ok::<_, Stop>(())
    });
    outcome.ok().and(kind)
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
    fn files_that_are_no_pdf_in_the_request_are_told_apart() {
        for (file, uploads) in [
            (r#"{"file_data":"data:application/pdf;base64,JVBERi0="}"#, false),
            (r#"{"filename":"a.pdf","file_data":"data:application/pdf;name=a.pdf;base64,JVBERi0="}"#, false),
            (r#"{"file_id":"file-1"}"#, true),
            (r#"{"file_data":"data:text/plain;base64,eA=="}"#, true),
        ] {
            let part = format!(r#"{{"type":"file","file":{file}}}"#);
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
            let needs = parse(&body).needs;
            assert_eq!((needs.files, needs.uploads), (true, uploads), "{file}");
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
            (r#""tools":[{"type":"x"}]"#, Needs { tools: true, custom_tools: true, ..none }),
            (
                r#""tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":true"#,
                Needs { tools: true, parallel_tools: true, ..none },
            ),
            (r#""tools":[ ],"parallel_tool_calls":true"#, none),
            (r#""response_format":{"type":"text"}"#, none),
            (r#""response_format":{"type":"json_object"}"#, Needs { json_object: true, ..none }),
            (r#""response_format":{"type":"json_\u006fbject"}"#, Needs { json_object: true, ..none }),
            (r#""response_format":{"json_schema":{"name":"x"},"type":"json_schema"}"#, Needs { json_schema: true, ..none }),
            (r#""logprobs":false,"modalities":["text"]"#, none),
            (r#""functions":[ ]"#, none),
            (r#""functions":[{"name":"f"}]"#, Needs { tools: true, functions: true, ..none }),
            (r#""n":1"#, none),
            (r#""n":2"#, Needs { several_choices: true, ..none }),
            (r#""n":null"#, none),
            (r#""reasoning_effort":"none""#, none),
            (r#""reasoning_effort":"n\u006fne""#, none),
            (r#""reasoning_effort":"low""#, Needs { reasoning: true, ..none }),
        ] {
            assert_eq!(Needs { asked: Fields::default(), ..parse(&with(extra)).needs }, needs, "{extra}");
        }
        let image = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}"#;
        assert!(parse(image).needs.vision && parse(image).needs.remote_images);
        let inline = image.replace("https://x/y.png", "data:image/png;base64,iVBO");
        assert!(parse(&inline).needs.vision && !parse(&inline).needs.remote_images);
        let request = with(r#""seed":7,"stop":null,"tomorrow":1,"logprobs": false,"modalities":[ "text" ],"presence_penalty":0.0"#);
        let fields = parse(&request).needs.asked;
        assert_eq!(fields, Fields::of(&["model", "messages", "seed"]));
        let present = Fields::of(&["model", "messages", "seed", "logprobs", "modalities", "presence_penalty"]);
        assert_eq!(parse(&request).fields, present);
        assert_eq!(fields.first_common(Fields::of(&["stop", "seed"])), Some("seed"));
        let tools = r#""tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]"#;
        assert!(parse(&with(tools)).fields.meets(Fields::of(&["cache_control"])));
    }

    #[test]
    fn what_rules_can_bound_is_counted() {
        let body = r#"{"model":"m","n":3,"tools":[{"type":"x"},{"type":"y"}],"functions":[{"name":"f"}],"max_tokens":7,
            "messages":[{"role":"system","content":"abcd"},{"role":"user","content":[{"type":"text","text":"ef"}]}]}"#;
        let request = parse(body);
        let tools = r#"[{"type":"x"},{"type":"y"}][{"name":"f"}]"#.len() as u64;
        assert_eq!((request.messages, request.tools, request.n, request.max_output), (2, 3, 3, Some(7)));
        assert_eq!(request.prompt_bytes, 6 + tools);
        assert_eq!(request.prompt_tokens, (6 + tools) / 4 + 2 * 4);
    }

    #[test]
    fn no_prompt_has_more_tokens_than_its_bound() {
        let bound = |body: &str| parse(body).prompt_tokens_bound;
        let text = r#"{"model":"m","messages":[{"role":"user","content":"\u00e9"}]}"#;
        assert_eq!(bound(text), text.len() as u64 + 1024);
        let with_image = |url: &str| {
            bound(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":"{url}"}}]}}]}}"#))
        };
        assert_eq!(with_image(&"A".repeat(100_000)), with_image(""), "an image costs the same however it is written");
        assert!(with_image("") > 48_169);
        for refers in [
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"web_search_options":{}}"#,
        ] {
            assert_eq!(bound(refers), u64::MAX, "{refers}");
        }
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
