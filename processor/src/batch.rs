//! The unit of work, of replay and of de-duplication: bytes, where they came from, and how to read them.
//!
//! Batch boundaries are a pure function of the input, so that reading it again makes the same batches with the same
//! ids; a fold that has applied an id can ignore it.

mod row_group;

pub use row_group::{Chunk, Codec, ColumnType, PhysicalType, RowGroup};

use std::fmt;
use std::sync::Arc;

use crate::flow::Layout;

/// Names one batch of one source; equal input gives equal ids.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct BatchId {
    /// The file, stream or endpoint, as messages show it.
    pub source: Arc<str>,
    /// First byte of the batch, counted behind decompression.
    pub offset_bytes: u64,
}

/// Whole lines of text in one layout.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// The number of its first line in the source, counted from 1.
    pub first_line: u64,
    /// Whole lines, each but perhaps the last ended by a line feed.
    pub bytes: Vec<u8>,
    /// How to read each line.
    pub layout: Arc<Layout>,
}

impl fmt::Display for BatchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.source, self.offset_bytes)
    }
}
