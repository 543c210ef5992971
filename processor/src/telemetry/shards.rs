//! What is known of each shard that is read and of the leases, for whoever scrapes `/metrics`.
//!
//! Bounded by the shards that are read now: a shard that was handed over or finished leaves no series behind, so that nobody
//! looks at a lag that is somebody else's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::cells::{gauge, load, lock};

/// All shards of this process, and what became of its leases.
#[derive(Clone, Debug, Default)]
pub struct Shards(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    shards: Mutex<BTreeMap<Arc<str>, Arc<Cells>>>,
    leases: Mutex<Leases>,
}

/// What a worker counts of leases, by the names of `lease::Counts`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leases {
    /// Held now, by this worker.
    pub held: u64,
    /// In the table and not finished.
    pub total: u64,
    /// Of these, held by nobody.
    pub expired: u64,
    /// Taken so far.
    pub taken: u64,
    /// Lost so far.
    pub lost: u64,
    /// Taken from others so far.
    pub stolen: u64,
    /// Handed over so far.
    pub handed_over: u64,
    /// Renewals that failed so far.
    pub renewals_failed: u64,
    /// Milliseconds since the lease was renewed that was renewed the longest ago.
    pub renewal_age_ms_max: u64,
    /// Milliseconds since the table was last read.
    pub table_age_ms: u64,
}

/// One shard while it is read; its series end when it is dropped.
#[derive(Debug)]
pub struct ShardMeter {
    registry: Shards,
    name: Arc<str>,
    cells: Arc<Cells>,
}

#[derive(Debug, Default)]
struct Cells {
    stream: Arc<str>,
    shard: Arc<str>,
    behind_ms: AtomicU64,
    checkpoint_age_ms: AtomicU64,
    answer_age_ms: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    batches: AtomicU64,
    checkpoints: AtomicU64,
    gaps: AtomicU64,
    foreign: AtomicU64,
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

impl Shards {
    /// Begins the series of a shard.
    #[must_use]
    pub fn meter(&self, stream: &str, shard: &str) -> ShardMeter {
        let name: Arc<str> = format!("{stream}/{shard}").into();
        let cells = Cells { stream: stream.into(), shard: shard.into(), ..Cells::default() };
        let cells = Arc::new(cells);
        lock(&self.0.shards).insert(Arc::clone(&name), Arc::clone(&cells));
        ShardMeter { registry: self.clone(), name, cells }
    }

    /// Notes what the leases' coordinator has counted.
    pub fn leases_are(&self, leases: Leases) {
        *lock(&self.0.leases) = leases;
    }
}

impl ShardMeter {
    /// An answer or event came.
    pub fn answered(&self, records: u64, bytes: u64, behind_ms: u64) {
        self.cells.records.fetch_add(records, Ordering::Relaxed);
        self.cells.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.cells.behind_ms.store(behind_ms, Ordering::Relaxed);
    }

    /// A batch went to the workers.
    pub fn sent_batch(&self) {
        self.cells.batches.fetch_add(1, Ordering::Relaxed);
    }

    /// A call failed for a reason of `source::kinesis::Failure`.
    pub fn failed(&self, reason: &'static str) {
        *lock(&self.cells.failures).entry(reason).or_default() += 1;
    }

