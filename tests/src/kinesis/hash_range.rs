//! Which shard a key belongs to: its MD5 as a big-endian number, in ranges that cover all 128 bits.
//!
//! Source: the documentation of `PutRecord` and of `HashKeyRange`.

use md5::{Digest, Md5};
use serde_json::{Value, json};

/// Keys from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HashRange {
    pub(super) first: u128,
    pub(super) last: u128,
}

impl HashRange {
    /// All keys in `count` parts that differ by one key at most. `count` is not 0.
    pub(super) fn parts(count: u32) -> Vec<Self> {
        let starts: Vec<_> = (0..count).map(|part| start(part, count)).collect();
        let ends = starts.iter().skip(1).map(|start| start - 1).chain([u128::MAX]);
        starts.iter().zip(ends).map(|(&first, last)| Self { first, last }).collect()
    }

    pub(super) fn contains(self, key: u128) -> bool {
        (self.first..=self.last).contains(&key)
    }

    pub(super) fn is_next_to(self, other: Self) -> bool {
        self.last.checked_add(1) == Some(other.first)
            || other.last.checked_add(1) == Some(self.first)
    }

    pub(super) fn json(self) -> Value {
        json!({"StartingHashKey": self.first.to_string(), "EndingHashKey": self.last.to_string()})
    }
}

/// Where a record with this partition key goes.
pub(super) fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key).into())
}

/// `part / count` of 2^128, rounded down.
fn start(part: u32, count: u32) -> u128 {
    let (part, count) = (u128::from(part), u128::from(count));
    // 2^128 is one more than fits.
    let (quotient, rest) = (u128::MAX / count, u128::MAX % count + 1);
    part * quotient + part * rest / count
}

#[cfg(test)]
mod tests {
    use super::{HashRange, hash_key};

    #[test]
    fn parts_cover_all_keys_once_and_differ_by_one_at_most() {
        for count in [1, 2, 3, 7, 64, 1000] {
            let parts = HashRange::parts(count);
            assert_eq!((parts[0].first, parts.last().unwrap().last), (0, u128::MAX));
            assert!(parts.windows(2).all(|pair| pair[0].last + 1 == pair[1].first));
            let sizes = parts.iter().map(|part| part.last - part.first);
            let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
            assert!(most - least <= 1, "{count}: {least} to {most}");
        }
    }

    #[test]
    fn a_key_hashes_to_the_number_that_its_md5_spells() {
        // RFC 1321, appendix A.5: MD5("abc").
        assert_eq!(hash_key("abc"), 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72);
    }
}
