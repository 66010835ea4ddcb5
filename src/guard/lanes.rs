//! Sixteen bytes at a time: vector instructions where there are any, and the same without them
//! (docs/decisions/0008).

pub(super) use imp::{Lanes, and, any, halves, has_digit, load, look_up, one_on, two_on, words};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{
        i8x16_gt, i8x16_lt, i8x16_shuffle, i8x16_splat, u8x16_swizzle, u16x8_shr, u64x2, u64x2_extract_lane, v128, v128_and, v128_any_true,
        v128_or,
    };

    /// Sixteen bytes.
    pub(in crate::guard) type Lanes = v128;

    #[inline]
    pub(in crate::guard) fn load(bytes: &[u8; 16]) -> Lanes {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        u64x2(word(0), word(1))
    }

    /// The lower and the upper halves of bytes. `half` has the lower half of every byte set: V8 makes a constant anew
    /// wherever it is used, so it comes from memory once.
    #[inline]
    pub(in crate::guard) fn halves(bytes: Lanes, half: Lanes) -> [Lanes; 2] {
        [v128_and(bytes, half), v128_and(u16x8_shr(bytes, 4), half)]
    }

    /// For every byte what both of its halves have in their tables.
    #[inline]
    pub(in crate::guard) fn look_up(lower: Lanes, upper: Lanes, [low, high]: [Lanes; 2]) -> Lanes {
        v128_and(u8x16_swizzle(lower, low), u8x16_swizzle(upper, high))
    }

    /// Every byte one place further on; the last of those before comes first.
    #[inline]
    pub(in crate::guard) fn one_on(before: Lanes, bytes: Lanes) -> Lanes {
        i8x16_shuffle::<15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>(before, bytes)
    }

    /// Two places.
    #[inline]
    pub(in crate::guard) fn two_on(before: Lanes, bytes: Lanes) -> Lanes {
        i8x16_shuffle::<14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29>(before, bytes)
    }

    #[inline]
    pub(in crate::guard) fn and(a: Lanes, b: Lanes) -> Lanes {
        v128_and(a, b)
    }

    /// Whether a bit is set.
    #[inline]
    pub(in crate::guard) fn any([a, b]: [Lanes; 2]) -> bool {
        v128_any_true(v128_or(a, b))
    }

    /// In order, the first byte in the lowest bits.
    pub(in crate::guard) fn words(lanes: Lanes) -> [u64; 2] {
        [u64x2_extract_lane::<0>(lanes), u64x2_extract_lane::<1>(lanes)]
    }

    pub(in crate::guard) fn has_digit(bytes: &[u8; 16]) -> bool {
        let bytes = load(bytes);
        v128_any_true(v128_and(i8x16_gt(bytes, i8x16_splat(0x2f)), i8x16_lt(bytes, i8x16_splat(0x3a))))
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    pub(in crate::guard) type Lanes = [u8; 16];

    pub(in crate::guard) fn load(bytes: &[u8; 16]) -> Lanes {
        *bytes
    }

    pub(in crate::guard) fn halves(bytes: Lanes, half: Lanes) -> [Lanes; 2] {
        [and(bytes, half), and(bytes.map(|byte| byte >> 4), half)]
    }

    pub(in crate::guard) fn look_up(lower: Lanes, upper: Lanes, [low, high]: [Lanes; 2]) -> Lanes {
        let look_up = |table: Lanes, halves: Lanes| halves.map(|half| table.get(usize::from(half)).copied().unwrap_or(0));
        and(look_up(lower, low), look_up(upper, high))
    }

    pub(in crate::guard) fn one_on(before: Lanes, bytes: Lanes) -> Lanes {
        on(1, before, bytes)
    }

    pub(in crate::guard) fn two_on(before: Lanes, bytes: Lanes) -> Lanes {
        on(2, before, bytes)
    }

    fn on(places: usize, before: Lanes, bytes: Lanes) -> Lanes {
        let mut all = before.into_iter().skip(before.len() - places).chain(bytes);
        [(); 16].map(|()| all.next().unwrap_or(0))
    }

    pub(in crate::guard) fn and(mut a: Lanes, b: Lanes) -> Lanes {
        a.iter_mut().zip(b).for_each(|(a, b)| *a &= b);
        a
    }

    pub(in crate::guard) fn any([a, b]: [Lanes; 2]) -> bool {
        a.iter().chain(&b).any(|byte| *byte != 0)
    }

    pub(in crate::guard) fn words(lanes: Lanes) -> [u64; 2] {
        let (words, _) = lanes.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
        [word(0), word(1)]
    }

    pub(in crate::guard) fn has_digit(bytes: &[u8; 16]) -> bool {
        bytes.iter().any(u8::is_ascii_digit)
    }
}
