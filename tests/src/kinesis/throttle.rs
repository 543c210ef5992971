//! The limits of a shard, refilled continuously.

use std::time::{Duration, Instant};

/// So many per second, a second's worth at once.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    level: f64,
    at: Instant,
}

/// Bytes read, after which a shard rests. The limit is looked at before a read and paid after it, since nobody knows before how
/// much there is to read.
#[derive(Debug)]
pub(super) struct ReadDebt {
    bytes_per_s: f64,
    free_at: Instant,
}

impl Bucket {
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        Self { rate, level: rate, at: now }
    }

    /// Takes `amount`, all of it or nothing.
    pub(super) fn take(&mut self, amount: f64, now: Instant) -> bool {
        self.refill(now);
        let is_enough = self.level >= amount;
        if is_enough {
            self.level -= amount;
        }
        is_enough
    }

    /// Whether `amount` can be taken now.
    pub(super) fn holds(&mut self, amount: f64, now: Instant) -> bool {
        self.refill(now);
        self.level >= amount
    }

    fn refill(&mut self, now: Instant) {
        let elapsed_s = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = elapsed_s.mul_add(self.rate, self.level).min(self.rate);
        self.at = now;
    }
}

impl ReadDebt {
    pub(super) fn new(bytes_per_s: f64, now: Instant) -> Self {
        Self { bytes_per_s, free_at: now }
    }

    pub(super) fn is_free(&self, now: Instant) -> bool {
        now >= self.free_at
    }

    /// A second's worth may be read ahead; a read that was as large as any may be takes no credit: what it read is paid in full,
    /// five seconds at 2 MB/s.
    pub(super) fn pay(&mut self, bytes: usize, was_full: bool, now: Instant) {
        let credit = Duration::from_secs(if was_full { 0 } else { 1 });
        let from = self.free_at.max(now.checked_sub(credit).unwrap_or(now));
        #[expect(clippy::cast_precision_loss, reason = "at most ten million")]
        let rest_s = bytes as f64 / self.bytes_per_s;
        self.free_at = from + Duration::from_secs_f64(rest_s);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Bucket, ReadDebt};
    use crate::kinesis::clock;

    #[test]
    fn a_bucket_gives_a_second_at_once_and_then_its_rate() {
        let start = clock::now();
        let mut bucket = Bucket::new(5.0, start);
        assert_eq!((0..9).filter(|_| bucket.take(1.0, start)).count(), 5);
        let later = start + Duration::from_millis(410);
        assert_eq!((0..9).filter(|_| bucket.take(1.0, later)).count(), 2);
        let much_later = start + Duration::from_secs(100);
        assert_eq!((0..9).filter(|_| bucket.take(1.0, much_later)).count(), 5);
    }

    #[test]
    fn after_ten_megabytes_a_shard_rests_for_five_seconds_and_after_two_for_none() {
        let start = clock::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut debt = ReadDebt::new(2e6, start);
        debt.pay(10_000_000, true, start);
        assert!(!debt.is_free(after(4990)) && debt.is_free(after(5010)));
        let mut debt = ReadDebt::new(2e6, start);
        debt.pay(1_000_000, false, after(2000));
        assert!(debt.is_free(after(2000)));
        debt.pay(2_000_000, false, after(2000));
        assert!(!debt.is_free(after(2400)) && debt.is_free(after(2510)));
    }
}
