//! The sketches one by one, each beside an exact counter. Plain distinct counters are in `distinct.rs`, tables of them in `table`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use flowscout_benches::traffic::KEY;
use flowscout_benches::zipf::weighted_keys;
use indexmap::IndexMap;
use sketches::answered::OpenedAnswered;
use sketches::count_min::CountMin;
use sketches::hash::KeyedState;
use sketches::pane::PaneRange;
use sketches::talkers::Talkers;

fn main() {
    divan::main();
}

/// Distinct elements: two sizes of the exact tier, one of the sketch tier.
const SIZES: [u32; 3] = [16, 100, 10_000];
const PANE: u32 = 100;
const WINDOW: PaneRange = PaneRange { first: 90, last: 110 };

fn hashes(from: u32, elements: u32) -> Vec<u64> {
    (from..from + elements).map(|element| KEY.hash_u64(element.into())).collect()
}

fn opened(hashes: &[u64]) -> OpenedAnswered {
    let mut set = OpenedAnswered::new();
    hashes.iter().for_each(|&hash| set.opened(hash, PANE));
    set
}

/// Exactly `elements` unanswered, or within four standard errors.
fn check(set: &OpenedAnswered, elements: u32) {
    let counts = set.count(WINDOW, PANE);
    let off = (counts.unanswered - f64::from(elements)).abs();
    assert!(off <= 4.0 * counts.standard_error, "{elements}: {counts:?}");
}

/// Distinct elements into an empty set; the allocations of its growth are part of it.
mod distinct_fill {
    use super::{
        BTreeMap, Bencher, IndexMap, ItemsCount, KEY, KeyedState, PANE, SIZES, check, hashes,
        opened,
    };

    #[divan::bench(args = SIZES)]
    fn opened_answered(bencher: Bencher, elements: u32) {
        let hashes = hashes(0, elements);
        check(&opened(&hashes), elements);
        bencher.counter(ItemsCount::new(elements)).bench(|| opened(&hashes));
    }

    #[divan::bench(args = SIZES)]
    fn peer_btree_map(bencher: Bencher, elements: u32) {
        let hashes = hashes(0, elements);
        bencher.counter(ItemsCount::new(elements)).bench(|| {
            let set: BTreeMap<u64, u32> = hashes.iter().map(|&hash| (hash, PANE)).collect();
            assert_eq!(set.len(), hashes.len());
            set
        });
    }

    #[divan::bench(args = SIZES)]
    fn peer_index_map(bencher: Bencher, elements: u32) {
        let hashes = hashes(0, elements);
        bencher.counter(ItemsCount::new(elements)).bench(|| {
            let mut set = IndexMap::with_hasher(KeyedState::new(KEY));
            hashes.iter().for_each(|&hash| {
                set.insert(hash, PANE);
            });
            assert_eq!(set.len(), hashes.len());
            set
        });
    }
}

/// The same elements again in a set that has them: what most records do.
mod distinct_again {
    use super::{
        Bencher, IndexMap, ItemsCount, KEY, KeyedState, PANE, SIZES, black_box, check, hashes,
        opened,
    };

    #[divan::bench(args = SIZES)]
    fn opened_answered(bencher: Bencher, elements: u32) {
        let hashes = hashes(0, elements);
        let mut set = opened(&hashes);
        bencher.counter(ItemsCount::new(elements)).bench_local(|| {
            hashes.iter().for_each(|&hash| set.opened(black_box(hash), PANE));
        });
        check(&set, elements);
    }

    #[divan::bench(args = SIZES)]
    fn peer_index_map(bencher: Bencher, elements: u32) {
        let hashes = hashes(0, elements);
        let mut set = IndexMap::with_hasher(KeyedState::new(KEY));
        bencher.counter(ItemsCount::new(elements)).bench_local(|| {
            hashes.iter().for_each(|&hash| {
                set.insert(black_box(hash), PANE);
            });
        });
        assert_eq!(set.len(), hashes.len());
    }
}

/// One estimate.
#[divan::bench(args = SIZES)]
fn distinct_count(bencher: Bencher, elements: u32) {
    let set = opened(&hashes(0, elements));
    check(&set, elements);
    bencher.bench(|| black_box(&set).count(WINDOW, PANE));
}

