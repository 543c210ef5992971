//! Reading the bins of a `DDSketch`, which has no accessor for them.
//!
//! They are in the bytes that it writes for other languages; those of our own sketch are read here, never those of others:
//! its reader overflows on large keys and counts, and has 2,048 bins whatever the limit was.
//! A count is written as a double, after one was added to it: counts below 2^53 are exact.

use sketches_ddsketch::DDSketch;

use crate::encoding::{DecodeError, Reader};

/// A bin that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bin {
    /// Its number; that of 1 has number 0.
    pub(super) key: i32,
    pub(super) count: u64,
}

/// The bins of values that are not zero, in ascending order; nothing if the crate writes otherwise than it did.
pub(super) fn of(sketch: &DDSketch) -> Vec<Bin> {
    let bins = read(&sketch.to_java_bytes());
    debug_assert!(bins.is_ok(), "{bins:?}");
    bins.unwrap_or_default()
}

fn read(bytes: &[u8]) -> Result<Vec<Bin>, DecodeError> {
    const COUNT: u8 = 0xa0;
    const ZEROS: u8 = 0x04;
    const SUM: u8 = 0x84;
    const MIN: u8 = 0x88;
    const MAX: u8 = 0x8c;
    const MAPPING: u8 = 0x02;
    const BINS: u8 = 0x05;
    let mut reader = Reader::new(bytes);
    let mut bins = Vec::new();
    while reader.remaining() > 0 {
        match reader.u8()? {
            COUNT | ZEROS => drop(read_count(&mut reader)?),
            SUM | MIN | MAX => drop(reader.u64()?),
            MAPPING => drop(reader.u128()?),
            BINS => bins = read_bins(&mut reader)?,
            _ => return Err(DecodeError::structure("an unknown field")),
        }
    }
    Ok(bins)
}

fn read_bins(reader: &mut Reader<'_>) -> Result<Vec<Bin>, DecodeError> {
    let mut key = 0_i32;
    (0..reader.varint()?)
        .map(|_| {
            let step = reader.varint()?;
            // The sign is the lowest bit.
            let step = i32::try_from(step >> 1).unwrap_or(0) ^ -i32::from(step & 1 == 1);
            key += step;
            Ok(Bin { key, count: read_count(reader)? })
        })
        .collect()
}

/// Seven bits in each byte, the highest first, of the bits of a double; 1 has no bits, and exponents that are near come first.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number below 2^53"
)]
fn read_count(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let mut bits = 0_u64;
    let mut shift = 57;
    loop {
        let byte = reader.u8()?;
        let is_last = byte < 0x80 || shift == 1;
        let group = if shift == 1 { byte } else { byte & 0x7f };
        bits |= u64::from(group) << shift;
        if is_last {
            let double = f64::from_bits(bits.rotate_right(6).wrapping_add(1_f64.to_bits()));
            return Ok((double - 1.0) as u64);
        }
        shift -= 7;
    }
}
