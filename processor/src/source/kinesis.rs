//! Kinesis Data Streams: shards in, batches out, and nothing checkpointed that was not applied.
//!
//! The leases' coordinator says which shards are ours; each is read by a task of its own (`shard`), by polling or fan-out,
//! cut into batches by arrival time (`batcher`) and sent to the pipeline over one bounded channel. What the fold has applied comes back
//! through the [`Ledger`], and only that is checkpointed. A full pipeline stops the reading; leases are renewed on a thread
//! that knows nothing of it.

pub mod answer;
mod arrivals;
mod batcher;
mod buffer;
mod clock;
mod config;
mod failure;
mod fan_out;
mod foreign;
mod ledger;
mod pace;
mod place;
mod polling;
mod problem;
mod shard;
mod stream;
mod supervisor;
mod sync;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use aws_sdk_kinesis::Client;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

pub use batcher::BATCH_BYTES_MAX;
pub use config::{Config, InitialPosition, Leases, Mode, Store as StoreKind};
pub use failure::Failure;
pub use ledger::Ledger;
pub use problem::Problem;

use crate::batch::Batch;
use crate::lease::{Event, Handle};
use crate::telemetry::shards::Shards;
use clock::Clock;

/// Streams that are read on threads of their own.
#[derive(Debug)]
pub struct Kinesis {
    thread: JoinHandle<Result<(), EndedError>>,
    stop: watch::Sender<bool>,
    ledger: Ledger,
}

/// Ends the reading from another thread.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

/// What is read: batches, and what is missing between them. Ends when the reading was stopped, or cannot go on.
#[derive(Debug)]
pub struct Batches(mpsc::Receiver<Result<Batch, Problem>>);

/// What reading needs from outside.
#[derive(Debug)]
pub struct Parts {
    /// Of Kinesis, with no retries of its own.
    pub client: Client,
    /// Of the leases.
    pub leases: Handle,
    /// What the leases' coordinator says.
    pub events: mpsc::Receiver<Event>,
    /// Where shards are counted.
    pub meters: Shards,
}

/// Why reading ended although nobody stopped it.
#[derive(Debug, thiserror::Error)]
pub enum EndedError {
    /// A stream cannot be found or read from the beginning.
    #[error("{stream}: {failure}")]
    Stream {
        /// As configured.
        stream: String,
        /// Why.
        failure: Failure,
    },
    /// The lease table serves one stream, by ids of shards alone, so a second one cannot be told from it.
    #[error(
        "sources.kinesis.streams: the lease table belongs to a single stream: read the others with another application name, or set another leases.table"
    )]
    TableOfOneStream,
    /// Each stream was deleted.
    #[error("{0}: the stream was deleted")]
    Deleted(String),
    /// The lease table cannot be read at all.
    #[error("the lease table cannot be read")]
    NoLeases,
    /// The thread panicked; the panic's message is on standard error.
    #[error("reading panicked")]
    Panicked,
}

/// Threads for the shards' tasks: they wait for the network, and decode base64.
const THREADS: usize = 2;
/// Batches between the shards and the pipeline, which has bounded queues of its own.
const BATCHES_QUEUED_MAX: usize = 1;

impl Kinesis {
    /// Begins to read the shards whose leases are granted.
    ///
    /// # Errors
    /// When the system has no thread or event queue left.
    pub fn start(config: Config, parts: Parts) -> io::Result<(Self, Batches)> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("kinesis")
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let (batches, received) = mpsc::channel(BATCHES_QUEUED_MAX);
        let ledger = Ledger::default();
        let supervisor = supervisor::Supervisor::new(
            Arc::new(config),
            parts,
            batches,
            ledger.clone(),
            Clock::start(),
        );
        let thread = thread::Builder::new()
            .name("kinesis".to_owned())
            .spawn(move || supervise(&runtime, supervisor, stopped))?;
        Ok((Self { thread, stop, ledger }, Batches(received)))
    }

    /// To be told what was applied.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Ends it from another thread.
    #[must_use]
    pub fn stop_handle(&self) -> Stop {
        Stop(self.stop.clone())
    }

    /// Waits until it has ended, with all leases released.
    ///
    /// # Errors
    /// [`EndedError`] when it could not go on.
    pub fn join(self) -> Result<(), EndedError> {
        self.thread.join().unwrap_or(Err(EndedError::Panicked))
    }
}

impl Stop {
    /// Stops reading; what was read is applied and checkpointed, leases are released, and [`Batches`] ends.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.blocking_recv()
    }
}

fn supervise(
    runtime: &Runtime,
    supervisor: supervisor::Supervisor,
    stopped: watch::Receiver<bool>,
) -> Result<(), EndedError> {
    runtime.block_on(supervisor.run(stopped))
}
