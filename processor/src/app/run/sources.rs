//! The sources of a run: those that are configured, started and waited for.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, anyhow};
use prometheus_client::collector::Collector;

use super::super::{Failure, aws, io_failure, misuse, random_number};
use super::watcher::Told;
use crate::config::Config;
use crate::lease::{self, Coordinator, Event, Handle, StartError, StoreError, Timing};
use crate::s3::Address;
use crate::source::firehose::{self, Firehose};
use crate::source::inlet::{self, Batches, Inlet};
use crate::source::kinesis::{self, Kinesis, StoreKind};
use crate::source::object::Buckets;
use crate::source::s3::{self, S3Source};
use crate::source::stop::Stop;
use crate::telemetry::metrics::Fold;
use crate::telemetry::objects::Objects;
use crate::telemetry::requests::Requests;
use crate::telemetry::shards::Shards;

/// Sources that run, each waited for by a thread.
pub(super) struct Sources(Vec<JoinHandle<Result<(), anyhow::Error>>>);

/// What is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters {
    shards: Shards,
    requests: Requests,
    objects: Objects,
}

/// Where and until when they read.
struct Shared<'s> {
    inlet: Inlet,
    stop: &'s Stop,
    told: &'s Told,
    meters: &'s Meters,
}

/// Refuses a configuration that says of no source where it is.
pub(super) fn check(config: &Config, path: &Path) -> Result<(), Failure> {
    let sources = &config.sources;
    let is_set = !sources.kinesis.streams.is_empty()
        || !sources.firehose.listen.is_empty()
        || !sources.s3.queue_url.is_empty();
    if is_set {
        return Ok(());
    }
    let hint = "sources.kinesis.streams, sources.firehose.listen and sources.s3.queue_url are empty: there is nothing to read";
    Err(misuse(anyhow!("{}: {hint}", path.display())))
}

impl Meters {
    /// As they are scraped, with what the fold has seen.
    pub(super) fn collectors(&self, fold: &Fold) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.shards.clone()),
            Box::new(self.requests.clone()),
            Box::new(self.objects.clone()),
            Box::new(fold.clone()),
        ]
    }
}

impl Sources {
    /// Starts what is configured.
    pub(super) fn start(
        config: &Config,
        stop: &Stop,
        told: &Told,
        meters: &Meters,
    ) -> Result<(Self, Batches), Failure> {
        let (inlet, batches) = inlet::channel();
        let shared = Shared { inlet, stop, told, meters };
        let mut sources = Self(Vec::new());
        if !config.sources.firehose.listen.is_empty() {
            let firehose = firehose(&config.sources.firehose, &shared)?;
            sources.wait_for("firehose", stop, move || Ok(firehose.join()?))?;
        }
        if !config.sources.s3.queue_url.is_empty() {
            let s3 = s3(config, &shared)?;
            sources.wait_for("s3", stop, move || Ok(s3.join()?))?;
        }
        // Last, since a lease that was taken for nothing keeps others waiting.
        if !config.sources.kinesis.streams.is_empty() {
            let kinesis = kinesis(&config.sources.kinesis, &shared)?;
            sources.wait_for("kinesis", stop, move || Ok(kinesis.join()?))?;
        }
        Ok((sources, batches))
    }

    /// Waits until all have ended.
    pub(super) fn join(self) -> Result<(), Failure> {
        let mut result = Ok(());
        for thread in self.0 {
            let ended = thread.join().unwrap_or_else(|_panic| Err(anyhow!("a source panicked")));
            result = result.and(ended);
        }
        result.map_err(io_failure)
    }

    /// A source that ends although nobody stopped it ends the others.
    fn wait_for(
        &mut self,
        name: &str,
        stop: &Stop,
        join: impl FnOnce() -> Result<(), anyhow::Error> + Send + 'static,
    ) -> Result<(), Failure> {
        let stop = stop.clone();
        let wait = move || {
            let ended = join();
            stop.stop();
            ended
        };
        let thread = thread::Builder::new().name(format!("await {name}")).spawn(wait);
        self.0.push(thread.context("cannot start").map_err(io_failure)?);
        Ok(())
    }
}

