//! Snapshots of a run, and who makes them.
//!
//! Time is an argument: how long the run has been going, in milliseconds, decides when the next snapshot is due.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::signal::{Signal, Status as Stage, format_time};

/// Findings in a snapshot; older ones make room.
const FINDINGS_MAX: usize = 200;
/// Points of the traffic series: what a small chart can show.
pub const POINTS_MAX: usize = 60;
/// Time between snapshots. A reader asks once per second; a few per second keep what it gets fresh.
const INTERVAL_MS: u64 = 250;

/// Whether there is more to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing has been read yet.
    #[default]
    Starting,
    /// Batches arrive.
    Running,
    /// The input has ended.
    Done,
}

/// What the edge knows of the run at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Progress {
    /// Traffic records.
    pub records: u64,
    /// Of these, with action REJECT.
    pub rejected_records: u64,
    /// Bytes, as logged.
    pub bytes: u64,
    /// Event time of the latest record; 0 before the first.
    #[serde(skip)]
    pub event_s: u64,
    /// Lines that could not be read.
    pub refused_lines: u64,
    /// Findings that are open now.
    pub open_findings: u64,
    /// Findings since the start.
    pub all_findings: u64,
    /// Hosts, pairs and services that are being watched.
    pub entities: u64,
    /// Bytes of all state.
    pub state_bytes: u64,
    /// Who sent most, first the greatest.
    pub top_talkers: Vec<Contributor>,
}

/// A host and what it sent.
#[derive(Clone, Debug, Serialize)]
pub struct Contributor {
    /// Its address.
    pub address: String,
    /// Bytes, never too low.
    pub bytes: u64,
    /// How much too high `bytes` may be.
    pub bytes_error: u64,
}

/// A finding with its latest signal.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Event time at which it was first told.
    pub opened: String,
    /// What was said last.
    #[serde(flatten)]
    pub latest: Signal,
}

/// How the event time of the run is laid out in the traffic series.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Event time of the first record that is expected.
    pub first_s: u64,
    /// Event time that the run will cover; the series holds all of it.
    pub span_s: u64,
}

/// Records per second of event time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Traffic {
    /// Event time of the first point.
    pub first: String,
    /// Seconds from one point to the next.
    pub point_s: u64,
    /// Points that the whole run will have.
    pub points_max: u64,
    /// Records per second, oldest first, at most [`POINTS_MAX`]; the last point is still being filled.
    pub records_per_s: Vec<u64>,
}

/// Everything that the page shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Whether there is more to come.
    pub state: State,
    /// What is being run.
    pub title: String,
    /// Event time of the latest record.
    pub event_time: Option<String>,
    /// Time on the wall since the start.
    pub elapsed_ms: u64,
    /// Records per second on the wall, over the last second or so.
    pub processed_per_s: u64,
    /// The counters.
    #[serde(flatten)]
    pub progress: Progress,
    /// Records per second of event time.
    pub traffic: Traffic,
    /// The newest findings, newest first.
    pub findings: Vec<Finding>,
    /// Findings against the truth, where there is one and the run is over.
    pub scorecard: Option<serde_json::Value>,
}

/// The newest snapshot.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Arc<Status>>);

