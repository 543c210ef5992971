//! Buckets by name: region, endpoint and credentials as the AWS SDK finds them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_kinesis::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use indexmap::IndexMap;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, ObjectStore, RetryConfig};

use crate::s3::{AddressError, Answer, CredentialsError, innermost, is_bucket, is_region};

/// Buckets by name, with the AWS SDK's credentials, region and endpoint.
pub struct Buckets {
    region: String,
    endpoint_url: Option<String>,
    credentials: Option<Arc<SdkCredentials>>,
    known: std::sync::Mutex<Known>,
    /// Where buckets were found to be that are in another region.
    moved: std::sync::Mutex<BTreeMap<String, String>>,
}

/// Clients by region and bucket, the oldest first.
type Known = IndexMap<(String, String), Arc<AmazonS3>>;

/// Why a bucket cannot be asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BucketError {
    /// No bucket has such a name.
    #[error(transparent)]
    Name(AddressError),
    /// Region or endpoint are none.
    #[error("S3 cannot be used with this environment: {0}")]
    Environment(String),
}

/// Each has connections of its own.
const KNOWN_MAX: usize = 64;
/// A range is tried again for so long after a refused connection, a broken one, or an answer that S3 is busy.
const RETRIES_MAX: Duration = Duration::from_secs(30);
/// The time of retries is bounded, their number is not.
const RETRY_COUNT_MAX: usize = 1000;
const BACKOFF_MAX: Duration = Duration::from_secs(4);
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Nothing comes on a connection for so long.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// A range over a line of 70 kB/s.
const ATTEMPT_MAX: Duration = Duration::from_secs(120);

impl Buckets {
    /// An empty `endpoint_url` is the region's, or what `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` says.
    #[must_use]
    pub fn new(sdk: &SdkConfig, endpoint_url: &str) -> Self {
        let of_environment = || std::env::var("AWS_ENDPOINT_URL_S3").ok();
        let configured = (!endpoint_url.is_empty()).then(|| endpoint_url.to_owned());
        let endpoint_url = configured
            .or_else(of_environment)
            .or_else(|| sdk.endpoint_url().map(str::to_owned))
            .filter(|url| !url.is_empty());
        let credentials = sdk.credentials_provider().map(|provider| {
            let latest = tokio::sync::Mutex::new(None);
            Arc::new(SdkCredentials { provider, latest })
        });
        let region = sdk.region().map_or(DEFAULT_REGION, |region| region.as_ref()).to_owned();
        let (known, moved) = (std::sync::Mutex::default(), std::sync::Mutex::default());
        Self { region, endpoint_url, credentials, known, moved }
    }

    /// The bucket of this name; `None` is the region that everything is in, unless [`Self::follow`] found it elsewhere.
    ///
    /// # Errors
    /// When no bucket can have this name, or the environment has what S3 cannot be used with.
    pub fn bucket(
        &self,
        name: &str,
        region: Option<&str>,
    ) -> Result<Arc<dyn ObjectStore>, BucketError> {
        Ok(self.client(name, region)?)
    }

    /// The same bucket, to list it.
    pub(super) fn pages(&self, name: &str) -> Result<Arc<dyn PaginatedListStore>, BucketError> {
        Ok(self.client(name, None)?)
    }

    /// Whether `error` was that the bucket is in another region, and it is known now in which: it is asked there from now on.
    pub async fn follow(&self, name: &str, error: &object_store::Error) -> bool {
        let region = match Answer::of(error) {
            Some(Answer { region: Some(region), .. }) => Some(region),
            // The answer to a request for the head of something has no body that would say it.
            Some(Answer { status, code: None, .. })
                if status.starts_with("30") || status.starts_with("400") =>
            {
                self.ask_region(name).await
            }
            None if innermost(error).contains("redirect") => self.ask_region(name).await,
            _ => None,
        };
        let Some(region) = region.filter(|region| is_region(region)) else { return false };
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let before = moved.insert(name.to_owned(), region.clone());
        before.as_ref().unwrap_or(&self.region) != &region
    }

