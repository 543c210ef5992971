//! The peers as [`Summary`], in about the memory of ours.

pub(crate) use count_min_sketch::CountMinSketch64;
pub(crate) use datasketches::countmin::CountMinSketch;
pub(crate) use datasketches::frequencies::FrequentItemsSketch;
pub(crate) use heavykeeper::TopK;

use datasketches::frequencies::ErrorType;
use flowscout_benches::traffic::KEY;
use indexmap::IndexMap;
use sketches::hash::KeyedState;

use super::TOP;
use super::summary::{Answers, NOTHING, Promise, Summary, UPPER};

/// Exact sums under the same keyed hash, in memory that grows with the keys.
pub(crate) struct Exact(pub(crate) IndexMap<u64, u64, KeyedState>);

impl Summary for Exact {
    const NAME: &'static str = "indexmap, exact";
    const PROMISE: Promise = Promise { recall_min: 1.0, error_max: 0.0, underestimated_max: 0.0 };

    fn new() -> Self {
        Self(IndexMap::with_hasher(KeyedState::new(KEY)))
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        stream.iter().for_each(|&(key, weight)| *self.0.entry(key).or_insert(0) += weight);
    }

    /// Key, value and hash of each entry, and an index into them of 7 / 8 load with a byte of tag.
    fn bytes(&self) -> usize {
        self.0.capacity() * 24 + (self.0.capacity() * 8 / 7).next_power_of_two() * 9
    }

    fn answers(&self) -> Answers<'_> {
        let mut sums: Vec<(u64, u64)> = self.0.iter().map(|(&k, &weight)| (k, weight)).collect();
        sums.sort_unstable_by_key(|&(key, weight)| (std::cmp::Reverse(weight), key));
        Answers::Top(sums.into_iter().take(TOP).collect())
    }
}

impl Summary for FrequentItemsSketch<u64> {
    const NAME: &'static str = "datasketches 0.6, frequent items";
    const PROMISE: Promise = UPPER;

    fn new() -> Self {
        Self::new(1 << 15).unwrap()
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        stream.iter().for_each(|&(key, weight)| self.update_with_count(key, weight));
    }

    fn bytes(&self) -> usize {
        self.estimated_size()
    }

    fn answers(&self) -> Answers<'_> {
        let rows = self.frequent_items_with_threshold(ErrorType::NoFalseNegatives, 0);
        let mut rows: Vec<(u64, u64)> =
            rows.iter().map(|row| (*row.item(), row.estimate())).collect();
        rows.sort_unstable_by_key(|&(key, weight)| (std::cmp::Reverse(weight), key));
        Answers::Top(rows.into_iter().take(TOP).collect())
    }
}

/// Its counts decay, so it promises no bound.
impl Summary for TopK<u64> {
    const NAME: &'static str = "heavykeeper 0.7";
    const PROMISE: Promise = NOTHING;

    fn new() -> Self {
        Self::new(TOP, 1 << 14, 4, 0.95)
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        stream.iter().for_each(|(key, weight)| self.add(key, *weight));
    }

    fn bytes(&self) -> usize {
        self.mem_bytes(|_| 0)
    }

    fn answers(&self) -> Answers<'_> {
        Answers::Top(self.list().iter().map(|node| (node.item, node.count)).collect())
    }
}

impl Summary for CountMinSketch<u64> {
    const NAME: &'static str = "datasketches 0.6, count-min";
    const PROMISE: Promise = UPPER;

    fn new() -> Self {
        Self::new(4, 1 << 16).unwrap()
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        stream.iter().for_each(|&(key, weight)| self.update_with_weight(key, weight));
    }

    fn bytes(&self) -> usize {
        self.estimated_size()
    }

    fn answers(&self) -> Answers<'_> {
        Answers::Any(Box::new(|key| self.estimate(key)))
    }
}

/// It raises only the counters that equal the least one, so that it forgets what the others lack:
/// fewer than the truth is what it tells of many keys, and nothing can be asserted.
impl Summary for CountMinSketch64<u64> {
    const NAME: &'static str = "count-min-sketch 0.2";
    const PROMISE: Promise = NOTHING;

    fn new() -> Self {
        Self::new(ROWS_OF_2_16.0, ROWS_OF_2_16.1, ROWS_OF_2_16.2).unwrap()
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        stream.iter().for_each(|(key, weight)| self.add(key, *weight));
    }

    fn bytes(&self) -> usize {
        Self::estimate_memory(ROWS_OF_2_16.0, ROWS_OF_2_16.1, ROWS_OF_2_16.2).unwrap()
    }

    fn answers(&self) -> Answers<'_> {
        Answers::Any(Box::new(|key| self.estimate(&key)))
    }
}

/// What gives that crate four rows of 2^16: a width of 2 * capacity / tolerance.
const ROWS_OF_2_16: (usize, f64, f64) = (1 << 15, 0.94, 1.0);
