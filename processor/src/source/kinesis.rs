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
use tokio::sync::mpsc;

pub use batcher::BATCH_BYTES_MAX;
pub use config::{Config, InitialPosition, Leases, Mode, Store as StoreKind};
pub use failure::Failure;
pub use ledger::Ledger;

use super::clock::Clock;
use super::inlet::Inlet;
use super::stop::Stopped;
use crate::lease::{Event, Handle};
use crate::telemetry::shards::Shards;

/// Streams that are read on threads of their own.
#[derive(Debug)]
pub struct Kinesis {
    thread: JoinHandle<Result<(), EndedError>>,
}

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
    /// Where batches go.
    pub inlet: Inlet,
    /// Told what was applied.
    pub ledger: Ledger,
    /// When to end.
    pub stopped: Stopped,
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

impl Kinesis {
    /// Begins to read the shards whose leases are granted.
    ///
    /// # Errors
    /// When the system has no thread or event queue left.
    pub fn start(config: Config, parts: Parts) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("kinesis")
            .enable_all()
            .build()?;
        let stopped = parts.stopped.clone();
        let supervisor = supervisor::Supervisor::new(Arc::new(config), parts, Clock::start());
        let thread = thread::Builder::new()
            .name("kinesis".to_owned())
            .spawn(move || supervise(&runtime, supervisor, stopped))?;
        Ok(Self { thread })
    }

    /// Waits until it has ended, with all leases released.
    ///
    /// # Errors
    /// [`EndedError`] when it could not go on.
    pub fn join(self) -> Result<(), EndedError> {
        self.thread.join().unwrap_or(Err(EndedError::Panicked))
    }
}

fn supervise(
    runtime: &Runtime,
    supervisor: supervisor::Supervisor,
    stopped: Stopped,
) -> Result<(), EndedError> {
    runtime.block_on(supervisor.run(stopped))
}
