//! Vendors that speak OpenAI's protocol and do a few things otherwise, one row each. What they have in common with
//! OpenAI is OpenAI's; a row dresses the JSON of an answer, a chunk or an error in the vendor's form.

use bytes::Bytes;
use hyper::header::HeaderMap;
use serde_json::{Map, Value, json};

use super::{OpenAi, invalid};
use crate::completion::Completion;
use crate::protocol::{Event, Part, Refusal};

/// One row.
#[derive(Debug)]
pub(super) struct Vendor {
    pub(super) name: &'static str,
    /// What stands before `/chat/completions` and `/embeddings`; a `*` is one segment.
    pub(super) base: &'static str,
    /// The header with the key, and what stands before the key there.
    pub(super) key: (&'static str, &'static str),
    /// The query has to have this.
    pub(super) query: &'static str,
    /// Members of a request that it refuses.
    pub(super) refuses: &'static [&'static str],
    /// The role `developer`.
    pub(super) developer: bool,
    /// Members of messages that it knows and OpenAI does not.
    pub(super) knows: &'static [&'static str],
    /// What reasoning is called, where it is shown.
    pub(super) reasoning: Option<&'static str>,
    /// Makes OpenAI's `usage` the vendor's.
    pub(super) usage: fn(&mut Value),
    /// `usage` stands in every chunk.
    pub(super) always_counts: bool,
    /// Members that stand beside the choices of every answer and chunk.
    pub(super) beside: fn(&mut Map<String, Value>),
    /// What a stream begins with.
    pub(super) opening: Option<fn() -> Value>,
    /// An error with this message, where the form is not OpenAI's.
    pub(super) error: Option<fn(&str) -> Value>,
}

const ITSELF: Vendor = Vendor {
    name: "openai",
    base: "/v1",
    key: ("authorization", "Bearer "),
    query: "",
    refuses: &[],
    developer: true,
    knows: &[],
    reasoning: None,
    usage: |_| {},
    always_counts: false,
    beside: |_| {},
    opening: None,
    error: None,
};

pub(crate) static OPENAI: OpenAi = OpenAi(&ITSELF);