    /// Any answer of S3 about a bucket says where it is, even that it is not there.
    async fn ask_region(&self, name: &str) -> Option<String> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .timeout(SILENCE_MAX)
            .build()
            .ok()?;
        let url = format!("{}/{name}", self.endpoint_url(&self.region).trim_end_matches('/'));
        let answer = client.head(url).send().await.ok()?;
        let region = answer.headers().get("x-amz-bucket-region")?;
        region.to_str().ok().map(str::to_owned)
    }

    fn client(&self, name: &str, region: Option<&str>) -> Result<Arc<AmazonS3>, BucketError> {
        if !is_bucket(name) {
            return Err(BucketError::Name(AddressError::Bucket));
        }
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let region = region.or(moved.as_deref()).unwrap_or(&self.region);
        if !is_region(region) {
            return Err(BucketError::Environment("AWS_REGION is not the name of a region".into()));
        }
        let key = (region.to_owned(), name.to_owned());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(&key) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(self.connect(name, region)?);
        if known.len() >= KNOWN_MAX {
            known.shift_remove_index(0);
        }
        known.insert(key, Arc::clone(&client));
        Ok(client)
    }

    fn connect(&self, name: &str, region: &str) -> Result<AmazonS3, BucketError> {
        // Whoever comes second is told that one is there, which is what is meant.
        drop(rustls::crypto::ring::default_provider().install_default());
        let backoff = BackoffConfig { max_backoff: BACKOFF_MAX, ..BackoffConfig::default() };
        let retries =
            RetryConfig { backoff, max_retries: RETRY_COUNT_MAX, retry_timeout: RETRIES_MAX };
        let endpoint_url = self.endpoint_url(region);
        let options = ClientOptions::new()
            .with_allow_http(endpoint_url.starts_with("http://"))
            .with_connect_timeout(CONNECT_MAX)
            .with_read_timeout(SILENCE_MAX)
            .with_timeout(ATTEMPT_MAX);
        let builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(region)
            .with_endpoint(endpoint_url)
            .with_client_options(options)
            .with_retry(retries);
        let builder = match &self.credentials {
            Some(credentials) => builder.with_credentials(Arc::clone(credentials) as _),
            None => builder.with_skip_signature(true),
        };
        builder.build().map_err(|error| BucketError::Environment(innermost(&error)))
    }

    fn endpoint_url(&self, region: &str) -> String {
        self.endpoint_url.clone().unwrap_or_else(|| {
            let top = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://s3.{region}.{top}")
        })
    }
}

/// Where S3 began, and where it sends those who know no better.
const DEFAULT_REGION: &str = "us-east-1";

impl fmt::Debug for Buckets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Buckets").field("region", &self.region).finish_non_exhaustive()
    }
}

/// The SDK's credentials for another client of S3. The SDK keeps none itself.
#[derive(Debug)]
struct SdkCredentials {
    provider: SharedCredentialsProvider,
    latest: tokio::sync::Mutex<Option<(Option<SystemTime>, Arc<AwsCredential>)>>,
}

/// Credentials are renewed so long before they expire, as the other clients of the SDK do or sooner.
const BEFORE_EXPIRY: Duration = Duration::from_secs(120);

impl SdkCredentials {
    #[expect(clippy::disallowed_methods, reason = "credentials expire by the clock")]
    async fn get(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut latest = self.latest.lock().await;
        let now = SystemTime::now();
        let is_good = |expiry: &Option<SystemTime>, spare: Duration| {
            expiry.is_none_or(|expiry| now + spare < expiry)
        };
        if let Some((expiry, credential)) = &*latest
            && is_good(expiry, BEFORE_EXPIRY)
        {
            return Ok(Arc::clone(credential));
        }
        match (self.provider.provide_credentials().await, &*latest) {
            (Ok(credentials), _) => {
                let credential = Arc::new(of_sdk(&credentials));
                *latest = Some((credentials.expiry(), Arc::clone(&credential)));
                Ok(credential)
            }
            (Err(_late), Some((expiry, credential))) if is_good(expiry, Duration::ZERO) => {
                Ok(Arc::clone(credential))
            }
            (Err(error), _) => {
                // What was tried stands on further lines, which are left out.
                let told = innermost(&error);
                let told = told.trim_end_matches("Attempted:").trim_end_matches([' ', '.']);
                let source = Box::new(CredentialsError(told.to_owned()));
                Err(object_store::Error::Generic { store: "S3", source })
            }
        }
    }
}

fn of_sdk(credentials: &Credentials) -> AwsCredential {
    AwsCredential {
        key_id: credentials.access_key_id().to_owned(),
        secret_key: credentials.secret_access_key().to_owned(),
        token: credentials.session_token().map(str::to_owned),
    }
}

impl CredentialProvider for SdkCredentials {
    type Credential = AwsCredential;

    fn get_credential<'s, 'f>(
        &'s self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(self.get())
    }
}

#[cfg(test)]
mod tests;
