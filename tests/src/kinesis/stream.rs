//! A stream: its shards, their splits and merges, and its consumers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::hash_range::HashRange;
use super::options::Options;
use super::refusal::Refusal;
use super::shard::{Origin, Shard};
use super::{ACCOUNT, clock};
use crate::aws::REGION;

/// A stream and whatever belongs to it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) created_ms: u64,
    pub(super) consumers: BTreeMap<String, Consumer>,
    options: Arc<Options>,
    shards: Vec<Arc<Shard>>,
    next_shard: u32,
    /// CREATING or UPDATING, until then.
    busy: (&'static str, Instant),
}

/// Someone who subscribes to shards.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) created_ms: u64,
    active_at: Instant,
}

impl Stream {
    pub(super) fn new(name: &str, number: u32, shards: u32, options: Arc<Options>) -> Self {
        let busy = ("CREATING", clock::now() + options.transition);
        let mut stream = Self {
            name: name.to_owned(),
            number,
            created_ms: clock::epoch_ms(),
            consumers: BTreeMap::new(),
            options,
            shards: Vec::new(),
            next_shard: 0,
            busy,
        };
        for range in HashRange::parts(shards) {
            stream.add_shard(range, Vec::new());
        }
        stream
    }

    pub(super) fn arn(&self) -> String {
        format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{}", self.name)
    }

