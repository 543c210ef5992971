//! Buckets of seven ways, each a small `SpaceSaving` summary of the keys that hash there.
//!
//! `floor` is an upper bound on the weight of any key that a bucket does not hold: 0 until a key is
//! evicted, then the largest weight evicted. A new key enters with the floor as its error. For a
//! bucket that has seen the weight n, the invariant
//! `sum(weight - floor) + 7 * floor <= n` holds after every update and merge, so no error exceeds
//! n / 7 (Agarwal et al. 2012, section 3, which merges the same way).
//!
//! Most updates find their key, and touch two cache lines: tags with weights, and keys. Seven ways of
//! 8-byte keys fill both of them. Errors, which only a new key writes, lie apart.

use super::tags::Tags;

/// Ways of a bucket: their weights and tags are one cache line.
pub(super) const WAYS: usize = 7;

/// What every update of a bucket reads. A way without a key has the tag 0 and the weight 0, so that
/// it is the lightest; a held weight is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Head {
    tags: Tags,
    weights: [u64; WAYS],
}

/// The keys of a bucket, and the bound for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Keys<K> {
    keys: [K; WAYS],
    floor: u64,
}

/// All buckets; the three vectors are of one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Buckets<K> {
    heads: Vec<Head>,
    keys: Vec<Keys<K>>,
    errors: Vec<[u64; WAYS]>,
}

/// A held key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<K> {
    pub(super) tag: u8,
    pub(super) key: K,
    pub(super) weight: u64,
    pub(super) error: u64,
}

impl<K: Copy + Default + Ord> Buckets<K> {
    pub(super) fn new(count: usize) -> Self {
        let head = Head { tags: Tags::default(), weights: [0; WAYS] };
        let keys = Keys { keys: [K::default(); WAYS], floor: 0 };
        let errors = vec![[0; WAYS]; count];
        Self { heads: vec![head; count], keys: vec![keys; count], errors }
    }

    pub(super) const fn count(&self) -> usize {
        self.heads.len()
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.heads.capacity() * size_of::<Head>()
            + self.keys.capacity() * size_of::<Keys<K>>()
            + self.errors.capacity() * size_of::<[u64; WAYS]>()
    }

    /// Adds `weight`, not 0, to a key, in the place of the lightest one if there is no room.
    #[inline]
    pub(super) fn add(&mut self, bucket: usize, tag: u8, key: K, weight: u64) {
        let (head, keys) = (&mut self.heads[bucket], &mut self.keys[bucket]);
        for way in head.tags.matches(tag) {
            // The eighth tag stays 0, which is no key's.
            if way < WAYS && keys.keys[way] == key {
                head.weights[way] = head.weights[way].saturating_add(weight);
                return;
            }
        }
        let (way, evicted) = lightest(&head.weights);
        // Every held weight is at least the floor, so only an empty way leaves it as it is.
        keys.floor = keys.floor.max(evicted);
        keys.keys[way] = key;
        head.tags.set(way, tag);
        head.weights[way] = keys.floor.saturating_add(weight);
        self.errors[bucket][way] = keys.floor;
    }

    /// Reads both lines of a bucket, so that they are on their way before they are needed.
    #[inline]
    pub(super) fn touch(&self, bucket: usize) -> u64 {
        self.heads[bucket].weights[0] ^ self.keys[bucket].floor
    }

