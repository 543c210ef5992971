//! What the fold tells a run of the service: signals to the sink, refusals to the dead letters, and to the sources what was
//! applied.

use std::io;

use crate::batch::BatchId;
use crate::decode::Letters;
use crate::decode::health::Change;
use crate::detect::Detector;
use crate::pipeline::{Observer, Outcome};
use crate::signal::{Signal, Status};
use crate::sink::JsonLines;
use crate::sink::dead_letters::DeadLetters;
use crate::source::inlet::Problem;
use crate::source::kinesis::Ledger;
use crate::source::receipts::{self, Receipts};
use crate::source::stop::Stop;
use crate::telemetry::metrics::Fold;

/// Whoever watches the fold.
pub(super) struct Watcher {
    pub(super) sink: JsonLines,
    pub(super) letters: Option<DeadLetters>,
    /// Whether some of the batch that is being folded were left out.
    pub(super) leaves_letters_out: bool,
    pub(super) told: Told,
    pub(super) stop: Stop,
    pub(super) fold: Fold,
    pub(super) failure: Option<anyhow::Error>,
}

/// Who must know what was applied.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Shards of Kinesis, to checkpoint it.
    pub(super) ledger: Ledger,
    /// Whatever was sent a single batch or object: to answer it, or delete a message.
    pub(super) receipts: Receipts,
}

impl Watcher {
    /// What cannot be written must not be checkpointed, answered or deleted: it is delivered again.
    fn fail(&mut self, error: io::Error, context: &'static str) {
        if self.failure.is_none() {
            tracing::error!(%error, context, "stopping");
            self.failure = Some(anyhow::Error::new(error).context(context));
            self.told.ledger.abandon();
            self.told.receipts.abandon();
            self.stop.stop();
        }
    }
}

impl Observer<Problem> for Watcher {
    fn signal(&mut self, signal: Signal) {
        match self.sink.write(&signal) {
            Ok(()) => self.fold.signalled(),
            Err(error) => self.fail(error, "cannot write signals"),
        }
    }

    fn refused(&mut self, letters: &Letters) {
        let written = self.letters.as_mut().map(|sink| sink.write(letters));
        match written {
            Some(Ok(all_kept)) => self.leaves_letters_out = !all_kept,
            Some(Err(error)) => self.fail(error, "cannot write dead letters"),
            None => {}
        }
    }

    fn batch(&mut self, id: &BatchId, detector: &Detector, outcome: &Outcome) {
        let findings = detector.findings();
        let totals = detector.totals();
        let refused = outcome.refusals.total();
        self.fold.folded(
            outcome.batches,
            (totals.records, totals.bytes),
            refused,
            findings.opened(),
        );
        self.fold.repeated(outcome.repeats);
        let state_bytes = detector.window().memory_bytes();
        self.fold.holds(findings.iter().count() as u64, state_bytes as u64);
        let letters = if std::mem::take(&mut self.leaves_letters_out) {
            receipts::Letters::LeftOut
        } else {
            receipts::Letters::Kept
        };
        if self.failure.is_none() {
            self.told.ledger.applied(id);
            self.told.receipts.applied(id, letters);
        }
    }

    fn health(&mut self, change: Change) {
        match change {
            Change::Raised(problem) => tracing::warn!(%problem, "a format does not fit"),
            Change::Cleared(origin) => {
                tracing::info!(key = %origin.key, log_group = %origin.log_group, "the format fits again");
            }
        }
    }

    fn problem(&mut self, problem: Problem) {
        tracing::error!(%problem, "data gap");
        let Problem::Gap { shard, at_unix_ms } = problem;
        // It is over when it is noticed.
        let gap = Signal::shard_gap(&shard, at_unix_ms / 1000);
        self.signal(gap.clone());
        self.signal(Signal { status: Status::Closed, ..gap });
    }
}
