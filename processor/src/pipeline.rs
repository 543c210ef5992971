//! Threads and bounded queues: the life of a batch.
//!
//! One thread reads, `workers` threads decode and combine, and the calling thread folds. Every queue is bounded, so a slow
//! fold slows the reader instead of filling memory, and what waits is at most [`batches_in_flight_max`] batches.

use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use sketches::hash::HashKey;

use crate::batch::{Batch, BatchId};
use crate::combine::{Combiner, Partial};
use crate::decode::health::{Change, Health, Threshold};
use crate::decode::{
    self, Decoded, Decoder, Formats, Letters, Limits, RecordParser, Records, Refusals,
};
use crate::detect::Detector;
use crate::flow::Line;
use crate::journal;
pub use crate::journal::APPLIED_BYTES_MAX;
use crate::signal::Signal;

/// How many threads, and how the core is keyed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that decode and combine; at least 1.
    pub workers: usize,
    /// The deployment's secret.
    pub key: HashKey,
    /// Width of a pane in seconds.
    pub pane_s: u32,
    /// How lines without a header are written.
    pub formats: Arc<Formats>,
    /// How much may be peeled from one payload.
    pub limits: Limits,
    /// When refusals are a problem.
    pub health: Threshold,
}

impl Settings {
    /// With the defaults of decoding.
    #[must_use]
    pub fn new(workers: usize, key: HashKey, pane_s: u32) -> Self {
        let decode = decode::Config::default();
        let (limits, health) = (decode.limits(), decode.threshold());
        Self { workers, key, pane_s, formats: Arc::default(), limits, health }
    }
}

/// What the calling thread sees of the run.
pub trait Observer<E> {
    /// A rule fired.
    fn signal(&mut self, signal: Signal);
    /// A batch was folded, after its signals and refusals were told, or was ignored since it had been before: nothing of it is
    /// under way any more.
    fn batch(&mut self, id: &BatchId, detector: &Detector, outcome: &Outcome);
    /// The source could not read something, and went on.
    fn problem(&mut self, problem: E);
    /// A batch held what could not be read.
    fn refused(&mut self, _letters: &Letters) {}
    /// Too many lines of an origin are refused, or no longer.
    fn health(&mut self, _change: Change) {}
}

/// What remains of a run beside the detector's state.
#[derive(Debug)]
pub struct Outcome {
    /// Lines that could not be read.
    pub refusals: Refusals,
    /// Whether too many of them were.
    pub health: Health,
    /// Batches folded.
    pub batches: u64,
    /// Batches that a source delivered again after they were folded: they count once.
    pub repeats: u64,
}

/// Batches that can be under way at once: in both queues, in the workers' hands, and waiting for an earlier one.
#[must_use]
pub const fn batches_in_flight_max(workers: usize) -> usize {
    QUEUED_PER_WORKER * workers * 2 + workers * 2
}

const QUEUED_PER_WORKER: usize = 1;

/// Carries every batch of `source` through decode, observe, combine and the fold, in the order of the source.
pub fn run<E: Send>(
    source: impl Iterator<Item = Result<Batch, E>> + Send,
    settings: &Settings,
    detector: &mut Detector,
    observer: &mut impl Observer<E>,
) -> Outcome {
    let workers = settings.workers.max(1);
    let (to_workers, batches) = bounded(QUEUED_PER_WORKER * workers);
    let (to_fold, combined) = bounded(QUEUED_PER_WORKER * workers);
    thread::scope(|scope| {
        scope.spawn(move || read(source, &to_workers));
        for _ in 0..workers {
            let (batches, to_fold) = (batches.clone(), to_fold.clone());
            scope.spawn(move || work(&batches, &to_fold, settings));
        }
        drop((batches, to_fold));
        fold(combined, settings, detector, observer)
    })
}

/// Carries batches through the pure core up to their partials: bytes, lines, records, observations, rows. One per
/// thread; it keeps buffers, and nothing of a batch.
#[derive(Debug)]
pub struct Worker {
    decoder: Decoder,
    parser: RecordParser,
    combiner: Combiner,
}

impl Worker {
    /// As `settings` say.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            decoder: Decoder::new(Arc::clone(&settings.formats), settings.limits),
            parser: RecordParser::new(settings.limits),
            combiner: Combiner::new(settings.key, settings.pane_s),
        }
    }

    /// One batch.
    pub fn combine(&mut self, batch: &Batch) -> (Partial, Decoded) {
        let Self { decoder, parser, combiner } = self;
        let mut records = Records::new(parser, |line: Line<'_>| match line {
            Line::Flow(record) => combiner.add(&record),
            Line::Silence => combiner.add_silent(),
            Line::Blind { interface_id, start_s, end_s } => {
                combiner.add_blind(interface_id, start_s, end_s);
            }
        });
        let decoded = decoder.decode(batch, &mut records);
        (combiner.finish(batch.id.clone()), decoded)
    }
}

