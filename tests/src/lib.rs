//! Fixtures for tests through the binaries: programs, scratch files, generated traffic, shared data.
//!
//! A test starts a program as a user does and looks at its exit code, its output and its memory. Nothing here knows
//! the libraries behind the programs.
#![expect(clippy::unwrap_used, reason = "a fixture that fails is a test that fails")]
#![expect(
    clippy::missing_panics_doc,
    reason = "every fixture panics when it cannot serve its test"
)]

pub mod aws;
mod columns;
mod files;
pub mod http;
pub mod kinesis;
mod kinesis_mock;
mod ministack;
pub mod notifications;
mod program;
pub mod records;
mod s3;
mod server_process;
mod service;
mod traffic;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use columns::parquet;
pub use files::{Scratch, gzip, noise};
pub use kinesis_mock::KinesisMock;
pub use ministack::Ministack;
pub use program::{Program, Run, Running, Signal, flowscout, loadgen};
pub use s3::{AccessKey, Object, S3};
pub use service::{Service, address_behind, now, wait_for};
pub use traffic::{TWO_SCANS, Traffic, captures};

/// The folder of the workspace.
#[must_use]
pub fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Real flow logs and decoder vectors, which lie beside the project where they are at hand: `FLOWSCOUT_SHARED_DATA`,
/// or `../shared/data` from the root. When they are not there, says so.
#[must_use]
pub fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("FLOWSCOUT_SHARED_DATA")
        .map_or_else(|| project_root().join("../shared/data"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skipped("../shared/data is not here");
    None
}

/// Says why a test does not look, past the harness, which hides `eprintln!`.
fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    io::stderr().write_all(format!("skipped: {why} ({test})\n").as_bytes()).unwrap();
}
