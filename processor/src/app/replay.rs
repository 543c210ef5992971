//! `flowscout replay`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;

use super::inputs::Found;
use super::report::{Report, Told};
use super::{Failure, detection, detector, io_failure, misuse, open_letters, terminal};
use crate::batch::BatchId;
use crate::cli::{Replay, ReportFormat};
use crate::config::Config;
use crate::decode::health::Change;
use crate::decode::{Formats, Letters};
use crate::detect::Detector;
use crate::flow::LayoutError;
use crate::pipeline::{self, Observer, Outcome};
use crate::signal::{Signal, Status};
use crate::sink::JsonLines;
use crate::sink::dead_letters::{self, DeadLetters};
use crate::source::SourceError;
use crate::source::ahead::Inputs;
use crate::source::object::Period;
use crate::source::parquet::Columns;

pub(super) fn run(options: &Replay) -> Result<ExitCode, Failure> {
    let (config, settings, mut notes) = detection(&options.detection, &options.format)?;
    notes.extend(check_formats(&settings.formats)?);
    if options.report != ReportFormat::Json {
        notes.iter().for_each(|note| terminal::complain(note));
    }
    let found = Found::among(&options.paths, period(options)?)?;
    let dead_letters = dead_letters(options, &config);
    refuse_input_as_output("--signals", options.signals.as_deref(), &found)?;
    refuse_input_as_output("dead letters", Some(Path::new(&dead_letters.path)), &found)?;
    // First, since a mistake in the name of a bucket must not cost the signals of an earlier run.
    let letters = open_letters(&dead_letters, LETTERS_WAIT_MAX)?;
    let sink = options.signals.as_deref().map(open_sink).transpose()?;
    let mut detector = detector(&config, &settings)?;
    let bar = terminal::progress(found.bytes(), "{bar:40} {percent}% {msg} ETA {eta}");
    let runtime = found.handle();
    let inputs = Inputs::new(found.inputs, Columns::Used, runtime);
    let mut observer = Watcher {
        consumed_bytes: inputs.consumed_bytes(),
        bar,
        sink,
        letters,
        failure: None,
        findings: Vec::new(),
        problems: Vec::new(),
    };
    let started = now();
    tracing::info!(workers = settings.workers, "replay begins");
    let outcome = pipeline::run(inputs, &settings, &mut detector, &mut observer);
    let elapsed = started.elapsed();
    let letters = observer.finish_letters();
    observer.bar.finish_and_clear();
    if let Some(failure) = observer.failure {
        return Err(io_failure(failure));
    }
    // The JSON report holds notes and problems itself, so that standard error is one JSON object.
    if options.report != ReportFormat::Json {
        observer.problems.iter().for_each(|problem| terminal::complain(problem));
    }
    observer.refresh(&detector);
    let (findings, problems) = (&observer.findings[..], &observer.problems[..]);
    let told = Told { findings, problems, notes: &notes, letters };
    Report::new(&detector, &outcome, elapsed, told).print(options.report).map_err(io_failure)?;
    let (records, findings) = (detector.totals().records, detector.findings().opened());
    tracing::info!(records, refused = outcome.refusals.total(), findings, "replay ended");
    let is_whole = observer.problems.is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The edge of the program may read the clock, to say how long it took.
#[expect(clippy::disallowed_methods, reason = "measures the run, never reaches the core")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// A replay can wait for a slow bucket, longer than an object is tried to be put.
const LETTERS_WAIT_MAX: Duration = Duration::from_secs(60);

pub(super) fn open_sink(path: &Path) -> Result<JsonLines, Failure> {
    JsonLines::create(path)
        .with_context(|| format!("{}: cannot create", path.display()))
        .map_err(io_failure)
}

/// Creating the output would empty a file that is about to be read.
fn refuse_input_as_output(what: &str, output: Option<&Path>, found: &Found) -> Result<(), Failure> {
    let Some(Ok(output)) = output.map(Path::canonicalize) else { return Ok(()) };
    let is_input =
        found.files().any(|input| input.canonicalize().is_ok_and(|input| input == output));
    if is_input {
        let path = output.display();
        return Err(misuse(anyhow!("{what}: {path} is one of the files to be read")));
    }
    Ok(())
}

/// Detection needs addresses and a time in every format, and ports to tell a scan.
pub(super) fn check_formats(formats: &Formats) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    for format in formats.iter() {
        let key = format.key();
        for layout in format.layouts() {
            let error = |error: LayoutError| misuse(anyhow!("{key}: {error}"));
            layout.require_detection_fields().map_err(error)?;
            let missing = layout.missing_for_scans().into_iter();
            notes.extend(
                missing.map(|name| format!("{key}: it has no {name}, so no scan can be told")),
            );
        }
    }
    Ok(notes)
}

