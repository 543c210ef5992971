//! A sum over a sliding window, in buckets of whole panes.

use sketches::pane::Pane;

/// Sums of the last [`SlidingSum::BUCKETS`] buckets, saturating.
///
/// A window of `BUCKETS` × `panes` panes is summed to within one bucket: the oldest bucket is dropped whole, so the sum
/// covers between `BUCKETS − 1` and `BUCKETS` bucket widths.
#[derive(Debug, Clone)]
pub struct SlidingSum {
    /// Bucket number and sum; a bucket lives at its number modulo the length.
    buckets: [(u32, u64); Self::BUCKETS],
}

impl SlidingSum {
    /// Buckets per window.
    pub const BUCKETS: usize = 12;

    /// Nothing summed.
    #[must_use]
    pub const fn new() -> Self {
        Self { buckets: [(0, 0); Self::BUCKETS] }
    }

    /// Adds `amount` at `pane`; late amounts go to their own bucket while it is still held, and are dropped after.
    pub const fn add(&mut self, pane: Pane, bucket_panes: u32, amount: u64) {
        let number = pane / bucket_panes;
        let bucket = &mut self.buckets[number as usize % Self::BUCKETS];
        if bucket.0 < number {
            *bucket = (number, 0);
        }
        if bucket.0 == number {
            bucket.1 = bucket.1.saturating_add(amount);
        }
    }

    /// The sum of the `buckets` newest buckets up to and with that of `pane`.
    #[must_use]
    pub fn sum(&self, pane: Pane, bucket_panes: u32, buckets: u32) -> u64 {
        let last = pane / bucket_panes;
        let held = |number: u32| number <= last && last - number < buckets;
        let sums = self.buckets.iter().filter(|(number, _)| held(*number));
        sums.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// The newest bucket that holds something, as its last pane.
    #[must_use]
    pub fn newest(&self, bucket_panes: u32) -> Pane {
        let number = self.buckets.iter().map(|(number, _)| *number).max().unwrap_or(0);
        number.saturating_mul(bucket_panes).saturating_add(bucket_panes - 1)
    }
}

impl Default for SlidingSum {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The oracle keeps every amount.
        #[test]
        fn equals_the_sum_over_all_amounts_whose_bucket_is_held(
            mut amounts in prop::collection::vec((0u32..600, 0u64..1000), 1..80),
            bucket_panes in 1u32..12,
            buckets in 1u32..=12,
        ) {
            amounts.sort_unstable();
            let mut sum = SlidingSum::new();
            for &(pane, amount) in &amounts {
                sum.add(pane, bucket_panes, amount);
                let last = pane / bucket_panes;
                let exact: u64 = amounts
                    .iter()
                    .take_while(|entry| **entry <= (pane, amount))
                    .filter(|(other, _)| last - other / bucket_panes < buckets)
                    .map(|(_, amount)| amount)
                    .sum();
                // Equal entries are added one by one, so only the last of a run must agree.
                let seen = sum.sum(pane, bucket_panes, buckets);
                prop_assert!(seen <= exact);
            }
            let (pane, _) = *amounts.last().unwrap();
            let last = pane / bucket_panes;
            let held = amounts.iter().filter(|(other, _)| last - other / bucket_panes < buckets);
            prop_assert_eq!(sum.sum(pane, bucket_panes, buckets), held.map(|(_, amount)| amount).sum::<u64>());
        }
    }

    #[test]
    fn late_amounts_count_while_their_bucket_is_held_and_never_in_another() {
        let mut sum = SlidingSum::new();
        sum.add(120, 10, 5);
        sum.add(60, 10, 7);
        assert_eq!(sum.sum(120, 10, 12), 12);
        sum.add(0, 10, 100);
        assert_eq!(sum.sum(120, 10, 12), 12, "bucket 0 was taken over by bucket 12");
    }
}
