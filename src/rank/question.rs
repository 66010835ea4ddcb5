//! What a choice depends on, whoever asks: a call as it came, or one read from a log.

use crate::authenticate::Caller;
use crate::config::{Config, ModelIndex, Objective, TaskClass};
use crate::openai::{ChatRequest, Conversation, Demand, EmbeddingRequest, Endpoint, Needs, Request};
use crate::rejection::Rejection;
use crate::task::{self, Evidence, Task};

use super::affinity::{self, Begun};

/// A call, as far as it decides who answers it.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Where it came to.
    pub endpoint: Endpoint,
    /// The model asked for; `None` is `auto`.
    pub requested: Option<ModelIndex>,
    /// Models to try after the first choice.
    pub fallbacks: Vec<ModelIndex>,
    /// What it wants most.
    pub objective: Objective,
    /// The caller's bound on the whole call.
    pub max_latency_ms: Option<u32>,
    /// What the model must be able to do.
    pub needs: Needs,
    /// Figures its price depends on.
    pub demand: Demand,
    /// Tokens that must fit a context window together.
    pub context_tokens: u64,
    /// What the vectors are to be like, of an embeddings call.
    pub vectors: Option<&'a EmbeddingRequest<'a>>,
    /// What kind of work it is; `None` for embeddings.
    pub task: Option<Task>,
    /// Whether the caller has said of what class it is.
    pub class_given: bool,
    /// Of a conversation: where it began.
    pub begun: Option<Begun>,
}

impl<'a> Question<'a> {
    /// Reads a call; a name in `route` that means nothing is the caller's mistake.
    pub fn of(config: &Config, caller: &Caller<'_>, request: &'a Request<'a>) -> Result<Self, Rejection> {
        let route = request.route();
        let objective = match &route.objective {
            None => caller.workspace.objective,
            Some(name) => Objective::parse(name).ok_or_else(|| one_of("route.objective", Objective::NAMES))?,
        };
        let class = match &route.task_class {
            None => None,
            Some(name) => Some(TaskClass::parse(name).ok_or_else(|| one_of("route.task_class", TaskClass::NAMES))?),
        };
        let known = |id: &str, param: &dyn Fn() -> String| caller.known(&config.catalog, id, param);
        let fallbacks = route.fallbacks.iter().enumerate().map(|(i, id)| known(id, &|| format!("route.fallbacks[{i}]")));
        let fallbacks = fallbacks.collect::<Result<_, _>>()?;
        let automatic = request.model() == "auto";
        let requested = if automatic { None } else { Some(known(request.model(), &|| "model".to_owned())?) };
        let (task, begun, vectors) = match request {
            Request::Chat(chat) => {
                let task = task_of(chat);
                let task = Task { class: class.unwrap_or(task.class), ..task };
                (Some(task), begun(&caller.workspace.id, chat, automatic, class), None)
            }
            Request::Embeddings(embeddings) => (None, None, Some(embeddings)),
        };
        Ok(Self {
            endpoint: request.endpoint(),
            requested,
            fallbacks,
            objective,
            max_latency_ms: route.max_latency_ms,
            needs: request.needs(),
            demand: request.demand(),
            context_tokens: request.context_tokens(),
            vectors,
            task,
            class_given: class.is_some(),
            begun,
        })
    }

    /// The task class that the figures are for.
    pub fn class(&self) -> Option<TaskClass> {
        self.task.map(|task| task.class)
    }
}

/// Tokens as the requests count them.
const BYTES_PER_TOKEN: u64 = 4;
const TOKENS_PER_MESSAGE: u64 = 4;

fn one_of(param: &str, names: &[&str]) -> Rejection {
    Rejection::invalid(param, format!("{param}: expected one of {}", names.join(", ")))
}

fn evidence<'a>(chat: &ChatRequest<'a>, user: Option<&'a str>, tool_results: bool) -> Evidence<'a> {
    Evidence {
        user: user.unwrap_or_default(),
        system: chat.conversation.system,
        messages: chat.messages,
        tools: chat.tools > 0,
        tool_results,
        json: chat.needs.json_object || chat.needs.json_schema,
    }
}

fn task_of(chat: &ChatRequest<'_>) -> Task {
    task::infer(&evidence(chat, chat.conversation.latest, chat.conversation.in_tool_loop))
}

/// Where a conversation began. What decided then is told from its opening, which every turn repeats; so is its name.
fn begun(workspace: &str, chat: &ChatRequest<'_>, automatic: bool, class: Option<TaskClass>) -> Option<Begun> {
    let Conversation { system, opening, latest, answered, in_tool_loop, .. } = chat.conversation;
    let bytes = |text: Option<&str>| text.map_or(0, str::len) as u64;
    let messages = 1 + u64::from(system.is_some());
    let task = (automatic && answered).then(|| {
        let opening = Evidence { messages, ..evidence(chat, opening, false) };
        let task = task::infer(&opening);
        Task { class: class.unwrap_or(task.class), ..task }
    });
    let new = if in_tool_loop { 0 } else { bytes(latest) };
    Some(Begun {
        name: affinity::name(workspace, system, opening?),
        task,
        prompt_tokens: (bytes(system) + bytes(opening) + chat.tool_bytes) / BYTES_PER_TOKEN + messages * TOKENS_PER_MESSAGE,
        cached_tokens: chat.prompt_bytes.saturating_sub(new) / BYTES_PER_TOKEN,
    })
}
