//! The client of S3.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ObjectStore, PutOptions, PutPayload, RetryConfig,
};

use super::cause::Cause;
use crate::s3::{Prefix, Refusal, innermost};

/// The environment, or the machine, has what S3 cannot be used with.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{prefix}: S3 cannot be used with this environment: {problem}")]
pub struct StoreError {
    /// Where letters were to go.
    pub prefix: Prefix,
    /// What is wrong.
    pub problem: String,
}

/// A bucket, or what stands for one in a test.
#[derive(Debug)]
pub(super) struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Asked before every put, which would ask them anyway, so that it is known whose failure it is. `None` when requests
    /// are not signed.
    credentials: Option<AwsCredentialProvider>,
    patience: Patience,
}

/// How long to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// A put is tried again for so long after a refused connection, a broken one, or an answer that S3 is busy.
    pub(super) retries_max: Duration,
    /// A put with all its retries, and fetching credentials, may take so long. Longer than the retries, so that it is
    /// them that end, and say why.
    pub(super) put_max: Duration,
    /// The same after a put that failed.
    pub(super) probe_max: Duration,
}

const PATIENCE: Patience = Patience {
    retries_max: Duration::from_secs(25),
    put_max: Duration::from_secs(40),
    probe_max: Duration::from_secs(5),
};
const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// The time of retries is bounded, their number is not.
const RETRIES_MAX: usize = 1000;

impl Store {
    /// With region, credentials and endpoint from the environment.
    pub(super) fn from_env(prefix: &Prefix) -> Result<Self, StoreError> {
        Self::new(AmazonS3Builder::from_env(), prefix, PATIENCE)
    }

    /// With what `builder` has, and the bucket of `prefix`.
    pub(super) fn new(
        builder: AmazonS3Builder,
        prefix: &Prefix,
        patience: Patience,
    ) -> Result<Self, StoreError> {
        // Whoever comes second is told that one is there, which is what is meant.
        drop(rustls::crypto::ring::default_provider().install_default());
        let unsigned = builder.get_config_value(&AmazonS3ConfigKey::SkipSignature);
        let is_signed = unsigned.is_none_or(|unsigned| unsigned == "false");
        let backoff = BackoffConfig { max_backoff: BACKOFF_MAX, ..BackoffConfig::default() };
        let retries =
            RetryConfig { backoff, max_retries: RETRIES_MAX, retry_timeout: patience.retries_max };
        let built = builder.with_bucket_name(&prefix.bucket).with_retry(retries).build();
        let store = built.map_err(|error| {
            let (prefix, problem) = (prefix.clone(), innermost(&error));
            StoreError { prefix, problem }
        })?;
        let credentials = is_signed.then(|| Arc::clone(store.credentials()));
        Ok(Self { objects: Arc::new(store), credentials, patience })
    }

    /// Puts one object of JSON lines, and does not try for long when `is_failing`.
    pub(super) async fn put(
        &self,
        key: &Path,
        lines: Bytes,
        is_failing: bool,
    ) -> Result<(), Cause> {
        let Patience { put_max, probe_max, .. } = self.patience;
        let limit = if is_failing { probe_max } else { put_max };
        let put = tokio::time::timeout(limit, self.put_patiently(key, lines));
        put.await.unwrap_or(Err(Cause::Slow { limit }))
    }

    async fn put_patiently(&self, key: &Path, lines: Bytes) -> Result<(), Cause> {
        if let Some(credentials) = &self.credentials {
            let got = credentials.get_credential().await;
            got.map_err(|error| Refusal::of_credentials(&error))?;
        }
        let attributes = Attributes::from_iter([(Attribute::ContentType, "application/x-ndjson")]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        let put = self.objects.put_opts(key, PutPayload::from_bytes(lines), options).await;
        put.map_or_else(|error| Err(Refusal::of(&error).into()), |_put| Ok(()))
    }
}

#[cfg(test)]
impl From<Arc<dyn ObjectStore>> for Store {
    fn from(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, credentials: None, patience: PATIENCE }
    }
}
