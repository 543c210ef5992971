//! Says the same failure once a minute, not with every call.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// When each reason was last told. Reasons are few: they are labels.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeMap<&'static str, Instant>>);

/// Between two messages about the same.
const TELL: Duration = Duration::from_secs(60);

impl Told {
    /// Whether a failure with this reason is to be told now.
    pub(super) fn is_due(&self, reason: &'static str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(reason).is_some_and(|at| now.duration_since(*at) < TELL) {
            return false;
        }
        told.insert(reason, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_a_minute() {
        let (told, now) = (Told::default(), Instant::now());
        assert!(told.is_due("a", now) && told.is_due("b", now) && !told.is_due("a", now));
        assert!(told.is_due("a", now + TELL) && !told.is_due("a", now + TELL));
    }
}
