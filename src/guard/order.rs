//! Sorting by numbers. A sort of the standard library for each kind of list would be five kilobytes of the
//! module each.

use std::collections::BinaryHeap;

/// The places of the items of a list in the order of their keys, and of the items with the same key in their
/// own. Keys and lists are below 2^32, like everything in a 32-bit memory.
pub(super) fn by_key<T>(items: &[T], key: impl Fn(&T) -> usize) -> impl Iterator<Item = usize> {
    let keys = items.iter().zip(0_u64..).map(|(item, at)| (key(item) as u64) << 32 | at);
    let sorted = keys.collect::<BinaryHeap<u64>>().into_sorted_vec();
    sorted.into_iter().map(|key| (key & u64::from(u32::MAX)) as usize)
}
