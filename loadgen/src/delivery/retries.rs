//! When a request is sent again: the back-off of Firehose (facts/firehose.md, 3).

use std::time::Duration;

/// One request until it is delivered or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    first_delay: Duration,
    retries_for: Duration,
    waited: Duration,
    failures: u32,
}

/// The wait before the first retry.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);
/// `RetryOptions.DurationInSeconds` unless it is set.
pub const RETRIES_FOR_S: u32 = 300;
/// The longest `RetryOptions.DurationInSeconds`.
pub const RETRIES_FOR_MAX_S: u32 = 7_200;
/// The cap of the back-off, in first delays.
const CAP_FACTOR: u32 = 120;
/// The jitter is up to so much on either side.
const JITTER: f64 = 0.15;

impl Retries {
    /// Nothing sent yet. `first_delay` is [`FIRST_DELAY`] other than in a test, and scales all waits.
    #[must_use]
    pub fn new(first_delay: Duration, retries_for: Duration) -> Self {
        Self { first_delay, retries_for, waited: Duration::ZERO, failures: 0 }
    }

    /// Takes a failure; says how long to wait before the next try, or `None` when time is up. Only
    /// waits count as time, not the answers that were waited for. `draw` in `0.0..=1.0` is the jitter.
    pub fn failed(&mut self, draw: f64) -> Option<Duration> {
        self.failures += 1;
        if self.waited >= self.retries_for {
            return None;
        }
        let factor = 1_u32.checked_shl(self.failures - 1).unwrap_or(CAP_FACTOR).min(CAP_FACTOR);
        let jitter = 1.0 - JITTER + 2.0 * JITTER * draw.clamp(0.0, 1.0);
        let wait = self.first_delay.saturating_mul(factor).mul_f64(jitter);
        self.waited += wait;
        Some(wait)
    }

    /// How often it failed.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waits_s(retries_for_s: u64, draw: f64) -> Vec<f64> {
        let mut retries = Retries::new(FIRST_DELAY, Duration::from_secs(retries_for_s));
        let waits: Vec<f64> =
            std::iter::from_fn(|| retries.failed(draw)).map(|wait| wait.as_secs_f64()).collect();
        assert_eq!(retries.failures() as usize, waits.len() + 1);
        waits
    }

    #[test]
    fn waits_double_from_a_second_to_two_minutes() {
        let expected = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0];
        assert_eq!(waits_s(300, 0.5), expected);
        assert_eq!(waits_s(7_200, 0.5).len(), 7 + 59);
    }

    #[test]
    fn a_retry_starts_as_long_as_time_is_left() {
        assert_eq!(waits_s(0, 0.5), [0.0; 0]);
        assert_eq!(waits_s(1, 0.5), [1.0]);
        assert_eq!(waits_s(2, 0.5), [1.0, 2.0]);
        assert_eq!(waits_s(3, 0.5), [1.0, 2.0]);
    }

    proptest! {
        /// Beside the formula of the documentation: min(120 s, 2^n s) times 0.85 to 1.15.
        #[test]
        fn every_wait_is_within_its_jitter(
            draws in prop::collection::vec(0.0_f64..=1.0, 1..80),
            first_ms in 1_u64..2_000,
        ) {
            let first = Duration::from_millis(first_ms);
            let mut retries = Retries::new(first, Duration::MAX / 2);
            for (number, draw) in (0_i32..).zip(draws) {
                let step = 2_f64.powi(number).min(120.0) * first.as_secs_f64();
                let wait = retries.failed(draw).unwrap().as_secs_f64();
                let expected = step * (0.85 + 0.3 * draw);
                prop_assert!((wait - expected).abs() < 1e-6 * step.max(1e-3), "{} {}", wait, expected);
            }
        }
    }
}
