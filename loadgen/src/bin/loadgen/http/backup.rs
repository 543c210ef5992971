//! The folder in place of Firehose's backup bucket.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use loadgen::delivery::{Failure, GivenUp, guid, object_key};

use super::tally::Done;

/// Keeps what was given up.
pub(super) struct Backup {
    folder: PathBuf,
    stream: String,
}

impl Backup {
    /// # Errors
    /// When the folder cannot be made.
    pub(super) fn new(folder: &Path, stream: &str) -> anyhow::Result<Self> {
        let shown = folder.display();
        fs::create_dir_all(folder).with_context(|| format!("cannot create {shown}"))?;
        Ok(Self { folder: folder.to_owned(), stream: stream.to_owned() })
    }

    /// Writes one object.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, done: &Done, failure: &Failure) -> anyhow::Result<()> {
        let Done { request, retries, arrived_ms, ended_ms, .. } = done;
        let given_up = GivenUp {
            request,
            attempts: retries.failures(),
            failure,
            arrived_ms: *arrived_ms,
            ended_ms: *ended_ms,
        };
        let key = object_key(&self.stream, *ended_ms, &guid(fastrand::u128(..)));
        let path = self.folder.join(key);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, given_up.lines()))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
