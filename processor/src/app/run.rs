//! `flowscout run`: streams in, signals out, until SIGTERM.

mod sources;
mod watcher;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use self::sources::{Meters, Sources};
use self::watcher::Watcher;
use super::replay::{check_formats, now};
use super::report::{Report, Told};
use super::{Failure, detection, detector, io_failure, listen_failure, open_letters, terminal};
use crate::cli::{Detection, Format, ReportFormat, Run};
use crate::pipeline;
use crate::sink::JsonLines;
use crate::source::stop::Stop;
use crate::telemetry::metrics::{Fold, Metrics};
use crate::web::MetricsServer;

pub(super) fn run(options: &Run) -> Result<ExitCode, Failure> {
    let detection_options =
        Detection { config: Some(options.config.clone()), preset: None, workers: options.workers };
    let (config, settings, mut notes) = detection(&detection_options, &Format { format: vec![] })?;
    notes.extend(check_formats(&settings.formats)?);
    notes.iter().for_each(|note| terminal::complain(note));
    sources::check(&config, &options.config)?;
    let (meters, fold) = (Meters::default(), Fold::default());
    let metrics = Metrics::of(meters.collectors(&fold));
    let server = options.listen.map(|address| MetricsServer::start(address, metrics)).transpose();
    let server = server.map_err(listen_failure)?;
    let letters = open_letters(&config.dead_letters, LETTERS_WAIT_MAX)?;
    let sink = open_sink(&options.signals)?;
    let mut detector = detector(&config, &settings)?;
    let (stop, told) = (Stop::new(), watcher::Told::default());
    let (sources, batches) = Sources::start(&config, &stop, &told, &meters)?;
    let mut observer = Watcher {
        sink,
        letters,
        leaves_letters_out: false,
        told,
        stop: stop.clone(),
        fold,
        failure: None,
    };
    stop_on_signals(stop)?;
    if let Some(server) = &server {
        tracing::info!(address = %server.address(), "serves /metrics");
    }
    let started = now();
    let outcome = pipeline::run(batches, &settings, &mut detector, &mut observer);
    let ended = sources.join();
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
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// A stream does not wait: letters that find no room on their way to a bucket are left out, and counted.
const LETTERS_WAIT_MAX: Duration = Duration::ZERO;

fn open_sink(path: &Path) -> Result<JsonLines, Failure> {
    let sink = JsonLines::append(path);
    sink.with_context(|| format!("{}: cannot open", path.display())).map_err(io_failure)
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
