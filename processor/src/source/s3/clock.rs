//! The clocks of the source: one for how old messages are, one for how long ago the queue answered.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Of the wall clock: the queue stamps messages by its own.
#[expect(clippy::disallowed_methods, reason = "messages are stamped by wall-clock time")]
pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Of the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "sources wait for the world, so they read its clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}
