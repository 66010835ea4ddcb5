//! What hostcalls read and write: the state of one VM, one for each test thread, as the SDK's
//! dispatcher is one for each thread.

use core::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Mutex;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

use super::headers::Headers;

thread_local! {
    static VM: RefCell<Vm> = RefCell::new(Vm::default());
    static INSIDE: Cell<&'static str> = const { Cell::new("") };
}

/// Runs `f` on this thread's VM.
pub fn vm<R>(f: impl FnOnce(&mut Vm) -> R) -> R {
    VM.with_borrow_mut(f)
}

/// Filter state of one call, shared by the seats.
pub type FilterState = Rc<RefCell<BTreeMap<Vec<u8>, Vec<u8>>>>;

/// State of one VM.
pub struct Vm {
    /// Nanoseconds since 1970; only the test moves it.
    pub now: u64,
    /// What was logged.
    pub log: Vec<(LogLevel, String)>,
    /// The configuration a root context reads while it starts.
    pub vm_configuration: Vec<u8>,
    /// The configuration a root context reads while it is configured.
    pub plugin_configuration: Vec<u8>,
    /// Shared data with the number of its last change.
    pub shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Metrics; the id is the position.
    pub metrics: Vec<(MetricType, Vec<u8>, u64)>,
    /// Requests to services that cannot be sent are refused at once; with this they can.
    pub reachable: bool,
    /// Messages sent to services; the number of each is its position, from 1.
    pub asked: Vec<Vec<u8>>,
    /// What a service has answered, while the filter is told.
    pub answer: Vec<u8>,
    /// Milliseconds between the ticks each root context asked for, by its id; not there if it wants none.
    pub ticks: BTreeMap<u32, u32>,
    /// The root context of each HTTP context.
    pub roots: BTreeMap<u32, u32>,
    /// The context hostcalls are about.
    pub active: u32,
    /// HTTP contexts by id.
    pub streams: BTreeMap<u32, Stream>,
    /// What hostcalls asked for; done when the callback has returned.
    pub effects: Vec<Effect>,
    last_context: u32,
}

impl Default for Vm {
    fn default() -> Self {
        Self {
            // 14 November 2023.
            now: 1_700_000_000_000_000_000,
            log: Vec::new(),
            vm_configuration: Vec::new(),
            plugin_configuration: Vec::new(),
            shared: BTreeMap::new(),
            metrics: Vec::new(),
            reachable: false,
            asked: Vec::new(),
            answer: Vec::new(),
            ticks: BTreeMap::new(),
            roots: BTreeMap::new(),
            active: 0,
            streams: BTreeMap::new(),
            effects: Vec::new(),
            last_context: 0,
        }
    }
}

impl Vm {
    /// An id no context has had.
    pub fn context(&mut self) -> u32 {
        self.last_context += 1;
        self.last_context
    }

    /// The HTTP context hostcalls are about.
    pub fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.active)
    }

    /// Bytes a hostcall may read; `None` where Envoy has no such buffer at that moment.
    pub fn buffer(&mut self, which: BufferType) -> Option<&mut Vec<u8>> {
        match which {
            BufferType::VmConfiguration => Some(&mut self.vm_configuration),
            BufferType::PluginConfiguration => Some(&mut self.plugin_configuration),
            BufferType::HttpRequestBody => self.stream()?.body[0].as_mut(),
            BufferType::HttpResponseBody => self.stream()?.body[1].as_mut(),
            BufferType::GrpcReceiveBuffer => Some(&mut self.answer),
            _ => None,
        }
    }
}

/// What one HTTP context can reach.
pub struct Stream {
    /// By [`MapType`]; there only while Envoy would lend it.
    pub maps: [Option<Headers>; 4],
    /// Request and response body; there only inside a body callback or while buffered.
    pub body: [Option<Vec<u8>>; 2],
    /// Shared with the other seat.
    pub state: FilterState,
    /// Where the route led when it was last looked up.
    pub cluster: Option<Vec<u8>>,
    /// Envoy's own properties; segments are joined by zero bytes.
    pub properties: BTreeMap<&'static str, Vec<u8>>,
}

impl Stream {
    /// A context of a call.
    pub fn new(state: FilterState) -> Self {
        Self { maps: Default::default(), body: Default::default(), state, cluster: None, properties: BTreeMap::new() }
    }

    /// The map of a kind.
    pub fn map(&mut self, which: MapType) -> Option<&mut Headers> {
        self.maps.get_mut(which as usize)?.as_mut()
    }
}

/// What a hostcall asks of Envoy, which does it after the callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// `send_http_response`.
    LocalReply { status: u32, headers: Headers, body: Vec<u8> },
    /// `resume_http_request` or `resume_http_response`.
    Resume,
    /// `reset_http_request` or `reset_http_response`.
    Reset,
}

unsafe extern "C" {
    safe fn _initialize();
}

/// Starts the filter's entry point on this thread. The SDK installs a process-wide logger, which
/// two threads must not do at once, and a panic hook that would hide failing assertions.
pub fn initialize() {
    static FIRST: Mutex<bool> = Mutex::new(true);
    let mut first = FIRST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !core::mem::take(&mut *first) {
        _initialize();
        return;
    }
    let usual = std::panic::take_hook();
    _initialize();
    std::panic::set_hook(Box::new(move |panic| {
        let inside = INSIDE.get();
        if inside.is_empty() {
            usual(panic);
        } else {
            // The process is about to abort and with it the output that the test harness holds back.
            let name = std::thread::current().name().unwrap_or("?").to_owned();
            let _ = writeln!(
                std::io::stderr(),
                "\n{name}: the filter panicked in {inside}: {panic}\nlog: {:#?}",
                VM.try_with(|vm| vm.try_borrow().map(|vm| vm.log.clone()).ok())
            );
        }
    }));
}

/// Calls an exported function for a context.
pub fn enter<R>(context: u32, name: &'static str, call: impl FnOnce(u32) -> R) -> R {
    vm(|vm| vm.active = context);
    let before = INSIDE.replace(name);
    let result = call(context);
    INSIDE.set(before);
    result
}

/// What the callbacks since the last call asked for.
pub fn effects() -> Vec<Effect> {
    vm(|vm| core::mem::take(&mut vm.effects))
}
