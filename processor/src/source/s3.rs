//! New objects of S3, as a queue of SQS tells of them: messages in, batches out, and no message deleted whose objects were not applied.
//!
//! `receiver` asks for messages, `event` says which objects they name, `work` sees each message to its end: its objects are read on
//! threads of their own (`reading`) and sent to the pipeline, and the message is hidden from other readers until the fold has applied
//! them, and then deleted. What cannot be read comes again, later each time (`life`), and at last becomes a dead letter.

mod config;
mod event;
mod failure;
mod fault;
mod known;
mod life;
mod queue;
mod reading;
mod receiver;
mod tries;
mod wanted;
mod work;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::thread::{self, JoinHandle};

use aws_sdk_sqs::Client;
use tokio::runtime::{Builder, Runtime};

pub use config::Config;
pub use failure::{Failure, Kind};

use super::clock::Clock;
use super::inlet::Inlet;
use super::object::Buckets;
use super::receipts::Receipts;
use super::stop::{Stop, Stopped};
use super::told::Told;
use crate::s3::Prefix;
use crate::telemetry::objects::Objects;
use known::Known;
use life::Rules;
use queue::Queue;
use reading::Reader;
use receiver::Receiver;
use tries::Tries;
use wanted::Wanted;
use work::Work;

/// A queue that is read on threads of its own.
#[derive(Debug)]
pub struct S3Source {
    thread: JoinHandle<Result<(), EndedError>>,
}

/// What reading needs from outside.
#[derive(Debug)]
pub struct Parts {
    /// Of SQS, with no retries of its own.
    pub client: Client,
    /// Of S3.
    pub buckets: Buckets,
    /// Whether there are dead letters: without, no message is given up.
    pub keeps_letters: bool,
    /// The bucket they go to, if any: what is below it is not read.
    pub letters: Option<Prefix>,
    /// Where messages and objects are counted.
    pub meter: Objects,
    /// Where batches go.
    pub inlet: Inlet,
    /// Who says what was applied.
    pub receipts: Receipts,
    /// When to end.
    pub stopped: Stopped,
}

/// Why reading ended although nobody stopped it.
#[derive(Debug, thiserror::Error)]
pub enum EndedError {
    /// The queue cannot be read from the beginning.
    #[error("{queue}: {failure}")]
    Queue {
        /// Its address.
        queue: String,
        /// Why.
        failure: Failure,
    },
    /// A thread panicked; the panic's message is on standard error.
    #[error("reading panicked")]
    Panicked,
}

/// Threads for the messages' tasks, which wait for the network. Objects are read on others.
const THREADS: usize = 2;

impl S3Source {
    /// Begins to read the queue.
    ///
    /// # Errors
    /// When the system has no thread or event queue left.
    pub fn start(config: &Config, parts: Parts) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(config.objects_in_flight_max + SPARE_THREADS)
            .thread_name("s3")
            .enable_all()
            .build()?;
        let receiver = receiver(config, parts, &runtime);
        let read = move || supervise(runtime, receiver);
        Ok(Self { thread: thread::Builder::new().name("s3".to_owned()).spawn(read)? })
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// [`EndedError`] when it could not go on.
    pub fn join(self) -> Result<(), EndedError> {
        self.thread.join().unwrap_or(Err(EndedError::Panicked))
    }
}

/// The resolver of names has need of them.
const SPARE_THREADS: usize = 4;

fn receiver(config: &Config, parts: Parts, runtime: &Runtime) -> Receiver {
    let cut = Stop::new();
    let reader = Reader {
        runtime: runtime.handle().clone(),
        buckets: parts.buckets,
        inlet: parts.inlet,
        receipts: parts.receipts,
        meter: parts.meter,
        cut: cut.stopped(),
        known: Known::default(),
        outage: AtomicU32::new(0),
        is_given_objects: AtomicBool::new(false),
        clock: Clock::start(),
        read_at_ms: AtomicU64::new(0),
    };
    let rules = Rules {
        visibility_s: config.visibility_s,
        tries_max: config.tries_max,
        keeps_letters: parts.keeps_letters,
    };
    let queue = Queue::new(parts.client, &config.queue_url);
    let work = Work {
        queue,
        rules,
        reader: Arc::new(reader),
        told: Told::new(),
        kept: Known::default(),
        tries: Tries::default(),
        wanted: Wanted { buckets: config.buckets.clone(), letters: parts.letters },
        letters: AtomicU64::new(0),
    };
    let (url, work) = (config.queue_url.clone(), Arc::new(work));
    Receiver::new(url, config.objects_in_flight_max, work, parts.stopped, cut)
}

fn supervise(runtime: Runtime, receiver: Receiver) -> Result<(), EndedError> {
    let result = runtime.block_on(receiver.run());
    // A thread that waits for the pipeline lets go of its inlet when that moves on; nobody waits here for it.
    runtime.shutdown_background();
    result
}
