//! Rules over windows: partials in, signals out. A deterministic fold: the same partials in the same order give the same
//! signals, whatever the clock on the wall says.
//!
//! A scan rule looks only at attempts that *failed*: refused ones at once, unanswered ones when their answer is overdue
//! ([`window::Config::settle_s`](crate::window::Config)). Rules fire on the row that crosses the threshold, not when a
//! window ends; an entity whose open attempts may cross it is judged again when they have settled.
//!
//! Thresholds and their sources: docs/detections.md.

mod ahead;
mod config;
mod findings;
mod gap;
mod rejections;
mod upload;
mod verdict;

use std::collections::VecDeque;

use sketches::hash::HashKey;
use sketches::pane::Pane;

use ahead::Ahead;
pub use config::{
    BlockScan, Config, DataGap, Exfiltration, HorizontalScan, Limits, RejectedSurge, Threshold,
    VerticalScan,
};
pub use findings::{Finding, Findings, Subject};
use verdict::Verdict;

use crate::combine::{Conversation, ConversationKey, Partial};
use crate::observe::Outcome;
use crate::signal::{Entity, Evidence, Kind, Severity, Signal};
use crate::window::{self, NetworkConfig, Scope, Window, elements_max, has_ports};

/// What went through the fold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Traffic records.
    pub records: u64,
    /// `NODATA` records.
    pub silent: u64,
    /// `SKIPDATA` records.
    pub blind: u64,
    /// Records with action REJECT, as counted towards their initiator.
    pub rejected: u64,
    /// Bytes, as logged.
    pub bytes: u64,
    /// Event time of the earliest record; 0 before the first.
    pub first_s: u64,
    /// Event time of the latest record.
    pub last_s: u64,
}

/// The fold.
#[derive(Debug)]
pub struct Detector {
    config: Config,
    network: NetworkConfig,
    window: Window,
    findings: Findings,
    ahead: Ahead,
    /// Entities to be judged again, in order of the pane.
    due: VecDeque<(Pane, Scope)>,
    totals: Totals,
}

/// A pair gets an exact byte sum when its estimate reaches this share of the floor.
const GATE_DIVISOR: u64 = 100;

impl Detector {
    /// An empty fold. `None` when a sketch cannot be made, which their constants exclude.
    #[must_use]
    pub fn new(
        config: Config,
        network: NetworkConfig,
        window: window::Config,
        key: HashKey,
    ) -> Option<Self> {
        let upload = (config.exfiltration.window_s, config.exfiltration.bytes / GATE_DIVISOR);
        Some(Self {
            window: Window::new(window, key, config.horizon_s(), upload)?,
            findings: Findings::new(key, config.limits.clone()),
            config,
            network,
            ahead: Ahead::default(),
            due: VecDeque::new(),
            totals: Totals::default(),
        })
    }

    /// Applies one batch. Each batch must be applied once: sums are not idempotent.
    pub fn apply(&mut self, partial: &Partial, emit: &mut dyn FnMut(Signal)) {
        self.totals.records += partial.records;
        self.totals.silent += partial.silent;
        for blind in &partial.blind {
            self.apply_blindness(blind, emit);
        }
        for (key, row) in &partial.conversations {
            self.count(row);
            self.window.volumes.count(key, row);
        }
        let (clock, horizon_panes) = (self.window.clock(), self.window.horizon_panes());
        let rows = self.ahead.admit(&partial.conversations, clock, horizon_panes);
        for (key, row) in rows.iter() {
            if !self.window.refuse_late(key.pane) {
                self.advance(key.pane, emit);
                self.apply_row(key, row, emit);
            }
        }
    }

