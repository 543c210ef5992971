//! What is known of the queue of new objects and of the objects that it names, for whoever scrapes `/metrics`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::cells::{gauge, load, lock};

/// One queue and its objects. Tells nothing before it was asked for something.
#[derive(Clone, Debug, Default)]
pub struct Objects(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    received: AtomicU64,
    deleted: AtomicU64,
    given_back: AtomicU64,
    given_up: AtomicU64,
    ignored: AtomicU64,
    extensions: AtomicU64,
    read: AtomicU64,
    bytes: AtomicU64,
    repeats: AtomicU64,
    in_flight: AtomicU64,
    message_age_ms: AtomicU64,
    /// When the queue last answered.
    answered_at: Mutex<Option<Instant>>,
    failures: Mutex<BTreeMap<&'static str, u64>>,
}

/// An object while it is read.
#[derive(Debug)]
pub struct InFlight(Objects);

impl Objects {
    /// The queue answered with so many messages; the oldest of those that came for the first time was sent so long ago.
    #[expect(clippy::disallowed_methods, reason = "how old this is, is told at the scrape")]
    pub fn received(&self, messages: u64, age_ms_max: u64) {
        self.0.received.fetch_add(messages, Ordering::Relaxed);
        self.0.message_age_ms.store(age_ms_max, Ordering::Relaxed);
        *lock(&self.0.answered_at) = Some(Instant::now());
    }

    /// A message was deleted.
    pub fn deleted(&self) {
        add(&self.0.deleted, 1);
    }

    /// A message was made visible again, at once or later.
    pub fn gave_back(&self) {
        add(&self.0.given_back, 1);
    }

    /// A message, or an object of one, was kept as a dead letter.
    pub fn gave_up(&self) {
        add(&self.0.given_up, 1);
    }

    /// Events were none of our business.
    pub fn ignored(&self, events: u64) {
        add(&self.0.ignored, events);
    }

    /// A message's timeout was extended.
    pub fn extended(&self) {
        add(&self.0.extensions, 1);
    }

    /// An object begins to be read.
    #[must_use]
    pub fn begins(&self) -> InFlight {
        add(&self.0.in_flight, 1);
        InFlight(self.clone())
    }

    /// Bytes of objects arrived, as S3 keeps them.
    pub fn read_bytes(&self, bytes: u64) {
        add(&self.0.bytes, bytes);
    }

    /// An object was read to its end.
    pub fn read(&self) {
        add(&self.0.read, 1);
    }

    /// An object was named again after it had been applied.
    pub fn repeated(&self) {
        add(&self.0.repeats, 1);
    }

    /// A call or an object failed for this reason.
    pub fn failed(&self, reason: &'static str) {
        *lock(&self.0.failures).entry(reason).or_default() += 1;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        (self.0).0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

type Read = fn(&Cells) -> &AtomicU64;

const COUNTERS: &[(&str, &str, Read)] = &[
    ("flowscout_s3_messages_received", "Messages received", |cells| &cells.received),
    (
        "flowscout_s3_messages_deleted",
        "Messages deleted, after all they name was applied",
        |cells| &cells.deleted,
    ),
    (
        "flowscout_s3_messages_given_back",
        "Messages made visible again, at once or later",
        |cells| &cells.given_back,
    ),
    ("flowscout_s3_given_up", "Messages and objects that were kept as dead letters", |cells| {
        &cells.given_up
    }),
    ("flowscout_s3_events_ignored", "Events that name no new object with content", |cells| {
        &cells.ignored
    }),
    ("flowscout_s3_extensions", "Times that the timeout of a message was extended", |cells| {
        &cells.extensions
    }),
    ("flowscout_s3_objects", "Objects read to their end", |cells| &cells.read),
    ("flowscout_s3_bytes", "Bytes of objects read, as S3 keeps them", |cells| &cells.bytes),
    ("flowscout_s3_object_repeats", "Objects named again after they had been applied", |cells| {
        &cells.repeats
    }),
];

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let cells = &self.0;
        let Some(answered_at) = *lock(&cells.answered_at) else {
            return encode_failures(&mut encoder, cells);
        };
        for (name, help, read) in COUNTERS {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(load(read(cells))).encode(metric)?;
        }
        let answer_age_ms = u64::try_from(answered_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let gauges = [
            ("flowscout_s3_objects_in_flight", "Objects that are read now", load(&cells.in_flight)),
            (
                "flowscout_s3_message_age_milliseconds",
                "How long before the queue's last answer the oldest message that came for the first time had been sent; 0 if none did",
                load(&cells.message_age_ms),
            ),
            (
                "flowscout_s3_answer_age_milliseconds",
                "How long ago the queue answered, which is how old the other numbers are",
                answer_age_ms,
            ),
        ];
        for (name, help, value) in gauges {
            gauge(value, encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        encode_failures(&mut encoder, cells)
    }
}

fn encode_failures(encoder: &mut DescriptorEncoder<'_>, cells: &Cells) -> Result<(), fmt::Error> {
    let failures = lock(&cells.failures);
    if failures.is_empty() {
        return Ok(());
    }
    let (name, help) =
        ("flowscout_s3_failures", "Calls, messages and objects that failed, by reason");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (reason, count) in failures.iter() {
        let labels = [("reason", *reason)];
        ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn add(cell: &AtomicU64, count: u64) {
    cell.fetch_add(count, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Metrics;
    use super::*;

    fn text(objects: &Objects) -> String {
        Metrics::of([Box::new(objects.clone()) as Box<dyn Collector>]).text().unwrap()
    }

    #[test]
    fn a_run_without_a_queue_has_no_series_of_one() {
        assert_eq!(text(&Objects::default()), "# EOF\n");
    }

    #[test]
    fn what_was_received_and_read_is_counted() {
        let objects = Objects::default();
        objects.failed("queue_throttled");
        objects.received(3, 4_500);
        let in_flight = objects.begins();
        objects.read_bytes(120);
        let seen = text(&objects);
        let lines = [
            "flowscout_s3_messages_received_total 3\n",
            "flowscout_s3_message_age_milliseconds 4500\n",
            "flowscout_s3_objects_in_flight 1\n",
            "flowscout_s3_bytes_total 120\n",
            "flowscout_s3_failures_total{reason=\"queue_throttled\"} 1\n",
        ];
        for line in lines {
            assert!(seen.contains(line), "{line} is not in {seen}");
        }
        drop(in_flight);
        assert!(text(&objects).contains("flowscout_s3_objects_in_flight 0\n"));
    }
}
