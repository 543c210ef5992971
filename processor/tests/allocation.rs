//! Decoding allocates per batch, never per record, whatever is around the records.

#![expect(clippy::expect_used, reason = "a test that cannot make its input has failed")]

use std::io::Write;
use std::sync::Arc;

use allocation_counter::measure;
use base64_turbo::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use flowscout::batch::{Batch, BatchId, Content, Lines};
use flowscout::decode::{Decoder, Limits, RecordParser, Records};
use flowscout::flow::Line;

fn line(number: usize) -> String {
    let (port, end_s) = (1024 + number % 60_000, 1_767_225_600 + number / 10);
    format!(
        "2 123456789012 eni-{:017x} 10.0.{}.{} 192.0.2.7 {port} 443 6 {} {} {} {end_s} ACCEPT OK",
        number % 50,
        number / 250 % 250,
        number % 250,
        1 + number % 9,
        40 + number,
        end_s - 30,
    )
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn text(records: usize) -> Content {
    let text: String = (0..records).map(|number| line(number) + "\n").collect();
    Content::Lines(Lines { first_line: 1, bytes: text.into_bytes(), layout: None })
}

fn payload(bytes: impl Into<Vec<u8>>) -> Content {
    Content::Payloads { first_record: 1, payloads: vec![Bytes::from(bytes.into())] }
}

fn vended(records: usize) -> Content {
    let document = |number| format!("{{\"message\":\"{}\"}}\n", line(number));
    payload((0..records).map(document).collect::<String>())
}

fn envelope(records: usize, extra: &str) -> String {
    let event = |number| {
        let message = line(number);
        format!(
            "{{\"id\":\"{number:056}\",\"timestamp\":1767225600000,\"message\":\"{message}\"{extra}}}"
        )
    };
    let events: Vec<String> = (0..records).map(event).collect();
    format!(
        "{{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"123456789012\",\"logGroup\":\"/vpc\",\"logStream\":\"eni-1-all\",\
         \"subscriptionFilters\":[\"all\"],\"logEvents\":[{}]}}",
        events.join(",")
    )
}

fn subscription(records: usize) -> Content {
    payload(gzip(&envelope(records, "")))
}

/// Not as AWS writes it, so that the general parser must read it.
fn unusual_subscription(records: usize) -> Content {
    payload(gzip(&envelope(records, ",\"extractedFields\":{\"@aws.account\":\"1\"}")))
}

fn firehose(records: usize) -> Content {
    let record = |number| {
        let data = STANDARD.encode(format!("{{\"message\":\"{}\"}}\n", line(number)));
        format!("{{\"data\":\"{data}\"}}")
    };
    let records: Vec<String> = (0..records).map(record).collect();
    payload(format!(
        "{{\"requestId\":\"r\",\"timestamp\":1767225600000,\"records\":[{}]}}",
        records.join(",")
    ))
}

/// Allocations of decoding a batch of so many records when one like it was decoded before.
fn allocations(content: fn(usize) -> Content, records: usize) -> u64 {
    let id = BatchId::at("test".into(), 0);
    let batch = Batch { id, content: content(records) };
    let mut decoder = Decoder::new(Arc::default(), Limits::default());
    let mut parser = RecordParser::new(Limits::default());
    let mut decode = || {
        let mut seen = 0;
        let mut reader = Records::new(&mut parser, |line: Line<'_>| {
            seen += usize::from(matches!(line, Line::Flow(_)));
        });
        let decoded = decoder.decode(&batch, &mut reader);
        assert_eq!((seen, decoded.refusals.total()), (records, 0));
    };
    decode();
    measure(decode).count_total
}

#[test]
fn a_batch_of_ten_times_the_records_allocates_no_more() {
    type Kind = (&'static str, fn(usize) -> Content);
    let kinds: [Kind; 5] = [
        ("text", text),
        ("vended", vended),
        ("subscription", subscription),
        ("unusual subscription", unusual_subscription),
        ("firehose", firehose),
    ];
    for (name, content) in kinds {
        let (few, many) = (allocations(content, 1_000), allocations(content, 10_000));
        assert_eq!(few, many, "{name}");
        assert!(many < 20, "{name}: {many}");
    }
}
