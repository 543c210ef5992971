//! `--target http(s)://HOST/PATH`: delivers as Amazon Data Firehose does to an HTTP endpoint. The
//! asynchronous shell around the pure part, `loadgen::delivery`.

mod backup;
mod endpoint;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use loadgen::delivery::{
    BUFFER_BYTES, Buffer, FIRST_DELAY, Filled, Outcome, RETRIES_FOR_MAX_S, RETRIES_FOR_S, Request,
    Retries, guid,
};
use loadgen::records::{Record, Shaper};
use loadgen::{Generator, Origin, Plan};
use tokio::time::Instant;

use crate::feed::{InFlight, Outlet, feed};
use crate::options::{Given, Kind, Options};
use backup::Backup;
use endpoint::Endpoint;
use tally::{Done, Tally};

pub(crate) use endpoint::check_url;

/// All of them are left out where the target is none of HTTP.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of http(s)://HOST/PATH, which speaks as Firehose does")]
pub(crate) struct HttpOptions {
    /// Compress bodies, as a delivery stream does with the content encoding GZIP
    #[arg(long)]
    gzip: bool,
    /// The access key: its first line, or the JSON in which Secrets Manager keeps one;
    /// FLOWSCOUT_FIREHOSE_ACCESS_KEY has the same. Without either none is sent
    #[arg(long, value_name = "FILE")]
    access_key_file: Option<PathBuf>,
    /// A common attribute, repeatable
    #[arg(long = "common-attribute", value_name = "KEY=VALUE")]
    common_attributes: Vec<String>,
    /// The delivery stream that is named to the endpoint
    /// [default: arn:aws:firehose:us-east-1:123456789012:deliverystream/flow-logs]
    #[arg(long, value_name = "ARN")]
    source_arn: Option<String>,
    /// Bytes of records in a request, which also ends at 10,000 records [default: 5242880]
    #[arg(long, value_name = "BYTES", value_parser = buffer_bytes)]
    buffer_bytes: Option<u32>,
    /// With --pace, the longest that a record waits for its request; 0 sends every second
    /// [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=900))]
    buffer_seconds: Option<u32>,
    /// How long a request is sent again, not counting the time of waiting for answers [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = retry_seconds)]
    retry_seconds: Option<u32>,
    /// Where to write what was given up, as Firehose does into its backup bucket
    #[arg(long, value_name = "FOLDER")]
    backup: Option<PathBuf>,
    /// Trust these certificates (PEM) and no others; AWS trusts only public authorities
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Scales the back-off, for tests
    #[arg(long, hide = true, value_name = "MS")]
    retry_first_ms: Option<u64>,
    /// How long an answer is waited for, for tests
    #[arg(long, hide = true, value_name = "MS")]
    answer_ms: Option<u64>,
}

const HTTP: &[Kind] = &[Kind::Http];
/// `SizeInMBs` and `IntervalInSeconds` of the buffering hints unless they are set.
const BUFFER_BYTES_DEFAULT: u32 = 5 << 20;
const BUFFER_S_DEFAULT: u32 = 60;
const IN_FLIGHT: u32 = 4;

impl HttpOptions {
    pub(crate) fn given(&self) -> Vec<Given> {
        vec![
            ("--gzip", self.gzip, HTTP),
            ("--access-key-file", self.access_key_file.is_some(), HTTP),
            ("--common-attribute", !self.common_attributes.is_empty(), HTTP),
            ("--source-arn", self.source_arn.is_some(), HTTP),
            ("--buffer-bytes", self.buffer_bytes.is_some(), HTTP),
            ("--buffer-seconds", self.buffer_seconds.is_some(), HTTP),
            ("--retry-seconds", self.retry_seconds.is_some(), HTTP),
            ("--backup", self.backup.is_some(), HTTP),
            ("--ca-file", self.ca_file.is_some(), HTTP),
            ("--retry-first-ms", self.retry_first_ms.is_some(), HTTP),
            ("--answer-ms", self.answer_ms.is_some(), HTTP),
        ]
    }

    fn retries(&self) -> Retries {
        let first_delay = self.retry_first_ms.map_or(FIRST_DELAY, Duration::from_millis);
        let retries_for = self.retry_seconds.unwrap_or(RETRIES_FOR_S);
        Retries::new(first_delay, Duration::from_secs(retries_for.into()))
    }
}

/// Delivers the lines of `generator`, and says what came of them.
///
/// # Errors
/// A misuse when the options cannot be; an error when something was not delivered.
pub(crate) fn run(
    url: &str,
    options: &Options,
    generator: &mut Generator,
    plan: &Plan,
) -> anyhow::Result<()> {
    let endpoint = Endpoint::new(url, &options.http)?;
    let backup = options.http.backup.as_deref();
    let backup = backup.map(|folder| Backup::new(folder, endpoint.stream())).transpose()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut sender = Sender {
        endpoint: Arc::new(endpoint),
        shaper: Shaper::new(options.shape(Kind::Http, plan.seed)),
        shaped: Vec::new(),
        buffer: Buffer::new(options.http.buffer_bytes.unwrap_or(BUFFER_BYTES_DEFAULT)),
        buffering: None,
        buffer_for: Duration::from_secs(
            options.http.buffer_seconds.unwrap_or(BUFFER_S_DEFAULT).into(),
        ),
        retries: options.http.retries(),
        in_flight: InFlight::new(options.in_flight(IN_FLIGHT)),
        backup,
        tally: Tally::default(),
    };
    runtime.block_on(async {
        feed(&mut sender, generator, plan, options.pace()).await?;
        sender.finish().await
    })?;
    sender.tally.report()
}