/// One merge of two sets that share half of their elements.
#[divan::bench(args = SIZES)]
fn distinct_merge(bencher: Bencher, elements: u32) {
    let ours = opened(&hashes(0, elements));
    let theirs = opened(&hashes(elements / 2, elements));
    let mut merged = ours.clone();
    merged.merge(&theirs);
    check(&merged, elements + elements / 2);
    bencher.with_inputs(|| ours.clone()).bench_values(|mut merged| {
        merged.merge(&theirs);
        merged
    });
}

const KEYS: u32 = 1_000_000;
const UPDATES: usize = 1_000_000;

/// Weighted draws from a million keys, as bytes of talkers.
static STREAM: LazyLock<Vec<(u64, u64)>> = LazyLock::new(|| weighted_keys(KEYS, UPDATES, 1));

static EXACT: LazyLock<IndexMap<u64, u64, KeyedState>> = LazyLock::new(exact);

fn exact() -> IndexMap<u64, u64, KeyedState> {
    let mut sums = IndexMap::with_hasher(KeyedState::new(KEY));
    STREAM.iter().for_each(|&(key, weight)| *sums.entry(key).or_insert(0) += weight);
    sums
}

/// The heaviest keys, heaviest first.
fn heaviest(count: usize) -> Vec<(u64, u64)> {
    let mut sums: Vec<(u64, u64)> = EXACT.iter().map(|(&key, &weight)| (key, weight)).collect();
    sums.sort_unstable_by_key(|&(key, weight)| (std::cmp::Reverse(weight), key));
    sums.truncate(count);
    sums
}

/// Weights per key over a Zipf stream.
mod weights {
    use super::{
        BTreeMap, Bencher, CountMin, EXACT, ItemsCount, KEY, KeyedState, STREAM, Talkers, UPDATES,
        exact, heaviest,
    };

    /// As the pipeline has them: 4,096 talkers.
    #[divan::bench(sample_count = 20)]
    fn talkers(bencher: Bencher) {
        let fill = || {
            let mut talkers = Talkers::new(4_096, KeyedState::new(KEY));
            STREAM.iter().for_each(|&(key, weight)| talkers.add(key, weight));
            talkers
        };
        let filled = fill();
        assert_eq!(filled.total(), EXACT.values().sum::<u64>());
        let top: Vec<u64> = filled.top(200).iter().map(|talker| talker.key).collect();
        let found = heaviest(100).iter().filter(|(key, _)| top.contains(key)).count();
        assert_eq!(found, 100, "the true top hundred stand among the first two hundred");
        bencher.counter(ItemsCount::new(UPDATES)).bench(fill);
    }

    /// As the pipeline has it: 2^14 counters in each of 4 rows; the hash of the key is part of the update.
    #[divan::bench(sample_count = 20)]
    fn count_min(bencher: Bencher) {
        let fill = || {
            let mut sketch = CountMin::new(14).unwrap();
            STREAM.iter().for_each(|&(key, weight)| sketch.add(KEY.hash_u64(key), weight));
            sketch
        };
        let filled = fill();
        for (key, weight) in heaviest(1_000) {
            let estimate = filled.estimate(KEY.hash_u64(key));
            assert!(estimate >= weight && (estimate - weight) as f64 <= filled.error_bound());
        }
        bencher.counter(ItemsCount::new(UPDATES)).bench(fill);
    }

    /// Exact sums under the same keyed hash, in memory that grows with the keys.
    #[divan::bench(sample_count = 20)]
    fn peer_index_map(bencher: Bencher) {
        bencher.counter(ItemsCount::new(UPDATES)).bench(|| {
            let sums = exact();
            assert_eq!(sums.len(), EXACT.len());
            sums
        });
    }

    #[divan::bench(sample_count = 20)]
    fn peer_btree_map(bencher: Bencher) {
        bencher.counter(ItemsCount::new(UPDATES)).bench(|| {
            let mut sums = BTreeMap::new();
            STREAM.iter().for_each(|&(key, weight)| *sums.entry(key).or_insert(0) += weight);
            assert_eq!(sums.len(), EXACT.len());
            sums
        });
    }
}
