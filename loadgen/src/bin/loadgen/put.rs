//! One call of `PutRecords` through the SDK, and what its errors mean.

use std::error::Error;
use std::time::Duration;

use anyhow::anyhow;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::ProvideCredentials;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsOutput};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_http_client::tls;
use loadgen::records::{Answer, Record, RecordError};

use crate::misuse;

/// Puts into one stream.
#[derive(Debug)]
pub(crate) struct Put {
    client: Client,
    stream: String,
}

/// A shard takes 1 MB in a second; the largest request, all for one shard, is answered before this.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Codes of a shard, an account or a key that takes no more for now.
const THROTTLED: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "KMSThrottlingException",
];

/// A client with the settings that every AWS tool reads. It does not retry: we do, record by record.
///
/// # Errors
/// A misuse if there is no region; an error if there are no credentials.
pub(crate) async fn client(endpoint_url: Option<&str>) -> anyhow::Result<Client> {
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
    Ok(Client::new(&config))
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

impl Put {
    pub(crate) fn new(client: Client, stream: &str) -> Self {
        Self { client, stream: stream.to_owned() }
    }

    /// What came of the records, and why those that were refused were refused.
    ///
    /// # Errors
    /// A reason for which no later try can go better.
    pub(crate) async fn send(&self, records: &[Record]) -> Result<(Answer, String), String> {
        let entries = records.iter().map(entry).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|error| error.to_string())?;
        let request = self.client.put_records().set_records(Some(entries));
        let request = if self.stream.starts_with("arn:") {
            request.stream_arn(&self.stream)
        } else {
            request.stream_name(&self.stream)
        };
        match request.send().await {
            Ok(output) => Ok(results(&output)),
            Err(error) => self.judge(&error),
        }
    }

    fn judge(&self, error: &SdkError<PutRecordsError>) -> Result<(Answer, String), String> {
        let stream = &self.stream;
        let reason = || chain(error);
        let said = |code: &str| match error.message() {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        };
        match (error.code(), error) {
            (Some(code), _) if THROTTLED.contains(&code) => Ok((Answer::Throttled, said(code))),
            (Some(code @ "ResourceNotFoundException"), _) => Err(format!(
                "there is no stream {stream} in this region and account ({})",
                said(code)
            )),
            (Some(code @ ("AccessDeniedException" | "AccessDenied")), _) => Err(format!(
                "access denied: kinesis:PutRecords on {stream} is needed ({})",
                said(code)
            )),
            (_, SdkError::ServiceError(context)) if context.raw().status().as_u16() < 500 => {
                Err(error.code().map_or_else(reason, said))
            }
            (_, SdkError::ConstructionFailure(_)) => Err(reason()),
            (code, _) => Ok((Answer::Failed, code.map_or_else(reason, said))),
        }
    }
}

/// The error and what caused it, which the SDK shows only one by one.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn entry(record: &Record) -> Result<PutRecordsRequestEntry, aws_sdk_kinesis::error::BuildError> {
    PutRecordsRequestEntry::builder()
        .data(Blob::new(record.data.clone()))
        .partition_key(&record.key)
        .build()
}

/// Each record's result, and the reason of the last that was refused.
fn results(output: &PutRecordsOutput) -> (Answer, String) {
    let mut reason = String::new();
    let results = output.records().iter().map(|entry| match entry.error_code() {
        None => Ok(()),
        Some(code) => {
            code.clone_into(&mut reason);
            let throttled = THROTTLED.contains(&code);
            Err(if throttled { RecordError::Throttled } else { RecordError::Failed })
        }
    });
    let results = results.collect();
    (Answer::Results(results), reason)
}
