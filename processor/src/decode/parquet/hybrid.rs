//! Small numbers in runs of one value and in packed bits, mixed: Parquet's indices into a dictionary, its levels and its
//! booleans. Source: parquet-format, `Encodings.md`, "Run Length Encoding / Bit-Packing Hybrid".

use std::ops::Range;

use super::Problem;

/// Where the decoder stands within a page; the page's bytes come with each call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hybrid {
    at: usize,
    end: usize,
    width_bits: u8,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    /// Of one value.
    Repeated { value: u32, left: usize },
    /// Of values side by side; `bit` is where the next begins.
    Packed { bit: usize, left: usize },
}

/// Some of the numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'p> {
    /// One number, so many times.
    Repeated(u32, usize),
    /// One after the other.
    Listed(&'p [u32]),
}

/// Packed numbers are unpacked so many at a time, on the stack.
const PIECE: usize = 256;

impl Default for Run {
    fn default() -> Self {
        Self::Repeated { value: 0, left: 0 }
    }
}

impl Hybrid {
    /// Numbers of `width_bits` bits in the bytes `range` of a page.
    pub(super) fn new(range: Range<usize>, width_bits: u8) -> Result<Self, Problem> {
        if width_bits > 32 {
            return Err(Problem::Corrupt);
        }
        Ok(Self { at: range.start, end: range.end, width_bits, run: Run::default() })
    }

    /// Gives the next `count` numbers to `each`, piece by piece.
    #[inline]
    pub(super) fn read(
        &mut self,
        page: &[u8],
        mut count: usize,
        mut each: impl FnMut(Piece<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut numbers = [0; PIECE];
        while count > 0 {
            let taken = match &mut self.run {
                Run::Repeated { left: 0, .. } | Run::Packed { left: 0, .. } => {
                    self.next_run(page)?;
                    continue;
                }
                Run::Repeated { value, left } => {
                    let taken = count.min(*left);
                    *left -= taken;
                    each(Piece::Repeated(*value, taken))?;
                    taken
                }
                Run::Packed { bit, left } => {
                    let taken = count.min(*left).min(PIECE);
                    *left -= taken;
                    let packed = page.get(..self.end).ok_or(Problem::Corrupt)?;
                    unpack(packed, *bit, self.width_bits, &mut numbers[..taken]);
                    *bit += taken * usize::from(self.width_bits);
                    each(Piece::Listed(&numbers[..taken]))?;
                    taken
                }
            };
            count -= taken;
        }
        Ok(())
    }

    /// Whether the next `count` numbers are one run of `value`; they are taken if so.
    #[inline]
    pub(super) fn take_run_of(
        &mut self,
        page: &[u8],
        value: u32,
        count: usize,
    ) -> Result<bool, Problem> {
        if matches!(self.run, Run::Repeated { left: 0, .. } | Run::Packed { left: 0, .. }) {
            self.next_run(page)?;
        }
        match &mut self.run {
            Run::Repeated { value: of, left } if *of == value && *left >= count => {
                *left -= count;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn next_run(&mut self, page: &[u8]) -> Result<(), Problem> {
        let rest = page.get(self.at..self.end).ok_or(Problem::Corrupt)?;
        let (head, length) = varint(rest).ok_or(Problem::Corrupt)?;
        let body = rest.get(length..).ok_or(Problem::Corrupt)?;
        self.at += length;
        let width = usize::from(self.width_bits);
        if head & 1 == 0 {
            let bytes = width.div_ceil(8);
            let value = body.get(..bytes).ok_or(Problem::Corrupt)?;
            let value = value.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
            self.at += bytes;
            self.run = Run::Repeated { value, left: (head >> 1) as usize };
        } else {
            let groups = (head >> 1) as usize;
            // A last group may be cut where its numbers end.
            let bytes = groups.saturating_mul(width).min(body.len());
            let whole = (bytes * 8).checked_div(width).unwrap_or(usize::MAX);
            self.run = Run::Packed { bit: self.at * 8, left: whole.min(groups.saturating_mul(8)) };
            self.at += bytes;
        }
        // A run of no numbers takes at least its head, so the page comes to its end.
        Ok(())
    }
}

/// Numbers of `width_bits` bits, lowest bit first, from bit `first` of `bytes`.
#[expect(clippy::cast_possible_truncation, reason = "the mask has at most 32 bits")]
fn unpack(bytes: &[u8], first: usize, width_bits: u8, numbers: &mut [u32]) {
    let width = usize::from(width_bits);
    let mask = (1u64 << width) - 1;
    for (place, number) in numbers.iter_mut().enumerate() {
        let bit = first + place * width;
        *number = (word(bytes, bit / 8) >> (bit % 8) & mask) as u32;
    }
}

/// Eight bytes from `at`, zeros behind the end.
#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(word) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// An unsigned integer of seven bits per byte, and how many bytes it has.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, place + 1));
        }
    }
    None
}
