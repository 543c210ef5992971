//! The sketches one by one, each beside an exact counter. Plain distinct counters are in `distinct.rs`, tables of them in `table`.

use std::collections::BTreeMap;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use flowscout_benches::traffic::KEY;
use indexmap::IndexMap;
use sketches::answered::OpenedAnswered;
use sketches::hash::KeyedState;
use sketches::pane::PaneRange;

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
