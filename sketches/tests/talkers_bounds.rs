//! Talkers against exact sums: the bounds of every key, the recall of the top, and merges of parts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sketches::hash::{HashKey, KeyedState, split_mix};
use sketches::talkers::Talkers;

type Stream = Vec<(u32, u64)>;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "floored, within 0..=100,000"
)]
fn drawn(seed: u64, updates: u32, key: impl Fn(u32, f64) -> f64) -> Stream {
    let mut state = seed;
    let mut draw = |position| {
        let unit = (split_mix(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
        let key: f64 = key(position, unit).floor();
        (key as u32, 40 + split_mix(&mut state) % 1_460)
    };
    (0..updates).map(&mut draw).collect()
}

/// A density of 1 / rank over 100,000 keys.
fn zipf(seed: u64) -> Stream {
    drawn(seed, 100_000, |_, unit| 100_000_f64.powf(unit))
}

fn uniform(seed: u64) -> Stream {
    drawn(seed, 30_000, |_, unit| unit * 5_000.0)
}

/// Every key new, in rising weights, with one heavy key at the start: built to evict it.
fn adversarial(seed: u64) -> Stream {
    let mut stream = vec![(u32::MAX, 2_000_000)];
    stream.extend((0..20_000_u32).map(|key| (key, 1 + u64::from(key) / 50 + seed)));
    stream
}

fn state(seed: u64) -> KeyedState {
    KeyedState::new(HashKey::new(seed, 11))
}

fn filled(capacity: usize, seed: u64, stream: &[(u32, u64)]) -> Talkers<u32> {
    let mut talkers = Talkers::new(capacity, state(seed));
    stream.iter().for_each(|&(key, weight)| talkers.add(key, weight));
    talkers
}

fn exact(stream: &[(u32, u64)]) -> BTreeMap<u32, u64> {
    let mut sums = BTreeMap::new();
    stream.iter().for_each(|&(key, weight)| *sums.entry(key).or_insert(0) += weight);
    sums
}

/// The total, the order, and the bounds of all held keys. (Those of absent keys: tests of the bucket.)
fn check_bounds(talkers: &Talkers<u32>, truth: &BTreeMap<u32, u64>, capacity: usize) {
    assert_eq!(talkers.total(), truth.values().sum::<u64>());
    let top = talkers.top(usize::MAX);
    assert!(top.len() <= capacity.next_multiple_of(7));
    assert!(top.is_sorted_by(|a, b| (b.weight, a.key) < (a.weight, b.key)));
    let held: BTreeMap<u32, u64> = top.iter().map(|talker| (talker.key, talker.error)).collect();
    assert_eq!(held.len(), top.len(), "a key is held once");
    for talker in &top {
        let weight = truth.get(&talker.key).copied().unwrap_or(0);
        assert!(weight <= talker.weight && talker.weight - talker.error <= weight, "{talker:?}");
    }
}

#[test]
fn bounds_hold_for_every_key_of_every_stream() {
    for seed in 0..5 {
        for stream in [zipf(seed), uniform(seed), adversarial(seed)] {
            for capacity in [1, 7, 100, 1_024] {
                check_bounds(&filled(capacity, seed, &stream), &exact(&stream), capacity);
            }
        }
    }
}

#[test]
fn a_single_bucket_has_the_error_of_space_saving() {
    for seed in 0..5 {
        for stream in [zipf(seed), uniform(seed), adversarial(seed)] {
            let talkers = filled(7, seed, &stream);
            let bound = talkers.total() / 7;
            let held = talkers.top(7);
            assert!(held.iter().all(|talker| talker.error <= bound));
            let heavy = exact(&stream).into_iter().filter(|&(_, weight)| weight > bound);
            heavy.for_each(|(key, _)| assert!(held.iter().any(|talker| talker.key == key)));
        }
    }
}

#[test]
fn the_heaviest_keys_of_a_zipf_stream_are_found() {
    for seed in 0..5 {
        let stream = zipf(seed);
        let mut truth: Vec<(u32, u64)> = exact(&stream).into_iter().collect();
        truth.sort_unstable_by_key(|&(_, weight)| std::cmp::Reverse(weight));
        let top = filled(3_200, seed, &stream).top(100);
        let found =
            truth[..100].iter().filter(|(key, _)| top.iter().any(|t| t.key == *key)).count();
        assert!(found >= 99, "seed {seed}: {found} of 100");
    }
}

/// The stated accuracy, and the bounds of each entry, for 8-byte keys in 1 MB.
#[test]
fn in_1_mb_the_heaviest_thousand_of_a_million_keys_are_found_within_a_fiftieth_of_a_percent() {
    for seed in 0..3 {
        let stream: Vec<(u64, u64)> = drawn(seed, 1_000_000, |_, unit| 1_000_000_f64.powf(unit))
            .into_iter()
            .map(|(key, weight)| (key.into(), weight))
            .collect();
        let mut talkers = Talkers::new(39_800, state(seed));
        assert!(talkers.memory_bytes() <= 1 << 20, "{}", talkers.memory_bytes());
        talkers.add_batch(&stream);
        let mut truth = BTreeMap::<u64, u64>::new();
        stream.iter().for_each(|&(key, weight)| *truth.entry(key).or_default() += weight);
        let mut heaviest: Vec<(u64, u64)> = truth.into_iter().collect();
        heaviest.sort_unstable_by_key(|&(_, weight)| std::cmp::Reverse(weight));
        heaviest.truncate(1_000);
        let top: BTreeMap<u64, (u64, u64)> =
            talkers.top(1_000).iter().map(|t| (t.key, (t.weight, t.error))).collect();
        let (mut found, mut error_sum) = (0.0, 0.0);
        for (key, weight) in &heaviest {
            if let Some((upper, error)) = top.get(key) {
                assert!(weight <= upper && upper - error <= *weight);
                found += 1.0;
                error_sum += (upper - weight) as f64 / *weight as f64;
            }
        }
        assert!(found >= 998.0, "seed {seed}: {found} of 1,000");
        assert!(error_sum / found <= 0.000_2, "seed {seed}: {}", error_sum / found);
    }
}

#[test]
fn while_nothing_is_evicted_everything_is_exact() {
    let stream = drawn(1, 5_000, |_, unit| unit * 50.0);
    let talkers = filled(2_000, 1, &stream);
    let top: BTreeMap<u32, u64> = talkers.top(50).into_iter().map(|t| (t.key, t.weight)).collect();
    assert_eq!(top, exact(&stream));
    assert!(talkers.top(50).iter().all(|talker| talker.error == 0));
}

#[test]
fn a_weight_of_zero_changes_nothing() {
    let mut talkers = Talkers::new(0, state(0));
    talkers.add(1_u32, 0);
    assert!(talkers.top(8).is_empty());
    assert_eq!(talkers.total(), 0);
}

#[test]
fn memory_is_fixed_from_the_start() {
    let mut talkers = Talkers::<u128>::new(1_000, state(0));
    let before = talkers.memory_bytes();
    (0..50_000).for_each(|key| talkers.add(key, 1));
    assert_eq!(talkers.memory_bytes(), before);
    assert!(before < 1_000 * 36, "{before}");
}

#[test]
fn a_batch_and_hashes_of_the_caller_give_what_single_updates_give() {
    let (stream, key) = (zipf(7), HashKey::new(7, 11));
    let [mut single, mut hashed, mut batched] = [(); 3].map(|()| Talkers::new(500, state(7)));
    for &(k, weight) in &stream {
        single.add(u64::from(k), weight);
        hashed.add_hashed(key.hash_u64(k.into()), u64::from(k), weight);
    }
    let wide: Vec<(u64, u64)> = stream.iter().map(|&(k, weight)| (k.into(), weight)).collect();
    wide.chunks(1_001).for_each(|chunk| batched.add_batch(chunk));
    for other in [&hashed, &batched] {
        assert_eq!(other.top(usize::MAX), single.top(usize::MAX));
        assert_eq!(other.total(), single.total());
    }
}

fn merged(left: &Talkers<u32>, right: &Talkers<u32>) -> Talkers<u32> {
    let mut result = left.clone();
    result.merge(right);
    result
}

#[test]
fn merging_parts_keeps_the_bounds_and_the_error_of_the_whole() {
    for seed in 0..5 {
        for stream in [zipf(seed), uniform(seed), adversarial(seed)] {
            for capacity in [7, 256] {
                let parts: Vec<_> =
                    stream.chunks(stream.len() / 7).map(|p| filled(capacity, seed, p)).collect();
                let whole = parts.iter().skip(1).fold(parts[0].clone(), |all, p| merged(&all, p));
                check_bounds(&whole, &exact(&stream), capacity);
                let bound = if capacity == 7 { whole.total() / 7 } else { whole.total() };
                assert!(whole.top(7).iter().all(|talker| talker.error <= bound));
            }
        }
    }
}

proptest! {
    #[test]
    fn merge_commutes_and_any_tree_keeps_the_bounds(
        streams in prop::array::uniform3(prop::collection::vec((0..60_u32, 0..1_000_u64), 0..200)),
        capacity in prop_oneof![Just(7_usize), Just(21)],
    ) {
        let [a, b, c] = streams.each_ref().map(|stream| filled(capacity, 3, stream));
        let (ab, bc) = (merged(&a, &b), merged(&b, &c));
        prop_assert_eq!(ab.top(usize::MAX), merged(&b, &a).top(usize::MAX));
        let truth = exact(&streams.concat());
        let truth: BTreeMap<u32, u64> = truth.into_iter().filter(|&(_, weight)| weight > 0).collect();
        for whole in [merged(&ab, &c), merged(&a, &bc), merged(&c, &ab)] {
            check_bounds(&whole, &truth, capacity);
            if capacity == 7 {
                prop_assert!(whole.top(7).iter().all(|t| t.error <= whole.total() / 7));
            }
        }
    }

    #[test]
    fn summaries_of_other_shapes_still_merge_within_their_bounds(
        streams in prop::array::uniform2(prop::collection::vec((0..60_u32, 1..1_000_u64), 0..200)),
        other_capacity in 1..40_usize,
        other_seed in 0..3_u64,
    ) {
        let mut whole = filled(21, 1, &streams[0]);
        whole.merge(&filled(other_capacity, other_seed, &streams[1]));
        check_bounds(&whole, &exact(&streams.concat()), 21);
        // The bounds survive what comes after.
        let more: Stream = (0..100).map(|key| (key, 500)).collect();
        more.iter().for_each(|&(key, weight)| whole.add(key, weight));
        check_bounds(&whole, &exact(&[streams.concat(), more].concat()), 21);
    }

    #[test]
    fn without_eviction_merge_equals_one_stream(
        streams in prop::array::uniform2(prop::collection::vec((0..7_u32, 1..1_000_u64), 0..50)),
    ) {
        let parts = merged(&filled(7, 1, &streams[0]), &filled(7, 1, &streams[1]));
        prop_assert_eq!(parts.top(7), filled(7, 1, &streams.concat()).top(7));
    }
}
