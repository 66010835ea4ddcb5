//! What `nr render istio` can be asked.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::render::kubernetes::{NAME, label, unmistakable};

const EXAMPLES: &str = "\
Examples:
  nr render istio --module oci://registry.example.com/neural-router-filter:0.1.0 | kubectl apply --filename -
      a gateway of its own: Deployment, Service, Gateway, VirtualService, and what makes it this gateway
  nr render istio --module oci://… --selector istio=ingressgateway
      on a gateway you have; only what belongs to calls of models is rendered
  nr render istio --module oci://… --context sidecar --selector app=models
      in the sidecar of pods you have: it answers calls to listen.port in the place of the application
  nr render istio --module /opt/neural_router.wasm --selector app=models --context sidecar
      the filter is a file in the proxy, mounted by you

The proxy has to be Envoy 1.39 or newer with the extensions that docs/istio.md lists, which also says what each
resource is for, how to look whether a proxy has them, and what was tested how.";

/// Options of `nr render istio`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RenderIstio {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "neural-router.yaml")]
    pub(super) config: PathBuf,
    /// The filter: an image (oci://…) or a file (https://…) that Istio's agent fetches, or an absolute path in the proxy.
    #[arg(long, value_name = "URL|PATH", value_parser = module)]
    pub(super) module: Module,
    /// SHA-256 that a fetched filter must have: of the image's manifest, or of the file.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub(super) sha256: Option<String>,
    /// Which proxies: gateways, or sidecars of pods that are called.
    #[arg(long, value_enum, default_value_t = Context::Gateway)]
    pub(super) context: Context,
    /// Where everything goes, and where the pods are; it has to exist.
    #[arg(long, value_name = "NAME", default_value = NAME, value_parser = label)]
    pub(super) namespace: String,
    /// A label of the pods, which are yours then; may be said several times [default: a gateway of its own is rendered].
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, required_if_eq("context", "sidecar"))]
    pub(super) selector: Vec<(String, String)>,
    /// Pods of the gateway there are at least.
    #[arg(long, value_name = "N", default_value = "2", conflicts_with = "selector")]
    pub(super) replicas: NonZeroU16,
    /// Pods of the gateway there are at most.
    #[arg(long, value_name = "N", default_value = "10", conflicts_with = "selector")]
    pub(super) max_replicas: NonZeroU16,
}

/// Where in the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Context {
    /// Proxies that stand alone.
    Gateway,
    /// Proxies before an application, for what comes to it.
    Sidecar,
}

impl Context {
    /// As Istio names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "GATEWAY",
            Self::Sidecar => "SIDECAR_INBOUND",
        }
    }
}

/// Where the filter comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Module {
    /// Fetched by Istio's agent, which hands the proxy a file.
    Fetched(String),
    /// A file in the proxy.
    File(String),
}

fn module(text: &str) -> Result<Module, String> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        Err("expected visible ASCII".to_owned())
    } else if ["oci://", "https://", "http://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme)) {
        Ok(Module::Fetched(text.to_owned()))
    } else if text.starts_with('/') {
        Ok(Module::File(text.to_owned()))
    } else {
        Err("expected oci://…, https://… or an absolute path in the proxy".to_owned())
    }
}

fn digest(text: &str) -> Result<String, String> {
    let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex { Ok(text.to_owned()) } else { Err("expected 64 hexadecimal digits, lower case".to_owned()) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => unmistakable(value).map(|()| (key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, a label of the pods".to_owned()),
    }
}
