//! The `flowscout` program.

use std::process::ExitCode;

use clap::Parser;
use flowscout::app;
use flowscout::cli::Cli;

fn main() -> ExitCode {
    app::run(Cli::parse())
}
