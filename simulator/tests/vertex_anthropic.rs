//! Claude on Google Cloud: the paths, the version in the body, and whose errors are whose.

mod harness;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use harness::{Reply, call};
use serde_json::{Value, json};

struct Cloud {
    child: Child,
    control: SocketAddr,
    at: SocketAddr,
}

impl Cloud {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nr-simulator"))
            .args(["--control", "127.0.0.1:0", "--provider", "cloud=vertex-anthropic@127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("a ready line");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let at = |value: &Value| value.as_str().expect("an address").parse().expect("an address");
        Self { control: at(&ready["control"]), at: at(&ready["providers"]["cloud"]), child }
    }

    fn ask(&self, method: &str, body: &str) -> Reply {
        let path = format!("/v1/projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929:{method}");
        call(self.at, "POST", &path, &["authorization: Bearer token"], body)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const VERSION: &str = r#""anthropic_version":"vertex-2023-10-16""#;
const ASKED: &str = r#""max_tokens":100,"messages":[{"role":"user","content":"hello"}]"#;

#[test]
fn an_answer_is_a_message_whole_and_streamed() {
    let cloud = Cloud::start();
    let answer = cloud.ask("rawPredict", &format!("{{{VERSION},{ASKED}}}")).json();
    assert_eq!((&answer["type"], &answer["model"]), (&json!("message"), &json!("claude-sonnet-4-5@20250929")));
    let events = cloud.ask("streamRawPredict", &format!(r#"{{{VERSION},{ASKED},"stream":true}}"#)).events();
    assert_eq!((&events[0]["type"], &events.last().unwrap()["type"]), (&json!("message_start"), &json!("message_stop")));
}

#[test]
fn what_differs_from_anthropics_own_api_is_checked() {
    let cloud = Cloud::start();
    let image =
        r#""max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}]"#;
    for (method, body, message) in [
        ("rawPredict", format!("{{{ASKED}}}"), "anthropic_version: Field required"),
        (
            "rawPredict",
            format!(r#"{{"anthropic_version":"2023-06-01",{ASKED}}}"#),
            "anthropic_version: \"2023-06-01\" is not a valid version",
        ),
        ("rawPredict", format!(r#"{{{VERSION},"model":"m",{ASKED}}}"#), "model: Extra inputs are not permitted"),
        ("rawPredict", format!(r#"{{{VERSION},"service_tier":"auto",{ASKED}}}"#), "service_tier: Extra inputs are not permitted"),
        ("rawPredict", format!("{{{VERSION},{image}}}"), "messages: URL sources are not supported"),
        ("streamRawPredict", format!("{{{VERSION},{ASKED}}}"), "stream: does not agree with the method"),
        ("rawPredict", format!(r#"{{{VERSION},"max_tokens":9}}"#), "messages: Field required"),
    ] {
        let reply = cloud.ask(method, &body);
        assert_eq!((reply.status, reply.json()["error"]["message"].as_str()), (400, Some(message)), "{body}");
    }
}

#[test]
fn errors_of_the_cloud_are_googles() {
    let cloud = Cloud::start();
    let set = |path: &str, body: &str| assert_eq!(call(cloud.control, "PUT", &format!("/providers/cloud/{path}"), &[], body).status, 200);
    let other = call(cloud.at, "POST", "/v1/messages", &[], "{}");
    assert_eq!((other.status, &other.json()[0]["error"]["status"]), (404, &json!("NOT_FOUND")));
    set("fault", r#"{"kind":"status","status":429}"#);
    let reply = cloud.ask("rawPredict", &format!("{{{VERSION},{ASKED}}}"));
    assert_eq!((reply.status, &reply.json()[0]["error"]["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
    call(cloud.control, "DELETE", "/providers/cloud/fault", &[], "");
    set("behaviour", r#"{"api_key":"other"}"#);
    let reply = cloud.ask("rawPredict", &format!("{{{VERSION},{ASKED}}}"));
    assert_eq!((reply.status, &reply.json()[0]["error"]["code"]), (401, &json!(401)));
}
