//! `nr render envoy`: the bootstrap itself. That Envoy accepts it is shown by the suite on the real Envoy.

use serde_yaml_ng::Value;

use super::{Scratch, demo_with, nr, root, run, stderr, stdout};

fn rendered(arguments: &[&str]) -> String {
    let output = run(&[&["render", "envoy"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// The value at a dotted path; numbers are positions.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(value, |value, step| {
        let inner = step.parse::<usize>().map_or_else(|_| value.get(step), |position| value.get(position));
        inner.unwrap_or_else(|| panic!("no {step} of {path}"))
    })
}

const MANAGER: &str = "static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

#[test]
fn the_rendered_demo_in_the_repository_is_current() {
    let kept = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    let now = rendered(&["--config", "examples/demo.yaml"]);
    assert!(kept == now, "envoy/envoy.yaml is stale: nr render envoy --config examples/demo.yaml > envoy/envoy.yaml");
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    let arguments = ["--config", "examples/neural-router.yaml"];
    assert_eq!(rendered(&arguments), rendered(&arguments));
}

#[test]
fn holds_no_key_and_no_name_of_a_variable() {
    let output = nr(&["render", "envoy", "--config", "examples/neural-router.yaml"])
        .env("OPENAI_API_KEY", "sk-canary")
        .env("ANTHROPIC_API_KEY", "sk-canary")
        .output()
        .unwrap();
    assert!(output.status.success());
    for secret in ["sk-canary", "OPENAI_API_KEY", "nr-demo-"] {
        assert!(!stdout(&output).contains(secret), "{secret} is in the bootstrap");
    }
}

#[test]
fn both_seats_share_data_but_no_machine() {
    let yaml: Value = serde_yaml_ng::from_str(&rendered(&["--config", "examples/demo.yaml", "--wasm", "/opt/f.wasm"])).unwrap();
    let upstream = "static_resources/clusters/0/typed_extension_protocol_options/\
                    envoy.extensions.upstreams.http.v3.HttpProtocolOptions/http_filters/0/typed_config/config";
    let down = at(&yaml, &format!("{MANAGER}/http_filters/0/typed_config/config"));
    let up = at(&yaml, upstream);
    for seat in [down, up] {
        assert_eq!(at(seat, "vm_config/vm_id"), "neural-router");
        assert_eq!(at(seat, "vm_config/code/local/filename"), "/opt/f.wasm");
        assert_eq!(at(seat, "failure_policy"), "FAIL_RELOAD");
        assert_eq!(at(seat, "allow_on_headers_stop_iteration"), &Value::Bool(true));
    }
    assert_eq!(at(down, "vm_config/configuration/value"), "router");
    assert_eq!(at(up, "vm_config/configuration/value"), "provider");
}

#[test]
fn every_provider_is_a_cluster_the_route_knows() {
    let yaml: Value = serde_yaml_ng::from_str(&rendered(&["--config", "examples/neural-router.yaml"])).unwrap();
    let clusters: Vec<&Value> = at(&yaml, "static_resources/clusters").as_sequence().unwrap().iter().map(|c| at(c, "name")).collect();
    let route = at(&yaml, &format!("{MANAGER}/route_config/virtual_hosts/0/routes/0"));
    let matcher = "route/inline_cluster_specifier_plugin/extension/typed_config/cluster_matcher/matcher_tree/exact_match_map/map";
    let known: Vec<&Value> = at(route, matcher).as_mapping().unwrap().keys().collect();
    assert_eq!(clusters, known);
    assert_eq!(clusters, ["provider_anthropic", "provider_groq", "provider_openai"]);
}

#[test]
fn the_body_limit_of_envoy_is_above_the_one_of_the_filter() {
    let scratch = Scratch::new();
    // Answers with embeddings take up to 40 MiB.
    for (most, expected) in [(2000, 41 << 20), (64 << 20, 65 << 20)] {
        let file = scratch.file("case.yaml", &demo_with("  port: 8080", &format!("  port: 8080\n  max_request_bytes: {most}")));
        let yaml: Value = serde_yaml_ng::from_str(&rendered(&["--config", &file])).unwrap();
        let limit = at(&yaml, &format!("{MANAGER}/route_config/virtual_hosts/0/routes/0/request_body_buffer_limit"));
        assert_eq!(limit.as_u64(), Some(expected), "{most}");
    }
}

#[test]
fn pages_may_call_only_where_the_configuration_says_so() {
    let plain = rendered(&["--config", "examples/demo.yaml"]);
    assert!(!plain.contains("cors"), "CORS is off unless it is asked for");

    let scratch = Scratch::new();
    let cors = "  port: 8080\n  cors: {allow_origins: [https://a.example, http://localhost:3000], max_age_s: 60}";
    let with_cors = rendered(&["--config", &scratch.file("case.yaml", &demo_with("  port: 8080", cors))]);
    let yaml: Value = serde_yaml_ng::from_str(&with_cors).unwrap();
    let filters = at(&yaml, &format!("{MANAGER}/http_filters")).as_sequence().unwrap();
    let names: Vec<&Value> = filters.iter().map(|filter| at(filter, "name")).collect();
    assert_eq!(names, ["envoy.filters.http.set_filter_state", "envoy.filters.http.cors", "neural_router", "envoy.filters.http.router"]);
    let host = at(&yaml, &format!("{MANAGER}/route_config/virtual_hosts/0"));
    let policy = at(host, "typed_per_filter_config/envoy.filters.http.cors");
    let origins = at(policy, "allow_origin_string_match").as_sequence().unwrap().iter().map(|origin| at(origin, "exact"));
    assert_eq!(origins.collect::<Vec<_>>(), ["https://a.example", "http://localhost:3000"]);
    assert_eq!((at(policy, "max_age"), policy.get("allow_credentials")), (&Value::from("60"), None));
    assert_eq!(at(host, "response_headers_to_add/0/header/key"), "access-control-allow-origin");
    let remembered = at(filters.first().unwrap(), "typed_config/on_request_headers/0/format_string/text_format_source/inline_string");
    let allowed = "request.headers['origin'] in ['https://a.example', 'http://localhost:3000']";
    assert_eq!(remembered, &Value::from(format!("%CEL({allowed} ? request.headers['origin'] : '')%")));
    let seat = at(&yaml, &format!("{MANAGER}/http_filters/2/typed_config/config/configuration/value"));
    assert!(!seat.as_str().unwrap().contains("cors"), "the filter has nothing to do with it: {seat:?}");
}

#[test]
fn a_provider_is_asked_for_and_checked_by_its_own_name() {
    let yaml: Value = serde_yaml_ng::from_str(&rendered(&["--config", "examples/neural-router.yaml"])).unwrap();
    let tls = at(&yaml, "static_resources/clusters/0/transport_socket/typed_config");
    assert_eq!(at(tls, "sni"), "api.anthropic.com");
    let names = at(tls, "common_tls_context/validation_context/match_typed_subject_alt_names/0");
    assert_eq!(at(names, "matcher/exact"), "api.anthropic.com");
}

#[test]
fn a_broken_configuration_renders_nothing() {
    let scratch = Scratch::new();
    let file = scratch.file("case.yaml", &demo_with("port: 8080", "port: 0"));
    let output = run(&["render", "envoy", "--config", &file]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
}
