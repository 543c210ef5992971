//! Logs: structured, on standard error, readable by people or as JSON.

mod cells;
pub mod metrics;
pub mod objects;
pub mod requests;
pub mod shards;

use std::io;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What `RUST_LOG` means when it is not set.
pub const WARNINGS: &str = "warn";
/// The same for a service, of which one wants to see what it does at all.
pub const SERVICE: &str = "warn,flowscout=info";

/// Sends log events to standard error, filtered by `RUST_LOG`. Calling it again changes nothing.
pub fn start(format: LogFormat, default_filter: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_error| EnvFilter::new(default_filter));
    // Whoever closes standard error wants no logs; the default would panic on telling them so.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let started = match format {
        LogFormat::Text => {
            let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
            builder.with_ansi(is_terminal).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A second subscriber is refused; the first one stays, which is what is meant.
    drop(started);
}
