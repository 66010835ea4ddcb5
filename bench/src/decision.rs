//! How long the decision takes, in V8: an Envoy with `nr_decision` in the place of the router seat makes some
//! thousands of decisions on prompts of each size and hands back how long each took. Nothing else happens meanwhile.

use serde_json::{Value, json};

use crate::bootstrap::{self, PROVIDER_KEY, Ports, ROUTER};
use crate::figures::{Percentiles, Spread};
use crate::plain;
use crate::prompts::{self, KINDS};
use crate::rounds::Amount;
use crate::stack::{Envoy, Plan, free_ports};

/// What `--only` calls it.
pub(crate) const NAME: &str = "decision";

/// Bytes of text.
const SIZES: [usize; 4] = [1 << 10, 2 << 10, 4 << 10, 8 << 10];

/// Candidates of the catalogue, all of them eligible: the models, of which every third is deployed twice.
pub(crate) const CANDIDATES: u64 = 32;
const MODELS: u64 = 24;

/// Decisions of one round, and of the rounds before the first: V8 compiles anew what runs often, while it runs.
const DECISIONS: usize = 600 * KINDS.len();
const WARM_UP: usize = 3;

/// At most, of half of the decisions and of all but a hundredth, in microseconds.
pub(crate) const TARGET_P50_US: f64 = 15.0;
pub(crate) const TARGET_P99_US: f64 = 60.0;

/// What was measured of one size.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) bytes: usize,
    /// Two readings of the clock with nothing in between, which the others contain.
    pub(crate) clock: Percentiles,
    /// A request that has been parsed to a plan.
    pub(crate) decision: Percentiles,
    /// The same with parsing the request.
    pub(crate) parsed: Percentiles,
    /// The median of the decisions of each kind.
    pub(crate) kinds: Vec<(&'static str, f64)>,
}

/// Measures every size.
pub(crate) async fn measure(plan: &Plan, amount: &Amount) -> Result<Vec<Decision>, String> {
    let [ports, _] = free_ports()?;
    let config = bootstrap(plan, ports)?;
    let envoy = Envoy::start("Envoy that decides", NAME, &config, ports, plan).await?;
    let count = DECISIONS / amount.divisor;
    let mut all = Vec::new();
    for bytes in SIZES {
        let requests = prompts::requests(bytes).join("\n");
        let mut measured = Vec::new();
        for round in 0..WARM_UP + amount.rounds {
            let answer = plain::done(envoy.ports.listen, "POST", &format!("/{count}"), &requests).await?;
            let figures = Round::read(&answer).ok_or_else(|| format!("the decisions came back in another form: {answer:.200}"))?;
            if round >= WARM_UP {
                measured.push(figures);
            }
        }
        all.push(Decision::of(bytes, &measured));
    }
    Ok(all)
}

/// Microseconds of each piece of work of one round.
struct Round {
    clock: Vec<f64>,
    decision: Vec<f64>,
    parsed: Vec<f64>,
}

impl Round {
    /// Reads an answer in which every decision was among all candidates.
    fn read(answer: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(answer).ok()?;
        let considered = answer["considered"].as_array()?;
        if considered.len() != KINDS.len() || considered.iter().any(|count| *count != CANDIDATES) {
            return None;
        }
        let microseconds = |of: &str| answer[of].as_array()?.iter().map(|ns| Some(ns.as_f64()? / 1e3)).collect::<Option<Vec<f64>>>();
        Some(Self { clock: microseconds("clock_ns")?, decision: microseconds("decision_ns")?, parsed: microseconds("parsed_ns")? })
    }
}

impl Decision {
    fn of(bytes: usize, rounds: &[Round]) -> Self {
        let percentiles =
            |figures: fn(&Round) -> &Vec<f64>| Percentiles::middle(rounds.iter().map(|round| Percentiles::of(figures(round))));
        // Requests take turns.
        let median = |kind: usize| {
            let medians = rounds.iter().map(|round| Spread::of(round.decision.iter().copied().skip(kind).step_by(KINDS.len())).median);
            Spread::of(medians).median
        };
        Self {
            bytes,
            clock: percentiles(|round| &round.clock),
            decision: percentiles(|round| &round.decision),
            parsed: percentiles(|round| &round.parsed),
            kinds: KINDS.into_iter().enumerate().map(|(at, kind)| (kind, median(at))).collect(),
        }
    }

    /// `1 KB`.
    pub(crate) fn size(&self) -> String {
        format!("{} KB", self.bytes >> 10)
    }
}

/// What `nr` renders of a catalogue with all candidates, with the module that takes times in the router seat's place.
fn bootstrap(plan: &Plan, ports: Ports) -> Result<Value, String> {
    let key_file = plan.made.folder.join("provider.key");
    bootstrap::write(&key_file, PROVIDER_KEY)?;
    let mut rendered = bootstrap::rendered(NAME, &plan.made, &document(ports, &json!({"file": key_file})))?;
    let module = plan.decides.display().to_string();
    let place = rendered.pointer_mut(&format!("{ROUTER}/vm_config/code/local/filename"));
    *place.ok_or("`nr render envoy` has put no module into the listener")? = module.into();
    // It reads a clock of its own, which the filter may not.
    if let Some(plugin) = rendered.pointer_mut(ROUTER).and_then(Value::as_object_mut) {
        plugin.remove("capability_restriction_config");
    }
    Ok(rendered)
}

/// Models that differ in everything that counts, and can all do the same.
fn document(ports: Ports, key: &Value) -> Value {
    let provider = |port: u16| json!({"protocol": "openai", "base_url": format!("http://127.0.0.1:{port}/v1"), "api_key": key});
    let model = |n: u64| {
        let name = format!("model-{n:02}");
        let quality = 0.60 + 0.35 * (n * 7 % MODELS) as f64 / MODELS as f64;
        let price = 0.10 * 1.2_f64.powi((n * 5 % MODELS) as i32);
        let providers = if n.is_multiple_of(3) { &["one", "two"][..] } else { &["one"] };
        let deployments = providers.iter().map(|provider| json!({"provider": provider, "model": format!("{name}-2025-06-01")}));
        json!({
            "id": name, "provider_name": "Maker", "context_window": 128_000, "max_output_tokens": 16_384,
            "price": {"input_per_m": price, "output_per_m": price * 4.0, "cached_input_per_m": price / 10.0},
            "capabilities": ["tools", "parallel_tools", "vision", "json_object", "json_schema"],
            "quality": {"default": quality, "code": quality - 0.02, "math": quality - 0.1, "summarization": quality + 0.01, "tools": quality},
            "latency": {"first_token_ms": 200 + 40 * n, "tokens_per_second": 50 + 3 * n},
            "deployments": deployments.collect::<Vec<_>>(),
        })
    };
    json!({
        "listen": {"address": ports.listen.ip().to_string(), "port": ports.listen.port()},
        "admin": {"address": ports.admin.ip().to_string(), "port": ports.admin.port()},
        // Nobody is called.
        "providers": {"one": provider(9), "two": provider(10)},
        "models": (0..MODELS).map(model).collect::<Vec<_>>(),
        "workspaces": [bootstrap::workspace("bench", bootstrap::WORKSPACE_KEY)],
    })
}