type Numbered<T> = (u64, T);

fn read<E>(
    source: impl Iterator<Item = Result<Batch, E>>,
    to_workers: &Sender<Numbered<Result<Batch, E>>>,
) {
    for numbered in (0..).zip(source) {
        if to_workers.send(numbered).is_err() {
            return;
        }
    }
}

fn work<E>(
    batches: &Receiver<Numbered<Result<Batch, E>>>,
    to_fold: &Sender<Numbered<Result<(Partial, Decoded), E>>>,
    settings: &Settings,
) {
    let mut worker = Worker::new(settings);
    for (position, batch) in batches {
        let combined = batch.map(|batch| {
            let combined = worker.combine(&batch);
            let (records, rows) = (combined.0.records, combined.0.conversations.len());
            let refused = combined.1.refusals.total();
            tracing::debug!(batch = %batch.id, records, rows, refused, "combined");
            combined
        });
        if to_fold.send((position, combined)).is_err() {
            return;
        }
    }
}

/// Owns its end of the queue: should it panic, the workers see the queue close and end, instead of waiting for it.
fn fold<E>(
    combined: Receiver<Numbered<Result<(Partial, Decoded), E>>>,
    settings: &Settings,
    detector: &mut Detector,
    observer: &mut impl Observer<E>,
) -> Outcome {
    let mut journal = journal::Memory::new();
    let mut applied = journal::Applied::new(settings.key);
    let health = Health::new(settings.health);
    let mut outcome = Outcome { refusals: Refusals::default(), health, batches: 0, repeats: 0 };
    for (position, entry) in combined {
        journal.append(position, entry);
        while let Some(entry) = journal.take_next() {
            match entry {
                Ok((partial, _)) if !applied.is_new(&partial.id) => {
                    tracing::debug!(batch = %partial.id, "was folded before");
                    outcome.repeats += 1;
                    observer.batch(&partial.id, detector, &outcome);
                }
                Ok((partial, decoded)) => {
                    outcome.refusals.merge(&decoded.refusals);
                    if decoded.refusals.total() > 0 {
                        observer.refused(&decoded.letters);
                    }
                    for change in outcome.health.apply(&decoded.tallies) {
                        observer.health(change);
                    }
                    outcome.batches += 1;
                    detector.apply(&partial, &mut |signal| observer.signal(signal));
                    tracing::debug!(batch = %partial.id, "folded");
                    observer.batch(&partial.id, detector, &outcome);
                }
                Err(problem) => observer.problem(problem),
            }
        }
    }
    detector.finish(&mut |signal| observer.signal(signal));
    outcome
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;
    use crate::batch::{Content, Lines};
    use crate::{detect, window};

    struct Fragile;

    impl Observer<Infallible> for Fragile {
        fn signal(&mut self, _signal: Signal) {}
        fn batch(&mut self, _id: &BatchId, _detector: &Detector, _outcome: &Outcome) {
            panic!("the watcher broke");
        }
        fn problem(&mut self, _problem: Infallible) {}
    }

    #[test]
    fn a_fold_that_panics_ends_the_run_instead_of_hanging_it() {
        let (done, ended) = sync_channel(1);
        thread::spawn(move || {
            let key = HashKey::new(1, 2);
            let batches = (0..1000).map(|offset_bytes| {
                let id = BatchId::at("test".into(), offset_bytes);
                let bytes = b"nonsense\n".to_vec();
                let lines = Lines { first_line: 1, bytes, layout: None };
                Ok(Batch { id, content: Content::Lines(lines) })
            });
            let settings = Settings::new(2, key, 30);
            let rules = detect::Config::default();
            let (network, window) = (window::NetworkConfig::default(), window::Config::default());
            let mut detector = Detector::new(rules, network, window, key).unwrap();
            let run = std::panic::AssertUnwindSafe(|| {
                run(batches, &settings, &mut detector, &mut Fragile);
            });
            done.send(std::panic::catch_unwind(run).is_err()).unwrap();
        });
        assert!(ended.recv_timeout(Duration::from_secs(30)).unwrap(), "the panic is passed on");
    }
}
