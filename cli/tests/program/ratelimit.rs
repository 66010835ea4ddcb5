//! `nr render ratelimit`, and what `limits.scope: fleet` adds to the bootstrap. That services and Envoy take them is
//! shown by the suites that run them.

use serde_yaml_ng::Value;

use super::{Scratch, demo_with, run, stderr, stdout};

const FLEET: &str = "limits: {scope: fleet, service: {address: ratelimit.internal, port: 8081}, domain: d}\nworkspaces:\n";

fn rendered(scratch: &Scratch, arguments: &[&str]) -> (Value, String) {
    let file = scratch.file("fleet.yaml", &demo_with("workspaces:\n", FLEET));
    let output = run(&[&["render"], arguments, &["--config", &file]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    (serde_yaml_ng::from_str(&stdout(&output)).unwrap(), stderr(&output))
}

fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}

#[test]
fn limitador_gets_a_counter_for_each_limit_and_window_that_outlives_the_window() {
    let scratch = Scratch::new();
    for (service, scope, limit, window) in [
        ("limitador", "descriptors[0]['nr_scope']", "descriptors[0]['nr_limit']", "descriptors[0]['nr_window']"),
        ("limitador-1", "nr_scope", "nr_limit", "nr_window"),
    ] {
        let (limits, warnings) = rendered(&scratch, &["ratelimit", "--for", service]);
        let counter = |kind: &str, hits: u64, seconds: u64| {
            yaml(&format!(
                "{{name: demo {kind}, namespace: d, max_value: {hits}, seconds: {seconds}, variables: [\"{window}\"], \
                 conditions: [\"{scope} == 'demo'\", \"{limit} == '{kind}'\"]}}"
            ))
        };
        let expected = vec![counter("requests", 600, 120), counter("tokens", 400_000, 120), counter("budget", 250_000, 62 * 86_400)];
        assert_eq!(limits, Value::Sequence(expected), "{service}");
        assert!(!warnings.contains("budget of"), "{warnings}");
    }
}

#[test]
fn envoyproxy_gets_units_whose_edges_are_edges_of_ours_and_a_warning_where_there_are_none() {
    let (limits, warnings) = rendered(&Scratch::new(), &["ratelimit", "--for", "envoyproxy"]);
    let expected = yaml(
        "domain: d
descriptors:
- key: nr_scope
  value: demo
  descriptors:
  - {key: nr_limit, value: requests, descriptors: [{key: nr_window, rate_limit: {unit: hour, requests_per_unit: 600}}]}
  - {key: nr_limit, value: tokens, descriptors: [{key: nr_window, rate_limit: {unit: hour, requests_per_unit: 400000}}]}
  - {key: nr_limit, value: budget, descriptors: [{key: nr_window, rate_limit: {unit: year, requests_per_unit: 250000}}]}
",
    );
    assert_eq!(limits, expected);
    assert!(warnings.contains("the budget of `demo`: envoyproxy/ratelimit begins every counter anew every 365 days"), "{warnings}");
}

#[test]
fn without_a_fleet_there_is_nothing_to_count() {
    let output = run(&["render", "ratelimit", "--for", "limitador", "--config", "examples/demo.yaml"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("limits.scope: `envoy`"), "{}", stderr(&output));
}

#[test]
fn the_service_is_a_cluster_of_http_2_without_a_seat() {
    let (bootstrap, _) = rendered(&Scratch::new(), &["envoy"]);
    let clusters = bootstrap["static_resources"]["clusters"].as_sequence().unwrap();
    let cluster = clusters.iter().find(|cluster| cluster["name"] == "nr_ratelimit").expect("a cluster");
    let options = &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    assert!(options["explicit_http_config"]["http2_protocol_options"].is_mapping(), "{options:?}");
    assert!(options.get("http_filters").is_none());
    let address = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"];
    assert_eq!(*address, yaml("{address: ratelimit.internal, port_value: 8081}"));
}
