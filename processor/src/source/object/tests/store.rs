//! A store in memory that remembers which ranges were asked for, and fails when it is told to.

use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::*;

#[derive(Debug, Default)]
pub(super) struct Watched {
    objects: InMemory,
    ranges: Mutex<Vec<Range<u64>>>,
    ignores_if_match: AtomicBool,
    fails: AtomicBool,
}

impl Watched {
    pub(super) fn put_now(&self, key: &str, content: Bytes) {
        let key = Path::from(key);
        RUNTIME.block_on(self.objects.put(&key, content.into())).unwrap();
    }

    /// In the order in which they were asked for.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        self.ranges.lock().unwrap().clone()
    }

    pub(super) fn ignore_if_match(&self, ignores: bool) {
        self.ignores_if_match.store(ignores, Ordering::Relaxed);
    }

    pub(super) fn fail_from_now(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn get_opts(
        &self,
        location: &Path,
        mut options: GetOptions,
    ) -> object_store::Result<GetResult> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(object_store::Error::Generic { store: "test", source: "a failure".into() });
        }
        if self.ignores_if_match.load(Ordering::Relaxed) {
            options.if_match = None;
        }
        if let Some(GetRange::Bounded(range)) = &options.range {
            self.ranges.lock().unwrap().push(range.clone());
        }
        self.objects.get_opts(location, options).await
    }

    async fn put_opts(
        &self,
        _location: &Path,
        _payload: PutPayload,
        _options: PutOptions,
    ) -> object_store::Result<PutResult> {
        unreachable!("objects are only read")
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        unreachable!("objects are only read")
    }

    fn delete_stream(
        &self,
        _locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        unreachable!("objects are only read")
    }

    fn list(&self, _prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        unreachable!("objects are only read")
    }

    async fn list_with_delimiter(
        &self,
        _prefix: Option<&Path>,
    ) -> object_store::Result<ListResult> {
        unreachable!("objects are only read")
    }

    async fn copy_opts(
        &self,
        _from: &Path,
        _to: &Path,
        _options: CopyOptions,
    ) -> object_store::Result<()> {
        unreachable!("objects are only read")
    }
}
