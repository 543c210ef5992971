//! Orders records by the second in which they end: a ring with one bucket per second.
//!
//! Memory bound: a record waits for less than one aggregation interval, so that the ring holds what
//! the hosts log within a minute, however long the plan is.

use crate::record::{INTERVAL_S, Record};

/// A record ends in the interval in which it is filed.
const SECONDS: u64 = INTERVAL_S;

/// An interface whose records AWS skips for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    pub(crate) interface: u32,
    pub(crate) start_s: u64,
    pub(crate) end_s: u64,
}

#[derive(Debug)]
pub(crate) struct Calendar {
    buckets: Vec<Vec<Record>>,
    gap: Option<Gap>,
}

impl Calendar {
    pub(crate) fn new(gap: Option<Gap>) -> Self {
        Self { buckets: (0..SECONDS).map(|_| Vec::new()).collect(), gap }
    }

    /// Files a record; its end must be less than a minute ahead of the next second that is taken.
    pub(crate) fn push(&mut self, record: Record) {
        if self.gap.is_some_and(|gap| gap.hides(&record)) {
            return;
        }
        let bucket = usize::try_from(record.half.end_s % SECONDS).unwrap_or(0);
        self.buckets[bucket].push(record);
    }

    /// Moves the records that end in that second into `records`, whose old content is dropped.
    pub(crate) fn take(&mut self, second: u64, records: &mut Vec<Record>) {
        let bucket = usize::try_from(second % SECONDS).unwrap_or(0);
        // A bucket starts over without capacity: sixty that keep the largest second would hold ten
        // times more.
        *records = std::mem::take(&mut self.buckets[bucket]);
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.buckets.iter().map(Vec::capacity).sum()
    }
}

impl Gap {
    fn hides(&self, record: &Record) -> bool {
        record.interface == self.interface
            && record.has_flow()
            && record.half.end_s >= self.start_s
            && record.half.start_s <= self.end_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Verdict;

    #[test]
    fn records_come_back_in_the_second_of_their_end() {
        let mut calendar = Calendar::new(None);
        for end_s in [70, 61, 65, 61] {
            calendar.push(Record::silence(1, Verdict::NoData, 60, end_s));
        }
        let mut taken = Vec::new();
        let mut ends = Vec::new();
        for second in 60..=119 {
            calendar.take(second, &mut taken);
            ends.extend(taken.iter().map(|record| record.half.end_s));
        }
        assert_eq!(ends, [61, 61, 65, 70]);
    }

    #[test]
    fn a_gap_swallows_flows_but_not_its_own_notice() {
        let mut calendar = Calendar::new(Some(Gap { interface: 1, start_s: 60, end_s: 119 }));
        calendar.push(Record {
            verdict: Verdict::Accept,
            ..Record::silence(1, Verdict::NoData, 60, 80)
        });
        calendar.push(Record {
            verdict: Verdict::Accept,
            ..Record::silence(2, Verdict::NoData, 60, 80)
        });
        calendar.push(Record::silence(1, Verdict::SkipData, 60, 80));
        let mut taken = Vec::new();
        calendar.take(80, &mut taken);
        let interfaces: Vec<u32> = taken.iter().map(|record| record.interface).collect();
        assert_eq!(interfaces, [2, 1]);
    }
}
