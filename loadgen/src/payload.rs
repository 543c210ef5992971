//! Payloads: what one record holds, as the producers of AWS write it.
//!
//! Source: facts/cloudwatch-subscription.md (1, 2), facts/firehose.md (1, 7).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::line::ACCOUNT;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Lines, each with its end: what agents and forwarders put.
    Plain,
    /// The same of one log stream, which is one interface: what Firehose delivers when it extracts
    /// the messages of a subscription.
    Extracted,
    /// `{"message":"LINE"}` and a line end for each line: vended logs as Firehose has them.
    Message,
    /// A gzip member with the envelope of a CloudWatch Logs subscription: one log stream, which is
    /// one interface, and a log event for each line.
    Cloudwatch,
    /// The same envelope without gzip: what Firehose delivers when it decompresses a subscription.
    Envelope,
}

/// A payload that still takes lines.
#[derive(Debug)]
pub(crate) struct Open {
    text: Vec<u8>,
    lines: u32,
}

const LOG_GROUP: &str = "/aws/vpc/flow-logs";
const EVENTS_END: &[u8] = b"]}";
/// The level that the service uses (facts/cloudwatch-subscription.md, 2).
const GZIP_LEVEL: u32 = 6;
/// What a record of Firehose has at most (facts/firehose.md, 5). One of Kinesis has 1 MiB with its
/// key of up to 256 characters, which is more.
pub(crate) const RECORD_BYTES_MAX: usize = 1_024_000;
/// More than any payload puts around a line; the longest is a log event's 106 bytes and the end of
/// the envelope.
const AROUND_LINE_BYTES_MAX: usize = 128;

/// The log stream into which AWS writes what this interface logs (facts/cloudwatch-subscription.md,
/// 5).
pub(crate) fn log_stream(interface: &str) -> String {
    format!("{interface}-all")
}

impl Payload {
    /// True if all lines of one are of one interface.
    #[must_use]
    pub fn has_one_interface(self) -> bool {
        matches!(self, Self::Cloudwatch | Self::Envelope | Self::Extracted)
    }
}

impl Open {
    pub(crate) fn new(payload: Payload, interface: &str) -> Self {
        let text = match payload {
            Payload::Plain | Payload::Extracted | Payload::Message => Vec::new(),
            Payload::Cloudwatch | Payload::Envelope => envelope_head(interface).into_bytes(),
        };
        Self { text, lines: 0 }
    }

    pub(crate) fn lines(&self) -> u32 {
        self.lines
    }

    /// True if the line fits, or nothing else is here that could make room.
    pub(crate) fn has_room(&self, line: &[u8]) -> bool {
        self.lines == 0 || self.text.len() + line.len() + AROUND_LINE_BYTES_MAX <= RECORD_BYTES_MAX
    }

    /// Appends a line of digits, letters and dashes, which no JSON escapes. `event` is its number
    /// and what makes its identifier look like that of AWS.
    pub(crate) fn push(&mut self, payload: Payload, line: &[u8], start_s: u64, event: (u64, u64)) {
        match payload {
            Payload::Plain | Payload::Extracted => self.line(b"", line, b"\n"),
            Payload::Message => self.line(b"{\"message\":\"", line, b"\"}\n"),
            Payload::Cloudwatch | Payload::Envelope => {
                let comma = if self.lines == 0 { "" } else { "," };
                let (number, noise) = event;
                let (ms, noise) =
                    (start_s.saturating_mul(1_000), noise % 1_000_000_000_000_000_000);
                let head = format!(
                    "{comma}{{\"id\":\"3{ms:019}{number:018}{noise:018}\",\"timestamp\":{ms},\"message\":\""
                );
                self.line(head.as_bytes(), line, b"\"}");
            }
        }
        self.lines += 1;
    }

    pub(crate) fn close(mut self, payload: Payload) -> Vec<u8> {
        if matches!(payload, Payload::Cloudwatch | Payload::Envelope) {
            self.text.extend_from_slice(EVENTS_END);
        }
        if payload == Payload::Cloudwatch { gzip(&self.text) } else { self.text }
    }

    fn line(&mut self, head: &[u8], line: &[u8], end: &[u8]) {
        for part in [head, line, end] {
            self.text.extend_from_slice(part);
        }
    }
}

fn envelope_head(interface: &str) -> String {
    let stream = log_stream(interface);
    format!(
        "{{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"{ACCOUNT}\",\"logGroup\":\"{LOG_GROUP}\",\
         \"logStream\":\"{stream}\",\"subscriptionFilters\":[\"flow-logs\"],\"logEvents\":["
    )
}

/// One gzip member, of the level that AWS uses.
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "writing to memory does not fail"
)]
#[must_use]
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(text).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use serde_json::{Value, json};

    use super::*;

    fn of(payload: Payload, lines: &[&str]) -> Vec<u8> {
        let mut open = Open::new(payload, "eni-1");
        for (number, line) in (0..).zip(lines) {
            assert!(open.has_room(line.as_bytes()));
            open.push(payload, line.as_bytes(), 1_767_225_600, (number, u64::MAX));
        }
        open.close(payload)
    }

    #[test]
    fn an_envelope_has_what_a_subscription_sends_and_nothing_else() {
        let mut text = String::new();
        let member = of(Payload::Cloudwatch, &["2 a", "2 b"]);
        flate2::read::GzDecoder::new(&member[..]).read_to_string(&mut text).unwrap();
        assert_eq!(of(Payload::Envelope, &["2 a", "2 b"]), text.as_bytes());
        let envelope: Value = serde_json::from_str(&text).unwrap();
        let events = envelope["logEvents"].as_array().unwrap();
        let ids: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert!(ids[0] != ids[1]);
        assert!(ids.iter().all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit())));
        let event = |id, message: &str| json!({ "id": id, "timestamp": 1_767_225_600_000_u64, "message": message });
        let expected = json!({
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/vpc/flow-logs",
            "logStream": "eni-1-all", "subscriptionFilters": ["flow-logs"],
            "logEvents": [event(ids[0], "2 a"), event(ids[1], "2 b")],
        });
        assert_eq!(envelope, expected);
    }

    #[test]
    fn a_document_ends_with_its_line() {
        assert_eq!(
            of(Payload::Message, &["2 a", "2 b"]),
            b"{\"message\":\"2 a\"}\n{\"message\":\"2 b\"}\n"
        );
        for payload in [Payload::Plain, Payload::Extracted] {
            assert_eq!(of(payload, &["2 a", "2 b"]), b"2 a\n2 b\n");
        }
    }

    #[test]
    fn no_payload_outgrows_a_record_before_it_is_full() {
        for payload in [Payload::Plain, Payload::Message, Payload::Cloudwatch, Payload::Envelope] {
            let line = "x".repeat(1_000);
            let mut open = Open::new(payload, "eni-0123456789abcdef0");
            while open.has_room(line.as_bytes()) {
                open.push(payload, line.as_bytes(), 253_402_300_799, (u64::MAX, u64::MAX));
            }
            let text_bytes = open.text.len() + EVENTS_END.len();
            assert!(text_bytes <= RECORD_BYTES_MAX && text_bytes > RECORD_BYTES_MAX - 1_200);
        }
    }
}
