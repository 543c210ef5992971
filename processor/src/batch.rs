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
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct BatchId {
    /// The file, stream or endpoint, as messages show it.
    pub source: Arc<str>,
    /// First byte of the batch, counted behind decompression.
    pub offset_bytes: u64,
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

impl fmt::Display for BatchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.source, self.offset_bytes)
    }
}
