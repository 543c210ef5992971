//! One bucket, through `object_store`, with the credentials that AWS tools use.

use std::error::Error;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_kinesis::config::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::path::Path;
use object_store::{CredentialProvider, ObjectStoreExt, PutPayload, RetryConfig};
use tokio::sync::Mutex;

use crate::aws::chain;
use crate::misuse;

/// Puts objects.
pub(super) struct Bucket {
    store: AmazonS3,
}

/// Credentials of the SDK for `object_store`.
struct Credentials {
    provider: SharedCredentialsProvider,
    cached: Mutex<Option<Cached>>,
}

#[derive(Clone)]
struct Cached {
    credential: Arc<AwsCredential>,
    expires: Option<SystemTime>,
}

/// A put is tried again for so long.
const RETRIES_FOR: Duration = Duration::from_secs(30);
/// Credentials are fetched anew so long before they end.
const BEFORE_EXPIRY: Duration = Duration::from_secs(60);
const TOLD_CHARACTERS_MAX: usize = 300;

/// Looks at the start of keys.
///
/// # Errors
/// A misuse when objects of such keys would have other ones.
pub(super) fn check_key(prefix: &str) -> anyhow::Result<()> {
    Path::parse(prefix)
        .map(drop)
        .map_err(|error| misuse(format!("`{prefix}` cannot begin a key: {error}")))
}

impl Bucket {
    /// # Errors
    /// When the settings of the environment exclude each other.
    pub(super) fn new(
        name: &str,
        config: &SdkConfig,
        endpoint_url: Option<&str>,
    ) -> anyhow::Result<Self> {
        // Whoever comes second is told that one is there, which is what is meant.
        drop(rustls::crypto::ring::default_provider().install_default());
        let retry = RetryConfig { retry_timeout: RETRIES_FOR, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry);
        builder = builder.with_allow_http(true);
        if let Some(region) = config.region() {
            builder = builder.with_region(region.as_ref());
        }
        if let Some(url) = endpoint_url {
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, url);
        }
        if let Some(provider) = config.credentials_provider() {
            let cached = Mutex::new(None);
            builder = builder.with_credentials(Arc::new(Credentials { provider, cached }));
        }
        let store =
            builder.build().map_err(|error| anyhow!("no client of S3: {}", told(&error)))?;
        Ok(Self { store })
    }

    /// Puts one object, with retries.
    ///
    /// # Errors
    /// Why it is not there.
    pub(super) async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), String> {
        let path = Path::parse(key).map_err(|error| error.to_string())?;
        let put = self.store.put(&path, PutPayload::from(content)).await;
        put.map(drop).map_err(|error| told(&error))
    }
}

impl Credentials {
    async fn get(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut cached = self.cached.lock().await;
        if let Some(cached) = cached.as_ref().filter(|cached| cached.lasts()) {
            return Ok(Arc::clone(&cached.credential));
        }
        let fresh = self.provider.provide_credentials().await.map_err(|error| {
            object_store::Error::Generic { store: "credentials", source: chain(&error).into() }
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: fresh.access_key_id().to_owned(),
            secret_key: fresh.secret_access_key().to_owned(),
            token: fresh.session_token().map(str::to_owned),
        });
        let expires = fresh.expiry();
        *cached = Some(Cached { credential: Arc::clone(&credential), expires });
        Ok(credential)
    }
}

impl Cached {
    #[expect(clippy::disallowed_methods, reason = "the outermost edge: credentials expire")]
    fn lasts(&self) -> bool {
        self.expires.is_none_or(|expires| SystemTime::now() + BEFORE_EXPIRY < expires)
    }
}

/// Spelled out as the macro of the trait would: it is not worth another dependency.
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    fn get_credential<'this, 'future>(
        &'this self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'future>>
    where
        'this: 'future,
    {
        Box::pin(self.get())
    }
}

impl Debug for Credentials {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

/// Code and message of S3 where it answered, else the last of the causes, which says most. No URL: one
/// of credentials is as good as they are.
fn told(error: &object_store::Error) -> String {
    let first: &(dyn Error + 'static) = error;
    let causes = || std::iter::successors(Some(first), |error| (*error).source());
    let answer = causes().map(ToString::to_string).find_map(|text| {
        let (code, message) = (element(&text, "Code")?, element(&text, "Message"));
        Some(message.map_or_else(|| code.clone(), |message| format!("{code}: {message}")))
    });
    let last = || causes().last().map(ToString::to_string).unwrap_or_default();
    let line = answer.unwrap_or_else(last).replace('\n', " ");
    line.chars().take(TOLD_CHARACTERS_MAX).collect()
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.to_owned())
}
