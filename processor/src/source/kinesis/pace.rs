//! How often a shard is asked: as often as the service allows while there is something to read, seldom while there is not.
//!
//! Limits: Kinesis Developer Guide, "Quotas and limits": 5 `GetRecords` calls a second and 2 MB a second per shard, shared by all
//! applications that poll it; after an answer of 10 MB every call within 5 s is refused.

use crate::source::jitter::share;

/// Between the beginnings of two calls: 5 a second.
pub(super) const CALL_MS: u64 = 200;
/// What a shard gives per millisecond, over time.
const BYTES_PER_MS: u64 = 2_000;
/// The guide asks for a second at least after a refusal for throughput.
pub(super) const THROTTLED_MS_MIN: u64 = 1_000;
/// Longer waits would only delay the recovery.
pub(super) const WAIT_MS_MAX: u64 = 10_000;

/// The pace of one shard.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    idle_ms_max: u64,
    idle_ms: u64,
    failures: u32,
}

impl Pace {
    /// Waits up to `idle_ms_max` between calls that found nothing; at least [`CALL_MS`].
    pub(super) fn new(idle_ms_max: u64) -> Self {
        Self { idle_ms_max: idle_ms_max.max(CALL_MS), idle_ms: CALL_MS, failures: 0 }
    }

    /// How long after the beginning of a call the next one may begin, when it gave so many bytes and lagged so far.
    pub(super) fn after_answer(&mut self, bytes: u64, behind_ms: u64) -> u64 {
        self.failures = 0;
        if bytes == 0 && behind_ms == 0 {
            self.idle_ms = (self.idle_ms * 3 / 2).min(self.idle_ms_max);
        } else {
            self.idle_ms = CALL_MS;
        }
        self.idle_ms.max(bytes / BYTES_PER_MS)
    }

    /// How long to wait after a failure, drawn by `draw` from 0 to 1 so that workers that failed together do not come again
    /// together.
    pub(super) fn after_failure(&mut self, is_throttled: bool, draw: f64) -> u64 {
        let least_ms = if is_throttled { THROTTLED_MS_MIN } else { CALL_MS };
        let longest_ms = (least_ms << self.failures.min(10)).clamp(least_ms, WAIT_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        least_ms + share(longest_ms, draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_with_data_is_asked_five_times_a_second() {
        let mut pace = Pace::new(1_000);
        assert_eq!(pace.after_answer(4_000, 0), CALL_MS);
        assert_eq!(pace.after_answer(0, 5), CALL_MS, "behind, though nothing came");
    }

    #[test]
    fn a_quiet_shard_is_asked_ever_less_often_up_to_the_bound_and_at_once_more_often_again() {
        let mut pace = Pace::new(1_000);
        let waits: Vec<u64> = (0..6).map(|_| pace.after_answer(0, 0)).collect();
        assert_eq!(waits, [300, 450, 675, 1_000, 1_000, 1_000]);
        assert_eq!(pace.after_answer(1, 0), CALL_MS);
    }

    #[test]
    fn a_full_answer_is_waited_out_as_the_quota_of_bytes_asks() {
        assert_eq!(Pace::new(1_000).after_answer(10_000_000, 9), 5_000);
    }

    #[test]
    fn waits_after_throttling_grow_from_a_second_and_are_spread() {
        let mut pace = Pace::new(1_000);
        let least: Vec<u64> = (0..6).map(|_| pace.after_failure(true, 0.0)).collect();
        assert_eq!(least, [THROTTLED_MS_MIN; 6]);
        let mut pace = Pace::new(1_000);
        let most: Vec<u64> = (0..6).map(|_| pace.after_failure(true, 1.0)).collect();
        assert_eq!(most, [2_000, 3_000, 5_000, 9_000, 11_000, 11_000]);
        pace.after_answer(0, 0);
        assert_eq!(pace.after_failure(true, 1.0), 2_000, "an answer forgives");
    }
}
