//! Reads a shard with `GetRecords`: five calls a second at the most, fewer while nothing comes.
//!
//! Rules: Kinesis Data Streams API reference, `GetShardIterator` and `GetRecords`.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::ShardIteratorType;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::arrivals::{Answer, arrived, children};
use super::failure::Failure;
use super::pace::Pace;
use super::place::Place;
use super::shard::Source;

const GET_SHARD_ITERATOR: &str = "kinesis:GetShardIterator";
const GET_RECORDS: &str = "kinesis:GetRecords";
/// The most that one call gives (API reference, `GetRecords`), and with it what the buffer must have room for.
const RECORDS_MAX: i32 = 10_000;

/// One shard's iterator and pace.
#[derive(Debug)]
pub(super) struct Polling {
    place: Place,
    iterator: Option<String>,
    pace: Pace,
    /// Not before this, by the monotonic clock.
    next_call_at_ms: u64,
}

impl Polling {
    pub(super) fn new(place: Place, idle_ms_max: u64) -> Self {
        Self { place, iterator: None, pace: Pace::new(idle_ms_max), next_call_at_ms: 0 }
    }

    /// The next answer, which may hold no records. A failure has been waited out when it is given.
    pub(super) async fn next(&mut self, source: &Source) -> Result<Answer, Failure> {
        let wait_ms = self.next_call_at_ms.saturating_sub(source.clock.now_ms());
        sleep(Duration::from_millis(wait_ms)).await;
        let room = source.buffer.room_for_answer().await;
        let asked_at_ms = source.clock.now_ms();
        match self.ask(source, asked_at_ms, room).await {
            Ok(answer) => {
                let pause_ms = self.pace.after_answer(answer.bytes(), answer.behind_ms);
                self.next_call_at_ms = asked_at_ms + pause_ms;
                Ok(answer)
            }
            Err(Failure::Expired) => {
                self.iterator = None;
                // The first one costs nothing; one after another is no reading.
                let wait_ms = self.pace.after_failure(false, fastrand::f64());
                self.next_call_at_ms = asked_at_ms + wait_ms;
                Err(Failure::Expired)
            }
            Err(failure) => {
                if !matches!(failure, Failure::Throttled { .. } | Failure::Unavailable { .. }) {
                    // It may be the iterator that the service refuses.
                    self.iterator = None;
                }
                let is_throttled = matches!(failure, Failure::Throttled { .. });
                let draw = fastrand::f64();
                let wait_ms = self.pace.after_failure(is_throttled, draw);
                let wait_ms =
                    if failure.needs_someone() { wait_ms.max(source.patience_ms) } else { wait_ms };
                self.next_call_at_ms = source.clock.now_ms() + wait_ms;
                Err(failure)
            }
        }
    }

    /// Goes on from another place.
    pub(super) fn restart_at(&mut self, place: Place) {
        self.place = place;
        self.iterator = None;
    }

    async fn ask(
        &mut self,
        source: &Source,
        asked_at_ms: u64,
        room: OwnedSemaphorePermit,
    ) -> Result<Answer, Failure> {
        if self.iterator.is_none() {
            self.iterator = self.shard_iterator(source).await?;
        }
        let request = source.client.get_records().limit(RECORDS_MAX);
        let request = request.set_shard_iterator(self.iterator.clone());
        let answer = request.set_stream_arn(Some(source.stream.arn.to_string())).send().await;
        let answer = answer.map_err(|error| Failure::of(GET_RECORDS, &error))?;
        let is_last = answer.next_shard_iterator.is_none();
        let records = arrived(answer.records, |number| source.told_broken(number));
        if let Some(last) = records.last() {
            self.place = Place::After(last.sequence.clone());
        }
        self.iterator = answer.next_shard_iterator;
        let behind_ms = answer.millis_behind_latest.unwrap_or(0);
        let mut children = children(answer.child_shards.unwrap_or_default());
        children.retain(|child| child.shard_id != source.shard_id);
        let end = match (is_last, children.is_empty()) {
            (false, _) => None,
            (true, false) => Some(children),
            // Should that not be known, another iterator is asked for: the records are not to be lost.
            (true, true) => {
                source.stream.children_if_closed(&source.shard_id).await.unwrap_or_default()
            }
        };
        Ok(Answer {
            records,
            behind_ms: u64::try_from(behind_ms).unwrap_or(0),
            end,
            asked_at_ms,
            room: Some(room),
        })
    }

    async fn shard_iterator(&mut self, source: &Source) -> Result<Option<String>, Failure> {
        let asked_at = source.clock.unix_ms();
        let request = shard_iterator(&source.client, &self.place);
        let request = request.stream_arn(&*source.stream.arn).shard_id(&*source.shard_id);
        let answer = request.send().await;
        let answer = answer.map_err(|error| Failure::of(GET_SHARD_ITERATOR, &error))?;
        // Should this iterator expire before it gave a record, the newest record then is not the newest now.
        if self.place == Place::Latest {
            self.place = Place::Since { unix_ms: asked_at };
        }
        Ok(answer.shard_iterator)
    }
}

fn shard_iterator(
    client: &Client,
    place: &Place,
) -> aws_sdk_kinesis::operation::get_shard_iterator::builders::GetShardIteratorFluentBuilder {
    let request = client.get_shard_iterator();
    match place {
        Place::Horizon => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        Place::Latest => request.shard_iterator_type(ShardIteratorType::Latest),
        Place::Since { unix_ms } => request
            .shard_iterator_type(ShardIteratorType::AtTimestamp)
            .timestamp(DateTime::from_millis(i64::try_from(*unix_ms).unwrap_or(i64::MAX))),
        Place::At(sequence) => request
            .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
            .starting_sequence_number(sequence.as_str()),
        Place::After(sequence) => request
            .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
            .starting_sequence_number(sequence.as_str()),
    }
}
