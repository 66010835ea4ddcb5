//! Which series there are, where another build of the filter finds them.
//!
//! Envoy keeps a counter for as long as some VM has defined it. Another build is another VM, and what that has not come
//! to define when the last calls of the old one end would be forgotten, the calls counted last with it. So every
//! series is noted in shared data, which outlives VMs, and a new VM defines them all before the old one ends. Gauges are
//! told anew every few seconds and need none of this.

use core::cell::RefCell;
use core::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashSet};

use super::{SharedData, define};
use crate::ledger::Store;
use crate::meter::Kind;

/// Twice the usual bound of a VM: names of ids that have left the configuration stay noted.
const MOST: u32 = 20_000;

thread_local! {
    static ROLL: RefCell<Roll> = RefCell::default();
}

/// This VM has defined a series.
pub(super) fn note(kind: Kind, name: &str) {
    // A host call does not come back into the VM, so nobody else is at it.
    let _ = ROLL.with(|roll| roll.try_borrow_mut().map(|mut roll| roll.note(&SharedData, kind, name)));
}

/// Defines what other VMs have since this was last called.
pub fn adopt() {
    let define = |kind, name: &str| {
        let _ = define(kind, name);
    };
    let _ = ROLL.with(|roll| roll.try_borrow_mut().map(|mut roll| roll.adopt(&SharedData, define)));
}

/// How far a VM has read the notes, which are numbered from 0 without a gap.
#[derive(Default)]
struct Roll {
    read: u32,
    hasher: DefaultHashBuilder,
    /// Hashes of the notes read.
    noted: HashSet<u64>,
    /// Of these, what the VM has not defined.
    unmet: Vec<(Kind, String)>,
}

impl Roll {
    fn note(&mut self, store: &dyn Store, kind: Kind, name: &str) {
        let Some(mark) = mark(kind) else { return };
        let text = [mark, name].concat();
        let hash = self.hasher.hash_one(text.as_str());
        while !self.noted.contains(&hash) && self.read < MOST {
            let key = key(self.read);
            let (there, version) = store.read(&key);
            match there {
                Some(there) => self.take(&there),
                // Of several at once one is first, and the others read what it has noted.
                None if store.swap(&key, text.as_bytes(), version) => {
                    self.noted.insert(hash);
                    self.read += 1;
                }
                None => {}
            }
        }
    }

    fn adopt(&mut self, store: &dyn Store, mut define: impl FnMut(Kind, &str)) {
        while self.read < MOST
            && let (Some(there), _) = store.read(&key(self.read))
        {
            self.take(&there);
        }
        self.unmet.drain(..).for_each(|(kind, name)| define(kind, &name));
    }

    /// One that was noted by another VM, or by this one before.
    fn take(&mut self, note: &[u8]) {
        self.read += 1;
        let Ok(text) = core::str::from_utf8(note) else { return };
        if self.noted.insert(self.hasher.hash_one(text)) {
            let kinds = [Kind::Counter, Kind::Histogram];
            let found = kinds.into_iter().find_map(|kind| Some((kind, text.strip_prefix(mark(kind)?)?.to_owned())));
            self.unmet.extend(found);
        }
    }
}

fn key(number: u32) -> String {
    format!("nr.series.{number}")
}

/// How a note says of what kind the series is; `None` of a kind that is not noted.
const fn mark(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Counter => Some("c"),
        Kind::Histogram => Some("h"),
        Kind::Gauge => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ledger::Version;

    #[derive(Default)]
    struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

    impl Store for Memory {
        fn read(&self, key: &str) -> (Option<Vec<u8>>, Version) {
            (self.0.borrow().get(key).cloned(), Version(0))
        }

        fn swap(&self, key: &str, value: &[u8], _: Version) -> bool {
            let is_new = !self.0.borrow().contains_key(key);
            if is_new {
                self.0.borrow_mut().insert(key.to_owned(), value.to_vec());
            }
            is_new
        }
    }

    fn adopted(roll: &mut Roll, store: &Memory) -> Vec<(Kind, String)> {
        let mut defined = Vec::new();
        roll.adopt(store, |kind, name| defined.push((kind, name.to_owned())));
        defined
    }

    #[test]
    fn a_new_vm_defines_what_the_others_have_each_once() {
        let (store, mut first, mut second) = (Memory::default(), Roll::default(), Roll::default());
        for roll in [&mut first, &mut second] {
            roll.note(&store, Kind::Counter, "calls");
            roll.note(&store, Kind::Histogram, "calls");
            roll.note(&store, Kind::Gauge, "left");
        }
        second.note(&store, Kind::Counter, "late");
        assert_eq!(store.0.borrow().len(), 3);
        let mut fresh = Roll::default();
        let all =
            [(Kind::Counter, "calls"), (Kind::Histogram, "calls"), (Kind::Counter, "late")].map(|(kind, name)| (kind, name.to_owned()));
        assert_eq!(adopted(&mut fresh, &store), all);
        assert_eq!(adopted(&mut fresh, &store), []);
        first.note(&store, Kind::Counter, "later");
        assert_eq!(adopted(&mut fresh, &store), [(Kind::Counter, "later".to_owned())]);
        assert_eq!(adopted(&mut first, &store), [(Kind::Counter, "late".to_owned())], "its own it has");
    }

    #[test]
    fn there_is_an_end_to_what_is_noted() {
        let (store, mut roll) = (Memory::default(), Roll::default());
        for n in 0..MOST + 10 {
            roll.note(&store, Kind::Counter, &n.to_string());
        }
        assert_eq!(store.0.borrow().len(), MOST as usize);
    }
}
