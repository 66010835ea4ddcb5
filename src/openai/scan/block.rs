//! Blocks of a string, and what in them is not plain text: vector instructions where there are any, and the same without
//! them (docs/decisions/0004, 0008).

/// Bytes of a string looked at in one go: two vector registers. Most names and short values fit, and in long
/// texts there is an escape for every thirty bytes or so.
pub(super) const BLOCK: usize = 32;

/// Whether a byte stands for itself: no quote, no backslash, no control character, which has to be escaped.
pub(super) fn is_plain(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// The same of all bytes, which mostly are a few: eight in one go.
pub(in super::super) fn are_plain(text: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 0xff;
    let below = |word: u64, bound: u8| word.wrapping_sub(EACH * u64::from(bound)) & !word & (EACH << 7);
    let is_plain_word = |word: u64| {
        let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
        below(word, 0x20) | is(b'"') | is(b'\\') == 0
    };
    let (words, rest) = text.as_chunks();
    words.iter().all(|word| is_plain_word(u64::from_le_bytes(*word))) && rest.iter().all(|byte| is_plain(*byte))
}

pub(super) use imp::Marks;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod imp {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_le, u8x16_splat, u64x2, v128, v128_or};
    use core::hint::black_box;

    use super::BLOCK;

    /// What is not plain, in registers.
    pub(in super::super) struct Marks {
        quote: v128,
        backslash: v128,
        control: v128,
    }

    impl Marks {
        /// V8 makes a constant anew wherever it is used, in three instructions; a value it does not know stays
        /// in its register.
        #[inline(always)]
        pub(in super::super) fn new() -> Self {
            Self { quote: black_box(u8x16_splat(b'"')), backslash: black_box(u8x16_splat(b'\\')), control: black_box(u8x16_splat(0x1f)) }
        }

        /// A bit for each byte that is not plain.
        #[inline(always)]
        pub(in super::super) fn special(&self, block: &[u8; BLOCK]) -> u32 {
            let (words, _) = block.as_chunks::<8>();
            let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
            let [first, second] = [u64x2(word(0), word(1)), u64x2(word(2), word(3))].map(|bytes| {
                let quotes_and_backslashes = v128_or(u8x16_eq(bytes, self.quote), u8x16_eq(bytes, self.backslash));
                u32::from(u8x16_bitmask(v128_or(quotes_and_backslashes, u8x16_le(bytes, self.control))))
            });
            first | second << 16
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod imp {
    use super::{BLOCK, is_plain};

    pub(in super::super) struct Marks;

    impl Marks {
        pub(in super::super) fn new() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "the twin of the one with vector instructions")]
        pub(in super::super) fn special(&self, block: &[u8; BLOCK]) -> u32 {
            block.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(!is_plain(*byte)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{are_plain, is_plain};

    #[test]
    fn eight_bytes_are_plain_if_each_is() {
        for byte in 0..=u8::MAX {
            for length in 1..20 {
                for at in 0..length {
                    for other in [b'a', 0x7f, 0xff, 0x21, 0x23, 0x5b, 0x5d] {
                        let mut text = vec![other; length];
                        text[at] = byte;
                        assert_eq!(are_plain(&text), is_plain(byte), "{text:?}");
                    }
                }
            }
        }
    }
}
