//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// Files, folders and patterns: text, JSON envelopes, Parquet, plain or gzip; `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<String>,
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
    /// Files, folders and patterns: text, JSON envelopes, Parquet, plain or gzip; `-`, the default, is standard input.
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
