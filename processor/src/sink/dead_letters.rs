//! Where refused bytes go: JSON lines that `flowscout replay` and `flowscout decode` read again.
//!
//! A letter is `{"flowscout":"dead_letter","reason","field","source","position","log_group","format","data","truncated"}`;
//! `data` is the refused bytes in base64, `format` what a header line above them said. All letters of a reason are kept up to
//! a number, then a sample, until the file is full: what was left out is counted, and told at the end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use base64_turbo::STANDARD;
use serde::{Deserialize, Serialize};

use crate::decode::{Letter, Letters, Reason};

/// Where to, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file, which is replaced at the start. Default empty: refused bytes are counted, not kept.
    pub path: String,
    /// Bytes that the file may have. Default 256 MiB. Further letters are left out and counted.
    pub bytes_max: u64,
    /// Letters of each reason that are all kept; of those beyond, one in a hundred is. Default 10,000.
    pub sample_above: u64,
}

/// One file of letters.
#[derive(Debug)]
pub struct DeadLetters {
    writer: BufWriter<File>,
    config: Config,
    bytes: u64,
    /// Letters by reason, kept or not.
    seen: [u64; Reason::ALL.len()],
    kept: u64,
    left_out: u64,
}

const SAMPLE: u64 = 100;

impl Default for Config {
    fn default() -> Self {
        Self { path: String::new(), bytes_max: 256 << 20, sample_above: 10_000 }
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
    /// To the file at `config.path`; `None` when that is empty.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(config: &Config) -> io::Result<Option<Self>> {
        if config.path.is_empty() {
            return Ok(None);
        }
        let writer = BufWriter::new(File::create(Path::new(&config.path))?);
        let config = config.clone();
        let seen = [0; Reason::ALL.len()];
        Ok(Some(Self { writer, config, bytes: 0, seen, kept: 0, left_out: 0 }))
    }

    /// Writes the letters of a batch, as far as they are kept.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, letters: &Letters) -> io::Result<()> {
        self.left_out += letters.left_out();
        for letter in letters.kept() {
            let seen = &mut self.seen[letter.refusal.reason as usize];
            *seen += 1;
            if *seen <= self.config.sample_above || seen.is_multiple_of(SAMPLE) {
                self.keep(letter)?;
            } else {
                self.left_out += 1;
            }
        }
        self.writer.flush()
    }

    /// Letters written, and letters left out.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.kept, self.left_out)
    }

    fn keep(&mut self, letter: &Letter) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Row::of(letter))?;
        line.push(b'\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes.saturating_add(length) > self.config.bytes_max {
            self.left_out += 1;
            return Ok(());
        }
        self.bytes += length;
        self.kept += 1;
        self.writer.write_all(&line)
    }
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