    /// Judges what is still waiting for answers, at the end of the input. Open findings stay open.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Signal)) {
        self.ahead.finish();
        while let Some((due, scope)) = self.due.pop_front() {
            self.judge_due(due, scope, emit);
        }
    }

    /// Rows kept from the rules because their time was far ahead of all others.
    #[must_use]
    pub const fn implausible(&self) -> u64 {
        self.ahead.dropped()
    }

    /// The state of all entities.
    #[must_use]
    pub const fn window(&self) -> &Window {
        &self.window
    }

    /// The open findings.
    #[must_use]
    pub const fn findings(&self) -> &Findings {
        &self.findings
    }

    /// What went through.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    fn count(&mut self, row: &Conversation) {
        let totals = &mut self.totals;
        totals.rejected += u64::from(row.rejected);
        totals.bytes = totals.bytes.saturating_add(row.bytes_up).saturating_add(row.bytes_down);
        let is_first = totals.first_s == 0 || row.first_s < totals.first_s;
        totals.first_s = if is_first { row.first_s } else { totals.first_s };
        totals.last_s = totals.last_s.max(row.last_s);
    }

    fn apply_row(
        &mut self,
        key: &ConversationKey,
        row: &Conversation,
        emit: &mut dyn FnMut(Signal),
    ) {
        if self.network.allow_sources.contains(key.initiator) {
            return;
        }
        let scopes = self.window.update(key, row);
        // An answered service changes no count of failures; an answered ping counts towards a sweep.
        if !row.marks.contains(Outcome::Answered) || !has_ports(key.protocol) {
            for scope in scopes.into_iter().flatten() {
                self.judge_updated(scope, row.last_s, emit);
            }
        }
        if row.rejected > 0 {
            self.judge_rejections(key, row, emit);
        }
        if row.bytes_up > 0 {
            self.judge_upload(key, row, emit);
        }
    }

    /// Moves event time on: judges what falls due on the way, then closes what no longer holds.
    fn advance(&mut self, pane: Pane, emit: &mut dyn FnMut(Signal)) {
        if pane <= self.window.clock() {
            return;
        }
        while let Some(&(due, scope)) = self.due.front().filter(|(due, _)| *due <= pane) {
            self.due.pop_front();
            self.judge_due(due, scope, emit);
        }
        let through = self.window.clock();
        self.window.advance(pane);
        let (config, window) = (&self.config, &self.window);
        let check =
            |subject: &Subject, signal: &Signal| still_holds(config, window, subject, signal);
        for subject in self.findings.review(check, emit) {
            if let Subject::Scope(scope) = subject {
                self.window.mark_reported(&scope, through);
            }
        }
    }

    /// Judges an entity whose row has just been applied, and again when its open attempts have settled. An entity too large
    /// to count exactly costs microseconds to estimate, so it is not judged in between.
    fn judge_updated(&mut self, scope: Scope, last_s: u64, emit: &mut dyn FnMut(Signal)) {
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

    fn judge_due(&mut self, due: Pane, scope: Scope, emit: &mut dyn FnMut(Signal)) {
        self.window.clear_due(&scope);
        let settled = self.window.settled(due);
        if let Some(verdict) = verdict::judge(&self.config, &self.window, &scope, (due, settled)) {
            let newest = self.window.entity(&scope).and_then(|entity| entity.elements.newest());
            let last_s = self.window.start_s(newest.unwrap_or(due));
            return self.raise(scope, &verdict, last_s, emit);
        }
        let may_rise = self.window.entity(&scope).and_then(|entity| entity.elements.newest());
        let is_waiting = may_rise.is_some_and(|newest| newest > settled && newest <= due);
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

    fn wait(&mut self, scope: Scope, from: Pane) {
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
        signal.estimate_error = rounded(verdict.counts.standard_error);
        signal.first_seen_s = self.window.start_s(verdict.first).min(last_s);
        signal.last_seen_s = last_s;
        signal.evidence = self.evidence(&scope, signal.window_s);
        signal.evidence.attempted = Some(rounded(verdict.counts.seen));
        signal.evidence.answered = Some(answered);
        self.send(Subject::Scope(scope), signal, emit);
    }

    fn evidence(&self, scope: &Scope, window_s: u32) -> Evidence {
        let clock = self.window.clock();
        let first = self.window.range(window_s, clock).first;
        let mut evidence = Evidence {
            is_data_complete: !self.window.blind.is_any_since(first),
            ..Evidence::default()
        };
        let Some(entity) = self.window.entity(scope) else { return evidence };
        evidence.direction_confidence = entity.confidence.map(crate::observe::Confidence::label);
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

    fn send(&mut self, subject: Subject, signal: Signal, emit: &mut dyn FnMut(Signal)) {
        if let Some(signal) = self.findings.raise(subject, signal) {
            emit(signal);
        }
    }
}

/// Whether an open finding still holds at the window's clock; gives its present estimate if so.
fn still_holds(
    config: &Config,
    window: &Window,
    subject: &Subject,
    signal: &Signal,
) -> Option<u64> {
    let clock = window.clock();
    match (signal.kind, subject) {
        (Kind::DataGap, _) => {
            let quiet_since_s = window.start_s(clock).saturating_sub(signal.last_seen_s);
            (quiet_since_s < u64::from(signal.window_s)).then_some(signal.estimate)
        }
        (Kind::Exfiltration, Subject::Scope(Scope::Pair { source, target })) => {
            let bytes = window.volumes.upload((*source, *target), clock)?.bytes;
            (bytes >= signal.threshold).then_some(bytes)
        }
        (Kind::RejectedSurge, Subject::Scope(scope)) => {
            let surge = rejections::surge(window, scope, signal.window_s, signal.threshold)?;
            (surge.repeated >= signal.threshold).then_some(surge.repeated)
        }
        (_, Subject::Scope(scope)) => {
            let distinct = u32::try_from(signal.threshold).unwrap_or(u32::MAX);
            let opened = Threshold { window_s: signal.window_s, distinct };
            let verdict = verdict::still_holds(config, window, scope, &opened, clock)?;
            Some(rounded(verdict.estimate))
        }
        (_, Subject::Interface(_)) => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts from 0 to far below 2^53"
)]
fn rounded(count: f64) -> u64 {
    count.round().max(0.0) as u64
}

#[cfg(test)]
mod tests;
