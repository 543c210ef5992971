//! Objects of S3, read like files: text or JSON documents, plain or gzip, Parquet, a KPL aggregate.
//!
//! An object is asked for in ranges of 8 MiB, at most one of them ahead of what is being read: memory does not depend on its
//! size, whoever reads slowly holds no connection open, and a broken connection costs one range. All ranges are of one
//! version: an object that is put anew in the meantime is an error that says so.

mod buckets;
mod failure;
mod listing;
mod ranges;
mod time;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ObjectStore;
use tokio::runtime::Handle;

pub use buckets::{BucketError, Buckets};
pub use failure::ObjectError;
pub use listing::{ListError, Listed, OBJECTS_MAX, find};
pub(super) use ranges::Remote;
use ranges::{RANGE_BYTES_MAX, Ranges};
pub use time::Period;

use super::content::{Content, Counted};
use super::documents::DOCUMENT_BYTES_MAX;
use super::parquet::{Columns, GROUP_BYTES_MAX, ParquetFile};
use super::{SourceError, printable};
use crate::batch::{Batch, Extent};
use crate::decode::parquet::Footer;

/// Bytes of an object that are in memory while its text is read: the range that is read, and the next.
pub(super) const TEXT_BYTES_MAX: u64 = 2 * RANGE_BYTES_MAX;

/// Bytes of an object that are in memory while it is read, of whichever kind it is: ranges, and a row group with the footer of
/// its file, or a document.
pub const MEMORY_BYTES_MAX: u64 = {
    let (parquet, document) = (GROUP_BYTES_MAX + Footer::BYTES_MAX, DOCUMENT_BYTES_MAX as u64);
    TEXT_BYTES_MAX + if parquet > document { parquet } else { document }
};

/// Which object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Object {
    /// Its bucket's name.
    pub bucket: Arc<str>,
    /// Its key, as S3 has it.
    pub key: Arc<str>,
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.key)
    }
}

/// One object as batches, of the same text, rows and places as of a file with the same bytes. Nothing follows an error.
pub struct ObjectBatches {
    name: Arc<str>,
    etag: Arc<str>,
    /// `None` when it was read to its end, or to an error.
    content: Option<Content>,
    consumed_bytes: Arc<AtomicU64>,
}

/// Opens an object of `bucket`, of Parquet these `columns`. Its first range is fetched, others as batches are taken. Both
/// wait: this is for a thread of its own, and `runtime` must be one that runs by itself.
///
/// # Errors
/// When there is no such object, it may not be read, S3 cannot be reached after all retries, or it is Parquet that cannot be
/// read.
pub fn open(
    runtime: &Handle,
    bucket: &Arc<dyn ObjectStore>,
    object: &Object,
    columns: Columns,
) -> Result<ObjectBatches, SourceError> {
    open_with(runtime, bucket, object, Reading { columns, ..Reading::default() })
}

/// How an object is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) columns: Columns,
    /// Counts the bytes of the object that were read.
    pub(super) consumed_bytes: Arc<AtomicU64>,
    pub(super) range_bytes_max: u64,
}

impl Default for Reading {
    fn default() -> Self {
        let (columns, consumed_bytes) = (Columns::Used, Arc::default());
        Self { columns, consumed_bytes, range_bytes_max: RANGE_BYTES_MAX }
    }
}

pub(super) fn open_with(
    runtime: &Handle,
    bucket: &Arc<dyn ObjectStore>,
    object: &Object,
    Reading { columns, consumed_bytes, range_bytes_max }: Reading,
) -> Result<ObjectBatches, SourceError> {
    let name = printable(&object.to_string());
    let opened = Remote::open(runtime, bucket, object, range_bytes_max);
    let (remote, first) =
        opened.map_err(|error| SourceError::Object { name: Arc::clone(&name), error })?;
    let etag = Arc::clone(remote.etag());
    // Of this object alone: others may count into the same.
    let beginning_bytes = Arc::<AtomicU64>::default();
    let bytes = Arc::clone(&beginning_bytes);
    let raw = Counted { raw: Ranges::new(remote.clone(), first.clone()), bytes };
    let bytes = Arc::clone(&consumed_bytes);
    let content = Content::open(Box::new(Counted { raw, bytes }), &name, columns, || {
        let name = Arc::clone(&name);
        let is_whole = first.len() as u64 == remote.bytes();
        let file = if is_whole {
            ParquetFile::from_bytes(name, first, columns)
        } else {
            ParquetFile::of_object(name, remote, columns)
        };
        // The reader of Parquet counts its beginning, too.
        consumed_bytes.fetch_sub(beginning_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        Some(file.map(|file| file.counting_into(Arc::clone(&consumed_bytes))))
    })?;
    Ok(ObjectBatches { name, etag, content: Some(content), consumed_bytes })
}

impl ObjectBatches {
    /// Which version is read, without quotation marks: as events of S3 have it.
    #[must_use]
    pub const fn etag(&self) -> &Arc<str> {
        &self.etag
    }

    /// Bytes of the object that were read, which count on.
    #[must_use]
    pub fn consumed_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed_bytes)
    }
}

impl Iterator for ObjectBatches {
    type Item = Result<Batch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut content = self.content.take()?;
        match content.next_batch(&self.name) {
            Ok(Some(mut batch)) => {
                self.content = Some(content);
                if let Extent::Offset(offset_bytes) = batch.id.extent {
                    let etag = Arc::clone(&self.etag);
                    batch.id.extent = Extent::Object { etag, offset_bytes };
                }
                Some(Ok(batch))
            }
            Ok(None) => {
                tracing::debug!(object = %self.name, "the object was read to its end");
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

impl fmt::Debug for ObjectBatches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = (&self.name, &self.etag);
        formatter.debug_tuple("ObjectBatches").field(&fields).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
