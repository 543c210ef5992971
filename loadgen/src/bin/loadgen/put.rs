//! One call that puts records, through the SDK, and what its errors mean.

mod firehose;
mod kinesis;

use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use loadgen::records::{Answer, Record, RecordError};

use crate::aws::chain;
use crate::options::Kind;

/// Puts into one stream.
#[derive(Debug)]
pub(crate) enum Put {
    Kinesis(kinesis::Stream),
    Firehose(firehose::Stream),
}

/// What a message names.
struct Names<'a> {
    stream: &'a str,
    action: &'static str,
}

/// What came of the records, and why those that were refused were refused; or a reason for which no
/// later try can go better.
type Judged = Result<(Answer, String), String>;

/// Codes of a shard, a stream, an account or a key that takes no more for now.
const THROTTLED: [&str; 6] = [
    "ProvisionedThroughputExceededException",
    "ServiceUnavailableException",
    "LimitExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "KMSThrottlingException",
];

impl Put {
    /// A stream of this kind, by its name or ARN.
    pub(crate) fn new(kind: Kind, config: &SdkConfig, stream: &str) -> Self {
        match kind {
            Kind::Firehose => Self::Firehose(firehose::Stream::new(config, stream)),
            _ => Self::Kinesis(kinesis::Stream::new(config, stream)),
        }
    }

    /// What came of the records, and why those that were refused were refused.
    ///
    /// # Errors
    /// A reason for which no later try can go better.
    pub(crate) async fn send(&self, records: &[Record]) -> Judged {
        match self {
            Self::Kinesis(stream) => stream.send(records).await,
            Self::Firehose(stream) => stream.send(records).await,
        }
    }
}

/// What an error says of a whole call.
fn judge<E>(error: &SdkError<E>, names: &Names<'_>) -> Judged
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let Names { stream, action } = names;
    let reason = || chain(error);
    let said = |code: &str| match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    };
    match (error.code(), error) {
        (Some(code), _) if THROTTLED.contains(&code) => Ok((Answer::Throttled, said(code))),
        (Some(code @ "ResourceNotFoundException"), _) => {
            Err(format!("there is no stream {stream} in this region and account ({})", said(code)))
        }
        (Some(code @ ("AccessDeniedException" | "AccessDenied")), _) => {
            Err(format!("access denied: {action} on {stream} is needed ({})", said(code)))
        }
        (_, SdkError::ServiceError(context)) if context.raw().status().as_u16() < 500 => {
            Err(error.code().map_or_else(reason, said))
        }
        (_, SdkError::ConstructionFailure(_)) => Err(reason()),
        (code, _) => Ok((Answer::Failed, code.map_or_else(reason, said))),
    }
}

/// Each record's result by its error code, and the reason of the last that was refused.
fn results<'a>(codes: impl Iterator<Item = Option<&'a str>>) -> (Answer, String) {
    let mut reason = String::new();
    let results = codes.map(|code| match code {
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
