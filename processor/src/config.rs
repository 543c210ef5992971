//! The configuration file: every module's settings in one TOML, checked as a whole.
//!
//! Unknown keys are refused with file and line, so that a misspelt threshold is never silently the default.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::flow::LayoutError;
use crate::sink::dead_letters;
use crate::source::{firehose, kinesis, s3};
use crate::{decode, detect, window};

/// All settings. Each section's meaning stands with its module; `deploy/config/flowscout.toml` shows every key.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where `flowscout run` reads.
    pub sources: Sources,
    /// How lines are written, and how much may be unpacked.
    pub decode: decode::Config,
    /// Where refused bytes are kept.
    pub dead_letters: dead_letters::Config,
    /// What is ours.
    pub network: window::NetworkConfig,
    /// How event time is cut and how much may be remembered.
    pub window: window::Config,
    /// When a finding is opened.
    pub rules: detect::Config,
}

/// Where `flowscout run` reads.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sources {
    /// Kinesis Data Streams.
    pub kinesis: kinesis::Config,
    /// Amazon Data Firehose.
    pub firehose: firehose::Config,
    /// New objects of S3.
    pub s3: s3::Config,
}

/// Named settings that ship with the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Preset {
    /// The defaults, as in `deploy/config/flowscout.toml`.
    #[default]
    Default,
    /// Lower thresholds, for small or quiet networks where every probe is news.
    Sensitive,
}

/// Why a configuration cannot be used. All are mistakes of whoever wrote it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or has an unknown key or a value of the wrong type.
    #[error("{path}:{line}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line of the mistake, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A value is out of its range.
    #[error("{path}: {key}: {problem}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, with its section.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

const DEFAULT_TOML: &str = include_str!("../../deploy/config/flowscout.toml");
const SENSITIVE_TOML: &str = include_str!("../../deploy/config/sensitive.toml");

/// Stamps are told apart over 2^15 panes (`sketches::answered`), so no window may be longer.
const WINDOW_PANES_MAX: u32 = 1 << 15;
/// Rejections are remembered for twelve buckets of a minute or a pane.
const SURGE_BUCKETS_MAX: u32 = 10;

impl Sources {
    fn check(&self) -> Result<(), (String, String)> {
        let at = |section| move |(key, problem)| (format!("sources.{section}.{key}"), problem);
        self.kinesis.check().map_err(at("kinesis"))?;
        self.firehose.check().map_err(at("firehose"))?;
        self.s3.check().map_err(at("s3"))
    }

    fn memory_bytes_max(&self) -> usize {
        let streams = self.kinesis.memory_bytes_max() + self.firehose.memory_bytes_max();
        streams + self.s3.memory_bytes_max()
    }
}

impl Config {
    /// A shipped preset.
    ///
    /// # Errors
    /// Never for the files as shipped, which a test checks.
    pub fn preset(preset: Preset) -> Result<Self, ConfigError> {
        let (name, text) = match preset {
            Preset::Default => ("flowscout.toml", DEFAULT_TOML),
            Preset::Sensitive => ("sensitive.toml", SENSITIVE_TOML),
        };
        Self::parse(Path::new(name), text)
    }

