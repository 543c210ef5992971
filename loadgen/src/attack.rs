//! The injected attacks: planned as a whole before the traffic begins, so that the truth is known
//! at once.
//!
//! `scans` probes ports and hosts, `floods` moves volume or hammers one service. Each scenario has
//! a host and a stream of draws of its own. Memory bound: about 15,000 exchanges, under 3 MiB,
//! whatever the plan's rate and length.

mod floods;
mod scans;

use crate::address::text;
use crate::calendar::Gap;
use crate::draws::Draws;
use crate::network::Network;
use crate::ordinary::Span;
use crate::record::{Endpoint, Exchange, Half, Record, Route, Verdict, flags, protocol};
use crate::scenario::Scenario;
use crate::truth::TruthRow;

/// Everything that is injected.
#[derive(Debug, Default)]
pub(crate) struct Injection {
    /// In the order of their start.
    pub(crate) exchanges: Vec<Exchange>,
    /// Notices of skipped data, each to be filed in the second of its start.
    pub(crate) notices: Vec<Record>,
    pub(crate) gap: Option<Gap>,
    pub(crate) truth: Vec<TruthRow>,
}

/// What planning one scenario needs.
struct Planner<'a> {
    network: &'a Network,
    span: Span,
    draws: Draws,
    scenario: Scenario,
    injection: &'a mut Injection,
}

/// What a truth row says beyond the times, which follow from the exchanges.
struct Claim {
    kind: &'static str,
    src: u32,
    dst: Option<u32>,
    port: Option<u16>,
}

/// How a probed port behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Answer {
    Open,
    Closed,
    #[default]
    Filtered,
    Rejected,
}

/// Attacks begin after the first minute and end half a minute before the last second.
const QUIET_BEFORE_S: u64 = 60;
const QUIET_AFTER_S: u64 = 30;
const GAP_INTERVALS: u64 = 3;

/// Plans the scenarios, which must fit into the span.
pub(crate) fn plan(scenarios: &[Scenario], network: &Network, seed: u64, span: Span) -> Injection {
    let mut injection = Injection::default();
    for scenario in scenarios {
        let draws = Draws::new(seed, 1 + u64::from(scenario.ordinal()));
        let injection = &mut injection;
        let planner = Planner { network, span, draws, scenario: *scenario, injection };
        planner.plan();
    }
    injection.exchanges.sort_by_key(|exchange| exchange.forward.start_s);
    injection.truth.sort_by_key(|row| row.start_s);
    injection
}

impl Planner<'_> {
    fn plan(mut self) {
        match self.scenario {
            Scenario::VerticalScan => {
                self.vertical_scan_inside();
                self.vertical_scan_from_outside();
            }
            Scenario::HorizontalScan => {
                self.horizontal_scan_inside();
                self.horizontal_scan_from_outside();
            }
            Scenario::IcmpSweep => self.icmp_sweep(),
            Scenario::BlockScan => self.block_scan(),
            Scenario::SlowScan => self.slow_scan(),
            Scenario::Exfiltration => self.exfiltration(),
            Scenario::RejectedSurge => self.rejected_surge(),
            Scenario::DataGap => self.data_gap(),
        }
    }

    /// The host of this scenario.
    fn own_host(&self) -> u32 {
        self.network.spares[self.scenario.ordinal() as usize]
    }

    fn duration_s(&self) -> u64 {
        self.span.stop_s - self.span.start_s
    }

    /// Where something of that length begins.
    fn place(&mut self, length_s: u64) -> u64 {
        let latitude = self.duration_s().saturating_sub(length_s + QUIET_BEFORE_S + QUIET_AFTER_S);
        let latitude = u32::try_from(latitude).unwrap_or(u32::MAX);
        self.span.start_s + QUIET_BEFORE_S + u64::from(self.draws.below(latitude))
    }

    /// Adds the exchanges and a truth row whose times are those of the first and the last packet.
    fn add(&mut self, claim: &Claim, exchanges: Vec<Exchange>) {
        let ends = exchanges.iter().map(|exchange| exchange.forward.end_s);
        let starts = exchanges.iter().map(|exchange| exchange.forward.start_s);
        let (Some(start_s), Some(end_s)) = (starts.min(), ends.max()) else { return };
        self.injection.truth.push(TruthRow {
            kind: claim.kind.to_owned(),
            src: text(claim.src),
            dst: claim.dst.map(text),
            port: claim.port,
            start_s,
            end_s,
            scenario: self.scenario.to_string(),
        });
        self.injection.exchanges.extend(exchanges);
    }

    /// AWS skips the records of one interface for three intervals.
    fn data_gap(&mut self) {
        let Some(interface) = self.network.interface(self.own_host()) else { return };
        let start_s = self.place(GAP_INTERVALS * 60 + 60).next_multiple_of(60);
        let end_s = start_s + GAP_INTERVALS * 60 - 1;
        self.injection.gap = Some(Gap { interface, start_s, end_s });
        let notices = (0..GAP_INTERVALS).map(|index| {
            let start_s = start_s + 60 * index;
            Record::silence(interface, Verdict::SkipData, start_s, start_s + 59)
        });
        self.injection.notices.extend(notices);
        self.injection.truth.push(TruthRow {
            kind: "data_gap".to_owned(),
            src: String::from_utf8_lossy(self.network.interface_name(interface)).into_owned(),
            dst: None,
            port: None,
            start_s,
            end_s,
            scenario: self.scenario.to_string(),
        });
    }
}

/// One TCP probe with a scanner's packet sizes, within a second.
fn probe(client: Endpoint, server: Endpoint, at_s: u64, answer: Answer) -> Exchange {
    let half = |packets, bytes, flags| Half { start_s: at_s, end_s: at_s, bytes, packets, flags };
    let (forward, backward) = match answer {
        Answer::Open => (half(2, 84, flags::SYN | flags::RST), Some(half(1, 44, flags::SYN_ACK))),
        Answer::Closed => (half(1, 44, flags::SYN), Some(half(1, 40, flags::RST))),
        Answer::Filtered | Answer::Rejected => (half(1, 44, flags::SYN), None),
    };
    Exchange {
        client,
        server,
        protocol: protocol::TCP,
        route: Route::Direct,
        rejected: answer == Answer::Rejected,
        forward,
        backward,
    }
}
