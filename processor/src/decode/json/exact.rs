//! A cursor over JSON of exactly one spelling, for shapes that AWS writes by the million.
//!
//! Whatever it passes over is JSON that any parser reads in the same way: literals, strings of plain ASCII without
//! escapes, and short whole numbers. At anything else it gives up, and the full parser reads the document anew.

use std::ops::Range;

use memchr::memchr;
use wide::u8x16;

/// Where in a document the next byte is expected. Every method gives `None` at an unexpected one.
#[derive(Debug)]
pub(in crate::decode) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(in crate::decode) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes passed so far.
    pub(in crate::decode) const fn passed(&self) -> usize {
        self.at
    }

    /// Passes `expected`.
    #[inline]
    pub(in crate::decode) fn literal<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let found = self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        (found == expected).then_some(())
    }

    /// Passes one byte, and says which.
    #[inline]
    pub(in crate::decode) fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Passes white space, if there is any.
    #[inline]
    pub(in crate::decode) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// Passes a string behind its opening quote, closing quote included, and says where it stands.
    #[inline]
    pub(in crate::decode) fn plain_string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let end = start + first_special(self.bytes.get(start..)?)?;
        self.at = end + 1;
        (self.bytes[end] == b'"').then_some(start..end)
    }

    /// Passes anything up to the next quote, which is passed too. What was passed is a plain string only if it is found
    /// to have no byte outside an alphabet, such as that of base64, that has no backslash and no control character.
    #[inline]
    pub(in crate::decode) fn unchecked_string(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let end = memchr(b'"', rest)?;
        self.at += end + 1;
        Some(&rest[..end])
    }

    /// Passes a whole number from 0 of at most 18 digits, which every parser can hold.
    #[inline]
    pub(in crate::decode) fn number(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let digits = rest.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        let is_plain = (1..=18).contains(&digits) && (digits == 1 || rest[0] != b'0');
        is_plain.then_some(())
    }
}

/// Where the first quote, backslash, control character or byte beyond ASCII stands.
#[inline]
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (blocks, tail) = bytes.as_chunks::<16>();
    for (number, block) in blocks.iter().enumerate() {
        let block = u8x16::new(*block);
        let special = block.simd_eq(u8x16::splat(b'"'))
            | block.simd_eq(u8x16::splat(b'\\'))
            // As signed bytes, those beyond ASCII are below the space too.
            | below_space(block);
        let mask = special.to_bitmask();
        if mask != 0 {
            return Some(number * 16 + mask.trailing_zeros() as usize);
        }
    }
    let place = tail.iter().position(|&byte| is_special(byte))?;
    Some(blocks.len() * 16 + place)
}

#[inline]
fn below_space(block: u8x16) -> u8x16 {
    block.cast_signed().simd_lt(wide::i8x16::splat(0x20)).cast_unsigned()
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20 | 0x80..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_is_special_or_not_at_every_place_of_a_block() {
        for byte in 0..=255 {
            for place in 0..33 {
                let mut text = [b'a'; 40];
                text[place] = byte;
                let expected = is_special(byte).then_some(place);
                assert_eq!(first_special(&text), expected, "{byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn specials_are_found_where_a_plain_search_finds_them(
            text in prop::collection::vec(prop_oneof![9 => 0x20u8..0x7f, 1 => any::<u8>()], 0..100),
        ) {
            let expected = text.iter().position(|&byte| is_special(byte));
            prop_assert_eq!(first_special(&text), expected);
        }

        #[test]
        fn a_number_passes_if_it_is_a_short_whole_one(text in "0|[1-9][0-9]{0,20}|0[0-9]{1,3}|-1|") {
            let mut cursor = Cursor::new(text.as_bytes());
            let passed = cursor.number().is_some() && cursor.passed() == text.len();
            let parsed: Option<u64> = serde_json::from_str(&text).ok();
            prop_assert_eq!(passed, parsed.is_some() && text.len() <= 18);
        }
    }
}
