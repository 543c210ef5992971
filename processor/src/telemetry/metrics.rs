//! All metrics of the process, in the text format that Prometheus scrapes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use super::cells::{gauge, load};

/// What can be scraped.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Registry>);

/// What the fold has seen.
#[derive(Clone, Debug, Default)]
pub struct Fold(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    records: AtomicU64,
    flow_bytes: AtomicU64,
    refused: AtomicU64,
    batches: AtomicU64,
    repeats: AtomicU64,
    findings_open: AtomicU64,
    findings: AtomicU64,
    signals: AtomicU64,
    state_bytes: AtomicU64,
}

impl Metrics {
    /// Of these parts.
    #[must_use]
    pub fn of(parts: impl IntoIterator<Item = Box<dyn Collector>>) -> Self {
        let mut registry = Registry::default();
        parts.into_iter().for_each(|part| registry.register_collector(part));
        Self(Arc::new(registry))
    }

    /// As they are now, in the `OpenMetrics` text format.
    ///
    /// # Errors
    /// Never, as long as memory can be had.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut written = String::new();
        text::encode(&mut written, &self.0)?;
        Ok(written)
    }
}

impl Fold {
    /// So many batches were folded, and so many records with so many bytes of traffic, refused lines and findings there are by
    /// now.
    pub fn folded(
        &self,
        batches: u64,
        (records, flow_bytes): (u64, u64),
        refused: u64,
        findings: u64,
    ) {
        self.0.records.store(records, Ordering::Relaxed);
        self.0.flow_bytes.store(flow_bytes, Ordering::Relaxed);
        self.0.refused.store(refused, Ordering::Relaxed);
        self.0.findings.store(findings, Ordering::Relaxed);
        self.0.batches.store(batches, Ordering::Relaxed);
    }

    /// So many batches were delivered again after they were folded.
    pub fn repeated(&self, repeats: u64) {
        self.0.repeats.store(repeats, Ordering::Relaxed);
    }

    /// The state holds so many open findings, and so many bytes.
    pub fn holds(&self, findings_open: u64, state_bytes: u64) {
        self.0.findings_open.store(findings_open, Ordering::Relaxed);
        self.0.state_bytes.store(state_bytes, Ordering::Relaxed);
    }

    /// A signal was written.
    pub fn signalled(&self) {
        self.0.signals.fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for Fold {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let cells = &self.0;
        let counters = [
            ("flowscout_records", "Flow records folded", &cells.records),
            ("flowscout_flow_bytes", "Bytes of traffic in them, as logged", &cells.flow_bytes),
            ("flowscout_refused_lines", "Lines that could not be read", &cells.refused),
            ("flowscout_batches", "Batches folded", &cells.batches),
            (
                "flowscout_repeated_batches",
                "Batches that came again and counted once",
                &cells.repeats,
            ),
            ("flowscout_findings", "Findings opened", &cells.findings),
            ("flowscout_signals", "Signals written", &cells.signals),
        ];
        for (name, help, cell) in counters {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(load(cell)).encode(metric)?;
        }
        let gauges = [
            ("flowscout_findings_open", "Findings that are open", &cells.findings_open),
            ("flowscout_state_bytes", "Memory of hosts, pairs and services", &cells.state_bytes),
        ];
        for (name, help, cell) in gauges {
            gauge(load(cell), encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_folded_can_be_scraped() {
        let fold = Fold::default();
        fold.folded(1, (7, 900), 2, 1);
        fold.holds(1, 4096);
        let text = Metrics::of([Box::new(fold) as Box<dyn Collector>]).text().unwrap();
        for line in ["flowscout_records_total 7\n", "flowscout_state_bytes 4096\n", "# EOF\n"] {
            assert!(text.contains(line), "{text}");
        }
    }
}
