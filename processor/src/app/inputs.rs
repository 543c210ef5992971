//! What the paths of a command line mean: files, and objects of S3.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use tokio::runtime::{Builder, Handle, Runtime};

use super::{Failure, aws, io_failure, misuse};
use crate::s3::{Address, Prefix};
use crate::source::ahead::Input;
use crate::source::expand;
use crate::source::object::{Buckets, ListError, Period, find};

/// What is to be read, in order, and what fetches the objects of it.
pub(super) struct Found {
    pub(super) inputs: Vec<Input>,
    runtime: Option<Runtime>,
}

/// One waits for answers, the other for names of hosts and credentials.
const THREADS: usize = 2;

impl Found {
    /// Files that are there, objects that S3 lists.
    pub(super) fn among(texts: &[String], period: Option<Period>) -> Result<Self, Failure> {
        let (mut paths, mut urls) = (Vec::new(), Vec::new());
        for text in texts {
            match Address::parse(text) {
                Ok(Address::Bucket(prefix)) => urls.push((prefix, text.ends_with('/'))),
                Ok(Address::File(_)) => paths.push(text.clone()),
                Err(_) if Path::new(text).exists() => paths.push(text.clone()),
                Err(error) => return Err(misuse(error)),
            }
        }
        if urls.is_empty() && period.is_some() {
            let hint =
                "--from and --to choose among the objects of s3://BUCKET/PREFIX, and there is none";
            return Err(misuse(anyhow!(hint)));
        }
        let files = if paths.is_empty() { vec![] } else { expand(&paths).map_err(misuse)? };
        let mut inputs: Vec<Input> = files.into_iter().map(Input::File).collect();
        let runtime = (!urls.is_empty()).then(runtime).transpose()?;
        if let Some(runtime) = &runtime {
            let objects = list(runtime, &urls, period.unwrap_or(Period::ALWAYS))?;
            inputs.extend(objects);
            Input::sort(&mut inputs);
        }
        Ok(Self { inputs, runtime })
    }

    /// Bytes that will be read, as far as that is known.
    pub(super) fn bytes(&self) -> u64 {
        self.inputs.iter().map(Input::bytes).sum()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.inputs.iter().filter_map(|input| match input {
            Input::File(path) => Some(path),
            Input::Object(_) => None,
        })
    }

    pub(super) fn handle(&self) -> Option<Handle> {
        self.runtime.as_ref().map(|runtime| runtime.handle().clone())
    }
}

fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    runtime.context("cannot start").map_err(io_failure)
}

fn list(
    runtime: &Runtime,
    urls: &[(Prefix, bool)],
    period: Period,
) -> Result<impl Iterator<Item = Input>, Failure> {
    let buckets = Buckets::new(&aws::config()?, "");
    let found = runtime.block_on(find(&buckets, urls, &period)).map_err(|error| match error {
        ListError::Refused { .. } | ListError::Object { .. } | ListError::Key { .. } => {
            io_failure(error)
        }
        ListError::Bucket { .. }
        | ListError::Empty(_)
        | ListError::Pattern(_)
        | ListError::TooMany { .. } => misuse(error),
    })?;
    tracing::info!(objects = found.len(), "listed");
    Ok(found.into_iter().map(Input::Object))
}