    /// The file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, parsed, or used.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        Self::parse(path, &text)
    }

    /// Bytes that all parts with state may use together at the most.
    #[must_use]
    pub fn memory_bytes_max(&self, workers: usize) -> MemoryBudget {
        let batches = crate::pipeline::batches_in_flight_max(workers);
        MemoryBudget {
            entities: self.window.state_bytes_max,
            allocator: self.window.state_bytes_max / 4 * 3,
            findings: self.rules.limits.open_max * FINDING_BYTES,
            volumes: window::VOLUME_BYTES_MAX,
            // The bytes of a batch, and at most about as much again for its rows.
            batches: batches * 4 * crate::source::cut::BATCH_BYTES,
            unpacking: workers * 2 * self.decode.decompressed_bytes_max,
            dead_letters: self.dead_letters.memory_bytes_max(),
            sources: self.sources.memory_bytes_max(),
            applied: crate::pipeline::APPLIED_BYTES_MAX,
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let before = text.get(..offset).unwrap_or_default();
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let message = error.message().to_owned();
            ConfigError::Parse { path: path.to_owned(), line, message }
        })?;
        match config.check() {
            Ok(()) => Ok(config),
            Err((key, problem)) => Err(ConfigError::Value { path: path.to_owned(), key, problem }),
        }
    }

    fn check(&self) -> Result<(), (String, String)> {
        self.sources.check()?;
        self.check_decode()?;
        let address = self.dead_letters.address();
        address.map_err(|error| ("dead_letters.path".to_owned(), error.to_string()))?;
        let pane_s = self.window.pane_s;
        require(pane_s >= 1, "window.pane_s", "must be at least 1")?;
        let is_sane = (1 << 20..=STATE_BYTES_MAX).contains(&self.window.state_bytes_max);
        let problem = "must lie between 1048576 (1 MiB) and 1099511627776 (1 TiB)";
        require(is_sane, "window.state_bytes_max", problem)?;
        let is_sane = self.window.settle_s <= SETTLE_S_MAX;
        require(is_sane, "window.settle_s", "must be at most 86400")?;
        let is_sane = (1..=1_000_000).contains(&self.rules.limits.open_max);
        require(is_sane, "rules.limits.open_max", "must lie between 1 and 1000000")?;
        for (key, list) in self.rules.threshold_lists() {
            for threshold in list {
                self.check_window(key, threshold.window_s)?;
                require(threshold.distinct >= 1, key, "distinct must be at least 1")?;
            }
        }
        self.check_window("rules.exfiltration.window_s", self.rules.exfiltration.window_s)?;
        let is_cut = self.rules.exfiltration.window_s / pane_s >= 12;
        require(is_cut, "rules.exfiltration.window_s", "must be at least twelve panes")?;
        self.check_window("rules.rejected_surge.window_s", self.rules.rejected_surge.window_s)?;
        let surge_max_s = SURGE_BUCKETS_MAX * pane_s.max(60);
        let is_held = self.rules.rejected_surge.window_s <= surge_max_s;
        let problem = format!("must be at most {surge_max_s} with this window.pane_s");
        require(is_held, "rules.rejected_surge.window_s", &problem)?;
        self.check_shares()
    }

    fn check_decode(&self) -> Result<(), (String, String)> {
        let formats = self.decode.formats("decode.format");
        let formats = formats.map_err(|(key, error)| (key, error.to_string()))?;
        for format in formats.iter() {
            for layout in format.layouts() {
                let error = |error: LayoutError| (format.key().to_string(), error.to_string());
                layout.require_detection_fields().map_err(error)?;
            }
        }
        let is_sane = (1 << 16..=1 << 32).contains(&self.decode.decompressed_bytes_max);
        let problem = "must lie between 65536 (64 KiB) and 4294967296 (4 GiB)";
        require(is_sane, "decode.decompressed_bytes_max", problem)?;
        let is_sane = self.decode.refusal_lines_min <= decode::health::HALF_LIFE_LINES;
        let problem = format!("must be at most {}", decode::health::HALF_LIFE_LINES);
        require(is_sane, "decode.refusal_lines_min", &problem)?;
        let is_share = (0.0..=1.0).contains(&self.decode.refusal_ratio_max);
        require(is_share, "decode.refusal_ratio_max", "must lie between 0 and 1")
    }

    fn check_shares(&self) -> Result<(), (String, String)> {
        let shares = [
            ("rules.vertical_scan", self.rules.vertical_scan.unanswered_share_min),
            ("rules.horizontal_scan", self.rules.horizontal_scan.unanswered_share_min),
            ("rules.block_scan", self.rules.block_scan.unanswered_share_min),
        ];
        for (rule, share) in shares {
            let key = format!("{rule}.unanswered_share_min");
            require((0.0..=1.0).contains(&share), &key, "must lie between 0 and 1")?;
        }
        let ratio = self.rules.rejected_surge.ratio_min;
        require(ratio >= 0.0, "rules.rejected_surge.ratio_min", "must not be negative")
    }

    fn check_window(&self, key: &str, window_s: u32) -> Result<(), (String, String)> {
        let pane_s = self.window.pane_s;
        let is_whole = window_s >= pane_s && window_s.is_multiple_of(pane_s);
        let problem = format!("{window_s} s is not a multiple of window.pane_s = {pane_s}");
        require(is_whole, key, &problem)?;
        let longest_s = u64::from(WINDOW_PANES_MAX) * u64::from(pane_s);
        let problem = format!("{window_s} s is longer than {WINDOW_PANES_MAX} panes of {pane_s} s");
        require(u64::from(window_s) < longest_s, key, &problem)
    }
}

