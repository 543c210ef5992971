//! Threads and bounded queues: the life of a batch.
//!
//! One thread reads, `workers` threads decode and combine, and the calling thread folds. Every queue is bounded, so a slow
//! fold slows the reader instead of filling memory, and what waits is at most [`batches_in_flight_max`] batches.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use sketches::hash::HashKey;

use crate::batch::Batch;
use crate::combine::{Combiner, Partial};
use crate::decode::{Position, Refusals, Splitter, lines, parse_line};
use crate::detect::Detector;
use crate::flow::Line;
use crate::journal;
use crate::signal::Signal;

/// How many threads, and how the core is keyed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Threads that decode and combine; at least 1.
    pub workers: usize,
    /// The deployment's secret.
    pub key: HashKey,
    /// Width of a pane in seconds.
    pub pane_s: u32,
}

/// What the calling thread sees of the run.
pub trait Observer<E> {
    /// A rule fired.
    fn signal(&mut self, signal: Signal);
    /// A batch was folded.
    fn batch(&mut self, detector: &Detector, outcome: &Outcome);
    /// The source could not read something, and went on.
    fn problem(&mut self, problem: E);
}

/// What remains of a run beside the detector's state.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Lines that could not be read.
    pub refusals: Refusals,
    /// Batches folded.
    pub batches: u64,
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
    settings: Settings,
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
        fold(combined, detector, observer)
    })
}

/// One batch through the pure core up to its partial: bytes, lines, records, observations, rows.
pub fn combine_batch(
    batch: &Batch,
    splitter: &mut Splitter,
    combiner: &mut Combiner,
) -> (Partial, Refusals) {
    let mut refusals = Refusals::default();
    for (number, line) in lines(&batch.bytes, batch.first_line) {
        match parse_line(line, &batch.layout, splitter, &mut refusals.oddities) {
            Ok(Line::Flow(record)) => combiner.add(&record),
            Ok(Line::Silence) => combiner.add_silent(),
            Ok(Line::Blind { interface_id, start_s, end_s }) => {
                combiner.add_blind(interface_id, start_s, end_s);
            }
            Err(refusal) => refusals.count(refusal, &batch.id.source, Position::line(number), line),
        }
    }
    (combiner.finish(batch.id.clone()), refusals)
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
    to_fold: &Sender<Numbered<Result<(Partial, Refusals), E>>>,
    settings: Settings,
) {
    let mut splitter = Splitter::default();
    let mut combiner = Combiner::new(settings.key, settings.pane_s);
    for (position, batch) in batches {
        let combined = batch.map(|batch| {
            let (partial, refusals) = combine_batch(&batch, &mut splitter, &mut combiner);
            let (records, rows) = (partial.records, partial.conversations.len());
            tracing::debug!(batch = %batch.id, records, rows, refused = refusals.total(), "combined");
            (partial, refusals)
        });
        if to_fold.send((position, combined)).is_err() {
            return;
        }
    }
}

/// Owns its end of the queue: should it panic, the workers see the queue close and end, instead of waiting for it.
fn fold<E>(
    combined: Receiver<Numbered<Result<(Partial, Refusals), E>>>,
    detector: &mut Detector,
    observer: &mut impl Observer<E>,
) -> Outcome {
    let mut journal = journal::Memory::new();
    let mut outcome = Outcome::default();
    for (position, entry) in combined {
        journal.append(position, entry);
        while let Some(entry) = journal.take_next() {
            match entry {
                Ok((partial, refusals)) => {
                    outcome.refusals.merge(&refusals);
                    outcome.batches += 1;
                    detector.apply(&partial, &mut |signal| observer.signal(signal));
                    tracing::debug!(batch = %partial.id, "folded");
                    observer.batch(detector, &outcome);
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
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;
    use crate::batch::BatchId;
    use crate::flow::Layout;
    use crate::{detect, window};

    struct Fragile;

    impl Observer<Infallible> for Fragile {
        fn signal(&mut self, _signal: Signal) {}
        fn batch(&mut self, _detector: &Detector, _outcome: &Outcome) {
            panic!("the watcher broke");
        }
        fn problem(&mut self, _problem: Infallible) {}
    }

    #[test]
    fn a_fold_that_panics_ends_the_run_instead_of_hanging_it() {
        let (done, ended) = sync_channel(1);
        thread::spawn(move || {
            let key = HashKey::new(1, 2);
            let layout = Arc::new(Layout::default_version_2());
            let batches = (0..1000).map(move |offset_bytes| {
                let id = BatchId { source: "test".into(), offset_bytes };
                let bytes = b"nonsense\n".to_vec();
                Ok(Batch { id, first_line: 1, bytes, layout: Arc::clone(&layout) })
            });
            let settings = Settings { workers: 2, key, pane_s: 30 };
            let rules = detect::Config::default();
            let (network, window) = (window::NetworkConfig::default(), window::Config::default());
            let mut detector = Detector::new(rules, network, window, key).unwrap();
            let run = std::panic::AssertUnwindSafe(|| {
                run(batches, settings, &mut detector, &mut Fragile);
            });
            done.send(std::panic::catch_unwind(run).is_err()).unwrap();
        });
        assert!(ended.recv_timeout(Duration::from_secs(30)).unwrap(), "the panic is passed on");
    }
}
