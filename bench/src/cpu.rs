//! The two things asked of the kernel: how much CPU time a process has used, in nanoseconds over all
//! its threads (the clock behind `getrusage`, not the 10 ms ticks of `/proc/PID/stat`), and that a
//! process stays on the cores it was given.

use std::time::Duration;

/// Which cores belong to whom. Envoy shares its core with nobody the benchmark starts.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    /// Envoy's; empty when there are too few to part.
    pub(crate) envoy: Vec<usize>,
    /// The simulator's and the load generator's.
    pub(crate) rest: Vec<usize>,
}

impl Cores {
    /// Gives Envoy as many cores as it has workers, as long as one is left for the others.
    pub(crate) fn part(allowed: &[usize], workers: usize) -> Self {
        let cut = workers.min(allowed.len().saturating_sub(1));
        let (envoy, rest) = allowed.split_at(cut);
        Self { envoy: envoy.to_vec(), rest: rest.to_vec() }
    }

    /// One sentence for the report.
    pub(crate) fn sentence(&self) -> String {
        if self.envoy.is_empty() {
            return "one core only: nothing is pinned, everything competes for it".to_owned();
        }
        format!("Envoy on core {}, simulator and load generator on core {}", list(&self.envoy), list(&self.rest))
    }
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(target_os = "linux")]
mod kernel {
    use super::Duration;
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::time::{ClockId, clock_getcpuclockid};
    use nix::unistd::Pid;

    /// The CPU clock of one process.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Clock(ClockId);

    impl Clock {
        pub(crate) fn of(pid: u32) -> Result<Self, String> {
            let pid = i32::try_from(pid).map_err(|_| format!("{pid} is not a process id"))?;
            clock_getcpuclockid(Pid::from_raw(pid)).map(Self).map_err(|error| format!("no CPU clock of process {pid}: {error}"))
        }

        pub(crate) fn used(self) -> Result<Duration, String> {
            self.0.now().map(Duration::from).map_err(|error| format!("the CPU clock of a process cannot be read (did it end?): {error}"))
        }
    }

    /// The cores this process may use.
    pub(crate) fn allowed() -> Result<Vec<usize>, String> {
        let set = sched_getaffinity(Pid::from_raw(0)).map_err(|error| format!("the cores of this process cannot be read: {error}"))?;
        Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
    }

    /// Keeps the calling thread, and what it starts from now on, on these cores; on none named, changes nothing.
    pub(crate) fn pin(cores: &[usize]) -> Result<(), String> {
        if cores.is_empty() {
            return Ok(());
        }
        let mut set = CpuSet::new();
        cores
            .iter()
            .try_for_each(|core| set.set(*core))
            .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
            .map_err(|error| format!("pinning to cores {cores:?} is refused: {error}"))
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use super::Duration;

    const ELSEWHERE: &str = "the benchmark reads the CPU clock of another process, which needs Linux";

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Clock;

    impl Clock {
        pub(crate) fn of(_: u32) -> Result<Self, String> {
            Err(ELSEWHERE.to_owned())
        }

        pub(crate) fn used(self) -> Result<Duration, String> {
            Err(ELSEWHERE.to_owned())
        }
    }

    pub(crate) fn allowed() -> Result<Vec<usize>, String> {
        Err(ELSEWHERE.to_owned())
    }

    pub(crate) fn pin(_: &[usize]) -> Result<(), String> {
        Err(ELSEWHERE.to_owned())
    }
}

pub(crate) use kernel::{Clock, allowed, pin};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_core_is_always_left_for_the_load_generator() {
        for (allowed, workers, envoy, rest) in [
            (&[0usize, 1][..], 1, &[0usize][..], &[1usize][..]),
            (&[0, 1], 4, &[0], &[1]),
            (&[2, 3, 6, 7], 2, &[2, 3], &[6, 7]),
            (&[5], 1, &[], &[5]),
        ] {
            let cores = Cores::part(allowed, workers);
            assert_eq!((cores.envoy.as_slice(), cores.rest.as_slice()), (envoy, rest));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_clock_runs_while_the_process_works() {
        let clock = Clock::of(std::process::id()).unwrap();
        let (began, before) = (std::time::Instant::now(), clock.used().unwrap());
        while began.elapsed() < Duration::from_millis(20) {}
        let worked = clock.used().unwrap() - before;
        assert!(worked > Duration::from_millis(1), "{worked:?}");
    }
}