/// What `flowscout check` prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryBudget {
    /// Hosts, pairs and services.
    pub entities: usize,
    /// What the allocator loses when entities of all sizes are evicted in turn.
    pub allocator: usize,
    /// Open findings, and their copies in the report.
    pub findings: usize,
    /// Talkers, services and byte sums.
    pub volumes: usize,
    /// Batches under way: those of text files. JSON documents and row groups may each have more, see docs/input.md.
    pub batches: usize,
    /// What payloads and row groups are unpacked to.
    pub unpacking: usize,
    /// Dead letters on their way to a bucket.
    pub dead_letters: usize,
    /// What `flowscout run` reads ahead.
    pub sources: usize,
    /// Which requests and objects were applied, so that none counts twice.
    pub applied: usize,
}

impl MemoryBudget {
    /// The sum.
    #[must_use]
    pub const fn total(&self) -> usize {
        let state = self.entities + self.allocator + self.findings + self.volumes;
        state + self.batches + self.unpacking + self.dead_letters + self.sources + self.applied
    }
}

/// A finding with its evidence, twice.
const FINDING_BYTES: usize = 2048;
/// Beyond any machine that this runs on.
const STATE_BYTES_MAX: usize = 1 << 40;
const SETTLE_S_MAX: u32 = 86_400;

fn require(is_met: bool, key: &str, problem: &str) -> Result<(), (String, String)> {
    if is_met { Ok(()) } else { Err((key.to_owned(), problem.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(Path::new("test.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_default_file_states_every_key_with_its_default() {
        assert_eq!(Config::preset(Preset::Default).unwrap(), Config::default());
        let mut written: toml::Table = toml::from_str(DEFAULT_TOML).unwrap();
        let full: toml::Table = toml::Table::try_from(Config::default()).unwrap();
        let written_keys = keys("", &toml::Value::Table(std::mem::take(&mut written)));
        assert_eq!(written_keys, keys("", &toml::Value::Table(full)));
    }

    fn keys(path: &str, value: &toml::Value) -> Vec<String> {
        match value {
            toml::Value::Table(table) => {
                let mut all: Vec<String> = table
                    .iter()
                    .flat_map(|(key, value)| keys(&format!("{path}.{key}"), value))
                    .collect();
                all.sort();
                all
            }
            _ => vec![path.to_owned()],
        }
    }

    #[test]
    fn the_sensitive_preset_is_valid_and_lower() {
        let sensitive = Config::preset(Preset::Sensitive).unwrap().rules;
        let default = Config::default().rules;
        for ((name, low), (_, high)) in
            sensitive.threshold_lists().into_iter().zip(default.threshold_lists())
        {
            assert!(low[0].distinct < high[0].distinct, "{name}");
        }
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        let unknown = error("[window]\npane_s = 30\n\nsettle = 3\n");
        assert!(unknown.starts_with("test.toml:4: unknown field `settle`"), "{unknown}");
        let value = error("[network]\ninternal = [\"10.0.0.1/8\"]\n");
        assert!(value.starts_with("test.toml:2: `10.0.0.1/8` has bits set"), "{value}");
        assert!(error("[window\n").starts_with("test.toml:1: "));
    }

    #[test]
    fn values_out_of_range_are_named_by_key() {
        assert!(error("[window]\npane_s = 0").contains("window.pane_s: must be at least 1"));
        let window = error("[window]\npane_s = 7");
        assert!(window.contains("300 s is not a multiple of window.pane_s = 7"), "{window}");
        let share = error("[rules.block_scan]\nunanswered_share_min = 2.0");
        assert!(share.contains("rules.block_scan.unanswered_share_min: must lie"), "{share}");
        let letters = error("[dead_letters]\npath = \"s3://no/prefix\"");
        assert!(letters.contains("dead_letters.path: a bucket's name has 3 to 63"), "{letters}");
        let surge = error("[rules.rejected_surge]\nwindow_s = 3600");
        assert!(surge.contains("must be at most 600"), "{surge}");
    }
}
