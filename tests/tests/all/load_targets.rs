//! What `loadgen run` sends to endpoints, streams and buckets: all lines of `--target stdout`, as AWS sends them, and what
//! it says when it cannot.

mod buckets;
mod delivery_streams;
mod endpoints;
mod script;

use flowscout_tests::{Program, loadgen};

/// Ten minutes of the network of the tests.
const TRAFFIC: [&str; 8] =
    ["--profile", "quiet", "--scenario", "none", "--rate", "100", "--seconds", "600"];

fn run_to(target: &str) -> Program {
    loadgen().arg("run").args(TRAFFIC).args(["--target", target])
}

/// The lines that every target shall get, sorted.
fn lines_of_traffic() -> Vec<String> {
    sorted(run_to("stdout").succeed().stdout.lines().map(str::to_owned))
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

/// The number before this word in the last line of a report that has it.
fn number_of(word: &str, report: &str) -> u64 {
    let line = report.lines().find(|line| line.contains(word)).unwrap();
    let (before, _) = line.split_once(&format!(" {word}")).unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}
