//! What only our server does: throttling, trimming, expiry, and going wrong when it is told to.

use std::time::Duration;

use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};
use flowscout_tests::aws;
use flowscout_tests::kinesis::{Ending, Fault, KinesisServer, Operation, Options, ReadLimits};
use tokio::time::{sleep, timeout};

use super::fan_out::{from, next, next_records};
use super::{FIRST_SHARD, code, data, ours};

const TRIM_HORIZON: ShardIteratorType = ShardIteratorType::TrimHorizon;

#[tokio::test]
async fn a_shard_that_is_read_too_often_refuses() {
    let server = ours(Options::default().throttled()).await;
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    let mut refused = Vec::new();
    for _ in 0..8 {
        let read = server.client.get_records().shard_iterator(&iterator).send().await;
        refused.extend(read.is_err().then(|| code(read)));
    }
    // Five, and one more on a machine that took 200 ms for them.
    assert!((2..=3).contains(&refused.len()), "{refused:?}");
    assert!(refused.iter().all(|code| code == "ProvisionedThroughputExceededException"));
    sleep(Duration::from_millis(400)).await;
    server.read(&iterator).await;
    let calls = server.ours().calls_of(Operation::GetRecords);
    assert_eq!(calls.iter().filter(|call| call.error.is_some()).count(), refused.len());
    assert!(calls.iter().all(|call| call.shard.as_deref() == Some(FIRST_SHARD)));
}

#[tokio::test]
async fn after_ten_megabytes_a_shard_rests_for_five_seconds() {
    // Writing is not limited, or it would take eleven seconds.
    let reads = Some(ReadLimits::default());
    let server = ours(Options { reads, ..Options::default() }).await;
    for _ in 0..21 {
        server.ours().put("stream", "key", &vec![7; 500_000]);
    }
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    let first = server.read(&iterator).await;
    assert_eq!(first.records.len(), 20);
    let next = first.next_shard_iterator.unwrap();
    sleep(Duration::from_secs(4)).await;
    let early = server.client.get_records().shard_iterator(&next).send().await;
    assert_eq!(code(early), "ProvisionedThroughputExceededException");
    sleep(Duration::from_millis(1200)).await;
    assert_eq!(server.read(&next).await.records.len(), 1);
}

fn entries(count: usize, bytes: usize) -> Vec<PutRecordsRequestEntry> {
    let entry = |number: usize| {
        let entry = PutRecordsRequestEntry::builder().partition_key(number.to_string());
        entry.data(Blob::new(vec![b'x'; bytes])).build().unwrap()
    };
    (0..count).map(entry).collect()
}

#[tokio::test]
async fn what_a_shard_cannot_take_fails_record_by_record() {
    let server = ours(Options::default().throttled()).await;
    let put = || {
        let put = server.client.put_records().stream_name("stream");
        put.set_records(Some(entries(500, 10))).send()
    };
    let mut failed = 0;
    for _ in 0..3 {
        let put = put().await.unwrap();
        assert_eq!(put.records.len(), 500);
        let refused = put.records.iter().filter(|record| {
            let is_refused = record.error_code.is_some();
            assert_eq!(record.sequence_number.is_none(), is_refused);
            assert_eq!(record.shard_id.is_none(), is_refused);
            let code = "ProvisionedThroughputExceededException";
            assert!(record.error_code.as_deref().is_none_or(|found| found == code));
            is_refused
        });
        let refused = refused.count();
        assert_eq!(put.failed_record_count, Some(i32::try_from(refused).unwrap()));
        failed += refused;
    }
    // A thousand a second pass, and what came in while the three calls took.
    assert!((100..=500).contains(&failed), "{failed}");
}

#[tokio::test]
async fn chosen_records_of_a_request_fail_and_the_others_are_stored_once() {
    let server = ours(Options::default()).await;
    let fault = Fault::Entries(vec![1, 3], "InternalFailure");
    server.ours().fail(Operation::PutRecords, fault, 1);
    let put = server.client.put_records().stream_name("stream");
    let put = put.set_records(Some(entries(5, 1))).send().await.unwrap();
    assert_eq!(put.failed_record_count, Some(2));
    let codes: Vec<_> = put.records.iter().map(|record| record.error_code.as_deref()).collect();
    let failure = Some("InternalFailure");
    assert_eq!(codes, [None, failure, None, failure, None]);
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    let read = server.read(&iterator).await;
    let keys: Vec<_> = read.records.iter().map(|record| record.partition_key().unwrap()).collect();
    assert_eq!(keys, ["0", "2", "4"]);
}

#[tokio::test]
async fn an_error_comes_as_often_as_asked_for_and_with_its_type() {
    let server = ours(Options::default()).await;
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    let read = || server.client.get_records().shard_iterator(&iterator).send();
    let fail = |fault| server.ours().fail(Operation::GetRecords, fault, 2);
    fail(Fault::Error("KMSThrottlingException", "slow down"));
    for _ in 0..2 {
        let error = read().await.unwrap_err().into_service_error();
        assert!(error.is_kms_throttling_exception() && error.to_string().contains("slow down"));
    }
    fail(Fault::Error("AccessDeniedException", "no"));
    assert!(read().await.unwrap_err().into_service_error().is_access_denied_exception());
    server.ours().heal();
    read().await.unwrap();
}

