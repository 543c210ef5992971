//! One version of an object, range by range.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Object, ObjectError};
use crate::s3::{Answer, innermost};

/// Bytes that are asked for at once: large enough that the time to the first of them is a small part, small enough that
/// several objects can be read side by side.
pub(super) const RANGE_BYTES_MAX: u64 = 8 << 20;

/// One version of an object, any range of it.
#[derive(Clone, Debug)]
pub(in crate::source) struct Remote {
    runtime: Handle,
    bucket: Arc<dyn ObjectStore>,
    object: Object,
    path: Path,
    /// With quotation marks, as HTTP has it.
    tag: String,
    etag: Arc<str>,
    bytes: u64,
    range_bytes_max: u64,
}

impl Remote {
    /// Asks for the first range, which tells version and size.
    pub(super) fn open(
        runtime: &Handle,
        bucket: &Arc<dyn ObjectStore>,
        object: &Object,
        range_bytes_max: u64,
    ) -> Result<(Self, Bytes), ObjectError> {
        let path = Path::parse(&object.key).map_err(|_error| ObjectError::Key)?;
        // What it leaves out of a key is another key.
        if path.as_ref() != &*object.key {
            return Err(ObjectError::Key);
        }
        let beginning = first(Arc::clone(bucket), path.clone(), range_bytes_max);
        let (meta, first) =
            wait_for(runtime, beginning)?.map_err(|error| ObjectError::of(&error, object))?;
        let tag = meta.e_tag.unwrap_or_default();
        let remote = Self {
            runtime: runtime.clone(),
            bucket: Arc::clone(bucket),
            object: object.clone(),
            path,
            etag: tag.trim_matches('"').into(),
            tag,
            bytes: meta.size,
            range_bytes_max,
        };
        let expected = remote.range_at(0);
        Ok((remote, whole(first, &expected)?))
    }

    pub(super) const fn etag(&self) -> &Arc<str> {
        &self.etag
    }

    /// The size of the object.
    pub(in crate::source) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads one range of any length, which must lie within the object.
    pub(in crate::source) fn read(&self, range: Range<u64>) -> Result<Bytes, ObjectError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        if range.end - range.start <= self.range_bytes_max {
            return wait_for(&self.runtime, self.clone().fetch(range))?;
        }
        let bytes = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut buffer = Vec::with_capacity(bytes);
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + self.range_bytes_max);
            buffer.extend_from_slice(&wait_for(&self.runtime, self.clone().fetch(start..end))??);
            start = end;
        }
        Ok(buffer.into())
    }

    async fn fetch(self, range: Range<u64>) -> Result<Bytes, ObjectError> {
        let got = get(&*self.bucket, &self.path, range.clone(), Some(self.tag.clone())).await;
        let (meta, bytes) = got.map_err(|error| ObjectError::of(&error, &self.object))?;
        // Not every server that speaks S3 knows If-Match.
        if meta.e_tag.as_deref() != Some(&self.tag) || meta.size != self.bytes {
            return Err(ObjectError::Changed);
        }
        whole(bytes, &range)
    }

    fn range_at(&self, start: u64) -> Range<u64> {
        start..self.bytes.min(start.saturating_add(self.range_bytes_max))
    }
}

fn whole(bytes: Bytes, range: &Range<u64>) -> Result<Bytes, ObjectError> {
    let (given, expected) = (bytes.len() as u64, range.end - range.start);
    if given == expected { Ok(bytes) } else { Err(ObjectError::Short { given, expected }) }
}

/// Waits on this thread for what the runtime does. The runtime may end meanwhile: then nobody answers, where waiting on the runtime
/// itself would panic.
fn wait_for<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, ObjectError> {
    let (tell, told) = oneshot::channel();
    runtime.spawn(async move {
        // Whoever waited may have gone.
        drop(tell.send(work.await));
    });
    told.blocking_recv().map_err(|_ended| ObjectError::Ended)
}

async fn first(
    bucket: Arc<dyn ObjectStore>,
    path: Path,
    bytes_max: u64,
) -> object_store::Result<(ObjectMeta, Bytes)> {
    let path = &path;
    match get(&*bucket, path, 0..bytes_max, None).await {
        // There is no range of nothing.
        Err(error) if is_out_of_range(&error) => {
            let meta = bucket.head(path).await?;
            if meta.size == 0 { Ok((meta, Bytes::new())) } else { Err(error) }
        }
        got => got,
    }
}

async fn get(
    bucket: &dyn ObjectStore,
    path: &Path,
    range: Range<u64>,
    if_match: Option<String>,
) -> object_store::Result<(ObjectMeta, Bytes)> {
    let range = Some(GetRange::Bounded(range));
    let options = GetOptions { range, if_match, ..GetOptions::default() };
    let got = bucket.get_opts(path, options).await?;
    let meta = got.meta.clone();
    Ok((meta, got.bytes().await?))
}

/// `InvalidRange` of S3, and what the store in memory says.
fn is_out_of_range(error: &object_store::Error) -> bool {
    Answer::of(error).map_or_else(
        || innermost(error).contains("range"),
        |answer| answer.status.starts_with("416"),
    )
}

/// An object from its beginning to its end.
#[derive(Debug)]
pub(super) struct Ranges {
    remote: Remote,
    current: Bytes,
    /// Where the range behind the current one begins.
    next: u64,
    ahead: Option<JoinHandle<Result<Bytes, ObjectError>>>,
    /// Whether anything was read yet.
    is_begun: bool,
}

impl Ranges {
    /// `first` is the first range.
    pub(super) fn new(remote: Remote, first: Bytes) -> Self {
        let next = first.len() as u64;
        Self { remote, current: first, next, ahead: None, is_begun: false }
    }

    fn advance(&mut self) -> Result<(), ObjectError> {
        let range = self.remote.range_at(self.next);
        let end = range.end;
        self.current = match self.ahead.take() {
            Some(ahead) => {
                let fetched = wait_for(&self.remote.runtime, ahead)?;
                fetched.map_err(|_ended| ObjectError::Ended)??
            }
            None => self.remote.read(range)?,
        };
        self.next = end;
        Ok(())
    }
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_last = self.next >= self.remote.bytes;
        if self.current.is_empty() && !is_last {
            self.advance()?;
        } else if self.is_begun && self.ahead.is_none() && !is_last {
            // Only when it is read a second time: after its beginning, Parquet is read elsewhere.
            let fetch = self.remote.clone().fetch(self.remote.range_at(self.next));
            self.ahead = Some(self.remote.runtime.spawn(fetch));
        }
        self.is_begun = true;
        let length = buffer.len().min(self.current.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}

impl Drop for Ranges {
    fn drop(&mut self) {
        if let Some(ahead) = &self.ahead {
            ahead.abort();
        }
    }
}
