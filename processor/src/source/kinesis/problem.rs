//! How often the same failure of a shard is told.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::shard::Source;

/// Tells the same failure of a shard once a minute, not five times a second.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    /// When each reason was told.
    told_at_ms: BTreeMap<&'static str, u64>,
    is_told: bool,
}

pub(super) use crate::source::told::TELL_MS;

impl Repeated {
    /// Counts it, and tells it if it is new, which is returned.
    pub(super) fn failed(&mut self, source: &Source, failure: &Failure) -> bool {
        let (reason, now_ms) = (failure.reason(), source.clock.now_ms());
        source.meter.failed(reason);
        if self.told_at_ms.get(reason).is_some_and(|at_ms| now_ms < at_ms + TELL_MS) {
            return false;
        }
        self.told_at_ms.insert(reason, now_ms);
        self.is_told = true;
        let shard = &source.name;
        if failure.needs_someone() {
            tracing::error!(%shard, error = %failure, "cannot read; tried again");
        } else if matches!(failure, Failure::Expired | Failure::InUse { .. }) {
            tracing::info!(%shard, error = %failure, "reads on");
        } else {
            tracing::warn!(%shard, error = %failure, "cannot read; tried again");
        }
        true
    }

    /// An answer came.
    pub(super) fn recovered(&mut self, source: &Source) {
        if std::mem::take(&mut self.is_told) {
            tracing::info!(shard = %source.name, "reads again");
        }
    }
}
