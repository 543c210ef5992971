//! Tells the same failure once a minute, not with every request.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::clock::Clock;

/// Between two messages about the same.
const TELL_MS: u64 = 60_000;

/// When each thing was told, by its label or labels.
#[derive(Debug)]
pub(in crate::source) struct Told<L = &'static str> {
    clock: Clock,
    told_at_ms: Mutex<BTreeMap<L, u64>>,
}

impl<L: Ord> Told<L> {
    /// Nothing yet.
    pub(in crate::source) fn new() -> Self {
        Self { clock: Clock::start(), told_at_ms: Mutex::default() }
    }

    /// Whether it is to be told now, which is noted.
    pub(in crate::source) fn is_due(&self, label: L) -> bool {
        let now_ms = self.clock.now_ms();
        // Nothing that panics happens under the lock.
        let mut told = self.told_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&label).is_some_and(|at_ms| now_ms < at_ms + TELL_MS) {
            return false;
        }
        told.insert(label, now_ms);
        true
    }
}

impl<L: Ord> Default for Told<L> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_and_another_thing_beside_it() {
        let told = Told::new();
        assert!(told.is_due("a") && told.is_due("b"));
        assert!(!told.is_due("a") && !told.is_due("b"));
    }
}
