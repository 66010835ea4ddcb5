//! Child processes that end with us, whatever happens: each is the head of a process group of its
//! own, is told to end by a signal, and is killed when it takes too long or when `nr` itself is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::iterator::Signals;

use super::ENDING;
use crate::failure::Failure;

/// After a polite signal, before a kill.
const GRACE: Duration = Duration::from_secs(5);

/// How often something is looked at that cannot be waited for.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// One running program.
#[derive(Debug)]
pub(super) struct Child {
    /// As a sentence names it: `Envoy`, `the simulator`.
    name: &'static str,
    process: std::process::Child,
}

impl Child {
    /// Starts a program. What it writes goes to our standard error, line by line: standard output
    /// is for the ready line alone. `heard` is told every line of its log.
    pub(super) fn start(name: &'static str, mut command: Command, heard: impl FnMut(&[u8]) + Send + 'static) -> Result<Self, Failure> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        die_with_parent(&mut command);
        let mut process = command
            .spawn()
            .map_err(|error| Failure::new(format!("{name} ({}) could not be started: {error}", command.get_program().display())))?;
        if let Some(output) = process.stdout.take() {
            std::thread::spawn(move || pass_on(output, |_| {}));
        }
        if let Some(log) = process.stderr.take() {
            std::thread::spawn(move || pass_on(log, heard));
        }
        Ok(Self { name, process })
    }

    /// Signals the whole group. A group that is gone needs no signal.
    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }

    fn ended(&mut self) -> Option<String> {
        match self.process.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// The children in the order they were started.
#[derive(Debug, Default)]
pub(super) struct Family(Vec<Child>);

impl Family {
    pub(super) fn add(&mut self, child: Child) {
        self.0.push(child);
    }

    /// An error names the child that is no longer there.
    pub(super) fn all_alive(&mut self) -> Result<(), Failure> {
        for child in &mut self.0 {
            if let Some(status) = child.ended() {
                return Err(Failure::new(format!("{} ended by itself ({status}); what it said stands above", child.name)));
            }
        }
        Ok(())
    }

    /// Ends all, the last first. A second signal from outside cuts the grace short.
    pub(super) fn end(&mut self, signals: &mut Signals) {
        for child in self.0.iter_mut().rev() {
            if child.ended().is_none() {
                child.signal(Signal::TERM);
                let limit = Instant::now() + GRACE;
                while child.ended().is_none() && Instant::now() < limit && !signals.pending().any(|s| ENDING.contains(&s)) {
                    std::thread::sleep(PAUSE);
                }
            }
            // Also where the head of the group is gone: it may have left others behind.
            child.signal(Signal::KILL);
            let _ = child.process.wait();
        }
        self.0.clear();
    }
}

/// Copies whole lines, so that those of two programs do not mix.
fn pass_on(output: impl Read, mut heard: impl FnMut(&[u8])) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        heard(&line);
        // Our reader may be gone; the child's pipe is emptied all the same.
        let _ = std::io::stderr().lock().write_all(&line);
        line.clear();
    }
}

/// Makes the kernel kill the child when `nr` is killed in a way it cannot answer.
#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    use rustix::process::{getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    // SAFETY: between fork and exec only system calls are made, nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have gone before that.
            if getppid() == Some(parent) { Ok(()) } else { Err(std::io::ErrorKind::Interrupted.into()) }
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
