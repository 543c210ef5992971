//! Top talkers: which keys weigh most, in fixed memory, with an error for each.
//!
//! `SpaceSaving` (Metwally, Agrawal & El Abbadi 2005, "Efficient computation of frequent and top-k
//! elements in data streams") in set-associative form: the key's hash chooses a bucket of eight, and
//! a new key takes the place of the lightest of those eight, so an update touches one bucket and
//! never searches for a global minimum. Merging follows Agarwal et al. 2012, "Mergeable summaries".
//!
//! Each weight is an upper bound and each weight less its error a lower bound, always; the error of
//! a key is at most an eighth of the weight that its bucket has seen. Merging commutes; it
//! associates only in what it guarantees, since each step drops the lightest keys.

mod bucket;
mod encode;

use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU64;

use crate::hash::KeyedState;
use bucket::{Bucket, Slot, WAYS};

/// The heaviest keys of a weighted stream.
///
/// Memory is allocated once: `capacity`, rounded up to whole buckets of eight, times the size of a
/// key and two `u64`s, and a `u64` per bucket.
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
    buckets: Vec<Bucket<K>>,
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

impl<K: Copy + Eq + Hash + Ord> Talkers<K> {
    /// An empty summary of at least `capacity` keys, rounded up to whole buckets of eight.
    ///
    /// A key that weighs several times `total / capacity` is held; for the k heaviest keys of a Zipf
    /// stream, that takes a capacity of some 32 k.
    #[must_use]
    pub fn new(capacity: usize, state: KeyedState) -> Self {
        let buckets = capacity.div_ceil(WAYS).max(1);
        Self { buckets: vec![Bucket::EMPTY; buckets], state, total: 0 }
    }

    /// Adds `weight` to `key`. A weight of 0 changes nothing.
    pub fn add(&mut self, key: K, weight: u64) {
        let Some(weight) = NonZeroU64::new(weight) else { return };
        self.total = self.total.saturating_add(weight.get());
        let bucket = self.bucket_of(&key);
        self.buckets[bucket].add(key, weight);
    }

    /// The `n` keys of the highest upper bounds, heaviest first; ties by key.
    #[must_use]
    pub fn top(&self, n: usize) -> Vec<Talker<K>> {
        let slots = self.buckets.iter().flat_map(Bucket::slots);
        let mut talkers: Vec<Talker<K>> = slots.map(|slot| slot.talker()).collect();
        talkers.sort_unstable_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.key.cmp(&b.key)));
        talkers.truncate(n);
        talkers
    }

    /// Adds everything that `other` has seen; the bounds hold for both streams together.
    ///
    /// Both should have the same capacity and hash state. If not, the bounds hold but are wider.
    pub fn merge(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        if self.state == other.state && self.buckets.len() == other.buckets.len() {
            for (ours, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
                let slots: Vec<Slot<K>> = theirs.slots().collect();
                ours.merge(&slots, theirs.floor());
            }
            return;
        }
        let floor = other.buckets.iter().map(Bucket::floor).max().unwrap_or(0);
        let mut regrouped = vec![Vec::new(); self.buckets.len()];
        for slot in other.buckets.iter().flat_map(Bucket::slots) {
            regrouped[self.bucket_of(&slot.key())].push(slot);
        }
        for (ours, theirs) in self.buckets.iter_mut().zip(&regrouped) {
            ours.merge(theirs, floor);
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
        size_of::<Self>() + self.buckets.capacity() * size_of::<Bucket<K>>()
    }

    /// Multiply-shift: the high bits of hash times count, so that the count need not be a power of 2.
    fn bucket_of(&self, key: &K) -> usize {
        let hash = u128::from(self.state.hash_one(key));
        usize::try_from((hash * self.buckets.len() as u128) >> 64).unwrap_or(0)
    }
}
