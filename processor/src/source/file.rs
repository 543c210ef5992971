//! Flow-log files, plain or gzip, one after the other.
//!
//! gzip is told by its first bytes, not by the name. A file may hold many gzip members, as AWS's deliveries that were
//! concatenated do. Files are streamed: memory does not depend on their size, nor on what they decompress to.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::SourceError;
use super::cut::Cutter;
use crate::batch::Batch;
use crate::flow::Layout;

/// A list of files as one source.
#[derive(Debug)]
pub struct Files {
    paths: std::vec::IntoIter<PathBuf>,
    layout: Arc<Layout>,
    current: Option<(Arc<str>, Cutter<Input>)>,
    consumed_bytes: Arc<AtomicU64>,
}

/// The name that stands for standard input.
pub const STDIN: &str = "-";

impl Files {
    /// Reads `paths` in order; `-` is standard input. Lines stand in `layout` until a header says otherwise; each file
    /// begins in `layout` again.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, layout: Layout) -> Self {
        Self {
            paths: paths.into_iter(),
            layout: Arc::new(layout),
            current: None,
            consumed_bytes: Arc::default(),
        }
    }

    /// Bytes read so far, before decompression; for progress.
    #[must_use]
    pub fn consumed_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed_bytes)
    }

    fn open(&self, path: &PathBuf) -> io::Result<Input> {
        let raw: Box<dyn Read + Send> = if path.as_os_str() == STDIN {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path)?)
        };
        let counted = Counted { raw, bytes: Arc::clone(&self.consumed_bytes) };
        let mut reader = BufReader::with_capacity(READ_BYTES, counted);
        let is_gzip = io::BufRead::fill_buf(&mut reader)?.starts_with(GZIP_MAGIC);
        Ok(if is_gzip {
            Input::Gzip(Box::new(MultiGzDecoder::new(reader)))
        } else {
            Input::Plain(reader)
        })
    }
}

impl Iterator for Files {
    type Item = Result<Batch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((path, mut cutter)) = self.current.take() {
                match cutter.next_batch() {
                    Ok(Some(batch)) => {
                        self.current = Some((path, cutter));
                        return Some(Ok(batch));
                    }
                    Ok(None) if cutter.line() == 1 => {
                        tracing::info!(file = %path, "the file holds no line");
                    }
                    Ok(None) => tracing::debug!(file = %path, "the file was read to its end"),
                    Err(error) => {
                        let line = cutter.line();
                        return Some(Err(SourceError::Read { path, line, error }));
                    }
                }
            }
            let path = self.paths.next()?;
            let name = printable(&path);
            match self.open(&path) {
                Ok(input) => {
                    tracing::debug!(file = %name, ?input, "the file is open");
                    let cutter = Cutter::new(input, Arc::clone(&name), Arc::clone(&self.layout));
                    self.current = Some((name, cutter));
                }
                Err(error) => return Some(Err(SourceError::Open { path: name, error })),
            }
        }
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
const READ_BYTES: usize = 256 * 1024;

enum Input {
    Plain(BufReader<Counted>),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
}

impl std::fmt::Debug for Input {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Gzip(_) => "Gzip",
        })
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
        }
    }
}

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
