//! Weights per key and quantiles, each sketch beside its peers on one stream of a million updates.
//!
//! After the benchmarks comes a table, in which speed stands beside memory and error: some peers are
//! fast and wrong. What a peer promises is asserted as strictly as what ours do; what it does not
//! keep is only shown.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

mod distribution;
mod ours;
mod peers;
mod summary;
mod table;

use std::cmp::Reverse;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use flowscout_benches::traffic::KEY;
use flowscout_benches::zipf::weighted_keys;
use indexmap::IndexMap;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::hash::KeyedState;
use sketches::talkers::Talkers;

use ours::{Batched, Prehashed, Small};
use peers::{CountMinSketch, CountMinSketch64, Exact, FrequentItemsSketch};
use summary::Summary;

fn main() {
    divan::main();
    // `cargo test --benches` and `--list` want no numbers.
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        table::print();
    }
}

const KEYS: u32 = 1_000_000;
const UPDATES: usize = 1_000_000;
/// How many of the heaviest keys are asked for.
const TOP: usize = 1_000;

/// Weighted draws from a million keys, as bytes of talkers.
static STREAM: LazyLock<Vec<(u64, u64)>> = LazyLock::new(|| weighted_keys(KEYS, UPDATES, 1));

/// Exact sums, heaviest first.
static TRUTH: LazyLock<IndexMap<u64, u64, KeyedState>> = LazyLock::new(|| {
    let mut sums = filled::<Exact>().0;
    sums.sort_by_cached_key(|&key, &weight| (Reverse(weight), key));
    sums
});

fn filled<S: Summary>() -> S {
    let mut summary = S::new();
    summary.add_all(&STREAM);
    summary
}

fn fill<S: Summary>(bencher: Bencher) {
    filled::<S>().quality().check(S::NAME, &S::PROMISE);
    bencher.counter(ItemsCount::new(UPDATES)).bench(filled::<S>);
}

/// The heaviest thousand, in a megabyte. `heavykeeper` spends time in proportion to a weight, so it
/// runs once, for the table.
#[divan::bench(sample_count = 20, types = [
    Talkers<u64>,
    Batched,
    Prehashed,
    Small,
    FrequentItemsSketch<u64>,
    Exact,
])]
fn heaviest<S: Summary>(bencher: Bencher) {
    fill::<S>(bencher);
}

/// The weight of any key, in four rows of 2^16 counters.
#[divan::bench(sample_count = 20, types = [
    CountMin,
    ConservativeCountMin,
    CountMinSketch<u64>,
    CountMinSketch64<u64>,
])]
fn weight_of_a_key<S: Summary>(bencher: Bencher) {
    fill::<S>(bencher);
}

/// One merge of two halves of the stream.
#[divan::bench(sample_count = 20)]
fn talkers_merge(bencher: Bencher) {
    let halves = [&STREAM[..UPDATES / 2], &STREAM[UPDATES / 2..]];
    let [ours, theirs] = halves.map(|half| {
        let mut talkers = <Talkers<u64> as Summary>::new();
        talkers.add_all(half);
        talkers
    });
    let mut merged = ours.clone();
    merged.merge(&theirs);
    assert_eq!(merged.total(), TRUTH.values().sum::<u64>());
    merged.quality().check("merged talkers", &<Talkers<u64> as Summary>::PROMISE);
    bencher.with_inputs(|| ours.clone()).bench_values(|mut merged| {
        merged.merge(&theirs);
        merged
    });
}

/// One merge of two count-min sketches.
#[divan::bench(sample_count = 20)]
fn count_min_merge(bencher: Bencher) {
    let ours = filled::<CountMin>();
    let mut twice = ours.clone();
    twice.merge(&ours).unwrap();
    let key = KEY.hash_u64(1);
    assert_eq!(twice.estimate(key), 2 * ours.estimate(key));
    bencher.with_inputs(|| ours.clone()).bench_values(|mut merged| {
        merged.merge(&ours).unwrap();
        merged
    });
}
