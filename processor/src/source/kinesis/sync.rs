//! Keeps the lease table in step with the shards of a stream: one worker creates what is missing and deletes what is done.
//!
//! Children get their leases where their parents end; this looks for what that leaves out: the first leases, shards of
//! a reshard that nobody saw to its end, items that somebody deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::config::{Config, InitialPosition};
use super::failure::Failure;
use super::stream::{Presence, Stream};
use crate::lease::{Checkpoint, Handle, Lease, LeaseKey, StoreError, lineage};
use crate::source::clock::Clock;
use crate::source::inlet::{Inlet, Problem};
use crate::source::told::Told;

/// As the KCL: `shardSyncIntervalMillis`.
const INTERVAL: Duration = Duration::from_secs(60);
/// Between two looks at whether it is our turn.
const LOOK: Duration = Duration::from_millis(500);
/// After a failure.
const RETRY: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Kinesis(#[from] Failure),
    #[error(transparent)]
    Leases(#[from] StoreError),
}

/// Ends when the stream was deleted.
pub(super) async fn run(
    stream: Arc<Stream>,
    config: Arc<Config>,
    leases: Handle,
    inlet: Inlet,
    clock: Clock,
) -> Arc<Stream> {
    let mut audit = lineage::Audit::default();
    let mut unlisted = BTreeSet::new();
    let told = Told::new();
    loop {
        let view = leases.view();
        let is_own = |lease: &&Lease| stream.lineage.owns(lease);
        // The first leases are not waited for: whoever comes first makes them.
        let is_our_turn = view.is_first_worker || !view.leases.iter().any(|lease| is_own(&lease));
        if view.scans == 0 || !is_our_turn {
            sleep(LOOK).await;
            continue;
        }
        let own: Vec<Lease> = view.leases.iter().filter(is_own).cloned().collect();
        if audit.is_sync_needed(&own) && !own.is_empty() {
            tracing::error!(stream = %stream.name, "a range of hash keys has no lease, again and again: its records are not read");
        }
        let round = Round { stream: &stream, config: &config, leases: &leases, clock };
        let pause = match round.run(&own, &mut unlisted, &inlet).await {
            // What was created is seen at the next look at the table.
            Ok(0) => INTERVAL,
            Ok(_created) => LOOK * 4,
            Err(SyncError::Kinesis(Failure::NotFound { .. }))
                if stream.presence_of("").await == Presence::StreamDeleted =>
            {
                tracing::error!(stream = %stream.name, "the stream was deleted");
                return stream;
            }
            Err(error) => {
                if told.is_due("sync") {
                    tracing::error!(stream = %stream.name, %error, "cannot look after the leases");
                }
                RETRY
            }
        };
        sleep(pause).await;
    }
}

struct Round<'r> {
    stream: &'r Stream,
    config: &'r Config,
    leases: &'r Handle,
    clock: Clock,
}

impl Round<'_> {
    /// How many leases were created.
    async fn run(
        &self,
        own: &[Lease],
        unlisted: &mut BTreeSet<LeaseKey>,
        inlet: &Inlet,
    ) -> Result<usize, SyncError> {
        let stream = self.stream;
        // Checked when the configuration was read.
        let initial = self.config.initial_position().unwrap_or(InitialPosition::TrimHorizon);
        let shards = stream.shards(own.is_empty().then_some(initial)).await?;
        let initial = match initial {
            InitialPosition::TrimHorizon => lineage::Initial::TrimHorizon,
            InitialPosition::Latest => lineage::Initial::Latest,
            InitialPosition::AtTimestamp { .. } => lineage::Initial::AtTimestamp,
        };
        let mut missing = lineage::missing(&stream.lineage, &shards, own, initial);
        for lease in &mut missing {
            if lease.checkpoint == Checkpoint::Latest {
                lease.since_ms = Some(self.clock.unix_ms());
            }
        }
        let created = if missing.is_empty() { 0 } else { self.leases.create(missing).await? };
        if created > 0 {
            tracing::info!(stream = %stream.name, created, "created leases");
        }
        if !own.is_empty() {
            self.clean_up(own, lineage::finished(own, &shards), unlisted, inlet).await?;
        }
        Ok(created)
    }

    /// A shard that was not read to its end and is not listed has expired; one listing is no proof.
    async fn clean_up(
        &self,
        own: &[Lease],
        finished: Vec<LeaseKey>,
        unlisted: &mut BTreeSet<LeaseKey>,
        inlet: &Inlet,
    ) -> Result<(), SyncError> {
        let is_read =
            |key: &LeaseKey| own.iter().any(|lease| lease.key == *key && lease.is_finished());
        let (mut done, unread): (Vec<LeaseKey>, Vec<LeaseKey>) =
            finished.into_iter().partition(is_read);
        let (expired, suspects): (Vec<LeaseKey>, Vec<LeaseKey>) =
            unread.into_iter().partition(|key| unlisted.contains(key));
        *unlisted = suspects.into_iter().collect();
        for key in &expired {
            let shard = format!("{}/{}", self.stream.name, key.shard_id());
            tracing::error!(shard, "the shard expired before it was read to its end");
            let gap = Problem::Gap { shard: shard.into(), at_unix_ms: self.clock.unix_ms() };
            drop(inlet.send(Err(gap)).await);
        }
        done.extend(expired);
        if !done.is_empty() {
            tracing::info!(stream = %self.stream.name, leases = done.len(), "deletes leases of shards that are done with");
            self.leases.delete(done).await?;
        }
        Ok(())
    }
}
