//! `nr render kubernetes` and `nr render istio`: what they refuse, and what is in them and what must not be. That their
//! documents fit the published schemas, and run, is shown by the suite on the real Envoy.

use serde::Deserialize;
use serde_yaml_ng::Value;

use super::{Scratch, demo_with, nr, root, run, stderr, stdout};

const IMAGE: [&str; 2] = ["--image", "registry.example.com/neural-router:0.1.0"];
const MODULE: [&str; 2] = ["--module", "oci://registry.example.com/neural-router-filter:0.1.0"];
const EXAMPLE: [&str; 2] = ["--config", "examples/neural-router.yaml"];
const SIDECAR: [&str; 4] = ["--context", "sidecar", "--selector", "app=models"];

/// What the repository keeps, and the words after `nr render`.
fn kept() -> [(&'static str, Vec<&'static str>); 3] {
    let words = |parts: &[&[&'static str]]| parts.concat();
    [
        ("envoy/kubernetes/neural-router.yaml", words(&[&["kubernetes"], &EXAMPLE, &IMAGE])),
        ("envoy/istio/gateway.yaml", words(&[&["istio"], &EXAMPLE, &MODULE])),
        ("envoy/istio/sidecar.yaml", words(&[&["istio"], &EXAMPLE, &MODULE, &SIDECAR])),
    ]
}

fn rendered(words: &[&str]) -> String {
    let output = run(&[&["render"], words].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

fn refusal(words: &[&str]) -> String {
    let output = run(&[&["render"], words].concat());
    assert!(!output.status.success() && stdout(&output).is_empty(), "{words:?} is taken");
    stderr(&output)
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml_ng::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// Kind and name of each document.
fn names(text: &str) -> Vec<(String, String)> {
    let text_at = |value: &Value| value.as_str().unwrap().to_owned();
    documents(text).iter().map(|one| (text_at(&one["kind"]), text_at(&one["metadata"]["name"]))).collect()
}

#[test]
fn what_the_repository_keeps_is_current() {
    for (file, words) in kept() {
        let now = rendered(&words);
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(root().join(file), &now).unwrap();
        }
        let kept = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        assert!(kept == now, "{file} is stale: nr render {} > {file}", words.join(" "));
    }
}

#[test]
fn no_secret_is_in_them_and_the_same_file_gives_the_same_bytes() {
    for (_, words) in kept() {
        let with_keys = nr(&[&["render"], words.as_slice()].concat()).env("OPENAI_API_KEY", "sk-canary").output().unwrap();
        assert!(!stdout(&with_keys).contains("sk-canary"));
        assert_eq!(stdout(&with_keys), rendered(&words));
        assert!(!names(&rendered(&words)).iter().any(|(kind, _)| kind == "Secret"), "secrets are referred to, not rendered");
    }
}

#[test]
fn a_changed_configuration_rolls_out_new_pods() {
    let checksum = |config: &str| {
        let all = documents(&rendered(&[&["kubernetes", "--config", config], IMAGE.as_slice()].concat()));
        let deployment = all.iter().find(|one| one["kind"] == "Deployment").unwrap().clone();
        deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"].as_str().unwrap().to_owned()
    };
    let scratch = Scratch::new();
    let changed = scratch.file("changed.yaml", &demo_with("requests_per_minute: 600", "requests_per_minute: 601"));
    let same = scratch.file("same.yaml", &demo_with("# The demo", "# A demo"));
    assert_ne!(checksum("examples/demo.yaml"), checksum(&changed));
    assert_eq!(checksum("examples/demo.yaml"), checksum(&same));
}

#[test]
fn a_pod_finds_the_certificate_where_its_secret_is_mounted() {
    let scratch = Scratch::new();
    let tls = "listen:\n  tls: {certificate: {file: /mine/a.crt}, private_key: {file: /mine/a.key}}";
    let config = scratch.file("tls.yaml", &demo_with("listen:", tls));
    let all = documents(&rendered(&[&["kubernetes", "--config", &config], IMAGE.as_slice()].concat()));
    let map = all.iter().find(|one| one["kind"] == "ConfigMap").unwrap();
    let definition: Value = serde_yaml_ng::from_str(map["data"]["listener.yaml"].as_str().unwrap()).unwrap();
    let pair = &definition["resources"][0]["tls_certificate"];
    assert_eq!(pair["certificate_chain"]["filename"], "/etc/neural-router/tls/tls.crt");
    assert!(map["data"]["envoy.yaml"].as_str().unwrap().contains("/etc/neural-router/secrets/listener.yaml"));
    let pod = &all.iter().find(|one| one["kind"] == "Deployment").unwrap()["spec"]["template"]["spec"];
    let volumes = serde_yaml_ng::to_string(&pod["volumes"]).unwrap();
    assert!(volumes.contains("listener.yaml") && volumes.contains("neural-router-tls"), "{volumes}");
}

#[test]
fn pods_of_yours_get_no_gateway_and_are_told_what_to_mount() {
    let own = rendered(&[&["istio"], EXAMPLE.as_slice(), &MODULE].concat());
    assert!(names(&own).iter().any(|(kind, _)| kind == "Deployment"));
    for (words, listener) in [(["--selector", "istio=ingressgateway"].as_slice(), true), (&SIDECAR, false)] {
        let text = rendered(&[&["istio"], EXAMPLE.as_slice(), &MODULE, words].concat());
        let names = names(&text);
        assert!(!names.iter().any(|(kind, _)| kind == "Deployment" || kind == "Service"), "{names:?}");
        assert_eq!(names.iter().any(|(kind, _)| kind == "Gateway"), listener);
        assert!(text.contains("#   sidecar.istio.io/userVolumeMount: '["), "{}", text.lines().take(20).collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn only_hosts_outside_the_mesh_are_entries_of_it_and_each_once() {
    let scratch = Scratch::new();
    let demo = demo_with("http://127.0.0.1:18001/v1", "https://models.example.com/v1");
    let demo = demo.replace("http://127.0.0.1:18002", "https://models.example.com:8443");
    let demo = demo.replace("http://127.0.0.1:18003/v1", "http://vllm.models.svc.cluster.local:8000/v1");
    let config = scratch.file("demo.yaml", &demo);
    let text = rendered(&[&["istio", "--config", &config], MODULE.as_slice()].concat());
    let entries: Vec<Value> = documents(&text).into_iter().filter(|one| one["kind"] == "ServiceEntry").collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["spec"]["hosts"][0], "models.example.com");
    assert_eq!(entries[0]["spec"]["ports"].as_sequence().unwrap().len(), 2);
}

#[test]
fn an_address_has_a_name_in_the_mesh_and_none_in_tls() {
    let scratch = Scratch::new();
    let config = scratch.file("demo.yaml", &demo_with("http://127.0.0.1:18001/v1", "https://203.0.113.7:8443/v1"));
    let all = documents(&rendered(&[&["istio", "--config", &config], MODULE.as_slice()].concat()));
    let spec = |kind: &str| &all.iter().find(|one| one["kind"] == kind).unwrap()["spec"];
    let entry = spec("ServiceEntry");
    assert_eq!(entry["hosts"][0], "203-0-113-7.neural-router.internal");
    assert_eq!((&entry["resolution"], &entry["endpoints"][0]["address"]), (&"STATIC".into(), &"203.0.113.7".into()));
    let tls = &spec("DestinationRule")["trafficPolicy"]["portLevelSettings"][0]["tls"];
    assert_eq!((&tls["subjectAltNames"][0], tls.get("sni")), (&"203.0.113.7".into(), None));
}

#[test]
fn what_cannot_run_is_refused_in_a_sentence() {
    let scratch = Scratch::new();
    let privileged = scratch.file("port.yaml", &demo_with("port: 8080", "port: 443"));
    let cases: [(&[&str], &str); 9] = [
        (&["kubernetes", "--config", &privileged, "--image", "x"], "listen.port: below 1024"),
        (&["kubernetes"], "--image <IMAGE>"),
        (&["kubernetes", "--image", "x", "--namespace", "Not_A_Label"], "lower-case letters"),
        (&["kubernetes", "--image", "x", "--namespace", "no"], "would not take this for a text"),
        (&["istio", "--module", "neural_router.wasm"], "oci://"),
        (&["istio", "--module", "oci://x", "--context", "sidecar"], "--selector"),
        (&["istio", "--config", "examples/demo.yaml", "--module", "/opt/f.wasm"], "has no such file"),
        (&["istio", "--config", "examples/demo.yaml", "--module", "http://x/f.wasm"], "give --sha256"),
        (&["istio", "--module", "oci://x", "--sha256", "abc"], "64 hexadecimal digits"),
    ];
    for (words, expected) in cases {
        let said = refusal(words);
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn a_secret_that_the_configuration_takes_from_a_file_is_said_to_be_missing() {
    let scratch = Scratch::new();
    let old = "    base_url: http://127.0.0.1:18001/v1\n";
    let config = scratch.file("demo.yaml", &demo_with(old, &format!("{old}    api_key: {{file: /run/keys/openai}}\n")));
    let output = run(&["render", "kubernetes", "--image", "x", "--config", &config]);
    assert!(stderr(&output).contains("warning: providers.openai.api_key: /run/keys/openai is not mounted"), "{}", stderr(&output));
    assert!(stdout(&output).contains("filename: /run/keys/openai"));
}
