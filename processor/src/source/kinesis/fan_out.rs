//! Reads a shard with `SubscribeToShard`: the service pushes, and every subscription ends after five minutes at the latest.
//!
//! Rules: Kinesis Data Streams API reference, `SubscribeToShard`, and Developer Guide, "Develop enhanced fan-out consumers": one call a
//! second, and none within five seconds after one that succeeded; an event about every five seconds, even without records;
//! the next subscription begins behind the last `ContinuationSequenceNumber`.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::error::SubscribeToShardEventStreamError;
use aws_sdk_kinesis::types::{
    ShardIteratorType, StartingPosition, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use tokio::time::{sleep, timeout};

use super::arrivals::{Answer, arrived, children, memory_bytes};
use super::failure::Failure;
use super::pace::Pace;
use super::place::Place;
use super::shard::Source;

const SUBSCRIBE_TO_SHARD: &str = "kinesis:SubscribeToShard";
/// Between two subscriptions to one shard.
const SUBSCRIBE_MS: u64 = 5_000;
/// Workers that were refused together shall not come again together.
const JITTER_MS: u64 = 1_000;
/// An event that comes is said to hold all that arrived so long before: the service pushes within 70 ms on average (guide, "Differences
/// between shared throughput consumer and enhanced fan-out consumer").
const PUSH_MS: u64 = 1_000;

/// One shard's subscription.
#[derive(Debug)]
pub(super) struct FanOut {
    place: Place,
    consumer_arn: Option<Arc<str>>,
    subscription: Option<SubscribeToShardOutput>,
    subscribed_at_ms: Option<u64>,
    pace: Pace,
    next_call_at_ms: u64,
}

impl FanOut {
    pub(super) fn new(place: Place) -> Self {
        let pace = Pace::new(SUBSCRIBE_MS);
        Self {
            place,
            consumer_arn: None,
            subscription: None,
            subscribed_at_ms: None,
            pace,
            next_call_at_ms: 0,
        }
    }

    /// The next event. After a failure it subscribes anew, when it may.
    pub(super) async fn next(&mut self, source: &Source) -> Result<Answer, Failure> {
        let silence_max = Duration::from_secs(source.config.no_event_s_max);
        loop {
            let Some(subscription) = &mut self.subscription else {
                self.subscribe(source, silence_max).await?;
                continue;
            };
            let event = timeout(silence_max, subscription.event_stream.recv()).await;
            let failure = match event {
                Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => {
                    return Ok(self.take(event, source).await);
                }
                // An event of a later version of the service.
                Ok(Ok(Some(_))) => continue,
                Ok(Ok(None)) => None,
                Ok(Err(error)) => Some(in_stream(&error)),
                Err(_elapsed) => Some(Failure::Unavailable {
                    action: SUBSCRIBE_TO_SHARD,
                    message: format!("no event for {} s", source.config.no_event_s_max),
                }),
            };
            self.subscription = None;
            let since_ms = self.subscribed_at_ms.unwrap_or(0);
            self.next_call_at_ms = since_ms + SUBSCRIBE_MS + fastrand::u64(0..JITTER_MS);
            if let Some(failure) = failure {
                return Err(self.failed(failure, source).await);
            }
        }
    }

    /// Goes on from another place.
    pub(super) fn restart_at(&mut self, place: Place) {
        self.place = place;
        self.subscription = None;
    }

    async fn subscribe(&mut self, source: &Source, wait_max: Duration) -> Result<(), Failure> {
        let wait_ms = self.next_call_at_ms.saturating_sub(source.clock.now_ms());
        sleep(Duration::from_millis(wait_ms)).await;
        let asked_at = source.clock.unix_ms();
        let consumer_arn = match source.stream.consumer_arn().await {
            Ok(arn) => arn,
            Err(failure) => return Err(self.wait_after(failure, source)),
        };
        self.consumer_arn = Some(Arc::clone(&consumer_arn));
        let request = source.client.subscribe_to_shard().shard_id(&*source.shard_id);
        let request = request.consumer_arn(&*consumer_arn).starting_position(position(&self.place));
        let answer = timeout(wait_max, request.send()).await;
        let failure = match answer {
            Ok(Ok(subscription)) => {
                self.subscription = Some(subscription);
                self.subscribed_at_ms = Some(source.clock.now_ms());
                // Should it end before its first event, the newest record then is not the newest now.
                if self.place == Place::Latest {
                    self.place = Place::Since { unix_ms: asked_at };
                }
                return Ok(());
            }
            Ok(Err(error)) => Failure::of(SUBSCRIBE_TO_SHARD, &error),
            Err(_elapsed) => Failure::Unavailable {
                action: SUBSCRIBE_TO_SHARD,
                message: format!("no answer for {} s", wait_max.as_secs()),
            },
        };
        Err(self.failed(failure, source).await)
    }

    /// A consumer that is not there is looked for anew.
    async fn failed(&mut self, failure: Failure, source: &Source) -> Failure {
        if matches!(failure, Failure::NotFound { .. })
            && let Some(arn) = self.consumer_arn.take()
        {
            source.stream.forget_consumer(&arn).await;
        }
        self.wait_after(failure, source)
    }

    fn wait_after(&mut self, failure: Failure, source: &Source) -> Failure {
        let now_ms = source.clock.now_ms();
        let wait_ms = match &failure {
            Failure::InUse { .. } => SUBSCRIBE_MS + fastrand::u64(0..JITTER_MS),
            failure if failure.needs_someone() => source.patience_ms,
            failure => {
                let is_throttled = matches!(failure, Failure::Throttled { .. });
                self.pace.after_failure(is_throttled, fastrand::f64())
            }
        };
        self.next_call_at_ms = self.next_call_at_ms.max(now_ms + wait_ms);
        failure
    }

    async fn take(&mut self, event: SubscribeToShardEvent, source: &Source) -> Answer {
        self.pace.after_answer(1, 0);
        let asked_at_ms = source.clock.now_ms().saturating_sub(PUSH_MS);
        let records = arrived(event.records, |number| source.told_broken(number));
        let room = source.buffer.room_for(memory_bytes(&records)).await;
        // At the end of a shard there is no such number.
        if let Ok(sequence) = event.continuation_sequence_number.parse() {
            self.place = Place::After(sequence);
        } else if let Some(last) = records.last() {
            self.place = Place::After(last.sequence.clone());
        }
        let children = event.child_shards.unwrap_or_default();
        Answer {
            records,
            behind_ms: u64::try_from(event.millis_behind_latest).unwrap_or(0),
            end: (!children.is_empty()).then(|| self::children(children)),
            asked_at_ms,
            room: Some(room),
        }
    }
}

/// An error within a subscription; the SDK gives these no code.
fn in_stream<R>(error: &SdkError<SubscribeToShardEventStreamError, R>) -> Failure
where
    R: std::fmt::Debug + 'static,
{
    use SubscribeToShardEventStreamError as Error;
    let failure = |code: &str, message: &Option<String>| {
        let message = message.clone().unwrap_or_else(|| "no message".to_owned());
        Failure::of_code(SUBSCRIBE_TO_SHARD, code, message)
    };
    let SdkError::ServiceError(service) = error else {
        return Failure::without_code(SUBSCRIBE_TO_SHARD, error);
    };
    match service.err() {
        Error::ResourceNotFoundException(error) => {
            failure("ResourceNotFoundException", &error.message)
        }
        Error::ResourceInUseException(error) => failure("ResourceInUseException", &error.message),
        Error::KmsDisabledException(error) => failure("KMSDisabledException", &error.message),
        Error::KmsInvalidStateException(error) => {
            failure("KMSInvalidStateException", &error.message)
        }
        Error::KmsAccessDeniedException(error) => {
            failure("KMSAccessDeniedException", &error.message)
        }
        Error::KmsNotFoundException(error) => failure("KMSNotFoundException", &error.message),
        Error::KmsOptInRequired(error) => failure("KMSOptInRequired", &error.message),
        Error::KmsThrottlingException(error) => failure("KMSThrottlingException", &error.message),
        Error::InternalFailureException(error) => failure("InternalFailure", &error.message),
        _ => Failure::without_code(SUBSCRIBE_TO_SHARD, error),
    }
}

/// # Panics
/// Never: the one member that must be there is.
fn position(place: &Place) -> StartingPosition {
    let position = StartingPosition::builder();
    let position = match place {
        Place::Horizon => position.r#type(ShardIteratorType::TrimHorizon),
        Place::Latest => position.r#type(ShardIteratorType::Latest),
        Place::Since { unix_ms } => position
            .r#type(ShardIteratorType::AtTimestamp)
            .timestamp(DateTime::from_millis(i64::try_from(*unix_ms).unwrap_or(i64::MAX))),
        Place::At(sequence) => {
            position.r#type(ShardIteratorType::AtSequenceNumber).sequence_number(sequence.as_str())
        }
        Place::After(sequence) => position
            .r#type(ShardIteratorType::AfterSequenceNumber)
            .sequence_number(sequence.as_str()),
    };
    position.build().unwrap_or_else(|_| unreachable!("the type is set"))
}
