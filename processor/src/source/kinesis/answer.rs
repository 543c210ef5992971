//! What GetRecords answers, read two to four times as fast as the SDK reads it (`cargo bench -p flowscout-benches --bench kinesis`).
//!
//! The SDK lets a client choose the code that reads and writes its wire format. [`Protocol`] is that of Kinesis, awsJson1.1,
//! and leaves everything to the SDK but the answer of GetRecords, which carries megabytes. Spelt as AWS spells it, without
//! white space, escapes or nulls, it is read in one pass, the end of strings being looked for with vector instructions, and
//! the base64 of all its records is decoded into one allocation that they share. Anything else in it, an unknown member, a
//! list of child shards, or a mistake, hands the whole answer to the SDK: what comes out, and which error, is the same.
//!
//! Because records share an allocation, one that is kept keeps all of its answer, at most 10 MB: copy what has to live long.
//!
//! Sources: the rules of awsJson1.1 in aws-smithy-json, which the tests hold this module to, and the Kinesis Data Streams API reference, `GetRecords`.

use std::ops::Range;

use aws_smithy_json::protocol::aws_json_rpc::AwsJsonRpcProtocol;
use aws_smithy_runtime_api::http::{Request, Response};
use aws_smithy_schema::codec::DynCodec;
use aws_smithy_schema::protocol::{ClientProtocolInner, apply_http_endpoint};
use aws_smithy_schema::serde::{SerdeError, SerializableStruct, ShapeDeserializer};
use aws_smithy_schema::{Schema, ShapeId};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::endpoint::Endpoint;
use aws_smithy_types::error::metadata::Builder as ErrorMetadataBuilder;
use base64_turbo::STANDARD;
use bytes::Bytes;
use memchr::memchr;

mod playback;

use playback::Playback;

/// Kinesis's wire format with a faster reader for GetRecords. Give it to the client's configuration:
/// `aws_sdk_kinesis::config::Builder::from(&shared).protocol(Protocol::new())`.
#[derive(Debug)]
pub struct Protocol {
    stock: AwsJsonRpcProtocol,
}

/// An answer in AWS's spelling.
#[derive(Debug, Default, PartialEq)]
struct Answer<'b> {
    records: Option<Vec<Record<'b>>>,
    next_shard_iterator: Option<&'b str>,
    millis_behind_latest: Option<i64>,
    /// The payloads of all records.
    payloads: Bytes,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Record<'b> {
    sequence_number: Option<&'b str>,
    /// Seconds since the epoch.
    arrival_s: Option<f64>,
    /// Where in `payloads`.
    data: Option<Range<usize>>,
    partition_key: Option<&'b str>,
    encryption_type: Option<&'b str>,
}

impl Protocol {
    /// As the SDK sets its own up for Kinesis.
    #[must_use]
    pub fn new() -> Self {
        let stock = AwsJsonRpcProtocol::aws_json_1_1();
        Self { stock: stock.with_default_namespace("com.amazonaws.kinesis") }
    }
}

impl Default for Protocol {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientProtocolInner for Protocol {
    type Request = Request;
    type Response = Response;

    fn deserialize_response<'a>(
        &self,
        response: &'a Response,
        output_schema: &Schema<'_>,
        cfg: &'a ConfigBag,
    ) -> Result<Box<dyn ShapeDeserializer + 'a>, SerdeError> {
        if output_schema.shape_id().shape_name() == "GetRecordsOutput" {
            let answer = response.body().bytes().and_then(read);
            if let Some(answer) = answer {
                return Ok(Box::new(Playback::new(answer)));
            }
        }
        ClientProtocolInner::deserialize_response(&self.stock, response, output_schema, cfg)
    }

    fn protocol_id(&self) -> &ShapeId<'static> {
        ClientProtocolInner::protocol_id(&self.stock)
    }

    fn serialize_request(
        &self,
        input: &dyn SerializableStruct,
        input_schema: &Schema<'_>,
        endpoint: &str,
        cfg: &ConfigBag,
    ) -> Result<Request, SerdeError> {
        ClientProtocolInner::serialize_request(&self.stock, input, input_schema, endpoint, cfg)
    }

    fn parse_error_metadata(
        &self,
        response: &Response,
        cfg: &ConfigBag,
    ) -> Result<ErrorMetadataBuilder, SerdeError> {
        ClientProtocolInner::parse_error_metadata(&self.stock, response, cfg)
    }

    fn deserialize_error_response<'a>(
        &self,
        response: &'a Response,
        cfg: &'a ConfigBag,
    ) -> Result<Box<dyn ShapeDeserializer + 'a>, SerdeError> {
        ClientProtocolInner::deserialize_error_response(&self.stock, response, cfg)
    }

    fn update_endpoint(
        &self,
        request: &mut Request,
        endpoint: &Endpoint,
        cfg: &ConfigBag,
    ) -> Result<(), SerdeError> {
        apply_http_endpoint(request, endpoint, cfg)
    }

    fn payload_codec(&self) -> Option<&dyn DynCodec> {
        ClientProtocolInner::payload_codec(&self.stock)
    }

    fn event_stream_media_type(&self) -> Option<&str> {
        ClientProtocolInner::event_stream_media_type(&self.stock)
    }

    fn parse_event_stream_error_metadata(
        &self,
        payload: &[u8],
    ) -> Result<ErrorMetadataBuilder, SerdeError> {
        ClientProtocolInner::parse_event_stream_error_metadata(&self.stock, payload)
    }
}

