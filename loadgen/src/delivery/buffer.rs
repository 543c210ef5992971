//! Filling requests: by size, by count, and never past what a body may have.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::records::Record;

/// `SizeInMBs` of the buffering hints, in bytes (facts/firehose.md, 4).
pub const BUFFER_BYTES: RangeInclusive<u32> = 1 << 20..=64 << 20;
/// What a request has at most (facts/firehose.md, 2).
pub const RECORDS_MAX: u32 = 10_000;
/// What the body of a request has at most, before it is compressed (facts/firehose.md, 2).
pub const BODY_BYTES_MAX: usize = 64 << 20;

/// Fills one request after the other.
#[derive(Debug)]
pub struct Buffer {
    bytes_max: u64,
    body_bytes_max: usize,
    open: Filled,
}

/// The records of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// `{"data":"…"}`, separated by commas.
    documents: String,
    /// How many there are.
    pub records: u32,
    /// Flow-log lines in them.
    pub lines: u64,
    /// Bytes in them, before base64.
    pub bytes: u64,
}

/// One request, which stays the same however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its identifier.
    pub id: String,
    /// Its body, before it is compressed.
    pub body: Bytes,
    /// How many records are in it.
    pub records: u32,
    /// Flow-log lines in them.
    pub lines: u64,
    /// Bytes in them, before base64.
    pub bytes: u64,
    /// Where the records begin.
    documents_at: usize,
}

const BEFORE_DATA: &str = "{\"data\":\"";
const AFTER_DATA: &str = "\"}";
const AFTER_RECORDS: &str = "]}";

impl Buffer {
    /// Requests of at most `bytes_max`, before base64. A single record that has more goes alone.
    #[must_use]
    pub fn new(bytes_max: u32) -> Self {
        let (bytes_max, body_bytes_max) = (bytes_max.into(), BODY_BYTES_MAX);
        Self { bytes_max, body_bytes_max, open: Filled::default() }
    }

    /// Takes a record; gives the request that had no room for it.
    pub fn push(&mut self, record: &Record) -> Option<Filled> {
        let full = self.open.records > 0 && !self.has_room(&record.data);
        let request = if full { self.finish() } else { None };
        self.open.push(record);
        request
    }

    /// What is left, if anything is.
    pub fn finish(&mut self) -> Option<Filled> {
        let open = std::mem::take(&mut self.open);
        // The next one is about as large.
        self.open.documents.reserve(open.documents.len());
        (open.records > 0).then_some(open)
    }

    /// True if nothing waits for its request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.records == 0
    }

    fn has_room(&self, data: &[u8]) -> bool {
        let Filled { documents, records, bytes, .. } = &self.open;
        let document = 1 + BEFORE_DATA.len() + data.len().div_ceil(3) * 4 + AFTER_DATA.len();
        // Of the longest identifier and the longest number.
        let around = head(&super::guid(0), u64::MAX).len() + AFTER_RECORDS.len();
        *records < RECORDS_MAX
            && bytes + data.len() as u64 <= self.bytes_max
            && around + documents.len() + document <= self.body_bytes_max
    }
}

impl Filled {
    /// The request of this identifier, made at this epoch millisecond.
    #[must_use]
    pub fn request(self, id: String, timestamp_ms: u64) -> Request {
        let Self { documents, records, lines, bytes } = self;
        let head = head(&id, timestamp_ms);
        let body = [&head, documents.as_str(), AFTER_RECORDS].concat().into();
        Request { id, body, records, lines, bytes, documents_at: head.len() }
    }

    fn push(&mut self, record: &Record) {
        if self.records > 0 {
            self.documents.push(',');
        }
        self.documents.push_str(BEFORE_DATA);
        STANDARD.encode_string(&record.data, &mut self.documents);
        self.documents.push_str(AFTER_DATA);
        self.records += 1;
        self.lines += record.lines;
        self.bytes += record.data.len() as u64;
    }
}

