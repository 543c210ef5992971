//! Seeded draws, in integers only: `ln` and `pow` differ between platforms, and the same seed must
//! give the same bytes.
//!
//! Each part of the traffic draws from a stream of its own, so that adding an attack leaves the
//! ordinary traffic as it was.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One stream of draws.
#[derive(Debug)]
pub(crate) struct Draws {
    random: ChaCha8Rng,
}

/// Zipf-distributed ranks: rank `i` weighs `1 / (i + 1)`.
#[derive(Debug)]
pub(crate) struct Zipf {
    cumulative: Vec<u32>,
}

/// Scatters a number over 64 bits (the finaliser of SplitMix64).
pub(crate) fn mix(value: u64) -> u64 {
    let mut state = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// The length of a list as a number of draws; our lists are far below the limit.
pub(crate) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Draws {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self { random }
    }

    /// A number in `0..limit`; 0 if the limit is 0.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        high_half(u64::from(self.random.next_u32()) * u64::from(limit))
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    pub(crate) fn port_between(&mut self, low: u16, high: u16) -> u16 {
        let port = self.between(u32::from(low), u32::from(high));
        u16::try_from(port).unwrap_or(high)
    }

    pub(crate) fn chance(&mut self, permille: u32) -> bool {
        self.below(1_000) < permille
    }

    /// A long-tailed size: at least `low`, half of the draws below `2 * low`, at most `low <<
    /// (doublings + 1)`.
    pub(crate) fn heavy(&mut self, low: u32, doublings: u32) -> u64 {
        let doubled = self.random.next_u32().trailing_zeros().min(doublings);
        (u64::from(low) + u64::from(self.below(low))) << doubled
    }

    /// A number in `0..limit` that prefers small ones: the density falls with the square root.
    pub(crate) fn skewed(&mut self, limit: u32) -> u32 {
        let draw = self.random.next_u32();
        let squared = high_half(u64::from(draw) * u64::from(draw));
        high_half(u64::from(squared) * u64::from(limit))
    }

    /// One of the items, `T::default()` for an empty list.
    pub(crate) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let index = self.below(count(items.len())) as usize;
        items.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(count(last + 1)) as usize;
            items.swap(last, other);
        }
    }
}

impl Zipf {
    pub(crate) fn new(ranks: usize) -> Self {
        let mut sum = 0;
        let cumulative = (1..=count(ranks)).map(|rank| {
            sum += (1 << 20) / rank;
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    /// A rank, 0 being the most frequent.
    pub(crate) fn draw(&self, draws: &mut Draws) -> usize {
        let point = draws.below(self.cumulative.last().copied().unwrap_or(0));
        self.cumulative.partition_point(|sum| *sum <= point)
    }
}

fn high_half(product: u64) -> u32 {
    u32::try_from(product >> 32).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |stream| Draws::new(1, stream).below(u32::MAX);
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn bounds_hold_for_every_draw() {
        let mut draws = Draws::new(9, 0);
        for _ in 0..10_000 {
            assert!((5..=9).contains(&draws.between(5, 9)));
            assert!((100..100 << 5).contains(&draws.heavy(100, 4)));
            assert!(draws.skewed(10) < 10);
        }
        assert_eq!(draws.below(0), 0);
        assert_eq!(draws.pick::<u32>(&[]), 0);
    }

    #[test]
    fn the_first_rank_of_a_zipf_table_is_the_most_frequent() {
        let zipf = Zipf::new(100);
        let mut draws = Draws::new(1, 0);
        let mut seen = vec![0_u32; 100];
        for _ in 0..50_000 {
            seen[zipf.draw(&mut draws)] += 1;
        }
        assert!(seen[0] > seen[1] && seen[1] > seen[10] && seen[10] > seen[99]);
        assert!(seen[99] > 0);
    }
}
