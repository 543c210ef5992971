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
fn unpack(bytes: &[u8], first: usize, width_bits: u8, numbers: &mut [u32]) {
    let width = usize::from(width_bits);
    // From where a number begins with a byte, eight of them are as many bytes as one has bits.
    let unaligned =
        (0..8).find(|place| (first + place * width).is_multiple_of(8)).unwrap_or(numbers.len());
    let (head, rest) = numbers.split_at_mut(unaligned.min(numbers.len()));
    unpack_each(bytes, first, width, head);
    let first = first + head.len() * width;
    let window = bytes.get(first / 8..).unwrap_or_default();
    let groups = (rest.len() / 8).min(window.len().saturating_sub(8) / width.max(1));
    let (whole, tail) = rest.split_at_mut(groups * 8);
    if let Some(unpack_groups) = UNPACK_GROUPS.get(width) {
        unpack_groups(window, whole);
    }
    unpack_each(bytes, first + whole.len() * width, width, tail);
}

type UnpackGroups = fn(&[u8], &mut [u32]);

/// By width; shifts that are known when the program is compiled cost a third of those that are not.
static UNPACK_GROUPS: [UnpackGroups; 33] = [
    unpack_groups::<0>,
    unpack_groups::<1>,
    unpack_groups::<2>,
    unpack_groups::<3>,
    unpack_groups::<4>,
    unpack_groups::<5>,
    unpack_groups::<6>,
    unpack_groups::<7>,
    unpack_groups::<8>,
    unpack_groups::<9>,
    unpack_groups::<10>,
    unpack_groups::<11>,
    unpack_groups::<12>,
    unpack_groups::<13>,
    unpack_groups::<14>,
    unpack_groups::<15>,
    unpack_groups::<16>,
    unpack_groups::<17>,
    unpack_groups::<18>,
    unpack_groups::<19>,
    unpack_groups::<20>,
    unpack_groups::<21>,
    unpack_groups::<22>,
    unpack_groups::<23>,
    unpack_groups::<24>,
    unpack_groups::<25>,
    unpack_groups::<26>,
    unpack_groups::<27>,
    unpack_groups::<28>,
    unpack_groups::<29>,
    unpack_groups::<30>,
    unpack_groups::<31>,
    unpack_groups::<32>,
];

/// Groups of eight numbers, from the beginning of `bytes`, which go on eight bytes behind the last group.
#[expect(clippy::cast_possible_truncation, reason = "the mask has at most 32 bits")]
fn unpack_groups<const WIDTH: usize>(bytes: &[u8], numbers: &mut [u32]) {
    let (groups, _) = numbers.as_chunks_mut::<8>();
    for (place, group) in groups.iter_mut().enumerate() {
        let bytes = &bytes[place * WIDTH..][..WIDTH + 8];
        for (place, number) in group.iter_mut().enumerate() {
            let bit = place * WIDTH;
            let word = bytes[bit / 8..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            *number = (word >> (bit % 8) & ((1 << WIDTH) - 1)) as u32;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the mask has at most 32 bits")]
fn unpack_each(bytes: &[u8], first: usize, width: usize, numbers: &mut [u32]) {
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

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "tests take the low bits")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number whose bits stand from bit `first` on, bit by bit.
    fn slow(bytes: &[u8], first: usize, width: usize) -> u32 {
        let bit = |place: usize| u32::from(bytes[place / 8] >> (place % 8) & 1);
        (0..width).map(|place| bit(first + place) << place).sum()
    }

    /// All that a decoder gives, in reads of `step`.
    fn read(bytes: &[u8], width: u8, count: usize, step: usize) -> Result<Vec<u32>, Problem> {
        let mut hybrid = Hybrid::new(0..bytes.len(), width)?;
        let mut all = Vec::new();
        while all.len() < count {
            let wanted = step.min(count - all.len());
            hybrid.read(bytes, wanted, |piece| {
                match piece {
                    Piece::Repeated(value, times) => all.extend(std::iter::repeat_n(value, times)),
                    Piece::Listed(list) => all.extend_from_slice(list),
                }
                Ok(())
            })?;
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn packed_numbers_are_their_bits(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            width in 1u8..=32,
            first_number in 0usize..20,
        ) {
            let wide = usize::from(width);
            let first = first_number * wide;
            let count = (bytes.len() * 8 / wide).saturating_sub(first_number);
            let mut numbers = vec![0; count];
            unpack(&bytes, first, width, &mut numbers);
            let expected: Vec<u32> =
                (0..count).map(|place| slow(&bytes, first + place * wide, wide)).collect();
            prop_assert_eq!(numbers, expected);
        }

        #[test]
        fn runs_and_packed_numbers_are_read_in_any_steps(
            runs in proptest::collection::vec((any::<bool>(), 1usize..70, any::<u64>()), 1..8),
            width in 0u8..=32,
            step in 1usize..300,
        ) {
            let mask = (1u64 << width) - 1;
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for (is_packed, length, seed) in runs {
                let number = |place: usize| {
                    (seed.wrapping_mul(place as u64 * 2 + 1) & mask) as u32
                };
                if is_packed {
                    let groups = length.div_ceil(8);
                    bytes.push((groups << 1 | 1) as u8);
                    let mut bits = vec![0u8; groups * usize::from(width)];
                    for place in 0..groups * 8 {
                        let number = number(place);
                        for bit in (0..usize::from(width)).filter(|bit| number >> bit & 1 == 1) {
                            let at = place * usize::from(width) + bit;
                            bits[at / 8] |= 1 << (at % 8);
                        }
                        expected.push(number);
                    }
                    bytes.extend(bits);
                } else {
                    bytes.extend([(length << 1) as u8 | 0x80, (length << 1 >> 7) as u8]);
                    let value = number(0);
                    bytes.extend(&value.to_le_bytes()[..usize::from(width).div_ceil(8)]);
                    expected.extend(std::iter::repeat_n(value, length));
                }
            }
            prop_assert_eq!(read(&bytes, width, expected.len(), step).unwrap(), expected);
        }
    }

    #[test]
    fn a_last_group_may_be_cut_where_its_numbers_end() {
        // One group of eight numbers of four bits, of which two bytes are there.
        assert_eq!(read(&[3, 0x21, 0x43], 4, 4, 9), Ok(vec![1, 2, 3, 4]));
        assert_eq!(read(&[3, 0x21, 0x43], 4, 5, 9), Err(Problem::Corrupt));
    }
}
