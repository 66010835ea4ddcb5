//! The running parts: one simulator, and before it an Envoy without and one with the filter.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bootstrap::{self, Extras, Made, Ports, Providers};
use crate::cpu::{Clock, Cores};
use crate::lane::Lane;
use crate::plain;
use crate::process::{Running, SIMULATOR};
use crate::wire::Wire;

/// What is started, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) envoy: PathBuf,
    pub(crate) simulator: PathBuf,
    pub(crate) made: Made,
    /// The module that times the decision.
    pub(crate) decides: PathBuf,
    pub(crate) workers: usize,
    pub(crate) cores: Cores,
}

/// Compiling the filter is part of it.
const START: Duration = Duration::from_secs(60);

/// The simulator.
#[derive(Debug)]
pub(crate) struct Simulator {
    running: Running,
    control: SocketAddr,
    pub(crate) providers: Providers,
}

impl Simulator {
    pub(crate) async fn start(plan: &Plan) -> Result<Self, String> {
        let mut command = Command::new(&plan.simulator);
        command.args(["--control", "127.0.0.1:0", "--workers", "1"]);
        for name in names() {
            command.args(["--provider", &format!("{name}={name}@127.0.0.1:0")]);
        }
        let log = plan.made.folder.join("simulator.log");
        let mut running = Running::start(SIMULATOR, &mut command, &log, &plan.cores.rest, &plan.cores)?;
        let line = running.first_line()?;
        let ready: Value =
            serde_json::from_str(&line).map_err(|error| format!("the simulator's ready line is not JSON: {error}: {line}"))?;
        let address = |pointer: &str| {
            let text = ready.pointer(pointer).and_then(Value::as_str);
            text.and_then(|text| text.parse().ok())
                .ok_or_else(|| format!("the simulator's ready line names no address at {pointer}: {line}"))
        };
        let other = |wire: Wire| Ok((wire, address(&format!("/providers/{}", wire.protocol()))?));
        let others = Wire::ALL.into_iter().map(other).collect::<Result<_, String>>()?;
        let providers = Providers { openai: address("/providers/openai")?, others };
        let simulator = Self { running, control: address("/control")?, providers };
        for provider in names() {
            plain::done(simulator.control, "PUT", &format!("/providers/{provider}/recording"), r#"{"enabled":false}"#).await?;
        }
        Ok(simulator)
    }

    /// Sets how all providers answer from now on.
    pub(crate) async fn behave(&self, behaviour: &Value) -> Result<(), String> {
        for provider in names() {
            plain::done(self.control, "PUT", &format!("/providers/{provider}/behaviour"), &behaviour.to_string()).await?;
        }
        Ok(())
    }
}

/// The providers, named like their protocols.
fn names() -> impl Iterator<Item = &'static str> {
    core::iter::once("openai").chain(Wire::ALL.map(Wire::protocol))
}

/// One running Envoy.
#[derive(Debug)]
pub(crate) struct Envoy {
    running: Running,
    pub(crate) ports: Ports,
}

impl Envoy {
    /// Starts it; `file` begins the names of its files.
    pub(crate) async fn start(name: &'static str, file: &str, config: &Value, ports: Ports, plan: &Plan) -> Result<Self, String> {
        let bootstrap = plan.made.folder.join(format!("{file}.json"));
        bootstrap::write(&bootstrap, &format!("{config:#}"))?;
        let mut command = Command::new(&plan.envoy);
        command.arg("--config-path").arg(&bootstrap);
        command.args(["--concurrency", &plan.workers.to_string(), "--disable-hot-restart", "--log-level", "warning"]);
        let log = plan.made.folder.join(format!("{file}.log"));
        let mut running = Running::start(name, &mut command, &log, &plan.cores.envoy, &plan.cores)?;
        let began = Instant::now();
        loop {
            running.alive()?;
            if let Ok((200, _)) = plain::exchange(ports.admin, "GET", "/ready", "").await {
                return Ok(Self { running, ports });
            }
            if began.elapsed() > START {
                return Err(running.obituary(&format!("it is not ready after {} s", START.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Both Envoys.
#[derive(Debug)]
pub(crate) struct Envoys {
    pub(crate) bare: Envoy,
    pub(crate) filter: Envoy,
}

impl Envoys {
    /// Starts them; `name` begins the names of their files.
    pub(crate) async fn start(name: &str, plan: &Plan, providers: &Providers, extras: Extras) -> Result<Self, String> {
        let [bare, filter] = free_ports()?;
        let filter_name = format!("{name}-filter");
        let rendered = bootstrap::with_filter(&filter_name, &plan.made, filter, providers, extras)?;
        let config = bootstrap::bare(&rendered, bare, providers.openai, extras);
        Ok(Self {
            bare: Envoy::start("bare Envoy", &format!("{name}-bare"), &config, bare, plan).await?,
            filter: Envoy::start("Envoy with the filter", &filter_name, &rendered, filter, plan).await?,
        })
    }
}

/// Ports for two Envoys that nobody listens on at this moment.
pub(crate) fn free_ports() -> Result<[Ports; 2], String> {
    let because = |error: std::io::Error| format!("no free port on 127.0.0.1: {error}");
    let bind = || TcpListener::bind("127.0.0.1:0").map_err(because);
    // All are held until all are known, so that they differ.
    let held = [bind()?, bind()?, bind()?, bind()?];
    let [a, b, c, d] = held.each_ref().map(TcpListener::local_addr);
    let ports = |listen: std::io::Result<SocketAddr>, admin: std::io::Result<SocketAddr>| -> Result<Ports, String> {
        Ok(Ports { listen: listen.map_err(because)?, admin: admin.map_err(because)? })
    };
    Ok([ports(a, b)?, ports(c, d)?])
}

/// Everything that CPU time is measured of.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) simulator: Simulator,
    pub(crate) envoys: Envoys,
}

impl Stack {
    pub(crate) async fn start(plan: &Plan, extras: Extras) -> Result<Self, String> {
        let simulator = Simulator::start(plan).await?;
        let envoys = Envoys::start("cpu", plan, &simulator.providers, extras).await?;
        Ok(Self { simulator, envoys })
    }

    /// Where the calls of a lane go.
    pub(crate) fn address(&self, lane: Lane) -> SocketAddr {
        match lane {
            Lane::Simulator => self.simulator.providers.openai,
            Lane::Envoy => self.envoys.bare.ports.listen,
            Lane::Filter | Lane::Policies | Lane::Guarded | Lane::Translate(_) => self.envoys.filter.ports.listen,
        }
    }

    /// The clock of the process that a lane is about.
    pub(crate) fn clock(&self, lane: Lane) -> Clock {
        match lane {
            Lane::Simulator => self.simulator.running.clock,
            Lane::Envoy => self.envoys.bare.running.clock,
            Lane::Filter | Lane::Policies | Lane::Guarded | Lane::Translate(_) => self.envoys.filter.running.clock,
        }
    }
}
