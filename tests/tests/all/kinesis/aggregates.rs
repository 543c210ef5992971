//! User records that the KPL packed into one record: read on within one, and those of another shard.

use flowscout_tests::kinesis::{KinesisServer, Options};
use md5::{Digest, Md5};

use super::service::{Setting, line, put_range, sum_of, wait_for};

/// Lines `numbers` as user records under these explicit hash keys, as the KPL writes them (its "aggregation format").
fn aggregate(numbers: std::ops::Range<u64>, hash_key: &str) -> Vec<u8> {
    let field = |tag: u8, bytes: &[u8]| {
        let mut field = vec![tag];
        let mut length = bytes.len();
        while length >= 0x80 {
            field.push(u8::try_from(length & 0x7f | 0x80).unwrap());
            length >>= 7;
        }
        field.push(u8::try_from(length).unwrap());
        field.extend(bytes);
        field
    };
    let mut message = [field(0x0a, b"key"), field(0x12, hash_key.as_bytes())].concat();
    for number in numbers {
        let mut record = vec![0x08, 0, 0x10, 0];
        record.extend(field(0x1a, line(number).as_bytes()));
        message.extend(field(0x1a, &record));
    }
    let checksum = Md5::digest(&message);
    [&[0xf3, 0x89, 0x9a, 0xc2][..], &message, &checksum].concat()
}

#[test]
fn a_checkpoint_within_an_aggregate_is_read_on_behind_it() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("sub-sequence", 1);
    server.put("sub-sequence", "key", &aggregate(0..10, "0"));
    let setting = Setting::alone("sub-sequence");
    let service = setting.start(&server);
    service.wait_for_records(10);
    let (_run, scratch) = service.stop();
    let path = scratch.path("leases.json");
    let leases = std::fs::read_to_string(&path).unwrap();
    let last = "\"checkpointSubSequenceNumber\": 9";
    assert!(leases.contains(last), "the number of the last user record: {leases}");
    // As a KCL application leaves it that stopped behind the fourth user record.
    std::fs::write(&path, leases.replace(last, "\"checkpointSubSequenceNumber\": 3")).unwrap();
    put_range(&server, "sub-sequence", 10..15);
    let service = setting.start_in(scratch, |program| server.serve(program));
    service.wait_for_records(11);
    let (all, read) = (sum_of(15), sum_of(4));
    assert_eq!(service.sum(), (all.0 - read.0, all.1 - read.1));
    let _ended = service.stop();
}

#[test]
fn aggregates_of_another_shard_are_dropped_only_if_that_is_asked_for() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("foreign", 1);
    server.put("foreign", "key", &aggregate(0..5, "0"));
    server.put("foreign", "key", &aggregate(5..8, &u128::MAX.to_string()));
    let shard = server.open_shards("foreign").remove(0);
    server.split("foreign", &shard, 1 << 127);
    // To the lower child, with a key of the upper one: put before the reshard was known.
    let lower = (0..)
        .map(|number| format!("key-{number}"))
        .find(|key| u128::from_be_bytes(Md5::digest(key.as_bytes()).into()) < 1 << 127);
    server.put("foreign", &lower.unwrap(), &aggregate(8..10, &u128::MAX.to_string()));
    let keeps = Setting::alone("foreign").start(&server);
    let drops = Setting::alone("foreign").kinesis("drops_foreign_hash_keys = true").start(&server);
    keeps.wait_for_records(10);
    assert_eq!(keeps.sum(), sum_of(10));
    let is_dropped = || drops.metric("flowscout_kinesis_foreign_aggregates_total") == 1;
    wait_for("a foreign aggregate", is_dropped, || drops.running.stderr());
    drops.wait_for_records(8);
    assert_eq!(drops.sum(), sum_of(8));
    let _ended = (keeps.stop(), drops.stop());
}
