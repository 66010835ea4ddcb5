//! `nr render files`: the set that Envoy watches says what the single bootstrap says. That Envoy takes it, and
//! takes changes of it, is shown by the suite on the real Envoy.

use serde_yaml_ng::{Mapping, Value};

use super::{Scratch, demo_with, run, stderr, stdout};

const FILES: [&str; 6] = ["clusters.yaml", "envoy.yaml", "gateway.json", "listeners.yaml", "router.yaml", "routes.yaml"];

/// Renders into a directory of this name.
fn set(scratch: &Scratch, name: &str, config: &str) -> String {
    let directory = scratch.path(name);
    let output = run(&["render", "files", &directory, "--config", config, "--at", "/etc/envoy"]);
    assert!(output.status.success(), "{}", stderr(&output));
    directory
}

fn read(directory: &str, file: &str) -> Value {
    serde_yaml_ng::from_str(&std::fs::read_to_string(format!("{directory}/{file}")).unwrap()).unwrap()
}

/// The resources of a file, without the types that only a file of its own has to say.
fn resources(directory: &str, file: &str) -> Vec<Value> {
    let mut resources = read(directory, file)["resources"].as_sequence().unwrap().clone();
    for resource in &mut resources {
        resource.as_mapping_mut().unwrap().remove("@type").unwrap();
    }
    resources
}

/// The connection manager of a listener.
fn manager(listener: &mut Value) -> &mut Mapping {
    listener["filter_chains"][0]["filters"][0]["typed_config"].as_mapping_mut().unwrap()
}

#[test]
fn the_files_say_together_what_one_bootstrap_says() {
    let scratch = Scratch::new();
    let directory = set(&scratch, "set", "examples/neural-router.yaml");
    let whole = run(&["render", "envoy", "--config", "examples/neural-router.yaml"]);
    let whole: Value = serde_yaml_ng::from_str(&stdout(&whole)).unwrap();

    assert_eq!(Value::from(resources(&directory, "clusters.yaml")), whole["static_resources"]["clusters"]);
    let mut listener = resources(&directory, "listeners.yaml").remove(0);
    let manager = manager(&mut listener);
    manager.remove("rds").unwrap();
    manager.insert("route_config".into(), resources(&directory, "routes.yaml").remove(0));
    let filters = manager["http_filters"].as_sequence_mut().unwrap();
    let seat = filters.iter_mut().find(|filter| filter["name"] == "neural_router").unwrap();
    *seat = resources(&directory, "router.yaml").remove(0);
    assert_eq!(listener, whole["static_resources"]["listeners"][0]);

    let mut bootstrap = read(&directory, "envoy.yaml");
    bootstrap.as_mapping_mut().unwrap().remove("dynamic_resources").unwrap();
    let mut rest = whole;
    rest.as_mapping_mut().unwrap().remove("static_resources").unwrap();
    assert_eq!(bootstrap, rest);
}

#[test]
fn the_set_is_complete_and_names_the_place_where_envoy_finds_it() {
    let scratch = Scratch::new();
    let directory = set(&scratch, "set", "examples/demo.yaml");
    let mut files: Vec<String> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(files, FILES);
    let bootstrap = read(&directory, "envoy.yaml");
    for (subscription, file) in [("cds_config", "clusters.yaml"), ("lds_config", "listeners.yaml")] {
        let source = &bootstrap["dynamic_resources"][subscription]["path_config_source"];
        assert_eq!(source["path"], format!("/etc/envoy/{file}").as_str());
        assert_eq!(source["watched_directory"]["path"], "/etc/envoy");
    }
}

#[test]
fn a_change_of_policy_changes_one_file_and_its_version() {
    let scratch = Scratch::new();
    let before = set(&scratch, "before", "examples/demo.yaml");
    let changed = scratch.file("changed.yaml", &demo_with("requests_per_minute: 600", "requests_per_minute: 601"));
    let after = set(&scratch, "after", &changed);
    for file in FILES.into_iter().filter(|file| file.ends_with(".yaml")) {
        let [before, after] = [&before, &after].map(|directory| read(directory, file));
        assert_eq!(before == after, file != "router.yaml", "{file}");
        assert_eq!(before.get("version_info") == after.get("version_info"), file != "router.yaml", "{file}");
    }
}

#[test]
fn apply_without_a_gateway_says_what_to_name() {
    let scratch = Scratch::new();
    for directory in [scratch.path(""), scratch.path("nowhere")] {
        let output = run(&["apply", "examples/demo.yaml", "--run-dir", &directory]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
        assert!(stderr(&output).contains("is this the directory of a gateway"), "{}", stderr(&output));
    }
}

#[test]
fn apply_to_an_envoy_that_is_not_there_changes_nothing() {
    let scratch = Scratch::new();
    let free = |_| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = scratch.file("case.yaml", &demo_with("port: 9901", &format!("port: {}", free(()))));
    let directory = set(&scratch, "set", &config);
    let before = FILES.map(|file| std::fs::read(format!("{directory}/{file}")).unwrap());
    let text = std::fs::read_to_string(&config).unwrap().replace("requests_per_minute: 600", "requests_per_minute: 601");
    let output = run(&["apply", &scratch.file("other.yaml", &text), "--run-dir", &directory]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("error: Envoy's administration at 127.0.0.1:"), "{}", stderr(&output));
    assert!(before == FILES.map(|file| std::fs::read(format!("{directory}/{file}")).unwrap()));
}

#[test]
fn the_limits_of_the_end_are_checked() {
    let scratch = Scratch::new();
    for (listen, path) in [("drain_s: 86401", "listen.drain_s"), ("drain_s: 10\n  notice_s: 11", "listen.notice_s")] {
        let config = scratch.file("case.yaml", &demo_with("  port: 8080", &format!("  port: 8080\n  {listen}")));
        let output = run(&["check", &config]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(path), "{}", stderr(&output));
    }
}
