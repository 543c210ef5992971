//! Flow-log files, one after the other: text or JSON documents, plain or gzip, Parquet, a KPL aggregate.
//!
//! What a file is, is told by its first bytes, not by its name. A file may hold many gzip members, as AWS's deliveries that were
//! concatenated do. Files are streamed: memory does not depend on their size, nor on what they decompress to.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::SourceError;
use super::cut::{BYTE_ORDER_MARK, Cutter};
use super::documents::{DOCUMENT_BYTES_MAX, Documents};
use super::parquet::{Columns, GROUP_BYTES_MAX, ParquetFile};
use crate::batch::{self, Batch, BatchId};

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
        let raw: Box<dyn Read + Send> = if path.as_os_str() == STDIN {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(failed)?)
        };
        let counted = Counted { raw, bytes: Arc::clone(&self.consumed_bytes) };
        let mut input: Input = Box::new(BufReader::with_capacity(READ_BYTES, counted));
        let mut head = Vec::new();
        let mut layers = 0;
        for layer in 0..=GZIP_LAYERS_MAX {
            // What cannot be read is said when its turn comes, with the line that was reached.
            (head, input) = beginning(input);
            layers = layer;
            if layer == GZIP_LAYERS_MAX || !head.starts_with(GZIP_MAGIC) {
                break;
            }
            tracing::debug!(file = %name, "the file is gzip");
            let layer = MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, input));
            input = Box::new(layer);
        }
        let name = Arc::clone(name);
        Ok(match kind(&head) {
            Kind::Text => Content::Text(Cutter::new(input, name)),
            Kind::Documents => Content::Documents(Documents::new(input, name)),
            Kind::Aggregate => Content::Aggregate(Some(input)),
            Kind::Parquet if layers == 0 && path.as_os_str() != STDIN && path.is_file() => {
                let consumed_bytes = Arc::clone(&self.consumed_bytes);
                let file = ParquetFile::open(path, name, self.columns)?;
                Content::Parquet(file.counting_into(consumed_bytes))
            }
            Kind::Parquet => {
                let bytes = whole(input, GROUP_BYTES_MAX).map_err(failed)?;
                Content::Parquet(ParquetFile::from_bytes(name, bytes, self.columns)?)
            }
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
            let name = printable(&path);
            match self.open(&path, &name) {
                Ok(content) => self.current = Some((name, content)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What a file holds, below gzip.
enum Content {
    Text(Cutter<Input>),
    Documents(Documents<Input>),
    /// One KPL aggregate, until it was read.
    Aggregate(Option<Input>),
    Parquet(ParquetFile),
}

type Input = Box<dyn Read + Send>;

impl Content {
    fn next_batch(&mut self, path: &Arc<str>) -> Result<Option<Batch>, SourceError> {
        let path = Arc::clone(path);
        match self {
            Self::Text(cutter) => cutter.next_batch().map_err(|error| {
                let line = cutter.line();
                SourceError::Read { path, line, error }
            }),
            Self::Documents(documents) => documents.next_batch().map_err(|error| {
                let record = documents.record();
                SourceError::ReadDocument { path, record, error }
            }),
            Self::Aggregate(input) => {
                let Some(input) = input.take() else { return Ok(None) };
                let payload = whole(input, DOCUMENT_BYTES_MAX as u64)
                    .map_err(|error| SourceError::Open { path: Arc::clone(&path), error })?;
                let id = BatchId::at(path, 0);
                let payloads = vec![payload];
                let content = batch::Content::Payloads { first_record: 1, payloads };
                Ok(Some(Batch { id, content }))
            }
            Self::Parquet(file) => file.next().transpose().map(|group| {
                group.map(|group| {
                    // A row group has no place among the bytes of its file: its columns may stand anywhere.
                    let id = BatchId::at(path, group.index as u64);
                    Batch { id, content: batch::Content::Rows(group) }
                })
            }),
        }
    }
}

/// All of `input`, which must be at most `bytes_max` long.
fn whole(input: Input, bytes_max: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    let read = input.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if read as u64 > bytes_max {
        let problem = format!("it has more than the {bytes_max} bytes that are read at once");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes.into())
}

enum Kind {
    Text,
    Documents,
    Aggregate,
    Parquet,
}

fn kind(head: &[u8]) -> Kind {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    if head.starts_with(AGGREGATE_MAGIC) {
        Kind::Aggregate
    } else if head.starts_with(PARQUET_MAGIC) {
        Kind::Parquet
    } else if text.first() == Some(&b'{') {
        Kind::Documents
    } else {
        Kind::Text
    }
}

/// The first bytes of `input`, and all of it.
fn beginning(mut input: Input) -> (Vec<u8>, Input) {
    let mut head = vec![0; HEAD_BYTES];
    let mut length = 0;
    let failure = loop {
        match input.read(&mut head[length..]) {
            Ok(0) => break None,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    head.truncate(length);
    let again = io::Cursor::new(head.clone());
    match failure {
        None => (head, Box::new(again.chain(input))),
        Some(error) => (head, Box::new(again.chain(Failed(Some(error))))),
    }
}

/// Fails once, as its input did before.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Files").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// The path as messages show it: a file name may hold bytes that a terminal obeys.
fn printable(path: &Path) -> Arc<str> {
    let escape = |letter: char| {
        if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() }
    };
    path.to_string_lossy().chars().map(escape).collect::<String>().into()
}

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// Firehose compresses what a subscription has compressed already (AWS page "Decompress CloudWatch Logs"): two, and one to
/// spare. What lies deeper is refused.
const GZIP_LAYERS_MAX: usize = 3;
const AGGREGATE_MAGIC: &[u8] = &[0xf3, 0x89, 0x9a, 0xc2];
const PARQUET_MAGIC: &[u8] = b"PAR1";
const READ_BYTES: usize = 256 * 1024;
/// Enough to see through white space before a document.
const HEAD_BYTES: usize = 64;

struct Counted {
    raw: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.bytes.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
