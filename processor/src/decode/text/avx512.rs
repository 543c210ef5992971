//! The kernel's operations in AVX-512.

use std::arch::x86_64::__m512i;

use pulp::cast;
use pulp::x86::V4;

use super::avx2::Avx2;
use super::instructions::{Kernel, Separators};

/// Proof that the processor has AVX-512 F, BW, CD, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(pub(super) V4);

impl Kernel for Avx512 {
    #[inline(always)]
    fn separators<const LINES: bool>(self, chunk: &[u8; 64]) -> Separators {
        let chunk: __m512i = cast(*chunk);
        let line_feeds = if LINES { self.equal(chunk, b'\n') } else { 0 };
        Separators { all: self.equal(chunk, b' ') | line_feeds, line_feeds }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "sixteen bits at a time")]
    fn flatten(self, bits: u64, base: u32, slots: &mut [u32; 64]) {
        let avx512f = self.0.avx512f;
        let mut places: __m512i = avx512f._mm512_add_epi32(
            cast([0u32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            avx512f._mm512_set1_epi32(base.cast_signed()),
        );
        let mut first = 0;
        for quarter in 0..4 {
            let mask = (bits >> (16 * quarter)) as u16;
            // At most 16 bits of each quarter came before, so that the slots always suffice.
            if let Some(free) = slots.get_mut(first..).and_then(<[u32]>::first_chunk_mut) {
                *free =
                    cast::<__m512i, [u32; 16]>(avx512f._mm512_maskz_compress_epi32(mask, places));
            }
            first += mask.count_ones() as usize;
            places = avx512f._mm512_add_epi32(places, avx512f._mm512_set1_epi32(16));
        }
    }

    #[inline(always)]
    fn integers(self, texts: [&[u8; 16]; 4], lengths: [u32; 4]) -> Option<[u64; 4]> {
        let (avx512f, avx512bw) = (self.0.avx512f, self.0.avx512bw);
        let text = avx512f._mm512_castsi128_si512(cast(*texts[0]));
        let text = avx512f._mm512_inserti32x4::<1>(text, cast(*texts[1]));
        let text = avx512f._mm512_inserti32x4::<2>(text, cast(*texts[2]));
        let text = avx512f._mm512_inserti32x4::<3>(text, cast(*texts[3]));
        // Every byte of a lane gets the lane's length; the last byte is kept if that is at least 1.
        let spread = cast([0u32, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
        let lengths = avx512f._mm512_castsi128_si512(cast(lengths));
        let lengths = avx512f._mm512_permutexvar_epi32(spread, lengths);
        let lengths = avx512bw._mm512_shuffle_epi8(lengths, cast([0u8; 64]));
        let from_end = cast([[15u8, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]; 4]);
        let kept = avx512bw._mm512_cmpgt_epu8_mask(lengths, from_end);
        let zeros = avx512f._mm512_set1_epi8(b'0'.cast_signed());
        let digits = avx512bw._mm512_maskz_sub_epi8(kept, text, zeros);
        if avx512bw._mm512_cmpgt_epu8_mask(digits, avx512f._mm512_set1_epi8(9)) != 0 {
            return None;
        }
        let twos = avx512bw._mm512_maddubs_epi16(digits, cast([[10u8, 1]; 32]));
        let fours = avx512bw._mm512_madd_epi16(twos, cast([[100u16, 1]; 16]));
        let packed = avx512bw._mm512_packus_epi32(fours, fours);
        let eights = avx512bw._mm512_madd_epi16(packed, cast([[10_000u16, 1]; 16]));
        let upper = avx512f._mm512_mul_epu32(eights, avx512f._mm512_set1_epi64(100_000_000));
        let lower = avx512f._mm512_srli_epi64::<32>(eights);
        let sums: [u64; 8] = cast(avx512f._mm512_add_epi64(upper, lower));
        Some([sums[0], sums[2], sums[4], sums[6]])
    }

    #[inline(always)]
    fn short_integers(self, texts: [&[u8; 8]; 4], lengths: [u32; 4]) -> Option<[u32; 4]> {
        Avx2(*self.0).short_integers(texts, lengths)
    }

    #[inline(always)]
    fn dotted(self, texts: [&[u8; 16]; 2], lengths: [u32; 2]) -> Option<[u32; 2]> {
        let avx2 = Avx2(*self.0);
        let (text, shapes) = avx2.shapes(texts, lengths)?;
        let (digits, octets) = avx2.octets(text, shapes);
        let (avx, avx512f, avx512bw) = (self.0.avx, self.0.avx512f, self.0.avx512bw);
        let smallest = cast([shapes[0].smallest, shapes[1].smallest]);
        let above = avx512f._mm256_cmpgt_epi32_mask(octets, avx._mm256_set1_epi32(255));
        let below = avx512f._mm256_cmpgt_epi32_mask(smallest, octets);
        let no_digits = avx512bw._mm256_cmpgt_epu8_mask(digits, avx._mm256_set1_epi8(9));
        if u32::from(above | below) | no_digits != 0 {
            return None;
        }
        Some(avx2.lowest_bytes(octets))
    }
}

impl Avx512 {
    #[inline(always)]
    fn equal(self, chunk: __m512i, wanted: u8) -> u64 {
        let wanted = self.0.avx512f._mm512_set1_epi8(wanted.cast_signed());
        self.0.avx512bw._mm512_cmpeq_epi8_mask(chunk, wanted)
    }
}
