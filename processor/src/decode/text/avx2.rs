//! The kernel's operations in AVX2.

use std::arch::x86_64::__m256i;

use pulp::cast;
use pulp::x86::V3;

use super::instructions::{Kernel, Separators};
use super::portable::flatten_by_bit;
use super::shapes::Shape;

/// Proof that the processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(pub(super) V3);

impl Kernel for Avx2 {
    #[inline(always)]
    fn separators<const LINES: bool>(self, chunk: &[u8; 64]) -> Separators {
        let halves: [__m256i; 2] = cast(*chunk);
        let line_feeds = if LINES { self.equal(halves, b'\n') } else { 0 };
        Separators { all: self.equal(halves, b' ') | line_feeds, line_feeds }
    }

    #[inline(always)]
    fn flatten(self, bits: u64, base: u32, slots: &mut [u32; 64]) {
        flatten_by_bit(bits, base, slots);
    }

    #[inline(always)]
    fn integers(self, texts: [&[u8; 16]; 4], lengths: [u32; 4]) -> Option<[u64; 4]> {
        let ([a, b, c, d], [e, f, g, h]) = (texts, lengths);
        let first = self.last_digits([a, b], [e, f]);
        let second = self.last_digits([c, d], [g, h]);
        if !self.all_digits(self.0.avx2._mm256_max_epu8(first, second)) {
            return None;
        }
        let ([a, b], [c, d]) = (self.sums_of_sixteen(first), self.sums_of_sixteen(second));
        Some([a, b, c, d])
    }

    #[inline(always)]
    fn short_integers(self, texts: [&[u8; 8]; 4], lengths: [u32; 4]) -> Option<[u32; 4]> {
        let avx2 = self.0.avx2;
        // A shift by 64 leaves nothing.
        let bits = avx2._mm256_cvtepu32_epi64(self.0.sse2._mm_slli_epi32::<3>(cast(lengths)));
        let shifts = avx2._mm256_sub_epi64(self.0.avx._mm256_set1_epi64x(64), bits);
        let digits = self.digits(cast([*texts[0], *texts[1], *texts[2], *texts[3]]));
        let digits = avx2._mm256_sllv_epi64(avx2._mm256_srlv_epi64(digits, shifts), shifts);
        if !self.all_digits(digits) {
            return None;
        }
        let sums: [u32; 8] = cast(self.sums_of_eight(digits));
        Some([sums[0], sums[1], sums[4], sums[5]])
    }

    #[inline(always)]
    fn dotted(self, texts: [&[u8; 16]; 2], lengths: [u32; 2]) -> Option<[u32; 2]> {
        let (text, shapes) = self.shapes(texts, lengths)?;
        let (digits, octets) = self.octets(text, shapes);
        let (avx, avx2) = (self.0.avx, self.0.avx2);
        let smallest = cast([shapes[0].smallest, shapes[1].smallest]);
        let above = avx2._mm256_cmpgt_epi32(octets, avx._mm256_set1_epi32(255));
        let below = avx2._mm256_cmpgt_epi32(smallest, octets);
        let no_digits = avx2._mm256_subs_epu8(digits, avx._mm256_set1_epi8(9));
        let wrong = avx2._mm256_or_si256(avx2._mm256_or_si256(above, below), no_digits);
        if avx._mm256_testz_si256(wrong, wrong) == 0 {
            return None;
        }
        Some(self.lowest_bytes(octets))
    }
}

impl Avx2 {
    /// A bit for each byte that equals `wanted`.
    #[inline(always)]
    fn equal(self, halves: [__m256i; 2], wanted: u8) -> u64 {
        let wanted = self.0.avx._mm256_set1_epi8(wanted.cast_signed());
        let low = self.0.avx2._mm256_cmpeq_epi8(halves[0], wanted);
        let high = self.0.avx2._mm256_cmpeq_epi8(halves[1], wanted);
        let low = u64::from(self.0.avx2._mm256_movemask_epi8(low).cast_unsigned());
        let high = u64::from(self.0.avx2._mm256_movemask_epi8(high).cast_unsigned());
        low | high << 32
    }

