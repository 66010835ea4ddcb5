//! Time to first event: what a reader waits before text appears. Chunks are far apart, so that an
//! event that is held back until the next one shows as a whole interval.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::case::Expected;
use crate::figures::Quantiles;
use crate::lane::Lane;
use crate::load::{Call, Pool};
use crate::rounds::Amount;
use crate::stack::Stack;

/// Between two chunks.
pub(crate) const INTERVAL_MS: u64 = 20;

const CHUNKS: usize = 3;

/// Streams at a time; few, so that they do not wait for each other.
const CONNECTIONS: usize = 4;

/// Streams of one pass.
const STREAMS: usize = 80;

const PASSES: usize = 5;

/// Over bare Envoy, at most.
pub(crate) const TARGET_MS: f64 = 1.0;

/// When the parts of a stream arrived, from the first byte of the request sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) first_byte: Quantiles,
    pub(crate) first_content: Quantiles,
    pub(crate) last_content: Quantiles,
}

/// Measures all lanes in turns.
pub(crate) async fn measure(stack: &Stack, amount: &Amount) -> Result<BTreeMap<Lane, Times>, String> {
    stack.simulator.behave(&json!({"validate": false, "chunks": CHUNKS, "chunk_interval_ms": INTERVAL_MS})).await?;
    let streams = (STREAMS / amount.divisor).max(CONNECTIONS);
    let mut replies = BTreeMap::new();
    for _ in 0..PASSES {
        for &lane in &amount.lanes {
            let call = Call {
                name: format!("time to first event through {}", lane.name()),
                request: Arc::from(lane.request(1 << 10, true)),
                expected: Expected::Events { at_least: CHUNKS + 2 },
            };
            let mut pool = Pool::open(stack.address(lane), CONNECTIONS, &call).await?;
            replies.entry(lane).or_insert_with(Vec::new).extend(pool.run(streams).await?.replies);
        }
    }
    let mut times = BTreeMap::new();
    for (lane, replies) in replies {
        let content = |at: Option<Duration>| at.ok_or_else(|| format!("a stream through {} brought no text", lane.name()));
        let of = |times: Result<Vec<Duration>, String>| times.map(Quantiles::of);
        times.insert(
            lane,
            Times {
                first_byte: Quantiles::of(replies.iter().map(|reply| reply.first_byte).collect()),
                first_content: of(replies.iter().map(|reply| content(reply.first_content)).collect())?,
                last_content: of(replies.iter().map(|reply| content(reply.last_content)).collect())?,
            },
        );
    }
    Ok(times)
}
