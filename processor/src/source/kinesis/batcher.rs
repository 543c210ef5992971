//! Cuts the records of one shard into batches: all whose arrival falls into one bucket of time, so that reading the shard
//! again makes the same batches.
//!
//! Arrival times are the service's and do not always grow (API reference, `Record`): a record that arrived before the newest one joins
//! the batch that is open. A batch has the bucket of its first record, so whoever resumes behind a batch needs to know
//! nothing of what came before.

use bytes::Bytes;

use crate::decode::aggregate::Aggregate;
use crate::lease::{Position, SequenceNumber};

/// Bytes of a batch, beyond which a bucket is cut into several: a larger one would only keep the other workers waiting.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// What a record costs beside its data.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// One record of a shard.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    /// Its place in the shard.
    pub(super) sequence: SequenceNumber,
    /// When the service took it, in milliseconds of Unix time.
    pub(super) arrival_ms: u64,
    /// What the producer put.
    pub(super) payload: Bytes,
    /// Its number within its aggregate, if it was taken out of one; `None` for a record as it was read.
    pub(super) sub_sequence: Option<u64>,
}

/// The records of one batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Closed {
    /// Sequence number of the first record.
    pub(super) first: SequenceNumber,
    /// The last record, and the last user record in it.
    pub(super) through: Position,
    /// Their data, in order.
    pub(super) payloads: Vec<Bytes>,
    /// Sum of their lengths, with what each record costs beside.
    pub(super) bytes: usize,
}

/// Cuts one shard. Holds at most [`BATCH_BYTES_MAX`], or one record if that is larger.
#[derive(Debug)]
pub(super) struct Batcher {
    bucket_ms: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// That of its first record.
    bucket: u64,
    first: SequenceNumber,
    last: SequenceNumber,
    sub_sequence: Option<u64>,
    payloads: Vec<Bytes>,
    /// Payloads that share their memory with nothing else.
    detached: usize,
    bytes: usize,
    at_ms: u64,
}

impl Batcher {
    /// With buckets of `bucket_ms`, at least 1.
    pub(super) fn new(bucket_ms: u64) -> Self {
        Self { bucket_ms: bucket_ms.max(1), open: None }
    }

    /// Takes the next record, read at `now_ms` by any clock; gives the batch that ended before it.
    pub(super) fn push(&mut self, record: Arrived, now_ms: u64) -> Option<Closed> {
        let bucket = record.arrival_ms / self.bucket_ms;
        let bytes = record.payload.len() + RECORD_OVERHEAD_BYTES;
        let is_over = |open: &Open| bucket > open.bucket || open.bytes + bytes > BATCH_BYTES_MAX;
        let closed = if self.open.as_ref().is_some_and(is_over) { self.flush() } else { None };
        let open = self.open.get_or_insert_with(|| Open {
            bucket,
            first: record.sequence.clone(),
            last: record.sequence.clone(),
            sub_sequence: None,
            payloads: Vec::new(),
            detached: 0,
            bytes: 0,
            at_ms: now_ms,
        });
        open.last = record.sequence;
        open.sub_sequence = record.sub_sequence;
        open.payloads.push(record.payload);
        open.bytes += bytes;
        closed
    }

    /// From when on, by the clock of [`Batcher::push`], the bucket of the open batch is over for certain, so that an answer that was
    /// asked for later and brought no more records ends it; `None` if no batch is open.
    pub(super) fn is_over_at_ms(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.at_ms + self.bucket_ms)
    }

    /// Copies what the open batch shares with the answers that it came in, which are ten times as large.
    pub(super) fn detach(&mut self) {
        let Some(open) = &mut self.open else { return };
        for payload in &mut open.payloads[open.detached..] {
            *payload = Bytes::copy_from_slice(payload);
        }
        open.detached = open.payloads.len();
    }

    /// Ends the open batch.
    pub(super) fn flush(&mut self) -> Option<Closed> {
        let Open { first, last, sub_sequence, payloads, bytes, .. } = self.open.take()?;
        let in_aggregate = || payloads.last().map_or(0, |payload| last_sub_sequence(payload));
        let sub_sequence = sub_sequence.unwrap_or_else(in_aggregate);
        let through = Position { sequence: last, sub_sequence };
        Some(Closed { first, through, payloads, bytes })
    }
}

