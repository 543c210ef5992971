//! The objects that this process has applied of late: a message that names one again needs no second reading.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// The last [`KNOWN_MAX`] objects, each in one version.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    all: BTreeSet<Arc<str>>,
    oldest_first: VecDeque<Arc<str>>,
}

/// A message whose deletion failed comes again within a timeout; SQS delivers one twice within minutes. A name is at most 1.4 kB.
const KNOWN_MAX: usize = 4096;

impl Known {
    /// Notes that all of an object was applied.
    pub(super) fn applied(&self, name: Arc<str>) {
        let mut names = self.lock();
        if names.all.insert(Arc::clone(&name)) {
            names.oldest_first.push_back(name);
        }
        if names.oldest_first.len() > KNOWN_MAX
            && let Some(oldest) = names.oldest_first.pop_front()
        {
            names.all.remove(&oldest);
        }
    }

    /// Whether all of it was.
    pub(super) fn is_applied(&self, name: &str) -> bool {
        self.lock().all.contains(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Names> {
        // Nothing that panics happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_objects_are_known_and_no_more_are_kept() {
        let known = Known::default();
        for number in 0..=KNOWN_MAX {
            known.applied(format!("{number}").into());
            known.applied(format!("{number}").into());
        }
        assert!(!known.is_applied("0") && known.is_applied("1"));
        assert!(known.is_applied(&KNOWN_MAX.to_string()));
        assert_eq!(known.lock().all.len(), KNOWN_MAX);
    }
}