    /// Two addresses side by side, and their shapes.
    #[inline(always)]
    pub(super) fn shapes(
        self,
        texts: [&[u8; 16]; 2],
        lengths: [u32; 2],
    ) -> Option<(__m256i, [&'static Shape; 2])> {
        let text = side_by_side(texts);
        let dot = self.0.avx._mm256_set1_epi8(b'.'.cast_signed());
        let dots = self.0.avx2._mm256_cmpeq_epi8(text, dot);
        let dots = self.0.avx2._mm256_movemask_epi8(dots).cast_unsigned();
        let source = Shape::find(dots & 0xffff, lengths[0])?;
        let destination = Shape::find(dots >> 16, lengths[1])?;
        Some((text, [source, destination]))
    }

    /// The digits of two addresses in line, and the octets that they make if they are digits.
    #[inline(always)]
    pub(super) fn octets(self, text: __m256i, shapes: [&Shape; 2]) -> (__m256i, __m256i) {
        let order = cast([shapes[0].order, shapes[1].order]);
        let digits = self.0.avx2._mm256_shuffle_epi8(self.digits(text), order);
        let pairs = self.0.avx2._mm256_maddubs_epi16(digits, cast([[100u8, 10, 1, 0]; 8]));
        let octets = self.0.avx2._mm256_madd_epi16(pairs, self.0.avx._mm256_set1_epi16(1));
        (digits, octets)
    }

    /// Two addresses from their octets.
    #[inline(always)]
    pub(super) fn lowest_bytes(self, octets: __m256i) -> [u32; 2] {
        let order = cast([[12u8, 8, 4, 0], [0x80; 4], [0x80; 4], [0x80; 4]]);
        let order = self.0.avx2._mm256_broadcastsi128_si256(order);
        let packed: [u32; 8] = cast(self.0.avx2._mm256_shuffle_epi8(octets, order));
        [packed[0], packed[4]]
    }

    /// The last bytes of each text as [`Self::digits`], zeros before them.
    #[inline(always)]
    fn last_digits(self, texts: [&[u8; 16]; 2], lengths: [u32; 2]) -> __m256i {
        let kept = [KEEP_16[lengths[0] as usize & 31], KEEP_16[lengths[1] as usize & 31]];
        self.0.avx2._mm256_and_si256(self.digits(side_by_side(texts)), cast(kept))
    }

    /// The number that each sixteen digits make.
    #[inline(always)]
    fn sums_of_sixteen(self, digits: __m256i) -> [u64; 2] {
        let halves = self.sums_of_eight(digits);
        let avx2 = self.0.avx2;
        let upper = avx2._mm256_mul_epu32(halves, self.0.avx._mm256_set1_epi64x(100_000_000));
        let lower = avx2._mm256_srli_epi64::<32>(halves);
        let sums: [u64; 4] = cast(avx2._mm256_add_epi64(upper, lower));
        [sums[0], sums[2]]
    }

    /// Digits as their values; anything else becomes more than nine.
    #[inline(always)]
    fn digits(self, text: __m256i) -> __m256i {
        self.0.avx2._mm256_sub_epi8(text, self.0.avx._mm256_set1_epi8(b'0'.cast_signed()))
    }

    #[inline(always)]
    fn all_digits(self, digits: __m256i) -> bool {
        let above = self.0.avx2._mm256_subs_epu8(digits, self.0.avx._mm256_set1_epi8(9));
        self.0.avx._mm256_testz_si256(above, above) != 0
    }

    /// The number that each eight digits make; those of the lower half of a 16-byte lane stand in its first four bytes,
    /// those of the upper half in its next four.
    #[inline(always)]
    fn sums_of_eight(self, digits: __m256i) -> __m256i {
        let avx2 = self.0.avx2;
        let twos = avx2._mm256_maddubs_epi16(digits, cast([[10u8, 1]; 16]));
        let fours = avx2._mm256_madd_epi16(twos, cast([[100u16, 1]; 8]));
        let packed = avx2._mm256_packus_epi32(fours, fours);
        avx2._mm256_madd_epi16(packed, cast([[10_000u16, 1]; 8]))
    }
}

#[inline(always)]
fn side_by_side([low, high]: [&[u8; 16]; 2]) -> __m256i {
    cast([*low, *high])
}

/// Row `n` keeps the last `n` of 16 bytes; 32 rows, so that five bits of a length always name one.
static KEEP_16: [[u8; 16]; 32] = {
    let mut rows = [[0; 16]; 32];
    let mut length = 0;
    while length < 32 {
        let mut place = 0;
        while place < 16 {
            if place + length >= 16 {
                rows[length][place] = 0xff;
            }
            place += 1;
        }
        length += 1;
    }
    rows
};
