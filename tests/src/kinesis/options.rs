//! How a server behaves. The defaults are what Kinesis documents, without its throttling and its waiting.

use std::time::Duration;

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Limits of writing, per shard. None: as fast as it goes.
    pub writes: Option<WriteLimits>,
    /// Limits of reading by polling, per shard. None: as fast as it goes.
    pub reads: Option<ReadLimits>,
    /// How long a stream stays CREATING or UPDATING and a consumer CREATING.
    pub transition: Duration,
    /// How long a record and a closed shard stay. 24 hours.
    pub retention: Duration,
    /// Payload bytes that a shard holds; the oldest go first. 256 MiB.
    pub shard_bytes_max: usize,
    /// How long an iterator of a shard can be used. 5 minutes.
    pub iterator_life: Duration,
    /// How long a token of `ListShards` can be used. 300 s.
    pub token_life: Duration,
    /// Shards on a page of `ListShards` at most. 1,000.
    pub shards_per_page_max: usize,
    /// Records that `GetRecords` gives at most. 10,000.
    pub records_per_read_max: usize,
    /// Payload bytes that `GetRecords` gives at most; one record in any case. 10 MB.
    pub bytes_per_read_max: usize,
    /// The last records of a closed shard come with an iterator, and its end by itself, without records. False: together.
    pub shard_end_comes_alone: bool,
    /// Whether a sequence number of a record that is no longer there is refused. True.
    pub trimmed_sequence_numbers_are_refused: bool,
    /// How fan-out behaves.
    pub fan_out: FanOut,
}

/// What a shard takes.
#[derive(Clone, Copy, Debug)]
pub struct WriteLimits {
    /// 1,000.
    pub records_per_s: f64,
    /// Payload and partition key; 1 MiB.
    pub bytes_per_s: f64,
}

/// What a shard gives to all who poll it together. After a read that is as large as a read may be, the next comes only when it is
/// paid.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// `GetRecords`; 5.
    pub reads_per_s: f64,
    /// `GetShardIterator`; 5.
    pub iterators_per_s: f64,
    /// 2 MB.
    pub bytes_per_s: f64,
}

/// How subscriptions behave.
#[derive(Clone, Copy, Debug)]
pub struct FanOut {
    /// How long a subscription lives. 5 minutes.
    pub life: Duration,
    /// How soon after a subscription the next of the same consumer and shard is refused. 5 s.
    pub exclusive: Duration,
    /// How often an event without records comes when there are none. 5 s.
    pub heartbeat: Duration,
    /// Payload bytes of an event at most; one record in any case. 1 MiB.
    pub bytes_per_event_max: usize,
    /// Payload bytes that a consumer gets of a shard. None: as fast as it goes.
    pub bytes_per_s: Option<f64>,
    /// What stands for a continuation at the end of a shard.
    pub end: EndContinuation,
}

/// What stands for a continuation at the end of a shard. The guide says null, the model says required; clients must take any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndContinuation {
    /// No such field.
    Absent,
    /// A field without a value.
    Null,
    /// An empty text.
    Empty,
    /// The last sequence number, as ever.
    Last,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writes: None,
            reads: None,
            transition: Duration::ZERO,
            retention: Duration::from_hours(24),
            shard_bytes_max: 256 << 20,
            iterator_life: Duration::from_mins(5),
            token_life: Duration::from_mins(5),
            shards_per_page_max: 1000,
            records_per_read_max: 10_000,
            bytes_per_read_max: 10_000_000,
            shard_end_comes_alone: false,
            trimmed_sequence_numbers_are_refused: true,
            fan_out: FanOut::default(),
        }
    }
}

impl Options {
    /// With the limits of a provisioned stream.
    #[must_use]
    pub fn throttled(self) -> Self {
        let (writes, reads) = (Some(WriteLimits::default()), Some(ReadLimits::default()));
        let fan_out = FanOut { bytes_per_s: Some(2e6), ..self.fan_out };
        Self { writes, reads, fan_out, ..self }
    }
}

impl Default for WriteLimits {
    fn default() -> Self {
        Self { records_per_s: 1000.0, bytes_per_s: 1_048_576.0 }
    }
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { reads_per_s: 5.0, iterators_per_s: 5.0, bytes_per_s: 2e6 }
    }
}

impl Default for FanOut {
    fn default() -> Self {
        Self {
            life: Duration::from_mins(5),
            exclusive: Duration::from_secs(5),
            heartbeat: Duration::from_secs(5),
            bytes_per_event_max: 1 << 20,
            bytes_per_s: None,
            end: EndContinuation::Absent,
        }
    }
}
