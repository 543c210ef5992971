//! `flowscout demo`: generator, decoder, sketches, detectors, a dashboard, and a scorecard against the truth.

mod pace;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::ProgressBar;
use loadgen::{LineFormat, Plan, Profile, Scenario, Scorecard, Truth};

use super::replay::{now, open_sink};
use super::{Failure, detection, detector, io_failure, listen_failure, misuse, report, terminal};
use crate::batch::BatchId;
use crate::cli::{Demo, Format};
use crate::detect::Detector;
use crate::pipeline::{self, Observer, Outcome};
use crate::signal::{Signal, Status};
use crate::sink::JsonLines;
use crate::source::{SourceError, generator::Generated};
use crate::web::{self, Contributor, Meter, Progress, Publisher, Server};

/// 2026-01-01: a fixed beginning, so that a seed means the same traffic on every day.
const START_S: u64 = 1_767_225_600;
/// How far a finding may lie from the attack that it is about, in seconds of event time.
const TOLERANCE_S: u64 = 600;
/// Hosts on the dashboard.
const TALKERS: usize = 10;

pub(super) fn run(options: &Demo) -> Result<ExitCode, Failure> {
    let generated = Generated::new(&plan(options)).map_err(misuse)?;
    let truth = Truth::from_rows(generated.truth());
    // The generator says how it writes.
    let format = Format { format: Vec::new() };
    let (config, settings, _notes) = detection(&options.detection, &format)?;
    let sink = options.signals.as_deref().map(open_sink).transpose()?;
    let mut detector = detector(&config, &settings)?;
    let server = if options.no_web { None } else { Some(serve(options)?) };
    let title = introduction(options, generated.truth().len());
    if let Some(server) = &server {
        greet(options, server).map_err(io_failure)?;
    }
    let mut observer = Watcher::new(options, sink, server.as_ref(), &title);
    observer.say(&title).and_then(|()| observer.say("")).map_err(io_failure)?;
    let source = pace::Paced::new(generated, options.pace, observer.started);
    let outcome = pipeline::run(source, &settings, &mut detector, &mut observer);
    let (scorecard, elapsed) = observer.finish(&detector, &outcome, &truth)?;
    let mut out = io::stdout().lock();
    write!(
        out,
        "\n{} records in {:.1} s, {} refused, {} of state\n\n{scorecard}",
        terminal::grouped(detector.totals().records),
        elapsed.as_secs_f64(),
        terminal::grouped(outcome.refusals.total()),
        terminal::bytes(detector.window().memory_bytes() as u64),
    )
    .and_then(|()| out.flush())
    .map_err(io_failure)?;
    drop(out);
    if let Some(server) = server.filter(|_| options.hold) {
        terminal::complain(&format!("http://{}/ stays until Ctrl-C", server.address()));
        web::wait_for_interrupt().context("cannot wait for Ctrl-C").map_err(io_failure)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(options: &Demo) -> Plan {
    Plan {
        profile: Profile::ordinary(),
        scenarios: Scenario::fitting(options.seconds),
        rate_per_s: options.rate,
        duration_s: options.seconds,
        seed: options.seed,
        start_s: START_S,
        format: LineFormat::recommended(),
    }
}

fn serve(options: &Demo) -> Result<Server, Failure> {
    Server::start(options.listen).map_err(listen_failure)
}

fn greet(options: &Demo, server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "dashboard on http://{}/", server.address())?;
    let wanted = options.listen.port();
    if wanted != 0 && wanted != server.address().port() {
        writeln!(out, "port {wanted} is taken, so it got a free one")?;
    }
    if options.pace == 0 && !options.hold {
        writeln!(out, "to watch it there: flowscout demo --pace 240 --hold")?;
    }
    out.flush()
}

fn introduction(options: &Demo, attacks: usize) -> String {
    let fitting = Scenario::fitting(options.seconds);
    let left_out = Scenario::ALL.into_iter().filter(|scenario| !fitting.contains(scenario));
    let left_out: Vec<&str> = left_out.map(Scenario::as_str).collect();
    let note = if left_out.is_empty() {
        String::new()
    } else {
        format!(" ({} would need longer)", left_out.join(", "))
    };
    let (minutes, rate, seed) = (options.seconds / 60, options.rate, options.seed);
    format!(
        "{minutes} minutes of a small VPC at {rate} records per second, seed {seed}, with {attacks} attacks \
         hidden in it{note}"
    )
}

struct Watcher {
    started: Instant,
    bar: ProgressBar,
    sink: Option<JsonLines>,
    publisher: Option<Publisher>,
    /// The signals as JSON lines, for the scorer, which reads nothing else.
    lines: Vec<u8>,
    failure: Option<anyhow::Error>,
}

impl Watcher {
    fn new(options: &Demo, sink: Option<JsonLines>, server: Option<&Server>, title: &str) -> Self {
        let length = u64::from(options.rate) * u64::from(options.seconds);
        let meter = Meter { first_s: START_S, span_s: options.seconds.into() };
        Self {
            started: now(),
            bar: terminal::progress(length, "{bar:40} {percent}% {msg}"),
            sink,
            publisher: server.map(|server| server.publisher(title, meter)),
            lines: Vec::new(),
            failure: None,
        }
    }

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

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Scores what was found, and shows it to whoever watches.
    fn finish(
        mut self,
        detector: &Detector,
        outcome: &Outcome,
        truth: &Truth,
    ) -> Result<(Scorecard, Duration), Failure> {
        let elapsed = self.started.elapsed();
        self.bar.finish_and_clear();
        if let Some(failure) = self.failure {
            return Err(io_failure(failure));
        }
        let findings = loadgen::parse_signals(self.lines.as_slice());
        let findings =
            findings.context("our own signals cannot be read back").map_err(io_failure)?;
        let scorecard = loadgen::score(truth, &findings, TOLERANCE_S);
        let elapsed_ms = self.elapsed_ms();
        if let Some(publisher) = &mut self.publisher {
            let progress = progress(detector, outcome);
            publisher.finish(elapsed_ms, progress, serde_json::to_value(&scorecard).ok());
        }
        Ok((scorecard, elapsed))
    }
}

/// What the dashboard shows of the fold.
fn progress(detector: &Detector, outcome: &Outcome) -> Progress {
    let (totals, window) = (detector.totals(), detector.window());
    let talkers = window.volumes.top_talkers(TALKERS).into_iter();
    Progress {
        records: totals.records,
        rejected_records: totals.rejected,
        bytes: totals.bytes,
        event_s: totals.last_s,
        refused_lines: outcome.refusals.total(),
        open_findings: detector.findings().iter().count() as u64,
        all_findings: detector.findings().opened(),
        entities: window.entities() as u64,
        state_bytes: window.memory_bytes() as u64,
        top_talkers: talkers
            .map(|talker| Contributor {
                address: talker.key.to_string(),
                bytes: talker.weight,
                bytes_error: talker.error,
            })
            .collect(),
    }
}

impl Observer<SourceError> for Watcher {
    fn signal(&mut self, signal: Signal) {
        if let Some(publisher) = &mut self.publisher {
            publisher.signal(&signal);
        }
        if let Err(error) = self.record(&signal) {
            self.failure.get_or_insert(anyhow::Error::new(error).context("cannot write signals"));
        }
    }

    fn batch(&mut self, _id: &BatchId, detector: &Detector, outcome: &Outcome) {
        let records = detector.totals().records;
        self.bar.set_position(records);
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{} records", terminal::grouped(records)));
        }
        let elapsed_ms = self.elapsed_ms();
        if let Some(publisher) = &mut self.publisher {
            let reached = (records, detector.totals().last_s);
            publisher.batch(elapsed_ms, reached, || progress(detector, outcome));
        }
    }

    fn problem(&mut self, problem: SourceError) {
        self.failure.get_or_insert(problem.into());
    }
}
