//! The root context: reads the configuration of the seat this VM is for, and makes a context for
//! every call or attempt.

use std::rc::Rc;

use log::error;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use super::fleet::Fleet;
use super::gateway::{GAUGES_MS, Gateway};
use super::measure;
use super::provider::Provider;
use super::router::Router;
use crate::config::{Config, ConfigError, ProviderSeat};
use crate::host::{self, SharedData};
use crate::provider::Protocol;
use crate::vitals::Notebook;

/// A new root context; which seat it is turns out when it is configured.
pub fn root() -> Box<dyn RootContext> {
    Box::new(Root { seat: Seat::Unconfigured })
}

struct Root {
    seat: Seat,
}

enum Seat {
    Unconfigured,
    Router(Rc<Gateway>),
    Provider(Rc<ProviderSeat>, &'static Protocol, Rc<Notebook>),
}

impl Root {
    fn configure(&self) -> Result<Seat, ConfigError> {
        let seat = self.get_vm_configuration().unwrap_or_default();
        let plugin = self.get_plugin_configuration().unwrap_or_default();
        match seat.as_slice() {
            b"router" => {
                let gateway = Gateway::new(Config::from_json(&plugin)?);
                measure::bound(gateway.config.label_sets);
                if gateway.config.label_sets > 0 {
                    host::series::adopt();
                    host::tick_every(GAUGES_MS);
                }
                Ok(Seat::Router(Rc::new(gateway)))
            }
            b"provider" => {
                let seat = ProviderSeat::from_json(&plugin)?;
                measure::bound(seat.label_sets);
                let protocol = Protocol::find(&seat.protocol).ok_or_else(|| ConfigError::new("protocol", "not in the registry"))?;
                Ok(Seat::Provider(Rc::new(seat), protocol, Rc::default()))
            }
            _ => Err(ConfigError::new("vm_config.configuration", "expected the string router or provider")),
        }
    }
}

impl Context for Root {
    fn on_grpc_call_response(&mut self, number: u32, status: u32, size: usize) {
        if let Seat::Router(gateway) = &self.seat
            && let Some(fleet) = &gateway.fleet
        {
            fleet.answered(number, status, size);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        match self.configure() {
            Ok(seat) => {
                self.seat = seat;
                true
            }
            Err(error) => {
                error!("configuration refused: {error}");
                false
            }
        }
    }

    /// For gauges, always; for an observation that has to wait, once, see [`Notebook`]; for a call that waits, see [`Fleet`].
    fn on_tick(&mut self) {
        match &self.seat {
            Seat::Router(gateway) => {
                if gateway.config.label_sets > 0 {
                    host::series::adopt();
                }
                gateway.tell_gauges(host::now_ns(), GAUGES_MS);
                gateway.fleet.iter().for_each(Fleet::tick);
            }
            Seat::Provider(_, _, notebook) => {
                host::tick_every(0);
                notebook.flush(&SharedData, host::now_ms());
            }
            Seat::Unconfigured => {}
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.seat {
            Seat::Router(gateway) => Box::new(Router::new(Rc::clone(gateway), id)),
            Seat::Provider(seat, protocol, notebook) => Box::new(Provider::new(Rc::clone(seat), protocol, Rc::clone(notebook))),
            Seat::Unconfigured => Box::new(Refuse),
        })
    }
}

/// Stands in for a seat without configuration, which Envoy should never ask for: nothing passes.
struct Refuse;

impl Context for Refuse {}

impl HttpContext for Refuse {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> proxy_wasm::types::Action {
        super::reject(&crate::rejection::Rejection::envoy(503), None);
        proxy_wasm::types::Action::Pause
    }
}
