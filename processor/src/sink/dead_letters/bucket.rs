//! Letters in a bucket of S3, as objects `PREFIX/20260101T000000Z-0f3a9c2184d56e7b-000001.jsonl`: the start of the run in UTC, a number
//! that tells it from others, and the number of the object.
//!
//! Whoever writes letters gathers them to an object of 8 MiB and hands it over to a thread that puts one after the other. It
//! waits for that thread only when two objects wait already, never longer than [`Run::wait_max`], and not at all while the
//! bucket fails: then the object's letters are left out and counted. Memory bound: [`BUCKET_BYTES_MAX`].

mod cause;
mod store;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use std::{io, mem};

use crossbeam_channel::{Sender, bounded};

pub use cause::{Cause, PutError};
pub use store::StoreError;

use super::OpenError;
use crate::s3::Prefix;
use store::Store;
use upload::{Lost, Object, Uploader};

/// What tells the objects of one run from those of others, and how patient it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// When it began.
    pub start: SystemTime,
    /// Another one in every run, so that two that begin in the same second do not share names.
    pub id: u64,
    /// How long one object may wait for room while the bucket takes objects more slowly than they are filled. Zero for a
    /// stream that must go on; a replay can wait, and loses nothing.
    pub wait_max: Duration,
}

/// Bytes that letters on their way to a bucket may have: one object that is filled, two that wait, one that is put.
pub(super) const BUCKET_BYTES_MAX: usize = OBJECT_BYTES_MAX * (OBJECTS_WAITING_MAX + 2);

/// An object, at the most. Large enough that requests cost nothing, small enough that four fit everywhere.
const OBJECT_BYTES_MAX: usize = 8 << 20;
const OBJECTS_WAITING_MAX: usize = 2;
/// At the end, how long the last object may wait for room: as long as an object may take to be put, or not to be.
const LAST_WAIT_MAX: Duration = Duration::from_secs(45);

/// Where letters are gathered to objects.
#[derive(Debug)]
pub(super) struct Bucket {
    lines: Vec<u8>,
    /// In `lines`.
    letters: u64,
    /// Since the start.
    added: u64,
    /// Not handed over.
    lost: u64,
    to_uploader: Sender<Object>,
    uploader: JoinHandle<Lost>,
    is_failing: Arc<AtomicBool>,
    prefix: Prefix,
    object_bytes_max: usize,
    wait_max: Duration,
}

impl Bucket {
    /// A bucket of S3, with region, credentials and endpoint from the environment.
    pub(super) fn open(prefix: Prefix, run: &Run) -> Result<Self, OpenError> {
        let store = Store::from_env(&prefix)?;
        Ok(Self::start(store, prefix, run, OBJECT_BYTES_MAX)?)
    }

    fn start(store: Store, prefix: Prefix, run: &Run, object_bytes_max: usize) -> io::Result<Self> {
        let (to_uploader, objects) = bounded(OBJECTS_WAITING_MAX);
        let is_failing = Arc::new(AtomicBool::new(false));
        let stem = stem(run);
        let uploader = Uploader::new(store, prefix.clone(), stem, Arc::clone(&is_failing));
        Ok(Self {
            lines: Vec::new(),
            letters: 0,
            added: 0,
            lost: 0,
            to_uploader,
            uploader: uploader.spawn(objects)?,
            is_failing,
            prefix,
            object_bytes_max,
            wait_max: run.wait_max,
        })
    }

    /// Adds one letter, of which there may be no half in an object.
    pub(super) fn add(&mut self, line: &[u8]) {
        if self.lines.len() + line.len() > self.object_bytes_max {
            self.flush();
        }
        if self.lines.is_empty() {
            // At once, since growing would double it beyond the bound. What is not touched costs nothing.
            self.lines.reserve_exact(self.object_bytes_max);
        }
        self.lines.extend_from_slice(line);
        self.letters += 1;
        self.added += 1;
    }

    /// Whether the last object was not taken.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Hands over what was gathered.
    pub(super) fn flush(&mut self) {
        self.hand_over(if self.is_failing() { Duration::ZERO } else { self.wait_max });
    }

    /// Letters that are not in the bucket, and why.
    pub(super) fn finish(mut self) -> (u64, Option<PutError>) {
        self.hand_over(LAST_WAIT_MAX);
        drop(self.to_uploader);
        let lost = self.uploader.join().unwrap_or_else(|_panic| Lost {
            letters: self.added - self.lost,
            cause: Some(Cause::Ended),
        });
        let letters = self.lost + lost.letters;
        let failure = lost.cause.map(|cause| PutError { prefix: self.prefix, letters, cause });
        (letters, failure)
    }

    fn hand_over(&mut self, wait_max: Duration) {
        if self.letters == 0 {
            return;
        }
        let letters = mem::take(&mut self.letters);
        let object = Object { lines: mem::take(&mut self.lines).into(), letters };
        if self.to_uploader.send_timeout(object, wait_max).is_err() {
            self.lost += letters;
        }
    }
}

/// What the names of a run's objects begin with; sorted, they are in the order of time.
fn stem(run: &Run) -> String {
    let start = humantime::format_rfc3339_seconds(run.start).to_string();
    format!("{}-{:016x}", start.replace(['-', ':'], ""), run.id)
}

#[cfg(test)]
mod tests;
