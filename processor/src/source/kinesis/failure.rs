//! What the service refuses, by what to do next.
//!
//! Codes: Kinesis Data Streams API reference, "Errors" of each action, and "Common errors".

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::source::foreign_text::{chain, shown};

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The iterator is older than five minutes: get another, behind the last record that was read.
    #[error("the shard iterator has expired")]
    Expired,
    /// Too many calls or bytes: wait, longer each time.
    #[error("{action}: throttled: {message}")]
    Throttled {
        /// The IAM action.
        action: &'static str,
        /// What the service said.
        message: String,
    },
    /// The sequence number is no longer, or never was, in the shard: what lay there is lost.
    #[error("{action}: the position is not in the shard: {message}")]
    NoSuchPosition {
        /// The IAM action.
        action: &'static str,
        /// What the service said.
        message: String,
    },
    /// Somebody else has subscribed, or we ourselves less than five seconds ago: wait that long.
    #[error("{action}: in use: {message}")]
    InUse {
        /// The IAM action.
        action: &'static str,
        /// What the service said.
        message: String,
    },
    /// The stream, shard or consumer is not there.
    #[error("{action}: not found: {message}")]
    NotFound {
        /// The IAM action.
        action: &'static str,
        /// What the service said.
        message: String,
    },
    /// The key that encrypts the stream cannot be used: somebody must mend it.
    #[error(
        "{action}: the key of the stream cannot be used ({code}: {message}); the role needs kms:Decrypt, and the key must be enabled"
    )]
    Key {
        /// The IAM action.
        action: &'static str,
        /// The service's code.
        code: String,
        /// What the service said.
        message: String,
    },
    /// The role may not do this: somebody must mend it.
    #[error("{action}: access denied: allow it in the role's policy ({message})")]
    Denied {
        /// The IAM action.
        action: &'static str,
        /// What the service said.
        message: String,
    },
    /// Nobody knows who we are: somebody must mend it.
    #[error("{action}: no valid credentials: {message}")]
    Credentials {
        /// The IAM action.
        action: &'static str,
        /// What the service or the SDK said.
        message: String,
    },
    /// The request makes no sense to the service.
    #[error("{action}: refused ({code}: {message})")]
    Refused {
        /// The IAM action.
        action: &'static str,
        /// The service's code.
        code: String,
        /// What the service said.
        message: String,
    },
    /// No answer, or one that says nothing about us: try again.
    #[error("{action}: {message}")]
    Unavailable {
        /// The IAM action.
        action: &'static str,
        /// What is known.
        message: String,
    },
}

impl Failure {
    /// What it says of a failed call of `action`, which names the permission too.
    pub fn of<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let SdkError::ServiceError(service) = error
            && let Some(code) = service.err().code()
        {
            let message = service.err().message().unwrap_or("no message").to_owned();
            let is_of_the_server = service.raw().status().is_server_error();
            return match Self::of_code(action, code, message) {
                Self::Refused { code, message, .. } if is_of_the_server => {
                    Self::Unavailable { action, message: format!("{code}: {message}") }
                }
                failure => failure,
            };
        }
        Self::without_code(action, error)
    }

    /// What an error says that has no code of the service.
    pub fn without_code(action: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        let message = shown(&chain(error));
        if message.contains("credential") {
            return Self::Credentials { action, message };
        }
        Self::Unavailable { action, message }
    }

    /// What it says of a code of the service.
    #[must_use]
    pub fn of_code(action: &'static str, code: &str, message: String) -> Self {
        let message = shown(&message);
        match code {
            "ExpiredIteratorException" => Self::Expired,
            "ProvisionedThroughputExceededException"
            | "LimitExceededException"
            | "ThrottlingException"
            | "Throttling"
            | "RequestLimitExceeded"
            | "KMSThrottlingException" => Self::Throttled { action, message },
            "InvalidArgumentException" if is_about_a_position(&message) => {
                Self::NoSuchPosition { action, message }
            }
            "ResourceInUseException" => Self::InUse { action, message },
            "ResourceNotFoundException" => Self::NotFound { action, message },
            "AccessDeniedException" | "AccessDenied" => Self::Denied { action, message },
            "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "OptInRequired" => {
                Self::Credentials { action, message: format!("{code}: {message}") }
            }
            code if code.starts_with("KMS") => Self::Key { action, code: code.into(), message },
            "InternalFailure"
            | "InternalFailureException"
            | "InternalServerError"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "RequestTimeout" => {
                Self::Unavailable { action, message: format!("{code}: {message}") }
            }
            code => Self::Refused { action, code: code.into(), message },
        }
    }

    /// A stable label for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Expired => "expired_iterator",
            Self::Throttled { .. } => "throttled",
            Self::NoSuchPosition { .. } => "no_such_position",
            Self::InUse { .. } => "in_use",
            Self::NotFound { .. } => "not_found",
            Self::Key { .. } => "kms",
            Self::Denied { .. } => "access_denied",
            Self::Credentials { .. } => "credentials",
            Self::Refused { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// Whether only a person can mend it: it is told as an error, and tried again seldom.
    #[must_use]
    pub const fn needs_someone(&self) -> bool {
        matches!(
            self,
            Self::Key { .. }
                | Self::Denied { .. }
                | Self::Credentials { .. }
                | Self::Refused { .. }
        )
    }
}

/// `InvalidArgumentException` has no code of its own for a sequence number that was trimmed.
fn is_about_a_position(message: &str) -> bool {
    let message = message.to_ascii_lowercase().replace([' ', '_', '-'], "");
    message.contains("sequencenumber")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_of_the_service_has_its_reaction() {
        let reason = |code, message: &str| {
            Failure::of_code("kinesis:GetRecords", code, message.to_owned()).reason()
        };
        assert_eq!(reason("ExpiredIteratorException", ""), "expired_iterator");
        assert_eq!(reason("ProvisionedThroughputExceededException", ""), "throttled");
        assert_eq!(reason("KMSThrottlingException", ""), "throttled");
        assert_eq!(reason("KMSAccessDeniedException", ""), "kms");
        assert_eq!(reason("KMSDisabledException", ""), "kms");
        assert_eq!(reason("AccessDeniedException", ""), "access_denied");
        assert_eq!(reason("ResourceNotFoundException", ""), "not_found");
        assert_eq!(reason("InternalFailure", ""), "unavailable");
        let trimmed = "StartingSequenceNumber 49 used in GetShardIterator is invalid";
        assert_eq!(reason("InvalidArgumentException", trimmed), "no_such_position");
        assert_eq!(reason("InvalidArgumentException", "Limit is too large"), "refused");
        assert_eq!(reason("SomethingNew", ""), "refused");
    }

    #[test]
    fn whoever_lacks_a_permission_is_told_which() {
        let denied =
            Failure::of_code("kinesis:SubscribeToShard", "AccessDeniedException", "no".to_owned());
        let text = denied.to_string();
        assert!(text.starts_with("kinesis:SubscribeToShard: access denied"), "{text}");
        assert!(denied.needs_someone());
    }
}
