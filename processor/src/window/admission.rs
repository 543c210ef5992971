//! Who is remembered while memory is full.
//!
//! A flood of spoofed sources would turn the whole state over: each brings three entities, and each of these puts out another.
//! So, while the entities fill their memory, a source that is not among them is first noted in a small table of distinct
//! counters, and let in when it is seen again: with another target or port, or in another pane. What it did the first time is
//! lost, one element of its counts; whoever is seen only once costs 32 bytes for a while.

use sketches::distinct::HORIZON_PANES;
use sketches::hash::HashKey;
use sketches::pane::Pane;
use sketches::table::{DistinctTable, Update};

use crate::flow::Address;

/// Sources seen once.
#[derive(Debug)]
pub(super) struct Admission {
    key: HashKey,
    bytes_max: usize,
    window_panes: u32,
    /// Panes that the table takes for one, so that it looks back as far as the rules do.
    coarseness: u32,
    /// Made when it is first needed.
    seen: Option<DistinctTable>,
    kept_out: u64,
}

impl Admission {
    /// Uses no memory until the first question, then `bytes_max`. Who was seen more than `window_panes` ago was not.
    pub(super) fn new(key: HashKey, bytes_max: usize, window_panes: u32) -> Self {
        let coarseness = window_panes.div_ceil(HORIZON_PANES - 1).max(1);
        Self { key, bytes_max, window_panes, coarseness, seen: None, kept_out: 0 }
    }

    /// Whether a source has been seen before, within its window and the table's memory; notes it, and counts it if not.
    /// `service` is the keyed hash of target and port.
    pub(super) fn admits(&mut self, source: Address, service: u64, pane: Pane) -> bool {
        if self.seen.is_none() {
            let seed = self.key.hash_bytes(b"admission");
            // The first of the coarse panes is one in part.
            let panes = self.window_panes / self.coarseness + 1;
            self.seen = DistinctTable::new(self.bytes_max, panes, seed).ok();
        }
        // No table, no keeping out: memory is then bounded by eviction alone.
        let Some(seen) = &mut self.seen else { return true };
        let key = self.key.hash_u128(source.bits());
        let element = self.key.hash_words([service, pane.into()]);
        seen.update(Update { key, element, pane: pane / self.coarseness });
        let is_known = seen.elements_max(key) > 1;
        self.kept_out += u64::from(!is_known);
        is_known
    }

    /// Bytes in use.
    pub(super) fn memory_bytes(&self) -> usize {
        self.seen.as_ref().map_or(0, DistinctTable::memory_bytes)
    }

    /// Rows of sources that were not let in.
    pub(super) const fn kept_out(&self) -> u64 {
        self.kept_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_let_in_when_it_is_seen_again() {
        let mut admission = Admission::new(HashKey::new(1, 2), 1 << 17, 100);
        assert_eq!(admission.memory_bytes(), 0);
        for number in 0..1000 {
            assert!(!admission.admits(Address::v4(number), 7, 500));
            assert!(!admission.admits(Address::v4(number), 7, 500), "the same once more");
        }
        assert!(admission.admits(Address::v4(5), 8, 500), "another service");
        assert!(admission.admits(Address::v4(6), 7, 501), "another pane");
        assert_eq!(admission.kept_out(), 2000);
        assert!(!admission.admits(Address::v4(7), 8, 602), "seen too long ago");
        assert!(admission.memory_bytes() <= 1 << 17);
    }

    #[test]
    fn a_source_is_known_for_as_long_as_the_longest_window() {
        let day = 2_880;
        for panes in [1, day / 2, day - 1] {
            let mut admission = Admission::new(HashKey::new(1, 2), 1 << 17, day);
            assert!(!admission.admits(Address::v4(1), 7, 9_999));
            assert!(admission.admits(Address::v4(1), 8, 9_999 + panes), "after {panes} panes");
        }
        let mut admission = Admission::new(HashKey::new(1, 2), 1 << 17, day);
        assert!(!admission.admits(Address::v4(1), 7, 9_999));
        assert!(!admission.admits(Address::v4(1), 8, 9_999 + day + 50));
    }
}
