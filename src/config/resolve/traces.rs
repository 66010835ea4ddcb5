//! Where spans go: a collector that can be there, a share that is one.

use super::{Checked, err, name};
use crate::config::catalog::Endpoint;
use crate::config::document::{Otlp, Telemetry};

/// Whether calls are traced.
pub(super) fn traced(telemetry: &Telemetry) -> Checked<bool> {
    let Some(traces) = &telemetry.traces else { return Ok(false) };
    let endpoint = Endpoint::parse(&traces.endpoint).or_else(|message| err("telemetry.traces.endpoint", message))?;
    if traces.protocol == Otlp::Grpc && !endpoint.path.is_empty() {
        return err("telemetry.traces.endpoint", "gRPC has no paths, such as http://otel-collector:4317; or say `protocol: http`");
    }
    if !(0.0..=1.0).contains(&traces.sampling) {
        return err("telemetry.traces.sampling", "a share of the calls, from 0 to 1");
    }
    name("telemetry.traces.service_name", &traces.service_name)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(traces: Value) -> Checked<bool> {
        let telemetry = serde_json::from_value(json!({"traces": traces})).expect("a shape");
        traced(&telemetry)
    }

    #[test]
    fn calls_are_traced_where_it_is_written() {
        assert_eq!(traced(&Telemetry::default()), Ok(false));
        for traces in [
            json!({"endpoint": "http://otel-collector:4317"}),
            json!({"endpoint": "https://collector.example.com:4318/otlp", "protocol": "http", "sampling": 0.01}),
            json!({"endpoint": "http://[::1]:4317", "protocol": "grpc", "sampling": 0, "service_name": "gateway.eu"}),
        ] {
            assert_eq!(of(traces.clone()), Ok(true), "{traces}");
        }
    }

    #[test]
    fn a_mistake_is_refused_by_its_path() {
        for (traces, path) in [
            (json!({"endpoint": "otel-collector:4317"}), "telemetry.traces.endpoint"),
            (json!({"endpoint": "http://collector:4317/v1/traces"}), "telemetry.traces.endpoint"),
            (json!({"endpoint": "http://collector:4317", "sampling": 1.01}), "telemetry.traces.sampling"),
            (json!({"endpoint": "http://collector:4317", "sampling": -0.1}), "telemetry.traces.sampling"),
            (json!({"endpoint": "http://collector:4317", "service_name": ""}), "telemetry.traces.service_name"),
        ] {
            assert_eq!(of(traces.clone()).map_err(|error| error.path), Err(path.to_owned()), "{traces}");
        }
    }
}
