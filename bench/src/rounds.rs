//! CPU time per request, in rounds in which the lanes take turns: whatever else the machine does
//! hits all of them, and a ratio compares two neighbours in time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::figures::{Quantiles, Spread};
use crate::lane::Lane;
use crate::load::{Call, Outcome, Pool};
use crate::stack::Stack;

/// One lane in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    /// CPU microseconds of the lane's process per request, without what it uses when idle.
    pub(crate) cpu_us: f64,
    /// CPU time over wall time.
    pub(crate) busy: f64,
    pub(crate) per_second: f64,
    /// Events that one read of the client brought; 1 when each arrived alone.
    pub(crate) events_per_read: f64,
}

/// All rounds of a case, and the latencies of its calls.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) case: &'static Case,
    pub(crate) rounds: Vec<BTreeMap<Lane, Slice>>,
    pub(crate) latency: BTreeMap<Lane, Quantiles>,
    /// Size of the answer's body on each lane.
    pub(crate) answer_bytes: BTreeMap<Lane, usize>,
}

impl Measured {
    /// A figure of a lane over the rounds.
    pub(crate) fn spread(&self, lane: Lane, figure: impl Fn(&Slice) -> f64) -> Spread {
        Spread::of(self.rounds.iter().filter_map(|round| round.get(&lane)).map(figure))
    }

    /// CPU time of a lane over that of another, round by round.
    pub(crate) fn ratio(&self, lane: Lane, to: Lane) -> Spread {
        Spread::of(self.rounds.iter().filter_map(|round| Some(round.get(&lane)?.cpu_us / round.get(&to)?.cpu_us)))
    }
}

impl Measured {
    /// CPU microseconds of a lane less those of another, round by round.
    pub(crate) fn difference(&self, lane: Lane, from: Lane) -> Spread {
        Spread::of(self.rounds.iter().filter_map(|round| Some(round.get(&lane)?.cpu_us - round.get(&from)?.cpu_us)))
    }
}

/// What each process uses while nothing is asked of it, in CPU seconds per second.
pub(crate) async fn idle(stack: &Stack, lanes: &[Lane], time: Duration) -> Result<BTreeMap<Lane, f64>, String> {
    let began = Instant::now();
    let before: Vec<Duration> = lanes.iter().map(|lane| stack.clock(*lane).used()).collect::<Result<_, _>>()?;
    tokio::time::sleep(time).await;
    let wall = began.elapsed();
    let used = |(lane, before): (&Lane, Duration)| Ok((*lane, (stack.clock(*lane).used()? - before).as_secs_f64() / wall.as_secs_f64()));
    lanes.iter().zip(before).map(used).collect()
}

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Amount {
    pub(crate) rounds: usize,
    /// Calls of a round are divided by this.
    pub(crate) divisor: usize,
    pub(crate) lanes: Vec<Lane>,
}

/// Passes of the latency measurement, in which the lanes take turns too.
const LATENCY_PASSES: usize = 3;

/// Measures a case.
pub(crate) async fn measure(stack: &Stack, case: &'static Case, amount: &Amount, idle: &BTreeMap<Lane, f64>) -> Result<Measured, String> {
    stack.simulator.behave(&case.behaviour()).await?;
    let requests = (case.requests / amount.divisor).max(case.connections);
    let mut calls = BTreeMap::new();
    let mut answer_bytes = BTreeMap::new();
    for &lane in &amount.lanes {
        let request: Arc<[u8]> = lane.request(case.body_bytes, case.stream).into();
        let name = format!("{} through {}", case.name, lane.name());
        let call = Call { name, request, expected: case.expected() };
        // Warms up what a first call finds cold: connections to the provider, compiled code, caches.
        let warm = Pool::open(stack.address(lane), case.connections, &call).await?.run(requests / 2).await?;
        answer_bytes.insert(lane, warm.replies.last().map_or(0, |reply| reply.body_bytes));
        calls.insert(lane, call);
    }
    let mut rounds = Vec::new();
    for round in 0..amount.rounds {
        let mut slices = BTreeMap::new();
        for turn in 0..amount.lanes.len() {
            // Every other round in reverse, so that nobody always follows the same neighbour.
            let turn = if round % 2 == 0 { turn } else { amount.lanes.len() - 1 - turn };
            let lane = amount.lanes[turn];
            let idle = idle.get(&lane).copied().unwrap_or_default();
            slices.insert(lane, slice(stack, lane, case, &calls[&lane], requests, idle).await?);
        }
        rounds.push(slices);
    }
    let latency = latency(stack, case, amount, &calls).await?;
    Ok(Measured { case, rounds, latency, answer_bytes })
}

async fn slice(stack: &Stack, lane: Lane, case: &Case, call: &Call, requests: usize, idle: f64) -> Result<Slice, String> {
    let mut pool = Pool::open(stack.address(lane), case.connections, call).await?;
    let clock = stack.clock(lane);
    let before = clock.used()?;
    let Outcome { wall, replies } = pool.run(requests).await?;
    let used = (clock.used()? - before).as_secs_f64();
    let wall = wall.as_secs_f64();
    let (events, reads) = replies.iter().fold((0, 0), |(events, reads), reply| (events + reply.events, reads + reply.reads));
    Ok(Slice {
        cpu_us: (used - idle * wall).max(0.0) * 1e6 / requests as f64,
        busy: used / wall,
        per_second: requests as f64 / wall,
        events_per_read: events as f64 / reads.max(1) as f64,
    })
}

async fn latency(stack: &Stack, case: &Case, amount: &Amount, calls: &BTreeMap<Lane, Call>) -> Result<BTreeMap<Lane, Quantiles>, String> {
    let requests = (case.latency_requests / amount.divisor).max(case.latency_connections);
    let mut times: BTreeMap<Lane, Vec<Duration>> = BTreeMap::new();
    for _ in 0..LATENCY_PASSES {
        for (&lane, call) in calls {
            let mut pool = Pool::open(stack.address(lane), case.latency_connections, call).await?;
            let outcome = pool.run(requests).await?;
            times.entry(lane).or_default().extend(outcome.replies.iter().map(|reply| reply.end));
        }
    }
    Ok(times.into_iter().map(|(lane, times)| (lane, Quantiles::of(times))).collect())
}
