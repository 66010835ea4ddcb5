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

/// The manifests of a configuration, by kind.
fn manifests(config: &str) -> impl Fn(&str) -> Value {
    let all = documents(&rendered(&[&["kubernetes", "--config", config], IMAGE.as_slice()].concat()));
    move |kind| all.iter().find(|one| one["kind"] == kind).unwrap().clone()
}

/// The command of a container of a pod.
fn command(deployment: &Value, kind: &str, name: &str) -> Vec<String> {
    let containers = deployment["spec"]["template"]["spec"][kind].as_sequence().unwrap();
    let one = containers.iter().find(|one| one["name"] == name).unwrap();
    one["command"].as_sequence().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_config_map_has_the_configuration_word_for_word() {
    for example in ["examples/demo.yaml", "examples/neural-router.yaml", "examples/providers.yaml"] {
        let map = manifests(example)("ConfigMap");
        assert_eq!(map["data"]["neural-router.yaml"].as_str().unwrap(), std::fs::read_to_string(root().join(example)).unwrap());
        assert_eq!(map["data"].as_mapping().unwrap().len(), 1);
    }
}

#[test]
fn new_pods_are_for_what_envoy_reads_at_its_start_and_for_nothing_else() {
    let scratch = Scratch::new();
    let changed = |old: &str, new: &str| {
        let config = scratch.file("changed.yaml", &demo_with(old, new));
        let (before, after) = (manifests("examples/demo.yaml"), manifests(&config));
        assert_ne!(before("ConfigMap"), after("ConfigMap"), "{new}");
        before("Deployment") != after("Deployment")
    };
    let live = [
        ("# The demo", "# A demo"),
        ("requests_per_minute: 600", "requests_per_minute: 601"),
        ("    base_url: http://127.0.0.1:18002", "    base_url: http://127.0.0.1:18009"),
        ("total_timeout_ms: 60000", "total_timeout_ms: 1000000"),
        ("listen:\n", "listen:\n  cors: {allow_origins: [\"https://app.example.com\"]}\n"),
        ("listen:\n  address: 127.0.0.1", "listen:\n  address: 192.0.2.1"),
    ];
    for (old, new) in live {
        assert!(!changed(old, new), "{new}");
    }
    let tls = "listen:\n  tls: {certificate: {file: /a.crt}, private_key: {file: /a.key}}\n";
    let at_the_start = [
        ("port: 8080", "port: 8081"),
        ("port: 9901", "port: 9903"),
        ("listen:\n", "listen:\n  max_connections: 1000\n"),
        ("listen:\n", tls),
        // The first Secret there has to be; from then on, entries come and go.
        ("    base_url: http://127.0.0.1:18001/v1\n", "    base_url: http://127.0.0.1:18001/v1\n    api_key: {env: OPENAI_API_KEY}\n"),
    ];
    for (old, new) in at_the_start {
        assert!(changed(old, new), "{new}");
    }
}

#[test]
fn a_provider_more_with_a_key_more_takes_no_new_pods() {
    let example = std::fs::read_to_string(root().join("examples/neural-router.yaml")).unwrap();
    let more =
        "providers:\n  another:\n    protocol: openai\n    base_url: https://models.example.com/v1\n    api_key: {env: ANOTHER_KEY}\n";
    let scratch = Scratch::new();
    let config = scratch.file("more.yaml", &example.replacen("providers:\n", more, 1));
    let (before, after) = (manifests("examples/neural-router.yaml"), manifests(&config));
    assert_eq!(before("Deployment"), after("Deployment"));
    assert_ne!(before("ConfigMap"), after("ConfigMap"));
}

#[test]
fn the_metrics_of_a_pod_are_at_one_port_whatever_the_configuration_says() {
    let scratch = Scratch::new();
    let config = scratch
        .file("metrics.yaml", &demo_with("listen:\n", "telemetry: {metrics: {listen: {address: 127.0.0.1, port: 9100}}}\nlisten:\n"));
    let words = command(&manifests(&config)("Deployment"), "initContainers", "render");
    assert!(words.windows(2).any(|pair| pair == ["--metrics", "0.0.0.0:9902"]), "{words:?}");
}

/// Runs the `nr` of a pod's init container here, with paths and ports of this machine.
fn render_as_a_pod(scratch: &Scratch, config: &str, secrets: &str) -> std::process::Output {
    let words = command(&manifests(config)("Deployment"), "initContainers", "render");
    let here = |word: &String| match word.as_str() {
        "/run/neural-router" => scratch.path("run"),
        "/run/neural-router/secrets" => scratch.path("run/secrets"),
        "/etc/neural-router/config/neural-router.yaml" => config.to_owned(),
        "/etc/neural-router/secrets" => secrets.to_owned(),
        other => other.to_owned(),
    };
    assert_eq!(words[0], "nr");
    let words: Vec<String> = words.iter().skip(1).map(here).collect();
    run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_pod_finds_the_certificate_where_its_secret_is_mounted() {
    let scratch = Scratch::new();
    let tls = "listen:\n  tls: {certificate: {file: /mine/a.crt}, private_key: {file: /mine/a.key}}\n";
    let config = scratch.file("tls.yaml", &demo_with("listen:\n", tls));
    let deployment = manifests(&config)("Deployment");
    let words = command(&deployment, "initContainers", "render");
    for pair in [["--listen", "https://0.0.0.0:8080"], ["--certificate-from", "/etc/neural-router/tls"]] {
        assert!(words.windows(2).any(|two| two == pair), "{words:?}");
    }
    let pod = &deployment["spec"]["template"]["spec"];
    assert!(serde_yaml_ng::to_string(&pod["volumes"]).unwrap().contains("neural-router-tls"));
    let with_the_key = |kind: &str| {
        let has = |one: &&Value| serde_yaml_ng::to_string(&one["volumeMounts"]).unwrap().contains("/etc/neural-router/tls");
        pod[kind].as_sequence().unwrap().iter().filter(has).map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((with_the_key("initContainers"), with_the_key("containers")), (vec!["render".to_owned()], vec!["envoy".to_owned()]));

    let output = render_as_a_pod(&scratch, &config, &scratch.path("none"));
    assert!(stderr(&output).contains("/etc/neural-router/tls/tls.crt: No such file"), "{}", stderr(&output));
    assert!(std::fs::read_to_string(scratch.path("run/secrets/listener.yaml")).unwrap().contains("/etc/neural-router/tls/tls.key"));
}

#[test]
fn a_pod_does_not_start_without_a_key_that_its_configuration_names() {
    let scratch = Scratch::new();
    let key = "    base_url: http://127.0.0.1:18001/v1\n    api_key: {env: OPENAI_API_KEY}\n";
    let config = scratch.file("key.yaml", &demo_with("    base_url: http://127.0.0.1:18001/v1\n", key));
    let secrets = scratch.path("mounted");
    std::fs::create_dir(&secrets).unwrap();
    let without = render_as_a_pod(&scratch, &config, &secrets);
    assert_eq!(without.status.code(), Some(1));
    let said = stderr(&without);
    assert!(said.contains("error: providers.openai.api_key: ") && said.contains("mounted/OPENAI_API_KEY: No such file"), "{said}");
    assert!(!std::path::Path::new(&scratch.path("run/envoy.yaml")).exists());

    std::fs::write(format!("{secrets}/OPENAI_API_KEY"), "sk-canary").unwrap();
    let with = render_as_a_pod(&scratch, &config, &secrets);
    assert!(with.status.success(), "{}", stderr(&with));
    let definition = std::fs::read_to_string(scratch.path("run/secrets/provider_openai.yaml")).unwrap();
    assert!(definition.contains("mounted/OPENAI_API_KEY"), "{definition}");
    for file in ["envoy.yaml", "clusters.yaml", "router.yaml", "gateway.json", "secrets/provider_openai.yaml"] {
        assert!(!std::fs::read_to_string(scratch.path(&format!("run/{file}"))).unwrap().contains("sk-canary"), "{file}");
    }
}

#[test]
fn keys_of_aws_are_mounted_and_not_written() {
    let scratch = Scratch::new();
    let provider = "  bedrock:\n    protocol: bedrock\n    region: us-east-1\n    auth: {aws: {access_key_id: {env: ID}, secret_access_key: {env: KEY}}}\n";
    let config = scratch.file("aws.yaml", &demo_with("  openai:\n", &format!("{provider}  openai:\n")));
    let secrets = scratch.path("mounted");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::write(format!("{secrets}/provider_bedrock.aws"), "[provider_bedrock]\naws_access_key_id=a\naws_secret_access_key=b\n")
        .unwrap();
    let output = render_as_a_pod(&scratch, &config, &secrets);
    assert!(output.status.success(), "{}", stderr(&output));
    let clusters = std::fs::read_to_string(scratch.path("run/clusters.yaml")).unwrap();
    assert!(clusters.contains(&format!("filename: {secrets}/provider_bedrock.aws")), "{clusters}");
    assert!(!std::path::Path::new(&scratch.path("run/secrets/provider_bedrock.aws")).exists());
}

#[test]
fn every_container_is_confined_and_only_the_sidecar_of_changes_stays() {
    let deployment = manifests("examples/neural-router.yaml")("Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let all: Vec<&Value> = ["initContainers", "containers"].iter().flat_map(|kind| pod[*kind].as_sequence().unwrap()).collect();
    assert_eq!(all.iter().map(|one| one["name"].as_str().unwrap()).collect::<Vec<_>>(), ["module", "render", "apply", "envoy"]);
    for one in all {
        let context = &one["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["capabilities"]["drop"][0], "ALL");
        assert_eq!(one.get("restartPolicy").and_then(Value::as_str), (one["name"] == "apply").then_some("Always"));
    }
    assert_eq!(
        (&pod["securityContext"]["runAsNonRoot"], &pod["securityContext"]["seccompProfile"]["type"]),
        (&true.into(), &"RuntimeDefault".into())
    );
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
    let deployment = manifests(&config)("Deployment");
    let volumes = deployment["spec"]["template"]["spec"]["volumes"].as_sequence().unwrap();
    let secrets = volumes.iter().find(|one| one["name"] == "secrets").unwrap();
    assert_eq!(secrets["secret"]["optional"], true, "no entry of the Secret is needed");
}
