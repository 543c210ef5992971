//! Keys of [`crate::talkers::Talkers`] as bytes.

use super::{DecodeError, Reader};

/// A key that can be written and read. One value has one encoding, and the other way round.
pub trait EncodeKey: Sized {
    /// Tells types of keys apart in a frame. This crate gives 1 to 127; other crates choose from 128 on, once for all.
    const TAG: u8;

    /// Appends the key to `out`.
    fn encode_key(&self, out: &mut Vec<u8>);

    /// Reads what [`Self::encode_key`] appended.
    ///
    /// # Errors
    /// The body ends, or the bytes are no key: [`DecodeError::structure`].
    fn decode_key(body: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! integer_key {
    ($integer:ident, $tag:literal) => {
        impl EncodeKey for $integer {
            const TAG: u8 = $tag;

            fn encode_key(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }

            fn decode_key(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
                body.$integer()
            }
        }
    };
}

integer_key!(u8, 1);
integer_key!(u16, 2);
integer_key!(u32, 3);
integer_key!(u64, 4);
integer_key!(u128, 5);

/// A protocol and a port.
impl EncodeKey for (u8, u16) {
    const TAG: u8 = 6;

    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
        self.1.encode_key(out);
    }

    fn decode_key(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((body.u8()?, body.u16()?))
    }
}
