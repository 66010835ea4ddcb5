//! One simulated provider: its listener, connections, behaviour, fault and record.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use crate::answer::{self, Response};
use crate::args::Spec;
use crate::behaviour::Behaviour;
use crate::connection::{Connection, Wire};
use crate::fault::{Fault, Kind};
use crate::listener::{self, Gate};
use crate::protocol::Protocol;
use crate::record::Record;

/// A provider and everything that can be set on it.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) protocol: &'static dyn Protocol,
    pub(crate) address: SocketAddr,
    pub(crate) record: Arc<Record>,
    settings: Mutex<Settings>,
    gate: Gate,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    next_connection: AtomicU64,
}

#[derive(Debug, Default)]
struct Settings {
    behaviour: Arc<Behaviour>,
    fault: Option<Fault>,
    /// Finished answers for requests that are not validated; good for one behaviour.
    prepared: HashMap<Likeness, Arc<Response>>,
}

/// What makes two unvalidated requests get the same answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Likeness {
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) length: usize,
}

/// Load tests send a handful of bodies; more means the cache does not help.
const PREPARED: usize = 64;

impl Provider {
    /// Binds the address and starts to accept.
    pub(crate) fn listen(spec: Spec) -> Result<Arc<Self>, String> {
        let refused = |error| format!("provider {} cannot listen on {}: {error}", spec.name, spec.address);
        let (listener, gate, orders) = listener::listen(spec.address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let provider = Arc::new(Self {
            name: spec.name.clone(),
            protocol: spec.protocol,
            address,
            record: Arc::default(),
            settings: Mutex::default(),
            gate,
            connections: Mutex::default(),
            next_connection: AtomicU64::new(1),
        });
        let accepting = Arc::clone(&provider);
        listener::accept(listener, orders, move |stream| Arc::clone(&accepting).accept(stream));
        Ok(provider)
    }

    fn accept(self: Arc<Self>, stream: TcpStream) {
        // Without it small SSE writes wait for the peer's acknowledgement; a socket that refuses the option is closing.
        let _ = stream.set_nodelay(true);
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let (wire, connection) = Connection::split(id, stream, Arc::clone(&self.record.enabled));
        // Listed before the accept loop takes its next order, so that `refuse` finds every connection.
        lock(&self.connections).insert(id, Arc::clone(&connection));
        tokio::spawn(self.converse(wire, connection));
    }

    async fn converse(self: Arc<Self>, wire: Wire, connection: Arc<Connection>) {
        let service = service_fn(|request| answer::serve(Arc::clone(&self), Arc::clone(&connection), request));
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().header_read_timeout(None);
        {
            let mut serving = pin!(builder.serve_connection(TokioIo::new(wire), service));
            loop {
                tokio::select! {
                    // Dropping hyper's side closes the socket, with a reset if the connection was told so.
                    () = connection.ended.notified() => break,
                    () = connection.draining.notified() => serving.as_mut().graceful_shutdown(),
                    // Its error is the client's doing or ours, and either way the connection is over.
                    _ = serving.as_mut() => break,
                }
            }
        }
        lock(&self.connections).remove(&connection.id);
    }

    pub(crate) fn behaviour(&self) -> Arc<Behaviour> {
        Arc::clone(&lock(&self.settings).behaviour)
    }

    pub(crate) fn set_behaviour(&self, behaviour: Behaviour) {
        let mut settings = lock(&self.settings);
        settings.behaviour = Arc::new(behaviour);
        settings.prepared.clear();
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        lock(&self.settings).fault.clone()
    }

    /// Sets or clears the fault; when it returns, the next request meets it.
    pub(crate) async fn set_fault(&self, fault: Option<Fault>) -> Result<(), String> {
        let refuse = matches!(&fault, Some(Fault { kind: Kind::Refuse {}, .. }));
        lock(&self.settings).fault = fault;
        let turned = self.gate.set(!refuse).await;
        turned.map_err(|error| format!("{} cannot be bound again: {error}", self.address))?;
        if refuse {
            self.close_idle_connections().await;
        }
        Ok(())
    }

    /// Closes pooled connections now, and those that still answer once they have.
    async fn close_idle_connections(&self) {
        for connection in lock(&self.connections).values() {
            connection.draining.notify_one();
        }
        for _ in 0..500 {
            let idle = lock(&self.connections).values().any(|one| one.busy.load(Ordering::SeqCst) == 0);
            if !idle {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Takes the fault for one request, if it is one that the request's state calls for.
    pub(crate) fn take_fault(&self, suits: impl Fn(&Kind) -> bool) -> Option<Kind> {
        let mut settings = lock(&self.settings);
        if settings.fault.as_ref().is_some_and(|fault| suits(&fault.kind)) { Fault::consume(&mut settings.fault) } else { None }
    }

    /// The finished answer for a request, unless a fault is to spoil it.
    pub(crate) fn prepared(&self, likeness: &Likeness) -> Option<Arc<Response>> {
        let settings = lock(&self.settings);
        if settings.fault.is_some() { None } else { settings.prepared.get(likeness).cloned() }
    }

    /// Keeps an answer made under `behaviour`, if that is still the one.
    pub(crate) fn prepare(&self, likeness: Likeness, behaviour: &Arc<Behaviour>, response: &Arc<Response>) {
        let mut settings = lock(&self.settings);
        if !Arc::ptr_eq(&settings.behaviour, behaviour) {
            return;
        }
        if settings.prepared.len() >= PREPARED {
            settings.prepared.clear();
        }
        settings.prepared.insert(likeness, Arc::clone(response));
    }

    /// Everything as at the start, but for connections that are open.
    pub(crate) async fn reset(&self) -> Result<(), String> {
        self.set_behaviour(Behaviour::default());
        self.record.enabled.store(true, Ordering::Relaxed);
        self.record.clear();
        self.set_fault(None).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