    /// A checkpoint was written.
    pub fn checkpointed(&self) {
        self.cells.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    /// So long ago the oldest batch was sent that no checkpoint covers; 0 if all are covered.
    pub fn waits_for_checkpoint(&self, age_ms: u64) {
        self.cells.checkpoint_age_ms.store(age_ms, Ordering::Relaxed);
    }

    /// So long ago the last answer came, whatever was asked since.
    pub fn answer_is_old(&self, age_ms: u64) {
        self.cells.answer_age_ms.store(age_ms, Ordering::Relaxed);
    }

    /// Records were trimmed before they were read.
    pub fn lost_records(&self) {
        self.cells.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// An aggregate held records of another shard.
    pub fn dropped_foreign(&self) {
        self.cells.foreign.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for ShardMeter {
    fn drop(&mut self) {
        let mut shards = lock(&self.registry.0.shards);
        // A later grant of the same shard has cells of its own.
        if shards.get(&self.name).is_some_and(|cells| Arc::ptr_eq(cells, &self.cells)) {
            shards.remove(&self.name);
        }
    }
}

type Read = fn(&Cells) -> u64;

const GAUGES: &[(&str, &str, Read)] = &[
    (
        "flowscout_kinesis_behind_latest_milliseconds",
        "How far the last answer was behind the newest record (MillisBehindLatest)",
        |cells| load(&cells.behind_ms),
    ),
    (
        "flowscout_kinesis_checkpoint_age_milliseconds",
        "How long ago the oldest batch was read that no checkpoint covers",
        |cells| load(&cells.checkpoint_age_ms),
    ),
    (
        "flowscout_kinesis_answer_age_milliseconds",
        "How long ago the last answer came, which is how old the lag is",
        |cells| load(&cells.answer_age_ms),
    ),
];

const COUNTERS: &[(&str, &str, Read)] = &[
    ("flowscout_kinesis_records", "Kinesis records read", |cells| load(&cells.records)),
    ("flowscout_kinesis_bytes", "Bytes of data in them", |cells| load(&cells.bytes)),
    ("flowscout_kinesis_batches", "Batches sent to the workers", |cells| load(&cells.batches)),
    ("flowscout_kinesis_checkpoints", "Checkpoints written", |cells| load(&cells.checkpoints)),
    ("flowscout_kinesis_gaps", "Times that records were trimmed before they were read", |cells| {
        load(&cells.gaps)
    }),
    (
        "flowscout_kinesis_foreign_aggregates",
        "Aggregates dropped because they hold records of another shard",
        |cells| load(&cells.foreign),
    ),
];

type ReadLeases = fn(&Leases) -> u64;

const LEASE_GAUGES: &[(&str, &str, ReadLeases)] = &[
    ("flowscout_leases_held", "Leases that this task holds", |leases| leases.held),
    ("flowscout_leases_unfinished", "Leases in the table that are not finished", |leases| {
        leases.total
    }),
    ("flowscout_leases_expired", "Of these, leases that nobody holds", |leases| leases.expired),
    (
        "flowscout_lease_renewal_age_milliseconds",
        "How long ago the lease was renewed that was renewed the longest ago",
        |leases| leases.renewal_age_ms_max,
    ),
    (
        "flowscout_lease_table_age_milliseconds",
        "How long ago the lease table was read, which is how old all numbers of leases are",
        |leases| leases.table_age_ms,
    ),
];

const LEASE_COUNTERS: &[(&str, &str, ReadLeases)] = &[
    ("flowscout_leases_taken", "Leases taken", |leases| leases.taken),
    ("flowscout_leases_lost", "Leases lost", |leases| leases.lost),
    ("flowscout_leases_stolen", "Leases taken from another task", |leases| leases.stolen),
    ("flowscout_leases_handed_over", "Leases given to another task", |leases| leases.handed_over),
    ("flowscout_lease_renewals_failed", "Renewals that failed", |leases| leases.renewals_failed),
];

impl Collector for Shards {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let shards: Vec<Arc<Cells>> = lock(&self.0.shards).values().map(Arc::clone).collect();
        for (name, help, read) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for cells in &shards {
                gauge(read(cells), family.encode_family(&cells.labels())?)?;
            }
        }
        for (name, help, read) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for cells in &shards {
                ConstCounter::new(read(cells)).encode(family.encode_family(&cells.labels())?)?;
            }
        }
        encode_failures(&mut encoder, &shards)?;
        self.encode_leases(&mut encoder)
    }
}

fn encode_failures(
    encoder: &mut DescriptorEncoder<'_>,
    shards: &[Arc<Cells>],
) -> Result<(), fmt::Error> {
    let (name, help) =
        ("flowscout_kinesis_failures", "Calls that failed, by reason; throttled ones among them");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for cells in shards {
        for (reason, count) in lock(&cells.failures).iter() {
            let [stream, shard] = cells.labels();
            let labels = [stream, shard, ("reason", *reason)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

impl Shards {
    fn encode_leases(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let leases = *lock(&self.0.leases);
        for (name, help, read) in LEASE_GAUGES {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            gauge(read(&leases), metric)?;
        }
        for (name, help, read) in LEASE_COUNTERS {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(read(&leases)).encode(metric)?;
        }
        Ok(())
    }
}

impl Cells {
    fn labels(&self) -> [(&'static str, &str); 2] {
        [("stream", &self.stream), ("shard", &self.shard)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Metrics;
    use super::*;

    fn text(shards: &Shards) -> String {
        Metrics::of([Box::new(shards.clone()) as Box<dyn Collector>]).text().unwrap()
    }

    #[test]
    fn a_shard_has_series_while_it_is_read() {
        let shards = Shards::default();
        let meter = shards.meter("flows", "shardId-000000000000");
        meter.answered(3, 120, 4_500);
        meter.failed("throttled");
        let labels = r#"{stream="flows",shard="shardId-000000000000""#;
        let seen = text(&shards);
        assert!(seen.contains(&format!("flowscout_kinesis_records_total{labels}}} 3\n")), "{seen}");
        let lag = format!("flowscout_kinesis_behind_latest_milliseconds{labels}}} 4500\n");
        assert!(seen.contains(&lag), "{seen}");
        let failures =
            format!("flowscout_kinesis_failures_total{labels},reason=\"throttled\"}} 1\n");
        assert!(seen.contains(&failures), "{seen}");
        drop(meter);
        assert!(!text(&shards).contains("shardId-"));
    }

    #[test]
    fn a_meter_of_an_earlier_grant_does_not_end_the_series_of_a_later_one() {
        let shards = Shards::default();
        let (earlier, later) = (shards.meter("flows", "0"), shards.meter("flows", "0"));
        drop(earlier);
        later.answered(1, 1, 0);
        let series = "flowscout_kinesis_records_total{stream=\"flows\",shard=\"0\"} 1\n";
        assert!(text(&shards).contains(series));
    }
}