struct Sender {
    endpoint: Arc<Endpoint>,
    shaper: Shaper,
    shaped: Vec<Record>,
    buffer: Buffer,
    /// Since when records wait in the buffer.
    buffering: Option<Since>,
    buffer_for: Duration,
    retries: Retries,
    in_flight: InFlight<Done>,
    backup: Option<Backup>,
    tally: Tally,
}

#[derive(Clone, Copy)]
struct Since {
    epoch_ms: u64,
    instant: Instant,
}

impl Outlet for Sender {
    async fn line(&mut self, line: &[u8], origin: Origin<'_>) -> anyhow::Result<()> {
        self.shaper.push(line, origin, &mut self.shaped);
        if self.shaped.is_empty() { Ok(()) } else { self.push().await }
    }

    async fn idle(&mut self, wait: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + wait;
        if let Some(since) = self.buffering
            && since.instant + self.buffer_for <= until
        {
            tokio::time::sleep_until(since.instant + self.buffer_for).await;
            self.flush().await?;
        }
        tokio::time::sleep_until(until).await;
        Ok(())
    }

    /// Where nothing ever arrives, and nothing is kept of it, there is no point in going on.
    fn is_closed(&self) -> bool {
        self.backup.is_none() && self.tally.is_in_vain()
    }
}

impl Sender {
    async fn push(&mut self) -> anyhow::Result<()> {
        let mut shaped = std::mem::take(&mut self.shaped);
        for record in shaped.drain(..) {
            if let Some(filled) = self.buffer.push(&record) {
                self.start(filled).await?;
            }
            if self.buffering.is_none() {
                self.buffering = Some(Since { epoch_ms: now_ms(), instant: Instant::now() });
            }
        }
        self.shaped = shaped;
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        match self.buffer.finish() {
            Some(filled) => self.start(filled).await,
            None => Ok(()),
        }
    }

    async fn start(&mut self, filled: Filled) -> anyhow::Result<()> {
        let now_ms = now_ms();
        let arrived_ms = self.buffering.take().map_or(now_ms, |since| since.epoch_ms);
        let id = guid(fastrand::u128(..));
        let (endpoint, retries) = (Arc::clone(&self.endpoint), self.retries);
        let task = async move {
            let request = filled.request(id, now_ms);
            deliver(&endpoint, request, retries, arrived_ms).await
        };
        for done in self.in_flight.start(task).await? {
            self.settle(&done)?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        if !self.is_closed() {
            self.shaper.finish(&mut self.shaped);
            self.push().await?;
            self.flush().await?;
        }
        while let Some(done) = self.in_flight.next().await? {
            self.settle(&done)?;
        }
        Ok(())
    }

    fn settle(&mut self, done: &Done) -> anyhow::Result<()> {
        self.tally.add(done);
        match (&self.backup, &done.outcome) {
            (Some(backup), Outcome::Failed(failure)) => backup.write(done, failure),
            _ => Ok(()),
        }
    }
}

/// Sends until the request is delivered, dropped, or given up.
async fn deliver(endpoint: &Endpoint, request: Request, retries: Retries, arrived_ms: u64) -> Done {
    let mut retries = retries;
    let body = endpoint.encode(&request.body);
    loop {
        let outcome = endpoint.post(&request.id, body.clone()).await;
        let wait = match &outcome {
            Outcome::Failed(_) => retries.failed(fastrand::f64()),
            Outcome::Delivered | Outcome::Dropped(_) => None,
        };
        match wait {
            Some(wait) => {
                if let Outcome::Failed(failure) = &outcome {
                    endpoint.note(failure);
                }
                tokio::time::sleep(wait).await;
            }
            None => return Done { request, retries, outcome, arrived_ms, ended_ms: now_ms() },
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the outermost edge: the endpoint is told the time")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn buffer_bytes(text: &str) -> Result<u32, String> {
    let bytes = text.parse().map_err(|_| "not a number".to_owned())?;
    let (least, most) = (BUFFER_BYTES.start(), BUFFER_BYTES.end());
    let within = BUFFER_BYTES.contains(&bytes);
    if within { Ok(bytes) } else { Err(format!("not between {least} and {most}")) }
}

fn retry_seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse().map_err(|_| "not a number".to_owned())?;
    let within = seconds <= RETRIES_FOR_MAX_S;
    if within { Ok(seconds) } else { Err(format!("more than {RETRIES_FOR_MAX_S}")) }
}