#[tokio::test]
async fn servers_break_hang_and_cut_connections() {
    let server = ours(Options::default()).await;
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    let read = || server.client.get_records().shard_iterator(&iterator).send();
    let fail = |fault| server.ours().fail(Operation::GetRecords, fault, 1);
    fail(Fault::Status(500));
    let error = read().await.unwrap_err();
    assert_eq!(error.raw_response().map(|response| response.status().as_u16()), Some(500));
    fail(Fault::Cut);
    let error = read().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    fail(Fault::Hang);
    timeout(Duration::from_millis(300), read()).await.unwrap_err();
    fail(Fault::Late(Duration::from_millis(300)));
    timeout(Duration::from_millis(100), read()).await.unwrap_err();
    read().await.unwrap();
    let errors: Vec<_> =
        server.ours().calls_of(Operation::GetRecords).into_iter().map(|call| call.error).collect();
    let expected = [Some("Status(500)"), Some("Cut"), Some("Hang"), None, None];
    assert_eq!(errors, expected.map(|error| error.map(str::to_owned)));
}

#[tokio::test]
async fn a_put_that_is_never_answered_is_stored() {
    let server = ours(Options::default()).await;
    server.ours().fail(Operation::PutRecord, Fault::CutAnswer, 1);
    let put = server.client.put_record().stream_name("stream").partition_key("key");
    put.data(Blob::new("once")).send().await.unwrap_err();
    server.put("key", "twice").await;
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    assert_eq!(data(&server.read(&iterator).await.records), ["once", "twice"]);
}

#[tokio::test]
async fn a_fault_of_one_shard_leaves_the_others_alone() {
    let server = ours(Options::default()).await;
    server.ours().split("stream", FIRST_SHARD, 1 << 127);
    let fault = Fault::Error("KMSDisabledException", "off");
    let (operation, other) = (Operation::GetShardIterator, "shardId-000000000001");
    server.ours().fail_shard(operation, FIRST_SHARD, fault, u32::MAX);
    server.iterator(other, TRIM_HORIZON).await;
    let iterator = server.client.get_shard_iterator().stream_name("stream").shard_id(FIRST_SHARD);
    let iterator = iterator.shard_iterator_type(TRIM_HORIZON).send().await;
    assert_eq!(code(iterator), "KMSDisabledException");
}

#[tokio::test]
async fn iterators_expire_and_records_are_trimmed() {
    let server = ours(Options::default()).await;
    let (_, first) = server.put("key", "first").await;
    let (_, second) = server.put("key", "second").await;
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    server.ours().expire_iterators();
    let expired = code(server.client.get_records().shard_iterator(iterator).send().await);
    assert_eq!(expired, "ExpiredIteratorException");
    server.ours().trim("stream", FIRST_SHARD, &second);
    let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
    assert_eq!(data(&server.read(&iterator).await.records), ["second"]);
    // Behind the last one that is gone is where the horizon is; before it, something is missing.
    let kind = ShardIteratorType::AfterSequenceNumber;
    let iterator = server.iterator_at(kind, &first).await;
    assert_eq!(data(&server.read(&iterator).await.records), ["second"]);
    let at = server.client.get_shard_iterator().stream_name("stream").shard_id(FIRST_SHARD);
    let at = at.shard_iterator_type(ShardIteratorType::AtSequenceNumber);
    let at = code(at.starting_sequence_number(first).send().await);
    assert_eq!(at, "InvalidArgumentException");
}

#[tokio::test]
async fn a_parent_that_has_expired_is_no_longer_listed_but_still_named() {
    let server = ours(Options::default()).await;
    server.ours().split("stream", FIRST_SHARD, 1 << 127);
    server.ours().expire_shard("stream", FIRST_SHARD);
    let shards = server.shards().await;
    assert_eq!(super::ids(&shards), ["shardId-000000000001", "shardId-000000000002"]);
    assert!(shards.iter().all(|shard| shard.parent_shard_id() == Some(FIRST_SHARD)));
}

/// Waits until there are this many subscriptions: the server learns from the connection that a client has gone, and a client of
/// an end before the server has noted it.
async fn until_open(server: &KinesisServer, count: usize) {
    let until = async {
        while server.open_subscriptions().len() != count {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), until).await.unwrap();
}

