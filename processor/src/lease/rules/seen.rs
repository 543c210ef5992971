//! What a worker has seen of the leases in the table, by its own clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lease::{Lease, LeaseKey};

/// A lease, and since when it stands still.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) lease: Lease,
    /// When this counter was first seen: after the answer, so never before the renewal that made it was sent.
    pub(super) changed_ms: u64,
    /// Since when it could be taken.
    pub(super) available_since_ms: Option<u64>,
    /// Since when this holder has been asked to give it up.
    pub(super) handoff_since_ms: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    by_key: BTreeMap<LeaseKey, Seen>,
}

impl Leases {
    /// Takes in a whole scan: what is not in it is gone.
    pub(super) fn replace(&mut self, now_ms: u64, leases: Vec<Lease>, duration_ms: u64) {
        let mut before = std::mem::take(&mut self.by_key);
        for lease in leases {
            let old = before.remove(&lease.key);
            self.by_key.insert(lease.key.clone(), Seen::after(old, now_ms, lease, duration_ms));
        }
    }

    /// Takes in what one answer said about a lease.
    pub(super) fn update(&mut self, now_ms: u64, lease: &Lease, duration_ms: u64) {
        let old = self.by_key.remove(&lease.key);
        let seen = Seen::after(old, now_ms, lease.clone(), duration_ms);
        self.by_key.insert(lease.key.clone(), seen);
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Seen> {
        self.by_key.values()
    }

    /// When the first of the leases that are not expired would be.
    pub(super) fn next_expiry_ms(
        &self,
        now_ms: u64,
        duration_ms: u64,
        is_ours: impl Fn(&LeaseKey) -> bool,
    ) -> Option<u64> {
        let others =
            self.values().filter(|seen| !seen.lease.is_finished() && !is_ours(&seen.lease.key));
        let expiries = others.map(|seen| seen.changed_ms + duration_ms + 1);
        expiries.filter(|expiry_ms| *expiry_ms > now_ms).min()
    }
}

impl Seen {
    fn after(old: Option<Self>, now_ms: u64, lease: Lease, duration_ms: u64) -> Self {
        let is_same = |old: &&Self| old.lease.counter == lease.counter;
        let changed_ms = old.as_ref().filter(is_same).map_or(now_ms, |old| old.changed_ms);
        let handoff = |lease: &Lease| lease.owner.clone().zip(lease.checkpoint_owner.clone());
        let handoff_since_ms = handoff(&lease).map(|pair: (Arc<str>, Arc<str>)| {
            let old = old.as_ref().filter(|old| handoff(&old.lease) == Some(pair));
            old.and_then(|old| old.handoff_since_ms).unwrap_or(now_ms)
        });
        let mut seen = Self { lease, changed_ms, available_since_ms: None, handoff_since_ms };
        if seen.is_available(now_ms, duration_ms) {
            let since_ms = old.and_then(|old| old.available_since_ms).unwrap_or(now_ms);
            seen.available_since_ms = Some(since_ms);
        }
        seen
    }

    /// Whether anyone may take it: it has no owner, or its counter stood still for longer than the duration.
    pub(super) fn is_available(&self, now_ms: u64, duration_ms: u64) -> bool {
        let is_expired = now_ms.saturating_sub(self.changed_ms) > duration_ms;
        !self.lease.is_finished() && (self.lease.holder().is_none() || is_expired)
    }
}
