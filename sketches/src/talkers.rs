//! Top talkers: which keys weigh most, in fixed memory, with an error for each.
//!
//! `SpaceSaving` (Metwally, Agrawal & El Abbadi 2005, "Efficient computation of frequent and top-k
//! elements in data streams") in set-associative form: the key's hash chooses a bucket of seven, and
//! a new key takes the place of the lightest of those seven, so an update touches one bucket and
//! never searches for a global minimum. Merging follows Agarwal et al. 2012, "Mergeable summaries".
//!
//! Each weight is an upper bound and each weight less its error a lower bound, always; the error of
//! a key is at most a seventh of the weight that its bucket has seen. Merging commutes; it
//! associates only in what it guarantees, since each step drops the lightest keys.

mod buckets;
mod encode;
mod tags;

use std::hash::{BuildHasher, Hash};

use crate::hash::KeyedState;
use buckets::{Buckets, Slot, WAYS};
use tags::tag;

/// The heaviest keys of a weighted stream.
///
/// Memory is allocated once: `capacity` rounded up to whole buckets of seven, a bucket of 8-byte keys
/// being 184 bytes and one of 16-byte keys 248, so 27 and 36 bytes per key. In 1 MiB, of a million
/// weights of a million keys under Zipf 1, at least 998 of the thousand heaviest keys stand among the
/// first thousand, and their weights are on average less than 0.02 % too high
/// (`cargo test -p sketches --test talkers_bounds`). An update costs a hash of the key and mostly two
/// cache lines, an update with the hash at hand half of that
/// (`cargo bench -p flowscout-benches --bench weights`).
///
/// ```
/// use sketches::hash::{HashKey, KeyedState};
/// use sketches::talkers::Talkers;
///
/// let mut talkers = Talkers::new(1_000, KeyedState::new(HashKey::new(1, 2)));
/// talkers.add("backup", 9_000);
/// talkers.add("web", 400);
/// talkers.add("backup", 1_000);
///
/// let top = talkers.top(1);
/// assert_eq!((top[0].key, top[0].weight, top[0].error), ("backup", 10_000, 0));
/// assert_eq!(talkers.total(), 10_400);
/// ```
#[derive(Clone, Debug)]
pub struct Talkers<K> {
    buckets: Buckets<K>,
    state: KeyedState,
    total: u64,
}

/// A heavy key: `weight - error <= true weight <= weight`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talker<K> {
    /// The key.
    pub key: K,
    /// Upper bound of its weight.
    pub weight: u64,
    /// How much of `weight` may belong to other keys.
    pub error: u64,
}

/// Updates whose hashes and buckets are looked up before the first of them is made: their cache
/// misses overlap, and the lines of all of them still fit in the first-level cache.
const BATCH: usize = 64;

impl<K: Copy + Default + Eq + Hash + Ord> Talkers<K> {
    /// An empty summary of at least `capacity` keys, rounded up to whole buckets of seven.
    ///
    /// A key that weighs several times `total / capacity` is held; for the k heaviest keys of a Zipf
    /// stream, that takes a capacity of some 32 k.
    ///
    /// # Panics
    /// The capacity is more than can be allocated: it is a choice of whoever configures, never of the data.
    #[must_use]
    pub fn new(capacity: usize, state: KeyedState) -> Self {
        Self { buckets: Buckets::new(capacity.div_ceil(WAYS).max(1)), state, total: 0 }
    }

    /// Adds `weight` to `key`. A weight of 0 changes nothing.
    #[inline]
    pub fn add(&mut self, key: K, weight: u64) {
        self.add_hashed(self.state.hash_one(key), key, weight);
    }

    /// Adds `weight` to `key`, whose hash the caller has already: `hash_one` of the key under the
    /// hash state that [`Talkers::new`] was given. Under another hash the bounds do not hold.
    #[inline]
    pub fn add_hashed(&mut self, hash: u64, key: K, weight: u64) {
        debug_assert_eq!(hash, self.state.hash_one(key), "not the hash of the key");
        if weight > 0 {
            self.total = self.total.saturating_add(weight);
            self.buckets.add(self.bucket_of(hash), tag(hash), key, weight);
        }
    }

    /// Adds many keys with their weights; the same as one [`Talkers::add`] after another, but faster.
    pub fn add_batch(&mut self, updates: &[(K, u64)]) {
        let mut hashes = [0; BATCH];
        for updates in updates.chunks(BATCH) {
            for (hash, &(key, _)) in hashes.iter_mut().zip(updates) {
                *hash = self.state.hash_one(key);
            }
            let touched = hashes[..updates.len()].iter().map(|&hash| self.bucket_of(hash));
            let touched = touched.fold(0, |all, bucket| all ^ self.buckets.touch(bucket));
            // Without a use of what was read, the reads would be left out.
            std::hint::black_box(touched);
            for (&hash, &(key, weight)) in hashes.iter().zip(updates) {
                self.add_hashed(hash, key, weight);
            }
        }
    }

    /// The `n` keys of the highest upper bounds, heaviest first; ties by key.
    #[must_use]
    pub fn top(&self, n: usize) -> Vec<Talker<K>> {
        let slots = (0..self.buckets.count()).flat_map(|bucket| self.buckets.slots(bucket));
        let mut talkers: Vec<Talker<K>> =
            slots.map(|Slot { key, weight, error, .. }| Talker { key, weight, error }).collect();
        talkers.sort_unstable_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.key.cmp(&b.key)));
        talkers.truncate(n);
        talkers
    }

    /// Adds everything that `other` has seen; the bounds hold for both streams together.
    ///
    /// Both should have the same capacity and hash state. If not, the bounds hold but are wider.
    pub fn merge(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        let (ours, theirs) = (self.buckets.count(), other.buckets.count());
        let (mut slots, mut all) = (Vec::new(), Vec::new());
        if self.state == other.state && ours == theirs {
            for bucket in 0..ours {
                slots.clear();
                slots.extend(other.buckets.slots(bucket));
                self.buckets.merge(bucket, &slots, other.buckets.floor(bucket), &mut all);
            }
            return;
        }
        let floor = (0..theirs).map(|bucket| other.buckets.floor(bucket)).max().unwrap_or(0);
        let mut regrouped = vec![Vec::new(); ours];
        for slot in (0..theirs).flat_map(|bucket| other.buckets.slots(bucket)) {
            let hash = self.state.hash_one(slot.key);
            regrouped[self.bucket_of(hash)].push(Slot { tag: tag(hash), ..slot });
        }
        for (bucket, slots) in regrouped.iter().enumerate() {
            self.buckets.merge(bucket, slots, floor, &mut all);
        }
    }

    /// The sum of all weights.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes held, inline and on the heap.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.buckets.heap_bytes()
    }

    /// Multiply-shift: the high bits of hash times count, so that the count need not be a power of 2.
    #[inline]
    fn bucket_of(&self, hash: u64) -> usize {
        let product = u128::from(hash) * self.buckets.count() as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }
}
