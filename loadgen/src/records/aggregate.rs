//! Aggregates of the Kinesis Producer Library: many user records in one record of the stream.
//!
//! `F3 89 9A C2`, a protocol-buffers message `AggregatedRecord`, and its MD5 (facts/kinesis.md, 9).

use md5::{Digest, Md5};

use super::packer::KEY_BYTES_MAX;

/// An aggregate that still takes user records. All of them have one key.
#[derive(Debug, Default)]
pub(super) struct Aggregate {
    /// Encoded fields `records`.
    records: Vec<u8>,
    lines: u64,
}

/// `AggregationMaxSize` of the KPL.
const BYTES_MAX: usize = 51_200;
const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const CHECKSUM_BYTES: usize = 16;
/// `partition_key_table` with one key: tag, length in up to two bytes, key.
const TABLE_BYTES_MAX: usize = 3 + KEY_BYTES_MAX;

// Tags: field number << 3 | wire type, which is 0 for integers and 2 for bytes.
const KEY_TABLE: u8 = 1 << 3 | 2;
const RECORDS: u8 = 3 << 3 | 2;
const RECORD_KEY_INDEX: u8 = 1 << 3;
const RECORD_DATA: u8 = 3 << 3 | 2;

impl Aggregate {
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// True if the aggregate stays within its size with `data` in it, whatever its key.
    pub(super) fn has_room(&self, data: &[u8]) -> bool {
        let inner = 3 + varint_bytes(data.len()) + data.len();
        let record = 1 + varint_bytes(inner) + inner;
        MAGIC.len() + TABLE_BYTES_MAX + self.records.len() + record + CHECKSUM_BYTES <= BYTES_MAX
    }

    pub(super) fn push(&mut self, data: &[u8], lines: u64) {
        let inner = 3 + varint_bytes(data.len()) + data.len();
        self.records.push(RECORDS);
        push_varint(inner, &mut self.records);
        self.records.extend_from_slice(&[RECORD_KEY_INDEX, 0, RECORD_DATA]);
        push_varint(data.len(), &mut self.records);
        self.records.extend_from_slice(data);
        self.lines += lines;
    }

    /// The record of the stream.
    pub(super) fn seal(self, key: &str) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(KEY_TABLE);
        push_varint(key.len(), &mut out);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&self.records);
        let checksum = Md5::digest(&out[MAGIC.len()..]);
        out.extend_from_slice(&checksum);
        out
    }
}

fn varint_bytes(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// Seven bits a byte, lowest first; the high bit says that more follow.
fn push_varint(value: usize, out: &mut Vec<u8>) {
    let mut rest = value;
    while rest >= 0x80 {
        let [low, ..] = rest.to_le_bytes();
        out.push(low | 0x80);
        rest >>= 7;
    }
    let [low, ..] = rest.to_le_bytes();
    out.push(low);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_user_records_are_encoded_as_the_message_says() {
        let mut aggregate = Aggregate::default();
        aggregate.push(b"2 a\n", 1);
        aggregate.push(b"2 b\n", 1);
        assert_eq!(aggregate.lines(), 2);
        let sealed = aggregate.seal("key");
        let (message, checksum) = sealed[4..].split_at(sealed.len() - 20);
        assert_eq!(sealed[..4], [0xf3, 0x89, 0x9a, 0xc2]);
        assert_eq!(
            message,
            b"\x0a\x03key\x1a\x08\x08\x00\x1a\x042 a\n\x1a\x08\x08\x00\x1a\x042 b\n"
        );
        assert_eq!(checksum, &Md5::digest(message)[..]);
    }

    #[test]
    fn a_varint_is_as_long_as_it_says() {
        for (value, encoded) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
        ] {
            let mut out = Vec::new();
            push_varint(value, &mut out);
            assert_eq!((out.as_slice(), out.len()), (encoded, varint_bytes(value)));
        }
    }

    proptest! {
        #[test]
        fn an_aggregate_with_room_stays_within_its_size(sizes in prop::collection::vec(0_usize..20_000, 1..40)) {
            let mut aggregate = Aggregate::default();
            for size in sizes {
                let data = vec![b'x'; size];
                if !aggregate.has_room(&data) {
                    aggregate = Aggregate::default();
                }
                aggregate.push(&data, 1);
            }
            prop_assert!(aggregate.seal(&"k".repeat(KEY_BYTES_MAX)).len() <= BYTES_MAX);
        }
    }
}
