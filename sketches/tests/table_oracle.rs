//! The table against one map per key, and its memory.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "test code, and counts far below 2^32"
)]

#[path = "streams/keyed.rs"]
mod keyed;

use std::collections::BTreeMap;

use proptest::prelude::*;
use sketches::distinct::{Distinct, Precision};
use sketches::hash::HashKey;
use sketches::pane::Pane;
use sketches::table::{BYTES_MIN, DistinctTable, Update};

use keyed::stream;

const KEY: HashKey = HashKey::new(5, 6);

/// Key, element, pane.
type Stream = Vec<(u64, u64, Pane)>;

#[derive(Debug, Default)]
struct Oracle {
    last: BTreeMap<u64, BTreeMap<u64, Pane>>,
    newest: Pane,
}

impl Oracle {
    fn of(stream: &Stream) -> Self {
        let mut oracle = Self::default();
        for &(key, element, pane) in stream {
            oracle.newest = oracle.newest.max(pane);
            let last = oracle.last.entry(key).or_default().entry(element).or_default();
            *last = (*last).max(pane);
        }
        oracle
    }

    fn count(&self, key: u64, panes: u32) -> usize {
        let last = self.last.get(&key).into_iter().flat_map(BTreeMap::values);
        last.filter(|&&pane| self.newest - pane < panes).count()
    }
}

fn updates(stream: &Stream) -> Vec<Update> {
    let update = |&(key, element, pane): &(u64, u64, Pane)| Update {
        key: KEY.hash_u64(key),
        element: KEY.hash_u64(element),
        pane,
    };
    stream.iter().map(update).collect()
}

