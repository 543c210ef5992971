//! `loadgen score`: truth and signals in, a scorecard out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use loadgen::score::{SignalError, TOLERANCE_S, TruthError};
use loadgen::{Finding, Scorecard, Truth, parse_signals};

use crate::{misuse, tell};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What happened: a truth file of `loadgen run`, or the labels of a capture
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// What was found: signals as JSON lines; `-` for standard input
    #[arg(long, value_name = "FILE")]
    signals: PathBuf,
    /// Exit 1 if recall is lower
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    min_recall: Option<f64>,
    /// Exit 1 if precision is lower
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    min_precision: Option<f64>,
    /// By how many seconds a finding may lie beside the truth
    #[arg(long, value_name = "SECONDS", default_value_t = TOLERANCE_S)]
    tolerance: u64,
    /// Print a JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let truth = read_truth(&arguments.truth)?;
    for warning in truth.warnings() {
        tell(&format!("warning: {warning}"));
    }
    let findings = read_signals(&arguments.signals)?;
    let card = loadgen::score(&truth, &findings, arguments.tolerance);
    match print(&card, arguments.json) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            return Err(error).context("cannot print");
        }
        _ => {}
    }
    // What cannot be measured is not below a minimum.
    let below = |value: Option<f64>, minimum: Option<f64>| {
        value.zip(minimum).is_some_and(|(value, minimum)| value < minimum)
    };
    let failed = below(card.recall(), arguments.min_recall)
        || below(card.precision(), arguments.min_precision);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read_truth(path: &Path) -> anyhow::Result<Truth> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    Truth::parse(BufReader::new(file)).map_err(|error| match error {
        TruthError::Read(error) => {
            anyhow::Error::new(error).context(format!("cannot read {shown}"))
        }
        other => misuse(at_line(&shown.to_string(), &other)),
    })
}

fn read_signals(path: &Path) -> anyhow::Result<Vec<Finding>> {
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Box::new(BufReader::new(file))
    };
    let shown = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    parse_signals(reader).map_err(|error| match error {
        SignalError::Read(error) => {
            anyhow::Error::new(error).context(format!("cannot read {shown}"))
        }
        other @ SignalError::Line { .. } => misuse(at_line(&shown, &other)),
    })
}

/// `line 3: reason` becomes `FILE:3: reason`, which editors can follow.
fn at_line(shown: &str, error: &impl ToString) -> String {
    let text = error.to_string();
    format!("{shown}:{}", text.strip_prefix("line ").unwrap_or(&text))
}

fn print(card: &Scorecard, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, card)?;
        writeln!(out)?;
    } else {
        write!(out, "{card}")?;
    }
    out.flush()
}

fn ratio(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("not between 0 and 1".to_owned()) }
}
