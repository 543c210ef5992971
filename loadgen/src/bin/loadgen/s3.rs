//! `--target s3://BUCKET/PREFIX`: files as AWS publishes flow logs. The asynchronous shell around the
//! pure part, `loadgen::objects`.

mod bucket;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use loadgen::objects::{Layout, OBJECT_BYTES_MAX, Object, Slots, check_prefix};
use loadgen::{Generator, Origin, Plan};

use crate::feed::{InFlight, Outlet, feed};
use crate::options::{Given, Kind, Options};
use crate::{aws, misuse, tell};
use bucket::Bucket;

/// All of them are left out where the target is no bucket.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of s3://BUCKET/PREFIX")]
pub(crate) struct S3Options {
    /// Folders such as `year=2026`, which tools of Hive take for columns
    #[arg(long)]
    hive: bool,
    /// A folder for each hour
    #[arg(long)]
    hourly: bool,
    /// Parquet in place of text
    #[arg(long)]
    parquet: bool,
    /// How many files share the records of five minutes [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    files_per_slot: Option<u32>,
    /// A file of about so many bytes ends and another goes on; the files of five minutes, and those
    /// in flight, are held in memory [default: 16777216]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(65_536..=i64::from(OBJECT_BYTES_MAX)))]
    object_bytes: Option<u32>,
}

/// Where files go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address<'a> {
    bucket: &'a str,
    prefix: &'a str,
}

/// What was put, and why something was not.
#[derive(Debug, Default)]
struct Tally {
    objects: u64,
    lines: u64,
    bytes: u64,
    lost_objects: u64,
    lost_lines: u64,
    reason: Option<String>,
}

/// An object that is put or is not.
struct Done {
    lines: u64,
    bytes: u64,
    result: Result<(), String>,
}

const S3: &[Kind] = &[Kind::S3];
const OBJECT_BYTES: u32 = 16 << 20;
const IN_FLIGHT: u32 = 4;

impl S3Options {
    pub(crate) fn given(&self) -> Vec<Given> {
        vec![
            ("--hive", self.hive, S3),
            ("--hourly", self.hourly, S3),
            ("--parquet", self.parquet, S3),
            ("--files-per-slot", self.files_per_slot.is_some(), S3),
            ("--object-bytes", self.object_bytes.is_some(), S3),
        ]
    }

    fn layout(&self, prefix: &str, seed: u64) -> Layout {
        Layout {
            prefix: prefix.to_owned(),
            hive: self.hive,
            hourly: self.hourly,
            parquet: self.parquet,
            files_per_slot: self.files_per_slot.unwrap_or(1),
            object_bytes_max: self.object_bytes.unwrap_or(OBJECT_BYTES) as usize,
            seed,
        }
    }
}

/// `//BUCKET/PREFIX` of the target.
///
/// # Errors
/// A misuse that says what a bucket is called.
pub(crate) fn address(rest: &str) -> anyhow::Result<Address<'_>> {
    let (bucket, prefix) = rest.trim_start_matches('/').split_once('/').unwrap_or_else(|| {
        // A bucket may be given alone.
        (rest.trim_start_matches('/'), "")
    });
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_bucket = (3..=63).contains(&bucket.len()) && bucket.bytes().all(legal);
    if !rest.starts_with("//") || !is_bucket {
        let form = "write s3://BUCKET/PREFIX";
        return Err(misuse(format!("target `s3:{rest}` does not name a bucket: {form}")));
    }
    let prefix = prefix.trim_matches('/');
    check_prefix(prefix).map_err(misuse)?;
    bucket::check_key(prefix)?;
    Ok(Address { bucket, prefix })
}

/// Puts the lines of `generator` into the bucket, and says what came of it.
///
/// # Errors
/// When the bucket cannot be written to.
pub(crate) fn run(
    address: Address<'_>,
    options: &Options,
    generator: &mut Generator,
    plan: &Plan,
) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tally = runtime.block_on(async {
        let endpoint_url = options.flow.endpoint_url.as_deref();
        let config = aws::config(endpoint_url).await?;
        let bucket = Bucket::new(address.bucket, &config, endpoint_url)?;
        let mut sender = Sender {
            bucket: Arc::new(bucket),
            slots: Slots::new(options.s3.layout(address.prefix, plan.seed), &plan.format),
            complete: Vec::new(),
            in_flight: InFlight::new(options.in_flight(IN_FLIGHT)),
            tally: Tally::default(),
        };
        feed(&mut sender, generator, plan, options.pace()).await?;
        sender.finish().await
    })?;
    tally.report()
}

struct Sender {
    bucket: Arc<Bucket>,
    slots: Slots,
    complete: Vec<Object>,
    in_flight: InFlight<Done>,
    tally: Tally,
}

impl Outlet for Sender {
    async fn line(&mut self, line: &[u8], origin: Origin<'_>) -> anyhow::Result<()> {
        self.slots.push(line, origin, &mut self.complete)?;
        if self.complete.is_empty() { Ok(()) } else { self.put().await }
    }

    async fn idle(&mut self, wait: Duration) -> anyhow::Result<()> {
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// A bucket that refuses one object, with all retries, refuses all.
    fn is_closed(&self) -> bool {
        self.tally.reason.is_some()
    }
}

impl Sender {
    async fn put(&mut self) -> anyhow::Result<()> {
        for object in std::mem::take(&mut self.complete) {
            let bucket = Arc::clone(&self.bucket);
            let task = async move {
                let Object { key, content, lines } = object;
                let bytes = content.len() as u64;
                Done { lines, bytes, result: bucket.put(&key, content).await }
            };
            for done in self.in_flight.start(task).await? {
                self.tally.add(done);
            }
        }
        Ok(())
    }

    async fn finish(mut self) -> anyhow::Result<Tally> {
        if !self.is_closed() {
            self.slots.finish(&mut self.complete)?;
            self.put().await?;
        }
        while let Some(done) = self.in_flight.next().await? {
            self.tally.add(done);
        }
        Ok(self.tally)
    }
}

impl Tally {
    fn add(&mut self, Done { lines, bytes, result }: Done) {
        match result {
            Ok(()) => {
                self.objects += 1;
                self.lines += lines;
                self.bytes += bytes;
            }
            Err(reason) => {
                self.lost_objects += 1;
                self.lost_lines += lines;
                self.reason = Some(reason);
            }
        }
    }

    fn report(self) -> anyhow::Result<()> {
        let Self { objects, lines, bytes, .. } = self;
        tell(&format!("put {objects} objects, {lines} lines, {bytes} bytes"));
        match self.reason {
            None => Ok(()),
            Some(reason) => Err(anyhow!(
                "{} objects with {} lines were not put: {reason}",
                self.lost_objects,
                self.lost_lines
            )),
        }
    }
}
