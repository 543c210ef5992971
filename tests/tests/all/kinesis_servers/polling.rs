//! Putting, routing, and reading back by polling.

use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, Shard, ShardIteratorType};
use flowscout_tests::kinesis::Options;
use md5::{Digest, Md5};

use super::{FIRST_SHARD, Kind, Server, code, data, numbers, ours, servers};

const ALL: [Kind; 3] = [Kind::KinesisMock, Kind::Ministack, Kind::Ours];

fn entry(key: &str, data: &str) -> PutRecordsRequestEntry {
    let entry = PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(data));
    entry.build().unwrap()
}

pub(super) fn range(shard: &Shard) -> std::ops::RangeInclusive<u128> {
    let range = shard.hash_key_range.as_ref().unwrap();
    range.starting_hash_key.parse().unwrap()..=range.ending_hash_key.parse().unwrap()
}

#[tokio::test]
async fn what_is_put_is_read_back_in_order_with_sequence_numbers_that_grow() {
    for server in servers(&ALL, "order", 1).await {
        let mut put = Vec::new();
        for number in 0..20 {
            put.push(server.put("key", &format!("record {number}")).await.1);
        }
        let iterator = server.iterator(FIRST_SHARD, ShardIteratorType::TrimHorizon).await;
        let read = server.read(&iterator).await;
        let expected: Vec<_> = (0..20).map(|number| format!("record {number}")).collect();
        assert_eq!(data(&read.records), expected, "{:?}", server.kind);
        assert_eq!(numbers(&read.records), put, "{:?}", server.kind);
        assert!(put.windows(2).all(|pair| pair[0] < pair[1]), "{:?}: {put:?}", server.kind);
        // Ministack's are shorter than AWS's.
        let digits = if server.kind == Kind::Ministack { 30 } else { 56 };
        assert!(put.iter().all(|number| number.len() == digits), "{:?}: {put:?}", server.kind);
        let last = read.records.last().unwrap();
        let arrived = SystemTime::try_from(*last.approximate_arrival_timestamp().unwrap()).unwrap();
        assert!(arrived.elapsed().unwrap() < Duration::from_secs(60), "{:?}", server.kind);
        assert_eq!((last.partition_key(), read.millis_behind_latest), (Some("key"), Some(0)));
    }
}

#[tokio::test]
async fn a_record_goes_to_the_shard_whose_range_has_the_md5_of_its_key() {
    for server in servers(&ALL, "route", 3).await {
        let shards = server.shards().await;
        let keys: Vec<_> = (0..60).map(|number| format!("schlüssel {number}")).collect();
        let put = server.client.put_records().stream_name(&server.stream);
        let put = put.set_records(Some(keys.iter().map(|key| entry(key, key)).collect()));
        let put = put.send().await.unwrap();
        assert_eq!((put.failed_record_count, put.records.len()), (Some(0), keys.len()));
        for (key, result) in keys.iter().zip(&put.records) {
            let hash = u128::from_be_bytes(Md5::digest(key).into());
            let shard = shards.iter().find(|shard| range(shard).contains(&hash)).unwrap();
            assert_eq!(result.shard_id.as_ref(), Some(&shard.shard_id), "{:?}", server.kind);
            assert!(result.sequence_number.is_some() && result.error_code.is_none());
        }
        for shard in &shards {
            for key in [range(shard).start(), range(shard).end()] {
                let (id, _number) = server.put_at(&key.to_string(), "explicit").await;
                assert_eq!(id, shard.shard_id, "{:?}", server.kind);
            }
        }
    }
}

#[tokio::test]
async fn the_ranges_of_a_new_stream_cover_all_keys_once() {
    for server in servers(&ALL, "ranges", 3).await {
        let shards = server.shards().await;
        let ranges: Vec<_> = shards.iter().map(range).collect();
        assert_eq!((*ranges[0].start(), *ranges[2].end()), (0, u128::MAX), "{:?}", server.kind);
        let gapless = ranges.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start());
        assert!(gapless, "{:?}: {ranges:?}", server.kind);
        assert!(shards.iter().all(|shard| shard.parent_shard_id.is_none()), "{:?}", server.kind);
    }
}

