//! `flowscout run` as a service: what its `/metrics` tell while it runs, and its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Program, Run, Running, Scratch, Signal, flowscout};

/// A service that runs, with its folder.
#[derive(Debug)]
pub struct Service {
    /// Its process.
    pub running: Running,
    address: String,
    /// Where its configuration and its signals are.
    pub scratch: Scratch,
}

const METRICS: &str = "serves /metrics address=";

impl Service {
    /// `flowscout run`, not started, with this configuration and its files in `scratch`.
    #[must_use]
    pub fn program(scratch: &Scratch, config: &str) -> Program {
        let config = scratch.file("flowscout.toml", config);
        let program = flowscout().arg("run").arg("--config").arg(config);
        let program = program.arg("--signals").arg(scratch.path("signals.jsonl"));
        let program = program.args(["--listen", "127.0.0.1:0"]);
        program.env("RUST_LOG", "flowscout=info").with_hash_key()
    }

    /// Starts it, and waits until its sources have.
    #[must_use]
    pub fn start(scratch: Scratch, program: Program) -> Self {
        let mut running = program.start();
        let said = running.wait_until_says(METRICS);
        let address = address_behind(&said, METRICS);
        Self { running, address, scratch }
    }

    /// The sum of a metric over its labels; 0 where it is not told.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        self.metrics(name).iter().map(|(_labels, value)| value).sum()
    }

    /// A metric with the labels of each series.
    #[must_use]
    pub fn metrics(&self, name: &str) -> Vec<(String, u64)> {
        let text = self.scrape();
        let series = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let is_whole = labels.is_empty() || labels.starts_with('{');
            is_whole.then(|| (labels.to_owned(), value.parse().unwrap()))
        });
        series.collect()
    }

    /// Flow records that were folded.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.metric("flowscout_records_total")
    }

    /// Records and the sum of their bytes.
    #[must_use]
    pub fn sum(&self) -> (u64, u64) {
        (self.records(), self.metric("flowscout_flow_bytes_total"))
    }

    /// Waits until that many records are folded, and some time more, in which no further may come.
    pub fn wait_for_records(&self, expected: u64) {
        wait_for(
            "the records",
            || self.records() >= expected,
            || format!("{} of {expected} records:\n{}", self.records(), self.running.stderr()),
        );
    }

    /// Ends it as ECS does; it must end well.
    #[must_use]
    pub fn stop(self) -> (Run, Scratch) {
        let run = self.running.end(Signal::Terminate);
        assert_eq!(run.code, Some(0), "{run}");
        (run, self.scratch)
    }

    fn scrape(&self) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let head = format!("GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"),
            "{answer}"
        );
        answer
    }
}

/// Waits up to a minute and a half.
pub fn wait_for(what: &str, is_there: impl Fn() -> bool, seen: impl Fn() -> String) {
    let start = now();
    while !is_there() {
        assert!(start.elapsed() < Duration::from_secs(90), "not in time: {what}: {}", seen());
        thread::sleep(Duration::from_millis(50));
    }
}

/// The time, to look how long things take.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests look how long things take")]
pub fn now() -> Instant {
    Instant::now()
}

/// The address that stands behind `words` in a log.
#[must_use]
pub fn address_behind(said: &str, words: &str) -> String {
    let rest = said.split(words).nth(1).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}
