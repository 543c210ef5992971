//! `flowscout demo`: generator, decoder, sketches, detectors, and a scorecard against the truth.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use indicatif::ProgressBar;
use loadgen::{LineFormat, Plan, Profile, Scenario, Truth};

use super::replay::{now, open_sink};
use super::{Failure, detection, detector, io_failure, misuse, report, terminal};
use crate::cli::Demo;
use crate::detect::Detector;
use crate::pipeline::{self, Observer};
use crate::signal::{Signal, Status};
use crate::sink::JsonLines;
use crate::source::{SourceError, generator::Generated};

/// 2026-01-01: a fixed beginning, so that a seed means the same traffic on every day.
const START_S: u64 = 1_767_225_600;
/// How far a finding may lie from the attack that it is about, in seconds of event time.
const TOLERANCE_S: u64 = 600;

pub(super) fn run(options: &Demo) -> Result<ExitCode, Failure> {
    let plan = Plan {
        profile: Profile::ordinary(),
        scenarios: Scenario::ALL.to_vec(),
        rate_per_s: options.rate,
        duration_s: options.seconds,
        seed: options.seed,
        start_s: START_S,
        format: LineFormat::recommended(),
    };
    let generated = Generated::new(&plan).map_err(misuse)?;
    let truth = Truth::from_rows(generated.truth());
    let (config, settings) = detection(&options.detection)?;
    let sink = options.signals.as_deref().map(open_sink).transpose()?;
    let mut detector = detector(config, settings)?;
    let length = u64::from(options.rate) * u64::from(options.seconds);
    let bar = terminal::progress(length, "{bar:40} {percent}% {msg}");
    let mut observer = Watcher { bar, sink, lines: Vec::new(), failure: None };
    observer.say(&introduction(options, generated.truth().len())).map_err(io_failure)?;
    let started = now();
    let outcome = pipeline::run(generated, settings, &mut detector, &mut observer);
    let elapsed = started.elapsed();
    observer.bar.finish_and_clear();
    if let Some(failure) = observer.failure {
        return Err(io_failure(failure));
    }
    let findings = loadgen::parse_signals(observer.lines.as_slice());
    let findings = findings.context("our own signals cannot be read back").map_err(io_failure)?;
    let scorecard = loadgen::score(&truth, &findings, TOLERANCE_S);
    let (records, refused) = (detector.totals().records, outcome.refusals.total());
    let mut out = io::stdout().lock();
    write!(
        out,
        "\n{} records in {:.1} s, {} refused, {} of state\n\n{scorecard}",
        terminal::grouped(records),
        elapsed.as_secs_f64(),
        terminal::grouped(refused),
        terminal::bytes(detector.window().memory_bytes() as u64),
    )
    .map_err(io_failure)?;
    Ok(ExitCode::SUCCESS)
}

fn introduction(options: &Demo, attacks: usize) -> String {
    format!(
        "{} minutes of a small VPC at {} records per second, seed {}, with {attacks} attacks hidden in it\n",
        options.seconds / 60,
        options.rate,
        options.seed,
    )
}

struct Watcher {
    bar: ProgressBar,
    sink: Option<JsonLines>,
    /// The signals as JSON lines, for the scorer, which reads nothing else.
    lines: Vec<u8>,
    failure: Option<anyhow::Error>,
}

impl Watcher {
    fn say(&self, line: &str) -> io::Result<()> {
        self.bar.suspend(|| writeln!(io::stdout(), "{line}"))
    }

    fn record(&mut self, signal: &Signal) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, signal)?;
        self.lines.push(b'\n');
        if let Some(sink) = &mut self.sink {
            sink.write(signal)?;
        }
        if signal.status == Status::Update { Ok(()) } else { self.say(&report::line(signal)) }
    }
}

impl Observer<SourceError> for Watcher {
    fn signal(&mut self, signal: Signal) {
        if let Err(error) = self.record(&signal) {
            self.failure.get_or_insert(anyhow::Error::new(error).context("cannot write signals"));
        }
    }

    fn batch(&mut self, detector: &Detector) {
        let records = detector.totals().records;
        self.bar.set_position(records);
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{} records", terminal::grouped(records)));
        }
    }

    fn problem(&mut self, problem: SourceError) {
        self.failure.get_or_insert(problem.into());
    }
}