#[tokio::test]
async fn every_kind_of_iterator_starts_where_it_says() {
    for server in servers(&ALL, "iterators", 1).await {
        let latest_of_nothing = server.iterator(FIRST_SHARD, ShardIteratorType::Latest).await;
        let mut put = Vec::new();
        for number in 0..3 {
            put.push(server.put("key", &number.to_string()).await.1);
        }
        // Arrival is known to the millisecond.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let between = SystemTime::UNIX_EPOCH + since_epoch();
        tokio::time::sleep(Duration::from_millis(20)).await;
        put.push(server.put("key", "3").await.1);
        let timestamp = server.client.get_shard_iterator().stream_name(&server.stream);
        let timestamp = timestamp.shard_id(FIRST_SHARD).timestamp(DateTime::from(between));
        let timestamp = timestamp.shard_iterator_type(ShardIteratorType::AtTimestamp);
        let timestamp = timestamp.send().await.unwrap().shard_iterator.unwrap();
        let cases = [
            (server.iterator(FIRST_SHARD, ShardIteratorType::TrimHorizon).await, "0123"),
            (latest_of_nothing, "0123"),
            (server.iterator(FIRST_SHARD, ShardIteratorType::Latest).await, ""),
            (server.iterator_at(ShardIteratorType::AtSequenceNumber, &put[1]).await, "123"),
            (server.iterator_at(ShardIteratorType::AfterSequenceNumber, &put[1]).await, "23"),
            (server.iterator_at(ShardIteratorType::AfterSequenceNumber, &put[3]).await, ""),
            (timestamp, "3"),
        ];
        for (case, (iterator, expected)) in cases.iter().enumerate() {
            let read = server.read(iterator).await;
            let read = data(&read.records).concat();
            assert_eq!(read, *expected, "{:?}, case {case}", server.kind);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test of timestamps")]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

#[tokio::test]
async fn a_limit_cuts_a_read_and_the_next_iterator_goes_on_behind_it() {
    for server in servers(&ALL, "limit", 1).await {
        for number in 0..5 {
            server.put("key", &number.to_string()).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let iterator = server.iterator(FIRST_SHARD, ShardIteratorType::TrimHorizon).await;
        let first = server.client.get_records().shard_iterator(iterator).limit(2);
        let first = first.send().await.unwrap();
        assert_eq!(data(&first.records), ["0", "1"], "{:?}", server.kind);
        assert!(first.millis_behind_latest > Some(0), "{:?}", server.kind);
        let rest = server.read(&first.next_shard_iterator.unwrap()).await;
        assert_eq!(data(&rest.records), ["2", "3", "4"], "{:?}", server.kind);
        assert_eq!(rest.millis_behind_latest, Some(0), "{:?}", server.kind);
        let tip = rest.next_shard_iterator.unwrap();
        let nothing = server.read(&tip).await;
        assert_eq!(data(&nothing.records), [""; 0], "{:?}", server.kind);
        server.put("key", "5").await;
        // Both the iterator that gave nothing and the one after it are of use.
        for iterator in [tip, nothing.next_shard_iterator.unwrap()] {
            assert_eq!(data(&server.read(&iterator).await.records), ["5"], "{:?}", server.kind);
        }
    }
}

async fn refusals(server: &Server) -> Vec<(&'static str, String)> {
    let client = &server.client;
    let iterator = |stream: &str, shard: &str| {
        let iterator = client.get_shard_iterator().stream_name(stream).shard_id(shard);
        iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send()
    };
    let at = client.get_shard_iterator().stream_name(&server.stream).shard_id(FIRST_SHARD);
    let at = at.shard_iterator_type(ShardIteratorType::AfterSequenceNumber);
    let put = client.put_record().stream_name("nowhere").partition_key("key").data(Blob::new("x"));
    vec![
        ("describe", code(client.describe_stream_summary().stream_name("nowhere").send().await)),
        ("list", code(client.list_shards().stream_name("nowhere").send().await)),
        ("put", code(put.send().await)),
        ("iterator, stream", code(iterator("nowhere", FIRST_SHARD).await)),
        ("iterator, shard", code(iterator(&server.stream, "shardId-000000000099").await)),
        (
            "create",
            code(client.create_stream().stream_name(&server.stream).shard_count(1).send().await),
        ),
        ("number", code(at.starting_sequence_number("123456789").send().await)),
        ("read", code(client.get_records().shard_iterator("nonsense").send().await)),
    ]
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_the_errors_of_aws() {
    for server in servers(&ALL, "refusals", 1).await {
        // A number of no shard is of use to the others, and an iterator of none breaks kinesis-mock.
        let (number, read) = match server.kind {
            Kind::KinesisMock => ("none", "500"),
            Kind::Ministack => ("none", "ExpiredIteratorException"),
            Kind::Ours => ("InvalidArgumentException", "InvalidArgumentException"),
        };
        let expected = [
            ("describe", "ResourceNotFoundException"),
            ("list", "ResourceNotFoundException"),
            ("put", "ResourceNotFoundException"),
            ("iterator, stream", "ResourceNotFoundException"),
            ("iterator, shard", "ResourceNotFoundException"),
            ("create", "ResourceInUseException"),
            ("number", number),
            ("read", read),
        ];
        for ((what, is), (_, should_be)) in refusals(&server).await.iter().zip(expected) {
            assert_eq!(is, should_be, "{:?}, {what}", server.kind);
        }
    }
}

#[tokio::test]
async fn more_than_500_records_at_once_are_refused() {
    for server in servers(&ALL, "many", 1).await {
        let put = server.client.put_records().stream_name(&server.stream);
        let put = put.set_records(Some((0..501).map(|_| entry("key", "x")).collect())).send().await;
        if server.kind != Kind::KinesisMock {
            assert_eq!(code(put), "ValidationException", "{:?}", server.kind);
        } else {
            assert_eq!(put.unwrap().records.len(), 501, "it has learned the limit");
        }
    }
}

#[tokio::test]
async fn a_read_gives_ten_megabytes_at_most() {
    // The others need half a minute to take as much.
    let server = ours(Options::default()).await;
    for number in 0..23_u8 {
        server.ours().put("stream", "key", &vec![number; 500_000]);
    }
    let iterator = server.iterator(FIRST_SHARD, ShardIteratorType::TrimHorizon).await;
    let first = server.read(&iterator).await;
    assert_eq!(first.records.len(), 20);
    assert!(first.millis_behind_latest.is_some());
    let rest = server.read(&first.next_shard_iterator.unwrap()).await;
    assert_eq!((rest.records.len(), rest.records[0].data.as_ref()[0]), (3, 20));
}