#[tokio::test]
async fn subscriptions_break_in_every_way() {
    let server = ours(Options::default()).await;
    let arn = server.register("consumer").await;
    let ours = server.ours();
    server.put("key", "one").await;
    let in_stream = Fault::InStream("KMSAccessDeniedException", "no");
    ours.fail(Operation::SubscribeToShard, in_stream, 1);
    let mut denied = server.subscribe(&arn, from(TRIM_HORIZON)).await.unwrap();
    assert_eq!(next(&mut denied).await, Err("KMSAccessDeniedException".to_owned()));

    let arn = server.register("second").await;
    ours.fail(Operation::SubscribeToShard, Fault::CutStream, 1);
    let mut cut = server.subscribe(&arn, from(TRIM_HORIZON)).await.unwrap();
    assert_eq!(data(&next_records(&mut cut).await.records), ["one"]);
    let error = next(&mut cut).await.unwrap_err();
    assert!(!error.ends_with("Exception"), "{error}");

    let arn = server.register("third").await;
    ours.fail(Operation::SubscribeToShard, Fault::Silent, 1);
    let mut silent = server.subscribe(&arn, from(TRIM_HORIZON)).await.unwrap();
    timeout(Duration::from_millis(500), silent.event_stream.recv()).await.unwrap_err();
    until_open(ours, 1).await;

    let arn = server.register("fourth").await;
    let mut ended = server.subscribe(&arn, from(TRIM_HORIZON)).await.unwrap();
    next_records(&mut ended).await;
    assert_eq!(ours.end_subscriptions(Some(FIRST_SHARD), Ending::Clean), 2);
    assert_eq!(next(&mut ended).await, Ok(None));
}

#[tokio::test]
async fn the_end_of_a_shard_comes_with_its_last_records_or_alone() {
    for shard_end_comes_alone in [false, true] {
        let server = ours(Options { shard_end_comes_alone, ..Options::default() }).await;
        server.put("key", "last").await;
        server.ours().split("stream", FIRST_SHARD, 1 << 127);
        let iterator = server.iterator(FIRST_SHARD, TRIM_HORIZON).await;
        let read = server.read(&iterator).await;
        assert_eq!(data(&read.records), ["last"]);
        assert_eq!(read.next_shard_iterator.is_some(), shard_end_comes_alone);
        if let Some(next) = read.next_shard_iterator {
            let end = server.read(&next).await;
            assert_eq!((data(&end.records), end.child_shards().len()), (vec![], 2));
            assert_eq!(end.next_shard_iterator, None);
        }
    }
}

#[tokio::test]
async fn what_changes_takes_its_time_and_refuses_to_change_meanwhile() {
    let server = KinesisServer::start(Options {
        transition: Duration::from_millis(300),
        ..Options::default()
    });
    server.create_stream("stream", 1);
    let client = aws::kinesis_client(&server.url());
    let split = || {
        let split = client.split_shard().stream_name("stream").shard_to_split(FIRST_SHARD);
        split.new_starting_hash_key("1000").send()
    };
    assert_eq!(code(split().await), "ResourceInUseException");
    sleep(Duration::from_millis(400)).await;
    split().await.unwrap();
    let summary = client.describe_stream_summary().stream_name("stream").send().await.unwrap();
    let summary = summary.stream_description_summary.unwrap();
    assert_eq!(summary.stream_status.as_str(), "UPDATING");
    assert_eq!(summary.open_shard_count, 2);
}

#[tokio::test]
async fn a_token_for_the_next_page_expires() {
    let token_life = Duration::from_millis(100);
    let server = ours(Options { token_life, ..Options::default() }).await;
    server.ours().scale("stream", 3);
    let list = server.client.list_shards().stream_name("stream").max_results(1);
    let token = list.send().await.unwrap().next_token.unwrap();
    let next = || server.client.list_shards().next_token(&token).send();
    next().await.unwrap();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(code(next().await), "ExpiredNextTokenException");
}

#[tokio::test]
async fn a_silenced_subscription_stays_open_and_gets_nothing() {
    let server = ours(Options::default()).await;
    let arn = server.register("consumer").await;
    let mut silenced = server.subscribe(&arn, from(TRIM_HORIZON)).await.unwrap();
    server.put("key", "heard").await;
    assert_eq!(data(&next_records(&mut silenced).await.records), ["heard"]);
    assert_eq!(server.ours().end_subscriptions(None, Ending::Silence), 1);
    server.put("key", "unheard").await;
    timeout(Duration::from_millis(500), silenced.event_stream.recv()).await.unwrap_err();
    assert_eq!(server.ours().open_subscriptions().len(), 1);
    drop(silenced);
    until_open(server.ours(), 0).await;
}

#[tokio::test]
async fn a_consumer_gets_two_megabytes_a_second_of_a_shard() {
    let fan_out = Options::default().throttled().fan_out;
    let server = ours(Options { fan_out, ..Options::default() }).await;
    for _ in 0..3 {
        server.ours().put("stream", "key", &vec![b'x'; 1_000_000]);
    }
    let arn = server.register("consumer").await;
    let start = tokio::time::Instant::now();
    let mut subscription = server.subscribe(&arn, from(TRIM_HORIZON)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(next_records(&mut subscription).await.records.len(), 1);
    }
    // Two of the three are paid for.
    assert!(start.elapsed() >= Duration::from_millis(950), "{:?}", start.elapsed());
}
