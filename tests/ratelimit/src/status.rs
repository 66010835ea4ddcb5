//! What limitador-server shows over HTTP, as far as the tests and a health check ask: `/status` and `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::error;

use crate::gate::Gate;

/// Answers until the sender of `ended` is gone.
pub(crate) async fn serve(listener: TcpListener, gate: Arc<Gate>, mut ended: watch::Receiver<()>) {
    let pages = Router::new().route("/status", get(status)).route("/metrics", get(metrics)).with_state(gate);
    let end = async move {
        let _ = ended.changed().await;
    };
    if let Err(reason) = axum::serve(listener, pages).with_graceful_shutdown(end).await {
        error!("no status is shown any more: {reason}");
    }
}

async fn status(State(gate): State<Arc<Gate>>) -> (StatusCode, &'static str) {
    if gate.alive().await { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "no Redis\n") }
}

async fn metrics(State(gate): State<Arc<Gate>>) -> String {
    let counts = &gate.counts;
    let shown: [(&str, &AtomicU64); 4] = [
        ("authorized_calls", &counts.authorized_calls),
        ("authorized_hits", &counts.authorized_hits),
        ("limited_calls", &counts.limited_calls),
        ("failed_calls", &counts.failed_calls),
    ];
    shown.iter().map(|(name, count)| format!("# TYPE {name} counter\n{name} {}\n", count.load(Ordering::Relaxed))).collect()
}
