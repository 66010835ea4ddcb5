//! A listener of the mesh for calls, and a gateway of its own that has it.

use serde_json::{Value, json};

use super::About;
use crate::render::kubernetes::secrets::Secrets;
use crate::render::kubernetes::{NAME, manifest, workload};

/// The user of Istio's proxy.
const USER: u32 = 1337;

/// How long a pod that is to end waits for its calls, at most.
const DRAIN_S: u32 = 120;

/// For Istio's agent: a pod that is to end does so as soon as nobody is connected any more.
const AGENT: &str = "proxyMetadata:\n  EXIT_ON_ZERO_ACTIVE_CONNECTIONS: \"true\"\n  MINIMUM_DRAIN_DURATION: 5s\n";

/// The Gateway makes Istio listen. The VirtualService makes it have a route, which refuses: what answers
/// calls is put before it, and where that is missing nobody is let through unauthenticated.
pub(super) fn listener(about: &About<'_>) -> Vec<Value> {
    let mut server = json!({"port": {"number": about.port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]});
    if about.tls {
        server["port"] = json!({"number": about.port, "name": "https", "protocol": "HTTPS"});
        server["tls"] = json!({"mode": "SIMPLE", "credentialName": "neural-router-tls", "minProtocolVersion": "TLSV1_2"});
    }
    let resource = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": kind,
            "metadata": manifest::metadata(&about.options.namespace),
            "spec": spec,
        })
    };
    vec![
        resource("Gateway", json!({"selector": about.selector, "servers": [server]})),
        resource(
            "VirtualService",
            json!({
                "hosts": ["*"],
                "gateways": [NAME],
                "http": [{"name": "no-neural-router", "directResponse": {"status": 503}}],
            }),
        ),
    ]
}

/// The proxies themselves, injected by Istio into pods that have nothing else.
pub(super) fn proxies(about: &About<'_>) -> Vec<Value> {
    let metadata = || manifest::metadata(&about.options.namespace);
    let name = if about.tls { "https" } else { "http" };
    let mut all = vec![json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata()})];
    if about.tls {
        all.extend(certificate_reader(about));
    }
    all.extend([
        workload::deployment(metadata(), template(about)),
        // The same number on the Service, the listener and the pod: Istio goes by the first where it
        // matches routes and by the second where it matches listeners.
        workload::service(
            metadata(),
            &[
                json!({"name": name, "port": about.port, "targetPort": about.port}),
                json!({"name": "status-port", "port": 15021, "targetPort": 15021}),
            ],
        ),
        workload::autoscaler(metadata(), about.options.replicas, about.options.max_replicas),
        workload::disruption_budget(metadata()),
    ]);
    all
}

fn template(about: &About<'_>) -> Value {
    let mut labels = manifest::selector();
    labels["sidecar.istio.io/inject"] = "true".into();
    let mut container = json!({
        "name": "istio-proxy",
        // Istio puts its own in the place of this word.
        "image": "auto",
        "ports": [{"containerPort": about.port, "name": if about.tls { "https" } else { "http" }}],
        "securityContext": workload::confined(),
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
    });
    let mut spec = json!({
        "serviceAccountName": NAME,
        "enableServiceLinks": false,
        "securityContext": workload::user(USER),
        "terminationGracePeriodSeconds": DRAIN_S,
        "topologySpreadConstraints": workload::spread(),
    });
    if !about.secrets.is_empty() {
        container["volumeMounts"] = json!([Secrets::mount()]);
        spec["volumes"] = json!([about.secrets.volume(NAME)]);
    }
    spec["containers"] = json!([container]);
    json!({
        "metadata": {
            "labels": labels,
            "annotations": {"inject.istio.io/templates": "gateway", "proxy.istio.io/config": AGENT},
        },
        "spec": spec,
    })
}

/// Istio hands a certificate only to proxies that may read its Secret.
fn certificate_reader(about: &About<'_>) -> [Value; 2] {
    let metadata = || manifest::metadata(&about.options.namespace);
    [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata(),
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata(),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME}],
        }),
    ]
}
