//! `flowscout run`: streams in, signals out, until SIGTERM.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::replay::{check_formats, now};
use super::report::{Report, Told};
use super::{
    Failure, aws, detection, detector, io_failure, listen_failure, misuse, open_letters,
    random_number, terminal,
};
use crate::batch::BatchId;
use crate::cli::{Detection, Format, ReportFormat, Run};
use crate::config::Config;
use crate::decode::Letters;
use crate::decode::health::Change;
use crate::detect::Detector;
use crate::lease::{self, Coordinator, Event, Handle, StartError, StoreError, Timing};
use crate::pipeline::{self, Observer, Outcome};
use crate::signal::{Signal, Status};
use crate::sink::JsonLines;
use crate::sink::dead_letters::DeadLetters;
use crate::source::kinesis::{self, Kinesis, Ledger, Parts, Problem, Stop, StoreKind};
use crate::telemetry::metrics::{Fold, Metrics};
use crate::telemetry::shards::Shards;
use crate::web::MetricsServer;

pub(super) fn run(options: &Run) -> Result<ExitCode, Failure> {
    let detection_options =
        Detection { config: Some(options.config.clone()), preset: None, workers: options.workers };
    let (config, settings, mut notes) = detection(&detection_options, &Format { format: vec![] })?;
    notes.extend(check_formats(&settings.formats)?);
    notes.iter().for_each(|note| terminal::complain(note));
    if config.sources.kinesis.streams.is_empty() {
        let path = options.config.display();
        let hint = "sources.kinesis.streams is empty: there is nothing to read";
        return Err(misuse(anyhow!("{path}: {hint}")));
    }
    let (shards, fold) = (Shards::default(), Fold::default());
    let metrics = Metrics::of(&shards, &fold);
    let server = options.listen.map(|address| MetricsServer::start(address, metrics)).transpose();
    let server = server.map_err(listen_failure)?;
    let letters = open_letters(&config.dead_letters, LETTERS_WAIT_MAX)?;
    let sink = open_sink(&options.signals)?;
    let mut detector = detector(&config, &settings)?;
    let (kinesis, batches) = start(&config, shards)?;
    let mut observer = Watcher {
        sink,
        letters,
        ledger: kinesis.ledger().clone(),
        stop: kinesis.stop_handle(),
        fold,
        failure: None,
    };
    stop_on_signals(kinesis.stop_handle())?;
    if let Some(server) = &server {
        tracing::info!(address = %server.address(), "serves /metrics");
    }
    let started = now();
    let outcome = pipeline::run(batches, &settings, &mut detector, &mut observer);
    let ended = kinesis.join();
    let letters = observer.letters.take().map(|letters| letters.finish());
    let problem = letters.as_ref().and_then(|kept| kept.failure.as_ref()).map(ToString::to_string);
    let told = Told {
        findings: &[],
        problems: problem.as_slice(),
        notes: &notes,
        letters: letters.map(|kept| (kept.letters, kept.left_out)),
    };
    let report = Report::new(&detector, &outcome, started.elapsed(), told);
    report.print(ReportFormat::Text).map_err(io_failure)?;
    if let Some(failure) = observer.failure {
        return Err(io_failure(failure));
    }
    ended.map_err(io_failure)?;
    Ok(ExitCode::SUCCESS)
}

/// A stream does not wait: letters that find no room on their way to a bucket are left out, and counted.
const LETTERS_WAIT_MAX: Duration = Duration::ZERO;

fn open_sink(path: &Path) -> Result<JsonLines, Failure> {
    let sink = JsonLines::append(path);
    sink.with_context(|| format!("{}: cannot open", path.display())).map_err(io_failure)
}

/// The leases' thread, then the shards'.
fn start(config: &Config, meters: Shards) -> Result<(Kinesis, kinesis::Batches), Failure> {
    let config = &config.sources.kinesis;
    let sdk = aws::config()?;
    let (leases, events) = coordinate(config, &sdk)?;
    let client = aws::kinesis(&sdk, &config.endpoint_url);
    let parts = Parts { client, leases, events, meters };
    Kinesis::start(config.clone(), parts).context("cannot start reading").map_err(io_failure)
}

