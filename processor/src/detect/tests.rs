//! Each test tells a story in flow records and looks at the signals.

mod life;
mod scans;
mod volumes;

use sketches::hash::HashKey;

use super::*;
use crate::batch::BatchId;
use crate::combine::Combiner;
use crate::flow::{Action, Address, Record, TcpFlags, protocol};
use crate::signal::{Severity, Status};

/// A whole day's beginning, so that panes are easy to reckon.
const START_S: u64 = 1_767_225_600;
const SCANNER: Address = Address::v4(0x0a00_0001);
const VICTIM: Address = Address::v4(0x0a00_0101);
const OUTSIDE: Address = Address::v4(0xc633_6401);

/// The core with its own small edge: records in, signals out.
struct Story {
    combiner: Combiner,
    detector: Detector,
    signals: Vec<Signal>,
    batches: u64,
}

impl Story {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self::with_window(config, NetworkConfig::default(), window::Config::default())
    }

    fn with_window(config: Config, network: NetworkConfig, window: window::Config) -> Self {
        let key = HashKey::new(1, 2);
        let combiner = Combiner::new(key, window.pane_s);
        let detector = Detector::new(config, network, window, key).unwrap();
        Self { combiner, detector, signals: Vec::new(), batches: 0 }
    }

    /// One batch of records.
    fn batch(&mut self, records: impl IntoIterator<Item = Record<'static>>) -> &mut Self {
        for record in records {
            self.combiner.add(&record);
        }
        self.apply()
    }

    fn blind(&mut self, interface_id: &str, from_s: u64, to_s: u64) -> &mut Self {
        self.combiner.add_blind(interface_id.as_bytes(), START_S + from_s, START_S + to_s);
        self.apply()
    }

    fn apply(&mut self) -> &mut Self {
        let id = BatchId::at("story".into(), self.batches);
        self.batches += 1;
        let partial = self.combiner.finish(id);
        self.detector.apply(&partial, &mut |signal| self.signals.push(signal));
        self
    }

    /// Nothing but time passes, until `at_s`.
    fn wait(&mut self, at_s: u64) -> &mut Self {
        self.batch([answer(tcp(Address::v4(0x0a00_0909), 40_000, VICTIM, 443, at_s))])
    }

    fn finish(&mut self) -> &mut Self {
        self.detector.finish(&mut |signal| self.signals.push(signal));
        self
    }

    /// Kinds, sources and status of all signals so far.
    fn told(&self) -> Vec<(Kind, String, Status)> {
        let tell = |signal: &Signal| (signal.kind, signal.entity.src.to_string(), signal.status);
        self.signals.iter().map(tell).collect()
    }

    fn opened(&self) -> Vec<Kind> {
        let opened = self.signals.iter().filter(|signal| signal.status == Status::Open);
        opened.map(|signal| signal.kind).collect()
    }
}

fn record(
    source: (Address, u16),
    target: (Address, u16),
    protocol: u8,
    at_s: u64,
) -> Record<'static> {
    Record {
        interface_id: b"eni-1",
        source: source.0,
        destination: target.0,
        source_port: source.1,
        destination_port: target.1,
        protocol,
        packets: 6,
        bytes: 900,
        start_s: START_S + at_s,
        end_s: START_S + at_s,
        action: Some(Action::Accept),
        tcp_flags: None,
        destination_service: b"",
    }
}

fn tcp(source: Address, port: u16, target: Address, service: u16, at_s: u64) -> Record<'static> {
    record((source, port), (target, service), protocol::TCP, at_s)
}

fn ping(source: Address, target: Address, at_s: u64) -> Record<'static> {
    record((source, 0), (target, 0), protocol::ICMP, at_s)
}

/// The same packets the other way round.
fn answer(request: Record<'static>) -> Record<'static> {
    Record {
        source: request.destination,
        destination: request.source,
        source_port: request.destination_port,
        destination_port: request.source_port,
        ..request
    }
}

fn reset(request: Record<'static>) -> Record<'static> {
    Record { packets: 1, bytes: 40, ..answer(request) }
}

fn rejected(request: Record<'static>) -> Record<'static> {
    Record { action: Some(Action::Reject), ..request }
}

fn host(number: u32) -> Address {
    Address::v4(0x0a01_0000 + number)
}
