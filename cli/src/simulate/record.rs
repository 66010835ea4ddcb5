//! One line of the access log: a call that can be replayed, or why it is left out.

use neural_router::authenticate::Caller;
use neural_router::config::{Objective, TaskClass};
use neural_router::openai::{Demand, Endpoint, Needs, Usage};
use neural_router::rank::{self, Question};
use neural_router::task::Task;
use serde::Deserialize;

/// A call of which all is known that a policy decides by.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// Where it stands in the log, from 1.
    pub(super) line: usize,
    pub(super) workspace: String,
    pub(super) key: Option<String>,
    /// From 0 up to 1: what the call drew, which decides whether it explores.
    pub(super) lot: f64,
    /// What it used, if somebody said.
    pub(super) usage: Option<Usage>,
    /// Whom it was given to at first.
    pub(super) selected: String,
    /// Of a call that named an objective; others have that of their workspace.
    objective: Option<Objective>,
    task: Task,
    class_given: bool,
    max_latency_ms: Option<u32>,
    needs: Needs,
    demand: Demand,
    context_tokens: u64,
}

/// Why a line is left out although nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LeftOut {
    /// Envoy's own messages, and blank lines.
    NotJson,
    /// `GET /v1/models` and the like, and calls that were refused before anything was decided.
    Undecided,
    /// Of another workspace than the one asked for.
    OtherWorkspace,
    /// Vectors have no task, and no answer in tokens.
    Embeddings,
    /// A dry run, or refused by a limit or the budget.
    NotSent,
    /// The caller said which model.
    ById,
}

impl LeftOut {
    /// In words, which follow a number of lines.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NotJson => "not of the access log",
            Self::Undecided => "nothing was decided (no call of a model, or refused before)",
            Self::OtherWorkspace => "of another workspace",
            Self::Embeddings => "embeddings",
            Self::NotSent => "decided and not sent (a dry run, or over a limit or budget)",
            Self::ById => "asked for a model by its id",
        }
    }
}

/// What a line is.
#[derive(Debug)]
pub(super) enum Line {
    Call(Box<Record>),
    LeftOut(LeftOut),
}

/// The members of a line that matter; all others are welcome.
#[derive(Debug, Deserialize)]
struct Entry {
    request_id: Option<String>,
    path: Option<String>,
    workspace: Option<String>,
    key: Option<String>,
    model: Option<String>,
    decision: Option<String>,
    usage: Option<String>,
}

/// `src/annotate.rs` writes it.
#[derive(Debug, Deserialize)]
struct Decision {
    objective: String,
    #[serde(default)]
    objective_given: bool,
    task_class: Option<String>,
    difficulty: Option<f32>,
    #[serde(default)]
    class_given: bool,
    prompt_tokens: u64,
    max_output: Option<u64>,
    n: Option<u64>,
    context_tokens: u64,
    max_latency_ms: Option<u32>,
    needs: Vec<String>,
    selected: String,
}

const CHAT: &str = "/v1/chat/completions";
const EMBEDDINGS: &str = "/v1/embeddings";

