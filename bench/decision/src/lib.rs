//! Times the decision where it is made: in V8, inside Envoy, by the code of the filter.
//!
//! `nr-bench` puts this module in the place of the router seat, with the configuration that seat would have. `POST
//! /COUNT` with one chat request a line makes COUNT decisions on them in turn and answers every time that was taken.
//! It calls nobody, and is no part of what ships.

use std::hint::black_box;
use std::time::{Duration, Instant};

use neural_router::authenticate::Caller;
use neural_router::config::Config;
use neural_router::openai::{Endpoint, Request};
use neural_router::rank::{self, Circumstances, Plan};
use neural_router::vitals::Snapshot;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, MapType};
use std::rc::Rc;

/// Envoy calls it after `_initialize`, which is the filter's own and has set the filter's root.
#[cfg(target_os = "wasi")]
#[unsafe(no_mangle)]
extern "C" fn main(_: i32, _: i32) -> i32 {
    proxy_wasm::set_root_context(|_| root());
    0
}

/// The root context of this module.
pub fn root() -> Box<dyn RootContext> {
    Box::new(Root { config: None })
}

struct Root {
    config: Option<Rc<Config>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        self.config = Config::from_json(&self.get_plugin_configuration().unwrap_or_default()).ok().map(Rc::new);
        self.config.is_some()
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let config = Rc::clone(self.config.as_ref()?);
        Some(Box::new(Timer { config, count: 0 }))
    }
}

struct Timer {
    config: Rc<Config>,
    count: usize,
}

impl Context for Timer {}

impl HttpContext for Timer {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, ":path").ok().flatten();
        let count = path.as_deref().and_then(|path| str::from_utf8(path).ok()?.strip_prefix('/')?.parse().ok());
        self.count = count.unwrap_or_default();
        Action::Pause
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if end_of_stream {
            let body = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size).ok().flatten().unwrap_or_default();
            let (status, answer) = match measure(&self.config, &body, self.count) {
                Ok(times) => (200, times),
                Err(why) => (400, why),
            };
            let _ = hostcalls::send_http_response(status, vec![("content-type", "application/json")], Some(answer.as_bytes()));
        }
        Action::Pause
    }
}

/// What is measured, as JSON; each array has one whole number of nanoseconds for each decision, in their order.
/// `clock_ns` is of nothing at all, `decision_ns` of a request that has been parsed, `parsed_ns` of its body.
fn measure(config: &Config, body: &[u8], count: usize) -> Result<String, String> {
    let caller = caller(config).ok_or("the configuration has no key")?;
    let vitals = Snapshot::default();
    let now = Circumstances { vitals: &vitals, now_ms: 1_700_000_000_000, lot: 0.5 };
    let bodies: Vec<&[u8]> = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let parsed = |at: usize| Request::parse(Endpoint::Chat, bodies[at]).map_err(|_| format!("line {} is no chat request", at + 1));
    let requests: Vec<Request<'_>> = (0..bodies.len()).map(parsed).collect::<Result<_, _>>()?;
    let (mut considered, mut selected) = (Vec::new(), Vec::new());
    for (request, line) in requests.iter().zip(1..) {
        let plan = rank::plan(config, &caller, request, &now).map_err(|refused| format!("line {line}: {refused:?}"))?;
        considered.push(plan.considered);
        selected.push(first(&plan));
    }
    if requests.is_empty() {
        return Err("there is no request".to_owned());
    }
    // One array after the other, so that each is of code that has just run.
    let clock = times(count, |_| ());
    let decision = times(count, |n| drop(black_box(rank::plan(config, &caller, &requests[n % requests.len()], &now))));
    let whole = times(count, |n| {
        let request = Request::parse(Endpoint::Chat, bodies[n % bodies.len()]);
        drop(black_box(request.map(|request| rank::plan(config, &caller, &request, &now).map(|plan| plan.considered))));
    });
    let answer = serde_json::json!({
        "considered": considered,
        "selected": selected,
        "clock_ns": nanoseconds(&clock),
        "decision_ns": nanoseconds(&decision),
        "parsed_ns": nanoseconds(&whole),
    });
    Ok(answer.to_string())
}

/// The first key of the first workspace: nobody else is there.
fn caller(config: &Config) -> Option<Caller<'_>> {
    let key = config.workspaces.keys().next()?;
    Some(Caller { workspace: config.workspaces.get(key.workspace)?, key })
}

fn first<'c>(plan: &Plan<'c>) -> &'c str {
    plan.candidates.first().map_or("", |candidate| &candidate.model.id)
}

/// How long each of so many pieces of work takes. WASI's monotonic clock is Envoy's, in nanoseconds.
fn times(count: usize, mut work: impl FnMut(usize)) -> Vec<Duration> {
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let began = Instant::now();
        work(black_box(n));
        times.push(began.elapsed());
    }
    times
}

fn nanoseconds(times: &[Duration]) -> Vec<u64> {
    times.iter().map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).collect()
}
