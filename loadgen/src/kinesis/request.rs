//! Packing records into calls of `PutRecords`.

use super::Record;

/// What one call takes (facts/kinesis.md, 2).
pub const RECORDS_PER_REQUEST_MAX: usize = 500;
/// What the records of one call may have together, keys included (facts/kinesis.md, 2).
pub const REQUEST_BYTES_MAX: usize = 10 << 20;
/// A partition key has at most 256 characters; ours are ASCII.
pub(super) const KEY_BYTES_MAX: usize = 256;

/// The records of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// In the order in which they were packed; at most [`RECORDS_PER_REQUEST_MAX`].
    pub records: Vec<Record>,
}

/// Fills one request after the other.
#[derive(Debug)]
pub struct Packer {
    bytes_max: usize,
    records: Vec<Record>,
    bytes: usize,
}

impl Packer {
    /// Requests of at most `bytes_max`, payloads and keys together; not more than
    /// [`REQUEST_BYTES_MAX`]. A single record that has more goes alone.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max: bytes_max.min(REQUEST_BYTES_MAX), records: Vec::new(), bytes: 0 }
    }

    /// Takes a record; gives the request that had no room for it.
    pub fn push(&mut self, record: Record) -> Option<Request> {
        let bytes = record.bytes();
        let full = self.records.len() == RECORDS_PER_REQUEST_MAX
            || self.bytes.saturating_add(bytes) > self.bytes_max;
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
        let mut packer = Packer::new(bytes_max);
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
        let counts: Vec<usize> = packed(usize::MAX, &[1 << 20; 11]).iter().map(Vec::len).collect();
        assert_eq!(counts, [10, 1]);
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
