//! A shard: its records in order, what it may take and give, and its end.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::hash_range::HashRange;
use super::options::Options;
use super::refusal::Refusal;
use super::throttle::{Bucket, ReadDebt};
use super::{clock, sequence};

/// One shard. Its number, and that of its stream, stand in its sequence numbers.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) id: String,
    pub(super) range: HashRange,
    pub(super) parents: Vec<String>,
    pub(super) created_ms: u64,
    stream: u32,
    number: u32,
    log: Mutex<Log>,
    changed: watch::Sender<()>,
}

/// What a shard is made of.
pub(super) struct Origin {
    pub(super) stream: u32,
    pub(super) number: u32,
    pub(super) range: HashRange,
    pub(super) parents: Vec<String>,
}

#[derive(Debug)]
struct Log {
    records: VecDeque<Stored>,
    bytes: usize,
    /// The last place that was given out; records that come are behind it.
    last: u64,
    trimmed_through: u64,
    end: Option<End>,
    limits: Limits,
}

#[derive(Debug)]
struct Limits {
    write_records: Option<Bucket>,
    write_bytes: Option<Bucket>,
    reads: Option<Bucket>,
    iterators: Option<Bucket>,
    read_bytes: Option<ReadDebt>,
}

/// Since when no record comes any more, and which shards follow.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) at_ms: u64,
    pub(super) children: Vec<Value>,
    last: u64,
}

/// A record that is about to be stored, as much of it encoded as does not depend on when that is.
pub(super) struct Incoming {
    /// Payload, without base64.
    pub(super) size: usize,
    /// Payload and partition key.
    pub(super) charged: usize,
    tail: Bytes,
}

#[derive(Clone, Debug)]
struct Stored {
    place: u64,
    arrived_ms: u64,
    size: usize,
    /// Its JSON, from the payload on: the payload is encoded once and not per read.
    tail: Bytes,
}

/// What one read gave.
#[derive(Debug)]
pub(super) struct Batch {
    records: Vec<Stored>,
    /// Payload bytes.
    pub(super) bytes: usize,
    /// Whether as much was read as may be.
    pub(super) is_full: bool,
    /// Where to read on.
    pub(super) next: u64,
    pub(super) behind_ms: u64,
    /// Set when the shard is closed and nothing is left.
    pub(super) end: Option<End>,
}

/// Where reading starts.
#[derive(Clone, Debug)]
pub(super) enum Start {
    Oldest,
    Newest,
    At(String),
    After(String),
    AtMs(u64),
}

impl Incoming {
    /// `base64` is known to be base64 of `size` bytes.
    pub(super) fn new(base64: &str, size: usize, partition_key: &str) -> Self {
        let key = Value::from(partition_key).to_string();
        let tail = format!(r#""Data":"{base64}","PartitionKey":{key}}}"#).into();
        Self { size, charged: size + partition_key.len(), tail }
    }
}

impl Shard {
    pub(super) fn new(origin: Origin, options: &Options) -> Self {
        let Origin { stream, number, range, parents } = origin;
        Self {
            id: format!("shardId-{number:012}"),
            range,
            parents,
            created_ms: clock::epoch_ms(),
            stream,
            number,
            log: Mutex::new(Log::new(options)),
            changed: watch::Sender::new(()),
        }
    }

    /// Puts a record at the end.
    pub(super) fn append(&self, record: &Incoming, options: &Options) -> Result<String, Refusal> {
        let mut log = self.log();
        if !log.limits.admit_write(record.charged) {
            let message = format!("Rate exceeded for shard {} in stream", self.id);
            return Err(Refusal::throttled(message));
        }
        let (place, arrived_ms) = (log.next_place(), clock::epoch_ms());
        let Incoming { size, tail, .. } = record;
        log.records.push_back(Stored { place, arrived_ms, size: *size, tail: tail.clone() });
        log.bytes += size;
        log.expire(options, arrived_ms);
        drop(log);
        self.changed.send_replace(());
        Ok(self.text(place))
    }

