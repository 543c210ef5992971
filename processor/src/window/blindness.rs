//! Interfaces for which AWS lost records (`SKIPDATA`), and when.

use indexmap::IndexMap;
use sketches::hash::{HashKey, KeyedState};
use sketches::pane::Pane;

/// Blind intervals by interface, one per interface: intervals of one interface are joined.
#[derive(Debug)]
pub struct Blind {
    intervals: IndexMap<u32, (Pane, Pane), KeyedState>,
    /// The end of the latest interval of any interface.
    latest: Option<Pane>,
    /// Which interface is forgotten next, should there be too many.
    forgotten: usize,
}

/// Interfaces remembered; beyond, some other is forgotten.
const INTERFACES_MAX: usize = 65_536;

impl Blind {
    /// No interface is blind.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        let intervals = IndexMap::with_hasher(KeyedState::new(key));
        Self { intervals, latest: None, forgotten: 0 }
    }

    /// Notes that records of `interface` were lost from `first` to `last`, both inclusive.
    pub fn add(&mut self, interface: u32, first: Pane, last: Pane) {
        let interval = self.intervals.entry(interface).or_insert((first, last));
        *interval = (interval.0.min(first), interval.1.max(last));
        if self.intervals.len() > INTERFACES_MAX {
            self.intervals.swap_remove_index(self.forgotten % INTERFACES_MAX);
            self.forgotten += 1;
        }
        self.latest = self.latest.max(Some(last));
    }

    /// Whether records of `interface` were lost in `pane` or beside it: `end` may be off by a minute.
    #[must_use]
    pub fn covers(&self, interface: u32, pane: Pane) -> bool {
        const SLACK: Pane = 2;
        self.intervals.get(&interface).is_some_and(|(first, last)| {
            first.saturating_sub(SLACK) <= pane && pane <= last.saturating_add(SLACK)
        })
    }

    /// Whether records of any interface were lost in or after `first`.
    #[must_use]
    pub fn is_any_since(&self, first: Pane) -> bool {
        self.latest >= Some(first)
    }

    /// Forgets intervals that ended before `oldest_kept`.
    pub fn expire(&mut self, oldest_kept: Pane) {
        self.intervals.retain(|_, (_, last)| *last >= oldest_kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blindness_covers_its_interface_and_interval_with_slack() {
        let mut blind = Blind::new(HashKey::new(1, 2));
        blind.add(7, 100, 101);
        blind.add(7, 102, 103);
        assert!(blind.covers(7, 98) && blind.covers(7, 105));
        assert!(!blind.covers(7, 97) && !blind.covers(7, 106) && !blind.covers(8, 100));
        assert!(blind.is_any_since(103) && !blind.is_any_since(104));
        blind.expire(104);
        assert!(!blind.covers(7, 103));
    }
}
