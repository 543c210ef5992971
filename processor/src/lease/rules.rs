//! The rules of one worker, without clock, network or threads: time and what the table said are arguments, what is to be
//! done comes out of [`Worker::next_output`].
//!
//! The coordinator runs them against a table, the simulation of the tests several of them against one.

mod balance;
mod held;
mod random;
mod seen;
mod worker;

use std::sync::Arc;

pub use worker::{Output, Request, RequestId, Worker, WriteId};

use super::{Checkpoint, Lease, LeaseKey, StoreError};

/// How long things take. The intervals are fractions of the duration of a lease, as in KCL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// A lease that was not renewed for so long may be taken by others. KCL: `failoverTimeMillis`.
    pub duration_ms: u64,
    /// A holder that was asked to give a lease up has so long for it. KCL: `gracefulLeaseHandoffTimeoutMillis`.
    pub handoff_timeout_ms: u64,
    /// More leases than these this worker does not take. KCL: `maxLeasesForWorker`.
    pub leases_max: usize,
}

/// Proves that a lease is still held by the grant that it came with; in memory only, another one at every grant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(u64);

/// A lease that this worker holds from now on.
#[derive(Clone, PartialEq, Debug)]
pub struct Grant {
    /// As it was taken: its checkpoint says where to read on.
    pub lease: Lease,
    /// For checkpoints under this grant.
    pub token: Token,
}

/// What the reader of shards has to know. For one lease they come in the order in which they happened.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few in a minute: a box would only be in the way")]
pub enum Event {
    /// May be read from now on, once its parents are finished.
    Granted(Grant),
    /// Another worker wants it: drain, write the checkpoint, release. It is renewed until then.
    HandoffRequested(LeaseKey),
    /// It is somebody else's, or may be: stop reading, drop what was read since the last checkpoint.
    Lost(LeaseKey),
}

/// Why there is no checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The lease is not held under this grant any more. What was read since the last checkpoint, others read again.
    #[error("the lease is not held any more")]
    Lost,
    /// It lies before the one that is there, which stays.
    #[error("the checkpoint would go back from {from} to {to}")]
    Backward {
        /// The checkpoint of the lease.
        from: Checkpoint,
        /// The one that was asked for.
        to: Checkpoint,
    },
    /// The child of a merge cannot get a lease before its other parent has one. Try again after the next sync of shards.
    #[error("the shard {parent}, which was merged with this one, has no lease yet")]
    Deferred {
        /// The other parent.
        parent: Arc<str>,
    },
    /// The table did not take it; the lease is still held.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a worker has counted since it started, and what it sees now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Leases that this worker holds now.
    pub held: u64,
    /// Leases in the table whose shards are not read to their ends, now.
    pub total: u64,
    /// Those of them that nobody holds, now.
    pub expired: u64,
    /// Grants.
    pub taken: u64,
    /// Leases lost: to others, or because they could not be renewed.
    pub lost: u64,
    /// Grants of leases that this worker asked others for.
    pub stolen: u64,
    /// Leases given up because others asked for them.
    pub handed_over: u64,
    /// Renewals that the table did not answer with success.
    pub renewals_failed: u64,
}

/// What a worker knows of the table.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// All leases, in the order of their keys, as they were at the newest scan.
    pub leases: Arc<[Lease]>,
    /// How often the table was read; before the first time, nothing is known.
    pub scans: u64,
    /// Workers that hold leases, and this one.
    pub workers: usize,
    /// Whether this one looks after what one worker should: its name is the first among those that hold leases, or nobody
    /// holds any. Several may believe it for a while.
    pub is_first_worker: bool,
    /// What happened.
    pub counts: Counts,
    /// How long ago the lease was renewed that was renewed the longest ago; 0 if none is held.
    pub renewal_age_ms_max: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { duration_ms: 10_000, handoff_timeout_ms: 30_000, leases_max: usize::MAX }
    }
}

impl Timing {
    /// Between two renewals of a lease. A third, as in KCL: two may fail.
    #[must_use]
    pub const fn renewal_interval_ms(&self) -> u64 {
        self.duration_ms / 3
    }

    /// Between two looks at the table. KCL looks every two durations; a dead worker's leases are to be taken within two, one
    /// of which it takes to see that they are not renewed.
    #[must_use]
    pub const fn scan_interval_ms(&self) -> u64 {
        self.duration_ms / 3
    }

    /// The shortest time between two looks at the table.
    #[must_use]
    pub const fn scan_gap_ms(&self) -> u64 {
        self.duration_ms / 20
    }

    /// How long a holder believes that it holds a lease after it sent the last renewal that succeeded: 95 % of the duration,
    /// so that it stops first even when its clock is slower than that of whoever waits.
    #[must_use]
    pub const fn belief_ms(&self) -> u64 {
        self.duration_ms - self.duration_ms / 20
    }

    /// How long an answer of the table is waited for: short enough for four renewals in the duration of a lease.
    #[must_use]
    pub const fn answer_timeout_ms(&self) -> u64 {
        self.duration_ms / 8
    }
}