    /// As much as may be read at once, from the first record at `from` or behind it.
    pub(super) fn read(
        &self,
        from: u64,
        records_max: usize,
        bytes_max: usize,
        options: &Options,
    ) -> Batch {
        let now_ms = clock::epoch_ms();
        let mut log = self.log();
        log.expire(options, now_ms);
        let start = log.records.partition_point(|record| record.place < from);
        let (mut records, mut bytes) = (Vec::new(), 0);
        let mut is_full = false;
        for record in log.records.range(start..).take(records_max) {
            is_full = bytes + record.size > bytes_max && !records.is_empty();
            if is_full {
                break;
            }
            bytes += record.size;
            records.push(record.clone());
        }
        let next = records.last().map_or(from, |record: &Stored| record.place + 1);
        let left = log.records.get(start + records.len());
        let behind_ms = left.map_or(0, |record| now_ms.saturating_sub(record.arrived_ms));
        let is_end = left.is_none() && (records.is_empty() || !options.shard_end_comes_alone);
        let end = log.end.clone().filter(|_| is_end);
        Batch { records, bytes, is_full, next, behind_ms, end }
    }

    /// Whether a limit lets `GetRecords` read now; to be paid with [`Shard::pay_read`].
    pub(super) fn admit_read(&self) -> Result<(), Refusal> {
        let admits = self.log().limits.admit_read();
        admits.then_some(()).ok_or_else(|| self.read_refusal())
    }

    pub(super) fn pay_read(&self, batch: &Batch) {
        if let Some(debt) = &mut self.log().limits.read_bytes {
            debt.pay(batch.bytes, batch.is_full, clock::now());
        }
    }

    pub(super) fn admit_iterator(&self) -> Result<(), Refusal> {
        let admits = take(&mut self.log().limits.iterators, 1.0, clock::now());
        admits.then_some(()).ok_or_else(|| self.read_refusal())
    }

    /// The place at which reading starts.
    pub(super) fn place(&self, start: &Start, options: &Options) -> Result<u64, Refusal> {
        let mut log = self.log();
        log.expire(options, clock::epoch_ms());
        let place = |text: &str, is_after: bool| {
            let place = sequence::number(self.stream, self.number, text);
            let place = place.filter(|&place| place <= log.last);
            let refused_through = log.trimmed_through.saturating_sub(u64::from(is_after));
            let is_gone = |&place: &u64| {
                place > refused_through || !options.trimmed_sequence_numbers_are_refused
            };
            place.filter(is_gone).ok_or_else(|| {
                Refusal::invalid(format_args!(
                    "StartingSequenceNumber {text} is invalid for shard {}: it did not come from it, or is no longer there",
                    self.id
                ))
            })
        };
        match start {
            Start::Oldest => Ok(0),
            Start::Newest => Ok(log.last + 1),
            Start::At(text) => place(text, false),
            Start::After(text) => place(text, true).map(|place| place + 1),
            Start::AtMs(ms) => {
                let first = log.records.iter().find(|record| record.arrived_ms >= *ms);
                Ok(first.map_or(log.last + 1, |record| record.place))
            }
        }
    }

    /// A sequence number behind everything that was read up to `next`, and before everything that comes. For events without
    /// records, whose continuation moves on nevertheless.
    pub(super) fn move_on(&self, next: u64) -> (String, u64) {
        let mut log = self.log();
        let is_at_tip = log.records.back().is_none_or(|record| record.place < next);
        let place = if is_at_tip && log.end.is_none() { log.next_place() } else { next.max(1) - 1 };
        (self.text(place), place + 1)
    }

    /// Lets go of all records before this sequence number.
    pub(super) fn trim(&self, before: &str) {
        let before = sequence::number(self.stream, self.number, before);
        let before = before.unwrap_or_else(|| panic!("no sequence number of {}", self.id));
        self.log().drop_while(|record, _bytes| record.place < before);
    }

    pub(super) fn close(&self, children: Vec<Value>) {
        let mut log = self.log();
        let last = log.next_place();
        log.end = Some(End { at_ms: clock::epoch_ms(), children, last });
        drop(log);
        self.changed.send_replace(());
    }

    pub(super) fn end(&self) -> Option<End> {
        self.log().end.clone()
    }

    /// Tells of records that come and of the end.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// As `ListShards` shows it.
    pub(super) fn json(&self) -> Value {
        let mut sequence = json!({"StartingSequenceNumber": self.text(FIRST)});
        if let Some(end) = self.end() {
            sequence["EndingSequenceNumber"] = self.text(end.last).into();
        }
        let mut shard = json!({
            "ShardId": self.id,
            "HashKeyRange": self.range.json(),
            "SequenceNumberRange": sequence,
        });
        for (field, parent) in ["ParentShardId", "AdjacentParentShardId"].iter().zip(&self.parents)
        {
            shard[*field] = parent.as_str().into();
        }
        shard
    }