impl Board {
    pub(super) fn newest(&self) -> Arc<Status> {
        // Nobody can panic while holding it: an `Arc` is cloned or replaced.
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, status: Arc<Status>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// Collects what happens and publishes it a few times per second.
#[derive(Debug)]
pub struct Publisher {
    board: Arc<Board>,
    title: String,
    meter: Meter,
    findings: VecDeque<Finding>,
    points: Vec<u64>,
    /// Records and event time counted so far, the latter from the beginning of the span.
    records: u64,
    reached_s: u64,
    due_ms: u64,
    /// When and at which count the present rate began to be measured.
    mark: (u64, u64),
    processed_per_s: u64,
}

impl Publisher {
    pub(super) fn new(board: Arc<Board>, title: &str, meter: Meter) -> Self {
        let publisher = Self {
            board,
            title: title.to_owned(),
            meter,
            findings: VecDeque::new(),
            points: Vec::new(),
            records: 0,
            reached_s: 0,
            due_ms: 0,
            mark: (0, 0),
            processed_per_s: 0,
        };
        publisher.publish(State::Starting, 0, Progress::default(), None);
        publisher
    }

    /// Takes in a signal; it appears with the next snapshot.
    pub fn signal(&mut self, signal: &Signal) {
        let known = self.findings.iter_mut().find(|finding| finding.latest.id == signal.id);
        if let Some(finding) = known {
            finding.latest = signal.clone();
        } else if signal.status == Stage::Open {
            self.findings.truncate(FINDINGS_MAX - 1);
            let opened = format_time(signal.last_seen_s);
            self.findings.push_front(Finding { opened, latest: signal.clone() });
        }
    }

    /// Takes in the end of a batch, `elapsed_ms` after the start; publishes if a snapshot is due.
    pub fn batch(
        &mut self,
        elapsed_ms: u64,
        (records, event_s): (u64, u64),
        progress: impl FnOnce() -> Progress,
    ) {
        self.count(records, event_s);
        if elapsed_ms < self.due_ms {
            return;
        }
        self.due_ms = elapsed_ms + INTERVAL_MS;
        self.measure(elapsed_ms, records);
        self.publish(State::Running, elapsed_ms, progress(), None);
    }

    /// Publishes the last snapshot.
    pub fn finish(
        &mut self,
        elapsed_ms: u64,
        progress: Progress,
        scorecard: Option<serde_json::Value>,
    ) {
        self.processed_per_s = per_second(progress.records, elapsed_ms);
        self.publish(State::Done, elapsed_ms, progress, scorecard);
    }

    /// Spreads the records since the last call evenly over the event time since then. Event time outside the span counts
    /// at its ends.
    fn count(&mut self, records: u64, event_s: u64) {
        let reached_s = event_s.saturating_sub(self.meter.first_s).min(self.meter.span_s);
        let from_s = self.reached_s.min(reached_s);
        let point_s = self.point_s();
        let last = self.point(reached_s);
        if self.points.len() <= last {
            self.points.resize(last + 1, 0);
        }
        let fresh = records.saturating_sub(self.records);
        let mut left = fresh;
        for (point, start_s) in (0..last).zip((0..).step_by(usize::try_from(point_s).unwrap_or(1)))
        {
            let covered_s = (start_s + point_s).saturating_sub(from_s.max(start_s));
            let share = fresh.saturating_mul(covered_s) / (reached_s - from_s).max(1);
            self.points[point] += share;
            left -= share;
        }
        self.points[last] += left;
        self.records = self.records.max(records);
        self.reached_s = self.reached_s.max(reached_s);
    }

    fn point(&self, passed_s: u64) -> usize {
        usize::try_from(passed_s / self.point_s()).unwrap_or(usize::MAX).min(POINTS_MAX - 1)
    }

    fn point_s(&self) -> u64 {
        self.meter.span_s.div_ceil(POINTS_MAX as u64).max(1)
    }

    fn measure(&mut self, elapsed_ms: u64, records: u64) {
        let (since_ms, since_records) = self.mark;
        let passed_ms = elapsed_ms.saturating_sub(since_ms);
        if passed_ms >= 1000 || (since_ms == 0 && passed_ms >= INTERVAL_MS) {
            self.processed_per_s = per_second(records.saturating_sub(since_records), passed_ms);
        }
        if passed_ms >= 1000 {
            self.mark = (elapsed_ms, records);
        }
    }

    fn publish(
        &self,
        state: State,
        elapsed_ms: u64,
        progress: Progress,
        scorecard: Option<serde_json::Value>,
    ) {
        let point_s = self.point_s();
        self.board.replace(Arc::new(Status {
            state,
            title: self.title.clone(),
            event_time: (progress.event_s > 0).then(|| format_time(progress.event_s)),
            elapsed_ms,
            processed_per_s: self.processed_per_s,
            progress,
            traffic: Traffic {
                first: format_time(self.meter.first_s),
                point_s,
                points_max: self.meter.span_s.div_ceil(point_s),
                records_per_s: self.points.iter().map(|records| records / point_s).collect(),
            },
            findings: self.findings.iter().cloned().collect(),
            scorecard,
        }));
    }
}

fn per_second(records: u64, passed_ms: u64) -> u64 {
    records.saturating_mul(1000) / passed_ms.max(1)
}

#[cfg(test)]
mod tests;