fn filled(bytes_max: usize, window_panes: u32, stream: &Stream) -> DistinctTable {
    let mut table = DistinctTable::new(bytes_max, window_panes, 1).unwrap();
    table.update_batch(&updates(stream), 0, &mut Vec::new());
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_key_has_the_exact_count_of_every_window(
        stream in stream(12, 128, 3_000), window_panes in 1..=128_u32, windows in prop::array::uniform4(1..=128_u32),
    ) {
        let table = filled(1 << 20, window_panes, &stream);
        let oracle = Oracle::of(&stream);
        prop_assert_eq!(table.counters().evicted, 0);
        for &key in oracle.last.keys() {
            let hash = KEY.hash_u64(key);
            for panes in windows.map(|panes| panes.min(window_panes)) {
                let count = table.count(hash, panes).map_or(0.0, |count| count.distinct);
                prop_assert_eq!(count as usize, oracle.count(key, panes), "{} panes of {}", panes, key);
                let alone = table.get(hash).map_or(0.0, |counter| counter.count(panes).distinct);
                prop_assert!((alone - count).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn updates_one_by_one_give_the_same_table_as_in_batches(
        streams in prop::array::uniform2(stream(40, 400, 2_000)), crowd in 3_000..9_000_u64,
    ) {
        // With room for all, and with so many keys that cells move and are evicted within a batch.
        for bytes_max in [1 << 20, BYTES_MIN] {
            let crowd = (0..crowd).map(|key| (100 + key, key % 5, streams[0].last().map_or(9, |u| u.2)));
            let stream: Stream = [streams[0].clone(), crowd.collect(), streams[1].clone()].concat();
            let batched = filled(bytes_max, 100, &stream);
            let mut single = DistinctTable::new(bytes_max, 100, 1).unwrap();
            let updates = updates(&stream);
            updates.iter().for_each(|&update| {
                single.update(update);
            });
            for update in &updates {
                prop_assert_eq!(single.count(update.key, 100), batched.count(update.key, 100));
            }
            prop_assert_eq!(single.counters(), batched.counters());
        }
    }

    #[test]
    fn tables_merge_to_the_table_of_one_stream(
        streams in prop::array::uniform2(stream(30, 120, 1_500)), heavy in 200..2_000_u64,
    ) {
        // One key has more elements than can be counted exactly, in both.
        let now = streams.concat().iter().map(|update| update.2).max().unwrap_or(9);
        let streams = streams.map(|mut stream| {
            stream.extend((0..heavy).map(|element| (99, element * 7 % heavy, now)));
            stream
        });
        let [mut ours, theirs] = streams.each_ref().map(|stream| filled(1 << 20, 50, stream));
        ours.merge_table(&theirs).unwrap();
        let one = filled(1 << 20, 50, &streams.concat());
        for update in updates(&streams.concat()) {
            for panes in [50, 7] {
                let counts = [&ours, &one].map(|table| table.count(update.key, panes).map_or(0.0, |c| c.distinct));
                prop_assert!((counts[0] - counts[1]).abs() < 1e-9, "{:?}", counts);
            }
        }
    }

    #[test]
    fn counters_move_from_table_to_table_by_key(stream in stream(10, 300, 1_500)) {
        let table = filled(1 << 20, 60, &stream);
        let mut other = DistinctTable::new(BYTES_MIN, 60, 2).unwrap();
        for update in updates(&stream) {
            if let Some(counter) = table.get(update.key) {
                other.merge(update.key, &counter).unwrap();
                other.advance(table.newest());
                let counts = [&other, &table].map(|t| t.count(update.key, 60).map_or(0.0, |c| c.distinct));
                prop_assert!((counts[0] - counts[1]).abs() < 1e-9, "{:?}", counts);
            }
        }
    }

    #[test]
    fn under_pressure_no_count_is_too_high_and_memory_stays(
        seed: u64, keys in 3_000..12_000_u64, elements in 1..60_u64,
    ) {
        let mut table = DistinctTable::new(BYTES_MIN, 40, seed).unwrap();
        let bytes = table.memory_bytes();
        prop_assert!(bytes <= BYTES_MIN);
        let mut draws = seed;
        let stream: Stream = (0..30_000_u32)
            .map(|step| {
                draws = draws.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                ((draws >> 33) % keys, (draws >> 20) % elements, 1_000 + step / 400)
            })
            .collect();
        table.update_batch(&updates(&stream), 0, &mut Vec::new());
        prop_assert_eq!(table.memory_bytes(), bytes);
        let oracle = Oracle::of(&stream);
        for &key in oracle.last.keys() {
            let count = table.count(KEY.hash_u64(key), 40).map_or(0.0, |count| count.distinct);
            prop_assert!(count as usize <= oracle.count(key, 40));
        }
    }
}

#[test]
fn a_budget_is_a_bound_whatever_its_size() {
    assert!(DistinctTable::new(BYTES_MIN - 1, 10, 1).is_err());
    for bytes_max in (0..200).map(|step| BYTES_MIN + step * 37_123) {
        let table = DistinctTable::new(bytes_max, 10, 1).unwrap();
        assert!(table.memory_bytes() <= bytes_max);
        assert!(bytes_max - table.memory_bytes() < 64 * 1024 + 8 * 1024, "and it is used");
    }
}

#[test]
fn tables_of_different_sizes_do_not_merge() {
    let [mut small, large] =
        [BYTES_MIN, 4 * BYTES_MIN].map(|b| DistinctTable::new(b, 10, 1).unwrap());
    assert!(small.merge_table(&large).is_err());
}

#[test]
fn late_updates_are_counted_and_change_nothing() {
    let mut table = DistinctTable::new(BYTES_MIN, 10, 1).unwrap();
    assert!(table.update(Update { key: 1, element: 1 << 50, pane: 100 }));
    assert!(!table.update(Update { key: 1, element: 2 << 50, pane: 90 }));
    assert_eq!(table.counters().late, 1);
    assert!((table.count(1, 10).unwrap().distinct - 1.0).abs() < 1e-9);
}

#[test]
fn a_sketch_that_was_merged_is_not_what_a_flood_evicts() {
    let mut counter = Distinct::new(10, Precision::Percent4);
    for element in 0..500 {
        counter.update(KEY.hash_u64(element), 100);
    }
    let mut table = DistinctTable::new(BYTES_MIN, 10, 1).unwrap();
    table.merge(KEY.hash_u64(0), &counter).unwrap();
    let flood: Stream = (1..20_000).map(|key| (key, 1, 100)).collect();
    table.update_batch(&updates(&flood), 0, &mut Vec::new());
    assert!(table.counters().evicted > 10_000);
    assert_eq!(table.count(KEY.hash_u64(0), 10), Some(counter.count(10)));
}

#[test]
fn what_changed_is_told_of_sets_that_are_large_enough() {
    let mut table = DistinctTable::new(BYTES_MIN, 10, 1).unwrap();
    let mut changed = Vec::new();
    let key = |key| KEY.hash_u64(key);
    let update = |of, element: u64| Update { key: key(of), element: element << 45, pane: 7 };
    let updates: Vec<Update> =
        (1..=60).map(|e| update(1, e)).chain((1..=60).map(|e| update(2 + e, 1))).collect();
    table.update_batch(&updates, 50, &mut changed);
    assert!(changed.iter().all(|&index| updates[index].key == key(1)));
    assert!(changed.contains(&49) && changed.contains(&59), "{changed:?}");
    changed.clear();
    table.update_batch(&updates, 0, &mut changed);
    assert_eq!(changed, Vec::<usize>::new(), "all of it was known");
}

#[test]
fn silent_keys_are_freed_by_the_hand() {
    let stream: Stream = (0..2_000).flat_map(|key| (0..20).map(move |e| (key, e, 100))).collect();
    let mut table = filled(1 << 20, 12, &stream);
    assert!(table.keys() > 1_900);
    for pane in 101..=100 + 12 + 33 {
        table.advance(pane);
    }
    assert_eq!(table.keys(), 0);
    let again: Stream = (0..2_000).flat_map(|key| (0..20).map(move |e| (key, e, 150))).collect();
    table.update_batch(&updates(&again), 0, &mut Vec::new());
    assert_eq!(table.counters().evicted, 0, "all blocks had come back");
}
