//! `nr` as a program: what it prints, where, and with which exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

#[path = "program/bootstrap.rs"]
mod bootstrap;
#[path = "program/catalog.rs"]
mod catalog;
#[path = "program/check.rs"]
mod check;
#[path = "program/credentials.rs"]
mod credentials;
#[path = "program/dynamic.rs"]
mod dynamic;
#[path = "program/explain.rs"]
mod explain;
#[path = "program/keys.rs"]
mod keys;
#[path = "program/lint.rs"]
mod lint;
#[path = "program/mesh.rs"]
mod mesh;
#[path = "program/ratelimit.rs"]
mod ratelimit;
#[path = "program/secrets.rs"]
mod secrets;
#[path = "program/simulate.rs"]
mod simulate;
#[path = "program/up.rs"]
mod up;

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A command of `nr` in the repository, without any provider key of the person who runs the tests.
fn nr(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nr"));
    command.args(arguments).current_dir(root());
    for variable in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "ENVOY_BIN"] {
        command.env_remove(variable);
    }
    command
}

/// Runs a command to its end.
fn run(arguments: &[&str]) -> Output {
    nr(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A directory for one test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("nr-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The demo with one piece of its text replaced, which has to be there.
fn demo_with(old: &str, new: &str) -> String {
    let demo = std::fs::read_to_string(root().join("examples/demo.yaml")).unwrap();
    assert!(demo.contains(old), "the demo no longer holds {old:?}");
    demo.replacen(old, new, 1)
}
