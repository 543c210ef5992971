//! The clocks of the server: one for what clients see, one for its limits.

use std::time::{Instant, SystemTime};

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a server is an outermost edge")]
pub(super) fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a server is an outermost edge")]
pub(super) fn now() -> Instant {
    Instant::now()
}
