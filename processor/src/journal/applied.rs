//! What was applied before, so that what a source delivers twice counts once.
//!
//! Firehose sends a request again that it got no answer to, and SQS names an object twice. Of what was applied the last
//! [`APPLIED_MAX`] requests and objects are known: two hours of retries at 36 requests a second.

use std::collections::VecDeque;

use indexmap::IndexMap;
use sketches::hash::{HashKey, KeyedState};

use crate::batch::{BatchId, Extent};

/// Batches that were applied. Memory bound: [`APPLIED_BYTES_MAX`].
#[derive(Debug)]
pub struct Applied {
    key: HashKey,
    /// By the hash of a request, or of a version of an object: how far it was applied.
    marks: IndexMap<u128, Mark, KeyedState>,
    /// In the order in which they were first seen.
    order: VecDeque<u128>,
}

/// A request has one batch; the batches of an object follow each other, so the last one stands for all before it.
type Mark = u64;

/// As many requests and objects are known. Two that differ are taken for the same with a chance of 2^-46 for each.
const APPLIED_MAX: usize = 1 << 18;
/// A key twice, a mark, and what the map needs beside them, in tables that are doubled as they grow.
pub const APPLIED_BYTES_MAX: usize = APPLIED_MAX * 128;

impl Applied {
    /// Nothing yet.
    #[must_use]
    pub const fn new(key: HashKey) -> Self {
        let marks = IndexMap::with_hasher(KeyedState::new(key));
        Self { key, marks, order: VecDeque::new() }
    }

    /// Notes that a batch is applied; false if it was before. Batches of sources that keep a position are always new: they are
    /// read again only from there.
    pub fn is_new(&mut self, id: &BatchId) -> bool {
        let (name, mark) = match &id.extent {
            Extent::Offset(_) | Extent::Records { .. } => return true,
            Extent::Request { id, records, bytes, checksum } => {
                let id = self.key.hash_bytes(id.as_bytes());
                (self.key.hash_words([id, u64::from(*records), *bytes, *checksum]), 0)
            }
            Extent::Object { etag, offset_bytes } => {
                (self.key.hash_bytes(etag.as_bytes()), *offset_bytes)
            }
        };
        let source = self.key.hash_bytes(id.source.as_bytes());
        let name = u128::from(source) << 64 | u128::from(name);
        match self.marks.get_mut(&name) {
            Some(applied) if *applied >= mark => false,
            Some(applied) => {
                *applied = mark;
                true
            }
            None => {
                self.remember(name, mark);
                true
            }
        }
    }

    fn remember(&mut self, name: u128, mark: Mark) {
        if self.order.len() == APPLIED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.marks.swap_remove(&oldest);
        }
        self.order.push_back(name);
        self.marks.insert(name, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(source: &str, id: &str, records: u32, bytes: u64) -> BatchId {
        let extent = Extent::Request { id: id.into(), records, bytes, checksum: 7 };
        BatchId { source: source.into(), extent }
    }

    fn piece(etag: &str, offset_bytes: u64) -> BatchId {
        let extent = Extent::Object { etag: etag.into(), offset_bytes };
        BatchId { source: "s3://bucket/key".into(), extent }
    }

    fn applied() -> Applied {
        Applied::new(HashKey::new(1, 2))
    }

    #[test]
    fn a_request_counts_once_and_one_of_other_content_or_another_stream_is_another_one() {
        let mut applied = applied();
        let first = request("stream", "id", 2, 300);
        assert!(applied.is_new(&first));
        assert!(!applied.is_new(&first));
        let extent = Extent::Request { id: "id".into(), records: 2, bytes: 300, checksum: 8 };
        for other in [
            BatchId { source: "stream".into(), extent },
            request("stream", "id", 3, 300),
            request("stream", "id", 2, 301),
            request("stream", "other", 2, 300),
            request("other", "id", 2, 300),
        ] {
            assert!(applied.is_new(&other), "{other}");
        }
    }

    #[test]
    fn an_object_that_is_read_again_counts_from_where_it_broke_off() {
        let mut applied = applied();
        let new: Vec<bool> =
            [0, 7, 0, 7, 9, 9].map(|offset| applied.is_new(&piece("v1", offset))).into();
        assert_eq!(new, [true, true, false, false, true, false]);
        assert!(applied.is_new(&piece("v2", 0)));
    }

    #[test]
    fn what_a_source_with_a_position_reads_is_always_new() {
        let id = BatchId::at("file".into(), 0);
        let mut applied = applied();
        assert!(applied.is_new(&id) && applied.is_new(&id));
    }

    #[test]
    fn only_so_many_are_known_and_the_oldest_are_forgotten_first() {
        let mut applied = applied();
        let id = |number: usize| request("stream", &number.to_string(), 1, 1);
        for number in 0..=APPLIED_MAX {
            assert!(applied.is_new(&id(number)));
        }
        assert!(!applied.is_new(&id(1)) && !applied.is_new(&id(APPLIED_MAX)));
        assert!(applied.is_new(&id(0)));
        assert_eq!(applied.marks.len(), APPLIED_MAX);
        let bytes = applied.marks.capacity() * (size_of::<(u128, Mark)>() + 3 * size_of::<usize>())
            + applied.order.capacity() * size_of::<u128>();
        assert!(bytes <= APPLIED_BYTES_MAX, "{bytes}");
    }
}
