//! The catalogue as the stages see it: every reference resolved, every figure an integer or in 0..1.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::policy::NanoUsd;
use crate::openai::Usage;
use crate::provider::{self, Protocol};

pub use super::document::{Kind, Latency};

/// Number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Tokens(pub u64);

/// Position of a model in [`Catalog::models`]; only the catalogue hands them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelIndex(pub(super) usize);

/// All providers and models.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub(super) providers: Vec<Provider>,
    pub(super) models: Vec<Model>,
    pub(super) by_id: hashbrown::HashMap<String, ModelIndex>,
}

impl Catalog {
    /// The model with this id.
    pub fn find(&self, id: &str) -> Option<ModelIndex> {
        self.by_id.get(id).copied()
    }

    /// The model at an index this catalogue handed out.
    pub fn model(&self, index: ModelIndex) -> Option<&Model> {
        self.models.get(index.0)
    }

    /// Every model, in the order of the file.
    pub fn models(&self) -> impl Iterator<Item = (ModelIndex, &Model)> {
        self.models.iter().enumerate().map(|(index, model)| (ModelIndex(index), model))
    }

    /// The provider a deployment names.
    pub fn provider(&self, deployment: &Deployment) -> Option<&Provider> {
        self.providers.get(deployment.provider)
    }

    /// Every deployment of every model, in the order of the file: by their positions.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.models.iter().flat_map(|model| &model.deployments)
    }

    /// Every provider, by name.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }
}

/// One upstream provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Key in the file.
    pub name: String,
    /// Envoy cluster: `provider_` and the name.
    pub cluster: String,
    /// Row of the protocol registry.
    pub protocol: &'static Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// What else its addresses are made of.
    pub place: Place,
    /// Most series of metrics in a VM of its seat; 0 where nothing is measured.
    pub label_sets: u32,
}

/// What some providers want in an address besides the model, as the file says it; each at most 64
/// ASCII letters, digits, `-`, `.` and `_`. Which of them a provider needs is its codec's to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Azure OpenAI's `api-version`.
    pub api_version: Option<String>,
    /// Vertex AI's project; may hold `:`, which separates an old project from its organisation.
    pub project: Option<String>,
    /// Vertex AI's location.
    pub location: Option<String>,
    /// AWS's region.
    pub region: Option<String>,
}

impl Place {
    /// What a codec makes paths of, behind a base URL with this path.
    pub fn within<'a>(&'a self, path: &'a str) -> provider::Place<'a> {
        provider::Place {
            path,
            api_version: self.api_version.as_deref(),
            project: self.project.as_deref(),
            location: self.location.as_deref(),
            region: self.region.as_deref(),
        }
    }
}

/// A parsed base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `https`.
    pub tls: bool,
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What stands before the paths of all calls, without a trailing slash: `/v1`, or empty. May end in a
    /// query that all calls carry.
    pub path: String,
    /// What goes into `:authority`.
    pub authority: String,
}

/// One model.
#[derive(Debug, Clone)]
pub struct Model {
    /// What callers write.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// Shown as `provider` by `/v1/models`.
    pub provider_name: String,
    /// Prompt and answer together.
    pub context_window: Tokens,
    /// Longest answer.
    pub max_output: Tokens,
    /// Vector length, if anyone said; only of an embedding model.
    pub dimensions: Option<u32>,
    /// Price.
    pub price: Price,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Quality by task class.
    pub quality: Quality,
    /// How much of it is lost on the hardest prompts, 0..1.
    pub sensitivity: f64,
    /// Where it can be reached; never empty.
    pub deployments: Vec<Deployment>,
}

/// One place a model can be reached.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub(super) provider: usize,
    /// The provider's own name for the model.
    pub model: String,
    /// Expected speed, if anyone said.
    pub latency: Option<Latency>,
    /// Smaller is tried earlier.
    pub priority: u32,
    /// Its place among all deployments of the catalogue, as [`Catalog::deployments`] counts them.
    pub position: usize,
}

