//! Which leases a worker takes after it looked at the table, and which one it asks for.
//!
//! Each worker wants the leases divided by the workers, rounded up. It takes what nobody holds; where there is nothing to
//! take and some worker has two more than it, it asks that one for one, so that in the end no two differ by more than one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Timing;
use super::random::Random;
use super::seen::{Leases, Seen};
use crate::lease::{LeaseKey, Write};

/// What there is to decide on.
pub(super) struct Situation<'a> {
    pub(super) now_ms: u64,
    pub(super) me: &'a Arc<str>,
    pub(super) timing: &'a Timing,
    pub(super) leases: &'a Leases,
    /// Leases that this worker holds, with the owner that it knows: the next one when it was asked for it.
    pub(super) held: &'a BTreeMap<LeaseKey, Option<Arc<str>>>,
    /// Leases that a write is on its way for, and those that were released a moment ago.
    pub(super) left_alone: &'a BTreeSet<LeaseKey>,
    /// Leases that this worker asked others for.
    pub(super) asked: &'a BTreeSet<LeaseKey>,
}

/// What a look at the table tells about the workers.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Census {
    /// Leases of each worker that holds any or soon will, and of this one.
    pub(super) counts: BTreeMap<Arc<str>, usize>,
    /// Leases of shards that are not finished.
    pub(super) total: usize,
    /// Those that nobody holds.
    pub(super) available: usize,
}

/// So many takes at once: what waits in line longer than a belief lasts is taken for nothing.
const TAKES_MAX: usize = 256;

/// Leases that nobody took for so many durations, anyone takes, whatever its share.
const NEGLECTED_DURATIONS: u64 = 3;

impl Situation<'_> {
    pub(super) fn census(&self) -> Census {
        let mut counts = BTreeMap::from([(Arc::clone(self.me), 0)]);
        let (mut total, mut available) = (0, 0);
        for seen in self.unfinished() {
            total += 1;
            let owner = match self.held.get(&seen.lease.key) {
                Some(owner) => owner.as_ref(),
                None if self.is_available(seen) && !self.is_mine(seen) => {
                    available += 1;
                    None
                }
                None => {
                    if let Some(holder) = &seen.lease.checkpoint_owner {
                        counts.entry(Arc::clone(holder)).or_insert(0);
                    }
                    seen.lease.owner.as_ref()
                }
            };
            if let Some(owner) = owner {
                *counts.entry(Arc::clone(owner)).or_insert(0) += 1;
            }
        }
        Census { counts, total, available }
    }

    /// The writes to send.
    pub(super) fn plan(&self, random: &mut Random) -> Vec<Write> {
        let census = self.census();
        let mut writes = self.ours();
        let ours = writes.iter().filter(|write| matches!(write, Write::Take { .. })).count();
        let mine = census.counts.get(self.me).copied().unwrap_or(0);
        let target = census.total.div_ceil(census.counts.len());
        let room = self.timing.leases_max.saturating_sub(self.held.len() + ours);

        let (mut neglected, mut fresh): (Vec<&Seen>, Vec<&Seen>) =
            self.available().partition(|seen| self.is_neglected(seen));
        random.shuffle(&mut neglected);
        random.shuffle(&mut fresh);
        let need = target.saturating_sub(mine + neglected.len());
        fresh.truncate(need);
        let takes = neglected.into_iter().chain(fresh).take(room.min(TAKES_MAX));
        writes.extend(takes.map(|seen| self.take(seen)));
        if census.available == 0 && room > 0 && mine < target {
            writes.extend(self.steal(&census, mine, random));
        }
        writes
    }

    /// What the table says is ours and what we do not hold: left by an earlier process of this name, or given to us.
    fn ours(&self) -> Vec<Write> {
        let room = self.timing.leases_max.saturating_sub(self.held.len());
        let free = self.unfinished().filter(|seen| self.is_free(&seen.lease.key));
        let write = |seen: &Seen| {
            let lease = &seen.lease;
            let is_mine = self.is_mine(seen);
            match &lease.checkpoint_owner {
                None if is_mine => Some(self.take(seen)),
                Some(holder) if holder == self.me => Some(Write::Evict {
                    key: lease.key.clone(),
                    counter: lease.counter,
                    owner: lease.owner.clone(),
                    checkpoint_owner: lease.checkpoint_owner.clone(),
                }),
                // Its holder was asked, and is dead or keeps it for too long.
                Some(_) if is_mine && (self.is_overdue(seen) || self.is_available(seen)) => {
                    Some(self.take(seen))
                }
                _ => None,
            }
        };
        free.filter_map(write).take(room.min(TAKES_MAX)).collect()
    }

    fn steal(&self, census: &Census, mine: usize, random: &mut Random) -> Option<Write> {
        let most = census.counts.values().copied().max()?;
        if most < mine + 2 {
            return None;
        }
        let mut stealable: Vec<(&Seen, &Arc<str>)> = self
            .unfinished()
            .filter(|seen| self.is_free(&seen.lease.key) && seen.lease.checkpoint_owner.is_none())
            .filter_map(|seen| Some((seen, seen.lease.owner.as_ref()?)))
            .filter(|(_, owner)| census.counts.get(*owner) == Some(&most))
            .collect();
        random.shuffle(&mut stealable);
        let (seen, owner) = stealable.first()?;
        Some(Write::RequestHandoff {
            key: seen.lease.key.clone(),
            owner: Arc::clone(owner),
            next: Arc::clone(self.me),
        })
    }

    fn take(&self, seen: &Seen) -> Write {
        let lease = &seen.lease;
        let is_others = lease.holder().is_some_and(|holder| *holder != **self.me);
        Write::Take {
            key: lease.key.clone(),
            counter: lease.counter,
            owner: Arc::clone(self.me),
            is_switch: is_others || self.asked.contains(&lease.key),
        }
    }

    fn unfinished(&self) -> impl Iterator<Item = &Seen> {
        self.leases.values().filter(|seen| !seen.lease.is_finished())
    }

    /// Those that are not ours already.
    fn available(&self) -> impl Iterator<Item = &Seen> {
        self.unfinished().filter(|seen| {
            let is_ours = self.is_mine(seen) || seen.lease.holder() == Some(self.me);
            self.is_available(seen) && self.is_free(&seen.lease.key) && !is_ours
        })
    }

    fn is_mine(&self, seen: &Seen) -> bool {
        seen.lease.owner.as_ref() == Some(self.me)
    }

    fn is_available(&self, seen: &Seen) -> bool {
        seen.is_available(self.now_ms, self.timing.duration_ms)
    }

    fn is_overdue(&self, seen: &Seen) -> bool {
        seen.handoff_since_ms.is_some_and(|since_ms| {
            self.now_ms.saturating_sub(since_ms) > self.timing.handoff_timeout_ms
        })
    }

    fn is_free(&self, key: &LeaseKey) -> bool {
        !self.held.contains_key(key) && !self.left_alone.contains(key)
    }

    fn is_neglected(&self, seen: &Seen) -> bool {
        let limit_ms = self.timing.duration_ms.saturating_mul(NEGLECTED_DURATIONS);
        seen.available_since_ms
            .is_some_and(|since_ms| self.now_ms.saturating_sub(since_ms) > limit_ms)
    }
}
