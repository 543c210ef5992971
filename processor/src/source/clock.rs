//! The two clocks of sources: a monotonic one for waits and ages, and the wall clock for what services say of time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub(in crate::source) struct Clock(Instant);

impl Clock {
    /// Starts at 0.
    #[expect(
        clippy::disallowed_methods,
        reason = "sources wait for the world, so they read its clock"
    )]
    pub(in crate::source) fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since it was made; never steps back.
    pub(in crate::source) fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Milliseconds of Unix time.
    #[expect(clippy::disallowed_methods, reason = "the service is asked by wall-clock time")]
    #[expect(clippy::unused_self, reason = "a clock is asked for the time")]
    pub(in crate::source) fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
