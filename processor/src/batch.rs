//! The unit of work, of replay and of de-duplication: bytes, where they came from, and how far they were peeled.
//!
//! Batch boundaries are a pure function of the input, so that reading it again makes the same batches with the same
//! ids; a fold that has applied an id can ignore it.

mod row_group;

pub use row_group::{Chunk, Codec, ColumnType, PhysicalType, RowGroup};

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::flow::Layout;

/// Names one batch of one source; equal input gives equal ids.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct BatchId {
    /// The file, endpoint, or `stream/shard`, as messages show it.
    pub source: Arc<str>,
    /// Where in the source it lies.
    pub extent: Extent,
}

/// Where in its source a batch lies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Extent {
    /// From this byte on, counted behind decompression; for a Parquet file, its row group.
    Offset(u64),
    /// These records of a shard, both inclusive, by their sequence numbers.
    Records {
        /// Sequence number of the first.
        first: Arc<str>,
        /// Sequence number of the last.
        last: Arc<str>,
    },
    /// One request of Firehose, whole. A checksum is part of the name: a client that gives all its requests one id loses none.
    Request {
        /// `X-Amz-Firehose-Request-Id`.
        id: Arc<str>,
        /// How many records it has.
        records: u32,
        /// How many bytes they have together.
        bytes: u64,
        /// Of these bytes, and of where they are cut.
        checksum: u64,
    },
    /// From this byte on, as with [`Extent::Offset`], of an object of S3, in one version of it.
    Object {
        /// Which version.
        etag: Arc<str>,
        /// Where in it.
        offset_bytes: u64,
    },
}

/// Bytes that are decoded together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// What it holds.
    pub content: Content,
}

/// How the bytes of a batch arrived.
#[derive(Debug, Clone)]
pub enum Content {
    /// Whole lines of text.
    Lines(Lines),
    /// Payloads in any envelope, to be peeled by what their bytes say.
    Payloads {
        /// The number of the first payload in the source, counted from 1.
        first_record: u64,
        /// As the source delivered them.
        payloads: Vec<Bytes>,
    },
    /// One row group of a Parquet file.
    Rows(RowGroup),
    /// What names data that could not be had after all tries.
    Unreadable(Bytes),
}

/// A block of text.
#[derive(Debug, Clone)]
pub struct Lines {
    /// The number of its first line in the source, counted from 1.
    pub first_line: u64,
    /// Whole lines, each but perhaps the last ended by a line feed.
    pub bytes: Vec<u8>,
    /// How to read each line, where a header said so; otherwise as configured for the source.
    pub layout: Option<Arc<Layout>>,
}

impl BatchId {
    /// A piece of a file or of what is read like one.
    #[must_use]
    pub const fn at(source: Arc<str>, offset_bytes: u64) -> Self {
        Self { source, extent: Extent::Offset(offset_bytes) }
    }

    /// What messages about a piece of the batch call the source: positions count from here.
    #[must_use]
    pub fn origin(&self) -> Arc<str> {
        match &self.extent {
            Extent::Offset(_) | Extent::Object { .. } => Arc::clone(&self.source),
            Extent::Request { id, .. } => format!("{}@{id}", self.source).into(),
            Extent::Records { first, .. } => format!("{}@{first}", self.source).into(),
        }
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.extent {
            Extent::Offset(bytes) => write!(formatter, "{}@{bytes}", self.source),
            Extent::Records { first, last } => {
                write!(formatter, "{}@{first}..={last}", self.source)
            }
            Extent::Request { id, .. } => write!(formatter, "{}@{id}", self.source),
            Extent::Object { etag, offset_bytes } => {
                write!(formatter, "{}#{etag}@{offset_bytes}", self.source)
            }
        }
    }
}
