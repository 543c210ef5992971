//! Eight bits of the hash of each key of a bucket, compared all at once within one word.

/// Tags of up to eight ways; 0 stands for a way without a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags([u8; 8]);

/// The low bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;
/// All bits of each byte but the highest.
const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// The tag of a hash, never 0. These bits do not take part in the choice of the bucket.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
pub(super) const fn tag(hash: u64) -> u8 {
    let low = hash as u8;
    if low == 0 { 1 } else { low }
}

impl Tags {
    #[inline]
    pub(super) const fn get(self, way: usize) -> u8 {
        self.0[way]
    }

    #[inline]
    pub(super) const fn set(&mut self, way: usize, tag: u8) {
        self.0[way] = tag;
    }

    /// The ways that bear `tag`, lowest first.
    #[inline]
    pub(super) const fn matches(self, tag: u8) -> Matches {
        let differing = u64::from_le_bytes(self.0) ^ (LOW * tag as u64);
        // The high bit of each byte that is 0. No carry leaves its byte, so there are no false ones.
        Matches(!(((differing & SEVEN) + SEVEN) | differing | SEVEN))
    }
}

/// Ways, as the high bits of eight bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matches(u64);

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let way = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0.wrapping_sub(1);
        (way < 8).then_some(way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn matches_are_those_of_a_search_byte_by_byte(
            tags in prop::array::uniform8(prop_oneof![0..4_u8, 126..130_u8, any::<u8>()]),
            other: u8,
            way in 0..8_usize,
        ) {
            for tag in [other, tags[way], tags[way] ^ 1, tags[way] ^ 128] {
                let slow: Vec<usize> = (0..8).filter(|&way| tags[way] == tag).collect();
                prop_assert_eq!(Tags(tags).matches(tag).collect::<Vec<_>>(), slow);
            }
        }
    }

    #[test]
    fn no_hash_has_the_tag_of_an_empty_way() {
        assert!((0..=u64::from(u16::MAX)).all(|hash| tag(hash) != 0));
    }
}
