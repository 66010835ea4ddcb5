//! The pod: who may do what in it, where its files come from, how it is asked whether it is well, and
//! how it ends. It satisfies the `restricted` level of Kubernetes' pod security standards.

use serde_json::{Value, json};

use super::options::RenderKubernetes;
use super::secrets::{SECRET, Secrets};
use super::{CONFIG, DEFINITIONS, FILE, METRICS, MODULE, NAME, RUN, TLS, manifest, workload};
use crate::site::Site;

/// The user `envoy` of Envoy's image.
const USER: u32 = 101;

/// Worker threads. Without a number Envoy takes one for each core of the *node*, each with VMs of its own.
const WORKERS: &str = "2";

/// Runs in a pod that is to end. `ADMIN` is replaced by the port.
const DRAIN: &str = include_str!("drain.sh");

/// How long a pod that is to end waits for its calls, at most.
const DRAIN_S: u64 = 120;

/// Beyond that, for Envoy's own end.
const GRACE_S: u64 = 15;

/// How long connections may last that came before a change of the listener: longer than a call may take in any
/// configuration, since a pod's command does not change with it.
const LISTENER_DRAIN_S: u32 = 3_630;

pub(super) struct About<'a> {
    pub(super) options: &'a RenderKubernetes,
    pub(super) site: &'a Site,
    pub(super) port: u16,
    pub(super) admin: u16,
    pub(super) tls: bool,
    pub(super) secrets: &'a Secrets,
    /// Of what Envoy reads only at its start.
    pub(super) bootstrap: String,
}

pub(super) fn template(about: &About<'_>) -> Value {
    json!({
        "metadata": {
            "labels": manifest::selector(),
            "annotations": {
                // All else that needs new pods when it changes stands in this template itself.
                "checksum/bootstrap": about.bootstrap,
                "prometheus.io/scrape": "true",
                "prometheus.io/port": METRICS.to_string(),
                "prometheus.io/path": "/stats/prometheus",
            },
        },
        "spec": {
            "serviceAccountName": NAME,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            // Its group owns the mounted secrets, which nobody else may read.
            "securityContext": workload::user(USER),
            "terminationGracePeriodSeconds": DRAIN_S + GRACE_S,
            "topologySpreadConstraints": workload::spread(),
            "initContainers": [module(about), render(about), apply(about)],
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
        "securityContext": workload::confined(),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "volumeMounts": [{"name": "module", "mountPath": MODULE}],
    })
}

/// Renders what Envoy starts with. With a configuration that is wrong, or without a key that it names, the pod
/// does not start, and this says why.
fn render(about: &About<'_>) -> Value {
    let file = format!("{CONFIG}/{FILE}");
    let module = format!("{MODULE}/neural_router.wasm");
    let mut command =
        ["nr", "render", "files", RUN, "--config", &file, "--wasm", &module, "--secrets", DEFINITIONS].map(str::to_owned).to_vec();
    command.extend(about.site.words());
    let mut mounts = vec![read_only("config", CONFIG), Secrets::mount(), run(false)];
    if about.tls {
        mounts.push(read_only("tls", TLS));
    }
    nr("render", &command, &mounts, about)
}

/// Applies what becomes of the ConfigMap while Envoy runs. A sidecar, since Kubernetes ends those after the
/// other containers: while a pod lets its calls end, a key can still be revoked. Every wait in it has an end, so
/// it needs no probe; killed at any moment, it goes on where it was.
fn apply(about: &About<'_>) -> Value {
    let file = format!("{CONFIG}/{FILE}");
    let command = ["nr", "apply", &file, "--run-dir", RUN, "--watch"].map(str::to_owned);
    let mut sidecar = nr("apply", &command, &[read_only("config", CONFIG), Secrets::mount(), run(false)], about);
    sidecar["restartPolicy"] = "Always".into();
    sidecar
}

fn nr(name: &str, command: &[String], mounts: &[Value], about: &About<'_>) -> Value {
    json!({
        "name": name,
        "image": about.options.image,
        "command": command,
        "securityContext": workload::confined(),
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": mounts,
    })
}

fn envoy(about: &About<'_>) -> Value {
    let (scheme, port) = if about.tls { ("HTTPS", "https") } else { ("HTTP", "http") };
    // Answered by the filter, so it says that the module runs; asks for no key and counts for nobody.
    let healthy = |period: u32, failures: u32| {
        json!({
            "httpGet": {"path": "/healthz", "port": port, "scheme": scheme},
            "periodSeconds": period,
            "timeoutSeconds": 3,
            "failureThreshold": failures,
        })
    };
    let drain = DRAIN.replace("ADMIN", &about.admin.to_string());
    let mut mounts = vec![read_only("module", MODULE), run(true), Secrets::mount()];
    if about.tls {
        mounts.push(read_only("tls", TLS));
    }
    json!({
        "name": "envoy",
        "image": about.options.envoy_image,
        "command": [
            "envoy", "--config-path", format!("{RUN}/envoy.yaml"), "--concurrency", WORKERS, "--disable-hot-restart",
            "--drain-time-s", LISTENER_DRAIN_S.to_string(), "--drain-strategy", "immediate", "--log-level", "warning",
        ],
        "ports": [
            {"name": port, "containerPort": about.port},
            {"name": "metrics", "containerPort": METRICS},
        ],
        "startupProbe": healthy(1, 60),
        "readinessProbe": healthy(5, 2),
        // Restarting an Envoy cuts its streams and forgets its counters: only when it is surely dead.
        "livenessProbe": healthy(10, 6),
        "lifecycle": {"preStop": {"exec": {"command": ["bash", "-c", drain, "drain.sh", DRAIN_S.to_string()]}}},
        "securityContext": workload::confined(),
        // A machine of the filter traps near 1 GiB: the limit is above what one of them can take alone.
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": mounts,
    })
}

fn read_only(name: &str, path: &str) -> Value {
    json!({"name": name, "mountPath": path, "readOnly": true})
}

fn run(is_read_only: bool) -> Value {
    if is_read_only { read_only("run", RUN) } else { json!({"name": "run", "mountPath": RUN}) }
}

fn volumes(about: &About<'_>) -> Vec<Value> {
    // Whole, so that what a changed configuration names can come without new pods. Pods do not start without it
    // if there has to be one.
    let mut secrets = json!({"secretName": SECRET, "defaultMode": 0o440});
    if !about.secrets.has_entries() {
        secrets["optional"] = true.into();
    }
    let mut volumes = vec![
        json!({"name": "config", "configMap": {"name": NAME}}),
        json!({"name": "module", "emptyDir": {"sizeLimit": "16Mi"}}),
        json!({"name": "run", "emptyDir": {"sizeLimit": "64Mi"}}),
        json!({"name": "secrets", "secret": secrets}),
    ];
    if about.tls {
        volumes.push(json!({"name": "tls", "secret": {"secretName": "neural-router-tls", "defaultMode": 0o440}}));
    }
    volumes
}
