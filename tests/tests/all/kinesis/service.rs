//! `flowscout run` with a configuration of the test, and what its `/metrics` tell.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flowscout_tests::kinesis::KinesisServer;
use flowscout_tests::{Program, Run, Running, Scratch, Signal, flowscout};

/// What the configuration says beside the streams; all times are short, so that tests are.
pub(crate) struct Setting {
    pub(crate) streams: Vec<String>,
    /// Lines below `[sources.kinesis]`.
    pub(crate) kinesis: String,
    /// Lines below `[sources.kinesis.leases]`.
    pub(crate) leases: String,
    /// Sections behind these.
    pub(crate) rest: String,
}

/// A task that runs, with its folder.
pub(crate) struct Service {
    pub(crate) running: Running,
    address: String,
    pub(crate) scratch: Scratch,
}

impl Setting {
    /// One task, with its leases in a file.
    pub(crate) fn alone(stream: &str) -> Self {
        Self {
            streams: vec![stream.to_owned()],
            kinesis: "checkpoint_s = 1\nbucket_ms = 500\nidle_ms_max = 300\n".to_owned(),
            leases: "store = \"local\"\n".to_owned(),
            rest: String::new(),
        }
    }

    /// One of several tasks, with their leases in a table at `dynamodb`; a lease lasts `duration_s`.
    pub(crate) fn among_others(stream: &str, dynamodb: &str, duration_s: u32) -> Self {
        let leases = format!("endpoint_url = {dynamodb:?}\nduration_s = {duration_s}\n");
        let mut setting = Self { leases, ..Self::alone(stream) };
        writeln!(setting.kinesis, "application = \"app-{stream}\"").unwrap();
        setting
    }

    pub(crate) fn kinesis(mut self, line: &str) -> Self {
        writeln!(self.kinesis, "{line}").unwrap();
        self
    }

    pub(crate) fn fan_out(self) -> Self {
        self.kinesis("mode = \"fan_out\"")
    }

    pub(crate) fn rest(mut self, text: &str) -> Self {
        writeln!(self.rest, "{text}").unwrap();
        self
    }

    /// The program, not started, with its files in `scratch`; `serve` says where Kinesis is.
    pub(crate) fn program(&self, scratch: &Scratch, serve: impl Fn(Program) -> Program) -> Program {
        let Self { streams, kinesis, leases, rest } = self;
        let path = scratch.path("leases.json");
        let leases = if leases.contains("local") {
            format!("{leases}path = {path:?}\n")
        } else {
            leases.clone()
        };
        let text = format!(
            "[sources.kinesis]\nstreams = {streams:?}\n{kinesis}\n[sources.kinesis.leases]\n{leases}\n{rest}"
        );
        let config = scratch.file("flowscout.toml", text);
        let program = flowscout().arg("run").arg("--config").arg(config);
        let program = program.arg("--signals").arg(scratch.path("signals.jsonl"));
        let program = program.args(["--listen", "127.0.0.1:0"]);
        serve(program.env("RUST_LOG", "flowscout=info").with_hash_key())
    }

    /// Starts it on the tests' own server.
    pub(crate) fn start(&self, server: &KinesisServer) -> Service {
        self.start_at(|program| server.serve(program))
    }

    pub(crate) fn start_at(&self, serve: impl Fn(Program) -> Program) -> Service {
        self.start_in(Scratch::new(), serve)
    }

    /// With the leases of an earlier start, if they are in a file there.
    pub(crate) fn start_in(&self, scratch: Scratch, serve: impl Fn(Program) -> Program) -> Service {
        Service::start(self.program(&scratch, serve), scratch)
    }
}

impl Service {
    /// A run that serves its metrics at any port, with its files in `scratch`.
    pub(crate) fn start(program: Program, scratch: Scratch) -> Self {
        let mut running = program.start();
        let said = running.wait_until_says("serves /metrics");
        let address = said.split("serves /metrics").nth(1).unwrap();
        let address = address.split("address=").nth(1).unwrap().lines().next().unwrap().to_owned();
        Self { running, address, scratch }
    }

    /// The sum of a metric over its labels; 0 where it is not told.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.metrics(name).iter().map(|(_labels, value)| value).sum()
    }

    /// A metric with the labels of each series.
    pub(crate) fn metrics(&self, name: &str) -> Vec<(String, u64)> {
        let text = self.scrape();
        let series = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let is_whole = labels.is_empty() || labels.starts_with('{');
            is_whole.then(|| (labels.to_owned(), value.parse().unwrap()))
        });
        series.collect()
    }

    pub(crate) fn records(&self) -> u64 {
        self.metric("flowscout_records_total")
    }

    /// Records and the sum of their bytes.
    pub(crate) fn sum(&self) -> (u64, u64) {
        (self.records(), self.metric("flowscout_flow_bytes_total"))
    }

    /// Waits until that many records are folded, and some time more, in which no further may come.
    pub(crate) fn wait_for_records(&self, expected: u64) {
        wait_for(
            "the records",
            || self.records() >= expected,
            || format!("{} of {expected} records:\n{}", self.records(), self.running.stderr()),
        );
    }

    /// Ends it as ECS does; it must end well.
    pub(crate) fn stop(self) -> (Run, Scratch) {
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
pub(crate) fn wait_for(what: &str, is_there: impl Fn() -> bool, seen: impl Fn() -> String) {
    let start = now();
    while !is_there() {
        assert!(start.elapsed() < Duration::from_secs(90), "not in time: {what}: {}", seen());
        thread::sleep(Duration::from_millis(50));
    }
}

#[expect(clippy::disallowed_methods, reason = "tests look how long things take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A flow record whose bytes tell it from all others, so that a sum over records tells one that is missing from one that came twice.
pub(crate) fn line(number: u64) -> String {
    let [host, port] = [number % 250 + 1, 1024 + number % 60_000];
    let bytes = weight(number);
    let start = 1_767_225_600 + number / 100;
    let end = start + 10;
    format!(
        "2 123456789010 eni-{host} 10.0.0.{host} 10.1.0.5 {port} 443 6 10 {bytes} {start} {end} ACCEPT OK\n"
    )
}

/// Records 0 to `count`, and the sum of their bytes.
pub(crate) fn sum_of(count: u64) -> (u64, u64) {
    (count, (0..count).map(weight).sum())
}

fn weight(number: u64) -> u64 {
    40 + number * number
}

/// Puts records, one line each, until it is told to stop.
pub(crate) struct Putter<'s> {
    server: &'s KinesisServer,
    stream: &'s str,
    is_over: AtomicBool,
}

impl<'s> Putter<'s> {
    pub(crate) fn new(server: &'s KinesisServer, stream: &'s str) -> Self {
        Self { server, stream, is_over: AtomicBool::new(false) }
    }

    pub(crate) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// How many it put. The keys reach every shard.
    pub(crate) fn run(&self, pause: Duration) -> u64 {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            self.server.put(self.stream, &format!("key-{number}"), line(number).as_bytes());
            number += 1;
            thread::sleep(pause);
        }
        number
    }
}

/// Puts records 0 to `count`.
pub(crate) fn put(server: &KinesisServer, stream: &str, count: u64) {
    put_range(server, stream, 0..count);
}

pub(crate) fn put_range(server: &KinesisServer, stream: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        server.put(stream, &format!("key-{number}"), line(number).as_bytes());
    }
}
