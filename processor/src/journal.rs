//! Where partials wait for the fold, in the order of their batches.
//!
//! The memory journal is for sources that can be read again: replay, demo, tests. It is durable by nothing, and its order is
//! what makes the fold deterministic although workers finish out of order.

mod applied;

pub use applied::{APPLIED_BYTES_MAX, Applied};

use std::collections::BTreeMap;

use crate::combine::Partial;

/// Partials by position: each position is handed out once, in order; positions that come again are dropped.
#[derive(Debug, Default)]
pub struct Memory<T = Partial> {
    next: u64,
    waiting: BTreeMap<u64, T>,
}

impl<T> Memory<T> {
    /// Nothing appended.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }

    /// Appends the entry at `position`, counted from 0; false if that position was appended before.
    pub fn append(&mut self, position: u64, entry: T) -> bool {
        if position < self.next || self.waiting.contains_key(&position) {
            return false;
        }
        self.waiting.insert(position, entry);
        true
    }

    /// The next entry, once it and all before it are there.
    pub fn take_next(&mut self) -> Option<T> {
        let entry = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(entry)
    }

    /// Entries that wait for an earlier one; bounded by the batches that the pipeline has under way.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_position_comes_out_once_and_in_order(
            arrivals in Just((0..20u64).collect::<Vec<_>>()).prop_shuffle(),
            repeated in prop::collection::vec(0..20u64, 0..10),
        ) {
            let mut journal = Memory::new();
            let mut taken = Vec::new();
            for position in arrivals.into_iter().chain(repeated) {
                journal.append(position, position);
                taken.extend(std::iter::from_fn(|| journal.take_next()));
            }
            prop_assert_eq!(taken, (0..20).collect::<Vec<_>>());
            prop_assert_eq!(journal.waiting(), 0);
        }
    }
}