/// Reads a line; the error says what is wrong with it. `only` is the workspace asked for.
pub(super) fn read(line: usize, text: &str, only: Option<&str>) -> Result<Line, String> {
    if !text.starts_with('{') {
        return Ok(Line::LeftOut(LeftOut::NotJson));
    }
    let entry: Entry = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // What Envoy writes for nothing.
    let said = |text: Option<String>| text.filter(|text| !text.is_empty() && text != "-");
    let Some(decision) = said(entry.decision) else { return Ok(Line::LeftOut(LeftOut::Undecided)) };
    let workspace = said(entry.workspace).ok_or("a decision without a workspace")?;
    if only.is_some_and(|only| only != workspace) {
        return Ok(Line::LeftOut(LeftOut::OtherWorkspace));
    }
    match entry.path.as_deref() {
        Some(CHAT) => {}
        Some(EMBEDDINGS) => return Ok(Line::LeftOut(LeftOut::Embeddings)),
        path => return Err(format!("a decision on the path {}", path.unwrap_or("that is missing"))),
    }
    let decision: Decision = serde_json::from_str(&decision).map_err(|error| format!("decision: {error}"))?;
    match said(entry.model).as_deref() {
        Some("auto") => {}
        Some(_) => return Ok(Line::LeftOut(LeftOut::ById)),
        None => return Ok(Line::LeftOut(LeftOut::NotSent)),
    }
    let usage = match said(entry.usage).as_deref() {
        None | Some("null") => None,
        Some(text) => Some(Usage::parse(text).ok_or("usage: expected OpenAI's usage object")?),
    };
    let id = said(entry.request_id).map_or_else(|| format!("line {line}"), |id| id.replace('-', ""));
    let record = Record {
        line,
        workspace,
        key: said(entry.key),
        // As the filter draws it.
        lot: rank::lot(&["nrc_", &id].concat()),
        usage,
        objective: objective(&decision)?,
        task: task(&decision)?,
        class_given: decision.class_given,
        max_latency_ms: decision.max_latency_ms,
        needs: needs(&decision.needs)?,
        demand: demand(&decision)?,
        context_tokens: decision.context_tokens,
        selected: decision.selected,
    };
    Ok(Line::Call(Box::new(record)))
}

fn objective(decision: &Decision) -> Result<Option<Objective>, String> {
    let name = &decision.objective;
    let objective = Objective::parse(name).ok_or_else(|| format!("decision: no objective `{name}`"))?;
    Ok(decision.objective_given.then_some(objective))
}

fn task(decision: &Decision) -> Result<Task, String> {
    let name = decision.task_class.as_deref().ok_or("decision: a chat without a task_class")?;
    let class = TaskClass::parse(name).ok_or_else(|| format!("decision: no task class `{name}`"))?;
    let difficulty = decision.difficulty.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&difficulty) {
        return Err("decision: a difficulty outside 0 to 1".to_owned());
    }
    Ok(Task { class, difficulty })
}

fn needs(names: &[String]) -> Result<Needs, String> {
    let mut needs = Needs::default();
    match names.iter().find(|name| !needs.add(name)) {
        Some(name) => Err(format!("decision: no need `{name}`")),
        None => Ok(needs),
    }
}

/// Most answers of a call, as OpenAI bounds them.
const MAX_CHOICES: u64 = 128;

fn demand(decision: &Decision) -> Result<Demand, String> {
    let choices = decision.n.unwrap_or(1);
    if !(1..=MAX_CHOICES).contains(&choices) {
        return Err(format!("decision: n is not from 1 to {MAX_CHOICES}"));
    }
    Ok(Demand {
        prompt_tokens: decision.prompt_tokens,
        prompt_tokens_at_most: decision.prompt_tokens,
        max_output: decision.max_output,
        choices,
    })
}

