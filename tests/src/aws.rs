//! Clients of AWS for the tests: what the servers here hold is set up and looked at through the ordinary SDK.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kinesis::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls;

use crate::Program;

/// Where everything is said to be.
pub const REGION: &str = "us-east-1";
const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_ACCESS_KEY: &str = "not-a-secret";

/// A client of the Kinesis at `url`, which repeats nothing: a test sees every refusal.
#[must_use]
pub fn kinesis_client(url: &str) -> aws_sdk_kinesis::Client {
    aws_sdk_kinesis::Client::new(&config(url))
}

/// A client of the DynamoDB at `url`, which repeats nothing: a test sees every refusal.
#[must_use]
pub fn dynamodb_client(url: &str) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&config(url))
}

/// A client of the SQS at `url`, which repeats nothing: a test sees every refusal.
#[must_use]
pub fn sqs_client(url: &str) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&config(url))
}

/// `program` with the credentials and the region that the servers of the tests take, and nothing that leads to others.
pub(crate) fn with_credentials(program: Program) -> Program {
    let program = program.env("AWS_REGION", REGION).env("AWS_EC2_METADATA_DISABLED", "true");
    program.env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID).env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
}

fn config(url: &str) -> SdkConfig {
    let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "tests");
    let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .build()
}
