//! Whether the service answers, for all workers of this Envoy.

use super::change;
use crate::ledger::Store;

const KEY: &str = "nr.fleet.service";
const NS_PER_MS: u64 = 1_000_000;

/// How long it is left alone after the first failure, and at most.
const BACKOFF_MS: (u64, u64) = (200, 5_000);

/// How long a probe keeps others from probing; longer than any round trip may take.
const PROBE_MS: u64 = 15_000;

/// What is known of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers, as far as anybody knows.
    Up,
    /// It does not, and is left alone.
    Down,
    /// It did not, and somebody should ask again.
    Due,
}

#[derive(Clone, Copy, Default)]
struct Record {
    /// 0 while it answers.
    backoff_ms: u64,
    retry_ns: u64,
}

/// How the service is.
pub(super) fn read(store: &dyn Store, now_ns: u64) -> Health {
    match Record::decode(store.read(KEY).0.as_deref()) {
        Record { backoff_ms: 0, .. } => Health::Up,
        Record { retry_ns, .. } if now_ns < retry_ns => Health::Down,
        Record { .. } => Health::Due,
    }
}

/// Takes the next probe upon oneself; `false` if somebody else has.
pub(super) fn claim_probe(store: &dyn Store, now_ns: u64) -> bool {
    let claimed = change(store, KEY, |bytes| {
        let record = Record::decode(bytes);
        let due = record.backoff_ms > 0 && record.retry_ns <= now_ns;
        let next = Record { retry_ns: now_ns.saturating_add(PROBE_MS * NS_PER_MS), ..record };
        if due { Ok((next.encode(), ())) } else { Err(()) }
    });
    claimed.is_ok()
}

/// It has answered. `true` if it had not before.
pub(super) fn answered(store: &dyn Store) -> bool {
    let was_down = |bytes: Option<&[u8]>| Record::decode(bytes).backoff_ms > 0;
    change(store, KEY, |bytes| if was_down(bytes) { Ok((Record::default().encode(), ())) } else { Err(()) }).is_ok()
}

/// It has not answered. `probe`: an ask that was sent although it was down. Of several that fail together the first
/// one counts.
pub(super) fn failed(store: &dyn Store, probe: bool, now_ns: u64) {
    let _ = change(store, KEY, |bytes| {
        let record = Record::decode(bytes);
        let (least, most) = BACKOFF_MS;
        if record.backoff_ms > 0 && !probe {
            return Err(());
        }
        let backoff_ms = (record.backoff_ms * 2).clamp(least, most);
        Ok((Record { backoff_ms, retry_ns: now_ns.saturating_add(backoff_ms * NS_PER_MS) }.encode(), ()))
    });
}

impl Record {
    fn encode(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice([self.backoff_ms, self.retry_ns].map(u64::to_le_bytes).as_flattened());
        bytes
    }

    fn decode(bytes: Option<&[u8]>) -> Self {
        let numbers = bytes.and_then(|bytes| <[[u8; 8]; 2]>::try_from(bytes.as_chunks::<8>().0).ok());
        let [backoff_ms, retry_ns] = numbers.unwrap_or_default().map(u64::from_le_bytes);
        Self { backoff_ms: backoff_ms.min(BACKOFF_MS.1), retry_ns }
    }
}
