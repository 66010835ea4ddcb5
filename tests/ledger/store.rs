//! A store in memory that keeps versions as shared data of Envoy does, and counts.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use neural_router::ledger::{Store, Version};

/// What [`Store::read`] says of a key that has never been set.
const ABSENT: u32 = u32::MAX;

#[derive(Default)]
pub struct Memory {
    values: Mutex<HashMap<String, (Vec<u8>, u32)>>,
    reads: AtomicUsize,
    swaps: AtomicUsize,
    lost: AtomicUsize,
}

impl Memory {
    /// Reads and swaps since the last time this was asked.
    pub fn taken(&self) -> (usize, usize) {
        (self.reads.swap(0, Ordering::SeqCst), self.swaps.swap(0, Ordering::SeqCst))
    }

    /// Swaps that somebody else was faster than.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }

    pub fn value(&self, key: &str) -> Vec<u8> {
        self.read(key).0.expect("a record")
    }

    pub fn put(&self, key: &str, value: &[u8]) {
        let (_, version) = self.read(key);
        assert!(self.swap(key, value, version));
    }

    pub fn is_empty(&self) -> bool {
        self.values.lock().expect("no panic").is_empty()
    }
}

impl Store for Memory {
    fn read(&self, key: &str) -> (Option<Vec<u8>>, Version) {
        self.reads.fetch_add(1, Ordering::SeqCst);
        match self.values.lock().expect("no panic").get(key) {
            Some((value, version)) => (Some(value.clone()), Version(*version)),
            None => (None, Version(ABSENT)),
        }
    }

    fn swap(&self, key: &str, value: &[u8], Version(expected): Version) -> bool {
        self.swaps.fetch_add(1, Ordering::SeqCst);
        let mut values = self.values.lock().expect("no panic");
        let current = values.get(key).map_or(ABSENT, |(_, version)| *version);
        if current == expected {
            values.insert(key.to_owned(), (value.to_vec(), current.wrapping_add(2)));
        } else {
            self.lost.fetch_add(1, Ordering::SeqCst);
        }
        current == expected
    }
}