/// <https://learn.microsoft.com/azure/ai-foundry/openai/reference>
pub(crate) static AZURE: OpenAi = OpenAi(&Vendor {
    name: "azure-openai",
    base: "/openai/deployments/*",
    key: ("api-key", ""),
    query: "api-version=",
    opening: Some(|| {
        let results = json!({"hate": {"filtered": false, "severity": "safe"}, "jailbreak": {"filtered": false, "detected": false}});
        json!({"choices": [], "created": 0, "id": "", "model": "", "object": "",
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": results}]})
    }),
    ..ITSELF
});

/// <https://console.groq.com/docs/api-reference#chat-create>
pub(crate) static GROQ: OpenAi = OpenAi(&Vendor {
    name: "groq",
    base: "/openai/v1",
    refuses: &["logprobs", "logit_bias", "top_logprobs", "metadata", "store"],
    reasoning: Some("reasoning"),
    beside: |object| {
        object.insert("x_groq".to_owned(), json!({"id": "req_simulated"}));
    },
    ..ITSELF
});

/// <https://api-docs.deepseek.com/api/create-chat-completion>
pub(crate) static DEEPSEEK: OpenAi = OpenAi(&Vendor {
    name: "deepseek",
    developer: false,
    knows: &["reasoning_content"],
    reasoning: Some("reasoning_content"),
    usage: |usage| {
        let hit = usage.pointer("/prompt_tokens_details/cached_tokens").and_then(Value::as_u64).unwrap_or(0);
        let prompt = usage.get("prompt_tokens").and_then(Value::as_u64).unwrap_or(0);
        if let Some(usage) = usage.as_object_mut() {
            usage.remove("prompt_tokens_details");
            usage.insert("prompt_cache_hit_tokens".to_owned(), hit.into());
            usage.insert("prompt_cache_miss_tokens".to_owned(), prompt.saturating_sub(hit).into());
        }
    },
    ..ITSELF
});

/// <https://docs.x.ai/docs/api-reference#chat-completions>
pub(crate) static XAI: OpenAi = OpenAi(&Vendor {
    name: "xai",
    refuses: &["presence_penalty", "frequency_penalty", "stop"],
    knows: &["reasoning_content"],
    reasoning: Some("reasoning_content"),
    // Reasoning is counted outside the completion.
    usage: |usage| {
        let reasoning = usage.pointer("/completion_tokens_details/reasoning_tokens").and_then(Value::as_u64).unwrap_or(0);
        let completion = usage.get("completion_tokens").and_then(Value::as_u64).unwrap_or(0);
        if let Some(usage) = usage.as_object_mut() {
            usage.insert("completion_tokens".to_owned(), completion.saturating_sub(reasoning).into());
        }
    },
    error: Some(|message| json!({"code": "Client specified an invalid argument", "error": message})),
    ..ITSELF
});

/// <https://openrouter.ai/docs/api-reference/overview>
pub(crate) static OPENROUTER: OpenAi = OpenAi(&Vendor {
    name: "openrouter",
    base: "/api/v1",
    knows: &["reasoning", "reasoning_content", "reasoning_details", "cache_control"],
    reasoning: Some("reasoning"),
    usage: |usage| {
        if let Some(usage) = usage.as_object_mut() {
            usage.insert("cost".to_owned(), json!(0.000_014));
        }
    },
    beside: |object| {
        object.insert("provider".to_owned(), json!("Simulated"));
    },
    error: Some(|message| json!({"error": {"message": message, "code": 400}, "user_id": "user_simulated"})),
    ..ITSELF
});

/// <https://docs.perplexity.ai/api-reference/chat-completions-post>
pub(crate) static PERPLEXITY: OpenAi = OpenAi(&Vendor {
    name: "perplexity",
    base: "",
    refuses: &["tools", "tool_choice", "n", "logprobs", "seed"],
    developer: false,
    always_counts: true,
    beside: |object| {
        object.insert("citations".to_owned(), json!(["https://example.com/a"]));
        object.insert("search_results".to_owned(), json!([{"title": "An example", "url": "https://example.com/a", "date": null}]));
    },
    error: Some(|message| json!({"error": {"message": message, "type": "invalid_message", "code": 400}})),
    ..ITSELF
});

const THOUGHT: &str = "Let me think.";

impl Vendor {
    /// Where a path leads below the base.
    pub(super) fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some((before, after)) = self.base.split_once('*') else { return path.strip_prefix(self.base) };
        let rest = path.strip_prefix(before)?;
        let (segment, _) = rest.split_once('/')?;
        rest.strip_prefix(segment)?.strip_prefix(after).filter(|_| !segment.is_empty())
    }

    /// The key that a request has, if it has one.
    pub(super) fn key_of<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        let (header, prefix) = self.key;
        headers.get(header)?.as_bytes().strip_prefix(prefix.as_bytes())
    }

    /// Refuses what the vendor does, and takes out of the messages what it knows and OpenAI's schema does not;
    /// nothing if the body stays as it is.
    pub(super) fn check(&self, body: &[u8]) -> Result<Option<Bytes>, Refusal> {
        if self.is_openai() {
            return Ok(None);
        }
        let Ok(mut body) = serde_json::from_slice::<Map<String, Value>>(body) else { return Ok(None) };
        if let Some(name) = self.refuses.iter().find(|name| body.get(**name).is_some_and(|value| !value.is_null())) {
            return Err(Refusal { param: Some((*name).to_owned()), ..invalid(format!("property '{name}' is unsupported")) });
        }
        let turns = body.get_mut("messages").and_then(Value::as_array_mut).map(Vec::as_mut_slice).unwrap_or_default();
        if !self.developer && turns.iter().any(|turn| turn.get("role").is_some_and(|role| role == "developer")) {
            return Err(invalid("messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`"));
        }
        for turn in turns.iter_mut().filter_map(Value::as_object_mut) {
            turn.retain(|name, _| !self.knows.contains(&name.as_str()));
            let parts = turn.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten();
            parts.filter_map(Value::as_object_mut).for_each(|part| part.retain(|name, _| !self.knows.contains(&name.as_str())));
        }
        Ok(serde_json::to_vec(&body).ok().map(Bytes::from))
    }

    /// An answer in the vendor's form.
    pub(super) fn whole(&self, answer: Bytes, completion: &Completion) -> Bytes {
        if self.is_openai() {
            return answer;
        }
        let Ok(mut answer) = serde_json::from_slice::<Value>(&answer) else { return answer };
        if let Some(member) = self.shows(completion) {
            let choices = answer.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten();
            for message in choices.filter_map(|choice| choice.get_mut("message")).filter_map(Value::as_object_mut) {
                message.insert(member.to_owned(), THOUGHT.into());
            }
        }
        self.dress(&mut answer);
        serde_json::to_vec(&answer).unwrap_or_default().into()
    }

    /// A stream in the vendor's form.
    pub(super) fn events(&self, events: Vec<Event>, completion: &Completion) -> Vec<Event> {
        if self.is_openai() {
            return events;
        }
        let mut dressed = Vec::with_capacity(events.len() + 2);
        if let Some(opening) = self.opening {
            dressed.push(Event { part: Part::Preamble, bytes: super::stream::event(&opening()) });
        }
        let counted = self.always_counts.then(|| completion.usage.map(super::response::usage)).flatten();
        for event in events {
            let data = event.bytes.strip_prefix(b"data: ").and_then(|data| serde_json::from_slice::<Value>(data).ok());
            let Some(mut chunk) = data else {
                dressed.push(event);
                continue;
            };
            if let (Some(object), Some(usage)) = (chunk.as_object_mut(), &counted) {
                object.insert("usage".to_owned(), json!(usage));
            }
            self.dress(&mut chunk);
            let thought = (event.part == Part::Preamble).then(|| self.shows(completion)).flatten().map(|member| {
                let mut thought = chunk.clone();
                if let Some(delta) = thought.pointer_mut("/choices/0/delta") {
                    *delta = json!({ member: THOUGHT });
                }
                Event { part: Part::Framing, bytes: super::stream::event(&thought) }
            });
            dressed.push(Event { part: event.part, bytes: super::stream::event(&chunk) });
            dressed.extend(thought);
        }
        dressed
    }

    /// Load tests have no time for nothing.
    fn is_openai(&self) -> bool {
        self.name == ITSELF.name
    }

    /// What reasoning is called, if there was some and it is shown.
    fn shows(&self, completion: &Completion) -> Option<&'static str> {
        self.reasoning.filter(|_| completion.usage.is_some_and(|usage| usage.reasoning > 0))
    }

    fn dress(&self, answer: &mut Value) {
        if let Some(usage) = answer.get_mut("usage").filter(|usage| usage.is_object()) {
            (self.usage)(usage);
        }
        if let Some(object) = answer.as_object_mut() {
            (self.beside)(object);
        }
    }
}