fn coordinate(
    config: &kinesis::Config,
    sdk: &aws_config::SdkConfig,
) -> Result<(Handle, tokio::sync::mpsc::Receiver<Event>), Failure> {
    let leases = &config.leases;
    let timing = Timing {
        duration_ms: leases.duration_s * 1000,
        handoff_timeout_ms: leases.handoff_s_max * 1000,
        leases_max: leases.held_max,
    };
    let started = match leases.store {
        StoreKind::Dynamodb => {
            let client = aws::dynamodb(sdk, &leases.endpoint_url);
            let (table, creates) = (config.table().to_owned(), leases.creates_table);
            let store = move || async move { Ok(lease::DynamoDb::new(client, &table, creates)) };
            Coordinator::start(store, worker_id(&leases.worker_id), timing)
        }
        StoreKind::Local => {
            let path = leases.path.clone();
            let store = move || async move { lease::Local::open(Path::new(&path)) };
            // One task alone: whatever an earlier run of it held is its own.
            Coordinator::start(store, "local".into(), timing)
        }
    };
    started.map_err(|error| match error {
        StartError::Store(StoreError::Unusable(_)) => misuse(anyhow!(error)),
        error => io_failure(anyhow!(error)),
    })
}

/// Tells tasks apart for people, by the host, and for certain, by a number.
fn worker_id(configured: &str) -> Arc<str> {
    if !configured.is_empty() {
        return configured.into();
    }
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "flowscout" } else { host.trim() };
    format!("{host}-{:016x}", random_number()).into()
}

/// ECS kills a task 30 s after SIGTERM unless it is told otherwise (`stopTimeout`).
const STOP_MAX: Duration = Duration::from_secs(25);

/// SIGTERM and Ctrl-C end the run in good order; a second one ends it at once, and so does a data path that cannot be waited for.
fn stop_on_signals(stop: Stop) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot wait for signals").map_err(io_failure)?;
    let entered = runtime.enter();
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    drop(entered);
    let [mut terminate, mut interrupt] = signals;
    let wait = move || {
        runtime.block_on(async move {
            let (Ok(terminate), Ok(interrupt)) = (&mut terminate, &mut interrupt) else { return };
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::info!("stopping");
            stop.stop();
            let code = tokio::select! {
                _ = terminate.recv() => 130,
                _ = interrupt.recv() => 130,
                () = tokio::time::sleep(STOP_MAX) => 1,
            };
            // The leases are released by then, or expire.
            tracing::error!("ended before all that was read was applied: it is read again");
            std::process::exit(code);
        });
    };
    let thread = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
    thread.context("cannot wait for signals").map_err(io_failure).map(drop)
}

struct Watcher {
    sink: JsonLines,
    letters: Option<DeadLetters>,
    ledger: Ledger,
    stop: Stop,
    fold: Fold,
    failure: Option<anyhow::Error>,
}

impl Watcher {
    /// What cannot be written must not be checkpointed: the next run reads it again.
    fn fail(&mut self, error: io::Error, context: &'static str) {
        if self.failure.is_none() {
            tracing::error!(%error, context, "stopping");
            self.failure = Some(anyhow::Error::new(error).context(context));
            self.ledger.abandon();
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
        if let Some(Err(error)) = written {
            self.fail(error, "cannot write dead letters");
        }
    }

    fn batch(&mut self, id: &BatchId, detector: &Detector, outcome: &Outcome) {
        let findings = detector.findings();
        let totals = detector.totals();
        let refused = outcome.refusals.total();
        self.fold.folded((totals.records, totals.bytes), refused, findings.opened());
        let state_bytes = detector.window().memory_bytes();
        self.fold.holds(findings.iter().count() as u64, state_bytes as u64);
        if self.failure.is_none() {
            self.ledger.applied(id);
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
