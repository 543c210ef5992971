//! The fields of a request.

use serde_json::Value;

use super::refusal::Refusal;
use super::shard::Start;

/// A JSON object.
#[derive(Debug)]
pub(super) struct Arguments(Value);

impl Arguments {
    pub(super) fn new(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| Refusal::new("SerializationException", error))
    }

    /// A text that is there and not empty.
    pub(super) fn find(&self, field: &str) -> Option<&str> {
        self.0[field].as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn text(&self, field: &str) -> Result<&str, Refusal> {
        self.find(field).ok_or_else(|| missing(field))
    }

    pub(super) fn count(&self, field: &str) -> Option<u32> {
        self.0[field].as_u64().and_then(|count| u32::try_from(count).ok())
    }

    pub(super) fn object(&self, field: &str) -> Option<Self> {
        Some(Self(self.0[field].clone())).filter(|object| object.0.is_object())
    }

    pub(super) fn json(&self) -> &Value {
        &self.0
    }

    /// The name of the stream that is meant.
    pub(super) fn stream(&self) -> Result<&str, Refusal> {
        if let Some(name) = self.find("StreamName") {
            return Ok(name);
        }
        let arn = self.find("StreamARN").or_else(|| self.find("ConsumerARN"));
        let arn = arn.ok_or_else(|| {
            Refusal::invalid("Either StreamName or StreamARN should be provided.")
        })?;
        stream_of(arn)
            .ok_or_else(|| Refusal::invalid(format_args!("{arn} is not the ARN of a stream")))
    }

    /// Milliseconds since 1970 of a time, which is in seconds.
    pub(super) fn epoch_ms(&self, field: &str) -> Option<u64> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, which serves as well"
        )]
        self.0[field].as_f64().map(|seconds| (seconds * 1000.0).round() as u64)
    }

    /// Where reading starts; the two operations that ask name the fields differently.
    pub(super) fn start(&self, kind: &str, sequence_number: &str) -> Result<Start, Refusal> {
        let number = || self.text(sequence_number).map(str::to_owned);
        match self.text(kind)? {
            "TRIM_HORIZON" => Ok(Start::Oldest),
            "LATEST" => Ok(Start::Newest),
            "AT_SEQUENCE_NUMBER" => number().map(Start::At),
            "AFTER_SEQUENCE_NUMBER" => number().map(Start::After),
            "AT_TIMESTAMP" => {
                self.epoch_ms("Timestamp").map(Start::AtMs).ok_or_else(|| missing("Timestamp"))
            }
            other => Err(Refusal::validation(format_args!("Value '{other}' at '{kind}'"))),
        }
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::validation(format_args!("Value null at '{field}': must not be null"))
}

/// The name in the ARN of a stream or of a consumer of it.
fn stream_of(arn: &str) -> Option<&str> {
    let (_, name) = arn.strip_prefix("arn:aws:kinesis:")?.split_once(":stream/")?;
    Some(name.split_once("/consumer/").map_or(name, |(name, _consumer)| name))
}