    /// As the end of its parents shows it.
    pub(super) fn child_json(&self) -> Value {
        json!({"ShardId": self.id, "ParentShards": self.parents, "HashKeyRange": self.range.json()})
    }

    /// Writes the records of `batch` as a JSON array.
    pub(super) fn write_records(&self, batch: &Batch, out: &mut Vec<u8>) {
        const HEAD_BYTES: usize = 140;
        out.reserve(batch.records.iter().map(|record| record.tail.len() + HEAD_BYTES).sum());
        for (number, record) in batch.records.iter().enumerate() {
            out.push(if number == 0 { b'[' } else { b',' });
            let (seconds, ms) = (record.arrived_ms / 1000, record.arrived_ms % 1000);
            write!(
                out,
                r#"{{"SequenceNumber":"{}","ApproximateArrivalTimestamp":{seconds}.{ms:03},"#,
                self.text(record.place)
            )
            .unwrap();
            out.extend_from_slice(&record.tail);
        }
        out.extend_from_slice(if batch.records.is_empty() { b"[]" } else { b"]" });
    }

    pub(super) fn text(&self, place: u64) -> String {
        sequence::text(self.stream, self.number, place)
    }

    fn read_refusal(&self) -> Refusal {
        Refusal::throttled(format_args!("Rate exceeded for shard {}", self.id))
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }
}

/// The place with which a shard starts, at which there is no record.
const FIRST: u64 = 1;

impl Log {
    fn new(options: &Options) -> Self {
        let now = clock::now();
        let bucket = |rate: Option<f64>| rate.map(|rate| Bucket::new(rate, now));
        let (writes, reads) = (options.writes, options.reads);
        let limits = Limits {
            write_records: bucket(writes.map(|limits| limits.records_per_s)),
            write_bytes: bucket(writes.map(|limits| limits.bytes_per_s)),
            reads: bucket(reads.map(|limits| limits.reads_per_s)),
            iterators: bucket(reads.map(|limits| limits.iterators_per_s)),
            read_bytes: reads.map(|limits| ReadDebt::new(limits.bytes_per_s, now)),
        };
        let records = VecDeque::new();
        Self { records, bytes: 0, last: FIRST, trimmed_through: 0, end: None, limits }
    }

    /// With a gap of up to 255 behind the last, which clients must not stumble over.
    fn next_place(&mut self) -> u64 {
        self.last += 1 + (self.last.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56);
        self.last
    }

    fn expire(&mut self, options: &Options, now_ms: u64) {
        let retention_ms = u64::try_from(options.retention.as_millis()).unwrap();
        let oldest_ms = now_ms.saturating_sub(retention_ms);
        let bytes_max = options.shard_bytes_max;
        self.drop_while(|record, bytes| record.arrived_ms < oldest_ms || bytes > bytes_max);
    }

    fn drop_while(&mut self, is_over: impl Fn(&Stored, usize) -> bool) {
        while self.records.front().is_some_and(|record| is_over(record, self.bytes)) {
            if let Some(record) = self.records.pop_front() {
                self.bytes -= record.size;
                self.trimmed_through = record.place;
            }
        }
    }
}

impl Limits {
    fn admit_write(&mut self, bytes: usize) -> bool {
        let now = clock::now();
        #[expect(clippy::cast_precision_loss, reason = "at most a few millions")]
        let bytes = bytes as f64;
        let has_bytes = self.write_bytes.as_mut().is_none_or(|bucket| bucket.holds(bytes, now));
        has_bytes
            && take(&mut self.write_records, 1.0, now)
            && take(&mut self.write_bytes, bytes, now)
    }

    fn admit_read(&mut self) -> bool {
        let now = clock::now();
        let is_free = self.read_bytes.as_ref().is_none_or(|debt| debt.is_free(now));
        is_free && take(&mut self.reads, 1.0, now)
    }
}

fn take(bucket: &mut Option<Bucket>, amount: f64, now: Instant) -> bool {
    bucket.as_mut().is_none_or(|bucket| bucket.take(amount, now))
}
