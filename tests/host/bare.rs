//! One HTTP context without a router around it: callbacks in any order, twice, or never.

use super::lane::{Lane, Piece, Way};
use super::vm::{Effect, FilterState, Stream, effects, enter, vm};
use super::{Gateway, proxy_on_context_create};

unsafe extern "C" {
    safe fn proxy_on_done(context: u32) -> bool;
    safe fn proxy_on_log(context: u32);
    safe fn proxy_on_delete(context: u32);
}

/// A context and both its directions.
pub struct Bare {
    pub(super) id: u32,
    pub(super) request: Lane,
    pub(super) response: Lane,
}

impl Bare {
    /// A context of a root.
    pub(super) fn of(root: u32, state: FilterState) -> Self {
        let id = vm(|vm| {
            let id = vm.context();
            vm.streams.insert(id, Stream::new(state));
            vm.roots.insert(id, root);
            id
        });
        enter(id, "create_http_context", |id| proxy_on_context_create(id, root));
        Self { id, request: Lane::new(id, Way::Request), response: Lane::new(id, Way::Response) }
    }

    /// The downstream seat with empty filter state.
    pub fn router(gateway: &Gateway) -> Self {
        Self::of(gateway.router, FilterState::default())
    }

    /// The upstream seat of a provider, with the filter state of another context or none.
    pub fn provider(gateway: &Gateway, provider: &str, like: Option<&Self>) -> Self {
        let cluster = gateway.clusters.values().find(|cluster| cluster.provider == provider);
        let state = like.map_or_else(FilterState::default, |other| vm(|vm| vm.streams[&other.id].state.clone()));
        let seat = Self::of(cluster.unwrap_or_else(|| panic!("no provider {provider}")).root, state);
        seat.property("xds\0cluster_name", format!("provider_{provider}").into_bytes());
        seat
    }

    /// Sends a piece through; what the filter asked for comes with what it let pass.
    pub fn send(&mut self, way: Way, piece: Piece) -> (Vec<Piece>, Vec<Effect>) {
        let lane = if way == Way::Request { &mut self.request } else { &mut self.response };
        let pieces = lane.send(piece);
        (pieces, effects())
    }

    /// What was held back goes on, as the filter has asked for outside of a callback of this context.
    pub fn resume(&mut self, way: Way) -> Vec<Piece> {
        if way == Way::Request { self.request.resume() } else { self.response.resume() }
    }

    /// Sets one of Envoy's properties.
    pub fn property(&self, path: &'static str, value: Vec<u8>) {
        vm(|vm| vm.streams.get_mut(&self.id).expect("the context is alive").properties.insert(path, value));
    }

    /// Overwrites filter state.
    pub fn state(&self, key: &str, value: &[u8]) {
        vm(|vm| vm.streams[&self.id].state.borrow_mut().insert(key.as_bytes().to_vec(), value.to_vec()));
    }

    /// Filter state under a key.
    pub fn state_of(&self, key: &str) -> Option<Vec<u8>> {
        vm(|vm| vm.streams[&self.id].state.borrow().get(key.as_bytes()).cloned())
    }

    /// `on_done`.
    pub fn done(&self) {
        enter(self.id, "on_done", |id| proxy_on_done(id));
    }

    /// `on_log`.
    pub fn log(&self) {
        enter(self.id, "on_log", |id| proxy_on_log(id));
    }

    /// `on_delete`; nothing may follow.
    pub fn delete(self) {
        enter(self.id, "on_delete", |id| proxy_on_delete(id));
        vm(|vm| {
            vm.streams.remove(&self.id);
            vm.roots.remove(&self.id);
        });
    }
}
