//! A keyed table that never exceeds its memory budget, whatever keys arrive.
//!
//! What counts is what is allocated: the slots of the map, used or not, and the heap of the values. The map grows in steps
//! of a quarter instead of doubling, and not at all where the budget does not allow it.
//!
//! When the budget is reached, a few neighbouring entries are drawn by a keyed pseudo-random sequence and the one with the
//! lowest worth is evicted (sampled eviction, as Redis approximates its policies). Old entries are removed by a hand that goes
//! round a piece of the table per pane, so no single step scans all keys.

use indexmap::IndexMap;
use sketches::hash::{AsIs, HashKey};
use sketches::pane::Pane;

/// What a table needs to know of its values.
pub(super) trait Value {
    /// Heap bytes it holds now; its own size is counted by the table.
    fn heap_bytes(&self) -> usize;
    /// What would be lost with it; the lowest of a sample is evicted first.
    fn worth(&self) -> u64;
    /// Drops what is older than `oldest_kept`; false when nothing is left.
    fn expire(&mut self, oldest_kept: Pane) -> bool;
}

/// The keyed hash of a key, in place of the key: of a million keys, two are taken for one with a probability of 3 in 10^8.
pub(super) type KeyHash = u64;

/// Values by the keyed hash of their keys, within a budget of bytes.
#[derive(Debug)]
pub(super) struct Table<V> {
    entries: IndexMap<KeyHash, V, AsIs>,
    key: HashKey,
    heap_bytes: usize,
    bytes_max: usize,
    hand: usize,
    draws: u64,
    evictions: u64,
}

/// Entries looked at to find one to evict.
const SAMPLE: usize = 8;
/// The hand goes round the table in this many panes.
const SWEEP_PANES: usize = 20;
/// The map's hash and index per slot, beside key and value; its index table is at most half empty.
const OVERHEAD_BYTES: usize = 24;
/// The fewest slots that the map grows by.
const GROWTH_MIN: usize = 64;

impl<V: Value + Default> Table<V> {
    /// An empty table; `bytes_max` counts slots for keys and values, the map's own overhead, and the values' heap.
    #[must_use]
    pub(super) fn new(key: HashKey, bytes_max: usize) -> Self {
        let entries = IndexMap::default();
        Self { entries, key, heap_bytes: 0, bytes_max, hand: 0, draws: 0, evictions: 0 }
    }

    /// Changes the value of `key`, made new if it is not there, and keeps the budget.
    pub(super) fn update<R>(&mut self, key: KeyHash, change: impl FnOnce(&mut V) -> R) -> R {
        if self.entries.len() == self.entries.capacity() && !self.entries.contains_key(&key) {
            self.make_room(key);
        }
        let value = self.entries.entry(key).or_default();
        let result = changed(value, &mut self.heap_bytes, change);
        self.keep_budget(key);
        result
    }

    /// Where the value of `key` is, if anywhere, until the table changes: a search whose cache misses need not be waited for.
    #[must_use]
    pub(super) fn place(&self, key: KeyHash) -> Option<usize> {
        self.entries.get_index_of(&key)
    }

    /// As [`Self::update`], if the value is still where [`Self::place`] found it.
    pub(super) fn update_at<R>(
        &mut self,
        place: Option<usize>,
        key: KeyHash,
        change: impl FnOnce(&mut V) -> R,
    ) -> R {
        let entry = place.and_then(|place| self.entries.get_index_mut(place));
        let Some((_, value)) = entry.filter(|(held, _)| **held == key) else {
            return self.update(key, change);
        };
        let result = changed(value, &mut self.heap_bytes, change);
        self.keep_budget(key);
        result
    }

    fn keep_budget(&mut self, key: KeyHash) {
        while self.memory_bytes() > self.bytes_max && self.entries.len() > 1 {
            self.evict(key);
        }
    }

    /// The value of `key`.
    #[must_use]
    pub(super) fn get(&self, key: KeyHash) -> Option<&V> {
        self.entries.get(&key)
    }

    /// The value of `key`, for a change that neither grows nor shrinks it.
    pub(super) fn get_mut(&mut self, key: KeyHash) -> Option<&mut V> {
        self.entries.get_mut(&key)
    }

    /// Lets the hand pass over its share of the table, removing what is older than `oldest_kept`.
    pub(super) fn sweep(&mut self, oldest_kept: Pane) {
        let share = self.entries.len() / SWEEP_PANES + 1;
        for _ in 0..share {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            let Some((_, value)) = self.entries.get_index_mut(self.hand) else { return };
            let before = value.heap_bytes();
            let is_left = value.expire(oldest_kept);
            self.heap_bytes = self.heap_bytes + value.heap_bytes() - before;
            if is_left {
                self.hand += 1;
            } else {
                self.remove(self.hand);
            }
        }
    }

