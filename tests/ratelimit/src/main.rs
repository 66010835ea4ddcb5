//! `nr-ratelimit`: Envoy's rate-limit service in front of Redis, for the tests.
//!
//! The services that users run for fleet-wide limits, Limitador and envoyproxy/ratelimit, are container images. This
//! one is built from the crate that Limitador is built from, so that the tests have a real counter in a real Redis on
//! any machine that has Rust. It is no part of what is shipped.
//!
//! - `messages` the few fields of Envoy's protocol that are used, declared by hand: there is no protoc to generate them
//! - `limits`   the file of limits, and what happens when it changes
//! - `gate`     one decision at a time
//! - `service`  gRPC in, a decision out
//! - `status`   health and counters over HTTP

mod gate;
mod limits;
mod messages;
mod options;
mod service;
mod status;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use limitador::storage::redis::AsyncRedisStorage;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info};

use gate::Gate;
use options::{Options, Storage};

/// How long the service waits for Redis when it starts, and for calls under way when it ends.
const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt().with_max_level(options.level()).with_writer(std::io::stderr).with_ansi(false).init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            error!("{reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), String> {
    let Storage::Redis { url, timeout_ms } = &options.storage;
    let first = limits::read(&options.limits_file)?;
    let storage = connected(url).await?;
    let gate = Arc::new(Gate::new(storage, options.like, Duration::from_millis(*timeout_ms), first));
    let calls = bound(&options.rls_ip, options.rls_port).await?;
    let pages = bound(&options.http_ip, options.http_port).await?;
    info!("calls on {:?}, status on {:?}", calls.local_addr(), pages.local_addr());

    let (end, ended) = watch::channel(());
    let watching = tokio::spawn(limits::watch(options.limits_file.clone(), gate.clone()));
    let answering = tokio::spawn(service::serve(calls, gate.clone(), ended.clone()));
    let showing = tokio::spawn(status::serve(pages, gate, ended));
    asked_to_end().await?;
    drop(end);
    watching.abort();
    // An Envoy keeps its connection open for ever; what it has asked is answered first.
    let _ = tokio::time::timeout(PATIENCE, async { tokio::join!(answering, showing) }).await;
    info!("ended");
    Ok(())
}

/// The storage once Redis answers. It may start at the same time as the service.
async fn connected(url: &str) -> Result<AsyncRedisStorage, String> {
    let connecting = async {
        loop {
            match AsyncRedisStorage::new(url).await {
                Ok(storage) => return Ok(storage),
                Err(error) if error.is_io_error() || error.is_connection_refusal() => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(format!("{url}: {error}")),
            }
        }
    };
    match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(result) => result,
        Err(_) => Err(format!("{url}: no Redis answered within {} s", PATIENCE.as_secs())),
    }
}

async fn bound(ip: &str, port: u16) -> Result<TcpListener, String> {
    TcpListener::bind((ip, port)).await.map_err(|error| format!("{ip}:{port}: {error}"))
}

async fn asked_to_end() -> Result<(), String> {
    let broken = |error| format!("no signals can be received: {error}");
    let mut terminated = signal(SignalKind::terminate()).map_err(broken)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(broken)?;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}
