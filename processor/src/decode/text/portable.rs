//! The kernel's operations in plain integer arithmetic, eight bytes in a word.

use wide::u8x16;

use super::instructions::{Kernel, Separators};
use crate::decode::scalar::{parse_digits, parse_dotted};

/// No more than what the program was compiled for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

impl Kernel for Portable {
    #[inline(always)]
    fn separators<const LINES: bool>(self, chunk: &[u8; 64]) -> Separators {
        let (vectors, _) = chunk.as_chunks::<16>();
        let mut found = Separators { all: 0, line_feeds: 0 };
        for (number, vector) in vectors.iter().enumerate() {
            let vector = u8x16::new(*vector);
            let equal = |byte| u64::from(vector.simd_eq(u8x16::splat(byte)).to_bitmask());
            let line_feeds = if LINES { equal(b'\n') } else { 0 };
            found.line_feeds |= line_feeds << (16 * number);
            found.all |= (line_feeds | equal(b' ')) << (16 * number);
        }
        found
    }

    #[inline(always)]
    fn flatten(self, bits: u64, base: u32, slots: &mut [u32; 64]) {
        flatten_by_bit(bits, base, slots);
    }

    #[inline(always)]
    fn integers(self, texts: [&[u8; 16]; 4], lengths: [u32; 4]) -> Option<[u64; 4]> {
        let mut values = [0; 4];
        for ((value, text), length) in values.iter_mut().zip(texts).zip(lengths) {
            let [high, low] = halves(text);
            *value = parse_digits(low, length.min(8))?;
            if length > 8 {
                *value += parse_digits(high, length - 8)? * 100_000_000;
            }
        }
        Some(values)
    }

    #[inline(always)]
    fn short_integers(self, texts: [&[u8; 8]; 4], lengths: [u32; 4]) -> Option<[u32; 4]> {
        let mut values = [0; 4];
        for ((value, text), length) in values.iter_mut().zip(texts).zip(lengths) {
            let parsed = parse_digits(u64::from_le_bytes(*text), length)?;
            *value = u32::try_from(parsed).ok()?;
        }
        Some(values)
    }

    #[inline(always)]
    fn dotted(self, texts: [&[u8; 16]; 2], lengths: [u32; 2]) -> Option<[u32; 2]> {
        Some([parse_dotted(texts[0], lengths[0])?, parse_dotted(texts[1], lengths[1])?])
    }
}

/// Most chunks of a flow log have at most twelve separators: they are written without asking how many there are.
#[inline(always)]
pub(super) fn flatten_by_bit(mut bits: u64, base: u32, slots: &mut [u32; 64]) {
    const BATCH: usize = 12;
    let (batches, rest) = slots.as_chunks_mut::<BATCH>();
    for batch in batches {
        for slot in batch {
            *slot = base + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
        if bits == 0 {
            return;
        }
    }
    for slot in rest {
        *slot = base + bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
    }
}

fn halves(text: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*text);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    [both as u64, (both >> 64) as u64]
}
