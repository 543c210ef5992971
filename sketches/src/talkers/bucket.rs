//! One bucket of eight ways: a small `SpaceSaving` summary of the keys that hash here.
//!
//! `floor` is an upper bound on the weight of any key that the bucket does not hold: 0 until a key
//! is evicted, then the largest weight evicted. A new key enters with the floor as its error. For a
//! bucket that has seen the weight n, the invariant
//! `sum(weight - floor) + 8 * floor <= n` holds after every update and merge, so no error exceeds
//! n / 8 (Agarwal et al. 2012, section 3, which merges the same way).

use std::num::NonZeroU64;

use super::Talker;

/// Ways of a bucket: with 32-byte slots, four cache lines.
pub(super) const WAYS: usize = 8;

/// A held key. The weight is never 0, which leaves room for `None` without a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<K> {
    key: K,
    weight: NonZeroU64,
    error: u64,
}

/// Up to eight keys and the bound for all others. Held keys come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket<K> {
    slots: [Option<Slot<K>>; WAYS],
    floor: u64,
}

impl<K: Copy + Ord> Bucket<K> {
    pub(super) const EMPTY: Self = Self { slots: [None; WAYS], floor: 0 };

    /// Adds `weight` to `key`, in the place of the lightest key if there is no room.
    pub(super) fn add(&mut self, key: K, weight: NonZeroU64) {
        for slot in &mut self.slots {
            match slot {
                Some(held) if held.key == key => {
                    held.weight = held.weight.saturating_add(weight.get());
                    return;
                }
                Some(_) => {}
                None => {
                    let weight = weight.saturating_add(self.floor);
                    *slot = Some(Slot { key, weight, error: self.floor });
                    return;
                }
            }
        }
        self.replace_lightest(key, weight);
    }

    /// Adds another bucket's keys; `floor` bounds every key that is not among them.
    pub(super) fn merge(&mut self, theirs: &[Slot<K>], floor: u64) {
        let mut all: Vec<Slot<K>> = Vec::with_capacity(WAYS + theirs.len());
        for ours in self.slots.iter().flatten() {
            let other = theirs.iter().find(|slot| slot.key == ours.key);
            let (weight, error) =
                other.map_or((floor, floor), |slot| (slot.weight.get(), slot.error));
            all.push(ours.plus(weight, error));
        }
        for slot in theirs {
            if !self.slots.iter().flatten().any(|ours| ours.key == slot.key) {
                all.push(slot.plus(self.floor, self.floor));
            }
        }
        // Heaviest first; the key breaks ties, so that merging commutes.
        all.sort_unstable_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.key.cmp(&b.key)));
        self.floor = self.floor.saturating_add(floor);
        if let Some(dropped) = all.get(WAYS) {
            self.floor = self.floor.max(dropped.weight.get());
        }
        self.slots = [None; WAYS];
        for (slot, held) in self.slots.iter_mut().zip(all) {
            *slot = Some(held);
        }
    }

    /// An empty bucket with a floor, to be filled by [`Self::restore`].
    pub(super) const fn with_floor(floor: u64) -> Self {
        Self { slots: [None; WAYS], floor }
    }

    /// Puts a key back behind those that are held, as it was; `None` if no bucket could hold it like that.
    pub(super) fn restore(&mut self, talker: Talker<K>) -> Option<()> {
        let Talker { key, weight, error } = talker;
        let weight = NonZeroU64::new(weight)?;
        // An error is a floor of the past, and floors only rise; only saturation leaves nothing that is certain.
        let possible = error <= self.floor && (error < weight.get() || weight == NonZeroU64::MAX);
        let absent = self.slots().all(|held| held.key != key);
        let place = self.slots.iter_mut().find(|slot| slot.is_none())?;
        (possible && absent).then(|| *place = Some(Slot { key, weight, error }))
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot<K>> + '_ {
        self.slots.iter().copied().flatten()
    }

    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    fn replace_lightest(&mut self, key: K, weight: NonZeroU64) {
        let by_weight = |slot: &&mut Option<Slot<K>>| slot.as_ref().map(|held| held.weight);
        if let Some(lightest) = self.slots.iter_mut().min_by_key(by_weight) {
            let evicted = lightest.map_or(0, |held| held.weight.get());
            // Every held weight is at least the floor, so this never lowers it.
            self.floor = self.floor.max(evicted);
            let weight = weight.saturating_add(self.floor);
            *lightest = Some(Slot { key, weight, error: self.floor });
        }
    }
}

