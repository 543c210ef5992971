//! `--target kinesis:STREAM` and `firehose:STREAM`: the asynchronous shell around the pure part,
//! `loadgen::records`.
//!
//! One task generates and shapes; each request is a task of its own, of which a bounded number runs.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use loadgen::delivery::is_stream_arn;
use loadgen::records::{
    Attempts, Limits, Next, PUT_RECORD_BATCH, PUT_RECORDS, Packer, Record, Request, Shaper,
};
use loadgen::{Generator, Origin, Plan};

use crate::feed::{InFlight, Outlet, feed};
use crate::options::{Kind, Options};
use crate::put::Put;
use crate::{aws, misuse, tell};

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

/// Bytes of one request of Kinesis unless it is set: half of what it takes.
const REQUEST_BYTES: u32 = 5 << 20;
const IN_FLIGHT: u32 = 8;

/// Puts the lines of `generator` into the stream, and says what came of it.
///
/// # Errors
/// When the stream cannot be written to, or some records were given up.
pub(crate) fn run(
    kind: Kind,
    stream: &str,
    options: &Options,
    generator: &mut Generator,
    plan: &Plan,
) -> anyhow::Result<()> {
    let limits = match kind {
        Kind::Firehose => PUT_RECORD_BATCH,
        _ => {
            let bytes_max = options.kinesis.request_bytes.unwrap_or(REQUEST_BYTES) as usize;
            Limits { bytes_max, ..PUT_RECORDS }
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tally = runtime.block_on(async {
        let config = aws::config(options.flow.endpoint_url.as_deref()).await?;
        let mut sender = Sender {
            put: Arc::new(Put::new(kind, &config, stream)),
            shaper: Shaper::new(options.shape(kind, plan.seed)),
            shaped: Vec::new(),
            packer: Packer::new(limits),
            in_flight: InFlight::new(options.in_flight(IN_FLIGHT)),
            tally: Tally::default(),
        };
        feed(&mut sender, generator, plan, options.pace()).await?;
        sender.finish().await
    })?;
    tally.report()
}

/// What waits between the generator and the service.
struct Sender {
    put: Arc<Put>,
    shaper: Shaper,
    shaped: Vec<Record>,
    packer: Packer,
    in_flight: InFlight<(Attempts, Option<String>)>,
    tally: Tally,
}

impl Outlet for Sender {
    async fn line(&mut self, line: &[u8], origin: Origin<'_>) -> anyhow::Result<()> {
        self.shaper.push(line, origin, &mut self.shaped);
        if self.shaped.is_empty() { Ok(()) } else { self.push().await }
    }

    async fn idle(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.flush().await?;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// A stream that refuses one request for good refuses all.
    fn is_closed(&self) -> bool {
        self.tally.reason.is_some()
    }
}

impl Sender {
    async fn push(&mut self) -> anyhow::Result<()> {
        let mut shaped = std::mem::take(&mut self.shaped);
        for record in shaped.drain(..) {
            if let Some(request) = self.packer.push(record) {
                self.start(request).await?;
            }
        }
        self.shaped = shaped;
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        match self.packer.finish() {
            Some(request) => self.start(request).await,
            None => Ok(()),
        }
    }

    async fn start(&mut self, request: Request) -> anyhow::Result<()> {
        let put = Arc::clone(&self.put);
        let task = async move { deliver(&put, request).await };
        for outcome in self.in_flight.start(task).await? {
            self.tally.add(outcome);
        }
        Ok(())
    }

    async fn finish(mut self) -> anyhow::Result<Tally> {
        if !self.is_closed() {
            self.shaper.finish(&mut self.shaped);
            self.push().await?;
            self.flush().await?;
        }
        while let Some(outcome) = self.in_flight.next().await? {
            self.tally.add(outcome);
        }
        Ok(self.tally)
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

    fn report(self) -> anyhow::Result<()> {
        let Self { records, lines, bytes, retries, throttles, .. } = self;
        tell(&format!(
            "put {records} records, {lines} lines, {bytes} bytes; {retries} retries, {throttles} throttles"
        ));
        match self.reason {
            None => Ok(()),
            Some(reason) => Err(anyhow!(
                "{} records with {} lines were not put: {reason}",
                self.lost_records,
                self.lost_lines
            )),
        }
    }
}

/// `STREAM` of the target: a name, or an ARN.
///
/// # Errors
/// A misuse that says what a stream is called.
pub(crate) fn check_stream(kind: Kind, stream: &str) -> anyhow::Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let (scheme, length_max, is_arn) = match kind {
        Kind::Firehose => ("firehose", 64, is_stream_arn(stream)),
        _ => ("kinesis", 128, stream.starts_with("arn:") && stream.contains(":stream/")),
    };
    let is_name = (1..=length_max).contains(&stream.len()) && stream.bytes().all(legal);
    if is_name || is_arn {
        return Ok(());
    }
    Err(misuse(format!("target `{scheme}:{stream}` does not name a stream: write its name or ARN")))
}