    /// Entries.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes allocated.
    #[must_use]
    pub(super) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * Self::SLOT_BYTES + self.heap_bytes
    }

    /// Whether a new key would put out another, or nearly so.
    #[must_use]
    pub(super) fn is_full(&self) -> bool {
        let has_no_slot = self.entries.len() == self.entries.capacity() && !self.can_grow();
        has_no_slot || self.memory_bytes() >= self.bytes_max - self.bytes_max / 32
    }

    /// Entries that were dropped to keep the budget.
    #[must_use]
    pub(super) const fn evictions(&self) -> u64 {
        self.evictions
    }

    const SLOT_BYTES: usize = size_of::<(KeyHash, V)>() + OVERHEAD_BYTES;

    /// Gets a slot for a new key: the map grows if the budget allows, else something is evicted.
    fn make_room(&mut self, key: KeyHash) {
        if self.can_grow() || self.entries.is_empty() {
            self.entries.reserve_exact(self.growth());
        } else {
            self.evict(key);
        }
    }

    fn growth(&self) -> usize {
        (self.entries.len() / 4).max(GROWTH_MIN)
    }

    fn can_grow(&self) -> bool {
        self.memory_bytes() + self.growth() * Self::SLOT_BYTES <= self.bytes_max
    }

    fn evict(&mut self, kept: KeyHash) {
        let length = self.entries.len();
        self.draws += 1;
        // Neighbours in memory, from a place that nobody can foretell: one cache miss instead of eight.
        let first = index(self.key.hash_u64(self.draws), length);
        let drawn = (first..first + SAMPLE).filter_map(|place| {
            let place = place % length;
            let (key, value) = self.entries.get_index(place)?;
            (*key != kept).then(|| (value.worth(), place))
        });
        if let Some((_, place)) = drawn.min() {
            self.remove(place);
            self.evictions += 1;
        }
    }

    fn remove(&mut self, place: usize) {
        if let Some((_, value)) = self.entries.swap_remove_index(place) {
            self.heap_bytes -= value.heap_bytes();
        }
    }
}

fn changed<V: Value, R>(
    value: &mut V,
    heap_bytes: &mut usize,
    change: impl FnOnce(&mut V) -> R,
) -> R {
    let before = value.heap_bytes();
    let result = change(value);
    *heap_bytes = *heap_bytes + value.heap_bytes() - before;
    result
}

#[expect(clippy::cast_possible_truncation, reason = "the high half of a product of two u64")]
fn index(hash: u64, length: usize) -> usize {
    ((u128::from(hash) * length as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counter {
        count: u64,
        newest: Pane,
        heap: Vec<u8>,
    }

    impl Value for Counter {
        fn heap_bytes(&self) -> usize {
            self.heap.capacity()
        }
        fn worth(&self) -> u64 {
            self.count
        }
        fn expire(&mut self, oldest_kept: Pane) -> bool {
            self.newest >= oldest_kept
        }
    }

    fn hash(key: u32) -> KeyHash {
        HashKey::new(3, 4).hash_u64(key.into())
    }

    fn recount(table: &Table<Counter>) -> usize {
        let slots = table.entries.capacity() * Table::<Counter>::SLOT_BYTES;
        slots + table.entries.values().map(Value::heap_bytes).sum::<usize>()
    }

    #[test]
    fn a_flood_of_keys_stays_within_the_budget_and_the_worthy_survive() {
        let mut table: Table<Counter> = Table::new(HashKey::new(1, 2), 64 * 1024);
        for key in 0..100_000u32 {
            table.update(hash(key), |value| value.heap.reserve((key % 5) as usize));
            let place = table.place(hash(u32::MAX));
            table.update_at(place, hash(u32::MAX), |value| value.count += 100);
            assert!(table.memory_bytes() <= 64 * 1024);
        }
        assert_eq!(table.memory_bytes(), recount(&table));
        assert_eq!(table.get(hash(u32::MAX)).unwrap().count, 10_000_000);
        assert_eq!(table.evictions() + table.len() as u64, 100_001);
    }

    #[test]
    fn the_hand_removes_all_that_is_old_in_one_round_and_accounts_for_it() {
        let mut table: Table<Counter> = Table::new(HashKey::new(1, 2), usize::MAX);
        for key in 0..1000u32 {
            table.update(hash(key), |value| value.newest = key % 2 * 100);
        }
        for _ in 0..SWEEP_PANES * 3 {
            table.sweep(50);
        }
        assert_eq!(table.len(), 500);
        assert_eq!(table.memory_bytes(), recount(&table));
        assert_eq!(table.evictions(), 0);
    }
}