/// The answer, if all of it is spelt as AWS spells it.
fn read(body: &[u8]) -> Option<Answer<'_>> {
    let mut reader = Reader { body, at: 0, payloads: Vec::new(), used: 0 };
    let mut answer = Answer::default();
    reader.object(|reader, name| match name {
        b"Records" => once(&mut answer.records, reader.records()?),
        b"NextShardIterator" => once(&mut answer.next_shard_iterator, reader.text()?),
        b"MillisBehindLatest" => once(&mut answer.millis_behind_latest, reader.integer()?),
        _ => None,
    })?;
    if reader.at < body.len() {
        return None;
    }
    reader.payloads.truncate(reader.used);
    answer.payloads = Bytes::from(reader.payloads);
    Some(answer)
}

/// Which of two members of one name counts, the SDK decides.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.is_none().then(|| *place = Some(value))
}

/// A position in the answer. Each method reads what its name says, and moves behind it, or gives nothing.
struct Reader<'b> {
    body: &'b [u8],
    at: usize,
    payloads: Vec<u8>,
    /// How much of `payloads` is filled.
    used: usize,
}

impl<'b> Reader<'b> {
    fn object(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Option<()>) -> Option<()> {
        self.byte(b'{')?;
        if self.byte(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.quoted()?;
            self.byte(b':')?;
            member(self, name)?;
            if self.byte(b',').is_none() {
                return self.byte(b'}');
            }
        }
    }

    fn records(&mut self) -> Option<Vec<Record<'b>>> {
        let mut records = Vec::new();
        self.byte(b'[')?;
        if self.byte(b']').is_some() {
            return Some(records);
        }
        // Three quarters of the text that is left are all that its base64 can give; the last record may fill it up.
        self.payloads = vec![0; (self.body.len() - self.at) / 4 * 3];
        loop {
            records.push(self.record()?);
            if self.byte(b',').is_none() {
                self.byte(b']')?;
                return Some(records);
            }
        }
    }

    fn record(&mut self) -> Option<Record<'b>> {
        let mut record = Record::default();
        self.object(|reader, name| match name {
            b"SequenceNumber" => once(&mut record.sequence_number, reader.text()?),
            b"ApproximateArrivalTimestamp" => once(&mut record.arrival_s, reader.seconds()?),
            b"Data" => once(&mut record.data, reader.data()?),
            b"PartitionKey" => once(&mut record.partition_key, reader.text()?),
            b"EncryptionType" => once(&mut record.encryption_type, reader.text()?),
            _ => None,
        })?;
        Some(record)
    }

    fn data(&mut self) -> Option<Range<usize>> {
        let text = self.quoted()?;
        // What is not base64, such as an escape, ends here.
        let room = self.payloads.get_mut(self.used..)?;
        let length = STANDARD.decode_slice(text, room).ok()?;
        let start = self.used;
        self.used += length;
        Some(start..self.used)
    }

    /// A string without escapes and control characters.
    fn text(&mut self) -> Option<&'b str> {
        let bytes = self.quoted()?;
        if bytes.iter().any(|byte| *byte == b'\\' || *byte < b' ') {
            return None;
        }
        std::str::from_utf8(bytes).ok()
    }

    fn integer(&mut self) -> Option<i64> {
        let text = self.number()?;
        // Signs, fractions and what overflows are the SDK's business.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    }

    fn seconds(&mut self) -> Option<f64> {
        let text = self.number()?;
        // The SDK reads numbers without a fraction as integers, which may have more digits than fit here.
        if text.len() > 32 || !text.contains('.') { None } else { text.parse().ok() }
    }

    /// A number that does not begin with a sign, with a digit on each side of its point, which JSON asks for.
    fn number(&mut self) -> Option<&'b str> {
        let rest = &self.body[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_digit() || b".Ee+-".contains(byte);
        let length = rest.iter().position(|byte| !is_part(byte))?;
        let text = std::str::from_utf8(&rest[..length]).ok()?;
        self.at += length;
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let fraction = rest.split_once(['E', 'e']).map_or(rest, |(fraction, _)| fraction);
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (digits(whole) && digits(fraction) && !leading_zero).then_some(text)
    }

    /// The bytes between a quote and the next one.
    fn quoted(&mut self) -> Option<&'b [u8]> {
        self.byte(b'"')?;
        let rest = &self.body[self.at..];
        let length = memchr(b'"', rest)?;
        self.at += length + 1;
        Some(&rest[..length])
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        let found = *self.body.get(self.at)? == expected;
        self.at += usize::from(found);
        found.then_some(())
    }
}

#[cfg(test)]
mod tests;
