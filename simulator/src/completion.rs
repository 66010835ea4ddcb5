//! What the model "says": a deterministic answer to what was asked, before any protocol writes it down.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments;
use crate::behaviour::Behaviour;

/// A request, reduced to what decides the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stop: Vec<String>,
    pub(crate) prompt_chars: usize,
    pub(crate) messages: usize,
    pub(crate) tools: Vec<Tool>,
    pub(crate) demand: Demand,
    pub(crate) parallel: bool,
    /// The last turn is a tool's result: the model answers it with text.
    pub(crate) answers_tool: bool,
    pub(crate) choices: usize,
    pub(crate) format: Format,
    pub(crate) logprobs: bool,
    pub(crate) thinking: bool,
    /// What it thinks is kept back, but for the signature.
    pub(crate) silent: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

/// What the client's `tool_choice` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Demand {
    #[default]
    Auto,
    Never,
    Any,
    Named(String),
}

/// The form of a text answer.
#[derive(Clone, Debug, Default)]
pub(crate) enum Format {
    #[default]
    Prose,
    JsonObject,
    JsonSchema(Value),
}

/// An answer; `pieces` and `Call::pieces` are what a stream sends one by one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Completion {
    pub(crate) content: Content,
    pub(crate) ending: Ending,
    pub(crate) usage: Option<Usage>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Text(Vec<String>),
    Calls(Vec<Call>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) pieces: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ending {
    Stop,
    Length,
    Sequence(String),
    Calls,
}

/// Tokens. As in OpenAI's form the parts are counted in their whole.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    /// Of the prompt: read from the provider's cache.
    pub(crate) cached: u64,
    /// Of the prompt: written to the provider's cache. OpenAI's protocol has no word for it.
    pub(crate) cache_write: u64,
    pub(crate) completion: u64,
    /// Of the completion: not shown. Anthropic's protocol has no word for it.
    pub(crate) reasoning: u64,
}

/// Decides the answer.
pub(crate) fn complete(ask: &Ask, behaviour: &Behaviour) -> Completion {
    let tools = called(ask, behaviour);
    let (content, ending) = if tools.is_empty() { say(ask, behaviour) } else { call(&tools, behaviour) };
    let written: usize = match &content {
        Content::Text(pieces) => pieces.iter().map(String::len).sum(),
        Content::Calls(calls) => calls.iter().map(|call| call.name.len() + call.pieces.iter().map(String::len).sum::<usize>()).sum(),
    };
    let counted = || Usage {
        prompt: tokens(ask.prompt_chars) + 3 * ask.messages as u64,
        completion: tokens(written) * ask.choices.max(1) as u64,
        ..Usage::default()
    };
    let usage = behaviour.usage.then(|| behaviour.tokens.unwrap_or_else(counted));
    Completion { content, ending, usage }
}

/// Four characters a token, as a rule of thumb says; the figures need only be stable and plausible.
pub(crate) fn tokens(chars: usize) -> u64 {
    (chars as u64).div_ceil(CHARS_PER_TOKEN)
}

const CHARS_PER_TOKEN: u64 = 4;

fn called<'a>(ask: &'a Ask, behaviour: &Behaviour) -> Vec<&'a Tool> {
    if ask.answers_tool || behaviour.tool_calls == Some(false) {
        return Vec::new();
    }
    let first = match &ask.demand {
        Demand::Never => return Vec::new(),
        Demand::Named(name) => return ask.tools.iter().filter(|tool| tool.name == *name).take(1).collect(),
        Demand::Auto if behaviour.tool_calls != Some(true) => return Vec::new(),
        Demand::Auto | Demand::Any => ask.tools.first(),
    };
    let count = if ask.parallel { behaviour.tool_call_count } else { 1 };
    if first.is_none() { Vec::new() } else { ask.tools.iter().cycle().take(count).collect() }
}

fn call(tools: &[&Tool], behaviour: &Behaviour) -> (Content, Ending) {
    let calls = tools.iter().map(|tool| Call {
        name: tool.name.clone(),
        pieces: cut(&arguments::plausible(&tool.schema).to_string(), behaviour.chunks.max(1)),
    });
    (Content::Calls(calls.collect()), Ending::Calls)
}

fn say(ask: &Ask, behaviour: &Behaviour) -> (Content, Ending) {
    let fixed = match (&behaviour.text, &ask.format) {
        (Some(text), _) => Some(text.clone()),
        (None, Format::Prose) => None,
        (None, Format::JsonObject) => Some(r#"{"answer":"This is a simulated answer."}"#.to_owned()),
        (None, Format::JsonSchema(schema)) => Some(arguments::plausible(schema).to_string()),
    };
    let mut text = fixed.clone().unwrap_or_else(|| sentence(behaviour.chunks));
    let mut ending = Ending::Stop;
    let stopped = ask
        .stop
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop)))
        .min_by_key(|(at, _)| *at);
    if let Some((at, stop)) = stopped {
        ending = Ending::Sequence(stop.clone());
        text.truncate(at);
    }
    if let Some(limit) = ask.max_tokens.filter(|limit| tokens(text.len()) > *limit) {
        ending = Ending::Length;
        let most = (limit * CHARS_PER_TOKEN) as usize;
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
    }
    let pieces = if fixed.is_some() { cut(&text, behaviour.chunks) } else { words(&text) };
    (Content::Text(pieces), ending)
}

