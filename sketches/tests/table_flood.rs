//! Floods of keys that are seen once, and scanners that work under their cover.

#![expect(clippy::cast_possible_truncation, reason = "test code, and counts far below 2^32")]

use sketches::hash::HashKey;
use sketches::table::{DistinctTable, Update};

const KEY: HashKey = HashKey::new(7, 8);
const THRESHOLD: u32 = 100;

/// Spoofed keys per pane, and steps of the scanners among them.
const FLOOD_PER_PANE: u64 = 250_000;
const PANES: u32 = 12;
const SCANNERS: u64 = 200;
const ELEMENTS: u64 = 240;
const DECOYS: u64 = 500;
const DECOY_ELEMENTS: u64 = 90;

fn update(key: u64, element: u64, pane: u32) -> Update {
    Update { key: KEY.hash_u64(key), element: KEY.hash_u64(element ^ key << 20), pane }
}

/// Every scanner meets a twelfth of its elements in each pane, every decoy of its fewer; the rest is flood.
fn pane(number: u32) -> Vec<Update> {
    let mut updates = Vec::new();
    let pane = 1_000 + number;
    let share =
        |elements: u64| (0..elements).filter(move |e| e % u64::from(PANES) == number.into());
    let slow = (0..SCANNERS).flat_map(|scanner| share(ELEMENTS).map(move |e| (scanner, e)));
    let decoys = (0..DECOYS).flat_map(|d| share(DECOY_ELEMENTS).map(move |e| (SCANNERS + d, e)));
    let mut wanted: Vec<(u64, u64)> = slow.chain(decoys).collect();
    // Spread over the pane, by the hash of what they are.
    wanted.sort_by_key(|&(key, element)| KEY.hash_pair(key.into(), element));
    let every = FLOOD_PER_PANE as usize / wanted.len();
    let mut wanted = wanted.into_iter();
    for spoofed in 0..FLOOD_PER_PANE {
        let key = (1 << 40) + u64::from(number) * FLOOD_PER_PANE + spoofed;
        updates.push(update(key, 1, pane));
        if (spoofed as usize).is_multiple_of(every)
            && let Some((key, element)) = wanted.next()
        {
            updates.push(update(key, element, pane));
        }
    }
    updates.extend(wanted.map(|(key, element)| update(key, element, pane)));
    updates
}

#[test]
fn a_flood_of_three_million_keys_hides_no_scanner_accuses_no_decoy_and_stays_in_4_mib() {
    let bytes_max = 4 << 20;
    let mut table = DistinctTable::new(bytes_max, PANES, 1).unwrap();
    let mut found = std::collections::BTreeSet::new();
    let mut changed = Vec::new();
    for updates in (0..PANES).map(pane) {
        changed.clear();
        table.update_batch(&updates, THRESHOLD, &mut changed);
        for &index in &changed {
            let count = table.count(updates[index].key, PANES).map_or(0.0, |count| count.distinct);
            if count >= f64::from(THRESHOLD) {
                found.insert(updates[index].key);
            }
        }
        assert!(table.memory_bytes() <= bytes_max);
    }
    let is_found = |key: u64| found.contains(&KEY.hash_u64(key));
    let missed = (0..SCANNERS).filter(|&scanner| !is_found(scanner)).count();
    let accused = (SCANNERS..SCANNERS + DECOYS).filter(|&decoy| is_found(decoy)).count();
    assert_eq!((missed, accused, found.len()), (0, 0, SCANNERS as usize));
    let counters = table.counters();
    assert!(counters.evicted > 2_000_000, "evictions are told: {counters:?}");
    assert!(counters.evicted_elements_max < THRESHOLD, "{counters:?}");
}
