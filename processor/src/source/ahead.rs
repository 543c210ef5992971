//! Files and objects of S3, one after the other; objects are read several at a time, so that none waits for the network
//! while another is decoded. The batches come in the order of the list all the same.
//!
//! Memory: the next objects that together take no more than 64 MiB are read, and at least one; each gives its
//! batches to a queue of one.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};
use std::vec;

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::runtime::Handle;

use super::file::Files;
use super::object::{self, Listed, ObjectError, Reading};
use super::parquet::{Columns, GROUP_BYTES_MAX};
use super::paths::{name_of, slot_of};
use super::{SourceError, printable};
use crate::batch::Batch;
use crate::decode::parquet::Footer;

/// A file or an object.
#[derive(Clone, Debug)]
pub enum Input {
    /// A path, or `-`.
    File(PathBuf),
    /// In S3.
    Object(Listed),
}

impl Input {
    /// Its size as far as it is known beforehand.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File(path) => path.metadata().map_or(0, |metadata| metadata.len()),
            Self::Object(listed) => listed.bytes,
        }
    }

    /// Puts inputs into the order of the five-minute slots in their names; those without one come first, in their order.
    pub fn sort(inputs: &mut [Self]) {
        inputs.sort_by_cached_key(|input| match input {
            Self::File(path) => slot_of(&name_of(path)).map(str::to_owned),
            Self::Object(Listed { object, .. }) => {
                let name = object.key.rsplit('/').next().unwrap_or_default();
                slot_of(name).map(str::to_owned)
            }
        });
    }
}

/// Inputs as one source.
#[derive(Debug)]
pub struct Inputs {
    inputs: vec::IntoIter<Input>,
    /// What comes after `underway`.
    next: Option<Input>,
    columns: Columns,
    /// What fetches objects; `None` when there are none.
    runtime: Option<Handle>,
    underway: VecDeque<Underway>,
    /// What objects under way take.
    held_bytes: u64,
    consumed_bytes: Arc<AtomicU64>,
}

/// What is read, or will be when its turn comes.
#[derive(Debug)]
enum Underway {
    Files(Files),
    Object(Reader),
}

#[derive(Debug)]
struct Reader {
    name: Arc<str>,
    held_bytes: u64,
    batches: Receiver<Result<Batch, SourceError>>,
    thread: JoinHandle<()>,
}

/// What objects under way may take together: four large ones, or many small ones.
const AHEAD_BYTES_MAX: u64 = 4 * object::TEXT_BYTES_MAX;
/// Small objects take the time of one answer each, of which so many are waited for at once.
const AHEAD_MAX: usize = 16;

impl Inputs {
    /// Reads `inputs` in order, of Parquet these `columns`. Objects are fetched by `runtime`, which must run by itself.
    #[must_use]
    pub fn new(inputs: Vec<Input>, columns: Columns, runtime: Option<Handle>) -> Self {
        Self {
            inputs: inputs.into_iter(),
            next: None,
            columns,
            runtime,
            underway: VecDeque::new(),
            held_bytes: 0,
            consumed_bytes: Arc::default(),
        }
    }

    /// Bytes read so far, before decompression; for progress.
    #[must_use]
    pub fn consumed_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed_bytes)
    }

    /// Begins with what there is room for.
    fn look_ahead(&mut self) {
        while self.underway.len() < AHEAD_MAX {
            let Some(input) = self.next.take().or_else(|| self.inputs.next()) else { return };
            let held_bytes = held_bytes(&input);
            if !self.underway.is_empty() && self.held_bytes + held_bytes > AHEAD_BYTES_MAX {
                self.next = Some(input);
                return;
            }
            self.held_bytes += held_bytes;
            self.underway.push_back(self.begin(input, held_bytes));
        }
    }

    fn begin(&self, input: Input, held_bytes: u64) -> Underway {
        let consumed_bytes = Arc::clone(&self.consumed_bytes);
        match (input, &self.runtime) {
            (Input::File(path), _) => {
                let files = Files::new(vec![path], self.columns);
                Underway::Files(files.counting_into(consumed_bytes))
            }
            (Input::Object(listed), runtime) => {
                let reading =
                    Reading { columns: self.columns, consumed_bytes, ..Reading::default() };
                let name = printable(&listed.object.to_string());
                let (sender, batches) = bounded(QUEUED_MAX);
                let runtime = runtime.clone();
                let thread = thread::spawn(move || read(runtime, listed, reading, &sender));
                Underway::Object(Reader { name, held_bytes, batches, thread })
            }
        }
    }
}

/// Reads an object to its end, or as long as somebody wants it.
fn read(
    runtime: Option<Handle>,
    Listed { object, store, .. }: Listed,
    reading: Reading,
    sender: &Sender<Result<Batch, SourceError>>,
) {
    let opened = match runtime {
        Some(runtime) => object::open_with(&runtime, &store, &object, reading),
        None => Err(ended(printable(&object.to_string()))),
    };
    let (batches, failure) = match opened {
        Ok(batches) => (Some(batches), None),
        Err(error) => (None, Some(Err(error))),
    };
    for item in batches.into_iter().flatten().chain(failure) {
        if sender.send(item).is_err() {
            return;
        }
    }
}

const fn ended(name: Arc<str>) -> SourceError {
    SourceError::Object { name, error: ObjectError::Ended }
}

const QUEUED_MAX: usize = 1;

/// Row groups: one that is fetched or waits for the queue, one in it, one that was just taken. Documents are smaller.
const PIECES_BYTES_MAX: u64 = 3 * GROUP_BYTES_MAX + Footer::BYTES_MAX;
/// Deflate cannot make more of a byte (zlib's technical details).
const BYTES_OF_GZIP_BYTE_MAX: u64 = 1032;

/// Memory that reading an input takes, as far as its key tells what it is.
fn held_bytes(input: &Input) -> u64 {
    let Input::Object(Listed { object, bytes, .. }) = input else { return 0 };
    let name = object.key.rsplit('/').next().unwrap_or_default();
    if name.ends_with(".parquet") {
        (*bytes).min(PIECES_BYTES_MAX)
    } else if slot_of(name).is_some() && (name.ends_with(".log.gz") || name.ends_with(".log")) {
        // AWS calls nothing but text so.
        (*bytes).min(object::TEXT_BYTES_MAX)
    } else {
        bytes.saturating_mul(BYTES_OF_GZIP_BYTE_MAX).min(PIECES_BYTES_MAX)
    }
}

impl Iterator for Inputs {
    type Item = Result<Batch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.look_ahead();
            let item = match self.underway.front_mut()? {
                Underway::Files(files) => files.next(),
                Underway::Object(reader) => reader.batches.recv().ok(),
            };
            if item.is_some() {
                return item;
            }
            if let Some(Underway::Object(reader)) = self.underway.pop_front() {
                self.held_bytes -= reader.held_bytes;
                if reader.thread.join().is_err() {
                    let (name, error) = (reader.name, ObjectError::Panicked);
                    return Some(Err(SourceError::Object { name, error }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
