//! What a file or an object holds, told by its first bytes and read as batches.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::SourceError;
use super::cut::{BYTE_ORDER_MARK, Cutter};
use super::documents::{DOCUMENT_BYTES_MAX, Documents};
use super::parquet::{Columns, GROUP_BYTES_MAX, ParquetFile};
use crate::batch::{self, Batch, BatchId};

/// Bytes in their order.
pub(super) type Input = Box<dyn Read + Send>;

/// What lies below gzip.
pub(super) enum Content {
    Text(Cutter<Input>),
    Documents(Documents<Input>),
    /// One KPL aggregate, until it was read.
    Aggregate(Option<Input>),
    Parquet(ParquetFile),
}

impl Content {
    /// Looks at the first bytes of `raw`, called `name` in messages. A Parquet file that is not within gzip is had from
    /// `parquet`, which can read anywhere; where that gives `None`, it is read into memory first.
    pub(super) fn open(
        raw: Input,
        name: &Arc<str>,
        columns: Columns,
        parquet: impl FnOnce() -> Option<Result<ParquetFile, SourceError>>,
    ) -> Result<Self, SourceError> {
        let mut input: Input = Box::new(BufReader::with_capacity(READ_BYTES, raw));
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
            Kind::Text => Self::Text(Cutter::new(input, name)),
            Kind::Documents => Self::Documents(Documents::new(input, name)),
            Kind::Aggregate => Self::Aggregate(Some(input)),
            Kind::Parquet => {
                let at_hand = (layers == 0).then(parquet).flatten();
                Self::Parquet(at_hand.unwrap_or_else(|| {
                    let bytes = whole(input, GROUP_BYTES_MAX)
                        .map_err(|error| SourceError::Open { path: Arc::clone(&name), error })?;
                    ParquetFile::from_bytes(name, bytes, columns)
                })?)
            }
        })
    }

    /// The next batch of what is called `path`, or `None` at the end. It is not asked again after an error.
    pub(super) fn next_batch(&mut self, path: &Arc<str>) -> Result<Option<Batch>, SourceError> {
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

/// Counts what is read from it.
pub(super) struct Counted<R> {
    pub(super) raw: R,
    pub(super) bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.raw.read(buffer)?;
        self.bytes.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
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

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
/// Firehose compresses what a subscription has compressed already (AWS page "Decompress CloudWatch Logs"): two, and one to
/// spare. What lies deeper is refused.
const GZIP_LAYERS_MAX: usize = 3;
const AGGREGATE_MAGIC: &[u8] = &[0xf3, 0x89, 0x9a, 0xc2];
const PARQUET_MAGIC: &[u8] = b"PAR1";
const READ_BYTES: usize = 256 * 1024;
/// Enough to see through white space before a document.
const HEAD_BYTES: usize = 64;
