//! Aggregates that hold user records of another shard.

use crate::decode::aggregate::Aggregate;
use crate::lease::HashRange;

/// Whether a payload is an aggregate with a user record whose hash key lies outside `range`: it was put before a reshard, and the KPL
/// puts such records again where they belong.
pub(super) fn is_foreign(payload: &[u8], range: HashRange) -> bool {
    let Some(aggregate) = Aggregate::open(payload) else { return false };
    let keys = aggregate.keys();
    let mut records = aggregate.records().take_while(|record| record.has_keys);
    records.any(|record| keys.hash_key(&record).is_some_and(|key| !range.contains(key)))
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};

    use super::*;

    /// One user record under partition key `k`, or under an explicit hash key.
    fn aggregate(explicit: Option<&str>) -> Vec<u8> {
        let mut message = vec![0x0a, 1, b'k'];
        let mut record = vec![0x08, 0];
        if let Some(key) = explicit {
            message.extend([0x12, u8::try_from(key.len()).unwrap()]);
            message.extend(key.as_bytes());
            record.extend([0x10, 0]);
        }
        record.extend([0x1a, 1, b'x']);
        message.extend([0x1a, u8::try_from(record.len()).unwrap()]);
        message.extend(&record);
        let mut bytes = vec![0xf3, 0x89, 0x9a, 0xc2];
        bytes.extend(&message);
        bytes.extend(Md5::digest(&message));
        bytes
    }

    #[test]
    fn an_explicit_hash_key_decides_before_the_partition_key() {
        let low = HashRange { start: 0, end: 99 };
        let high = HashRange { start: 100, end: u128::MAX };
        assert!(!is_foreign(&aggregate(Some("99")), low));
        assert!(is_foreign(&aggregate(Some("100")), low));
        assert!(!is_foreign(&aggregate(Some("100")), high));
    }

    #[test]
    fn a_partition_key_is_hashed_with_md5() {
        let key = u128::from_be_bytes(Md5::digest(b"k").into());
        assert!(!is_foreign(&aggregate(None), HashRange { start: key, end: key }));
        assert!(is_foreign(&aggregate(None), HashRange { start: key + 1, end: u128::MAX }));
        assert!(!is_foreign(b"plain", HashRange { start: 0, end: 0 }));
    }
}
