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
    let down = at(&yaml, &format!("{MANAGER}/http_filters/1/typed_config/config"));
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
    assert_eq!(
        names,
        [
            "envoy.filters.http.health_check",
            "envoy.filters.http.set_filter_state",
            "envoy.filters.http.cors",
            "neural_router",
            "envoy.filters.http.router"
        ]
    );
    let host = at(&yaml, &format!("{MANAGER}/route_config/virtual_hosts/0"));
    let policy = at(host, "typed_per_filter_config/envoy.filters.http.cors");
    let origins = at(policy, "allow_origin_string_match").as_sequence().unwrap().iter().map(|origin| at(origin, "exact"));
    assert_eq!(origins.collect::<Vec<_>>(), ["https://a.example", "http://localhost:3000"]);
    assert_eq!((at(policy, "max_age"), policy.get("allow_credentials")), (&Value::from("60"), None));
    assert_eq!(at(host, "response_headers_to_add/0/header/key"), "access-control-allow-origin");
    let remembered = at(&filters[1], "typed_config/on_request_headers/0/format_string/text_format_source/inline_string");
    let allowed = "request.headers['origin'] in ['https://a.example', 'http://localhost:3000']";
    assert_eq!(remembered, &Value::from(format!("%CEL({allowed} ? request.headers['origin'] : '')%")));
    let seat = at(&yaml, &format!("{MANAGER}/http_filters/3/typed_config/config/configuration/value"));
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

/// As Envoy's guide to edge proxies wants it (<https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge>).
#[test]
fn what_a_client_may_take_is_bounded() {
    let yaml: Value = serde_yaml_ng::from_str(&rendered(&["--config", "examples/demo.yaml"])).unwrap();
    let manager = at(&yaml, MANAGER);
    for (path, expected) in [
        ("request_headers_timeout", Value::from("10s")),
        ("request_timeout", "130s".into()),
        ("common_http_protocol_options/idle_timeout", "900s".into()),
        ("common_http_protocol_options/max_headers_count", 100.into()),
        ("max_request_headers_kb", 60.into()),
        ("http2_protocol_options/max_concurrent_streams", 100.into()),
        ("http2_protocol_options/initial_stream_window_size", (256 << 10).into()),
        ("http2_protocol_options/initial_connection_window_size", (1 << 20).into()),
        ("normalize_path", true.into()),
        ("use_remote_address", true.into()),
    ] {
        assert_eq!(at(manager, path), &expected, "{path}");
    }
    assert_eq!(at(&yaml, "static_resources/listeners/0/per_connection_buffer_limit_bytes"), &Value::from(64 << 10));
    assert_eq!(at(&yaml, "static_resources/clusters/0/per_connection_buffer_limit_bytes"), &Value::from(64 << 10));
    let connections = at(&yaml, "overload_manager/resource_monitors/0/typed_config/max_active_downstream_connections");
    assert_eq!(connections, &Value::from(50_000));
    assert_eq!(yaml["overload_manager"].get("actions"), None, "without a bound of the heap there is nothing to act on");
    assert_eq!(at(&yaml, "admin/ignore_global_conn_limit"), &Value::Bool(true));
    assert_eq!(at(&yaml, "admin/address/socket_address/address"), "127.0.0.1");
}

#[test]
fn load_is_shed_in_steps_below_the_bound_of_the_heap() {
    let scratch = Scratch::new();
    let file = scratch.file("case.yaml", &demo_with("  port: 8080", "  port: 8080\n  max_connections: 7\n  max_heap_bytes: 1000000000"));
    let text = rendered(&["--config", &file]);
    let yaml: Value = serde_yaml_ng::from_str(&text).unwrap();
    let overload = at(&yaml, "overload_manager");
    assert_eq!(at(overload, "resource_monitors/0/typed_config/max_active_downstream_connections"), &Value::from(7));
    assert_eq!(at(overload, "resource_monitors/1/typed_config/max_heap_size_bytes"), &Value::from(1_000_000_000));
    let steps = at(overload, "actions").as_sequence().unwrap();
    let shares: Vec<f64> = steps.iter().map(|step| at(step, "triggers/0/threshold/value").as_f64().unwrap()).collect();
    assert!(shares.is_sorted() && shares.iter().all(|share| (0.5..1.0).contains(share)) && shares.len() == 4, "{shares:?}");
    let seat = at(&yaml, &format!("{MANAGER}/http_filters/1/typed_config/config/configuration/value"));
    assert!(!seat.as_str().unwrap().contains("1000000000"), "the filter has nothing to do with it: {seat:?}");
}

