//! The service that counts for all Envoys, and whether it can count what there is to count.

use std::net::Ipv6Addr;

use super::{Checked, err, name};
use crate::config::catalog::Endpoint;
use crate::config::policy::{Budget, Limits};
use crate::config::sharing::{Kind, Sharing, counted};
use crate::config::{Workspaces, document};

/// A call that waits longer has waited too long for a counter.
const TIMEOUT_MS: core::ops::RangeInclusive<u32> = 10..=10_000;

const SHARE: core::ops::RangeInclusive<f64> = 0.001..=0.5;

pub(super) fn sharing(written: &document::Sharing, workspaces: &Workspaces) -> Checked<Option<Sharing>> {
    if !TIMEOUT_MS.contains(&written.timeout_ms) {
        return err("limits.timeout_ms", format!("milliseconds from {} to {}", TIMEOUT_MS.start(), TIMEOUT_MS.end()));
    }
    if !SHARE.contains(&written.lease.share) {
        return err("limits.lease.share", format!("a part from {} to {}", SHARE.start(), SHARE.end()));
    }
    let domain = name("limits.domain", &written.domain)?;
    let service = match (written.scope, &written.service) {
        (document::Scope::Envoy, None) => return Ok(None),
        (document::Scope::Envoy, Some(_)) => {
            return err("limits.service", "only with `scope: fleet`; with `scope: envoy` nobody asks a service");
        }
        (document::Scope::Fleet, None) => {
            return err("limits.service", "needed with `scope: fleet`: `{address: …, port: …}` of a rate-limit service");
        }
        (document::Scope::Fleet, Some(service)) => service,
    };
    let endpoint = endpoint(service)?;
    for (w, workspace) in workspaces.iter().enumerate() {
        countable(&format!("workspaces[{w}]"), &workspace.limits, workspace.budget.as_ref())?;
        for (k, key) in workspaces.keys().filter(|key| key.workspace.0 == w).enumerate() {
            countable(&format!("workspaces[{w}].keys[{k}]"), &key.limits, None)?;
        }
    }
    let deny = written.on_unavailable == document::OnUnavailable::Deny;
    Ok(Some(Sharing { endpoint, domain, timeout_ms: written.timeout_ms, deny, share: written.lease.share }))
}

fn endpoint(service: &document::Service) -> Checked<Endpoint> {
    if service.port == 0 {
        return err("limits.service.port", "a port from 1 to 65535");
    }
    let address = &service.address;
    let host = if address.parse::<Ipv6Addr>().is_ok() { format!("[{address}]") } else { address.clone() };
    let scheme = if service.tls { "https" } else { "http" };
    match Endpoint::parse(&format!("{scheme}://{host}:{}", service.port)) {
        Ok(endpoint) if endpoint.path.is_empty() && endpoint.port == service.port => Ok(endpoint),
        _ => err("limits.service.address", format!("`{address}` is neither a host name nor an IP address")),
    }
}

/// The protocol counts in 32 bits, and in whole units.
fn countable(path: &str, limits: &Limits, budget: Option<&Budget>) -> Checked<()> {
    for limit in counted(limits, budget) {
        let (field, most) = match limit.kind {
            Kind::Requests => ("limits.requests_per_minute", "4294967295"),
            Kind::Tokens => ("limits.tokens_per_minute", "4294967295"),
            Kind::Budget => ("budget.usd", "429496.7295"),
        };
        if limit.hits == 0 || u32::try_from(limit.hits).is_err() {
            let least = if limit.kind == Kind::Budget { "0.0001" } else { "1" };
            return err(
                format!("{path}.{field}"),
                format!("from {least} to {most} where a service counts for the fleet, whose protocol has 32 bits"),
            );
        }
    }
    Ok(())
}
