//! Where refused bytes go: JSON lines that `flowscout replay` and `flowscout decode` read again.
//!
//! A letter is `{"flowscout":"dead_letter","reason","field","source","position","log_group","format","data","truncated"}`;
//! `data` is the refused bytes in base64, `format` what a header line above them said. All letters of a reason are kept up to
//! a number, then a sample, until they have so many bytes: what was left out is counted, and told at the end. Letters of what a
//! source gave up are all kept, up to a bound of their own: nothing else is left of it.
//!
//! They go to one file, or to a bucket as objects of some megabytes each.

mod bucket;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use base64_turbo::STANDARD;
use serde::{Deserialize, Serialize};

use bucket::{BUCKET_BYTES_MAX, Bucket};
pub use bucket::{Cause, PutError, Run, StoreError};

use crate::decode::{Letter, Letters, Reason};
pub use crate::s3::{Address, AddressError, Prefix};

/// Where to, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A file, which is replaced at the start (`run` appends), or `s3://bucket/prefix`. Default empty: refused bytes are counted, not kept.
    pub path: String,
    /// Bytes that all letters of a run may have together. Default 256 MiB. Further ones are left out and counted.
    pub bytes_max: u64,
    /// Letters of each reason that are all kept; of those beyond, one in a hundred is. Default 10,000.
    pub sample_above: u64,
}

/// The letters of a run.
#[derive(Debug)]
pub struct DeadLetters {
    target: Target,
    config: Config,
    bytes: u64,
    /// Beside them, of what sources gave up.
    given_up_bytes: u64,
    /// Letters by reason, kept or not.
    seen: [u64; Reason::ALL.len()],
    /// Handed to the target.
    written: u64,
    left_out: u64,
}

/// What became of the letters of a run.
#[derive(Debug)]
pub struct Kept {
    /// Letters that can be read again.
    pub letters: u64,
    /// Letters that were sampled away, had no room, or could not be put.
    pub left_out: u64,
    /// Why letters could not be put, the first time.
    pub failure: Option<PutError>,
}

/// Why letters cannot be kept at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created, or the system has no thread left.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path looks like the URL of a bucket and is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The environment has what S3 cannot be used with.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug)]
enum Target {
    File(BufWriter<File>),
    Bucket(Bucket),
}

const SAMPLE: u64 = 100;
/// Bytes that letters of what sources gave up may have together: a hundred thousand objects.
const GIVEN_UP_BYTES_MAX: u64 = 64 << 20;

impl Default for Config {
    fn default() -> Self {
        Self { path: String::new(), bytes_max: 256 << 20, sample_above: 10_000 }
    }
}

impl Config {
    /// What `path` means; `None` when it is empty.
    ///
    /// # Errors
    /// When it looks like the URL of a bucket and is none.
    pub fn address(&self) -> Result<Option<Address>, AddressError> {
        let is_set = !self.path.is_empty();
        is_set.then(|| Address::parse(&self.path)).transpose()
    }

    /// Bytes that letters may have in memory: those of a file are written at once.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        let is_bucket = matches!(self.address(), Ok(Some(Address::Bucket(_))));
        if is_bucket { BUCKET_BYTES_MAX } else { 0 }
    }
}

