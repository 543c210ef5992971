//! `--target kinesis:STREAM`: the asynchronous shell around the pure part, `loadgen::kinesis`.
//!
//! One task generates and shapes; each request is a task of its own, of which a bounded number runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use loadgen::kinesis::{
    Attempts, Next, Packer, PartitionKey, Payload, Record, Request, Shape, Shaper,
};
use loadgen::{Generator, Plan};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::put::{self, Put};
use crate::run::progress;
use crate::{misuse, tell};

/// All of them are left out where the target is no stream.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of kinesis:STREAM")]
pub(crate) struct Options {
    /// What a record holds: `plain` lines; `message`, a document for each line as in vended logs;
    /// `cloudwatch`, the gzip envelope of a subscription, one interface in each [default: plain]
    #[arg(long, value_enum, hide_possible_values = true)]
    payload: Option<PayloadName>,
    /// At most so many lines in a record, which also ends with its minute of event time [default:
    /// 1; 300 in an envelope]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    lines_per_record: Option<u32>,
    /// Join records as the Kinesis Producer Library does, up to 51,200 bytes of one partition key
    #[arg(long)]
    aggregate: bool,
    /// `interface`, by its log stream as a subscription does, or `random`, which uses all shards
    /// evenly [default: interface]
    #[arg(long, value_enum, hide_possible_values = true)]
    partition_key: Option<KeyName>,
    /// Bytes of one request, keys included [default: 5242880]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1_048_576..=10_485_760))]
    request_bytes: Option<u32>,
    /// Requests in flight at once; order holds only within one [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    in_flight: Option<u32>,
    /// Event seconds that pass per second; 0 is as fast as the shards take it [default: 0]
    #[arg(long, value_name = "N")]
    pace: Option<u32>,
    /// Where the service is, in place of AWS; AWS_ENDPOINT_URL_KINESIS does the same
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PayloadName {
    Plain,
    Message,
    Cloudwatch,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyName {
    Interface,
    Random,
}

/// What was put, and what was not.
#[derive(Debug, Default)]
struct Tally {
    records: u64,
    lines: u64,
    bytes: u64,
    retries: u64,
    throttles: u64,
    lost_records: u64,
    lost_lines: u64,
    /// The latest reason why something was not put.
    reason: Option<String>,
}

impl Options {
    /// The first option that was given, as the command line spells it.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--payload", self.payload.is_some()),
            ("--lines-per-record", self.lines_per_record.is_some()),
            ("--aggregate", self.aggregate),
            ("--partition-key", self.partition_key.is_some()),
            ("--request-bytes", self.request_bytes.is_some()),
            ("--in-flight", self.in_flight.is_some()),
            ("--pace", self.pace.is_some()),
            ("--endpoint-url", self.endpoint_url.is_some()),
        ];
        given.iter().find(|(_, given)| *given).map(|(name, _)| *name)
    }

    fn shape(&self, seed: u64) -> Shape {
        let payload = match self.payload {
            None | Some(PayloadName::Plain) => Payload::Plain,
            Some(PayloadName::Message) => Payload::Message,
            Some(PayloadName::Cloudwatch) => Payload::Cloudwatch,
        };
        let lines_per_record = if payload == Payload::Cloudwatch { 300 } else { 1 };
        Shape {
            payload,
            lines_per_record: self.lines_per_record.unwrap_or(lines_per_record),
            aggregated: self.aggregate,
            key: match self.partition_key {
                None | Some(KeyName::Interface) => PartitionKey::Interface,
                Some(KeyName::Random) => PartitionKey::Random,
            },
            seed,
        }
    }
}

/// Puts the lines of `generator` into the stream, and says what came of it.
///
/// # Errors
/// When the stream cannot be written to, or some records were given up.
pub(crate) fn run(
    stream: &str,
    options: &Options,
    generator: &mut Generator,
    plan: &Plan,
) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tally = runtime.block_on(async {
        let client = put::client(options.endpoint_url.as_deref()).await?;
        send(Put::new(client, stream), options, generator, plan).await
    })?;
    let Tally { records, lines, bytes, retries, throttles, .. } = tally;
    tell(&format!(
        "put {records} records, {lines} lines, {bytes} bytes; {retries} retries, {throttles} throttles"
    ));
    match tally.reason {
        None => Ok(()),
        Some(reason) => Err(anyhow!(
            "{} records with {} lines were not put: {reason}",
            tally.lost_records,
            tally.lost_lines
        )),
    }
}

/// What waits between the generator and the service.
struct Sender {
    put: Arc<Put>,
    packer: Packer,
    permits: Arc<Semaphore>,
    tasks: JoinSet<(Attempts, Option<String>)>,
    tally: Tally,
}

