//! Says the same failure once a minute, not with every call.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// When each failure was last told, by what failed and the reason. They are few: both are labels.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeMap<Labels, Instant>>);

type Labels = (&'static str, &'static str);

/// Between two messages about the same.
const TELL: Duration = Duration::from_secs(60);

impl Told {
    /// Whether a failure with these labels is to be told now.
    pub(super) fn is_due(&self, labels: Labels, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&labels).is_some_and(|at| now.duration_since(*at) < TELL) {
            return false;
        }
        told.insert(labels, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_is_told_once_a_minute() {
        let (told, now) = (Told::default(), Instant::now());
        assert!(told.is_due(("a", "x"), now) && !told.is_due(("a", "x"), now));
        assert!(told.is_due(("a", "y"), now) && told.is_due(("b", "x"), now));
        assert!(told.is_due(("a", "x"), now + TELL) && !told.is_due(("a", "x"), now + TELL));
    }
}
