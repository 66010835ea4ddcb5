//! The load generator: a fixed number of calls over a fixed number of keep-alive connections, each
//! of which sends its next call when the last is answered. One thread; the first failure ends it all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::case::Expected;
use crate::client::{Connection, Reply};

/// What every call of a load sends and expects.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Names the load in an error.
    pub(crate) name: String,
    pub(crate) request: Arc<[u8]>,
    pub(crate) expected: Expected,
}

/// Open connections, each of which has carried a call already: connecting is not what is measured.
#[derive(Debug)]
pub(crate) struct Pool {
    call: Call,
    connections: Vec<Connection>,
}

/// All calls of a load.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) wall: Duration,
    pub(crate) replies: Vec<Reply>,
}

impl Pool {
    pub(crate) async fn open(address: SocketAddr, connections: usize, call: &Call) -> Result<Self, String> {
        let mut pool = Self { call: call.clone(), connections: Vec::with_capacity(connections) };
        for _ in 0..connections {
            let connection = Connection::open(address).await.map_err(|error| format!("{}: {error}", call.name))?;
            pool.connections.push(connection);
        }
        pool.run(connections).await?;
        Ok(pool)
    }

    /// Makes `requests` calls.
    pub(crate) async fn run(&mut self, requests: usize) -> Result<Outcome, String> {
        let left = Arc::new(AtomicUsize::new(requests));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for connection in self.connections.drain(..) {
            tasks.spawn(converse(connection, self.call.clone(), Arc::clone(&left)));
        }
        let mut replies = Vec::with_capacity(requests);
        while let Some(finished) = tasks.join_next().await {
            // Dropping the other tasks closes their connections.
            let (connection, answered) = finished.map_err(|error| format!("{}: {error}", self.call.name))??;
            self.connections.push(connection);
            replies.extend(answered);
        }
        Ok(Outcome { wall: began.elapsed(), replies })
    }
}

async fn converse(mut connection: Connection, call: Call, left: Arc<AtomicUsize>) -> Result<(Connection, Vec<Reply>), String> {
    let mut replies = Vec::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let reply = connection.call(&call.request, call.expected).await;
        replies.push(reply.map_err(|error| format!("{}: {error}", call.name))?);
    }
    Ok((connection, replies))
}
