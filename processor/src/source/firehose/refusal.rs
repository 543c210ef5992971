//! Why a request is not answered 200, and what it is answered.
//!
//! Firehose tries again after any status but 200 and 413, and keeps what it gives up in its backup bucket. After 413 it
//! does neither, so there is none here that says so.

use hyper::StatusCode;

use crate::decode::request::RequestError;

/// Why a request was not applied, or not known to be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0} is not allowed here: requests of Firehose are POST")]
    Method(String),
    #[error("nothing is served at this path")]
    Path,
    #[error("the access key is missing or wrong")]
    AccessKey,
    #[error("X-Amz-Firehose-Protocol-Version is not 1.0")]
    ProtocolVersion,
    #[error("the header {0} is not as Firehose sends it")]
    BadHeader(&'static str),
    #[error("Content-Encoding is neither absent nor gzip")]
    ContentEncoding,
    #[error(transparent)]
    Body(#[from] RequestError),
    #[error("`requestId` of the body is not X-Amz-Firehose-Request-Id")]
    RequestId,
    #[error("the body broke off")]
    BrokenOff,
    #[error("the body did not arrive within {seconds} s")]
    Slow { seconds: u64 },
    #[error("too many bytes wait to be applied: try again")]
    Busy,
    #[error("it was not applied within {seconds} s: try again")]
    Late { seconds: u64 },
    #[error("the service is ending: try again")]
    Ending,
}

impl Refusal {
    /// What it is answered.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Path => StatusCode::NOT_FOUND,
            Self::AccessKey => StatusCode::UNAUTHORIZED,
            Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::Late { .. } | Self::Ending => StatusCode::SERVICE_UNAVAILABLE,
            Self::ProtocolVersion
            | Self::BadHeader(_)
            | Self::Body(_)
            | Self::RequestId
            | Self::BrokenOff => StatusCode::BAD_REQUEST,
        }
    }

    /// The label it is counted under.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Method(_) => "method",
            Self::Path => "path",
            Self::AccessKey => "access_key",
            Self::ProtocolVersion => "protocol_version",
            Self::BadHeader(_) => "bad_header",
            Self::ContentEncoding => "content_encoding",
            Self::Body(RequestError::BadGzip) => "bad_gzip",
            Self::Body(RequestError::TooLarge { .. }) => "too_large",
            Self::Body(RequestError::BadJson(_)) => "bad_json",
            Self::Body(RequestError::NoRecords) => "no_records",
            Self::Body(RequestError::TooManyRecords) => "too_many_records",
            Self::Body(RequestError::RecordTooLarge { .. }) => "record_too_large",
            Self::Body(RequestError::BadBase64 { .. }) => "bad_base64",
            Self::RequestId => "request_id",
            Self::BrokenOff => "broken_off",
            Self::Slow { .. } => "slow",
            Self::Busy => "busy",
            Self::Late { .. } => "late",
            Self::Ending => "ending",
        }
    }
}
