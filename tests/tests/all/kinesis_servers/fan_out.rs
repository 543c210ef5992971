//! Subscriptions: what is pushed, who may have them, how they end.

use std::time::Duration;

use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::subscribe_to_shard::{
    SubscribeToShardError, SubscribeToShardOutput,
};
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{ShardIteratorType, StartingPosition, SubscribeToShardEvent};
use flowscout_tests::kinesis::{EndContinuation, FanOut, Options};
use tokio::time::{Instant, sleep, timeout};

use super::{FIRST_SHARD, Kind, Server, code, data, ours, servers};

/// Kinesis-mock has no subscriptions.
const FAN_OUT: [Kind; 2] = [Kind::Ministack, Kind::Ours];

/// The middle of all hash keys.
const MIDDLE: &str = "170141183460469231731687303715884105728";
/// Longer than it takes to be told of anything, on a machine that others load.
const SOON: Duration = Duration::from_secs(60);

/// Where a subscription starts.
pub(super) fn from(kind: ShardIteratorType) -> StartingPosition {
    StartingPosition::builder().r#type(kind).build().unwrap()
}

pub(super) fn after(sequence_number: &str) -> StartingPosition {
    let position = StartingPosition::builder().r#type(ShardIteratorType::AfterSequenceNumber);
    position.sequence_number(sequence_number).build().unwrap()
}

impl Server {
    pub(super) async fn arn(&self) -> String {
        let summary = self.client.describe_stream_summary().stream_name(&self.stream).send().await;
        summary.unwrap().stream_description_summary.unwrap().stream_arn
    }