impl Request {
    /// The base64 of each record.
    pub(super) fn encoded(&self) -> impl Iterator<Item = &str> {
        let documents = &self.body[self.documents_at..self.body.len() - AFTER_RECORDS.len()];
        let documents = std::str::from_utf8(documents).unwrap_or_default();
        let documents = documents.split(',').filter(|document| !document.is_empty());
        documents.map(|document| &document[BEFORE_DATA.len()..document.len() - AFTER_DATA.len()])
    }
}

fn head(request_id: &str, timestamp_ms: u64) -> String {
    format!("{{\"requestId\":\"{request_id}\",\"timestamp\":{timestamp_ms},\"records\":[")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";
    const TIME_MS: u64 = u64::MAX;

    fn record(data: &[u8]) -> Record {
        Record { key: String::new(), data: data.to_vec(), lines: 1 }
    }

    fn requests(buffer: &mut Buffer, records: &[Vec<u8>]) -> Vec<Request> {
        let mut requests: Vec<Filled> =
            records.iter().filter_map(|data| buffer.push(&record(data))).collect();
        requests.extend(buffer.finish());
        assert!(buffer.is_empty() && buffer.finish().is_none());
        requests.into_iter().map(|request| request.request(ID.to_owned(), TIME_MS)).collect()
    }

    /// What a receiver that knows nothing of this file makes of a body.
    fn received(request: &Request) -> Vec<Vec<u8>> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let records = body["records"].as_array().unwrap();
        let data = |record: &Value| STANDARD.decode(record["data"].as_str().unwrap()).unwrap();
        records.iter().map(data).collect()
    }

    #[test]
    fn a_body_is_what_the_specification_prints() {
        let requests = requests(&mut Buffer::new(1 << 20), &[b"aGVsbG8=".to_vec(), Vec::new()]);
        let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
        let expected = json!({
            "requestId": ID, "timestamp": TIME_MS,
            "records": [{ "data": "YUdWc2JHOD0=" }, { "data": "" }],
        });
        assert_eq!(body, expected);
        assert_eq!(requests[0].encoded().collect::<Vec<_>>(), ["YUdWc2JHOD0=", ""]);
        assert_eq!((requests[0].records, requests[0].lines, requests[0].bytes), (2, 2, 8));
    }

    #[test]
    fn a_request_has_at_most_ten_thousand_records() {
        let requests = requests(&mut Buffer::new(64 << 20), &vec![b"2".to_vec(); 20_001]);
        let counts: Vec<u32> = requests.iter().map(|request| request.records).collect();
        assert_eq!(counts, [10_000, 10_000, 1]);
    }

    #[test]
    fn a_body_stays_within_64_mib_where_the_buffer_would_allow_more() {
        let requests = requests(&mut Buffer::new(64 << 20), &vec![vec![b'x'; 1_024_000]; 60]);
        let longest = requests.iter().map(|request| request.body.len()).max().unwrap();
        assert!(longest <= BODY_BYTES_MAX && longest > BODY_BYTES_MAX - 1_400_000, "{longest}");
        assert_eq!(requests.iter().map(|request| request.records).sum::<u32>(), 60);
    }

    proptest! {
        #[test]
        fn every_record_is_delivered_once_in_order_and_no_request_could_take_the_next(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..200),
            bytes_max in 300_u32..5_000,
            body_bytes_max in 700_usize..5_000,
        ) {
            let mut buffer = Buffer { body_bytes_max, ..Buffer::new(bytes_max) };
            let requests = requests(&mut buffer, &records);
            let sent: Vec<Vec<Vec<u8>>> = requests.iter().map(received).collect();
            prop_assert_eq!(sent.concat(), records);
            for pair in requests.windows(2) {
                let body = pair[0].body.len();
                prop_assert!(pair[0].bytes <= u64::from(bytes_max) && body <= body_bytes_max);
                let next = received(&pair[1])[0].len();
                let more = ",{\"data\":\"\"}".len() + next.div_ceil(3) * 4;
                prop_assert!(
                    pair[0].bytes + next as u64 > u64::from(bytes_max) || body + more > body_bytes_max
                );
            }
        }
    }
}
