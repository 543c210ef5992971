//! The settings that every AWS tool reads.

use std::error::Error;
use std::time::Duration;

use anyhow::anyhow;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_kinesis::config::ProvideCredentials;
use aws_smithy_http_client::tls;

use crate::misuse;

/// A shard takes 1 MB in a second; the largest request, all for one shard, is answered before this.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Region, credentials and endpoint. Clients made of it do not retry: we do, record by record.
///
/// # Errors
/// A misuse if there is no region; an error if there are no credentials.
pub(crate) async fn config(endpoint_url: Option<&str>) -> anyhow::Result<SdkConfig> {
    let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(REQUEST_TIMEOUT)
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let config = match endpoint_url {
        Some(url) => loader.endpoint_url(url).load().await,
        None => loader.load().await,
    };
    check(&config).await?;
    Ok(config)
}

async fn check(config: &SdkConfig) -> anyhow::Result<()> {
    if config.region().is_none() {
        return Err(misuse("no AWS region: set AWS_REGION, or `region` in your AWS profile"));
    }
    let Some(provider) = config.credentials_provider() else {
        return Err(anyhow!("no AWS credentials"));
    };
    provider.provide_credentials().await.map(drop).map_err(|error| {
        anyhow!(
            "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({})",
            chain(&error)
        )
    })
}

/// The error and what caused it, which the SDK shows only one by one.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
