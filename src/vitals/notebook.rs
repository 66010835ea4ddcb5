//! What a worker has seen and not yet told the others.

use core::cell::{Cell, RefCell};

use hashbrown::HashMap;

use super::{Event, write};
use crate::ledger::Store;

/// How long an observation may wait that changes nothing but figures, in milliseconds.
const PATIENCE_MS: u64 = 100;

/// Most observations of a deployment that wait; each takes some 50 bytes.
const MOST: usize = 256;

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
    fn flush(&mut self, store: &dyn Store, key: &str, now_ms: u64) {
        if !self.waiting.is_empty() {
            self.at_rest = write(store, key, &self.waiting, now_ms);
            self.looked_ms = now_ms;
            self.waiting.clear();
        }
    }
}

impl Notebook {
    /// Takes what an attempt at the deployment with this [`key`](super::key) tells. `true` if something
    /// waits since now, and [`flush`](Self::flush) is to be called in 100 ms.
    pub fn note(&self, store: &dyn Store, key: &str, events: &[Event], now_ms: u64) -> bool {
        let Ok(mut pages) = self.pages.try_borrow_mut() else { return false };
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
        if due {
            page.flush(store, key, now_ms);
        }
        !page.waiting.is_empty() && !self.waits.replace(true)
    }

    /// Writes down whatever waits.
    pub fn flush(&self, store: &dyn Store, now_ms: u64) {
        let Ok(mut pages) = self.pages.try_borrow_mut() else { return };
        pages.iter_mut().for_each(|(key, page)| page.flush(store, key, now_ms));
        self.waits.set(false);
    }
}