    /// The held keys of a bucket.
    pub(super) fn slots(&self, bucket: usize) -> impl Iterator<Item = Slot<K>> + '_ {
        let (head, keys) = (&self.heads[bucket], &self.keys[bucket]);
        let errors = &self.errors[bucket];
        (0..WAYS).filter(|&way| head.tags.get(way) != 0).map(|way| Slot {
            tag: head.tags.get(way),
            key: keys.keys[way],
            weight: head.weights[way],
            error: errors[way],
        })
    }

    pub(super) fn floor(&self, bucket: usize) -> u64 {
        self.keys[bucket].floor
    }

    /// Bytes of one bucket.
    pub(super) const BUCKET_BYTES: usize =
        size_of::<Head>() + size_of::<Keys<K>>() + size_of::<[u64; WAYS]>();

    /// Sets the floor of an empty bucket, to be filled by [`Self::restore`].
    pub(super) fn set_floor(&mut self, bucket: usize, floor: u64) {
        self.keys[bucket].floor = floor;
    }

    /// Puts a key back behind those that are held, as it was; `None` if no bucket could hold it like that.
    pub(super) fn restore(&mut self, bucket: usize, slot: Slot<K>) -> Option<()> {
        let Slot { tag, key, weight, error } = slot;
        // An error is a floor of the past, and floors only rise; only saturation leaves nothing that is certain.
        let is_certain = error < weight || weight == u64::MAX;
        let is_possible = error <= self.floor(bucket) && is_certain;
        let is_absent = self.slots(bucket).all(|held| held.key != key);
        let way = (0..WAYS).find(|&way| self.heads[bucket].tags.get(way) == 0)?;
        (is_possible && is_absent).then(|| {
            self.heads[bucket].tags.set(way, tag);
            self.heads[bucket].weights[way] = weight;
            self.keys[bucket].keys[way] = key;
            self.errors[bucket][way] = error;
        })
    }

    /// Adds the keys of another bucket; `floor` bounds every key that is not among them. `all` is
    /// room to work in, which the merges of many buckets share.
    pub(super) fn merge(
        &mut self,
        bucket: usize,
        theirs: &[Slot<K>],
        floor: u64,
        all: &mut Vec<Slot<K>>,
    ) {
        let our_floor = self.floor(bucket);
        all.clear();
        all.extend(self.slots(bucket));
        let held = all.len();
        for &slot in theirs {
            match all[..held].iter().position(|ours| ours.key == slot.key) {
                Some(place) => all[place] = all[place].plus(slot.weight, slot.error),
                None => all.push(slot.plus(our_floor, our_floor)),
            }
        }
        for slot in &mut all[..held] {
            if !theirs.iter().any(|other| other.key == slot.key) {
                *slot = slot.plus(floor, floor);
            }
        }
        // Heaviest first; the key breaks ties, so that merging commutes.
        all.sort_unstable_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.key.cmp(&b.key)));
        let dropped = all.get(WAYS).map_or(0, |slot| slot.weight);
        all.truncate(WAYS);
        self.fill(bucket, all, our_floor.saturating_add(floor).max(dropped));
    }

    /// Replaces what a bucket holds by at most seven slots.
    fn fill(&mut self, bucket: usize, slots: &[Slot<K>], floor: u64) {
        let mut head = Head { tags: Tags::default(), weights: [0; WAYS] };
        let mut keys = Keys { keys: [K::default(); WAYS], floor };
        let mut errors = [0; WAYS];
        for (way, slot) in slots.iter().enumerate() {
            head.tags.set(way, slot.tag);
            head.weights[way] = slot.weight;
            keys.keys[way] = slot.key;
            errors[way] = slot.error;
        }
        (self.heads[bucket], self.keys[bucket], self.errors[bucket]) = (head, keys, errors);
    }
}

/// The first way of the least weight, and that weight: a tournament, whose rounds are shorter than a
/// chain of six comparisons that wait for each other.
#[inline]
fn lightest(weights: &[u64; WAYS]) -> (usize, u64) {
    let lighter = |a: (usize, u64), b: (usize, u64)| if b.1 < a.1 { b } else { a };
    let at = |way: usize| (way, weights[way]);
    let (first, second) = (lighter(at(0), at(1)), lighter(at(2), at(3)));
    let (third, fourth) = (lighter(at(4), at(5)), at(6));
    lighter(lighter(first, second), lighter(third, fourth))
}

