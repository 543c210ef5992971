//! The thread that puts objects, one after the other, and never gives up for good: whoever fails once gets shorter tries until
//! one succeeds, so that neither an outage of a minute costs an hour of letters nor a wrong name a minute for each object.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use tokio::runtime::{Builder, Runtime};

use super::cause::Cause;
use super::store::Store;
use crate::s3::Prefix;

/// Letters that become one object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) lines: Bytes,
    pub(super) letters: u64,
}

/// Letters that were handed over and are not in the bucket.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) letters: u64,
    /// Why, the first time.
    pub(super) cause: Option<Cause>,
}

#[derive(Debug)]
pub(super) struct Uploader {
    store: Store,
    prefix: Prefix,
    stem: String,
    /// Whether the last object could not be put.
    is_failing: Arc<AtomicBool>,
    tried: u64,
    lost: Lost,
}

impl Uploader {
    pub(super) fn new(
        store: Store,
        prefix: Prefix,
        stem: String,
        is_failing: Arc<AtomicBool>,
    ) -> Self {
        Self { store, prefix, stem, is_failing, tried: 0, lost: Lost::default() }
    }

    /// Puts all objects that come.
    pub(super) fn spawn(self, objects: Receiver<Object>) -> io::Result<JoinHandle<Lost>> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let thread = thread::Builder::new().name("dead letters".to_owned());
        thread.spawn(move || self.run(&runtime, &objects).ended(runtime))
    }

    fn run(mut self, runtime: &Runtime, objects: &Receiver<Object>) -> Lost {
        for object in objects {
            let letters = object.letters;
            let result = self.put(runtime, object.lines);
            self.is_failing.store(result.is_err(), Ordering::Relaxed);
            if let Err(cause) = result {
                tracing::info!(prefix = %self.prefix, letters, %cause, "dead letters were not put");
                self.lost.letters += letters;
                self.lost.cause.get_or_insert(cause);
            }
        }
        self.lost
    }

    fn put(&mut self, runtime: &Runtime, lines: Bytes) -> Result<(), Cause> {
        // A name is never used again: an object of which the answer was lost may be there.
        self.tried += 1;
        let key = self.prefix.key_of(&format!("{}-{:06}.jsonl", self.stem, self.tried));
        let is_failing = self.is_failing.load(Ordering::Relaxed);
        runtime.block_on(self.store.put(&key, lines, is_failing))
    }
}

impl Lost {
    /// A look-up of a name may still hang in a thread of the runtime's; nobody waits for it.
    fn ended(self, runtime: Runtime) -> Self {
        runtime.shutdown_background();
        self
    }
}
