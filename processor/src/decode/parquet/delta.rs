//! Integers as differences, and texts that begin as the one before. Rare: writers of Parquet's version 2 use them where a
//! dictionary does not pay. Source: parquet-format, `Encodings.md`, "Delta Encoding" and what follows it.

use super::Problem;
use super::hybrid::varint;

/// Gives up to `count_max` integers to `each`; returns where their bytes end.
pub(super) fn integers(
    bytes: &[u8],
    count_max: usize,
    mut each: impl FnMut(i64),
) -> Result<usize, Problem> {
    let mut input = Input { bytes, at: 0 };
    let block = input.size()?;
    let minis = input.size()?;
    let count = input.size()?;
    let mut value = input.zigzag()?;
    let per_mini = block.checked_div(minis).ok_or(Problem::Corrupt)?;
    if per_mini == 0 || per_mini % 8 != 0 || block % minis != 0 || count > count_max {
        return Err(Problem::Corrupt);
    }
    let mut left = count;
    if left > 0 {
        each(value);
        left -= 1;
    }
    while left > 0 {
        let least = input.zigzag()?;
        let widths = input.take(minis)?;
        for &width_bits in widths {
            // Miniblocks behind the last value have a width, but no bytes.
            if left == 0 {
                break;
            }
            let width = usize::from(width_bits);
            if width > 64 {
                return Err(Problem::Corrupt);
            }
            let packed = input.take(per_mini.checked_mul(width).ok_or(Problem::Corrupt)? / 8)?;
            for place in 0..left.min(per_mini) {
                let difference = bits(packed, place * width, width).cast_signed();
                value = value.wrapping_add(least).wrapping_add(difference);
                each(value);
            }
            left -= left.min(per_mini);
        }
    }
    Ok(input.at)
}

/// Gives each text of a `DELTA_LENGTH_BYTE_ARRAY` page to `each`, by where in `bytes` it stands; at most `count_max`.
pub(super) fn texts(
    bytes: &[u8],
    count_max: usize,
    mut each: impl FnMut(std::ops::Range<usize>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut lengths = Vec::new();
    let mut at = integers(bytes, count_max, |length| lengths.push(length))?;
    for length in lengths {
        let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
        let end = end.filter(|end| *end <= bytes.len()).ok_or(Problem::Corrupt)?;
        each(at..end)?;
        at = end;
    }
    Ok(())
}

/// Joins each text of a `DELTA_BYTE_ARRAY` page onto what it shares with the one before, at the end of `joined`, which may
/// grow by `bytes_max`; gives where each stands to `each`.
pub(super) fn prefixed_texts(
    bytes: &[u8],
    count_max: usize,
    joined: &mut Vec<u8>,
    bytes_max: usize,
    mut each: impl FnMut(std::ops::Range<usize>),
) -> Result<(), Problem> {
    let mut shared = Vec::new();
    let at = integers(bytes, count_max, |length| shared.push(length))?;
    let suffixes = bytes.get(at..).ok_or(Problem::Corrupt)?;
    let mut before = joined.len()..joined.len();
    let mut shared = shared.into_iter();
    let end_max = joined.len().saturating_add(bytes_max);
    texts(suffixes, count_max, |suffix| {
        let shared = shared.next().and_then(|length| usize::try_from(length).ok());
        let shared = shared.filter(|length| *length <= before.len()).ok_or(Problem::Corrupt)?;
        if joined.len().saturating_add(shared + suffix.len()) > end_max {
            return Err(Problem::TooLarge);
        }
        let start = joined.len();
        joined.extend_from_within(before.start..before.start + shared);
        joined.extend_from_slice(&suffixes[suffix]);
        before = start..joined.len();
        each(before.clone());
        Ok(())
    })
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn varint(&mut self) -> Result<u64, Problem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (value, length) = varint(rest).ok_or(Problem::Corrupt)?;
        self.at += length;
        Ok(value)
    }

    fn size(&mut self) -> Result<usize, Problem> {
        usize::try_from(self.varint()?).map_err(|_error| Problem::Corrupt)
    }

    fn zigzag(&mut self) -> Result<i64, Problem> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let end = self.at.checked_add(length).ok_or(Problem::Corrupt)?;
        let taken = self.bytes.get(self.at..end).ok_or(Problem::Corrupt)?;
        self.at = end;
        Ok(taken)
    }
}

/// `width` bits from bit `first`, lowest first; zeros behind the end.
#[expect(clippy::cast_possible_truncation, reason = "the mask has at most 64 bits")]
fn bits(bytes: &[u8], first: usize, width: usize) -> u64 {
    let rest = bytes.get(first / 8..).unwrap_or_default();
    let head = rest.get(..rest.len().min(9)).unwrap_or_default();
    let word = head.iter().rev().fold(0u128, |word, byte| word << 8 | u128::from(*byte));
    let mask = (1u128 << width) - 1;
    (word >> (first % 8) & mask) as u64
}
