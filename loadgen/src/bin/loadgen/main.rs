//! `loadgen`: generates VPC flow logs with known attacks, and scores what a detector made of them.
//!
//! Exit codes: 0 fine, 1 input or output failed or a score is below its minimum, 2 misuse.

mod aws;
mod feed;
mod http;
mod options;
mod put;
mod run;
mod s3;
mod score;
mod streams;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(version, about = "Seeded VPC flow logs with injected attacks, and a scorer")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes flow-log lines, and the truth about the attacks in them
    Run(Box<run::Arguments>),
    /// Compares signals with the truth: precision, recall, detection delay
    Score(score::Arguments),
}

/// A request that cannot be served as it was made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        tell(&format!("error: {error:#}"));
        ExitCode::from(if error.is::<Misuse>() { 2 } else { 1 })
    })
}

/// Writes a line to standard error; if even that is gone, nobody can be told.
fn tell(line: &str) {
    let _ignored = writeln!(std::io::stderr(), "{line}").ok();
}

fn misuse(reason: impl ToString) -> anyhow::Error {
    Misuse(reason.to_string()).into()
}
