//! A stream: who it is, its shards, and our consumer on it.
//!
//! Rules: Kinesis Data Streams API reference, `DescribeStreamSummary`, `ListShards`, `RegisterStreamConsumer`,
//! `DescribeStreamConsumer`.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::describe_stream_summary::builders::DescribeStreamSummaryFluentBuilder;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{
    ConsumerStatus, ShardFilter, ShardFilterType, StreamDescriptionSummary, StreamStatus,
};
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::arrivals::hash_range;
use super::config::InitialPosition;
use super::failure::Failure;
use crate::lease::lineage::Shard;
use crate::lease::{Child, HashRange, lineage};

const DESCRIBE_STREAM_SUMMARY: &str = "kinesis:DescribeStreamSummary";
const LIST_SHARDS: &str = "kinesis:ListShards";
const REGISTER_STREAM_CONSUMER: &str = "kinesis:RegisterStreamConsumer";
const DESCRIBE_STREAM_CONSUMER: &str = "kinesis:DescribeStreamConsumer";

/// Pages of a listing, of a thousand shards each: as many as a lease table may have leases.
const PAGES_MAX: usize = 100;
/// A consumer becomes active within seconds; `DescribeStreamConsumer` may be called 20 times a second.
const CONSUMER_WAIT: Duration = Duration::from_secs(1);
const CONSUMER_WAITS_MAX: u32 = 60;

/// One stream that is read.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: Arc<str>,
    pub(super) arn: Arc<str>,
    pub(super) lineage: lineage::Stream,
    client: Client,
    application: Arc<str>,
    /// Known once it was asked for, by one shard's task for all; forgotten when it is gone.
    consumer_arn: Mutex<Option<Arc<str>>>,
}

/// What is still there of a shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// It is.
    There,
    /// Its stream is, without it.
    ShardGone,
    /// Nothing.
    StreamDeleted,
}

impl Stream {
    /// Asks who `name`, a name or an ARN, is.
    pub(super) async fn find(
        client: &Client,
        name: &str,
        application: &Arc<str>,
        is_only: bool,
    ) -> Result<Self, Failure> {
        let request = client.describe_stream_summary();
        let is_arn = name.starts_with("arn:");
        let request = if is_arn { request.stream_arn(name) } else { request.stream_name(name) };
        let summary = describe(request).await?;
        let account = summary.stream_arn.split(':').nth(4).unwrap_or_default();
        let creation_epoch = u64::try_from(summary.stream_creation_timestamp.secs()).unwrap_or(0);
        let name: Arc<str> = summary.stream_name.as_str().into();
        let lineage = lineage::Stream {
            name: Arc::clone(&name),
            account: account.into(),
            creation_epoch,
            is_only,
        };
        Ok(Self {
            name,
            arn: summary.stream_arn.into(),
            lineage,
            client: client.clone(),
            application: Arc::clone(application),
            consumer_arn: Mutex::default(),
        })
    }

    /// What it was that the service did not find; what else fails says nothing about that.
    pub(super) async fn presence_of(&self, shard_id: &str) -> Presence {
        match self.summary().await {
            Err(Failure::NotFound { .. }) => return Presence::StreamDeleted,
            // It goes, or another has its name.
            Ok(summary) if self.is_gone(&summary) => return Presence::StreamDeleted,
            _ => {}
        }
        match self.shards(None).await {
            Ok(shards) if shards.iter().any(|shard| *shard.id == *shard_id) => Presence::There,
            Ok(_) => Presence::ShardGone,
            Err(Failure::NotFound { .. }) => Presence::StreamDeleted,
            Err(_) => Presence::There,
        }
    }

    /// Whether the stream that is read is not the one that is described, or not for long.
    fn is_gone(&self, summary: &StreamDescriptionSummary) -> bool {
        let created = u64::try_from(summary.stream_creation_timestamp.secs()).unwrap_or(0);
        summary.stream_status == StreamStatus::Deleting || created != self.lineage.creation_epoch
    }

    async fn summary(&self) -> Result<StreamDescriptionSummary, Failure> {
        describe(self.client.describe_stream_summary().stream_arn(&*self.arn)).await
    }

    /// The shards that are kept: all, or those that hold the records from `since` on.
    pub(super) async fn shards(
        &self,
        since: Option<InitialPosition>,
    ) -> Result<Vec<Shard>, Failure> {
        let (mut shards, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.client.list_shards();
            let request = match token.take() {
                Some(token) => request.next_token(token),
                None => request.stream_arn(&*self.arn).set_shard_filter(since.map(filter)),
            };
            let page = request.send().await;
            let page = page.map_err(|error| Failure::of(LIST_SHARDS, &error))?;
            shards.extend(page.shards.unwrap_or_default().into_iter().map(shard));
            token = page.next_token;
            if token.is_none() {
                return Ok(shards);
            }
        }
        let message = format!("{}: more than {PAGES_MAX} pages of shards", self.name);
        Err(Failure::Refused { action: LIST_SHARDS, code: "TooManyShards".to_owned(), message })
    }

