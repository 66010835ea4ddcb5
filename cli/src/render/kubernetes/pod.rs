//! The pod: who may do what in it, where its files come from, how it is asked whether it is well, and
//! how it ends. It satisfies the `restricted` level of Kubernetes' pod security standards.

use neural_router::config::Document;
use serde_json::{Value, json};

use super::options::RenderKubernetes;
use super::secrets::Secrets;
use super::{CONFIG, MODULE, NAME, TLS, manifest, metrics, workload};

/// The user `envoy` of Envoy's image.
const USER: u32 = 101;

/// Worker threads. Without a number Envoy takes one for each core of the *node*, each with VMs of its own.
const WORKERS: &str = "2";

/// How long a pod that is to end waits for its calls, at most.
const DRAIN_S: u64 = 120;

/// Beyond that, for Envoy's own end.
const GRACE_S: u64 = 15;

pub(super) struct About<'a> {
    pub(super) options: &'a RenderKubernetes,
    pub(super) document: &'a Document,
    pub(super) secrets: &'a Secrets,
    /// Of the configuration.
    pub(super) digest: String,
}

pub(super) fn template(about: &About<'_>) -> Value {
    json!({
        "metadata": {
            "labels": manifest::selector(),
            "annotations": {
                "checksum/config": about.digest,
                "prometheus.io/scrape": "true",
                "prometheus.io/port": metrics::PORT.to_string(),
                "prometheus.io/path": "/stats/prometheus",
            },
        },
        "spec": {
            "serviceAccountName": NAME,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                // Owns the mounted secrets, which nobody else may read.
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": DRAIN_S + GRACE_S,
            "topologySpreadConstraints": workload::spread(),
            "initContainers": [module(about)],
            "containers": [envoy(about)],
            "volumes": volumes(about),
        },
    })
}

/// Copies the filter out of the image of this project.
fn module(about: &About<'_>) -> Value {
    json!({
        "name": "module",
        "image": about.options.image,
        "command": ["cp", "/usr/local/lib/neural-router/neural_router.wasm", format!("{MODULE}/neural_router.wasm")],
        "securityContext": confined(),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "volumeMounts": [{"name": "module", "mountPath": MODULE}],
    })
}

fn envoy(about: &About<'_>) -> Value {
    let drain = DRAIN_S.to_string();
    let (scheme, port) = if about.document.listen.tls.is_some() { ("HTTPS", "https") } else { ("HTTP", "http") };
    // Answered by the filter, so it says that the module runs; asks for no key and counts for nobody.
    let healthy = |period: u32, failures: u32| {
        json!({
            "httpGet": {"path": "/healthz", "port": port, "scheme": scheme},
            "periodSeconds": period,
            "timeoutSeconds": 3,
            "failureThreshold": failures,
        })
    };
    let read_only = |name: &str, path: &str| json!({"name": name, "mountPath": path, "readOnly": true});
    let mut mounts = vec![read_only("config", CONFIG), read_only("module", MODULE)];
    if !about.secrets.is_empty() {
        mounts.push(Secrets::mount());
    }
    if about.document.listen.tls.is_some() {
        mounts.push(read_only("tls", TLS));
    }
    json!({
        "name": "envoy",
        "image": about.options.envoy_image,
        "command": [
            "envoy", "--config-path", format!("{CONFIG}/envoy.yaml"), "--concurrency", WORKERS,
            "--disable-hot-restart", "--drain-time-s", drain, "--drain-strategy", "immediate", "--log-level", "warning",
        ],
        "ports": [
            {"name": port, "containerPort": about.document.listen.port},
            {"name": "metrics", "containerPort": metrics::PORT},
        ],
        "startupProbe": healthy(1, 60),
        "readinessProbe": healthy(5, 2),
        // Restarting an Envoy cuts its streams and forgets its counters: only when it is surely dead.
        "livenessProbe": healthy(10, 6),
        "lifecycle": {"preStop": {"exec": {"command": ["bash", format!("{CONFIG}/drain.sh"), drain]}}},
        "securityContext": confined(),
        // A machine of the filter traps near 1 GiB: the limit is above what one of them can take alone.
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": mounts,
    })
}

fn confined() -> Value {
    json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
}

fn volumes(about: &About<'_>) -> Vec<Value> {
    let files = ["envoy.yaml", "drain.sh"].map(|file| json!({"key": file, "path": file}));
    let mut volumes = vec![
        json!({"name": "config", "configMap": {"name": NAME, "items": files}}),
        json!({"name": "module", "emptyDir": {"sizeLimit": "16Mi"}}),
    ];
    if !about.secrets.is_empty() {
        volumes.push(about.secrets.volume(NAME));
    }
    if about.document.listen.tls.is_some() {
        volumes.push(json!({"name": "tls", "secret": {"secretName": "neural-router-tls", "defaultMode": 0o440}}));
    }
    volumes
}
