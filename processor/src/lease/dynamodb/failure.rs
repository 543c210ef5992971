//! What an error of the SDK means for whoever wrote.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use super::DynamoDb;
use crate::lease::StoreError;

/// DynamoDB developer guide, "Error handling": too many requests of any kind.
const THROTTLED: &[&str] = &[
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The caller is not allowed, or not known.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "UnrecognizedClientException",
];

/// Failures after which the same request may do.
const PASSING: &[&str] =
    &["InternalServerError", "ServiceUnavailable", "TransactionConflictException"];

impl DynamoDb {
    /// Why an `action` of IAM came to nothing.
    pub(super) fn failed<E>(&self, action: &'static str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let SdkError::ServiceError(service) = error else {
            // Not sent, or sent and not answered: one cannot always tell.
            return StoreError::Unavailable(format!("{action}: {}", causes(error)));
        };
        let code = service.err().code().unwrap_or_default();
        let message = service.err().message().unwrap_or(code);
        if THROTTLED.contains(&code) {
            StoreError::Throttled
        } else if DENIED.contains(&code) {
            let (table, message) = (self.table.to_string(), message.to_owned());
            StoreError::Denied { action, table, message }
        } else if PASSING.contains(&code) || service.raw().status().is_server_error() {
            StoreError::Unavailable(format!("{code}: {message}"))
        } else {
            StoreError::Unusable(format!("table {}: {action}: {code}: {message}", self.table))
        }
    }
}

/// An error and what caused it, each only where it adds something.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).fold(String::new(), |text, cause| {
        match (text.is_empty(), text.contains(&cause)) {
            (true, _) => cause,
            (false, true) => text,
            (false, false) => format!("{text}: {cause}"),
        }
    })
}