    /// The shards that go on where this one ended, if it is closed; `None` if it is open, or not listed. An answer without an iterator
    /// says that a shard has ended, and one that is empty by mistake says so too.
    pub(super) async fn children_if_closed(
        &self,
        shard_id: &str,
    ) -> Result<Option<Vec<Child>>, Failure> {
        let shards = self.shards(None).await?;
        if !shards.iter().any(|shard| *shard.id == *shard_id && !shard.is_open) {
            return Ok(None);
        }
        let is_child = |shard: &&Shard| shard.parents.iter().any(|parent| **parent == *shard_id);
        let child = |shard: &Shard| Child {
            shard_id: Arc::clone(&shard.id),
            parents: shard.parents.clone(),
            hash_range: shard.hash_range,
        };
        Ok(Some(shards.iter().filter(is_child).map(child).collect()))
    }

    /// The ARN of our consumer, which is registered if it is not there yet. It stays when we end, since other tasks use it too.
    pub(super) async fn consumer_arn(&self) -> Result<Arc<str>, Failure> {
        let mut known = self.consumer_arn.lock().await;
        if let Some(arn) = &*known {
            return Ok(Arc::clone(arn));
        }
        for _ in 0..CONSUMER_WAITS_MAX {
            let request = self.client.describe_stream_consumer().stream_arn(&*self.arn);
            let answer = request.consumer_name(&*self.application).send().await;
            match answer.map_err(|error| Failure::of(DESCRIBE_STREAM_CONSUMER, &error)) {
                Ok(answer) => {
                    let consumer = answer.consumer_description;
                    let is_active = |consumer: &aws_sdk_kinesis::types::ConsumerDescription| {
                        consumer.consumer_status == ConsumerStatus::Active
                    };
                    if let Some(consumer) = consumer.filter(is_active) {
                        let arn: Arc<str> = consumer.consumer_arn.into();
                        *known = Some(Arc::clone(&arn));
                        return Ok(arn);
                    }
                }
                Err(Failure::NotFound { .. }) => self.register().await?,
                Err(failure) => return Err(failure),
            }
            sleep(CONSUMER_WAIT).await;
        }
        let message = format!("the consumer {} does not become active", self.application);
        Err(Failure::Unavailable { action: DESCRIBE_STREAM_CONSUMER, message })
    }

    /// The service knows it no longer.
    pub(super) async fn forget_consumer(&self, arn: &str) {
        let mut known = self.consumer_arn.lock().await;
        // Another shard's task may have found the new one.
        if known.as_deref() == Some(arn) {
            *known = None;
        }
    }

    async fn register(&self) -> Result<(), Failure> {
        let request = self.client.register_stream_consumer().stream_arn(&*self.arn);
        let answer = request.consumer_name(&*self.application).send().await;
        match answer.map_err(|error| Failure::of(REGISTER_STREAM_CONSUMER, &error)) {
            Ok(_) => {
                tracing::info!(stream = %self.name, consumer = %self.application, "registered the consumer");
                Ok(())
            }
            // Another task was faster.
            Err(Failure::InUse { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

async fn describe(
    request: DescribeStreamSummaryFluentBuilder,
) -> Result<StreamDescriptionSummary, Failure> {
    let answer = request.send().await;
    let answer = answer.map_err(|error| Failure::of(DESCRIBE_STREAM_SUMMARY, &error))?;
    answer.stream_description_summary.ok_or_else(|| {
        let message = "an answer without a description".to_owned();
        Failure::Unavailable { action: DESCRIBE_STREAM_SUMMARY, message }
    })
}

fn filter(since: InitialPosition) -> ShardFilter {
    let filter = ShardFilter::builder();
    let filter = match since {
        InitialPosition::TrimHorizon => filter.r#type(ShardFilterType::AtTrimHorizon),
        InitialPosition::Latest => filter.r#type(ShardFilterType::AtLatest),
        InitialPosition::AtTimestamp { unix_ms } => filter
            .r#type(ShardFilterType::AtTimestamp)
            .timestamp(DateTime::from_millis(i64::try_from(unix_ms).unwrap_or(i64::MAX))),
    };
    filter.build().unwrap_or_else(|_| unreachable!("the type is set"))
}

fn shard(shard: aws_sdk_kinesis::types::Shard) -> Shard {
    let parents = shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id);
    let hash_range = shard.hash_key_range.as_ref().and_then(hash_range);
    let numbers = shard.sequence_number_range;
    Shard {
        id: shard.shard_id.into(),
        parents: parents.map(Into::into).collect(),
        hash_range: hash_range.unwrap_or(HashRange::WHOLE),
        is_open: numbers.is_none_or(|numbers| numbers.ending_sequence_number.is_none()),
    }
}
