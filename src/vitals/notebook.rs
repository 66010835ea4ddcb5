//! What a worker has seen and not yet told the others.

use core::cell::{Cell, RefCell};

use hashbrown::HashMap;

use super::{Event, write};
use crate::ledger::Store;

/// How long an observation may wait that changes nothing but figures, in milliseconds.
const PATIENCE_MS: u64 = 100;

/// Most observations of a deployment that wait; each takes some 50 bytes.
const MOST: usize = 256;

/// What has come of what an attempt told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noted {
    /// Whether something waits since now, and [`flush`](Notebook::flush) is to be called in 100 ms.
    pub waits: bool,
    /// Whether the deployment cools down from now on.
    pub cools_down: bool,
}

/// One for each worker's provider seats. A failure is written at once, and so is a success unless the
/// worker has looked at the record within the last 100 ms and it was at rest: only then can the
/// success change nothing but figures. What waits is written with the next observation after that
/// time, or by [`flush`](Self::flush).
#[derive(Debug, Default)]
pub struct Notebook {
    pages: RefCell<HashMap<String, Page>>,
    /// Whether somebody has been told to come back.
    waits: Cell<bool>,
}

/// What is known of one deployment.
#[derive(Debug, Default)]
struct Page {
    waiting: Vec<Event>,
    /// When the record was last read and written, Unix milliseconds.
    looked_ms: u64,
    at_rest: bool,
    /// Whether this worker has told of a complete answer.
    told_complete: bool,
}

impl Page {
    /// Whether that made the deployment cool down.
    fn flush(&mut self, store: &dyn Store, key: &str, now_ms: u64) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let written = write(store, key, &self.waiting, now_ms);
        self.at_rest = written.is_at_rest;
        self.looked_ms = now_ms;
        self.waiting.clear();
        written.cools_down
    }
}

impl Notebook {
    /// Takes what an attempt at the deployment with this [`key`](super::key) tells.
    pub fn note(&self, store: &dyn Store, key: &str, events: &[Event], now_ms: u64) -> Noted {
        let Ok(mut pages) = self.pages.try_borrow_mut() else { return Noted::default() };
        let page = pages.entry_ref(key).or_default();
        page.waiting.extend_from_slice(events);
        let completes = events.iter().any(|event| matches!(event, Event::Complete { .. }));
        let changes = events.iter().any(|event| !matches!(event, Event::Complete { .. }));
        let due = now_ms.abs_diff(page.looked_ms) >= PATIENCE_MS
            || events.iter().any(Event::is_urgent)
            || (completes && !page.told_complete)
            || (changes && !page.at_rest)
            || page.waiting.len() >= MOST;
        page.told_complete |= completes;
        let cools_down = due && page.flush(store, key, now_ms);
        Noted { waits: !page.waiting.is_empty() && !self.waits.replace(true), cools_down }
    }

    /// Writes down whatever waits.
    pub fn flush(&self, store: &dyn Store, now_ms: u64) {
        let Ok(mut pages) = self.pages.try_borrow_mut() else { return };
        for (key, page) in pages.iter_mut() {
            // Nothing that has to wait opens a cool-down.
            let _ = page.flush(store, key, now_ms);
        }
        self.waits.set(false);
    }
}
