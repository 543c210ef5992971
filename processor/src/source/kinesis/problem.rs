//! How often the same failure of a shard is told.

use super::failure::Failure;
use super::shard::Source;
use crate::source::told::Told;

/// Tells the same failure of a shard once a minute, not five times a second.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    /// By reason.
    told: Told,
    is_told: bool,
}

impl Repeated {
    /// Counts it, and tells it if it is new, which is returned.
    pub(super) fn failed(&mut self, source: &Source, failure: &Failure) -> bool {
        let reason = failure.reason();
        source.meter.failed(reason);
        if !self.told.is_due(reason) {
            return false;
        }
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
