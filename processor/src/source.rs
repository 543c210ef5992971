//! Where batches come from. A source is an iterator of batches and of problems it met and went past.

pub mod ahead;
mod clock;
mod content;
pub mod cut;
pub mod documents;
pub mod file;
pub mod firehose;
mod foreign_text;
pub mod generator;
pub mod inlet;
mod jitter;
pub mod kinesis;
pub mod object;
pub mod parquet;
mod paths;
pub mod receipts;
pub mod s3;
pub mod stop;
mod told;

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
    /// It is in S3, and could not be opened.
    #[error("{name}: {error}")]
    Object {
        /// `s3://bucket/key`.
        name: Arc<str>,
        /// Why.
        error: object::ObjectError,
    },
}

impl SourceError {
    /// What S3 said, where it was S3 that did not give an object, or not all of it.
    #[must_use]
    pub fn of_object(&self) -> Option<&object::ObjectError> {
        match self {
            Self::Open { error, .. }
            | Self::Read { error, .. }
            | Self::ReadDocument { error, .. }
            | Self::Parquet { error: parquet::ParquetError::Read(error), .. } => {
                error.get_ref().and_then(|error| error.downcast_ref())
            }
            Self::Parquet { .. } => None,
            Self::Object { error, .. } => Some(error),
        }
    }

    /// Whether reading it again cannot help: it is corrupt, too large, or written in a way that is not supported. Otherwise it
    /// was not found, not permitted or not reached, which may change.
    #[must_use]
    pub fn is_of_content(&self) -> bool {
        match self {
            Self::Open { error, .. }
            | Self::Read { error, .. }
            | Self::ReadDocument { error, .. }
            | Self::Parquet { error: parquet::ParquetError::Read(error), .. } => {
                is_of_content(error)
            }
            Self::Parquet { .. } => true,
            Self::Object { error, .. } => error.is_of_content(),
        }
    }
}

/// What neither the system nor S3 said, a decompressor said.
fn is_of_content(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
        && of_object(error).is_none_or(object::ObjectError::is_of_content)
}

/// Whether an object broke off that may be read again. Its batches are known by where they begin, so the beginning of one must
/// be left to the next reading, which cuts it whole.
fn is_to_be_read_again(error: &io::Error) -> bool {
    of_object(error).is_some_and(|error| !error.is_of_content())
}

fn of_object(error: &io::Error) -> Option<&object::ObjectError> {
    error.get_ref()?.downcast_ref()
}

/// A name as messages show it: it may hold bytes that a terminal obeys.
fn printable(name: &str) -> Arc<str> {
    let escape = |letter: char| {
        if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() }
    };
    name.chars().map(escape).collect::<String>().into()
}
