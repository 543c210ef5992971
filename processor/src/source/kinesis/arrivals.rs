//! What a shard gives at a time, however it is read.

use aws_sdk_kinesis::types::{ChildShard, HashKeyRange, Record};
use tokio::sync::OwnedSemaphorePermit;

use super::batcher::Arrived;
use crate::lease::{Child, HashRange};

/// Records of a shard, in their order, and how it goes on.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) records: Vec<Arrived>,
    /// How far behind the newest record the last of these is.
    pub(super) behind_ms: u64,
    /// The shard was closed and this is its last answer: the shards that go on where it ended.
    pub(super) end: Option<Vec<Child>>,
    /// When it was asked for, by our monotonic clock: what had arrived before is in it, or in one before.
    pub(super) asked_at_ms: u64,
    /// Room in the buffer for all its records.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// A record in JSON has some 200 bytes beside its data, of which the allocation that the records share has three quarters; the record
/// itself and its sequence number have 150.
const RECORD_MEMORY_BYTES: usize = 320;

/// See [`Answer::memory_bytes`].
pub(super) fn memory_bytes(records: &[Arrived]) -> usize {
    records.iter().map(|record| record.payload.len() + RECORD_MEMORY_BYTES).sum()
}

impl Answer {
    /// What its records hold: their data, which may lie in an allocation for the whole answer's base64, and what each costs beside.
    pub(super) fn memory_bytes(&self) -> usize {
        memory_bytes(&self.records)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.records.iter().map(|record| record.payload.len() as u64).sum()
    }
}

/// Takes over what the SDK read; a record whose sequence number is none is told to `broken`, which no service sends.
pub(super) fn arrived(records: Vec<Record>, mut broken: impl FnMut(&str)) -> Vec<Arrived> {
    let mut arrived = Vec::with_capacity(records.len());
    let mut is_told = false;
    for record in records {
        let Ok(sequence) = record.sequence_number.parse() else {
            if !std::mem::replace(&mut is_told, true) {
                broken(&record.sequence_number);
            }
            continue;
        };
        // JSON carries seconds as a fraction, which may come out a microsecond too early.
        let nanos = record.approximate_arrival_timestamp.map_or(0, |time| time.as_nanos());
        let arrival_ms = u64::try_from((nanos + 500_000) / 1_000_000).unwrap_or(0);
        let payload = record.data.into_bytes();
        arrived.push(Arrived { sequence, arrival_ms, payload, sub_sequence: None });
    }
    arrived
}

/// The shards that go on where this one ended.
pub(super) fn children(shards: Vec<ChildShard>) -> Vec<Child> {
    let child = |shard: ChildShard| Child {
        hash_range: shard.hash_key_range.as_ref().and_then(hash_range).unwrap_or(HashRange::WHOLE),
        parents: shard.parent_shards.into_iter().map(Into::into).collect(),
        shard_id: shard.shard_id.into(),
    };
    shards.into_iter().map(child).collect()
}

/// `None` if the bounds are no numbers.
pub(super) fn hash_range(range: &HashKeyRange) -> Option<HashRange> {
    let start = range.starting_hash_key.parse().ok()?;
    let end = range.ending_hash_key.parse().ok()?;
    Some(HashRange { start, end })
}
