//! A stand-in for LLM providers: a real HTTP server that speaks their wire protocols, breaks on request and remembers what it was sent.
//!
//! ```text
//!            control.rs  (JSON API: behaviour, fault, requests, recording)
//!                │ sets
//!  client ─ connection.rs ─ answer.rs ─┬─ openai/     reads and checks the request, writes the
//!           (socket, raw     (one      ├─ anthropic/  protocol's body, events and errors
//!            bytes, RST)     request)  └─ gemini/ …   on completion.rs + arguments.rs (what the model "says")
//!                │             └─ breakage.rs turns the good answer into a script.rs the socket plays
//!                └─ record.rs (what came in)
//! ```
//!
//! Provider: one named listener with its own behaviour, fault and record. Protocol: the wire form it speaks.
//! Fault: the way the next requests go wrong. Script: the timed writes that make up one answer.

mod answer;
mod anthropic;
mod args;
mod arguments;
mod bedrock;
mod behaviour;
mod breakage;
mod cohere;
mod completion;
mod connection;
mod control;
mod fault;
mod gemini;
mod identity;
mod listener;
mod mistral;
mod openai;
mod protocol;
mod provider;
mod quick;
mod record;
mod schema;
mod script;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = args.workers {
        runtime.worker_threads(workers.get());
    }
    let outcome = runtime
        .enable_all()
        .build()
        .map_err(|error| format!("the async runtime did not start: {error}"))
        .and_then(|runtime| runtime.block_on(run(args)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("nr-simulator: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Listens on every address, says so in one JSON line on stdout, and serves until SIGTERM or SIGINT.
async fn run(args: args::Args) -> Result<(), String> {
    let mut stop = stop_signals()?;
    let mut providers = Vec::new();
    for spec in args.providers() {
        providers.push(provider::Provider::listen(spec)?);
    }
    let control = control::Control::listen(args.control, providers).await?;
    println!("{}", control.ready_line());
    tokio::select! {
        () = control.serve() => {}
        _ = stop.recv() => {}
    }
    Ok(())
}

fn stop_signals() -> Result<tokio::sync::mpsc::Receiver<()>, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).map_err(|error| format!("signals cannot be watched: {error}"))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            signals.recv().await;
            // A full channel means the other signal already ends the program.
            let _ = sender.try_send(());
        });
    }
    Ok(receiver)
}