async fn send(
    put: Put,
    options: &Options,
    generator: &mut Generator,
    plan: &Plan,
) -> anyhow::Result<Tally> {
    let mut shaper = Shaper::new(options.shape(plan.seed));
    let mut sender = Sender {
        put: Arc::new(put),
        packer: Packer::new(options.request_bytes.unwrap_or(5 << 20) as usize),
        permits: Arc::new(Semaphore::new(options.in_flight.unwrap_or(8) as usize)),
        tasks: JoinSet::new(),
        tally: Tally::default(),
    };
    let progress = progress(plan.duration_s);
    let mut pace = Pace::new(options.pace.unwrap_or(0), plan.start_s);
    let (mut line, mut records) = (Vec::new(), Vec::new());
    while let Some(origin) = generator.next_line(&mut line) {
        if let Some(wait) = pace.wait(origin.end_s) {
            sender.flush().await?;
            tokio::time::sleep(wait).await;
        }
        let reached_s = origin.end_s.saturating_sub(plan.start_s);
        shaper.push(line.trim_ascii_end(), origin, &mut records);
        line.clear();
        if !records.is_empty() {
            progress.set_position(reached_s);
            sender.push(&mut records).await?;
        }
        // A stream that refuses one request for good refuses all.
        if sender.tally.reason.is_some() {
            break;
        }
    }
    shaper.finish(&mut records);
    if sender.tally.reason.is_none() {
        sender.push(&mut records).await?;
        sender.flush().await?;
    }
    while let Some(done) = sender.tasks.join_next().await {
        sender.tally.add(done?);
    }
    progress.finish_and_clear();
    Ok(sender.tally)
}

impl Sender {
    async fn push(&mut self, records: &mut Vec<Record>) -> anyhow::Result<()> {
        for record in records.drain(..) {
            if let Some(request) = self.packer.push(record) {
                self.start(request).await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        match self.packer.finish() {
            Some(request) => self.start(request).await,
            None => Ok(()),
        }
    }

    /// Starts a request as soon as one fewer than may be is in flight.
    async fn start(&mut self, request: Request) -> anyhow::Result<()> {
        let permit = Arc::clone(&self.permits).acquire_owned().await?;
        while let Some(done) = self.tasks.try_join_next() {
            self.tally.add(done?);
        }
        let put = Arc::clone(&self.put);
        self.tasks.spawn(async move {
            let outcome = deliver(&put, request).await;
            drop(permit);
            outcome
        });
        Ok(())
    }
}

/// Sends until all is put or is given up, and says why it was given up.
async fn deliver(put: &Put, request: Request) -> (Attempts, Option<String>) {
    let mut attempts = Attempts::new(request);
    loop {
        let (answer, reason) = match put.send(attempts.pending()).await {
            Ok(answer) => answer,
            Err(fatal) => return (attempts, Some(fatal)),
        };
        match attempts.answered(&answer, fastrand::f64()) {
            Next::Done => return (attempts, None),
            Next::Wait(wait) => tokio::time::sleep(wait).await,
            Next::GiveUp => return (attempts, Some(reason)),
        }
    }
}

impl Tally {
    fn add(&mut self, (attempts, reason): (Attempts, Option<String>)) {
        self.records += attempts.records;
        self.lines += attempts.lines;
        self.bytes += attempts.bytes;
        self.retries += attempts.retries;
        self.throttles += attempts.throttles;
        self.lost_records += attempts.pending().len() as u64;
        self.lost_lines += attempts.pending().iter().map(|record| record.lines).sum::<u64>();
        self.reason = reason.or(self.reason.take());
    }
}

/// Event time tied to the clock on the wall.
struct Pace {
    /// Event seconds per second; 0 lets everything through.
    pace: u32,
    start_s: u64,
    reached_s: u64,
    started: Instant,
}

impl Pace {
    #[expect(clippy::disallowed_methods, reason = "the outermost edge: paces a live run")]
    fn new(pace: u32, start_s: u64) -> Self {
        Self { pace, start_s, reached_s: start_s, started: Instant::now() }
    }

    /// How long to wait until a line that ends in this second is due, when it begins a new one.
    fn wait(&mut self, end_s: u64) -> Option<Duration> {
        if self.pace == 0 || end_s <= self.reached_s {
            return None;
        }
        self.reached_s = end_s;
        let passed_ms = end_s.saturating_sub(self.start_s).saturating_mul(1_000);
        let due = Duration::from_millis(passed_ms / u64::from(self.pace));
        let wait = due.saturating_sub(self.started.elapsed());
        (!wait.is_zero()).then_some(wait)
    }
}

/// `STREAM` of the target: a name, or an ARN.
///
/// # Errors
/// A misuse that says what a stream is called.
pub(crate) fn check_stream(stream: &str) -> anyhow::Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_name = (1..=128).contains(&stream.len()) && stream.bytes().all(legal);
    let is_arn = stream.starts_with("arn:") && stream.contains(":stream/");
    if is_name || is_arn {
        return Ok(());
    }
    Err(misuse(format!("target `kinesis:{stream}` does not name a stream: write its name or ARN")))
}