    /// Registers a consumer and waits until it may subscribe; its ARN.
    pub(super) async fn register(&self, name: &str) -> String {
        let arn = self.arn().await;
        let register = self.client.register_stream_consumer().stream_arn(&arn).consumer_name(name);
        let consumer = register.send().await.unwrap().consumer.unwrap().consumer_arn;
        loop {
            let describe = self.client.describe_stream_consumer().consumer_arn(&consumer).send();
            let description = describe.await.unwrap().consumer_description.unwrap();
            if description.consumer_status.as_str() == "ACTIVE" {
                return consumer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn subscribe(
        &self,
        consumer: &str,
        from: StartingPosition,
    ) -> Result<SubscribeToShardOutput, SdkError<SubscribeToShardError>> {
        let subscribe = self.client.subscribe_to_shard().consumer_arn(consumer);
        subscribe.shard_id(FIRST_SHARD).starting_position(from).send().await
    }
}

/// The next event, `None` at a good end, and the name of the error at a bad one.
pub(super) async fn next(
    subscription: &mut SubscribeToShardOutput,
) -> Result<Option<SubscribeToShardEvent>, String> {
    match timeout(SOON, subscription.event_stream.recv()).await.unwrap() {
        Ok(event) => Ok(event.map(|event| event.as_subscribe_to_shard_event().unwrap().clone())),
        Err(SdkError::ServiceError(error)) => Err(name(error.err()).to_owned()),
        Err(error) => Err(format!("{error:?}")),
    }
}

/// Errors in a stream have a type, and no code.
fn name(error: &SubscribeToShardEventStreamError) -> &'static str {
    assert_eq!(error.code(), None);
    match error {
        SubscribeToShardEventStreamError::ResourceInUseException(_) => "ResourceInUseException",
        SubscribeToShardEventStreamError::ResourceNotFoundException(_) => {
            "ResourceNotFoundException"
        }
        SubscribeToShardEventStreamError::KmsAccessDeniedException(_) => "KMSAccessDeniedException",
        other => panic!("{other:?}"),
    }
}

/// The next event that has records.
pub(super) async fn next_records(
    subscription: &mut SubscribeToShardOutput,
) -> SubscribeToShardEvent {
    loop {
        let event = next(subscription).await.unwrap().unwrap();
        if !event.records.is_empty() {
            return event;
        }
    }
}

#[tokio::test]
async fn records_are_pushed_in_order_and_a_continuation_goes_on_behind_them() {
    for server in servers(&FAN_OUT, "pushed", 1).await {
        let consumer = server.register("first").await;
        for number in 0..3 {
            server.put("key", &number.to_string()).await;
        }
        let start = from(ShardIteratorType::TrimHorizon);
        let mut subscription = server.subscribe(&consumer, start).await.unwrap();
        let event = next_records(&mut subscription).await;
        assert_eq!(data(&event.records), ["0", "1", "2"], "{:?}", server.kind);
        assert_eq!(event.records[0].partition_key(), Some("key"), "{:?}", server.kind);
        assert_eq!(event.millis_behind_latest, 0, "{:?}", server.kind);
        let continuation = event.continuation_sequence_number;
        assert!(continuation >= event.records[2].sequence_number, "{:?}", server.kind);
        server.put("key", "3").await;
        let event = next_records(&mut subscription).await;
        assert_eq!(data(&event.records), ["3"], "{:?}", server.kind);
        // Another consumer has a subscription of its own.
        let other = server.register("second").await;
        let mut other = server.subscribe(&other, after(&continuation)).await.unwrap();
        assert_eq!(data(&next_records(&mut other).await.records), ["3"], "{:?}", server.kind);
    }
}

#[tokio::test]
async fn a_subscription_from_the_newest_gets_only_what_comes() {
    for server in servers(&FAN_OUT, "newest", 1).await {
        let consumer = server.register("consumer").await;
        server.put("key", "old").await;
        let start = from(ShardIteratorType::Latest);
        let mut subscription = server.subscribe(&consumer, start).await.unwrap();
        server.put("key", "new").await;
        assert_eq!(data(&next_records(&mut subscription).await.records), ["new"]);
    }
}

#[tokio::test]
async fn a_second_subscription_is_refused_for_five_seconds_and_then_takes_over() {
    for server in servers(&FAN_OUT, "takeover", 1).await {
        let consumer = server.register("consumer").await;
        let start = || from(ShardIteratorType::TrimHorizon);
        let mut first = server.subscribe(&consumer, start()).await.unwrap();
        let refused = code(server.subscribe(&consumer, start()).await);
        assert_eq!(refused, "ResourceInUseException", "{:?}", server.kind);
        sleep(Duration::from_millis(5200)).await;
        let mut second = server.subscribe(&consumer, start()).await.unwrap();
        let end = loop {
            match next(&mut first).await {
                Ok(Some(_event)) => {}
                end => break end,
            }
        };
        assert_eq!(end, Err("ResourceInUseException".to_owned()), "{:?}", server.kind);
        server.put("key", "to the second").await;
        assert_eq!(data(&next_records(&mut second).await.records), ["to the second"]);
    }
}

#[tokio::test]
async fn a_subscription_that_was_given_up_still_refuses_the_next_for_five_seconds() {
    for server in servers(&FAN_OUT, "given-up", 1).await {
        let consumer = server.register("consumer").await;
        let start = || from(ShardIteratorType::TrimHorizon);
        let first = Instant::now();
        drop(server.subscribe(&consumer, start()).await.unwrap());
        sleep(Duration::from_secs(2)).await;
        let second = server.subscribe(&consumer, start()).await;
        // Ministack forgets a subscription with its connection.
        if server.kind == Kind::Ministack {
            assert_eq!(code(second), "none");
        } else if first.elapsed() < Duration::from_secs(5) {
            assert_eq!(code(second), "ResourceInUseException");
        } else {
            // The machine stood still for seconds, and the server was right to forget.
            assert_eq!(code(second), "none");
        }
    }
}

#[tokio::test]
async fn who_may_not_subscribe_is_refused() {
    for server in servers(&FAN_OUT, "strangers", 1).await {
        let consumer = server.register("consumer").await;
        let start = || from(ShardIteratorType::TrimHorizon);
        let stranger = format!("{}/consumer/stranger:1", server.arn().await);
        let stranger = code(server.subscribe(&stranger, start()).await);
        assert_eq!(stranger, "ResourceNotFoundException", "{:?}", server.kind);
        let nowhere = server.client.subscribe_to_shard().consumer_arn(&consumer);
        let nowhere = nowhere.shard_id("shardId-000000000077").starting_position(start());
        let nowhere = code(nowhere.send().await);
        assert_eq!(nowhere, "ResourceNotFoundException", "{:?}", server.kind);
    }
}

#[tokio::test]
async fn consumers_are_registered_once_listed_and_deregistered() {
    for server in servers(&[Kind::KinesisMock, Kind::Ministack, Kind::Ours], "consumers", 1).await {
        let arn = server.arn().await;
        let register = || {
            let register = server.client.register_stream_consumer().stream_arn(&arn);
            register.consumer_name("consumer").send()
        };
        let made = register().await.unwrap().consumer.unwrap();
        assert!(made.consumer_arn.starts_with(&format!("{arn}/consumer/consumer:")));
        assert_eq!(code(register().await), "ResourceInUseException", "{:?}", server.kind);
        let list = server.client.list_stream_consumers().stream_arn(&arn).send().await.unwrap();
        let list: Vec<_> = list.consumers().iter().map(|consumer| &consumer.consumer_arn).collect();
        assert_eq!(list, [&made.consumer_arn], "{:?}", server.kind);
        // Kinesis-mock lets nobody go who is not ACTIVE.
        sleep(Duration::from_millis(200)).await;
        let deregister = || server.client.deregister_stream_consumer();
        let by_arn = deregister().consumer_arn(&made.consumer_arn).send().await;
        if server.kind == Kind::KinesisMock {
            // It finds no consumer by its ARN alone.
            assert_eq!(code(by_arn), "ResourceNotFoundException");
            let by_name = deregister().stream_arn(&arn).consumer_name("consumer");
            by_name.send().await.unwrap();
        } else {
            by_arn.unwrap();
        }
        let describe = || {
            let describe = server.client.describe_stream_consumer().stream_arn(&arn);
            describe.consumer_name("consumer").send()
        };
        let gone = async {
            while describe().await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
            code(describe().await)
        };
        let gone = timeout(SOON, gone).await.unwrap();
        assert_eq!(gone, "ResourceNotFoundException", "{:?}", server.kind);
    }
}

#[tokio::test]
async fn a_subscription_ends_with_its_consumer() {
    for server in servers(&FAN_OUT, "deregistered", 1).await {
        let consumer = server.register("consumer").await;
        let start = from(ShardIteratorType::TrimHorizon);
        let mut subscription = server.subscribe(&consumer, start).await.unwrap();
        server.client.deregister_stream_consumer().consumer_arn(&consumer).send().await.unwrap();
        let end = loop {
            match next(&mut subscription).await {
                Ok(Some(_event)) => {}
                end => break end,
            }
        };
        assert_eq!(end, Err("ResourceNotFoundException".to_owned()), "{:?}", server.kind);
    }
}

#[tokio::test]
async fn a_subscription_to_a_shard_that_is_split_ends_with_its_children() {
    for server in servers(&FAN_OUT, "split-while-subscribed", 1).await {
        let consumer = server.register("consumer").await;
        server.put("key", "last").await;
        let start = from(ShardIteratorType::TrimHorizon);
        let mut subscription = server.subscribe(&consumer, start).await.unwrap();
        assert_eq!(data(&next_records(&mut subscription).await.records), ["last"]);
        let split = server.client.split_shard().stream_name(&server.stream);
        let split = split.shard_to_split(FIRST_SHARD).new_starting_hash_key(MIDDLE);
        split.send().await.unwrap();
        let end = loop {
            let event = next(&mut subscription).await.unwrap().unwrap();
            if event.child_shards.is_some() {
                break event;
            }
        };
        assert!(end.records.is_empty(), "{:?}", server.kind);
        let children: Vec<_> = end.child_shards().iter().map(|child| child.shard_id()).collect();
        assert_eq!(children, ["shardId-000000000001", "shardId-000000000002"], "{:?}", server.kind);
        assert!(end.child_shards().iter().all(|child| child.parent_shards == [FIRST_SHARD]));
        assert_eq!(next(&mut subscription).await, Ok(None), "{:?}", server.kind);
    }
}

/// What a client sees for a continuation at the end of a shard; `Err` when it cannot read the event.
async fn continuation_at_the_end(end: EndContinuation) -> Result<String, String> {
    let server =
        ours(Options { fan_out: FanOut { end, ..FanOut::default() }, ..Options::default() });
    let server = server.await;
    let consumer = server.register("consumer").await;
    server.put("key", "last").await;
    server.ours().split("stream", FIRST_SHARD, 1 << 127);
    let start = from(ShardIteratorType::TrimHorizon);
    let mut subscription = server.subscribe(&consumer, start).await.unwrap();
    let event = next(&mut subscription).await?.unwrap();
    assert_eq!((data(&event.records), event.child_shards().len()), (vec!["last"], 2));
    assert_eq!(next(&mut subscription).await, Ok(None));
    Ok(event.continuation_sequence_number)
}

#[tokio::test]
async fn the_end_of_a_shard_is_read_with_every_continuation_that_may_stand_there() {
    assert_eq!(continuation_at_the_end(EndContinuation::Absent).await.unwrap(), "");
    assert_eq!(continuation_at_the_end(EndContinuation::Empty).await.unwrap(), "");
    assert_eq!(continuation_at_the_end(EndContinuation::Last).await.unwrap().len(), 56);
    assert_eq!(continuation_at_the_end(EndContinuation::Null).await.unwrap(), "");
}

#[tokio::test]
async fn a_subscription_ends_well_at_the_end_of_its_life_and_goes_on_from_its_continuation() {
    // Ministack's life of five minutes cannot be shortened.
    let fan_out = FanOut {
        life: Duration::from_secs(1),
        exclusive: Duration::from_millis(500),
        heartbeat: Duration::from_millis(300),
        ..FanOut::default()
    };
    let server = ours(Options { fan_out, ..Options::default() }).await;
    let consumer = server.register("consumer").await;
    let (_, put) = server.put("key", "first").await;
    let start = from(ShardIteratorType::TrimHorizon);
    let mut subscription = server.subscribe(&consumer, start).await.unwrap();
    assert_eq!(server.ours().open_subscriptions(), [(consumer.clone(), FIRST_SHARD.to_owned())]);
    let mut continuations = Vec::new();
    while let Some(event) = next(&mut subscription).await.unwrap() {
        continuations.push(event.continuation_sequence_number);
    }
    // The first record, and heartbeats, which move on although nothing comes.
    assert!(continuations.len() >= 3 && continuations[0] == put, "{continuations:?}");
    assert!(continuations.windows(2).all(|pair| pair[0] < pair[1]), "{continuations:?}");
    assert_eq!(server.ours().open_subscriptions(), []);
    server.put("key", "second").await;
    let again = after(continuations.last().unwrap());
    let mut subscription = server.subscribe(&consumer, again).await.unwrap();
    assert_eq!(data(&next_records(&mut subscription).await.records), ["second"]);
}
