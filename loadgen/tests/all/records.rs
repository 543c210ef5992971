//! Records for a stream, by their SHA-256: a change of what producers put shows here.
//!
//! To renew the table after an intended change: `cargo test -p loadgen records`, and paste the table
//! that the failing test prints over the one below.

use std::fmt::Write;
use std::io::Read;

use flate2::read::GzDecoder;
use loadgen::payload::Payload;
use loadgen::records::{Joined, PartitionKey, Record, Shape, Shaper};
use loadgen::{Generator, Plan, Profile};
use sha2::{Digest, Sha256};

use crate::lines::plan;

/// Payload, key, aggregated or not, records, and the first 16 bytes of the hash. Of envelopes the
/// JSON is hashed: how it is compressed is the library's choice.
const GOLDEN: &str = "\
plain interface single 906 c6e833b4c2194f9e658c0114dd5c2774
plain interface aggregated 280 72c660933dca755f1c0988c39958b1f4
plain random single 755 5d826a886b85c3ef200ff80b711f9081
plain random aggregated 47 7fb4417a9b3e23179fd2fa3c2a27b3e0
message interface single 906 99b12470402b0817096d777c812f8902
message interface aggregated 280 fb2b352a26217d8941f4dcc6f447cd42
message random single 755 10d115613d450a07c0da61c7adffc951
message random aggregated 52 8b0d32a915ab0203500e9db909e14d17
cloudwatch interface single 906 adffa1128350752f423f8337101211c2
cloudwatch random single 906 cd572cf8c2e69b138f8f542361e7c949
message absent single 755 1937583d40fe638d49d8464f6f2eb030
envelope absent joined 228 5b7c61489b0a32a4f14f330704d76a04
extracted absent single 906 8295f3a63b622b53eb3eaa56820b0592
";

/// What Firehose delivers.
const DELIVERED: [(&str, Payload, &str, Joined); 3] = [
    ("message", Payload::Message, "single", Joined::No),
    ("envelope", Payload::Envelope, "joined", Joined::BackToBack { payloads_max: 4 }),
    ("extracted", Payload::Extracted, "single", Joined::No),
];
const PAYLOADS: [(&str, Payload); 3] =
    [("plain", Payload::Plain), ("message", Payload::Message), ("cloudwatch", Payload::Cloudwatch)];
const KEYS: [(&str, PartitionKey); 2] =
    [("interface", PartitionKey::Interface), ("random", PartitionKey::Random)];

#[test]
fn the_same_seed_gives_the_golden_records() {
    let mut table = String::new();
    for (name, payload) in PAYLOADS {
        for (key_name, key) in KEYS {
            for (aggregated, joined) in [("single", Joined::No), ("aggregated", Joined::Aggregate)]
            {
                let records = shaped(&short(), payload, key, joined);
                let hash = match (payload, aggregated) {
                    // What is compressed within an aggregate is judged by decoding it, elsewhere.
                    (Payload::Cloudwatch, "aggregated") => continue,
                    (Payload::Cloudwatch, _) => fingerprint(&records, inflated),
                    _ => fingerprint(&records, <[u8]>::to_vec),
                };
                let count = records.len();
                writeln!(table, "{name} {key_name} {aggregated} {count} {hash}").unwrap();
            }
        }
    }
    for (name, payload, joined_name, joined) in DELIVERED {
        let records = shaped(&short(), payload, PartitionKey::Absent, joined);
        let (count, hash) = (records.len(), fingerprint(&records, <[u8]>::to_vec));
        writeln!(table, "{name} absent {joined_name} {count} {hash}").unwrap();
    }
    assert!(
        table == GOLDEN,
        "the records changed; if that is intended, this is the new table:\n{table}"
    );
}

#[test]
fn the_same_plan_gives_the_same_bytes_and_counts_every_line() {
    let put = PAYLOADS.into_iter().flat_map(|(name, payload)| {
        [Joined::No, Joined::Aggregate]
            .map(|joined| (name, payload, PartitionKey::Interface, joined))
    });
    let delivered =
        DELIVERED.map(|(name, payload, _, joined)| (name, payload, PartitionKey::Absent, joined));
    for (name, payload, key, joined) in put.chain(delivered) {
        let records = shaped(&short(), payload, key, joined);
        assert!(records == shaped(&short(), payload, key, joined));
        let lines: u64 = records.iter().map(|record| record.lines).sum();
        let written = crate::lines::bytes(&short()).iter().filter(|b| **b == b'\n').count();
        assert_eq!(lines, written as u64, "{name}");
        assert!(records.iter().all(|record| record.bytes() <= 1_024_000), "{name}");
    }
}

fn short() -> Plan {
    plan(Profile::quiet(), &[], 50, 300)
}

fn shaped(plan: &Plan, payload: Payload, key: PartitionKey, joined: Joined) -> Vec<Record> {
    let shape = Shape { payload, lines_per_payload: 20, joined, key, seed: plan.seed };
    let (mut generator, mut shaper) = (Generator::new(plan).unwrap(), Shaper::new(shape));
    let (mut line, mut records) = (Vec::new(), Vec::new());
    while let Some(origin) = generator.next_line(&mut line) {
        shaper.push(line.trim_ascii_end(), origin, &mut records);
        line.clear();
    }
    shaper.finish(&mut records);
    records
}

fn inflated(member: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(member).read_to_end(&mut text).unwrap();
    text
}

fn fingerprint(records: &[Record], content: fn(&[u8]) -> Vec<u8>) -> String {
    let mut hash = Sha256::new();
    for record in records {
        hash.update(format!("{} {}\n", record.key, record.lines));
        hash.update(content(&record.data));
    }
    hash.finalize().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
