//! Flow-log files, one after the other: text or JSON documents, plain or gzip, Parquet, a KPL aggregate.
//!
//! What a file is, is told by its first bytes, not by its name. A file may hold many gzip members, as AWS's deliveries that were
//! concatenated do. Files are streamed: memory does not depend on their size, nor on what they decompress to.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::content::{Content, Counted, Input};
use super::parquet::{Columns, ParquetFile};
use super::{SourceError, printable};
use crate::batch::Batch;

/// A list of files as one source.
pub struct Files {
    paths: std::vec::IntoIter<PathBuf>,
    columns: Columns,
    current: Option<(Arc<str>, Content)>,
    consumed_bytes: Arc<AtomicU64>,
}

/// The name that stands for standard input.
pub const STDIN: &str = "-";

impl Files {
    /// Reads `paths` in order, of Parquet files these `columns`; `-` is standard input.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, columns: Columns) -> Self {
        Self { paths: paths.into_iter(), columns, current: None, consumed_bytes: Arc::default() }
    }

    /// Bytes read so far, before decompression; for progress.
    #[must_use]
    pub fn consumed_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed_bytes)
    }

    fn open(&self, path: &Path, name: &Arc<str>) -> Result<Content, SourceError> {
        let failed = |error| SourceError::Open { path: Arc::clone(name), error };
        let is_stdin = path.as_os_str() == STDIN;
        let raw: Input = if is_stdin {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(failed)?)
        };
        let counted = Counted { raw, bytes: Arc::clone(&self.consumed_bytes) };
        Content::open(Box::new(counted), name, self.columns, || {
            (!is_stdin && path.is_file()).then(|| {
                let file = ParquetFile::open(path, Arc::clone(name), self.columns)?;
                Ok(file.counting_into(Arc::clone(&self.consumed_bytes)))
            })
        })
    }
}

impl Iterator for Files {
    type Item = Result<Batch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((path, mut content)) = self.current.take() {
                match content.next_batch(&path) {
                    Ok(Some(batch)) => {
                        self.current = Some((path, content));
                        return Some(Ok(batch));
                    }
                    Ok(None) => tracing::debug!(file = %path, "the file was read to its end"),
                    Err(error) => return Some(Err(error)),
                }
            }
            let path = self.paths.next()?;
            let name = printable(&path.to_string_lossy());
            match self.open(&path, &name) {
                Ok(content) => self.current = Some((name, content)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Files").field("paths", &self.paths).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
