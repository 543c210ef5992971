//! How often messages failed by a fault of their own.
//!
//! The queue's count of receives would not do: outages and restarts receive, too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Of the last [`MESSAGES_MAX`] messages that failed.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_message: BTreeMap<Arc<str>, u32>,
    oldest_first: VecDeque<Arc<str>>,
}

/// A message that was forgotten among so many others begins anew.
const MESSAGES_MAX: usize = 16_384;

impl Tries {
    /// Notes one more failure of a message; how many that are.
    pub(super) fn failed(&self, message_id: &Arc<str>) -> u32 {
        let mut counts = self.lock();
        if let Some(count) = counts.by_message.get_mut(message_id) {
            *count = count.saturating_add(1);
            return *count;
        }
        if counts.oldest_first.len() >= MESSAGES_MAX
            && let Some(oldest) = counts.oldest_first.pop_front()
        {
            counts.by_message.remove(&oldest);
        }
        counts.oldest_first.push_back(Arc::clone(message_id));
        counts.by_message.insert(Arc::clone(message_id), 1);
        1
    }

    /// The message is deleted.
    pub(super) fn forget(&self, message_id: &str) {
        let mut counts = self.lock();
        if counts.by_message.remove(message_id).is_some() {
            counts.oldest_first.retain(|id| **id != *message_id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        // Nothing that panics happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_a_message_are_counted_until_it_is_deleted() {
        let (tries, id): (Tries, Arc<str>) = (Tries::default(), "a".into());
        assert_eq!([tries.failed(&id), tries.failed(&"b".into()), tries.failed(&id)], [1, 1, 2]);
        tries.forget("a");
        assert_eq!([tries.failed(&id), tries.failed(&"b".into())], [1, 2]);
    }

    #[test]
    fn no_more_messages_are_remembered_than_there_is_room_for() {
        let tries = Tries::default();
        for number in 0..=MESSAGES_MAX {
            tries.failed(&format!("{number}").into());
        }
        assert_eq!(tries.lock().by_message.len(), MESSAGES_MAX);
        assert_eq!(tries.failed(&"1".into()), 2);
        assert_eq!(tries.failed(&"0".into()), 1);
    }
}
