//! Room for what was read and not yet applied, over all shards.
//!
//! A call is made only when there is room for the largest answer that it can give; what it did not need is given back when
//! it has answered, and the rest as its batches are applied. So a slow fold stops the reading, and nothing else.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one `GetRecords` call may give (API reference: 10 MB in 10,000 records, or one record of up to 10 MiB), as JSON with base64, and
/// decoded.
pub(super) const ANSWER_BYTES_MAX: usize = 32 << 20;
const UNIT_BYTES: usize = 1 << 10;

/// A number of bytes that all shards share.
#[derive(Clone, Debug)]
pub(super) struct Buffer(Arc<Semaphore>);

impl Buffer {
    /// With room for `bytes_max`, but for one answer at least.
    pub(super) fn new(bytes_max: usize) -> Self {
        let units = bytes_max.max(ANSWER_BYTES_MAX) / UNIT_BYTES;
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits until there is room for the largest answer.
    pub(super) async fn room_for_answer(&self) -> OwnedSemaphorePermit {
        self.room_for(ANSWER_BYTES_MAX).await
    }

    /// Waits until there is room for so many bytes, though never for more than one answer has.
    pub(super) async fn room_for(&self, bytes: usize) -> OwnedSemaphorePermit {
        let units = units(bytes.min(ANSWER_BYTES_MAX));
        match Arc::clone(&self.0).acquire_many_owned(units).await {
            Ok(room) => room,
            // Only a closed semaphore refuses, and nobody closes this one.
            Err(_closed) => std::future::pending().await,
        }
    }
}

/// Gives back what an answer of `bytes` does not need. Its records may share one allocation, so its room is kept whole until the last of
/// its batches is applied.
pub(super) fn shrink(mut room: OwnedSemaphorePermit, bytes: usize) -> Arc<OwnedSemaphorePermit> {
    let needed = usize::try_from(units(bytes)).unwrap_or(usize::MAX);
    drop(room.split(room.num_permits().saturating_sub(needed)));
    Arc::new(room)
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_waits_until_the_batches_of_an_earlier_one_are_applied() {
        let buffer = Buffer::new(ANSWER_BYTES_MAX);
        let room = shrink(buffer.room_for_answer().await, 5_000);
        let batch = Arc::clone(&room);
        drop(room);
        assert_eq!(buffer.0.available_permits(), ANSWER_BYTES_MAX / UNIT_BYTES - 5);
        let waiting = tokio::spawn({
            let buffer = buffer.clone();
            async move { drop(buffer.room_for_answer().await) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(batch);
        waiting.await.unwrap();
    }
}
