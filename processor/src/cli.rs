//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Preset;
use crate::telemetry::LogFormat;

/// VPC Flow Logs in, port-scan and exfiltration signals out.
#[derive(Debug, Parser)]
#[command(name = "flowscout", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How log lines on standard error look; RUST_LOG sets which are shown.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub log_format: LogFormat,
}

/// What flowscout can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate labelled traffic, watch it, and score the signals against the truth. No configuration, no account.
    Demo(Demo),
    /// Read the configured streams until SIGTERM: the service.
    Run(Run),
    /// Read flow-log files and report what was found.
    Replay(Replay),
    /// Print records as JSON lines, and refused lines with their reasons on standard error.
    Decode(Decode),
    /// Check a configuration file; print what it sets and how much memory it allows.
    Check(Check),
}

/// `flowscout demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Flow records per second of event time.
    #[arg(long, default_value_t = 200, value_name = "R")]
    pub rate: u32,
    /// Event time to generate, in seconds.
    #[arg(long, default_value_t = 7200, value_name = "N")]
    pub seconds: u32,
    /// The same seed gives the same traffic.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub seed: u64,
    /// Event seconds that pass per second, to watch it live: 240 shows two hours in 30 s. 0 is as fast as possible.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub pace: u32,
    /// Loopback address of the dashboard; if its port is taken, a free one is used.
    #[arg(long, default_value = "127.0.0.1:8666", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Run without the dashboard.
    #[arg(long, conflicts_with_all = ["listen", "hold"])]
    pub no_web: bool,
    /// Keep the dashboard after the scorecard, until Ctrl-C.
    #[arg(long)]
    pub hold: bool,
    /// Also write the signals as JSON lines to this file; `-` is standard output.
    #[arg(long, value_name = "OUT")]
    pub signals: Option<PathBuf>,
    /// How to detect and with what.
    #[command(flatten)]
    pub detection: Detection,
}

/// `flowscout run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The configuration file; its section `sources` says what is read.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Append the signals as JSON lines to this file; `-` is standard output.
    #[arg(long, value_name = "OUT", default_value = "-")]
    pub signals: PathBuf,
    /// Serve metrics for Prometheus at http://ADDR/metrics.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Threads that decode, beside those that read and one that detects. Default: one less than the cores, at least 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
}

/// `flowscout replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Files, folders and patterns: text, JSON envelopes, Parquet, plain or gzip; `-` is standard input; `s3://BUCKET/PREFIX`
    /// means all flow logs below it, or the one object of this name.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<String>,
    /// Of S3, only objects of this time or later, as `2026-01-02` or `2026-01-02T03:04:05Z`, by the time in their names.
    #[arg(long, value_name = "TIME", value_parser = unix_time)]
    pub from: Option<u64>,
    /// Of S3, only objects before this time.
    #[arg(long, value_name = "TIME", value_parser = unix_time)]
    pub to: Option<u64>,
    /// The format of lines without a header.
    #[command(flatten)]
    pub format: Format,
    /// How to detect and with what.
    #[command(flatten)]
    pub detection: Detection,
    /// Write the signals as JSON lines to this file; `-` is standard output.
    #[arg(long, value_name = "OUT")]
    pub signals: Option<PathBuf>,
    /// Write what is refused to this file, or as objects below `s3://BUCKET/PREFIX`, as JSON lines that `replay` and `decode`
    /// read again. Overrides `dead_letters.path`.
    #[arg(long, value_name = "OUT")]
    pub dead_letters: Option<PathBuf>,
    /// The report on standard error at the end.
    #[arg(long, value_enum, default_value_t)]
    pub report: ReportFormat,
}

/// `flowscout decode`.
#[derive(Debug, Args)]
pub struct Decode {
    /// Files, folders and patterns: text, JSON envelopes, Parquet, plain or gzip; `-`, the default, is standard input;
    /// `s3://BUCKET/PREFIX` means all flow logs below it, or the one object of this name.
    #[arg(default_value = "-", value_name = "PATH")]
    pub paths: Vec<String>,
    /// The format of lines without a header.
    #[command(flatten)]
    pub format: Format,
    /// A configuration file, of which the section `decode` is used.
    #[arg(long, value_name = "C")]
    pub config: Option<PathBuf>,
}

/// `flowscout check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Threads that decode; they bound the batches under way.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,
}

/// The format of lines without a header.
#[derive(Debug, Args)]
pub struct Format {
    /// `auto` (the default formats of VPC and transit gateway flow logs), `default` (the 14 fields of version 2), or an AWS
    /// format string such as '${version} ${srcaddr} …'. May be given several times: a line is read by the first that fits it.
    /// A header line in a file always wins. Default: `decode.format` of the configuration, which is `auto`.
    #[arg(long, value_name = "F")]
    pub format: Vec<String>,
}

/// How to detect and with what.
#[derive(Debug, Args)]
pub struct Detection {
    /// A configuration file.
    #[arg(long, value_name = "C", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// Settings that ship with the program.
    #[arg(long, value_enum, value_name = "P")]
    pub preset: Option<Preset>,
    /// Threads that decode, beside one that reads and one that detects. Default: one less than the cores, at least 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
}

/// How `replay` reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// Nothing.
    None,
}

/// Seconds of Unix time: the beginning of a day in UTC, or a time with its offset.
fn unix_time(text: &str) -> Result<u64, String> {
    let problem =
        "not a time such as 2026-01-02, 2026-01-02T03:04:05Z or 2026-01-02T03:04:05+01:00";
    let parse = || {
        let (time, offset_s) = match text.get(10..) {
            Some("") => (format!("{text}T00:00:00Z"), 0),
            _ if text.ends_with(['Z', 'z']) => (text.to_owned(), 0),
            _ => {
                let (time, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
                (format!("{time}Z"), offset_s(offset)?)
            }
        };
        let time = humantime::parse_rfc3339(&time.to_ascii_uppercase()).ok()?;
        let since = time.duration_since(UNIX_EPOCH).ok()?;
        since.as_secs().checked_add_signed(-offset_s)
    };
    parse().ok_or_else(|| problem.to_owned())
}

/// Of `+01:00`.
fn offset_s(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| is_number(text).then(|| text.parse::<i64>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let offset_s = (hours * 60 + minutes) * 60;
    match text.get(..1)? {
        _ if hours > 23 || minutes > 59 => None,
        "+" => Some(offset_s),
        "-" => Some(-offset_s),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_days_in_utc_or_have_an_offset() {
        let time = 1_767_323_045;
        assert_eq!(unix_time("2026-01-02"), Ok(time - (3 * 60 + 4) * 60 - 5));
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02t03:04:05z",
            "2026-01-02T04:34:05+01:30",
            "2026-01-01T20:04:05-07:00",
        ] {
            assert_eq!(unix_time(text), Ok(time), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "20260102",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05+25:00",
            "2026-01-02T03:04:05*01:00",
            "1969-01-01",
            "yesterday",
            "ääääää",
        ] {
            assert!(unix_time(text).is_err(), "{text}");
        }
    }
}
