//! The row groups of a Parquet file, one after the other.
//!
//! A row group is a batch by itself, so what a file gives does not depend on how it is read. Only the bytes of the columns
//! that are wanted are read, and at most [`GROUP_BYTES_MAX`] of them at a time.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::SourceError;
use super::object::Remote;
use crate::batch::{Chunk, Codec, RowGroup};
use crate::decode::parquet::{ChunkPlace, Footer, FooterError, is_used};

/// Which columns are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Columns {
    /// Those that the pipeline uses; a file that lacks what detection needs is refused.
    Used,
    /// All that are neither groups nor lists.
    All,
}

/// Why a Parquet file, or one of its row groups, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    /// It could not be read.
    #[error("cannot read: {0}")]
    Read(#[from] io::Error),
    /// Its footer is not one of flow logs.
    #[error("{0}")]
    Footer(#[from] FooterError),
    /// A column is compressed in a way that is not supported: none of Snappy, gzip and Zstandard.
    #[error(
        "row group {index} has column `{column}` compressed by {codec}, which is not supported"
    )]
    Codec {
        /// Which row group, counted from 0.
        index: usize,
        /// The column, as the file names it.
        column: String,
        /// As parquet-format names it.
        codec: &'static str,
    },
    /// A row group has more than [`GROUP_BYTES_MAX`].
    #[error(
        "row group {index} holds {bytes} bytes of the columns in use, more than the {GROUP_BYTES_MAX} that are read"
    )]
    TooLarge {
        /// Which one, counted from 0.
        index: usize,
        /// How many it has.
        bytes: u64,
    },
}

/// A Parquet file as a source of row groups. One that cannot be read is told, and the next one follows.
#[derive(Debug)]
pub struct ParquetFile {
    name: Arc<str>,
    input: Input,
    footer: Footer,
    wanted: Columns,
    next: usize,
    consumed_bytes: Arc<AtomicU64>,
    /// Bytes of the file up to which progress was told.
    told_bytes: u64,
}

/// A row group may have so many compressed bytes in the columns that are wanted: more than the usual writers put into
/// one after they compress it. AWS's have some tens of megabytes, of all columns.
pub const GROUP_BYTES_MAX: u64 = 64 << 20;

impl ParquetFile {
    /// Opens the file at `path`, named `name` in messages, and reads its footer.
    ///
    /// # Errors
    /// When it cannot be opened, or is no Parquet file with the columns that are needed.
    pub fn open(path: &Path, name: Arc<str>, wanted: Columns) -> Result<Self, SourceError> {
        let open = |error| SourceError::Open { path: Arc::clone(&name), error };
        let file = File::open(path).map_err(open)?;
        let bytes = file.metadata().map_err(open)?.len();
        Self::new(name, Input::File { file, bytes }, wanted)
    }

    /// From a whole file in memory, named `name` in messages.
    ///
    /// # Errors
    /// When it is no Parquet file with the columns that are needed.
    pub fn from_bytes(name: Arc<str>, bytes: Bytes, wanted: Columns) -> Result<Self, SourceError> {
        Self::new(name, Input::Memory(bytes), wanted)
    }

    /// In S3, read where it must be.
    pub(super) fn of_object(
        name: Arc<str>,
        remote: Remote,
        wanted: Columns,
    ) -> Result<Self, SourceError> {
        Self::new(name, Input::Object(Box::new(remote)), wanted)
    }

    /// What the footer says.
    #[must_use]
    pub const fn footer(&self) -> &Footer {
        &self.footer
    }

    /// Bytes of the file up to the end of the last row group, for progress; all when there is none left.
    #[must_use]
    pub fn consumed_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed_bytes)
    }

    /// Tells progress to a counter that other files share.
    #[must_use]
    pub fn counting_into(mut self, consumed_bytes: Arc<AtomicU64>) -> Self {
        self.consumed_bytes = consumed_bytes;
        self
    }

    fn new(name: Arc<str>, mut input: Input, wanted: Columns) -> Result<Self, SourceError> {
        let footer = read_footer(&mut input, wanted)
            .map_err(|error| SourceError::Parquet { path: Arc::clone(&name), error })?;
        let consumed_bytes = Arc::default();
        Ok(Self { name, input, footer, wanted, next: 0, consumed_bytes, told_bytes: 0 })
    }

    fn group(&mut self, index: usize) -> Result<RowGroup, ParquetError> {
        let group = &self.footer.groups[index];
        let wanted = |column: &usize| match self.wanted {
            Columns::All => true,
            Columns::Used => self.footer.columns[*column].field.is_some_and(is_used),
        };
        let places: Vec<(usize, ChunkPlace)> = (0..group.chunks.len())
            .filter(wanted)
            .map(|column| (column, group.chunks[column]))
            .collect();
        for (column, place) in &places {
            if let Codec::Unknown(number) = place.codec {
                let column = self.footer.columns[*column].name.clone();
                return Err(ParquetError::Codec { index, column, codec: codec_name(number) });
            }
        }
        let bytes = places.iter().map(|(_, place)| place.bytes).sum();
        if bytes > GROUP_BYTES_MAX {
            return Err(ParquetError::TooLarge { index, bytes });
        }
        let ranges = places.iter().map(|(_, place)| place.start..place.start + place.bytes);
        let blocks = self.input.read_all(ranges)?;
        let chunks = places.iter().zip(blocks);
        let chunks = chunks.map(|((column, place), bytes)| Chunk {
            column: *column,
            codec: place.codec,
            bytes,
        });
        let columns = Arc::clone(&self.footer.columns);
        Ok(RowGroup { index, rows: group.rows, columns, chunks: chunks.collect() })
    }

    /// Tells that the file was read up to `bytes`; row groups may stand in any order.
    fn tell(&mut self, bytes: u64) {
        let step = bytes.saturating_sub(self.told_bytes);
        self.consumed_bytes.fetch_add(step, Ordering::Relaxed);
        self.told_bytes += step;
    }
}

