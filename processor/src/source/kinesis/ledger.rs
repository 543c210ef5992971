//! What was sent to the fold and what it has applied, per shard: checkpoints follow what is applied, never what is read.
//!
//! It also remembers how far a shard was sent in this process, after its lease was lost too: a shard that comes back is
//! read on from there, since what was sent before will be applied, or was.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::batch::{BatchId, Extent};
use crate::lease::Position;

/// All shards that this process has read. Shared by the shards' tasks and the fold, which looks at it once per batch.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    shards: Mutex<BTreeMap<Arc<str>, Shard>>,
    applied: Notify,
    is_abandoned: AtomicBool,
}

#[derive(Debug, Default)]
struct Shard {
    /// Sent and not yet applied, in the order in which they were sent, which is that of the fold.
    under_way: VecDeque<Sent>,
    sent_through: Option<Position>,
    applied_through: Option<Position>,
    checkpointed: Option<Position>,
    /// When the oldest batch without a checkpoint was sent.
    waiting_since_ms: Option<u64>,
}

#[derive(Debug)]
struct Sent {
    through: Position,
    at_ms: u64,
    /// Room in the buffer, given back when the last batch of an answer was applied.
    _room: Option<Arc<OwnedSemaphorePermit>>,
}

impl Ledger {
    /// Notes a batch of `source` that goes to the fold.
    pub fn sent(
        &self,
        source: &Arc<str>,
        through: Position,
        at_ms: u64,
        room: Option<Arc<OwnedSemaphorePermit>>,
    ) {
        self.with(source, |shard| {
            shard.sent_through = Some(through.clone());
            shard.waiting_since_ms.get_or_insert(at_ms);
            shard.under_way.push_back(Sent { through, at_ms, _room: room });
        });
    }

    /// Notes that the fold has applied a batch. Batches of other sources are none of its business.
    pub fn applied(&self, id: &BatchId) {
        let Extent::Records { last, .. } = &id.extent else { return };
        let mut shards = self.lock();
        if let Some(shard) = shards.get_mut(&id.source)
            && let Some(place) =
                shard.under_way.iter().position(|sent| sent.through.sequence.as_str() == &**last)
        {
            shard.applied_through =
                shard.under_way.drain(..=place).next_back().map(|sent| sent.through);
        }
        drop(shards);
        self.0.applied.notify_waiters();
    }

    /// Where a shard can be read on: behind what was sent in this process, if anything was.
    #[must_use]
    pub fn sent_through(&self, source: &str) -> Option<Position> {
        self.lock().get(source)?.sent_through.clone()
    }

    /// What may be checkpointed, if it was not yet.
    #[must_use]
    pub fn due(&self, source: &str) -> Option<Position> {
        let shards = self.lock();
        let shard = shards.get(source)?;
        shard.applied_through.clone().filter(|_| shard.applied_through != shard.checkpointed)
    }

    /// Notes a checkpoint.
    pub fn checkpointed(&self, source: &Arc<str>, through: &Position) {
        self.with(source, |shard| {
            shard.checkpointed = Some(through.clone());
            let is_behind = shard.applied_through.as_ref().is_some_and(|applied| applied > through);
            // Between two checkpoints batches are applied; how long those have waited is known to a checkpoint's interval.
            let oldest_ms = shard.under_way.front().map(|sent| sent.at_ms);
            shard.waiting_since_ms =
                if is_behind { shard.waiting_since_ms.or(oldest_ms) } else { oldest_ms };
        });
    }

    /// When the oldest batch that has no checkpoint was sent; `None` if all have one.
    #[must_use]
    pub fn waiting_since_ms(&self, source: &str) -> Option<u64> {
        self.lock().get(source)?.waiting_since_ms
    }

    /// Returns once everything of `source` that was sent is applied, or will not be.
    pub async fn drained(&self, source: &str) {
        loop {
            let applied = self.0.applied.notified();
            tokio::pin!(applied);
            applied.as_mut().enable();
            let is_drained = self.lock().get(source).is_none_or(|shard| shard.under_way.is_empty());
            if is_drained || self.is_abandoned() {
                return;
            }
            applied.await;
        }
    }

    /// The fold applies nothing more: nobody shall wait for it. What it did not apply is not checkpointed.
    pub fn abandon(&self) {
        self.0.is_abandoned.store(true, Ordering::Release);
        self.0.applied.notify_waiters();
    }

    /// Forgets a shard that was read to its end.
    pub fn forget(&self, source: &str) {
        self.lock().remove(source);
    }

    /// Whether nothing more will be applied.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned.load(Ordering::Acquire)
    }

    fn with(&self, source: &Arc<str>, change: impl FnOnce(&mut Shard)) {
        change(self.lock().entry(Arc::clone(source)).or_default());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Arc<str>, Shard>> {
        // Nothing that panics happens under the lock.
        self.0.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(sequence: u32) -> Position {
        Position { sequence: sequence.to_string().parse().unwrap(), sub_sequence: 0 }
    }

    fn id(source: &Arc<str>, last: u32) -> BatchId {
        let [first, last] = [1, last].map(|number| number.to_string().into());
        BatchId { source: Arc::clone(source), extent: Extent::Records { first, last } }
    }

    #[test]
    fn only_what_was_applied_is_due_for_a_checkpoint() {
        let (ledger, shard) = (Ledger::default(), Arc::from("stream/shard"));
        ledger.sent(&shard, position(10), 5, None);
        ledger.sent(&shard, position(20), 7, None);
        assert_eq!(ledger.due(&shard), None);
        assert_eq!(ledger.waiting_since_ms(&shard), Some(5));
        ledger.applied(&id(&shard, 10));
        assert_eq!(ledger.due(&shard), Some(position(10)));
        ledger.checkpointed(&shard, &position(10));
        assert_eq!((ledger.due(&shard), ledger.waiting_since_ms(&shard)), (None, Some(7)));
        ledger.applied(&id(&shard, 20));
        ledger.checkpointed(&shard, &position(20));
        assert_eq!((ledger.due(&shard), ledger.waiting_since_ms(&shard)), (None, None));
        assert_eq!(ledger.sent_through(&shard), Some(position(20)));
    }

    #[tokio::test]
    async fn draining_waits_for_the_fold_and_gives_room_back() {
        let (ledger, shard) = (Ledger::default(), Arc::from("stream/shard"));
        let room = Arc::new(tokio::sync::Semaphore::new(3));
        let permit = Arc::clone(&room).try_acquire_many_owned(3).unwrap();
        ledger.sent(&shard, position(10), 0, Some(Arc::new(permit)));
        let (waiting, applying) = (ledger.clone(), ledger.clone());
        let drained = tokio::spawn(async move { waiting.drained("stream/shard").await });
        tokio::task::yield_now().await;
        assert!(!drained.is_finished());
        applying.applied(&id(&shard, 10));
        drained.await.unwrap();
        assert_eq!(room.available_permits(), 3);
    }
}
