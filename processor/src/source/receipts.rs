//! Who waits for a batch to be applied, before it answers or deletes what the batch came from.
//!
//! Memory bound: those who wait.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::batch::BatchId;

/// All that wait. Shared by sources and fold.
#[derive(Clone, Debug, Default)]
pub struct Receipts(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// More than one where a batch is under way twice.
    senders: BTreeMap<BatchId, Vec<oneshot::Sender<Letters>>>,
    is_abandoned: bool,
}

/// Resolves when its batch was applied and its signals were written, or was ignored since it had been applied before.
#[derive(Debug)]
pub struct Receipt {
    id: BatchId,
    applied: oneshot::Receiver<Letters>,
    receipts: Receipts,
}

/// What became of a batch's refusals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Letters {
    /// All are among the dead letters, as far as there are any.
    Kept,
    /// Some were left out.
    LeftOut,
}

/// The fold applies nothing more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the run ended before it was applied")]
pub struct NotApplied;

impl Receipts {
    /// To be asked for before the batch is sent.
    #[must_use]
    pub fn expect(&self, id: &BatchId) -> Receipt {
        let (sender, applied) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.is_abandoned {
            waiting.senders.entry(id.clone()).or_default().push(sender);
        }
        Receipt { id: id.clone(), applied, receipts: self.clone() }
    }

    /// Notes that the fold has applied a batch, or knew it.
    pub fn applied(&self, id: &BatchId, letters: Letters) {
        let senders = self.lock().senders.remove(id);
        for sender in senders.into_iter().flatten() {
            let _gone = sender.send(letters).is_err();
        }
    }

    /// The fold applies nothing more: nobody shall wait for it.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.is_abandoned = true;
        waiting.senders.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // Nothing that panics happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receipt {
    /// Resolves as the receipt does, and says whether what was refused of the batch is kept.
    ///
    /// # Errors
    /// [`NotApplied`] when the fold applies nothing more.
    pub async fn letters(mut self) -> Result<Letters, NotApplied> {
        (&mut self.applied).await.map_err(|_gone| NotApplied)
    }
}

impl Future for Receipt {
    type Output = Result<(), NotApplied>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.applied)
            .poll(context)
            .map(|applied| applied.map(drop).map_err(|_gone| NotApplied))
    }
}

impl Drop for Receipt {
    /// Whoever waited has gone; the batch may never have been sent.
    fn drop(&mut self) {
        self.applied.close();
        let mut waiting = self.receipts.lock();
        if let Some(senders) = waiting.senders.get_mut(&self.id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.senders.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(offset_bytes: u64) -> BatchId {
        BatchId::at("test".into(), offset_bytes)
    }

    #[tokio::test]
    async fn each_that_waits_for_a_batch_is_told_and_nobody_else() {
        let receipts = Receipts::default();
        let (first, again, other) =
            (receipts.expect(&id(1)), receipts.expect(&id(1)), receipts.expect(&id(2)));
        receipts.applied(&id(1), Letters::Kept);
        assert_eq!((first.await, again.await), (Ok(()), Ok(())));
        receipts.abandon();
        assert_eq!(other.await, Err(NotApplied));
        assert_eq!(receipts.expect(&id(3)).await, Err(NotApplied));
    }

    #[tokio::test]
    async fn who_asks_is_told_whether_letters_were_left_out() {
        let receipts = Receipts::default();
        for letters in [Letters::Kept, Letters::LeftOut] {
            let receipt = receipts.expect(&id(1));
            receipts.applied(&id(1), letters);
            assert_eq!(receipt.letters().await, Ok(letters));
        }
    }

    #[test]
    fn nothing_is_kept_of_those_who_have_gone() {
        let receipts = Receipts::default();
        let (first, again) = (receipts.expect(&id(1)), receipts.expect(&id(1)));
        drop(first);
        assert_eq!(receipts.lock().senders[&id(1)].len(), 1);
        drop(again);
        assert!(receipts.lock().senders.is_empty());
    }
}
