//! What became of the requests of Firehose, for whoever scrapes `/metrics`.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

/// All requests of this process.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    answers: Family<Answer, Counter>,
    records: Counter,
    bytes: Counter,
    body_bytes: Counter,
    in_flight: Gauge,
    connections: Gauge,
    turned_away: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    status: u32,
    reason: &'static str,
}

/// How much a request had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Records of Firehose, which are not those of flow logs.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes of the body as it was sent.
    pub body_bytes: u64,
}

/// Counts something while it lasts.
#[derive(Debug)]
pub struct Lasting(Gauge);

/// A request until it is answered. One that is dropped before is counted as given up by whoever sent it.
#[derive(Debug)]
pub struct Begun {
    requests: Requests,
    is_answered: bool,
}

/// What is counted when nobody waits for the answer any more.
const GONE: (u16, &str) = (499, "gone");

impl Requests {
    /// A request began; it lasts until the answer is made.
    #[must_use]
    pub fn begin(&self) -> Begun {
        self.0.in_flight.inc();
        Begun { requests: self.clone(), is_answered: false }
    }

    /// How many have begun and are not answered.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.0.in_flight.get()
    }

    /// A connection is open.
    #[must_use]
    pub fn connected(&self) -> Lasting {
        Lasting::new(&self.0.connections)
    }

    /// A connection was closed at once since too many are open.
    pub fn turned_away(&self) {
        self.0.turned_away.inc();
    }

    fn answered(&self, status: u16, reason: &'static str) {
        self.0.answers.get_or_create(&Answer { status: status.into(), reason }).inc();
    }

    /// A request was applied.
    pub fn took(&self, taken: Taken) {
        self.0.records.inc_by(taken.records);
        self.0.bytes.inc_by(taken.bytes);
        self.0.body_bytes.inc_by(taken.body_bytes);
    }
}

impl Begun {
    /// It was answered; `reason` is empty when it was applied.
    pub fn answered(mut self, status: u16, reason: &'static str) {
        self.is_answered = true;
        self.requests.answered(status, reason);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_answered {
            self.requests.answered(GONE.0, GONE.1);
        }
        self.requests.0.in_flight.dec();
    }
}

impl Lasting {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let cells = &self.0;
        let help = "Requests of Firehose that were answered";
        let answers = encoder.encode_descriptor(
            "flowscout_firehose_requests",
            help,
            None,
            MetricType::Counter,
        )?;
        cells.answers.encode(answers)?;
        let counters = [
            ("flowscout_firehose_records", "Records in requests that were applied", &cells.records),
            ("flowscout_firehose_record_bytes", "Bytes of these records", &cells.bytes),
            (
                "flowscout_firehose_body_bytes",
                "Bytes of their bodies as they were sent",
                &cells.body_bytes,
            ),
            (
                "flowscout_firehose_connections_turned_away",
                "Connections beyond connections_max",
                &cells.turned_away,
            ),
        ];
        for (name, help, counter) in counters {
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let gauges = [
            (
                "flowscout_firehose_requests_in_flight",
                "Requests that are not answered yet",
                &cells.in_flight,
            ),
            ("flowscout_firehose_connections", "Connections that are open", &cells.connections),
        ];
        for (name, help, gauge) in gauges {
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Metrics;
    use super::*;

    #[test]
    fn answers_are_counted_by_status_and_reason() {
        let requests = Requests::default();
        requests.begin().answered(200, "");
        requests.begin().answered(401, "access_key");
        drop(requests.begin());
        requests.took(Taken { records: 7, bytes: 700, body_bytes: 100 });
        let open = requests.connected();
        let text =
            || Metrics::of([Box::new(requests.clone()) as Box<dyn Collector>]).text().unwrap();
        for line in [
            "flowscout_firehose_requests_total{status=\"401\",reason=\"access_key\"} 1\n",
            "flowscout_firehose_requests_total{status=\"499\",reason=\"gone\"} 1\n",
            "flowscout_firehose_requests_in_flight 0\n",
            "flowscout_firehose_records_total 7\n",
            "flowscout_firehose_connections 1\n",
        ] {
            assert!(text().contains(line), "{}", text());
        }
        drop(open);
        assert!(text().contains("flowscout_firehose_connections 0\n"));
    }
}
