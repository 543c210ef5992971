//! Bytes read in order, each read checked.

use super::{Corruption, DecodeError};

/// Bits of a LEB128 group.
const GROUP_BITS: u32 = 7;
const MORE: u8 = 1 << GROUP_BITS;

/// A body that is being read. It never reads past its end and never allocates.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// Appends `value` as unsigned LEB128 in its shortest form: 1 to 10 bytes, 7 bits in each, the lowest first.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= u64::from(MORE) {
        out.push(low_group(value) | MORE);
        value >>= GROUP_BITS;
    }
    out.push(low_group(value));
}

/// The bytes that [`put_varint`] appends.
#[must_use]
pub(crate) const fn varint_bytes(value: u64) -> usize {
    // Zero takes a group as one does.
    (value | 1).ilog2() as usize / GROUP_BITS as usize + 1
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that are left to read.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next byte.
    ///
    /// # Errors
    /// No bytes are left.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    /// The next two bytes, lowest first.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes, lowest first.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes, lowest first.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next sixteen bytes, lowest first.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn u128(&mut self) -> Result<u128, DecodeError> {
        self.array().map(u128::from_le_bytes)
    }

    /// What [`put_varint`] appended.
    ///
    /// # Errors
    /// The bytes end, the value exceeds 64 bits, or it is not in its shortest form.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(GROUP_BITS as usize) {
            let byte = self.u8()?;
            let group = u64::from(byte & !MORE);
            if group << shift >> shift != group {
                return Err(DecodeError::structure("a varint exceeds 64 bits"));
            }
            value |= group << shift;
            if byte & MORE == 0 {
                return if group == 0 && shift > 0 {
                    Err(DecodeError::structure("a varint is longer than need be"))
                } else {
                    Ok(value)
                };
            }
        }
        Err(DecodeError::structure("a varint exceeds 64 bits"))
    }

    /// A varint that counts or indexes something in memory.
    ///
    /// # Errors
    /// As [`Self::varint`], or the value exceeds a `usize`.
    pub fn varint_usize(&mut self) -> Result<usize, DecodeError> {
        let value = self.varint()?;
        usize::try_from(value).map_err(|_| DecodeError::structure("a count exceeds memory"))
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Fewer bytes are left.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Ends reading.
    ///
    /// # Errors
    /// Bytes are left.
    pub const fn finish(self) -> Result<(), DecodeError> {
        match self.rest {
            [] => Ok(()),
            [..] => Err(DecodeError::Corrupt(Corruption::TrailingBytes)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

/// Not [`DecodeError::Truncated`]: the frame is complete, so waiting for more bytes is no use.
const ENDS_EARLY: DecodeError = DecodeError::structure("the body ends within a field");

#[expect(clippy::cast_possible_truncation, reason = "masked to 7 bits")]
const fn low_group(value: u64) -> u8 {
    value as u8 & !MORE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back_and_their_length_is_known(bits in any::<u64>(), shift in 0..64_u32) {
            let value = bits >> shift;
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            prop_assert_eq!(bytes.len(), varint_bytes(value));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn a_varint_that_is_read_has_no_other_form(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.varint() {
                let mut again = Vec::new();
                put_varint(value, &mut again);
                prop_assert_eq!(&bytes[..bytes.len() - reader.remaining()], &again);
            }
        }
    }

    #[test]
    fn varints_that_are_too_long_or_too_large_are_refused() {
        let read = |bytes: &[u8]| Reader::new(bytes).varint();
        assert_eq!(read(&[0xff; 9]), Err(ENDS_EARLY));
        assert!(read(&[0x80, 0]).is_err() && read(&[0xff; 11]).is_err());
        let mut most = [0xff; 10];
        most[9] = 1;
        assert_eq!(read(&most), Ok(u64::MAX));
        most[9] = 2;
        assert!(read(&most).is_err());
    }

    #[test]
    fn fields_are_little_endian_and_nothing_is_read_past_the_end() {
        let bytes: Vec<u8> = (1..=31).collect();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0302));
        assert_eq!(reader.u32(), Ok(0x0706_0504));
        assert_eq!(reader.u64(), Ok(0x0f0e_0d0c_0b0a_0908));
        assert_eq!(reader.bytes(3), Ok([16, 17, 18].as_slice()));
        assert_eq!((reader.remaining(), reader.u128()), (13, Err(ENDS_EARLY)));
        assert_eq!(reader.bytes(usize::MAX), Err(ENDS_EARLY));
        assert_eq!(reader.finish(), Err(DecodeError::Corrupt(Corruption::TrailingBytes)));
    }
}