impl<K: Copy> Slot<K> {
    pub(super) const fn key(&self) -> K {
        self.key
    }

    pub(super) const fn talker(&self) -> Talker<K> {
        Talker { key: self.key, weight: self.weight.get(), error: self.error }
    }

    const fn plus(self, weight: u64, error: u64) -> Self {
        let weight = self.weight.saturating_add(weight);
        Self { weight, error: self.error.saturating_add(error), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Stream = Vec<(u8, u64)>;

    fn filled(stream: &[(u8, u64)]) -> Bucket<u8> {
        let mut bucket = Bucket::EMPTY;
        stream.iter().for_each(|&(key, weight)| bucket.add(key, NonZeroU64::new(weight).unwrap()));
        bucket
    }

    fn merged(mut ours: Bucket<u8>, theirs: &Bucket<u8>) -> Bucket<u8> {
        ours.merge(&theirs.slots().collect::<Vec<_>>(), theirs.floor);
        ours
    }

    /// The bounds of held and absent keys, and the invariant of the module header.
    fn check(bucket: &Bucket<u8>, stream: &[(u8, u64)]) -> Result<(), TestCaseError> {
        let mut truth = BTreeMap::<u8, u64>::new();
        stream.iter().for_each(|&(key, weight)| *truth.entry(key).or_default() += weight);
        let held: BTreeMap<u8, Slot<u8>> = bucket.slots().map(|slot| (slot.key, slot)).collect();
        for (key, &weight) in &truth {
            match held.get(key) {
                None => prop_assert!(weight <= bucket.floor),
                Some(slot) => {
                    let upper = slot.weight.get();
                    prop_assert!(weight <= upper && upper - slot.error <= weight);
                    prop_assert!(upper >= bucket.floor);
                }
            }
        }
        let above: u64 = held.values().map(|slot| slot.weight.get() - bucket.floor).sum();
        let total: u64 = truth.values().sum();
        prop_assert!(above + 8 * bucket.floor <= total);
        prop_assert!(held.values().all(|slot| 8 * slot.error <= total));
        Ok(())
    }

    fn streams() -> impl Strategy<Value = [Stream; 3]> {
        prop::array::uniform3(prop::collection::vec((0..24_u8, 1..500_u64), 0..80))
    }

    proptest! {
        #[test]
        fn bounds_and_invariant_survive_updates_and_any_tree_of_merges(streams in streams()) {
            let [a, b, c] = streams.each_ref().map(|stream| filled(stream));
            check(&a, &streams[0])?;
            let whole = streams.concat();
            for mut bucket in [merged(merged(a, &b), &c), merged(a, &merged(b, &c))] {
                check(&bucket, &whole)?;
                streams[0].iter().for_each(|&(k, w)| bucket.add(k, NonZeroU64::new(w).unwrap()));
                check(&bucket, &[whole.clone(), streams[0].clone()].concat())?;
            }
        }

        #[test]
        fn merging_commutes(streams in streams()) {
            let [a, b, _] = streams.each_ref().map(|stream| filled(stream));
            prop_assert_eq!(merged(a, &b), merged(b, &a));
        }
    }

    #[test]
    fn a_slot_of_an_address_takes_32_bytes() {
        assert_eq!(size_of::<Option<Slot<u128>>>(), 32);
    }
}