/// A sentence of as many words as there are to be chunks.
fn sentence(words: usize) -> String {
    const WORDS: [&str; 10] = ["This", "is", "a", "simulated", "answer", "written", "in", "several", "small", "pieces"];
    let mut text = WORDS.iter().cycle().take(words).copied().collect::<Vec<_>>().join(" ");
    if words > 0 {
        text.push('.');
    }
    text
}

/// Words with the space before them, as tokenizers have it.
fn words(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match pieces.last() {
            Some(_) => pieces.push(format!(" {word}")),
            None => pieces.push(word.to_owned()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// `count` pieces of about the same length, fewer when the text has fewer characters.
fn cut(text: &str, count: usize) -> Vec<String> {
    let chars = text.chars().count();
    let count = count.clamp(1, chars.max(1));
    let mut rest = text.chars();
    (0..count)
        .map(|index| rest.by_ref().take((index + 1) * chars / count - index * chars / count).collect())
        .filter(|piece: &String| !piece.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ask: &Ask, behaviour: &Behaviour) -> (String, Ending) {
        let completion = complete(ask, behaviour);
        match completion.content {
            Content::Text(pieces) => (pieces.concat(), completion.ending),
            Content::Calls(calls) => panic!("a call of {}", calls[0].name),
        }
    }

    #[test]
    fn there_is_one_piece_for_each_chunk() {
        for chunks in [0, 1, 5, 40] {
            let behaviour = Behaviour { chunks, ..Behaviour::default() };
            let Content::Text(pieces) = complete(&Ask::default(), &behaviour).content else { panic!("no text") };
            assert_eq!(pieces.len(), chunks);
        }
    }

    #[test]
    fn a_fixed_text_is_cut_at_characters_and_not_within() {
        let behaviour = Behaviour { text: Some("añb→c😀".to_owned()), chunks: 4, ..Behaviour::default() };
        let Content::Text(pieces) = complete(&Ask::default(), &behaviour).content else { panic!("no text") };
        assert_eq!(pieces.len(), 4);
        assert_eq!(pieces.concat(), "añb→c😀");
    }

    #[test]
    fn the_answer_ends_at_a_stop_sequence_and_at_the_token_limit() {
        let behaviour = Behaviour::default();
        let ask = Ask { stop: vec!["answer".to_owned(), " simulated".to_owned()], ..Ask::default() };
        assert_eq!(text(&ask, &behaviour), ("This is a".to_owned(), Ending::Sequence(" simulated".to_owned())));
        let ask = Ask { max_tokens: Some(2), ..Ask::default() };
        assert_eq!(text(&ask, &behaviour), ("This is ".to_owned(), Ending::Length));
    }

    #[test]
    fn a_tool_is_called_when_the_behaviour_or_the_client_says_so() {
        let tools = vec![Tool { name: "one".to_owned(), schema: Value::Null }, Tool { name: "two".to_owned(), schema: Value::Null }];
        let named = |name: &str| Demand::Named(name.to_owned());
        for (case, tool_calls, demand, answers_tool, expected) in [
            ("nobody asks", None, Demand::Auto, false, None),
            ("the behaviour asks", Some(true), Demand::Auto, false, Some("one")),
            ("the client forces any", None, Demand::Any, false, Some("one")),
            ("the client forces one", None, named("two"), false, Some("two")),
            ("the client forbids", Some(true), Demand::Never, false, None),
            ("the behaviour forbids", Some(false), Demand::Any, false, None),
            ("a result is in", Some(true), Demand::Any, true, None),
        ] {
            let ask = Ask { tools: tools.clone(), demand, answers_tool, ..Ask::default() };
            let completion = complete(&ask, &Behaviour { tool_calls, ..Behaviour::default() });
            let called = match &completion.content {
                Content::Calls(calls) => Some(calls[0].name.as_str()),
                Content::Text(_) => None,
            };
            assert_eq!(called, expected, "{case}");
        }
    }

    #[test]
    fn several_calls_come_only_where_the_request_allows_them() {
        let tools = vec![Tool { name: "one".to_owned(), schema: Value::Null }];
        let behaviour = Behaviour { tool_calls: Some(true), tool_call_count: 2, ..Behaviour::default() };
        for (parallel, expected) in [(true, 2), (false, 1)] {
            let ask = Ask { tools: tools.clone(), parallel, ..Ask::default() };
            let Content::Calls(calls) = complete(&ask, &behaviour).content else { panic!("no call") };
            assert_eq!(calls.len(), expected);
        }
    }
}
