//! Starting a program on its cores and ending it again, whatever happens in between.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cpu::{self, Clock, Cores};

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    log: PathBuf,
    pub(crate) clock: Clock,
}

impl Running {
    /// Starts a program; both its outputs go to the log file unless `command` says otherwise. A child
    /// inherits the cores of the thread that starts it, so this thread moves there and back.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path, on: &[usize], cores: &Cores) -> Result<Self, String> {
        let because = |error: std::io::Error| format!("{name} cannot be started ({}): {error}", command.get_program().to_string_lossy());
        let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let both = file.try_clone().map_err(because)?;
        if name == SIMULATOR {
            command.stdout(Stdio::piped())
        } else {
            command.stdout(both)
        };
        command.stderr(file).stdin(Stdio::null());
        cpu::pin(on)?;
        let child = command.spawn();
        cpu::pin(&cores.rest)?;
        let child = child.map_err(|error| format!("{name} cannot be started ({}): {error}", command.get_program().to_string_lossy()))?;
        let clock = Clock::of(child.id())?;
        Ok(Self { name, child, log: log.to_owned(), clock })
    }

    /// The first line the program prints, for a program that prints one when it is ready.
    pub(crate) fn first_line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        if let Some(output) = self.child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(|error| format!("{}: {error}", self.name))?;
        }
        if line.trim().is_empty() { Err(self.obituary("it ended before it was ready")) } else { Ok(line) }
    }

    /// An error once the program has ended, with the end of its log.
    pub(crate) fn alive(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.obituary(&format!("it ended with {status}"))),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }

    /// What went wrong, and the last that the program said.
    pub(crate) fn obituary(&self, what: &str) -> String {
        const LINES: usize = 5;
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
        format!("{}: {what}; the end of {}:\n  {last}", self.name, self.log.display())
    }
}

/// The one program that says on standard output when it is ready, and where it listens.
pub(crate) const SIMULATOR: &str = "the simulator";

impl Drop for Running {
    fn drop(&mut self) {
        // Failing means it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
