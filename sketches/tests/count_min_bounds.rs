//! Count-min against exact sums: never below, rarely above the stated bound, merge equals one stream;
//! conservative update is never above the plain one and far nearer to the truth.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::f64::consts::E;

use proptest::prelude::*;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::error::{MergeError, WidthError};
use sketches::hash::{HashKey, split_mix};

type Stream = Vec<(u64, u64)>;

fn drawn(seed: u64, key: impl Fn(f64) -> f64) -> Stream {
    let mut state = seed;
    let mut draw = || {
        let unit = (split_mix(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
        (key(unit).floor().to_bits(), 40 + split_mix(&mut state) % 1_460)
    };
    (0..50_000).map(|_| draw()).collect()
}

fn uniform(seed: u64) -> Stream {
    drawn(seed, |unit| unit * 20_000.0)
}

/// A density of 1 / rank.
fn zipf(seed: u64) -> Stream {
    drawn(seed, |unit| 20_000_f64.powf(unit))
}

/// As many keys as can be heavy enough for one of them to break the bound of whatever it meets: the
/// worst that a stream can do to a row. The light keys are what is asked for.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "width / e")]
fn adversarial(width: usize) -> Stream {
    let heavy = (width as f64 / E) as u64;
    let light = (0..20_000_u64).map(|key| (1_000_000 + key, 1));
    (0..heavy).map(|key| (key, 1 << 40)).chain(light).collect()
}

fn exact(stream: &[(u64, u64)]) -> BTreeMap<u64, u64> {
    let mut sums = BTreeMap::new();
    stream.iter().for_each(|&(key, weight)| *sums.entry(key).or_insert(0) += weight);
    sums
}

fn key(seed: u64) -> HashKey {
    HashKey::new(seed, 1)
}

fn plain(width_log2: u8, seed: u64, stream: &[(u64, u64)]) -> CountMin {
    let mut sketch = CountMin::new(width_log2).unwrap();
    stream.iter().for_each(|&(k, weight)| sketch.add(key(seed).hash_u64(k), weight));
    sketch
}

fn conservative(width_log2: u8, seed: u64, stream: &[(u64, u64)]) -> ConservativeCountMin {
    let mut sketch = ConservativeCountMin::new(width_log2).unwrap();
    stream.iter().for_each(|&(k, weight)| sketch.add(key(seed).hash_u64(k), weight));
    sketch
}

/// Shares of the queries that exceed the bound, plain and conservative; checks the order
/// truth <= conservative <= plain on the way.
fn exceeded(width_log2: u8, seeds: u64, stream: impl Fn(u64) -> Stream) -> (f64, f64) {
    let (mut queries, mut above_plain, mut above_conservative) = (0.0, 0.0, 0.0);
    for seed in 0..seeds {
        let stream = stream(seed);
        let sketches = (plain(width_log2, seed, &stream), conservative(width_log2, seed, &stream));
        let truth = exact(&stream);
        let total: u64 = truth.values().sum();
        assert_eq!((sketches.0.total(), sketches.1.total()), (total, total));
        let bound = E / f64::from(1_u32 << width_log2) * total as f64;
        assert!((sketches.0.error_bound() / bound - 1.0).abs() < 1e-12);
        assert!((sketches.1.error_bound() / bound - 1.0).abs() < 1e-12);
        for (&k, &weight) in &truth {
            let hash = key(seed).hash_u64(k);
            let (plain, conservative) = (sketches.0.estimate(hash), sketches.1.estimate(hash));
            assert!(weight <= conservative && conservative <= plain, "key {k} of seed {seed}");
            let is_above = |estimate| f64::from(u8::from((estimate - weight) as f64 > bound));
            queries += 1.0;
            above_plain += is_above(plain);
            above_conservative += is_above(conservative);
        }
    }
    (above_plain / queries, above_conservative / queries)
}

#[test]
fn never_below_and_above_the_bound_for_fewer_than_stated() {
    let stated = (-4.0_f64).exp();
    for (name, stream) in [("uniform", uniform as fn(u64) -> Stream), ("zipf", zipf)] {
        let (plain, conservative) = exceeded(9, 10, stream);
        assert!(plain < stated && conservative < stated, "{name}: {plain}, {conservative}");
    }
}

/// Here a row misses its bound for 1 - (1 - 1/w)^(w/e) = 31 % of the keys, so that four rows that were
/// not independent, or were one fewer, would miss theirs.
#[test]
fn the_worst_stream_exceeds_the_bound_for_about_half_of_what_is_stated() {
    for (width_log2, seeds) in [(4, 60), (9, 10), (16, 2)] {
        let (plain, conservative) = exceeded(width_log2, seeds, |_| adversarial(1 << width_log2));
        let expected = 0.308_f64.powi(4);
        assert!(plain < 1.5 * expected, "width 2^{width_log2}: {plain} of {expected}");
        assert!(plain > 0.3 * expected, "the stream is not as bad as it was meant to be: {plain}");
        assert!(conservative <= plain);
    }
}

/// Mean relative error of the heaviest thousand.
fn top_error(truth: &BTreeMap<u64, u64>, estimate: impl Fn(u64) -> u64) -> f64 {
    let mut heaviest: Vec<(u64, u64)> = truth.iter().map(|(&k, &weight)| (k, weight)).collect();
    heaviest.sort_unstable_by_key(|&(_, weight)| Reverse(weight));
    let heaviest = &heaviest[..1_000];
    let error = |&(k, weight): &(u64, u64)| (estimate(k) - weight) as f64 / weight as f64;
    heaviest.iter().map(error).sum::<f64>() / 1_000.0
}

#[test]
fn conservative_update_is_ten_times_as_accurate_on_the_heavy_keys_of_a_zipf_stream() {
    for seed in 0..5 {
        let stream = zipf(seed);
        let truth = exact(&stream);
        let (a, b) = (plain(12, seed, &stream), conservative(12, seed, &stream));
        let plain = top_error(&truth, |k| a.estimate(key(seed).hash_u64(k)));
        let conservative = top_error(&truth, |k| b.estimate(key(seed).hash_u64(k)));
        assert!(conservative * 10.0 < plain, "seed {seed}: {conservative} and {plain}");
    }
}

#[test]
fn saturates_instead_of_wrapping() {
    let mut sketch = CountMin::new(4).unwrap();
    let mut conservative = ConservativeCountMin::new(4).unwrap();
    for weight in [u64::MAX - 1, 5] {
        sketch.add(1, weight);
        conservative.add(1, weight);
    }
    assert_eq!((sketch.estimate(1), sketch.total()), (u64::MAX, u64::MAX));
    assert_eq!((conservative.estimate(1), conservative.total()), (u64::MAX, u64::MAX));
    let copy = sketch.clone();
    sketch.merge(&copy).unwrap();
    assert_eq!((sketch.estimate(1), sketch.total()), (u64::MAX, u64::MAX));
    sketch.clear();
    conservative.clear();
    assert_eq!(sketch, CountMin::new(4).unwrap());
    assert_eq!(conservative, ConservativeCountMin::new(4).unwrap());
}

#[test]
fn refuses_what_does_not_fit() {
    for width_log2 in [3, 17] {
        assert_eq!(CountMin::new(width_log2), Err(WidthError { width_log2 }));
        assert_eq!(ConservativeCountMin::new(width_log2), Err(WidthError { width_log2 }));
    }
    let (mut small, large) = (CountMin::new(4).unwrap(), CountMin::new(5).unwrap());
    assert_eq!(small.merge(&large), Err(MergeError { ours: 16, theirs: 32 }));
}

#[test]
fn memory_is_32_bytes_times_the_width() {
    for width_log2 in [4, 10, 16] {
        let counters = 32 << width_log2;
        let plain = CountMin::new(width_log2).unwrap().memory_bytes();
        let conservative = ConservativeCountMin::new(width_log2).unwrap().memory_bytes();
        assert!((counters..counters + 64).contains(&plain), "{plain}");
        assert_eq!(plain, conservative);
    }
}

fn updates() -> impl Strategy<Value = Stream> {
    let weight = prop_oneof![8 => 0..1_000_u64, 1 => any::<u64>()];
    prop::collection::vec((any::<u64>(), weight), 0..50)
}

proptest! {
    #[test]
    fn merge_commutes_associates_and_equals_one_stream(
        streams in prop::array::uniform3(updates()),
    ) {
        let merged = |left: &CountMin, right: &CountMin| {
            let mut result = left.clone();
            result.merge(right).unwrap();
            result
        };
        let [a, b, c] = streams.each_ref().map(|updates| plain(5, 1, updates));
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&merged(&a, &b), &c), plain(5, 1, &streams.concat()));
    }

    #[test]
    fn truth_is_at_most_conservative_is_at_most_plain_in_any_stream(updates in updates()) {
        let (plain, conservative) = (plain(4, 2, &updates), conservative(4, 2, &updates));
        let mut truth = BTreeMap::<u64, u64>::new();
        for &(k, weight) in &updates {
            let sum = truth.entry(k).or_default();
            *sum = sum.saturating_add(weight);
        }
        for (k, weight) in truth {
            let hash = key(2).hash_u64(k);
            prop_assert!(weight <= conservative.estimate(hash));
            prop_assert!(conservative.estimate(hash) <= plain.estimate(hash));
        }
        prop_assert_eq!(plain.total(), conservative.total());
    }
}
