//! `flowscout run` on streams, and who puts into them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use flowscout_tests::kinesis::KinesisServer;
pub(crate) use flowscout_tests::records::{line, sum_of};
pub(crate) use flowscout_tests::{Program, Scratch, Service, now, wait_for};

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
        serve(Service::program(scratch, &self.text(scratch)))
    }

    fn text(&self, scratch: &Scratch) -> String {
        let Self { streams, kinesis, leases, rest } = self;
        let path = scratch.path("leases.json");
        let leases = if leases.contains("local") {
            format!("{leases}path = {path:?}\n")
        } else {
            leases.clone()
        };
        format!(
            "[sources.kinesis]\nstreams = {streams:?}\n{kinesis}\n[sources.kinesis.leases]\n{leases}\n{rest}"
        )
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
        let program = self.program(&scratch, serve);
        Service::start(scratch, program)
    }
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
