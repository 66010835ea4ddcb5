//! Sorting by numbers. A sort of the standard library for each kind of list would be several kilobytes of the
//! module each.

use std::collections::BinaryHeap;

/// The places of keys in their order, and of equal keys in that of their places. Keys and lists are below
/// 2^32, like everything in a 32-bit memory.
#[inline(never)]
pub(super) fn of(keys: &[usize]) -> Vec<usize> {
    let keys: BinaryHeap<u64> = keys.iter().zip(0_u64..).map(|(key, at)| (*key as u64) << 32 | at).collect();
    keys.into_sorted_vec().into_iter().map(|key| (key & u64::from(u32::MAX)) as usize).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn equal_keys_stay_in_order() {
        assert_eq!(super::of(&[3, 1, 2, 1, 3, 0]), [5, 1, 3, 2, 0, 4]);
        assert!(super::of(&[]).is_empty());
    }
}
