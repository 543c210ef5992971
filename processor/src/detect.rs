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
mod scan;
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

use crate::combine::{Conversation, ConversationKey, Partial};
use crate::signal::{Kind, Signal};
use crate::window::{self, NetworkConfig, Scope, Sought, Window, has_ports};

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

/// So many rows before a row is applied its entities are sought.
const SOUGHT_AHEAD: usize = 8;
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
        let mut sought = VecDeque::with_capacity(SOUGHT_AHEAD);
        sought.extend(rows.iter().take(SOUGHT_AHEAD).map(|(key, _)| self.window.seek(key)));
        for (place, (key, row)) in rows.iter().enumerate() {
            let Some(entities) = sought.pop_front() else { return };
            if let Some((later, _)) = rows.get(place + SOUGHT_AHEAD) {
                sought.push_back(self.window.seek(later));
            }
            if !self.window.refuse_late(key.pane) {
                self.advance(key.pane, emit);
                self.apply_row(key, row, &entities, emit);
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
        entities: &Sought,
        emit: &mut dyn FnMut(Signal),
    ) {
        if self.network.allow_sources.contains(key.initiator) {
            return;
        }
        let scopes = self.window.update(key, row, entities);
        // An answered service changes no count of failures; an answered ping counts towards a sweep.
        if row.has_failed_attempt() || !has_ports(key.protocol) {
            for scope in scopes.into_iter().flatten() {
                self.judge_updated(scope, row.last_s, emit);
            }
        }
        if row.rejected > 0 {
            self.judge_rejections(key, row, emit);
        }
        if row.bytes_up > row.bytes_rejected {
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
        for (kind, subject) in self.findings.review(check, emit) {
            // Surges and uploads rest on sums, and take no failed attempts with them.
            if let Subject::Scope(scope) = subject
                && kind.is_scan()
            {
                self.window.mark_reported(&scope, through);
            }
        }
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
