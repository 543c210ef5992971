//! The one place that names concrete edges and wires them, one file per command.
//!
//! Exit codes: 0 when the work was done, even if lines were refused; 1 when something could not be read or written;
//! 2 when the command line, the configuration or a path makes no sense.

mod aws;
mod check;
mod decode_command;
mod demo;
mod inputs;
mod replay;
mod report;
mod run;
mod terminal;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use sketches::hash::HashKey;

use crate::cli::{Cli, Command, Detection, Format};
use crate::config::Config;
use crate::decode::{self, Formats};
use crate::detect::Detector;
use crate::pipeline::Settings;
use crate::sink::dead_letters::{self, DeadLetters, OpenError};
use crate::telemetry;
use crate::web::ListenError;

/// Why a command ended early.
enum Failure {
    /// The user can mend it: exit code 2.
    Misuse(anyhow::Error),
    /// The outside world failed: exit code 1.
    Io(anyhow::Error),
}

/// Runs a command to its end.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let is_service = matches!(cli.command, Command::Run(_));
    let filter = if is_service { telemetry::SERVICE } else { telemetry::WARNINGS };
    telemetry::start(cli.log_format, filter);
    let result = match cli.command {
        Command::Demo(demo) => demo::run(&demo),
        Command::Run(options) => run::run(&options),
        Command::Replay(replay) => replay::run(&replay),
        Command::Decode(decode) => decode_command::run(&decode),
        Command::Check(check) => check::run(&check),
    };
    let (code, error) = match result {
        Ok(code) => return code,
        Err(Failure::Misuse(error)) => (2, error),
        Err(Failure::Io(error)) if is_closed_pipe(&error) => return ExitCode::SUCCESS,
        Err(Failure::Io(error)) => (1, error),
    };
    terminal::complain(&format!("{error:#}"));
    ExitCode::from(code)
}

/// Whoever read our output has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().filter_map(|cause| cause.downcast_ref()).any(is_closed)
}

fn misuse<E: Into<anyhow::Error>>(error: E) -> Failure {
    Failure::Misuse(error.into())
}

fn io_failure<E: Into<anyhow::Error>>(error: E) -> Failure {
    Failure::Io(error.into())
}

/// Configuration, threads and key of a command that detects, and what should be said about its formats.
fn detection(
    options: &Detection,
    format: &Format,
) -> Result<(Config, Settings, Vec<String>), Failure> {
    let config = match &options.config {
        Some(path) => Config::load(path),
        None => Config::preset(options.preset.unwrap_or_default()),
    };
    let config = config.map_err(misuse)?;
    let (formats, notes) = formats(format, &config.decode)?;
    let settings = Settings {
        workers: options.workers.map_or_else(default_workers, usize::from),
        key: hash_key()?,
        pane_s: config.window.pane_s,
        formats,
        limits: config.decode.limits(),
        health: config.decode.threshold(),
    };
    Ok((config, settings, notes))
}

fn detector(config: &Config, settings: &Settings) -> Result<Detector, Failure> {
    let Config { rules, network, window, .. } = config.clone();
    Detector::new(rules, network, window, settings.key)
        .context("the sketches cannot be made")
        .map_err(io_failure)
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// The secret under which keys are hashed: from the environment, so that tasks of a deployment share it, or fresh.
fn hash_key() -> Result<HashKey, Failure> {
    const VARIABLE: &str = "FLOWSCOUT_HASH_KEY";
    let Ok(text) = std::env::var(VARIABLE) else {
        return Ok(HashKey::new(random_number(), random_number()));
    };
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let half = |range| is_hex.then(|| u64::from_str_radix(&text[range], 16).ok()).flatten();
    match (half(0..16), half(16..32)) {
        (Some(first), Some(second)) => Ok(HashKey::new(first, second)),
        _ => Err(misuse(anyhow!("{VARIABLE}: must be 32 hexadecimal digits"))),
    }
}

/// From the operating system, by way of what keys the standard library's maps.
fn random_number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Opens where refused bytes go; `wait_max` as [`dead_letters::Run`] says.
#[expect(clippy::disallowed_methods, reason = "names objects, never reaches the core")]
fn open_letters(
    config: &dead_letters::Config,
    wait_max: Duration,
) -> Result<Option<DeadLetters>, Failure> {
    let run = dead_letters::Run { start: SystemTime::now(), id: random_number(), wait_max };
    DeadLetters::open(config, &run).map_err(|error| match error {
        OpenError::Io(error) => {
            io_failure(anyhow!(error).context(format!("{}: cannot create", config.path)))
        }
        OpenError::Address(_) | OpenError::Store(_) => misuse(anyhow!("dead letters: {error}")),
    })
}

/// Why nobody can look at us.
fn listen_failure(error: ListenError) -> Failure {
    match error {
        ListenError::NotLoopback { .. } => misuse(error),
        ListenError::Bind { .. } | ListenError::Metrics { .. } | ListenError::Start(_) => {
            io_failure(error)
        }
    }
}

/// How lines are written: as `--format` says, or else the configuration; with what should be said about it.
fn formats(
    options: &Format,
    config: &decode::Config,
) -> Result<(Arc<Formats>, Vec<String>), Failure> {
    let mut config = config.clone();
    let mut key = "decode.format";
    if !options.format.is_empty() {
        config.format = decode::Texts::Several(options.format.clone());
        key = "--format";
    }
    let formats = config.formats(key);
    let formats = formats.map_err(|(key, error)| misuse(anyhow!("{key}: {error}")))?;
    let notes = formats.iter().flat_map(notes).collect();
    Ok((Arc::new(formats), notes))
}

fn notes(format: &decode::Format) -> Vec<String> {
    let key = format.key();
    let mut notes = Vec::new();
    for (name, near) in format.layouts().iter().flat_map(|layout| layout.unknown_names()) {
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        notes.push(format!("{key}: unknown field {name}, its values are ignored{hint}"));
    }
    if !format.is_unambiguous() {
        notes.push(format!(
            "{key}: two formats have the same number of fields, so a line that fits both is read by the first"
        ));
    }
    notes
}
