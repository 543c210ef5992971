//! Exfiltration by floor: much data from one of our hosts, as the initiator, to one outside host.

use super::{Detector, GATE_DIVISOR, Subject};
use crate::combine::{Conversation, ConversationKey};
use crate::signal::{Entity, Kind, Severity, Signal};
use crate::window::Scope;

impl Detector {
    /// Adds what a row uploaded, and judges the pair.
    pub(super) fn judge_upload(
        &mut self,
        key: &ConversationKey,
        row: &Conversation,
        emit: &mut dyn FnMut(Signal),
    ) {
        let rule = &self.config.exfiltration;
        let internal = &self.network.internal;
        let is_outbound = internal.contains(key.initiator)
            && !internal.contains(key.target)
            && !key.target.is_group();
        let is_expected = rule.allow_destinations.contains(key.target)
            || (row.is_to_aws_service && rule.ignore_aws_services);
        if !rule.enabled || !is_outbound || is_expected {
            return;
        }
        let (window_s, floor) = (rule.window_s, rule.bytes);
        let Some(upload) = self.window.volumes.add_upload(key, row.bytes_up - row.bytes_rejected)
        else {
            return;
        };
        if upload.bytes < floor {
            return;
        }
        let severity = if upload.bytes / 10 >= floor { Severity::Critical } else { Severity::High };
        let scope = Scope::Pair { source: key.initiator, target: key.target };
        let mut signal = Signal::about(Kind::Exfiltration, severity, Entity::of_scope(&scope));
        (signal.window_s, signal.threshold, signal.estimate) = (window_s, floor, upload.bytes);
        signal.estimate_error = 2 * (floor / GATE_DIVISOR);
        signal.first_seen_s = self.window.start_s(upload.first);
        signal.last_seen_s = row.last_s;
        signal.evidence = self.evidence(&scope, window_s);
        signal.evidence.targets = Vec::new();
        signal.evidence.ports = vec![key.port];
        signal.evidence.bytes = Some(upload.bytes);
        signal.evidence.direction_confidence = Some(row.confidence.label());
        self.send(Subject::Scope(scope), signal, emit);
    }
}
