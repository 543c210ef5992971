//! Data gap: AWS lost records of an interface, so what did not happen there cannot be known.

use sketches::pane::Pane;

use super::{Detector, Subject};
use crate::combine::Blindness;
use crate::signal::{Entity, Kind, Party, Severity, Signal};

impl Detector {
    /// Notes an interface's blindness, and opens or extends its finding.
    pub(super) fn apply_blindness(&mut self, blind: &Blindness, emit: &mut dyn FnMut(Signal)) {
        self.totals.blind += 1;
        let pane_s = u64::from(self.window.config().pane_s);
        let pane = |time_s: u64| Pane::try_from(time_s / pane_s).unwrap_or(Pane::MAX);
        if self.window.refuse_late(pane(blind.end_s)) {
            return;
        }
        self.window.blind.add(blind.interface, pane(blind.start_s), pane(blind.end_s));
        if !self.config.data_gap.enabled {
            return;
        }
        let src = Party::Interface(blind.interface_id.clone());
        let entity = Entity { src, dst: None, port: None, protocol: None };
        let mut signal = Signal::about(Kind::DataGap, Severity::Informational, entity);
        (signal.window_s, signal.threshold) = (self.config.data_gap.quiet_s, 1);
        let subject = Subject::Interface(blind.interface);
        let known = self.findings.lost_intervals(subject);
        signal.estimate = known + 1;
        signal.first_seen_s = blind.start_s;
        signal.last_seen_s = blind.end_s;
        self.send(subject, signal, emit);
    }
}
