//! The AWS SDK as flowscout uses it: over the TLS that is here anyway, and without retries of its own, since those who call know
//! better how long to wait.

use std::time::Duration;

use anyhow::{Context, anyhow};
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kinesis::config::SharedHttpClient;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::runtime::Builder;

use super::{Failure, io_failure, misuse};
use crate::source::kinesis::answer::Protocol;

/// An answer of 10 MB takes a second on a slow line; the KCL waits as long for Kinesis.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Region, if any, and credentials from where every AWS tool takes them: environment, profile, container or instance role.
pub(super) fn config() -> Result<SdkConfig, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start").map_err(io_failure)?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_MAX)
        .operation_attempt_timeout(ATTEMPT_MAX)
        .build();
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        // A subscription is silent for as long as nothing comes; its deadline is our own.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Ok(runtime.block_on(loader.load()))
}

/// For what is in the region of the environment or the profile: there must be one.
pub(super) fn regional_config() -> Result<SdkConfig, Failure> {
    let config = config()?;
    if config.region().is_none() {
        return Err(no_region());
    }
    Ok(config)
}

/// Of Kinesis; an empty address means the region's, or what `AWS_ENDPOINT_URL_KINESIS` says.
pub(super) fn kinesis(config: &SdkConfig, endpoint_url: &str) -> aws_sdk_kinesis::Client {
    let mut config = aws_sdk_kinesis::config::Builder::from(config).protocol(Protocol::new());
    if !endpoint_url.is_empty() {
        config.set_endpoint_url(Some(endpoint_url.to_owned()));
    }
    aws_sdk_kinesis::Client::from_conf(config.build())
}

/// Of DynamoDB; an empty address means the region's, or what `AWS_ENDPOINT_URL_DYNAMODB` says.
pub(super) fn dynamodb(config: &SdkConfig, endpoint_url: &str) -> aws_sdk_dynamodb::Client {
    let mut config = aws_sdk_dynamodb::config::Builder::from(config);
    // Its connections belong to the thread that renews leases, and to nobody else.
    config.set_http_client(Some(http_client()));
    if !endpoint_url.is_empty() {
        config.set_endpoint_url(Some(endpoint_url.to_owned()));
    }
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// Of SQS; an empty address means that of `region`, or what `AWS_ENDPOINT_URL_SQS` says. Without `region` it is the environment's.
pub(super) fn sqs(
    sdk: &SdkConfig,
    endpoint_url: &str,
    region: Option<&str>,
) -> Result<aws_sdk_sqs::Client, Failure> {
    let mut config = aws_sdk_sqs::config::Builder::from(sdk);
    if !endpoint_url.is_empty() {
        config.set_endpoint_url(Some(endpoint_url.to_owned()));
    }
    if let Some(region) = region {
        config.set_region(Some(Region::new(region.to_owned())));
    } else if sdk.region().is_none() {
        return Err(no_region());
    }
    Ok(aws_sdk_sqs::Client::from_conf(config.build()))
}

fn no_region() -> Failure {
    misuse(anyhow!("no AWS region: set AWS_REGION, or a region in the profile"))
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_queue_needs_none_in_the_environment() {
        let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
        let client = sqs(&sdk, "", Some("eu-central-1")).unwrap_or_else(|_| panic!("refused"));
        assert_eq!(client.config().region().map(AsRef::as_ref), Some("eu-central-1"));
        assert!(sqs(&sdk, "", None).is_err());
    }
}