/// A letter on its line.
#[derive(Serialize)]
struct Row<'l> {
    flowscout: &'static str,
    reason: &'static str,
    field: Option<&'static str>,
    source: &'l str,
    position: String,
    log_group: &'l str,
    format: Option<String>,
    data: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl DeadLetters {
    /// To where `config.path` says; `None` when that is empty. Nothing is sent to a bucket before there are letters.
    ///
    /// # Errors
    /// When the file cannot be created, or the path or the environment names no bucket that can be used.
    pub fn open(config: &Config, run: &Run) -> Result<Option<Self>, OpenError> {
        let target = match config.address()? {
            None => return Ok(None),
            // Another run of a replay has the same letters; of a stream it has others.
            Some(Address::File(path)) if run.wait_max.is_zero() => {
                let file = File::options().append(true).create(true).open(path)?;
                Target::File(BufWriter::new(file))
            }
            Some(Address::File(path)) => Target::File(BufWriter::new(File::create(path)?)),
            Some(Address::Bucket(prefix)) => Target::Bucket(Bucket::open(prefix, run)?),
        };
        Ok(Some(Self::new(target, config.clone())))
    }

    const fn new(target: Target, config: Config) -> Self {
        Self {
            target,
            config,
            bytes: 0,
            given_up_bytes: 0,
            seen: [0; Reason::ALL.len()],
            written: 0,
            left_out: 0,
        }
    }

    /// Writes the letters of a batch, as far as they are kept, and says whether all are. A file has them when this returns; a bucket when an object is
    /// full, or on [`Self::flush`].
    ///
    /// # Errors
    /// When the file cannot be written. What a bucket does not take is told by [`Self::finish`].
    pub fn write(&mut self, letters: &Letters) -> io::Result<bool> {
        let mut all_kept = letters.left_out() == 0;
        self.left_out += letters.left_out();
        for letter in letters.kept() {
            let seen = &mut self.seen[letter.refusal.reason as usize];
            *seen += 1;
            let is_sampled = *seen <= self.config.sample_above || seen.is_multiple_of(SAMPLE);
            if is_given_up(letter) || is_sampled {
                all_kept &= self.keep(letter)?;
            } else {
                self.left_out += 1;
                all_kept = false;
            }
        }
        match &mut self.target {
            Target::File(writer) => writer.flush().map(|()| all_kept),
            // Its next objects may be lost, too. That these letters are tried nevertheless says when it takes some again.
            Target::Bucket(bucket) => Ok(all_kept && !bucket.is_failing()),
        }
    }

    /// Sends letters to the bucket that wait for an object to be full; for whoever runs for long and keeps a clock.
    pub fn flush(&mut self) {
        if let Target::Bucket(bucket) = &mut self.target {
            bucket.flush();
        }
    }

    /// Waits until everything is where it belongs, at most about a minute if the bucket does not answer.
    #[must_use]
    pub fn finish(self) -> Kept {
        let (lost, failure) = match self.target {
            Target::File(_) => (0, None),
            Target::Bucket(bucket) => bucket.finish(),
        };
        Kept { letters: self.written - lost, left_out: self.left_out + lost, failure }
    }

    fn keep(&mut self, letter: &Letter) -> io::Result<bool> {
        let mut line = serde_json::to_vec(&Row::of(letter))?;
        line.push(b'\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let (bytes, bytes_max) = if is_given_up(letter) {
            (&mut self.given_up_bytes, GIVEN_UP_BYTES_MAX)
        } else {
            (&mut self.bytes, self.config.bytes_max)
        };
        if bytes.saturating_add(length) > bytes_max {
            self.left_out += 1;
            return Ok(false);
        }
        *bytes += length;
        self.written += 1;
        match &mut self.target {
            Target::File(writer) => writer.write_all(&line)?,
            Target::Bucket(bucket) => bucket.add(&line),
        }
        Ok(true)
    }
}

/// Whether a source will forget what the letter is of once it is kept.
fn is_given_up(letter: &Letter) -> bool {
    letter.refusal.reason == Reason::UnreadableObject
}

impl<'l> Row<'l> {
    fn of(letter: &'l Letter) -> Self {
        Self {
            flowscout: "dead_letter",
            reason: letter.refusal.reason.label(),
            field: letter.refusal.field,
            source: &letter.source,
            position: letter.position.to_string(),
            log_group: &letter.log_group,
            format: letter.layout.as_ref().map(|layout| layout.format_string()),
            data: STANDARD.encode(&letter.data),
            truncated: letter.is_truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Place, Refusal};

    fn letters(reason: Reason) -> Letters {
        let (mut letters, refusal) = (Letters::default(), Refusal { reason, field: None });
        letters.add(refusal, &"source".into(), &Place::default(), None, &[b'x'; 1 << 20]);
        letters
    }

    #[test]
    fn what_was_given_up_is_kept_where_lines_are_left_out_until_its_own_bound_is_reached() {
        let file = File::options().write(true).open("/dev/null").unwrap();
        let config = Config { bytes_max: 1 << 20, sample_above: 0, ..Config::default() };
        let mut sink = DeadLetters::new(Target::File(BufWriter::new(file)), config);
        assert!(!sink.write(&letters(Reason::FieldCount)).unwrap(), "sampled away");
        let given_up = letters(Reason::UnreadableObject);
        let kept = (0..64).take_while(|_| sink.write(&given_up).unwrap()).count();
        // Four bytes for each three.
        assert_eq!(kept, 47);
        assert_eq!(sink.finish().left_out, 2);
    }
}