/// Nano-dollars per token, which is what USD per million tokens times a thousand is; exact for
/// prices down to a thousandth of a dollar per million, and rounded up for finer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens.
    #[serde(rename = "i")]
    pub input: u64,
    /// Answer tokens.
    #[serde(rename = "o")]
    pub output: u64,
    /// Prompt tokens read from the provider's cache.
    #[serde(rename = "c")]
    pub cached_input: u64,
    /// Prompt tokens written to the provider's cache.
    #[serde(rename = "w")]
    pub cache_write: u64,
}

impl Price {
    /// Price of a prompt and an answer, in nano-dollars.
    pub fn of(&self, input: Tokens, output: Tokens) -> u64 {
        self.input.saturating_mul(input.0).saturating_add(self.output.saturating_mul(output.0))
    }

    /// The most that a prompt and an answer can cost, whatever the provider's cache does.
    pub fn most(&self, input: Tokens, output: Tokens) -> NanoUsd {
        let dearest = self.input.max(self.cached_input).max(self.cache_write);
        NanoUsd(Self { input: dearest, ..*self }.of(input, output))
    }

    /// What a usage costs: every token once, reasoning with the answer it is part of.
    pub fn cost(&self, usage: &Usage) -> NanoUsd {
        let parts = [
            (self.input, usage.uncached_input),
            (self.cached_input, usage.cache_read),
            (self.cache_write, usage.cache_write),
            (self.output, usage.output),
        ];
        NanoUsd(parts.iter().fold(0, |sum: u64, (price, tokens)| sum.saturating_add(price.saturating_mul(*tokens))))
    }
}

/// Quality figures, 0..1.
#[derive(Debug, Clone, Default)]
pub struct Quality {
    /// For classes without a figure of their own.
    pub default: f64,
    pub(super) by_class: Vec<(TaskClass, f64)>,
}

impl Quality {
    /// The figure for a class; `None` is an unknown task.
    pub fn of(&self, class: Option<TaskClass>) -> f64 {
        let own = class.and_then(|class| self.by_class.iter().find(|(c, _)| *c == class));
        own.map_or(self.default, |(_, quality)| *quality)
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order error messages list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Every name.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The value with this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.name()) }
        }
    };
}

named! {
    /// What kind of work a call is.
    TaskClass {
        /// Writing or changing programs.
        Code = "code",
        /// Calculation and proof.
        Math = "math",
        /// Pulling facts out of a text.
        Extraction = "extraction",
        /// Shortening a text.
        Summarization = "summarization",
        /// From one language to another.
        Translation = "translation",
        /// Answering a question.
        Qa = "qa",
        /// Several steps of thought.
        Reasoning = "reasoning",
        /// Inventing.
        Creative = "creative",
        /// Conversation.
        Chat = "chat",
        /// Choosing a label.
        Classification = "classification",
        /// Calling tools.
        Tools = "tools",
    }
}

named! {
    /// What a call wants most.
    Objective {
        /// Best quality for a price that is worth it.
        QualityPerDollar = "quality-per-dollar",
        /// Best quality.
        Quality = "quality",
        /// Lowest price.
        Cost = "cost",
        /// Fastest answer.
        Latency = "latency",
    }
}

named! {
    /// Something a model may or may not be able to do.
    Capability {
        /// Function calling.
        Tools = "tools",
        /// Several calls in one turn.
        ParallelTools = "parallel_tools",
        /// Images in the prompt.
        Vision = "vision",
        /// `response_format: json_object`.
        JsonObject = "json_object",
        /// `response_format: json_schema`.
        JsonSchema = "json_schema",
        /// `reasoning_effort`.
        Reasoning = "reasoning",
    }
}

/// A set of [`Capability`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Adds one.
    pub fn insert(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u8;
    }

    /// Whether it is in the set.
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// The set as bits, in the order of [`Capability::ALL`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Those of `self` that `other` lacks.
    pub fn missing_from(self, other: Self) -> impl Iterator<Item = Capability> {
        let missing = Self(self.0 & !other.0);
        Capability::ALL.iter().copied().filter(move |c| missing.contains(*c))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut set = Self::default();
        capabilities.into_iter().for_each(|c| set.insert(c));
        set
    }
}
