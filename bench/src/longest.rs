//! The longest single piece of work on a worker thread: while it lasts, every other call of that
//! worker stands still. Measured apart from CPU time, because Envoy's own timing of its event loop
//! (`enable_dispatcher_stats`) costs some: one call at a time, so that one turn of the loop works on
//! one call, and how long the longest turn took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::case::{CASES, Case};
use crate::lane::Lane;
use crate::load::{Call, Pool};
use crate::plain;
use crate::rounds::Amount;
use crate::stack::{Envoy, Envoys, Simulator};

/// At most.
pub(crate) const TARGET_MS: f64 = 5.0;

/// Repetitions. Another program that takes the core away makes a turn look long, but not each time,
/// so the smallest of their maxima counts.
const REPEATS: usize = 5;

/// More than twice what passes between two flushes of Envoy's statistics.
const FLUSHED: Duration = Duration::from_millis(250);

/// A body near the limit, besides the cases.
const LARGE: (&str, usize, usize) = ("chat_10m", 10 << 20, 8);

/// The longest turn of the loop by case, in milliseconds.
pub(crate) type Longest = Vec<(&'static str, BTreeMap<Lane, f64>)>;

/// Measures these cases, and the large body unless only some cases were asked for.
pub(crate) async fn measure(simulator: &Simulator, envoys: &Envoys, cases: &[&'static Case], amount: &Amount) -> Result<Longest, String> {
    let mut longest = Longest::new();
    for case in cases {
        let requests = if case.stream { 12 } else { (200_000_000 / (case.body_bytes + 300_000)).min(400) } / amount.divisor;
        simulator.behave(&case.behaviour()).await?;
        longest.push((case.name, of(envoys, case, case.name, case.body_bytes, requests.max(2), amount).await?));
    }
    if cases.len() == CASES.len() {
        let (name, bytes, requests) = LARGE;
        let case = Case::named("chat_1m")?;
        simulator.behave(&case.behaviour()).await?;
        longest.push((name, of(envoys, case, name, bytes, (requests / amount.divisor).max(2), amount).await?));
    }
    Ok(longest)
}

async fn of(
    envoys: &Envoys,
    case: &Case,
    name: &str,
    bytes: usize,
    requests: usize,
    amount: &Amount,
) -> Result<BTreeMap<Lane, f64>, String> {
    let mut longest = BTreeMap::new();
    for &lane in amount.lanes.iter().filter(|lane| **lane != Lane::Simulator) {
        let Envoy { ports, .. } = if lane == Lane::Envoy { &envoys.bare } else { &envoys.filter };
        let call = Call {
            name: format!("{name} through {}, one at a time", lane.name()),
            request: Arc::from(lane.request(bytes, case.stream)),
            expected: case.expected(),
        };
        let mut pool = Pool::open(ports.listen, 1, &call).await?;
        pool.run(requests.div_ceil(2)).await?;
        let mut before = turns(ports.admin).await?;
        let mut smallest = f64::INFINITY;
        for _ in 0..REPEATS {
            pool.run(requests).await?;
            let after = turns(ports.admin).await?;
            smallest = smallest.min(longest_new(&before, &after));
            before = after;
        }
        longest.insert(lane, smallest / 1e3);
    }
    Ok(longest)
}

/// Turns of the loop so far, by their length in microseconds: lower bound and width of a bucket, and how many.
type Turns = Vec<(f64, f64, u64)>;

async fn turns(admin: SocketAddr) -> Result<Turns, String> {
    tokio::time::sleep(FLUSHED).await;
    const PATH: &str = "/stats?format=json&histogram_buckets=detailed&filter=worker_.*dispatcher.loop_duration_us";
    let answer = plain::done(admin, "GET", PATH, "").await?;
    read(&answer).ok_or_else(|| format!("Envoy's statistics of its event loop are not in the expected form: {answer}"))
}

fn read(answer: &str) -> Option<Turns> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let mut turns = Turns::new();
    for entry in answer.get("stats")?.as_array()? {
        let details = entry.pointer("/histograms/details").and_then(Value::as_array);
        for bucket in details.into_iter().flatten().filter_map(|histogram| histogram.get("totals")?.as_array()).flatten() {
            turns.push((bucket.get("lower_bound")?.as_f64()?, bucket.get("width")?.as_f64()?, bucket.get("count")?.as_u64()?));
        }
    }
    if turns.is_empty() { None } else { Some(turns) }
}

/// The middle of the highest bucket that has grown; buckets are about 5 % wide.
fn longest_new(before: &Turns, after: &Turns) -> f64 {
    let count = |turns: &Turns, bound: f64| -> u64 { turns.iter().filter(|turn| turn.0 == bound).map(|turn| turn.2).sum() };
    let grown = after.iter().filter(|turn| count(after, turn.0) > count(before, turn.0));
    grown.map(|(bound, width, _)| bound + width / 2.0).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_turns_since_the_last_look_count() {
        let before = read(&stats(r#"{"lower_bound":100,"width":10,"count":5},{"lower_bound":9000,"width":1000,"count":1}"#)).unwrap();
        let after = read(&stats(
            r#"{"lower_bound":100,"width":10,"count":9},{"lower_bound":200,"width":10,"count":1},{"lower_bound":9000,"width":1000,"count":1}"#,
        ))
        .unwrap();
        assert_eq!(longest_new(&before, &after), 205.0);
        assert_eq!(longest_new(&after, &after), 0.0);
    }

    #[test]
    fn statistics_in_another_form_are_an_error_and_not_a_zero() {
        for answer in ["", "{}", r#"{"stats":[]}"#, &stats("")] {
            assert!(read(answer).is_none(), "{answer}");
        }
    }

    fn stats(buckets: &str) -> String {
        format!(r#"{{"stats":[{{"histograms":{{"details":[{{"name":"x","totals":[{buckets}],"intervals":[]}}]}}}}]}}"#)
    }
}