fn firehose(config: &firehose::Config, shared: &Shared<'_>) -> Result<Firehose, Failure> {
    let parts = firehose::Parts {
        access_keys: std::env::var("FLOWSCOUT_FIREHOSE_ACCESS_KEYS").ok(),
        inlet: shared.inlet.clone(),
        receipts: shared.told.receipts.clone(),
        requests: shared.meters.requests.clone(),
        stopped: shared.stop.stopped(),
    };
    Firehose::start(config, parts)
        .map_err(|error| if error.is_misuse() { misuse(error) } else { io_failure(error) })
}

/// The leases' thread, then the shards'.
fn kinesis(config: &kinesis::Config, shared: &Shared<'_>) -> Result<Kinesis, Failure> {
    let sdk = aws::regional_config()?;
    let (leases, events) = coordinate(config, &sdk)?;
    let client = aws::kinesis(&sdk, &config.endpoint_url);
    let parts = kinesis::Parts {
        client,
        leases,
        events,
        meters: shared.meters.shards.clone(),
        inlet: shared.inlet.clone(),
        ledger: shared.told.ledger.clone(),
        stopped: shared.stop.stopped(),
    };
    Kinesis::start(config.clone(), parts).context("cannot start reading").map_err(io_failure)
}

/// The queue of new objects.
fn s3(config: &Config, shared: &Shared<'_>) -> Result<S3Source, Failure> {
    let keeps_letters = !config.dead_letters.path.is_empty();
    let letters = match config.dead_letters.address() {
        Ok(Some(Address::Bucket(prefix))) => Some(prefix),
        _ => None,
    };
    let config = &config.sources.s3;
    let sdk = aws::config()?;
    let parts = s3::Parts {
        client: aws::sqs(&sdk, &config.queue_endpoint_url, config.queue_region())?,
        buckets: Buckets::new(&sdk, &config.endpoint_url),
        keeps_letters,
        letters,
        meter: shared.meters.objects.clone(),
        inlet: shared.inlet.clone(),
        receipts: shared.told.receipts.clone(),
        stopped: shared.stop.stopped(),
    };
    S3Source::start(config, parts).context("cannot start reading").map_err(io_failure)
}

fn coordinate(
    config: &kinesis::Config,
    sdk: &aws_config::SdkConfig,
) -> Result<(Handle, tokio::sync::mpsc::Receiver<Event>), Failure> {
    let leases = &config.leases;
    let timing = Timing {
        duration_ms: leases.duration_s * 1000,
        handoff_timeout_ms: leases.handoff_s_max * 1000,
        leases_max: leases.held_max,
    };
    let started = match leases.store {
        StoreKind::Dynamodb => {
            let client = aws::dynamodb(sdk, &leases.endpoint_url);
            let (table, creates) = (config.table().to_owned(), leases.creates_table);
            let store = move || async move { Ok(lease::DynamoDb::new(client, &table, creates)) };
            Coordinator::start(store, worker_id(&leases.worker_id), timing)
        }
        StoreKind::Local => {
            let path = leases.path.clone();
            let store = move || async move { lease::Local::open(Path::new(&path)) };
            // One task alone: whatever an earlier run of it held is its own.
            Coordinator::start(store, "local".into(), timing)
        }
    };
    started.map_err(|error| match error {
        StartError::Store(StoreError::Unusable(_)) => misuse(anyhow!(error)),
        error => io_failure(anyhow!(error)),
    })
}

/// Tells tasks apart for people, by the host, and for certain, by a number.
fn worker_id(configured: &str) -> Arc<str> {
    if !configured.is_empty() {
        return configured.into();
    }
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "flowscout" } else { host.trim() };
    format!("{host}-{:016x}", random_number()).into()
}