    pub(super) fn status(&self) -> &'static str {
        let (status, until) = self.busy;
        if clock::now() < until { status } else { "ACTIVE" }
    }

    /// All shards that are still remembered, in the order in which they were made.
    pub(super) fn shards(&self) -> impl Iterator<Item = &Arc<Shard>> {
        let retention_ms = u64::try_from(self.options.retention.as_millis()).unwrap();
        let oldest_ms = clock::epoch_ms().saturating_sub(retention_ms);
        let is_there =
            move |shard: &&Arc<Shard>| shard.end().is_none_or(|end| end.at_ms >= oldest_ms);
        self.shards.iter().filter(is_there)
    }

    pub(super) fn open_shards(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.shards.iter().filter(|shard| shard.end().is_none())
    }

    pub(super) fn shard(&self, id: &str) -> Result<&Arc<Shard>, Refusal> {
        self.shards().find(|shard| shard.id == id).ok_or_else(|| {
            let stream = &self.name;
            Refusal::not_found(format_args!("Shard {id} in stream {stream} does not exist"))
        })
    }

    /// The open shard that takes this key.
    pub(super) fn shard_for(&self, hash_key: u128) -> &Arc<Shard> {
        self.open_shards().find(|shard| shard.range.contains(hash_key)).unwrap()
    }

    /// Cuts a shard in two, the second of which starts at `at`.
    pub(super) fn split(&mut self, id: &str, at: u128) -> Result<(), Refusal> {
        let shard = Arc::clone(self.open_shard(id)?);
        let HashRange { first, last } = shard.range;
        if at <= first || at > last {
            return Err(Refusal::invalid(format_args!(
                "NewStartingHashKey {at} used in SplitShard() on shard {id} is not both greater than one plus the shard's \
                 StartingHashKey {first} and less than the shard's EndingHashKey {last}"
            )));
        }
        let parts = [HashRange { first, last: at - 1 }, HashRange { first: at, last }];
        let children = parts.map(|range| self.add_shard(range, vec![id.to_owned()]).child_json());
        shard.close(children.to_vec());
        self.update();
        Ok(())
    }

    /// Makes two shards that are next to each other one.
    pub(super) fn merge(&mut self, id: &str, adjacent_id: &str) -> Result<(), Refusal> {
        let pair = [self.open_shard(id)?, self.open_shard(adjacent_id)?].map(Arc::clone);
        let [range, adjacent] = [pair[0].range, pair[1].range];
        if !range.is_next_to(adjacent) {
            return Err(Refusal::invalid(format_args!(
                "Shards {id} and {adjacent_id} in stream {} are not an adjacent pair of shards eligible for merging",
                self.name
            )));
        }
        let range = HashRange {
            first: range.first.min(adjacent.first),
            last: range.last.max(adjacent.last),
        };
        let child = self.add_shard(range, vec![id.to_owned(), adjacent_id.to_owned()]).child_json();
        for shard in pair {
            shard.close(vec![child.clone()]);
        }
        self.update();
        Ok(())
    }

    /// Splits and merges until there are `count` shards of the same size: splits at each border that is missing, then merges what
    /// lies between two borders.
    pub(super) fn scale(&mut self, count: u32) -> Result<(), Refusal> {
        let parts = HashRange::parts(count);
        for part in &parts {
            let shard = Arc::clone(self.shard_for(part.first));
            if shard.range.first != part.first {
                self.split(&shard.id, part.first)?;
            }
        }
        for part in &parts {
            loop {
                let first = Arc::clone(self.shard_for(part.first));
                if first.range.last == part.last {
                    break;
                }
                let second = Arc::clone(self.shard_for(first.range.last + 1));
                self.merge(&first.id, &second.id)?;
            }
        }
        Ok(())
    }

    /// Forgets a closed shard, as time would.
    pub(super) fn expire_shard(&mut self, id: &str) {
        let count = self.shards.len();
        self.shards.retain(|shard| shard.id != id || shard.end().is_none());
        assert_eq!(self.shards.len() + 1, count, "{id} is not a closed shard of {}", self.name);
    }

    pub(super) fn summary(&self) -> Value {
        json!({
            "StreamName": self.name,
            "StreamARN": self.arn(),
            "StreamStatus": self.status(),
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": self.options.retention.as_secs().div_ceil(3600),
            "StreamCreationTimestamp": seconds(self.created_ms),
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
            "OpenShardCount": self.open_shards().count(),
            "ConsumerCount": self.consumers.len(),
            "MaxRecordSizeInKiB": 1024,
        })
    }

    pub(super) fn require_active(&self) -> Result<(), Refusal> {
        let (stream, status) = (&self.name, self.status());
        if status == "ACTIVE" {
            return Ok(());
        }
        Err(Refusal::in_use(format_args!("Stream {stream} not ACTIVE, instead in state {status}")))
    }

    pub(super) fn register(&mut self, consumer: &str) -> Result<Value, Refusal> {
        if self.consumers.contains_key(consumer) {
            return Err(Refusal::in_use(format_args!("Consumer {consumer} exists already")));
        }
        let created_ms = clock::epoch_ms();
        let arn = format!("{}/consumer/{consumer}:{}", self.arn(), created_ms / 1000);
        let active_at = clock::now() + self.options.transition;
        let made = Consumer { name: consumer.to_owned(), arn, created_ms, active_at };
        let mut answer = made.json();
        answer["ConsumerStatus"] = "CREATING".into();
        self.consumers.insert(consumer.to_owned(), made);
        Ok(answer)
    }

    fn open_shard(&self, id: &str) -> Result<&Arc<Shard>, Refusal> {
        let shard = self.shard(id)?;
        if shard.end().is_none() {
            return Ok(shard);
        }
        Err(Refusal::invalid(format_args!("Shard {id} in stream {} is not open", self.name)))
    }

    fn add_shard(&mut self, range: HashRange, parents: Vec<String>) -> Arc<Shard> {
        let origin = Origin { stream: self.number, number: self.next_shard, range, parents };
        self.next_shard += 1;
        let shard = Arc::new(Shard::new(origin, &self.options));
        self.shards.push(Arc::clone(&shard));
        shard
    }

    fn update(&mut self) {
        self.busy = ("UPDATING", clock::now() + self.options.transition);
    }
}

impl Consumer {
    pub(super) fn is_active(&self) -> bool {
        clock::now() >= self.active_at
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "ConsumerName": self.name,
            "ConsumerARN": self.arn,
            "ConsumerStatus": if self.is_active() { "ACTIVE" } else { "CREATING" },
            "ConsumerCreationTimestamp": seconds(self.created_ms),
        })
    }
}

/// A time as JSON of this protocol has it.
fn seconds(epoch_ms: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for the next thousands of years")]
    let epoch_ms = epoch_ms as f64;
    epoch_ms / 1000.0
}