#[test]
fn the_listener_s_certificate_comes_from_files_that_are_watched() {
    let scratch = Scratch::new();
    let tls = |key: &str| format!("  port: 8080\n  tls: {{certificate: {{file: /etc/tls/cert.pem}}, private_key: {{file: {key}}}}}");
    for (key, directory) in [("/etc/tls/key.pem", Some("/etc/tls")), ("/etc/keys/key.pem", None)] {
        let (file, secrets) = (scratch.file("case.yaml", &demo_with("  port: 8080", &tls(key))), scratch.path("secrets"));
        let yaml: Value = serde_yaml_ng::from_str(&rendered(&["--config", &file, "--secrets", &secrets])).unwrap();
        let context = at(&yaml, "static_resources/listeners/0/filter_chains/0/transport_socket/typed_config/common_tls_context");
        let path = at(context, "tls_certificate_sds_secret_configs/0/sds_config/path_config_source/path").as_str().unwrap();
        assert_eq!(path, format!("{secrets}/listener.yaml"));
        let secret: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let pair = at(&secret, "resources/0/tls_certificate");
        assert_eq!((at(pair, "certificate_chain/filename"), at(pair, "private_key/filename")), (&"/etc/tls/cert.pem".into(), &key.into()));
        assert_eq!(pair.get("watched_directory").map(|watched| at(watched, "path")), directory.map(Value::from).as_ref(), "{key}");
    }
}

#[test]
fn a_provider_is_spoken_to_in_the_version_and_trusted_by_the_authority_that_is_named() {
    let scratch = Scratch::new();
    let place = "    base_url: http://127.0.0.1:18002\n";
    let options = "static_resources/clusters/0/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    for (written, protocol, alpn, authority) in [
        ("http://h", "explicit_http_config/http_protocol_options", None, None),
        ("http://h\n    http: 1", "explicit_http_config/http_protocol_options", None, None),
        ("http://h\n    http: 2", "explicit_http_config/http2_protocol_options", None, None),
        ("https://h", "auto_config/http2_protocol_options", Some("h2"), Some("/etc/ssl/certs/ca-certificates.crt")),
        (
            "https://h\n    http: 1",
            "explicit_http_config/http_protocol_options",
            Some("http/1.1"),
            Some("/etc/ssl/certs/ca-certificates.crt"),
        ),
        (
            "https://h\n    http: 2\n    ca: {file: /tls/ca.pem}",
            "explicit_http_config/http2_protocol_options",
            Some("h2"),
            Some("/tls/ca.pem"),
        ),
    ] {
        let file = scratch.file("case.yaml", &demo_with(place, &format!("    base_url: {written}\n")));
        let secrets = scratch.path("secrets");
        let yaml: Value = serde_yaml_ng::from_str(&rendered(&["--config", &file, "--secrets", &secrets])).unwrap();
        at(at(&yaml, options), protocol);
        let socket = at(&yaml, "static_resources/clusters/0").get("transport_socket");
        let context = socket.map(|socket| at(socket, "typed_config/common_tls_context"));
        assert_eq!(context.map(|context| at(context, "alpn_protocols/0")), alpn.map(Value::from).as_ref(), "{written}");
        // A provider's own authority may be another tomorrow, so that Envoy watches it.
        let own = context.and_then(|context| context.get("combined_validation_context"));
        let trusted = own.map_or_else(
            || context.map(|context| at(context, "validation_context").clone()),
            |own| {
                assert_eq!(at(own, "default_validation_context/match_typed_subject_alt_names/0/matcher/exact"), "h");
                let file = at(own, "validation_context_sds_secret_config/sds_config/path_config_source/path").as_str().unwrap();
                assert!(file.starts_with(&secrets), "{file}");
                let definition: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
                let trusted = at(&definition, "resources/0/validation_context").clone();
                assert_eq!(at(&trusted, "watched_directory/path"), "/tls");
                Some(trusted)
            },
        );
        assert_eq!(own.is_some(), written.contains("ca:"), "{written}");
        assert_eq!(trusted.as_ref().map(|trusted| at(trusted, "trusted_ca/filename")), authority.map(Value::from).as_ref(), "{written}");
    }
}

#[test]
fn a_broken_configuration_renders_nothing() {
    let scratch = Scratch::new();
    let file = scratch.file("case.yaml", &demo_with("port: 8080", "port: 0"));
    let output = run(&["render", "envoy", "--config", &file]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
}
