//! What the kernel asks of a processor: a handful of operations, each written once per instruction set.
//!
//! [`portable`](super::portable) is the oracle of the others: same arguments, same answers.

/// The instruction sets that the text kernel is written for.
///
/// On aarch64 the portable form uses NEON, which every such processor has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instructions {
    /// What the program was compiled for: SSE2 on x86-64.
    Portable,
    /// AVX2, BMI1 and BMI2 (x86-64-v3).
    Avx2,
    /// AVX-512 F, BW, CD, DQ and VL (x86-64-v4).
    Avx512,
}

impl Instructions {
    /// From the slowest to the fastest.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];
}

/// Where separators stand in 64 bytes: bit `i` is for byte `i`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Separators {
    /// Spaces, and line feeds if they were asked for.
    pub(super) all: u64,
    /// Line feeds; none if they were not asked for.
    pub(super) line_feeds: u64,
}

/// The operations. All are to be inlined into a function that was compiled for the instruction set.
pub(super) trait Kernel: Copy {
    /// The separators among 64 bytes; `LINES` says whether line feeds are among them.
    fn separators<const LINES: bool>(self, chunk: &[u8; 64]) -> Separators;

    /// Writes `base` + the number of each set bit, in order, to the front of `slots`; what it writes behind them, up to
    /// 64 slots in all, is of no meaning.
    fn flatten(self, bits: u64, base: u32, slots: &mut [u32; 64]);

    /// Four decimal numbers, each the last `lengths[i] <= 16` bytes of its text. None if any of these is not a digit.
    fn integers(self, texts: [&[u8; 16]; 4], lengths: [u32; 4]) -> Option<[u64; 4]>;

    /// The same for numbers of at most eight digits, whose texts are words with their first byte lowest.
    fn short_integers(self, texts: [&[u8; 8]; 4], lengths: [u32; 4]) -> Option<[u32; 4]>;

    /// Two IPv4 addresses, each the last `lengths[i] <= 15` bytes of its text, first byte highest. None if either is not
    /// four octets without leading zeros.
    fn dotted(self, texts: [&[u8; 16]; 2], lengths: [u32; 2]) -> Option<[u32; 2]>;
}
