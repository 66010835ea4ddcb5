//! An in-process Envoy: both seats of the filter run natively in one test.
//!
//! [`abi`] defines the SDK's imports over [`vm`], the state of this thread's VM; [`lane`] makes the
//! callbacks and holds back what the filter pauses; [`router`] does what Envoy's router does
//! between the seats: the cluster the filter points at, one upstream context for each attempt on
//! the request headers the last one left, retries, timeouts; [`client`] what comes back, local
//! replies included. A test says what the client sends and what the providers do, and gets what the
//! client and the providers saw.
//!
//! The dispatcher of the SDK is one for each thread, so each test is a VM of its own; the two seats
//! share it here, while in Envoy each has its own. A panic inside a callback aborts the whole test
//! process, as it would trap the VM in Envoy: the host then prints the callback, the panic and the
//! log. There can be no `should_panic` test of a seat.

mod abi;
mod bare;
mod client;
mod headers;
mod lane;
mod message;
mod router;
mod vm;

use std::collections::{BTreeMap, VecDeque};

use neural_router::config::{Config, Document, ProviderSeat};

pub use bare::Bare;
pub use headers::Headers;
pub use lane::{Piece, Way};
pub use message::{Answer, End, Finish, Leaves, Received, Reply, Request};
pub use vm::{Effect, effects};

use vm::{enter, initialize, vm};

unsafe extern "C" {
    safe fn proxy_on_context_create(context: u32, root: u32);
    safe fn proxy_on_vm_start(context: u32, size: usize) -> bool;
    safe fn proxy_on_tick(context: u32);
    safe fn proxy_on_configure(context: u32, size: usize) -> bool;
    safe fn proxy_on_grpc_receive(context: u32, number: u32, size: usize);
    safe fn proxy_on_grpc_close(context: u32, number: u32, status: u32);
}

/// The key of the workspace `acme` in every test document.
pub const KEY: &str = "nr-test-key-of-acme";

/// What Envoy's credential injector puts before a provider.
pub fn provider_key(provider: &str) -> String {
    format!("sk-of-{provider}")
}

/// A configured filter and the providers behind it.
pub struct Gateway {
    router: u32,
    clusters: BTreeMap<String, Cluster>,
    received: Vec<Received>,
}

struct Cluster {
    provider: String,
    root: u32,
    credential: (&'static str, String),
    replies: VecDeque<Reply>,
}

/// Starts one plugin as Envoy does. The error is what it logged.
pub fn configure(vm_configuration: &str, plugin_configuration: &[u8]) -> Result<u32, Vec<String>> {
    initialize();
    let root = vm(|vm| {
        vm.log.clear();
        vm.vm_configuration = vm_configuration.as_bytes().to_vec();
        vm.plugin_configuration = plugin_configuration.to_vec();
        vm.context()
    });
    enter(root, "create_root", |id| proxy_on_context_create(id, 0));
    let started = enter(root, "on_vm_start", |id| proxy_on_vm_start(id, vm_configuration.len()))
        && enter(root, "on_configure", |id| proxy_on_configure(id, plugin_configuration.len()));
    vm(|vm| vm.plugin_configuration.clear());
    if started { Ok(root) } else { Err(log()) }
}

/// What the filter logged since the last plugin was configured.
pub fn log() -> Vec<String> {
    vm(|vm| vm.log.iter().map(|(_, line)| line.clone()).collect())
}

/// The metrics that Envoy has been told of, by name, as they stand.
pub fn metrics() -> BTreeMap<String, u64> {
    vm(|vm| vm.metrics.iter().map(|(_, name, value)| (String::from_utf8_lossy(name).into_owned(), *value)).collect())
}

/// Milliseconds since 1970 on the filter's clock.
pub fn now_ms() -> u64 {
    vm(|vm| vm.now / 1_000_000)
}

/// Whether services can be reached from now on.
pub fn reach_services(reachable: bool) {
    vm(|vm| vm.reachable = reachable);
}

/// Messages that were sent to services; the number of each is its position, from 1.
pub fn asked() -> Vec<Vec<u8>> {
    vm(|vm| vm.asked.clone())
}

/// A service answers a message, or the call to it ends with a status.
pub fn service_answers(number: u32, answer: Result<&[u8], u32>) {
    match answer {
        Ok(answer) => {
            vm(|vm| vm.answer = answer.to_vec());
            enter(0, "on_grpc_receive", |id| proxy_on_grpc_receive(id, number, answer.len()));
        }
        Err(status) => enter(0, "on_grpc_close", |id| proxy_on_grpc_close(id, number, status)),
    }
}

/// Forgets what the seats share: Envoy has been restarted.
pub fn forget_shared_data() {
    vm(|vm| vm.shared.clear());
}

/// Lets time pass without a tick.
pub fn pass_ms(ms: u64) {
    vm(|vm| vm.now += ms * 1_000_000);
}

/// Lets the time pass that the next tick takes, and ticks; returns how long that was, `None` if nobody wants
/// one.
pub fn tick() -> Option<u64> {
    let (root, ms) = vm(|vm| vm.ticks.iter().map(|(root, ms)| (*root, u64::from(*ms))).min_by_key(|(_, ms)| *ms))?;
    pass_ms(ms);
    enter(root, "on_tick", |id| proxy_on_tick(id));
    Some(ms)
}

impl Gateway {
    /// Starts both seats with a document.
    pub fn start(document: &serde_json::Value) -> Self {
        let document = Document::from_json(document.to_string().as_bytes()).expect("the test's document");
        let config = Config::from_document(&document).expect("the test's document");
        let seat =
            |name: &str, configuration: String| configure(name, configuration.as_bytes()).unwrap_or_else(|log| panic!("{name}: {log:#?}"));
        let router = seat("router", serde_json::to_string(&document.for_filter()).expect("JSON"));
        let clusters = config.catalog.providers().iter().map(|provider| {
            let root = seat("provider", serde_json::to_string(&ProviderSeat::of(provider)).expect("JSON"));
            let credential = provider.protocol.credential;
            let cluster = Cluster {
                provider: provider.name.clone(),
                root,
                credential: (credential.header, [credential.prefix, &provider_key(&provider.name)].concat()),
                replies: VecDeque::new(),
            };
            (provider.cluster.clone(), cluster)
        });
        Self { router, clusters: clusters.collect(), received: Vec::new() }
    }

    /// Makes a provider answer its next request so.
    pub fn will(&mut self, provider: &str, reply: Reply) -> &mut Self {
        let cluster = self.clusters.values_mut().find(|cluster| cluster.provider == provider);
        cluster.unwrap_or_else(|| panic!("no provider {provider}")).replies.push_back(reply);
        self
    }

    /// Forgets replies nobody asked for and requests nobody looked at: the next row of a table begins.
    pub fn forget(&mut self) -> &mut Self {
        self.clusters.values_mut().for_each(|cluster| cluster.replies.clear());
        self.received.clear();
        self
    }

    /// Makes one call from its first byte to its last.
    pub fn call(&mut self, request: Request) -> Answer {
        router::Call::run(self, request)
    }

    /// What the providers got since this was last asked, in order.
    pub fn received(&mut self) -> Vec<Received> {
        core::mem::take(&mut self.received)
    }

    /// The only request a provider got since this was last asked.
    pub fn only_received(&mut self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "one request to one provider: {received:#?}");
        received.remove(0)
    }
}
