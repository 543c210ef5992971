//! Rejected-traffic surge: one source is rejected again and again.
//!
//! A scan is breadth and a surge is repetition, so rejections count here only beyond one for each distinct service at which
//! the source failed. A client that hammers a port that a security group has just closed is a surge; a scanner that is
//! rejected everywhere once is not.

use super::{Detector, Subject, rounded};
use crate::combine::{Conversation, ConversationKey};
use crate::signal::{Entity, Kind, Severity, Signal};
use crate::window::{Scope, SlidingSum, Window};

/// Rejections of one source.
pub(super) struct Surge {
    /// Rejected records in the window.
    pub(super) records: u64,
    /// Of these, those beyond one per distinct service that failed.
    pub(super) repeated: u64,
    /// Rejected records just before, scaled to the width of the window.
    pub(super) before: u64,
}

/// The rejections of a source in the window that ends now; `None` if there are fewer than `least`.
pub(super) fn surge(window: &Window, scope: &Scope, window_s: u32, least: u64) -> Option<Surge> {
    let entity = window.entity(scope)?;
    let sums = entity.breadth.as_ref()?.rejections.as_ref()?;
    let (clock, bucket_panes) = (window.clock(), window.rejection_bucket_panes());
    let held = u32::try_from(SlidingSum::BUCKETS).unwrap_or(u32::MAX);
    let buckets = (window_s / window.config().pane_s / bucket_panes).clamp(1, held - 1);
    let records = sums.sum(clock, bucket_panes, buckets);
    if records < least {
        return None;
    }
    let all = sums.sum(clock, bucket_panes, held);
    let before = (all - records) * u64::from(buckets) / u64::from(held - buckets);
    let range = window.range(window_s, clock);
    let distinct = rounded(entity.elements.count(range, clock).unanswered);
    Some(Surge { records, repeated: records.saturating_sub(distinct), before })
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of counts needs no 53rd bit")]
fn ratio(now: u64, before: u64) -> f64 {
    if before == 0 { f64::INFINITY } else { now as f64 / before as f64 }
}

impl Detector {
    /// Judges a source whose record was just rejected.
    pub(super) fn judge_rejections(
        &mut self,
        key: &ConversationKey,
        row: &Conversation,
        emit: &mut dyn FnMut(Signal),
    ) {
        let rule = &self.config.rejected_surge;
        let scope = Scope::Source { source: key.initiator };
        let floor = u64::from(rule.records);
        let surge = surge(&self.window, &scope, rule.window_s, floor);
        let Some(surge) = surge.filter(|_| rule.enabled) else { return };
        let is_surge =
            surge.repeated >= floor && ratio(surge.repeated, surge.before) >= rule.ratio_min;
        let subject = Subject::Scope(scope);
        if !is_surge && !self.findings.is_open(Kind::RejectedSurge, subject) {
            return;
        }
        let entity = Entity::of_scope(&scope);
        let mut signal = Signal::about(Kind::RejectedSurge, Severity::Medium, entity);
        signal.window_s = rule.window_s;
        signal.threshold = floor;
        signal.estimate = surge.repeated;
        let window = self.window.range(rule.window_s, self.window.clock());
        signal.first_seen_s = self.window.start_s(window.first).min(row.last_s);
        signal.last_seen_s = row.last_s;
        signal.evidence = self.evidence(&scope, signal.window_s);
        signal.evidence.targets = vec![key.target];
        signal.evidence.ports = vec![key.port];
        signal.evidence.rejected_records = Some(surge.records);
        self.send(subject, signal, emit);
    }
}
