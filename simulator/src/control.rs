//! The JSON API with which a test sets a provider's behaviour and fault, and reads what it received.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::behaviour::Behaviour;
use crate::fault::Fault;
use crate::provider::Provider;

/// The listening control API.
#[derive(Debug)]
pub(crate) struct Control {
    listener: TcpListener,
    address: SocketAddr,
    providers: Arc<Providers>,
}

type Providers = BTreeMap<String, Arc<Provider>>;
type Reply = Result<Vec<u8>, Problem>;

/// Why the control API did not do as told.
#[derive(Debug)]
enum Problem {
    Invalid(String),
    NotFound(String),
    Method(&'static str),
    Failed(String),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    enabled: bool,
}

impl Control {
    /// Binds the control address.
    pub(crate) async fn listen(address: SocketAddr, providers: Vec<Arc<Provider>>) -> Result<Self, String> {
        let refused = |error| format!("the control API cannot listen on {address}: {error}");
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let count = providers.len();
        let providers: Providers = providers.into_iter().map(|provider| (provider.name.clone(), provider)).collect();
        if providers.len() < count {
            return Err("two providers have the same name".to_owned());
        }
        Ok(Self { listener, address, providers: Arc::new(providers) })
    }

    /// The line that says where everything listens.
    pub(crate) fn ready_line(&self) -> String {
        let providers: BTreeMap<_, _> = self.providers.iter().map(|(name, provider)| (name, provider.address.to_string())).collect();
        #[derive(Serialize)]
        struct Ready<'a> {
            ready: bool,
            control: String,
            providers: BTreeMap<&'a String, String>,
        }
        serde_json::to_string(&Ready { ready: true, control: self.address.to_string(), providers }).unwrap_or_default()
    }

    /// Serves for ever.
    pub(crate) async fn serve(&self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                continue;
            };
            let providers = Arc::clone(&self.providers);
            tokio::spawn(async move {
                let service = service_fn(|request| handle(Arc::clone(&providers), request));
                let builder = auto::Builder::new(TokioExecutor::new());
                // A control client that hangs up early is no concern of ours.
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

async fn handle(providers: Arc<Providers>, request: Request<Incoming>) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let reply = match body.collect().await {
        Ok(body) => route(&providers, &parts.method, parts.uri.path(), &body.to_bytes()).await,
        Err(error) => Err(Problem::Invalid(format!("the body did not arrive: {error}"))),
    };
    let (status, allow, body) = match reply {
        Ok(body) => (StatusCode::OK, None, body),
        Err(Problem::Invalid(message)) => (StatusCode::BAD_REQUEST, None, error(&message)),
        Err(Problem::NotFound(message)) => (StatusCode::NOT_FOUND, None, error(&message)),
        Err(Problem::Failed(message)) => (StatusCode::INTERNAL_SERVER_ERROR, None, error(&message)),
        Err(Problem::Method(allowed)) => (StatusCode::METHOD_NOT_ALLOWED, Some(allowed), error(&format!("this path takes {allowed}"))),
    };
    let mut response = hyper::Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    Ok(response)
}

fn error(message: &str) -> Vec<u8> {
    json!({ "error": message }).to_string().into_bytes()
}

async fn route(providers: &Providers, method: &Method, path: &str, body: &[u8]) -> Reply {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (segments.as_slice(), method.as_str()) {
        (["healthz"], "GET") => Ok(br#"{"status":"ok"}"#.to_vec()),
        (["healthz"], _) => Err(Problem::Method("GET")),
        (["reset"], "POST") => {
            for provider in providers.values() {
                provider.reset().await.map_err(Problem::Failed)?;
            }
            done()
        }
        (["reset"], _) => Err(Problem::Method("POST")),
        (["providers"], "GET") => {
            let row = |provider: &Provider| json!({"protocol": provider.protocol.name(), "address": provider.address});
            show(&providers.iter().map(|(name, provider)| (name, row(provider))).collect::<BTreeMap<_, Value>>())
        }
        (["providers"], _) => Err(Problem::Method("GET")),
        (["providers", name, setting], method) => match providers.get(*name) {
            Some(provider) => on_provider(provider, setting, method, body).await,
            None => {
                let known: Vec<&str> = providers.keys().map(String::as_str).collect();
                Err(Problem::NotFound(format!("no provider `{name}`; there are {}", known.join(", "))))
            }
        },
        _ => Err(Problem::NotFound(format!("nothing at {path}; see nr-simulator --help"))),
    }
}

async fn on_provider(provider: &Provider, setting: &str, method: &str, body: &[u8]) -> Reply {
    match (setting, method) {
        ("behaviour", "GET") => show(&*provider.behaviour()),
        ("behaviour", "PUT") => {
            provider.set_behaviour(read::<Behaviour>("behaviour", body)?);
            done()
        }
        ("behaviour", "DELETE") => {
            provider.set_behaviour(Behaviour::default());
            done()
        }
        ("fault", "GET") => show(&provider.fault()),
        ("fault", "PUT") => {
            let fault = Fault::parse(body).map_err(Problem::Invalid)?;
            provider.set_fault(Some(fault)).await.map_err(Problem::Failed)?;
            done()
        }
        ("fault", "DELETE") => {
            provider.set_fault(None).await.map_err(Problem::Failed)?;
            done()
        }
        ("requests", "GET") => Ok(provider.record.to_json()),
        ("requests", "DELETE") => {
            provider.record.clear();
            done()
        }
        ("recording", "GET") => show(&Recording { enabled: provider.record.enabled.load(Ordering::Relaxed) }),
        ("recording", "PUT") => {
            let Recording { enabled } = read("recording", body)?;
            provider.record.enabled.store(enabled, Ordering::Relaxed);
            done()
        }
        ("behaviour" | "fault", _) => Err(Problem::Method("GET, PUT, DELETE")),
        ("requests", _) => Err(Problem::Method("GET, DELETE")),
        ("recording", _) => Err(Problem::Method("GET, PUT")),
        _ => Err(Problem::NotFound(format!("a provider has behaviour, fault, requests and recording, but no `{setting}`"))),
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::Invalid(format!("{what}: {error}")))
}

fn show(value: &impl Serialize) -> Reply {
    serde_json::to_vec(value).map_err(|error| Problem::Failed(error.to_string()))
}

fn done() -> Reply {
    Ok(br#"{"ok":true}"#.to_vec())
}
