//! Lines in the envelopes in which AWS delivers them, as AWS spells them.

use std::io::Write;

use base64_turbo::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Log events of one envelope: what a busy interface fills.
pub const EVENTS: usize = 300;

/// CloudWatch Logs envelopes of [`EVENTS`] lines each; the lines that are left over are left out.
#[must_use]
pub fn envelopes(lines: &[&str]) -> Vec<String> {
    let envelope = |(number, lines): (usize, &[&str])| {
        let event = |(place, line): (usize, &&str)| {
            let start_s = line.split(' ').nth(10).unwrap_or("1767225600");
            let id = event_id(number * EVENTS + place);
            format!(r#"{{"id":"{id}","timestamp":{start_s}000,"message":"{line}"}}"#)
        };
        let events: Vec<String> = lines.iter().enumerate().map(event).collect();
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"123456789010","logGroup":"/aws/vpc/flow","logStream":"eni-0123456789abcdef0-all","subscriptionFilters":["flow"],"logEvents":[{}]}}"#,
            events.join(",")
        )
    };
    lines.chunks_exact(EVENTS).enumerate().map(envelope).collect()
}

/// Lines as vended logs through Firehose have them, each a document on a line of its own.
#[must_use]
pub fn vended(line: &str) -> String {
    format!("{{\"message\":\"{line}\"}}\n")
}

/// The body of one request of Firehose with these records.
#[must_use]
pub fn request(records: impl Iterator<Item = impl AsRef<[u8]>>) -> String {
    let record = |data| format!("{{\"data\":\"{}\"}}", STANDARD.encode(data));
    let records: Vec<String> = records.map(record).collect();
    let id = "ed4acda5-034f-9f42-bba1-f29aea6d7d8f";
    format!(
        "{{\"requestId\":\"{id}\",\"timestamp\":1767225600000,\"records\":[{}]}}",
        records.join(",")
    )
}

/// One gzip member at the level that CloudWatch Logs uses.
///
/// # Panics
/// Never: memory takes all.
#[must_use]
#[expect(clippy::expect_used, reason = "writing to memory does not fail")]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// 56 digits, of which those of one envelope share the first: time, then what looks like chance.
fn event_id(event: usize) -> String {
    let mut state = event as u64;
    let mut draw = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed % 1_000_000_000_000_000
    };
    let time = 38_480_917_865 + event / EVENTS;
    format!("{time}{:015}{:015}{:015}", draw(), draw(), draw())
}
