//! Who reads which shard: leases in a table that workers share, with the rules and the schema of the Kinesis Client Library.
//!
//! A lease names its shard, its owner and how far the shard was read. There is no server that grants leases: each worker
//! reads the table, takes what nobody renews, asks for one more where another worker has too many, and renews what it
//! holds; every write is conditional, so of two workers that want the same the table tells one that it was late. No clock
//! is compared with another worker's clock: a lease is expired for a worker that saw its counter stand still for the
//! duration of a lease *by its own monotonic clock*, and a holder applies the same test to itself, a little earlier.
//!
//! * [`rules`] decide, [`Write`] says what each decision does to a lease and under which condition, [`lineage`] knows
//!   which shards come before which: all pure, so that a simulation of several workers can run them.
//! * [`Coordinator`] is the thin shell around the rules, on a thread of its own, so that nothing delays a renewal.
//! * [`DynamoDb`] and [`Local`] are the tables.
//!
//! What is promised: as long as the clocks of two workers run equally fast within 5 %, never do both believe that they
//! hold a lease, but for one case: a holder that does not give up a lease that was asked for within
//! [`Timing::handoff_timeout_ms`] loses it to whoever asked, and learns so at its next renewal, at the latest when its
//! belief ends. Checkpoints are fenced also then: a write of a worker that no longer holds the lease is refused.
//!
//! The clock is the monotonic one of the operating system, which goes on while a process is stopped and, on Linux, not while
//! the whole machine is: of a machine that was suspended only the writes are fenced.
//!
//! Source of the rules and the schema: the documentation of KCL 2.x and 3.x in the Kinesis Data Streams developer guide,
//! pages "Use Kinesis Client Library" and "DynamoDB metadata tables and load balancing in KCL".

mod coordinator;
mod dynamodb;
pub mod lineage;
mod local;
mod memory;
mod position;
pub mod rules;
mod schema;
mod store;
mod write;

use std::fmt;
use std::sync::Arc;

pub use coordinator::{Coordinator, Handle, StartError};
pub use dynamodb::DynamoDb;
pub use lineage::Child;
pub use local::Local;
pub use memory::Memory;
pub use position::{Checkpoint, HashRange, Position, SequenceNumber, SequenceNumberError};
pub use rules::{CheckpointError, Counts, Event, Grant, Timing, Token, View};
pub use store::{Store, StoreError, Written};
pub use write::{Refused, Write};

/// The name of a lease: the shard's id, or `account:stream:creation epoch:shard` when a table serves several streams.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LeaseKey(Arc<str>);

/// An item of the lease table. Attributes that are not listed here stay as they are when we write.
#[derive(Clone, PartialEq, Debug)]
pub struct Lease {
    /// `leaseKey`.
    pub key: LeaseKey,
    /// `leaseOwner`: the worker; none while it is unassigned; during a handoff the next owner.
    pub owner: Option<Arc<str>>,
    /// `leaseCounter`: larger by one after every renewal, take, eviction and checkpoint.
    pub counter: u64,
    /// `ownerSwitchesSinceCheckpoint`.
    pub owner_switches: u64,
    /// `checkpoint` and `checkpointSubSequenceNumber`.
    pub checkpoint: Checkpoint,
    /// `pendingCheckpoint…`, which other workers may write; we never do, and a checkpoint removes it.
    pub pending: Option<Pending>,
    /// `parentShardId`: ids of shards, in order.
    pub parents: Vec<Arc<str>>,
    /// `childShardIds`: ids of shards, in order; filled at the end of the shard.
    pub children: Vec<Arc<str>>,
    /// `startingHashKey` and `endingHashKey`.
    pub hash_range: Option<HashRange>,
    /// `throughputKBps`, which KCL 3 keeps for its balancing; we never write it.
    pub throughput_kbps: Option<f64>,
    /// `checkpointOwner`: during a handoff the worker that still reads the shard.
    pub checkpoint_owner: Option<Arc<str>>,
    /// `streamName`: `account:stream:creation epoch`, where a table serves several streams.
    pub stream_name: Option<Arc<str>>,
    /// `shardId`, where a table serves several streams.
    pub shard_id: Option<Arc<str>>,
    /// `latestSinceMillis`, which the KCL does not know: when a lease at `LATEST` was made, in milliseconds since 1970. Reading starts there,
    /// so that what comes between two tasks that have not read anything yet is not lost.
    pub since_ms: Option<u64>,
}

/// A checkpoint that was prepared and not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    /// `pendingCheckpoint` and `pendingCheckpointSubSequenceNumber`.
    pub checkpoint: Checkpoint,
    /// `pendingCheckpointState`.
    pub state: Option<Vec<u8>>,
}

impl LeaseKey {
    /// The text of the table.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the last colon.
    #[must_use]
    pub fn shard_id(&self) -> &str {
        self.0.rsplit_once(':').map_or(&self.0, |(_, shard)| shard)
    }

    /// The lease of another shard of the same stream.
    #[must_use]
    pub fn sibling(&self, shard: &str) -> Self {
        let (stream, _) = self.0.split_at(self.0.len() - self.shard_id().len());
        Self(format!("{stream}{shard}").into())
    }
}

impl From<&str> for LeaseKey {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for LeaseKey {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for LeaseKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Lease {
    /// A lease that nobody holds, of a shard whose relatives are not known.
    #[must_use]
    pub const fn new(key: LeaseKey, checkpoint: Checkpoint) -> Self {
        Self {
            key,
            owner: None,
            counter: 0,
            owner_switches: 0,
            checkpoint,
            pending: None,
            parents: Vec::new(),
            children: Vec::new(),
            hash_range: None,
            throughput_kbps: None,
            checkpoint_owner: None,
            stream_name: None,
            shard_id: None,
            since_ms: None,
        }
    }

    /// The shard: its attribute, else the last part of the key.
    #[must_use]
    pub fn shard_id(&self) -> &str {
        self.shard_id.as_deref().unwrap_or_else(|| self.key.shard_id())
    }

    /// The worker that may read the shard and write checkpoints: during a handoff the one that still has it.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.checkpoint_owner.as_deref().or(self.owner.as_deref())
    }

    /// Whether its shard was read to the end, so that nobody needs to hold it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.checkpoint == Checkpoint::ShardEnd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_a_lease_is_its_attribute_or_the_last_part_of_its_key() {
        let mut lease = Lease::new(
            "123456789012:flows:1700000000:shardId-000000000007".into(),
            Checkpoint::Latest,
        );
        assert_eq!(lease.shard_id(), "shardId-000000000007");
        assert_eq!(lease.key.sibling("s8").as_str(), "123456789012:flows:1700000000:s8");
        lease.shard_id = Some("other".into());
        assert_eq!(lease.shard_id(), "other");
        assert_eq!(LeaseKey::from("shardId-1").sibling("shardId-2").as_str(), "shardId-2");
    }
}
