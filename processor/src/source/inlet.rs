//! The one way of all sources of `flowscout run` into the pipeline: a bounded channel, so that a slow pipeline slows each of
//! them.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::batch::Batch;

/// Where a source puts its batches; each has its own clone.
pub type Inlet = mpsc::Sender<Result<Batch, Problem>>;

/// What all sources read: batches, and what is missing between them. Ends when every source has ended.
#[derive(Debug)]
pub struct Batches(mpsc::Receiver<Result<Batch, Problem>>);

/// Something that is missing from what was read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// Records were trimmed before they were read: the stream's retention is shorter than what we were behind.
    #[error(
        "{shard}: the position to read on from was trimmed: records may be lost; going on with the oldest that is left"
    )]
    Gap {
        /// `stream/shard`.
        shard: Arc<str>,
        /// When it was noticed, in milliseconds of Unix time.
        at_unix_ms: u64,
    },
}

/// Batches between the sources and the pipeline, which has bounded queues of its own.
const BATCHES_QUEUED_MAX: usize = 1;

/// A way in, and where it leads.
#[must_use]
pub fn channel() -> (Inlet, Batches) {
    let (inlet, received) = mpsc::channel(BATCHES_QUEUED_MAX);
    (inlet, Batches(received))
}

impl Iterator for Batches {
    type Item = Result<Batch, Problem>;

    /// Waits for the next one; not for an asynchronous thread.
    fn next(&mut self) -> Option<Self::Item> {
        self.0.blocking_recv()
    }
}