impl Iterator for ParquetFile {
    type Item = Result<RowGroup, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next;
        let Some(group) = self.footer.groups.get(index) else {
            self.tell(self.input.bytes());
            return None;
        };
        let end = group.chunks.iter().map(|chunk| chunk.start + chunk.bytes).max();
        self.next += 1;
        let group = self.group(index);
        self.tell(end.unwrap_or_default());
        Some(group.map_err(|error| SourceError::Parquet { path: Arc::clone(&self.name), error }))
    }
}

/// Where the bytes come from.
#[derive(Debug)]
enum Input {
    File { file: File, bytes: u64 },
    Memory(Bytes),
    Object(Box<Remote>),
}

/// Columns so near to each other are read at once, the bytes between them too: cheaper than to ask twice.
const GAP_BYTES: u64 = 16 * 1024;

impl Input {
    fn bytes(&self) -> u64 {
        match self {
            Self::File { bytes, .. } => *bytes,
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Object(remote) => remote.bytes(),
        }
    }

    /// Reads one range, which must lie within the file.
    fn read(&mut self, range: Range<u64>) -> io::Result<Bytes> {
        let size = |bytes| usize::try_from(bytes).map_err(|_error| io::ErrorKind::OutOfMemory);
        match self {
            Self::File { file, .. } => {
                file.seek(SeekFrom::Start(range.start))?;
                let length = range.end - range.start;
                let mut buffer = Vec::with_capacity(size(length)?);
                // Not filled with zeros first. A file that was cut since its footer was read ends early.
                if file.take(length).read_to_end(&mut buffer)? as u64 != length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(buffer.into())
            }
            Self::Memory(bytes) => {
                let range = size(range.start)?..size(range.end)?;
                if bytes.get(range.clone()).is_none() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(bytes.slice(range))
            }
            Self::Object(remote) => Ok(remote.read(range)?),
        }
    }

    /// Reads ranges of any order, neighbours together; gives them in the order they were asked for.
    fn read_all(&mut self, ranges: impl Iterator<Item = Range<u64>>) -> io::Result<Vec<Bytes>> {
        let mut sorted: Vec<(usize, Range<u64>)> = ranges.enumerate().collect();
        let mut blocks = vec![Bytes::new(); sorted.len()];
        sorted.sort_by_key(|(_, range)| range.start);
        let is_near = |left: &(usize, Range<u64>), right: &(usize, Range<u64>)| {
            right.1.start <= left.1.end.saturating_add(GAP_BYTES)
        };
        for run in sorted.chunk_by(is_near) {
            let start = run.first().map_or(0, |(_, range)| range.start);
            let end = run.iter().map(|(_, range)| range.end).max().unwrap_or(start);
            let block = self.read(start..end)?;
            for (place, range) in run {
                let within = range.start - start..range.end - start;
                let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
                blocks[*place] = block.slice(size(within.start)..size(within.end));
            }
        }
        Ok(blocks)
    }
}

/// parquet-format, `CompressionCodec`.
const fn codec_name(number: i32) -> &'static str {
    match number {
        3 => "LZO",
        4 => "Brotli",
        5 | 7 => "LZ4",
        _ => "a codec of later versions",
    }
}

fn read_footer(input: &mut Input, wanted: Columns) -> Result<Footer, ParquetError> {
    let bytes = input.bytes();
    let Some(tail_start) = bytes.checked_sub(Footer::TAIL_BYTES as u64) else {
        return Err(FooterError::NoMagic.into());
    };
    let tail = input.read(tail_start..bytes)?;
    let tail = *tail.first_chunk().ok_or(FooterError::NoMagic)?;
    let length = Footer::length(tail, bytes)?;
    let footer = Footer::parse(&input.read(tail_start - length..tail_start)?, bytes)?;
    if wanted == Columns::Used {
        footer.require_detection_columns()?;
    }
    Ok(footer)
}
