//! Packing records into calls that put many at once.

use super::Record;

/// What one call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many records.
    pub records_max: usize,
    /// So many bytes of them all, keys included.
    pub bytes_max: usize,
}

/// `PutRecords` of Kinesis (facts/kinesis.md, 2).
pub const PUT_RECORDS: Limits = Limits { records_max: 500, bytes_max: 10 << 20 };
/// `PutRecordBatch` of Firehose (facts/firehose.md, 5).
pub const PUT_RECORD_BATCH: Limits = Limits { records_max: 500, bytes_max: 4 << 20 };
/// A partition key has at most 256 characters; ours are ASCII.
pub(super) const KEY_BYTES_MAX: usize = 256;

/// The records of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// In the order in which they were packed; at most [`Limits::records_max`].
    pub records: Vec<Record>,
}

/// Fills one request after the other.
#[derive(Debug)]
pub struct Packer {
    limits: Limits,
    records: Vec<Record>,
    bytes: usize,
}

impl Packer {
    /// Requests within `limits`. A single record that has more bytes goes alone.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, records: Vec::new(), bytes: 0 }
    }

    /// Takes a record; gives the request that had no room for it.
    pub fn push(&mut self, record: Record) -> Option<Request> {
        let bytes = record.bytes();
        let full = self.records.len() == self.limits.records_max
            || self.bytes.saturating_add(bytes) > self.limits.bytes_max;
        let request = if full { self.finish() } else { None };
        self.records.push(record);
        self.bytes += bytes;
        request
    }

    /// What is left, if anything is.
    pub fn finish(&mut self) -> Option<Request> {
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        (!records.is_empty()).then_some(Request { records })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(bytes: usize) -> Record {
        Record { key: "key".to_owned(), data: vec![b'x'; bytes - 3], lines: 1 }
    }

    fn packed(bytes_max: usize, sizes: &[usize]) -> Vec<Vec<usize>> {
        let mut packer = Packer::new(Limits { bytes_max, ..PUT_RECORDS });
        let mut requests: Vec<Request> =
            sizes.iter().filter_map(|bytes| packer.push(record(*bytes))).collect();
        requests.extend(packer.finish());
        assert_eq!(packer.finish(), None);
        let sizes = |request: &Request| request.records.iter().map(Record::bytes).collect();
        requests.iter().map(sizes).collect()
    }

    #[test]
    fn a_request_ends_at_its_bytes_or_at_500_records() {
        assert_eq!(packed(100, &[40, 60, 1 + 3, 96, 5]), [vec![40, 60], vec![4, 96], vec![5]]);
        let counts: Vec<usize> = packed(100_000, &[10; 1_001]).iter().map(Vec::len).collect();
        assert_eq!(counts, [500, 500, 1]);
        assert_eq!(packed(100, &[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn no_request_passes_what_the_service_takes() {
        for (limits, most) in [(PUT_RECORDS, 10), (PUT_RECORD_BATCH, 4)] {
            let requests = packed(limits.bytes_max, &[1 << 20; 11]);
            let counts: Vec<usize> = requests.iter().map(Vec::len).collect();
            assert_eq!((counts[0], counts.iter().sum::<usize>()), (most, 11));
        }
    }

    proptest! {
        #[test]
        fn every_record_is_packed_once_in_order_and_no_request_could_take_the_next(
            sizes in prop::collection::vec(4_usize..200, 0..1_500),
            bytes_max in 200_usize..20_000,
        ) {
            let requests = packed(bytes_max, &sizes);
            prop_assert_eq!(requests.concat(), sizes);
            for pair in requests.windows(2) {
                let bytes: usize = pair[0].iter().sum();
                prop_assert!(pair[0].len() <= 500 && bytes <= bytes_max);
                prop_assert!(pair[0].len() == 500 || bytes + pair[1][0] > bytes_max);
            }
        }
    }
}
