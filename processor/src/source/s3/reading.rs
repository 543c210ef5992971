//! One object, from S3 into the pipeline. Blocking: for threads that may wait for either.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::runtime::Handle;

use super::event::Created;
use super::fault::{Fault, Others};
use super::known::Known;
use crate::source::SourceError;
use crate::source::clock::Clock;
use crate::source::inlet::Inlet;
use crate::source::object::{self, Buckets, Object, ObjectBatches};
use crate::source::parquet::Columns;
use crate::source::receipts::{Receipt, Receipts};
use crate::source::stop::Stopped;
use crate::telemetry::objects::Objects;

/// Reads the objects of all messages.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) runtime: Handle,
    pub(super) buckets: Buckets,
    pub(super) inlet: Inlet,
    pub(super) receipts: Receipts,
    pub(super) meter: Objects,
    /// When to break off.
    pub(super) cut: Stopped,
    pub(super) known: Known,
    /// Objects in a row to which access failed.
    pub(super) outage: AtomicU32,
    /// Whether the last object was read that did not fail by its own fault.
    pub(super) is_given_objects: AtomicBool,
    pub(super) clock: Clock,
    /// When an object was last read to its end, by the clock.
    pub(super) read_at_ms: AtomicU64,
}

/// How reading an object ended.
#[derive(Debug)]
pub(super) enum End {
    /// What could be read was sent; a fault says why it is not all.
    Sent(Sent, Option<Fault>),
    /// It was applied before, as a whole.
    Known,
    /// There was no time to finish it.
    Cut,
    /// The pipeline takes nothing more.
    Closed,
}

/// What waits for the fold.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Of the last batch, which stands for all before it; none where nothing was sent.
    receipt: Option<Receipt>,
    /// The object and its version, where all of it was sent.
    whole: Option<Arc<str>>,
}

/// An outage that began a moment ago is one: only what was read so short a time before a failure tells that there is none.
const NOW_MS: u64 = 10_000;

impl Reader {
    /// Reads an object to its end.
    pub(super) fn read(&self, created: &Created) -> End {
        let _in_flight = self.meter.begins();
        let (begun_at_ms, were_read) =
            (self.clock.now_ms(), self.is_given_objects.load(Ordering::Relaxed));
        let bucket = self.buckets.bucket(&created.bucket, created.region.as_deref());
        let bucket = match bucket {
            Ok(bucket) => bucket,
            Err(error) => {
                return End::Sent(Sent::default(), Some(Fault::of_bucket(created, &error)));
            }
        };
        let (bucket_name, key) = (created.bucket.as_str().into(), created.key.as_str().into());
        let object = Object { bucket: bucket_name, key };
        let mut sent = Sent::default();
        let opened = object::open(&self.runtime, &bucket, &object, Columns::Used);
        let result = opened.and_then(|batches| self.send(batches, created, &mut sent));
        match result {
            Ok(None) => {
                self.outage.store(0, Ordering::Relaxed);
                self.is_given_objects.store(true, Ordering::Relaxed);
                self.read_at_ms.store(self.clock.now_ms(), Ordering::Relaxed);
                End::Sent(sent, None)
            }
            Ok(Some(end)) => end,
            Err(error) => {
                let oldest_ms = begun_at_ms.max(self.clock.now_ms().saturating_sub(NOW_MS));
                let are_read_now = self.read_at_ms.load(Ordering::Relaxed) > oldest_ms;
                let fault = Fault::of(created, &error, Others { were_read, are_read_now });
                if fault.is_of_access() {
                    self.outage.fetch_add(1, Ordering::Relaxed);
                    self.is_given_objects.store(false, Ordering::Relaxed);
                }
                End::Sent(sent, Some(fault))
            }
        }
    }

    /// Returns once the fold has applied what was sent; false if it will not.
    pub(super) async fn applied(&self, sent: Sent) -> bool {
        if let Some(receipt) = sent.receipt
            && receipt.await.is_err()
        {
            return false;
        }
        if let Some(name) = sent.whole {
            self.known.applied(name);
        }
        true
    }

    /// Notes in `sent` what was sent; `None` when that is all.
    fn send(
        &self,
        mut batches: ObjectBatches,
        created: &Created,
        sent: &mut Sent,
    ) -> Result<Option<End>, SourceError> {
        let name: Arc<str> = format!("{}#{}", created.source(), batches.etag()).into();
        if self.known.is_applied(&name) {
            self.meter.repeated();
            return Ok(Some(End::Known));
        }
        let (consumed_bytes, mut counted_bytes) = (batches.consumed_bytes(), 0);
        let mut next = move || {
            let batch = batches.next();
            let bytes = consumed_bytes.load(Ordering::Relaxed);
            self.meter.read_bytes(bytes - counted_bytes);
            counted_bytes = bytes;
            batch
        };
        while let Some(batch) = next() {
            let batch = batch?;
            let receipt = self.receipts.expect(&batch.id);
            if self.inlet.blocking_send(Ok(batch)).is_err() {
                return Ok(Some(End::Closed));
            }
            sent.receipt = Some(receipt);
            if self.cut.is_stopped() {
                return Ok(Some(End::Cut));
            }
        }
        sent.whole = Some(name);
        self.meter.read();
        Ok(None)
    }
}