/// What the client libraries number the last user record with: 0 unless the KPL packed several into one.
fn last_sub_sequence(payload: &[u8]) -> u64 {
    Aggregate::open(payload).map_or(0, |aggregate| aggregate.count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(sequence: usize, arrival_ms: u64, bytes: usize) -> Arrived {
        Arrived {
            sequence: sequence.to_string().parse().unwrap(),
            arrival_ms,
            payload: Bytes::from(vec![b'x'; bytes]),
            sub_sequence: None,
        }
    }

    fn cut(records: &[Arrived]) -> Vec<(String, String, usize)> {
        let mut batcher = Batcher::new(2_000);
        let mut closed: Vec<Closed> =
            records.iter().filter_map(|record| batcher.push(record.clone(), 0)).collect();
        closed.extend(batcher.flush());
        let names = |batch: &Closed| {
            let (first, last) = (batch.first.to_string(), batch.through.sequence.to_string());
            (first, last, batch.payloads.len())
        };
        closed.iter().map(names).collect()
    }

    proptest! {
        #[test]
        fn whoever_resumes_behind_a_batch_cuts_the_rest_alike(
            steps in prop::collection::vec((-1_500i64..2_500, 0usize..400_000), 1..60),
        ) {
            let mut arrival_ms = 1_000_000u64;
            let records: Vec<Arrived> = (1..).zip(&steps).map(|(sequence, &(step, bytes))| {
                arrival_ms = arrival_ms.saturating_add_signed(step);
                record(sequence, arrival_ms, bytes)
            }).collect();
            let whole = cut(&records);
            prop_assert_eq!(whole.iter().map(|batch| batch.2).sum::<usize>(), records.len());
            for (number, batch) in whole.iter().enumerate() {
                let resumed: usize = batch.1.parse().unwrap();
                prop_assert_eq!(&cut(&records[resumed..]), &whole[number + 1..]);
            }
        }

        #[test]
        fn no_batch_is_larger_than_its_bound_or_one_record(
            sizes in prop::collection::vec(0usize..2_000_000, 1..40),
        ) {
            let mut batcher = Batcher::new(2_000);
            let records: Vec<Arrived> =
                (1..).zip(&sizes).map(|(sequence, &bytes)| record(sequence, 5, bytes)).collect();
            let mut closed: Vec<Closed> =
                records.iter().filter_map(|record| batcher.push(record.clone(), 0)).collect();
            closed.extend(batcher.flush());
            for batch in closed {
                prop_assert!(batch.bytes <= BATCH_BYTES_MAX || batch.payloads.len() == 1);
            }
        }
    }

    #[test]
    fn a_record_that_arrived_before_the_newest_joins_its_bucket() {
        let times = [10_000, 11_999, 12_000, 11_000, 13_999, 14_000];
        let records: Vec<Arrived> =
            (1..).zip(times).map(|(sequence, time)| record(sequence, time, 9)).collect();
        let expected = [("1", "2", 2), ("3", "5", 3), ("6", "6", 1)];
        let expected = expected.map(|(first, last, count)| (first.into(), last.into(), count));
        assert_eq!(cut(&records), expected);
    }

    #[test]
    fn a_bucket_is_over_its_length_after_its_first_record_was_read() {
        let mut batcher = Batcher::new(2_000);
        assert_eq!(batcher.is_over_at_ms(), None);
        assert!(batcher.push(record(1, 10_000, 1), 500).is_none());
        assert!(batcher.push(record(2, 10_900, 1), 900).is_none());
        assert_eq!(batcher.is_over_at_ms(), Some(2_500));
    }
}
