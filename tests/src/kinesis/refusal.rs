//! What the server answers when it does not do what it was asked.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use serde_json::json;

/// An error of the API, with the name that the SDK turns into a type.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: Cow<'static, str>,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: impl Into<Cow<'static, str>>, message: impl Display) -> Self {
        Self { code: code.into(), message: message.to_string() }
    }

    pub(super) fn invalid(message: impl Display) -> Self {
        Self::new("InvalidArgumentException", message)
    }

    pub(super) fn in_use(message: impl Display) -> Self {
        Self::new("ResourceInUseException", message)
    }

    pub(super) fn not_found(message: impl Display) -> Self {
        Self::new("ResourceNotFoundException", message)
    }

    pub(super) fn throttled(message: impl Display) -> Self {
        Self::new("ProvisionedThroughputExceededException", message)
    }

    /// Beyond what the model of the API allows.
    pub(super) fn validation(message: impl Display) -> Self {
        Self::new("ValidationException", format_args!("1 validation error detected: {message}"))
    }

    /// 500 for what the service did wrong, 400 for what the caller did.
    pub(super) fn status(&self) -> u16 {
        if ["InternalFailure", "ServiceUnavailable"].iter().any(|name| self.code.starts_with(name))
        {
            500
        } else {
            400
        }
    }

    pub(super) fn json(&self) -> Bytes {
        json!({"__type": self.code, "message": self.message}).to_string().into()
    }

    /// An answer inside a stream of events, where the name stands in a header.
    pub(super) fn event_json(&self) -> Bytes {
        json!({"message": self.message}).to_string().into()
    }
}
