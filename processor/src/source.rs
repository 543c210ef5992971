//! Where batches come from. A source is an iterator of batches and of problems it met and went past.

pub mod cut;
pub mod documents;
pub mod file;
mod foreign_text;
pub mod generator;
pub mod inlet;
pub mod kinesis;
pub mod parquet;
mod paths;
pub mod receipts;
pub mod s3;
pub mod stop;

pub use paths::{PathError, expand};

use std::io;
use std::sync::Arc;

/// Something that could not be read; the source goes on with what comes next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It could not be opened.
    #[error("{path}: cannot open: {error}")]
    Open {
        /// The file.
        path: Arc<str>,
        /// Why.
        error: io::Error,
    },
    /// It broke off while it was read; all whole lines before were used.
    #[error("{path}:{line}: cannot read on: {error}")]
    Read {
        /// The file.
        path: Arc<str>,
        /// The line that was being read, counted from 1.
        line: u64,
        /// Why.
        error: io::Error,
    },
    /// It broke off within a JSON document; all whole ones before were used.
    #[error("{path}:record {record}: cannot read on: {error}")]
    ReadDocument {
        /// The file.
        path: Arc<str>,
        /// The document that was being read, counted from 1.
        record: u64,
        /// Why.
        error: io::Error,
    },
    /// It is no Parquet file that can be read, or one of its row groups is not.
    #[error("{path}: {error}")]
    Parquet {
        /// The file.
        path: Arc<str>,
        /// Why.
        error: parquet::ParquetError,
    },
}
