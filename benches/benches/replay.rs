//! End to end from a file in page cache, with one worker: records per wall second and per second of processor time.
//!
//! `replay` uses three threads: one reads, one decodes, one folds. "Per core" must not count the others for free, so the
//! processor time of the whole process is what the floor of a million records is held against.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, reason = "a table is the purpose")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use flowscout::config::Config;
use flowscout::detect::Detector;
use flowscout::flow::Layout;
use flowscout::pipeline::{self, Observer, Settings};
use flowscout::signal::Signal;
use flowscout::source::{SourceError, file::Files};
use flowscout_benches::peer::{self, GroupBy};
use flowscout_benches::traffic::{self, KEY, Kinds};

const RUNS: usize = 7;
/// A run repeats its replay until it has used so much processor time, which is counted in steps of 10 ms.
const RUN_CPU: Duration = Duration::from_secs(1);

fn main() {
    let traffic = traffic::million();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.log");
    std::fs::write(&path, &traffic.text).unwrap();
    let expected = group_by(&path);
    println!(
        "replay of {} records, {} MB, from page cache; {RUNS} runs each, in turn",
        expected.records,
        traffic.text.len() / 1_000_000,
    );
    drop(traffic.text);
    let mut ours = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..RUNS {
        ours.push(measure(|| {
            let (records, bytes, opened) = replay(&path);
            assert_eq!((records, bytes), (expected.records, expected.bytes));
            assert_eq!(opened, traffic.injected);
            records
        }));
        peers.push(measure(|| {
            let groups = group_by(&path);
            assert_eq!((groups.records, groups.bytes), (expected.records, expected.bytes));
            groups.records
        }));
    }
    println!("{:<34} {:>8} {:>8} {:>8}", "M records/s", "median", "min", "max");
    for (name, speeds) in [("flowscout", &ours), ("peer: split, parse, group by", &peers)] {
        print_row(&format!("{name}, wall"), speeds.iter().map(|speed| speed.per_wall_s));
        print_row(&format!("{name}, CPU"), speeds.iter().map(|speed| speed.per_cpu_s));
    }
    print_row(
        "ratio to the peer, CPU",
        ours.iter().zip(&peers).map(|(a, b)| a.per_cpu_s / b.per_cpu_s),
    );
}

#[derive(Clone, Copy)]
struct Speed {
    per_wall_s: f64,
    per_cpu_s: f64,
}

#[expect(clippy::disallowed_methods, reason = "measures the run, never reaches the core")]
fn measure(mut run: impl FnMut() -> u64) -> Speed {
    let (cpu_before, wall_before) = (cpu_time(), Instant::now());
    let mut records = 0;
    loop {
        records += run();
        let cpu = cpu_time().saturating_sub(cpu_before);
        if cpu >= RUN_CPU {
            let per = |time: Duration| records as f64 / time.as_secs_f64() / 1e6;
            return Speed { per_wall_s: per(wall_before.elapsed()), per_cpu_s: per(cpu) };
        }
    }
}

/// User and system time of all threads, those that have ended included: fields 14 and 15 of `/proc/self/stat`, in ticks
/// that Linux fixes at 100 per second for what it tells programs (proc(5), `USER_HZ`).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Field 2, the program's name in brackets, may hold spaces; field 3 is the first behind it.
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn replay(path: &Path) -> (u64, u64, Kinds) {
    let files = Files::new(vec![path.to_owned()], Layout::default_version_2());
    let settings = Settings { workers: 1, key: KEY, pane_s: Config::default().window.pane_s };
    let mut detector = traffic::detector();
    let mut watcher = Watcher::default();
    let outcome = pipeline::run(files, settings, &mut detector, &mut watcher);
    assert_eq!(outcome.refusals.total(), 0);
    let totals = detector.totals();
    (totals.records, totals.bytes, watcher.opened)
}

#[derive(Default)]
struct Watcher {
    opened: Kinds,
}

impl Observer<SourceError> for Watcher {
    fn signal(&mut self, signal: Signal) {
        traffic::count_opened(&mut self.opened, &signal);
    }

    fn batch(&mut self, _detector: &Detector) {}

    fn problem(&mut self, problem: SourceError) {
        panic!("{problem}");
    }
}

fn group_by(path: &Path) -> GroupBy {
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path).unwrap());
    let mut groups = GroupBy::default();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        if let Some(row) = peer::parse(line.trim_end()) {
            groups.add(&row);
        }
        line.clear();
    }
    groups.close();
    groups
}

fn print_row(name: &str, values: impl Iterator<Item = f64>) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (median, min, max) = (values[RUNS / 2], values[0], values[RUNS - 1]);
    println!("{name:<34} {median:>8.2} {min:>8.2} {max:>8.2}");
}
