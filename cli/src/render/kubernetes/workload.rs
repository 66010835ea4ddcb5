//! What keeps pods there in the right number, whatever is in them.

use std::num::NonZeroU16;

use serde_json::{Value, json};

use super::{NAME, manifest};

/// Share of the CPU that pods ask for at which there are more of them. A call costs CPU at its start
/// and its end; streams in between cost little.
const CPU_PERCENT: u32 = 70;

/// Without a number of replicas: that is the autoscaler's.
pub(in crate::render) fn deployment(metadata: Value, template: Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": manifest::selector()},
            // A new pod is ready before an old one goes: no call waits for a rollout.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    })
}

pub(in crate::render) fn service(metadata: Value, ports: &[Value]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": "ClusterIP", "selector": manifest::selector(), "ports": ports},
    })
}

pub(in crate::render) fn autoscaler(metadata: Value, replicas: NonZeroU16, max_replicas: NonZeroU16) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": replicas,
            "maxReplicas": max_replicas.max(replicas),
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": CPU_PERCENT},
            }}],
            // A pod that goes takes the health it has learned and the counters of its limits with it.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    })
}

pub(in crate::render) fn disruption_budget(metadata: Value) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": manifest::selector()}},
    })
}

/// What the `restricted` level of Kubernetes' pod security standards asks of a pod.
pub(in crate::render) fn user(id: u32) -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": id,
        "runAsGroup": id,
        "fsGroup": id,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// What it asks of a container, and a root file system that is read-only.
pub(in crate::render) fn confined() -> Value {
    json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
}

/// Over nodes and zones as far as there are any; no pod stays unscheduled for it.
pub(in crate::render) fn spread() -> Value {
    let over = |key: &str| {
        json!({
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": manifest::selector()},
        })
    };
    json!([over("topology.kubernetes.io/zone"), over("kubernetes.io/hostname")])
}