impl<K: Copy> Slot<K> {
    fn plus(self, weight: u64, error: u64) -> Self {
        let (weight, error) =
            (self.weight.saturating_add(weight), self.error.saturating_add(error));
        Self { weight, error, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Stream = Vec<(u8, u64)>;

    /// Few tags for many keys, so that most matches of a tag are of another key.
    fn tag(key: u8) -> u8 {
        1 + key % 3
    }

    fn add(bucket: &mut Buckets<u8>, stream: &[(u8, u64)]) {
        stream.iter().for_each(|&(key, weight)| bucket.add(0, tag(key), key, weight));
    }

    fn filled(stream: &[(u8, u64)]) -> Buckets<u8> {
        let mut bucket = Buckets::new(1);
        add(&mut bucket, stream);
        bucket
    }

    fn merged(ours: &Buckets<u8>, theirs: &Buckets<u8>) -> Buckets<u8> {
        let mut result = ours.clone();
        let slots: Vec<Slot<u8>> = theirs.slots(0).collect();
        result.merge(0, &slots, theirs.floor(0), &mut Vec::new());
        result
    }

    /// `SpaceSaving` as it is written in the paper, with the floor: find the key, or the lightest.
    fn oracle(stream: &[(u8, u64)]) -> BTreeMap<u8, (u64, u64)> {
        let (mut held, mut floor) = (Vec::<(u8, u64, u64)>::new(), 0);
        for &(key, weight) in stream {
            if let Some(slot) = held.iter_mut().find(|slot| slot.0 == key) {
                slot.1 += weight;
            } else if held.len() < WAYS {
                held.push((key, floor + weight, floor));
            } else {
                let slot = held.iter_mut().min_by_key(|slot| slot.1).unwrap();
                floor = slot.1;
                *slot = (key, floor + weight, floor);
            }
        }
        held.into_iter().map(|(key, weight, error)| (key, (weight, error))).collect()
    }

    /// The bounds of held and absent keys, and the invariant of the module header.
    fn check(bucket: &Buckets<u8>, stream: &[(u8, u64)]) -> Result<(), TestCaseError> {
        let mut truth = BTreeMap::<u8, u64>::new();
        stream.iter().for_each(|&(key, weight)| *truth.entry(key).or_default() += weight);
        let held: BTreeMap<u8, Slot<u8>> = bucket.slots(0).map(|slot| (slot.key, slot)).collect();
        prop_assert_eq!(held.len(), bucket.slots(0).count(), "a key is held once");
        let floor = bucket.floor(0);
        for (key, &weight) in &truth {
            match held.get(key) {
                None => prop_assert!(weight <= floor),
                Some(slot) => {
                    let lower = slot.weight - slot.error;
                    prop_assert!(weight <= slot.weight && lower <= weight);
                    prop_assert!(slot.weight >= floor);
                }
            }
        }
        let above: u64 = held.values().map(|slot| slot.weight - floor).sum();
        let total: u64 = truth.values().sum();
        prop_assert!(above + 7 * floor <= total);
        prop_assert!(held.values().all(|slot| 7 * slot.error <= total));
        Ok(())
    }

    fn streams() -> impl Strategy<Value = [Stream; 3]> {
        prop::array::uniform3(prop::collection::vec((0..24_u8, 1..500_u64), 0..80))
    }

    proptest! {
        #[test]
        fn updates_give_what_space_saving_gives(streams in streams()) {
            let stream = streams.concat();
            let held: BTreeMap<u8, (u64, u64)> =
                filled(&stream).slots(0).map(|slot| (slot.key, (slot.weight, slot.error))).collect();
            prop_assert_eq!(held, oracle(&stream));
        }

        #[test]
        fn bounds_and_invariant_survive_updates_and_any_tree_of_merges(streams in streams()) {
            let [a, b, c] = streams.each_ref().map(|stream| filled(stream));
            check(&a, &streams[0])?;
            let whole = streams.concat();
            for mut bucket in [merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c))] {
                check(&bucket, &whole)?;
                add(&mut bucket, &streams[0]);
                check(&bucket, &[whole.clone(), streams[0].clone()].concat())?;
            }
        }

        #[test]
        fn merging_commutes(streams in streams()) {
            let [a, b, _] = streams.each_ref().map(|stream| filled(stream));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        }
    }

    #[test]
    fn weights_and_keys_of_eight_bytes_fill_a_cache_line_each() {
        assert_eq!((size_of::<Head>(), size_of::<Keys<u64>>()), (64, 64));
        assert_eq!(size_of::<Keys<u128>>(), 128);
    }

    #[test]
    fn weights_saturate() {
        let mut bucket = filled(&[(1, u64::MAX - 1)]);
        add(&mut bucket, &[(1, 5)]);
        assert_eq!(bucket.slots(0).next().unwrap().weight, u64::MAX);
        let merged = merged(&bucket, &bucket);
        assert_eq!(merged.slots(0).next().unwrap().weight, u64::MAX);
    }
}
