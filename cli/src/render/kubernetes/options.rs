//! What `nr render kubernetes` can be asked.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  nr render kubernetes --image registry.example.com/neural-router:0.1.0 | kubectl apply --filename -
  nr render kubernetes --image neural-router:local --config examples/demo.yaml --namespace trial

One stream of manifests: ConfigMap, ServiceAccount, Deployment, Service, HorizontalPodAutoscaler and
PodDisruptionBudget, all named neural-router. Its first lines say which commands come before it. No secret is in it:
each provider key that the configuration takes from a variable is an entry of that name in the Secret
neural-router-providers, and the certificate of `listen.tls` is the Secret neural-router-tls.
`listen.address`, `admin.address` and `telemetry.metrics` are the pod's own, whatever the file says. Running pods take a
changed ConfigMap; what needs new pods changes the Deployment, which rolls them out. docs/kubernetes.md has the rest.";

/// Options of `nr render kubernetes`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RenderKubernetes {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "neural-router.yaml")]
    pub(super) config: PathBuf,
    /// The image of this project (docker/Dockerfile), where the cluster pulls it: pods take the filter from it.
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    pub(super) image: String,
    /// Envoy 1.40 with a shell.
    #[arg(long, value_name = "IMAGE", default_value = "envoyproxy/envoy:v1.40-latest", value_parser = image)]
    pub(super) envoy_image: String,
    /// Where everything goes; it has to exist.
    #[arg(long, value_name = "NAME", default_value = super::NAME, value_parser = label)]
    pub(super) namespace: String,
    /// Pods there are at least.
    #[arg(long, value_name = "N", default_value = "2")]
    pub(super) replicas: NonZeroU16,
    /// Pods there are at most.
    #[arg(long, value_name = "N", default_value = "10")]
    pub(super) max_replicas: NonZeroU16,
}

/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>
pub(in crate::render) fn label(text: &str) -> Result<String, String> {
    let inner = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    unmistakable(text)?;
    if inner && !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && !text.ends_with('-') {
        Ok(text.to_owned())
    } else {
        Err("expected lower-case letters, digits and `-` inside, 63 at most".to_owned())
    }
}

/// Kubernetes reads YAML 1.1, where more words are booleans and more digits are numbers than in what is
/// printed here without quotes.
pub(in crate::render) fn unmistakable(text: &str) -> Result<(), String> {
    let boolean = ["y", "n", "yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') && text.contains('_');
    if boolean || number { Err("Kubernetes' reader of YAML would not take this for a text; take another word".to_owned()) } else { Ok(()) }
}

fn image(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected the name of an image".to_owned())
    }
}