impl Record {
    /// What is asked of a policy.
    pub(super) fn question(&self, caller: &Caller<'_>) -> Question<'static> {
        Question {
            endpoint: Endpoint::Chat,
            requested: None,
            fallbacks: Vec::new(),
            objective: self.objective.unwrap_or(caller.workspace.objective),
            max_latency_ms: self.max_latency_ms,
            needs: self.needs,
            demand: self.demand,
            context_tokens: self.context_tokens,
            vectors: None,
            task: Some(self.task),
            class_given: self.class_given,
            begun: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECISION: &str = r#"{\"objective\":\"cost\",\"task_class\":\"code\",\"difficulty\":0.2500,\"policy\":\"p\",\"prompt_tokens\":12,\"context_tokens\":13,\"considered\":3,\"needs\":[\"tools\"],\"stream\":false,\"selected\":\"gpt-4o\",\"estimated_cost_usd\":0.01}"#;

    fn line(path: &str, model: &str, decision: &str, usage: &str) -> String {
        format!(r#"{{"path":"{path}","workspace":"acme","model":{model},"decision":{decision},"usage":{usage},"status":200}}"#)
    }

    #[test]
    fn a_line_is_a_call_or_is_left_out_for_a_reason() {
        let decision = format!("\"{DECISION}\"");
        let chat = |model, usage| line(CHAT, model, &decision, usage);
        for (text, only, expected) in [
            (chat("\"auto\"", "null"), None, None),
            (chat("\"auto\"", "\"-\""), Some("acme"), None),
            (chat("\"auto\"", r#""{\"prompt_tokens\":5,\"completion_tokens\":6}""#), None, None),
            (chat("\"gpt-4o\"", "null"), None, Some(LeftOut::ById)),
            (chat("null", "null"), None, Some(LeftOut::NotSent)),
            (chat("\"-\"", "null"), None, Some(LeftOut::NotSent)),
            (chat("\"auto\"", "null"), Some("other"), Some(LeftOut::OtherWorkspace)),
            (line(EMBEDDINGS, "\"auto\"", "\"{}\"", "null"), None, Some(LeftOut::Embeddings)),
            (line(CHAT, "null", "null", "null"), None, Some(LeftOut::Undecided)),
            ("{}".to_owned(), None, Some(LeftOut::Undecided)),
            ("[2026-11-23 02:00:00.000][1][warning] x".to_owned(), None, Some(LeftOut::NotJson)),
            (String::new(), None, Some(LeftOut::NotJson)),
        ] {
            let left_out = match read(1, &text, only).unwrap_or_else(|why| panic!("{text}: {why}")) {
                Line::Call(_) => None,
                Line::LeftOut(why) => Some(why),
            };
            assert_eq!(left_out, expected, "{text}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_says_why() {
        let good = format!("\"{DECISION}\"");
        let with = |old: &str, new: &str| {
            assert!(good.contains(old), "{old}");
            line(CHAT, "\"auto\"", &good.replace(old, new), "null")
        };
        for (text, expected) in [
            ("{\"path\":".to_owned(), "EOF while parsing"),
            (line(CHAT, "7", &good, "null"), "invalid type: integer `7`, expected a string"),
            (line("/v1/x", "\"auto\"", &good, "null"), "a decision on the path /v1/x"),
            (line(CHAT, "\"auto\"", "\"{}\"", "null"), "decision: missing field `objective`"),
            (line(CHAT, "\"auto\"", &good, "\"{}\""), "usage: expected OpenAI's usage object"),
            (with(r#"\"cost\""#, r#"\"fame\""#), "decision: no objective `fame`"),
            (with(r#"\"code\""#, r#"\"poetry\""#), "decision: no task class `poetry`"),
            (with(r#"\"task_class\":\"code\","#, ""), "decision: a chat without a task_class"),
            (with("0.2500", "1.5"), "decision: a difficulty outside 0 to 1"),
            (with(r#"\"tools\""#, r#"\"telepathy\""#), "decision: no need `telepathy`"),
            (with(r#"\"context_tokens\""#, r#"\"n\":0,\"context_tokens\""#), "decision: n is not from 1 to 128"),
            (with(r#"\"prompt_tokens\":12"#, r#"\"prompt_tokens\":-1"#), "decision: invalid value: integer `-1`, expected u64"),
        ] {
            match read(1, &text, None) {
                Err(why) => assert!(why.starts_with(expected), "{text}: {why}"),
                Ok(read) => panic!("{text}: {read:?}"),
            }
        }
    }

    #[test]
    fn a_call_is_read_in_full() {
        let text = line(CHAT, "\"auto\"", &format!("\"{DECISION}\""), r#""{\"prompt_tokens\":5,\"completion_tokens\":6}""#);
        let Ok(Line::Call(record)) = read(7, &text, None) else { panic!("{text}") };
        assert_eq!((record.line, record.workspace.as_str(), record.selected.as_str()), (7, "acme", "gpt-4o"));
        assert_eq!((record.task.class, record.task.difficulty), (TaskClass::Code, 0.25));
        assert_eq!((record.objective, record.class_given), (None, false), "the objective was the workspace's");
        assert_eq!(record.usage.map(|usage| (usage.prompt(), usage.output)), Some((5, 6)));
        assert_eq!(record.needs.names().collect::<Vec<_>>(), ["tools"]);
        let given = text.replace(r#"\"objective\":\"cost\""#, r#"\"objective\":\"cost\",\"objective_given\":true"#);
        let Ok(Line::Call(record)) = read(7, &given, None) else { panic!("{given}") };
        assert_eq!(record.objective, Some(Objective::Cost));
    }
}
