//! Memory for requests: a number of bytes that all of them share, and buffers that are used again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::THREADS;
use crate::decode::request::{Arena, Unpacker};

/// What all requests together may hold.
#[derive(Clone, Debug)]
pub(super) struct Room {
    bytes: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    kept: Arc<Kept>,
}

#[derive(Debug)]
struct Kept {
    unpackers: Mutex<Vec<Unpacker>>,
    arenas: Mutex<Vec<Arena>>,
    body_bytes_max: usize,
}

/// Bytes that a request holds, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

/// Nothing is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

/// Bytes are taken by so many at once.
const STEP_BYTES: usize = 64 << 10;
/// So many arenas, each of at most so many bytes, wait for the next request instead of being given back.
const ARENAS_KEPT_MAX: usize = 4;
const ARENA_KEPT_BYTES_MAX: usize = 8 << 20;
/// What they may have together, beside what is charged.
pub(super) const KEPT_BYTES_MAX: usize = ARENAS_KEPT_MAX * ARENA_KEPT_BYTES_MAX;

impl Room {
    /// For `bytes_max`, in requests of at most `body_bytes_max` each.
    pub(super) fn new(bytes_max: usize, body_bytes_max: usize) -> Self {
        let kept = Kept { unpackers: Mutex::default(), arenas: Mutex::default(), body_bytes_max };
        let (bytes, turns) = (Semaphore::new(bytes_max), Semaphore::new(THREADS));
        Self { bytes: Arc::new(bytes), turns: Arc::new(turns), kept: Arc::new(kept) }
    }

    /// Waits until one of the larger requests may be taken apart, which lasts as long as this is held.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Nothing charged yet.
    pub(super) fn charge(&self) -> Charge {
        Charge { room: self.clone(), permit: None, bytes: 0 }
    }

    /// Runs `work` with an unpacker and an arena that nobody else uses meanwhile.
    pub(super) fn with_unpacker<T>(&self, work: impl FnOnce(&mut Unpacker, Arena) -> T) -> T {
        let unpacker = lock(&self.kept.unpackers).pop();
        let mut unpacker = unpacker.unwrap_or_else(|| Unpacker::new(self.kept.body_bytes_max));
        let arena = lock(&self.kept.arenas).pop().unwrap_or_default();
        let result = work(&mut unpacker, arena);
        lock(&self.kept.unpackers).push(unpacker);
        result
    }
}

impl Charge {
    /// Has at least `bytes` from now on.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let wanted = (bytes - self.bytes).next_multiple_of(STEP_BYTES);
        let count = u32::try_from(wanted).map_err(|_too_many| Full)?;
        let more =
            Arc::clone(&self.room.bytes).try_acquire_many_owned(count).map_err(|_none| Full)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        self.bytes += wanted;
        Ok(())
    }

    /// An arena as bytes that share it; it is charged for as long as one of them lives, and then used again.
    pub(super) fn hold(self, arena: Arena) -> Bytes {
        Bytes::from_owner(Held { arena: Some(arena), charge: self })
    }
}

struct Held {
    arena: Option<Arena>,
    charge: Charge,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.arena.as_ref().map(AsRef::as_ref).unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(arena) = self.arena.take() else { return };
        let mut kept = lock(&self.charge.room.kept.arenas);
        if kept.len() < ARENAS_KEPT_MAX && arena.held_bytes() <= ARENA_KEPT_BYTES_MAX {
            kept.push(arena);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing that panics happens under the locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_charged_is_given_back_with_the_last_of_its_bytes() {
        let room = Room::new(4 * STEP_BYTES, STEP_BYTES);
        let free_bytes = || room.bytes.available_permits();
        let mut charge = room.charge();
        assert_eq!(charge.grow(1), Ok(()));
        assert_eq!(charge.grow(STEP_BYTES), Ok(()));
        assert_eq!(free_bytes(), 3 * STEP_BYTES);
        assert_eq!(charge.grow(5 * STEP_BYTES), Err(Full));
        assert_eq!(charge.grow(2 * STEP_BYTES), Ok(()));
        let body = br#"{"requestId":"a","records":[{"data":"YQ=="}]}"#;
        let unpacked = room.with_unpacker(|unpacker, arena| unpacker.unpack(body, false, arena));
        let bytes = charge.hold(unpacked.unwrap().arena);
        let part = bytes.slice(..);
        drop(bytes);
        assert_eq!(free_bytes(), 2 * STEP_BYTES);
        drop(part);
        assert_eq!(free_bytes(), 4 * STEP_BYTES);
    }
}
