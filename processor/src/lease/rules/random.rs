//! Seeded draws: which lease, how long to wait. Nothing that an attacker gains by guessing.

/// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `bound`, and 0 if that is 0. The bias of the remainder does not matter for bounds far below 2^64.
    pub(super) const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        match mixed.checked_rem(bound) {
            Some(drawn) => drawn,
            None => 0,
        }
    }

    /// A delay after so many failures in a row: doubled each time up to `most_ms`, and drawn from the half of it to all, so
    /// that workers that failed together do not come again together.
    pub(super) fn backoff_ms(&mut self, failures: u32, least_ms: u64, most_ms: u64) -> u64 {
        let delay_ms =
            least_ms.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most_ms).max(1);
        delay_ms - self.below(delay_ms / 2 + 1)
    }

    /// Puts them into random order (Fisher-Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(chosen).unwrap_or(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_up() {
        let mut random = Random::new(1);
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let mut items = [0, 1, 2, 3];
            random.shuffle(&mut items);
            orders.insert(items);
        }
        assert_eq!(orders.len(), 24);
    }

    #[test]
    fn a_delay_doubles_up_to_the_most() {
        let mut random = Random::new(2);
        for (failures, most) in [(0, 10), (1, 10), (2, 20), (3, 40), (9, 100), (u32::MAX, 100)] {
            let delay = random.backoff_ms(failures, 10, 100);
            assert!((most / 2..=most).contains(&delay), "{failures}: {delay}");
        }
        assert_eq!(random.backoff_ms(1, 0, 0), 1);
    }
}
