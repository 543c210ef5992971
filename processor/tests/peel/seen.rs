//! What was found, kept, and payloads to find it in.

use std::io::Write;

use base64_turbo::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use flowscout::decode::{Found, Limits, Peeler, Place, Reason, Refusal};
use serde_json::json;

/// Everything that a payload gave, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) texts: Vec<Text>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) control_messages: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) position: String,
    pub(crate) log_group: String,
    pub(crate) extracted: Option<(String, String)>,
    /// Of a dead letter.
    pub(crate) format: Option<String>,
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) position: String,
    pub(crate) reason: Reason,
    pub(crate) bytes: Vec<u8>,
}

impl Found for Seen {
    fn text(&mut self, place: &Place<'_>, text: &[u8]) {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.texts.push(Text {
            position: place.position.to_string(),
            log_group: place.log_group.to_owned(),
            extracted: place.extracted.map(|lines| (lossy(lines.header), lossy(lines.line))),
            format: None,
            text: lossy(text),
        });
    }

    fn refuse(&mut self, place: &Place<'_>, refusal: Refusal, bytes: &[u8]) {
        assert_eq!(refusal.field, None);
        let position = place.position.to_string();
        self.refused.push(Refused { position, reason: refusal.reason, bytes: bytes.to_vec() });
    }

    fn control_message(&mut self) {
        self.control_messages += 1;
    }

    fn dead_letter(&mut self, place: &Place<'_>, format: Option<&str>, data: &[u8]) {
        self.text(place, data);
        self.texts.last_mut().unwrap().format = format.map(str::to_owned);
    }
}

impl Seen {
    pub(crate) fn of(payload: &[u8]) -> Self {
        Self::under(Limits::default(), payload)
    }

    /// What the fast paths and the full parser find, which must be the same.
    pub(crate) fn under(limits: Limits, payload: &[u8]) -> Self {
        let [fast, full] =
            [Peeler::new(limits), Peeler::without_fast_paths(limits)].map(|peeler| {
                let mut peeler = peeler;
                let mut seen = Self::default();
                peeler.peel(payload, 1, &mut seen);
                seen
            });
        assert_eq!(fast, full);
        fast
    }

    /// The texts, when nothing was refused.
    pub(crate) fn lines(&self) -> Vec<&str> {
        assert_eq!(self.refused, []);
        self.texts.iter().map(|text| text.text.as_str()).collect()
    }

    /// Positions and texts.
    pub(crate) fn placed(&self) -> Vec<(&str, &str)> {
        self.texts.iter().map(|text| (text.position.as_str(), text.text.as_str())).collect()
    }

    /// Reasons and bytes of what was refused.
    pub(crate) fn refusals(&self) -> Vec<(Reason, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or("binary");
        self.refused.iter().map(|refused| (refused.reason, text(&refused.bytes))).collect()
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// An envelope of CloudWatch Logs as the service writes it.
pub(crate) fn envelope(messages: &[&str]) -> String {
    let event = |message: &&str| {
        let message = json!(message);
        format!(r#"{{"id":"{:056}","timestamp":1418530010000,"message":{message}}}"#, 7)
    };
    let events: Vec<String> = messages.iter().map(event).collect();
    format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"123456789010","logGroup":"/vpc/flow","logStream":"eni-1-all","subscriptionFilters":["all"],"logEvents":[{}]}}"#,
        events.join(",")
    )
}

/// A request of Firehose as the service writes it.
pub(crate) fn request<T: AsRef<[u8]>>(records: &[T]) -> String {
    let records: Vec<String> =
        records.iter().map(|record| format!(r#"{{"data":"{}"}}"#, base64(record))).collect();
    let id = "ed4acda5-034f-9f42-bba1-f29aea6d7d8f";
    format!(r#"{{"requestId":"{id}","timestamp":1578090901599,"records":[{}]}}"#, records.join(","))
}
