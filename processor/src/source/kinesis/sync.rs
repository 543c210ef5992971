//! Keeps the lease table in step with the shards of a stream: one worker creates what is missing and deletes what is done.
//!
//! Children get their leases where their parents end; this looks for what that leaves out: the first leases, shards of
//! a reshard that nobody saw to its end, items that somebody deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::config::{Config, InitialPosition};
use super::failure::Failure;
use super::stream::Stream;
use crate::lease::{Handle, Lease, StoreError, lineage};

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

/// Never ends.
pub(super) async fn run(stream: Arc<Stream>, config: Arc<Config>, leases: Handle) {
    let mut audit = lineage::Audit::default();
    loop {
        let view = leases.view();
        let own: Vec<Lease> =
            view.leases.iter().filter(|lease| stream.lineage.owns(lease)).cloned().collect();
        // The first leases are not waited for: whoever comes first makes them.
        if view.scans == 0 || !(view.is_first_worker || own.is_empty()) {
            sleep(LOOK).await;
            continue;
        }
        if audit.is_sync_needed(&own) && !own.is_empty() {
            tracing::error!(stream = %stream.name, "a range of hash keys has no lease, again and again: its records are not read");
        }
        let pause = match once(&stream, &config, &leases, &own).await {
            // What was created is seen at the next look at the table.
            Ok(0) => INTERVAL,
            Ok(_created) => LOOK * 4,
            Err(error) => {
                match &error {
                    SyncError::Kinesis(failure) if failure.needs_someone() => {
                        tracing::error!(stream = %stream.name, %error, "cannot list the shards");
                    }
                    _ => tracing::warn!(stream = %stream.name, %error, "cannot list the shards"),
                }
                RETRY
            }
        };
        sleep(pause).await;
    }
}

async fn once(
    stream: &Stream,
    config: &Config,
    leases: &Handle,
    own: &[Lease],
) -> Result<usize, SyncError> {
    // Checked when the configuration was read.
    let initial = config.initial_position().unwrap_or(InitialPosition::TrimHorizon);
    let shards = stream.shards(own.is_empty().then_some(initial)).await?;
    let initial = match initial {
        InitialPosition::TrimHorizon => lineage::Initial::TrimHorizon,
        InitialPosition::Latest => lineage::Initial::Latest,
        InitialPosition::AtTimestamp { .. } => lineage::Initial::AtTimestamp,
    };
    let missing = lineage::missing(&stream.lineage, &shards, own, initial);
    let created = if missing.is_empty() { 0 } else { leases.create(missing).await? };
    let finished = lineage::finished(own, &shards);
    if !own.is_empty() && !finished.is_empty() {
        tracing::info!(stream = %stream.name, leases = finished.len(), "deletes leases of shards that are done with");
        leases.delete(finished).await?;
    }
    if created > 0 {
        tracing::info!(stream = %stream.name, created, "created leases");
    }
    Ok(created)
}
