//! Scans: when an entity is judged, and how a verdict becomes a finding.

use sketches::pane::Pane;

use super::verdict::{self, Verdict};
use super::{Detector, Subject, rounded};
use crate::observe::Confidence;
use crate::signal::{Entity, Evidence, Kind, Severity, Signal};
use crate::window::{Scope, elements_max};

/// Entities that wait to be judged again; each has nearly a rule's worth of elements, so this many is a flood.
const DUE_MAX: usize = 1 << 20;

impl Detector {
    /// Judges an entity whose row has just been applied, and again when its open attempts have settled. An entity too large
    /// to count exactly costs microseconds to estimate, so it is not judged in between.
    pub(super) fn judge_updated(
        &mut self,
        scope: Scope,
        last_s: u64,
        emit: &mut dyn FnMut(Signal),
    ) {
        let Some(entity) = self.window.entity(&scope) else { return };
        let least = verdict::elements_min(&self.config, &scope) as usize;
        if elements_max(&entity.elements) < least {
            return;
        }
        let clock = self.window.clock();
        if entity.elements.is_exact() {
            let all = verdict::judge(&self.config, &self.window, &scope, (clock, clock));
            if all.is_none() {
                return;
            }
        } else if entity.due.is_some() {
            return;
        }
        let at = (clock, self.window.settled(clock));
        if let Some(verdict) = verdict::judge(&self.config, &self.window, &scope, at) {
            self.raise(scope, &verdict, last_s, emit);
        }
        self.wait(scope, clock);
    }

    /// Judges an entity whose attempts of a while ago have settled.
    pub(super) fn judge_due(&mut self, due: Pane, scope: Scope, emit: &mut dyn FnMut(Signal)) {
        self.window.clear_due(&scope);
        let Some(entity) = self.window.entity(&scope) else { return };
        let Some(newest) = entity.elements.newest() else { return };
        let last_s = entity.last_failed_s;
        // The window ends where attempts have settled, so that none of it is lost to the wait.
        let settled = self.window.settled(due);
        let at = (settled, settled);
        if let Some(verdict) = verdict::judge(&self.config, &self.window, &scope, at) {
            return self.raise(scope, &verdict, last_s, emit);
        }
        let is_waiting = newest > settled && newest <= due;
        if is_waiting && verdict::judge(&self.config, &self.window, &scope, (due, due)).is_some() {
            self.wait(scope, due);
        }
    }

    /// A source as a whole needs no finding of the same breadth beside one that names its target or port.
    fn is_spoken_for(&self, scope: &Scope, kind: Kind) -> bool {
        let Scope::Source { source } = *scope else { return false };
        let of_whole = u32::from(self.findings.is_open(kind, Subject::Scope(*scope)));
        kind != Kind::BlockScan && self.findings.open_by(kind, source) > of_whole
    }

    /// Queues an entity to be judged when what is open in `from` has settled. Where the queue is full it is judged at its
    /// next update instead.
    fn wait(&mut self, scope: Scope, from: Pane) {
        if self.due.len() >= DUE_MAX {
            return;
        }
        let due = from + self.window.settle_panes().max(1);
        if self.window.set_due(&scope, due) {
            // Late rows and re-judged entities can ask for an earlier pane than the last in the queue.
            let place = self.due.partition_point(|(other, _)| *other <= due);
            self.due.insert(place, (due, scope));
        }
    }

    /// Opens or refreshes a scan finding. Before a narrow one is opened, its source is judged as a whole: what is part of a
    /// block scan is reported as one.
    fn raise(
        &mut self,
        scope: Scope,
        verdict: &Verdict,
        last_s: u64,
        emit: &mut dyn FnMut(Signal),
    ) {
        if self.is_spoken_for(&scope, verdict.kind) {
            return;
        }
        let whole = Scope::Source { source: scope.source() };
        if scope != whole && !self.findings.is_open(verdict.kind, Subject::Scope(scope)) {
            let clock = self.window.clock();
            let at = (clock, self.window.settled(clock));
            let block = verdict::judge(&self.config, &self.window, &whole, at);
            if let Some(block) = block.filter(|block| block.kind == Kind::BlockScan) {
                self.raise_one(whole, &block, last_s, emit);
            }
        }
        self.raise_one(scope, verdict, last_s, emit);
    }

    fn raise_one(
        &mut self,
        scope: Scope,
        verdict: &Verdict,
        last_s: u64,
        emit: &mut dyn FnMut(Signal),
    ) {
        let answered = rounded(verdict.counts.answered);
        let is_internal = self.network.internal.contains(scope.source());
        let severity = match (is_internal, answered) {
            (true, _) => Severity::High,
            (false, 0) => Severity::Low,
            (false, _) => Severity::Medium,
        };
        let mut signal = Signal::about(verdict.kind, severity, Entity::of_scope(&scope));
        signal.window_s = verdict.threshold.window_s;
        signal.threshold = u64::from(verdict.threshold.distinct);
        signal.estimate = rounded(verdict.estimate);
        signal.estimate_error = rounded(verdict.error);
        signal.first_seen_s = self.window.start_s(verdict.first).min(last_s);
        signal.last_seen_s = last_s;
        signal.evidence = self.evidence(&scope, signal.window_s);
        signal.evidence.attempted = Some(rounded(verdict.counts.seen));
        signal.evidence.answered = Some(answered);
        self.send(Subject::Scope(scope), signal, emit);
    }

    /// What a finding about `scope` rests on, without its counts.
    pub(super) fn evidence(&self, scope: &Scope, window_s: u32) -> Evidence {
        let clock = self.window.clock();
        let first = self.window.range(window_s, clock).first;
        let mut evidence = Evidence {
            is_data_complete: !self.window.blind.is_any_since(first),
            ..Evidence::default()
        };
        let Some(entity) = self.window.entity(scope) else { return evidence };
        evidence.direction_confidence = entity.confidence.map(Confidence::label);
        for (target, port) in entity.samples.iter().flat_map(|samples| samples.iter()) {
            if !matches!(scope, Scope::Pair { .. }) && !evidence.targets.contains(&target) {
                evidence.targets.push(target);
            }
            if !matches!(scope, Scope::Service { .. }) && !evidence.ports.contains(&port) {
                evidence.ports.push(port);
            }
        }
        evidence
    }
}
