//! What SQS refuses, by what to do next.
//!
//! Codes: Amazon SQS API Reference, "Errors" of each action, and "Common errors". Those of the older query protocol come too,
//! since the service sends both.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::source::foreign_text::{chain, shown};

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {kind}{message}")]
pub struct Failure {
    /// The IAM action.
    pub action: &'static str,
    /// What it means.
    pub kind: Kind,
    /// What the service said, with its code where that tells more.
    pub message: String,
}

/// What to do about a call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// There is no such queue.
    #[error("there is no such queue (is it in this region and account?): ")]
    NotFound,
    /// Too many calls, or messages that were received and not deleted: wait, longer each time.
    #[error("throttled: ")]
    Throttled,
    /// The message is not ours any more: its timeout was over, or it was deleted.
    #[error("the message is not ours any more: ")]
    NotOurs,
    /// The role may not do this: somebody must mend it.
    #[error(
        "access denied: allow it in the role's policy, and in the queue's if that is another account's: "
    )]
    Denied,
    /// The key that encrypts the queue cannot be used: somebody must mend it.
    #[error(
        "the key of the queue cannot be used; the role needs kms:Decrypt, and the key must be enabled: "
    )]
    Key,
    /// Nobody knows who we are: somebody must mend it.
    #[error("no valid credentials: ")]
    Credentials,
    /// The request makes no sense to the service.
    #[error("refused: ")]
    Refused,
    /// No answer, or one that says nothing about us: try again.
    #[error("")]
    Unavailable,
}

impl Failure {
    /// What it says of a failed call of `action`, which names the permission too.
    pub(super) fn of<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        if let SdkError::ServiceError(service) = error
            && let Some(code) = service.err().code()
        {
            let message = service.err().message().unwrap_or("no message");
            let failure = Self::of_code(action, code, message);
            let is_of_the_server = service.raw().status().is_server_error();
            return match failure.kind {
                Kind::Refused if is_of_the_server => Self { kind: Kind::Unavailable, ..failure },
                _ => failure,
            };
        }
        let message = shown(&chain(error));
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let kind = match status {
            // Without a code: whoever stands between us and the service says so.
            Some(401 | 403) => Kind::Denied,
            _ if message.contains("credential") => Kind::Credentials,
            _ => Kind::Unavailable,
        };
        Self { action, kind, message }
    }

    /// No answer came in time.
    pub(super) fn unanswered(action: &'static str) -> Self {
        Self { action, kind: Kind::Unavailable, message: "no answer in time".to_owned() }
    }

    /// What it says of a code of the service.
    #[must_use]
    pub fn of_code(action: &'static str, code: &str, message: &str) -> Self {
        let short = code.rsplit(['#', '.']).next().unwrap_or(code);
        let kind = match short {
            "OverLimit"
            | "RequestThrottled"
            | "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "KmsThrottled"
            | "SlowDown" => Kind::Throttled,
            short if short.starts_with("Kms") || code.starts_with("KMS.") => Kind::Key,
            "QueueDoesNotExist"
            | "NonExistentQueue"
            | "QueueDeletedRecently"
            | "InvalidAddress" => Kind::NotFound,
            "ReceiptHandleIsInvalid" | "MessageNotInflight" => Kind::NotOurs,
            // A handle whose timeout has long been over is a wrong value, too.
            "InvalidParameterValue" if message.contains("eceipt") => Kind::NotOurs,
            "AccessDenied" | "AccessDeniedException" | "InvalidSecurity" => Kind::Denied,
            "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidAccessKeyId"
            | "OptInRequired" => Kind::Credentials,
            "InternalFailure" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" => {
                Kind::Unavailable
            }
            _ => Kind::Refused,
        };
        Self { action, kind, message: shown(&format!("{short}: {message}")) }
    }

    /// A stable label for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.kind {
            Kind::NotFound => "queue_not_found",
            Kind::Throttled => "queue_throttled",
            Kind::NotOurs => "message_not_ours",
            Kind::Denied => "queue_access_denied",
            Kind::Key => "queue_kms",
            Kind::Credentials => "queue_credentials",
            Kind::Refused => "queue_refused",
            Kind::Unavailable => "queue_unavailable",
        }
    }

    /// Whether only a person can mend it: it is told as an error, and tried again seldom.
    #[must_use]
    pub const fn needs_someone(&self) -> bool {
        matches!(
            self.kind,
            Kind::NotFound | Kind::Denied | Kind::Key | Kind::Credentials | Kind::Refused
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_of_the_service_has_its_reaction() {
        let kind = |code, message| Failure::of_code("sqs:ReceiveMessage", code, message).kind;
        assert_eq!(kind("AWS.SimpleQueueService.NonExistentQueue", ""), Kind::NotFound);
        assert_eq!(kind("com.amazonaws.sqs#QueueDoesNotExist", ""), Kind::NotFound);
        assert_eq!(kind("OverLimit", ""), Kind::Throttled);
        assert_eq!(kind("RequestThrottled", ""), Kind::Throttled);
        assert_eq!(kind("KMS.ThrottlingException", ""), Kind::Throttled);
        assert_eq!(kind("KmsAccessDenied", ""), Kind::Key);
        assert_eq!(kind("KMS.NotFoundException", ""), Kind::Key);
        assert_eq!(kind("KMS.AccessDeniedException", ""), Kind::Key);
        assert_eq!(kind("AccessDenied", ""), Kind::Denied);
        assert_eq!(kind("AWS.SimpleQueueService.MessageNotInflight", ""), Kind::NotOurs);
        let expired = "Value x for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.";
        assert_eq!(kind("InvalidParameterValue", expired), Kind::NotOurs);
        assert_eq!(kind("InvalidParameterValue", "VisibilityTimeout"), Kind::Refused);
        assert_eq!(kind("ServiceUnavailable", ""), Kind::Unavailable);
    }

    #[test]
    fn whoever_lacks_a_permission_is_told_which() {
        let denied = Failure::of_code("sqs:DeleteMessage", "AccessDeniedException", "no");
        assert!(denied.to_string().starts_with("sqs:DeleteMessage: access denied"), "{denied}");
        assert!(denied.needs_someone());
    }
}