fn dead_letters(options: &Replay, config: &Config) -> dead_letters::Config {
    let mut dead_letters = config.dead_letters.clone();
    if let Some(path) = &options.dead_letters {
        dead_letters.path = path.to_string_lossy().into_owned();
    }
    dead_letters
}

/// `None` when neither end is given.
fn period(options: &Replay) -> Result<Option<Period>, Failure> {
    if options.from.is_none() && options.to.is_none() {
        return Ok(None);
    }
    let Period { from_s, to_s } = Period::ALWAYS;
    let period =
        Period { from_s: options.from.unwrap_or(from_s), to_s: options.to.unwrap_or(to_s) };
    if period.from_s >= period.to_s {
        return Err(misuse(anyhow!("--from must be before --to, which is not in it any more")));
    }
    Ok(Some(period))
}

/// Unreadable files that are named one by one; a folder of broken files must not fill memory.
const PROBLEMS_MAX: usize = 100;
/// Findings that the report lists at the most.
const FINDINGS_MAX: usize = 10_000;

struct Watcher {
    consumed_bytes: Arc<AtomicU64>,
    bar: ProgressBar,
    sink: Option<JsonLines>,
    letters: Option<DeadLetters>,
    failure: Option<anyhow::Error>,
    findings: Vec<Signal>,
    problems: Vec<String>,
}

impl Watcher {
    /// Letters kept, and left out.
    fn finish_letters(&mut self) -> Option<(u64, u64)> {
        let kept = self.letters.take()?.finish();
        self.problems.extend(kept.failure.map(|failure| failure.to_string()));
        Some((kept.letters, kept.left_out))
    }

    /// Brings open findings up to date: between two powers of ten they grow without a signal.
    fn refresh(&mut self, detector: &Detector) {
        for open in detector.findings().iter() {
            if let Some(known) = self.findings.iter_mut().find(|known| known.id == open.signal.id) {
                *known = open.signal.clone();
            }
        }
    }
}

impl Observer<SourceError> for Watcher {
    fn signal(&mut self, signal: Signal) {
        if let Some(sink) = &mut self.sink
            && let Err(error) = sink.write(&signal)
        {
            let error = anyhow::Error::new(error).context("cannot write signals");
            self.failure.get_or_insert(error);
        }
        if signal.status == Status::Open {
            if self.findings.len() < FINDINGS_MAX {
                self.findings.push(signal);
            }
        } else if let Some(known) = self.findings.iter_mut().rfind(|known| known.id == signal.id) {
            *known = signal;
        }
    }

    fn batch(&mut self, _id: &BatchId, detector: &Detector, _outcome: &Outcome) {
        self.bar.set_position(self.consumed_bytes.load(Ordering::Relaxed));
        if !self.bar.is_hidden() {
            let records = terminal::grouped(detector.totals().records);
            let findings = detector.findings().opened();
            self.bar.set_message(format!("{records} records, {findings} findings"));
        }
    }

    fn refused(&mut self, letters: &Letters) {
        if let Some(sink) = &mut self.letters
            && let Err(error) = sink.write(letters)
        {
            let error = anyhow::Error::new(error).context("cannot write dead letters");
            self.failure.get_or_insert(error);
        }
    }

    fn health(&mut self, change: Change) {
        match change {
            Change::Raised(problem) => tracing::info!(%problem, "a format does not fit"),
            Change::Cleared(origin) => {
                tracing::info!(key = %origin.key, log_group = %origin.log_group, "the format fits again");
            }
        }
    }

    fn problem(&mut self, problem: SourceError) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem.to_string());
        }
    }
}
