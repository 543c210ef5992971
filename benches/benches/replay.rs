//! End to end from a file in page cache, with one worker: records per wall second and per second of processor time.
//!
//! `replay` uses three threads: one reads, one decodes, one folds. "Per core" must not count the others for free, so the
//! processor time of the whole process is what the floor of a million records is held against.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::print_stdout, reason = "a table is the purpose")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flowscout::batch::BatchId;
use flowscout::detect::Detector;
use flowscout::pipeline::{self, Observer, Outcome};
use flowscout::signal::Signal;
use flowscout::source::parquet::Columns;
use flowscout::source::{SourceError, file::Files};
use flowscout_benches::meter::compare;
use flowscout_benches::peer::{self, GroupBy};
use flowscout_benches::traffic::{self, Kinds};

fn main() {
    let traffic = traffic::million();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.log");
    std::fs::write(&path, &traffic.text).unwrap();
    let expected = group_by(&path);
    println!(
        "replay of {} records, {} MB, from page cache",
        expected.records,
        traffic.text.len() / 1_000_000,
    );
    drop(traffic.text);
    let ours = || {
        let (records, bytes, opened) = replay(&path);
        assert_eq!((records, bytes), (expected.records, expected.bytes));
        assert_eq!(opened, traffic.injected);
        records
    };
    let peer = || {
        let groups = group_by(&path);
        assert_eq!((groups.records, groups.bytes), (expected.records, expected.bytes));
        groups.records
    };
    compare(&[("flowscout", &ours), ("peer: split, parse, group by", &peer)]);
}

fn replay(path: &Path) -> (u64, u64, Kinds) {
    let files = Files::new(vec![path.to_owned()], Columns::Used);
    let mut detector = traffic::detector();
    let mut watcher = Watcher::default();
    let outcome = pipeline::run(files, &traffic::settings(), &mut detector, &mut watcher);
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

    fn batch(&mut self, _id: &BatchId, _detector: &Detector, _outcome: &Outcome) {}

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
