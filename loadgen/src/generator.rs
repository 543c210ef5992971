//! The generator: a plan in, lines out, sorted by the end of their interval.
//!
//! Same plan, same bytes, on every platform. Memory bound: what the hosts log within a minute at
//! the plan's rate, the open conversations, and the planned attacks; the length of the plan does
//! not matter.

use thiserror::Error;

use crate::attack::{self, Injection};
use crate::calendar::Calendar;
use crate::format::LineFormat;
use crate::legs;
use crate::line::LineWriter;
use crate::network::Network;
use crate::ordinary::{Ordinary, Span};
use crate::profile::Profile;
use crate::record::{Exchange, Record};
use crate::scenario::Scenario;
use crate::truth::TruthRow;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The network and the mix of its traffic.
    pub profile: Profile,
    /// What to inject; each scenario at most once.
    pub scenarios: Vec<Scenario>,
    /// Ordinary records per second of event time, on average; attacks come on top. The periodic
    /// traffic of the profile is never left out, so that very low rates are exceeded.
    pub rate_per_s: u32,
    /// Seconds of event time.
    pub duration_s: u32,
    /// Chooses every draw.
    pub seed: u64,
    /// Epoch second in which the traffic begins.
    pub start_s: u64,
    /// What lines look like.
    pub format: LineFormat,
}

/// Where and when a line was logged, whatever its format shows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'g> {
    /// The interface that logged it.
    pub interface: &'g str,
    /// Epoch second of the first packet.
    pub start_s: u64,
    /// Epoch second of the last packet; lines come in its order.
    pub end_s: u64,
}

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A scenario needs more time.
    #[error("scenario {scenario} needs at least {needed_s} seconds, the plan has {duration_s}")]
    TooShort {
        /// The scenario that does not fit.
        scenario: Scenario,
        /// Its shortest plan.
        needed_s: u32,
        /// The plan's length.
        duration_s: u32,
    },
    /// A scenario would use one host twice.
    #[error("scenario {scenario} is planned twice")]
    Twice {
        /// The repeated scenario.
        scenario: Scenario,
    },
    /// Nothing would be generated.
    #[error("{field} must not be 0")]
    Zero {
        /// The plan's field, as the command line calls it.
        field: &'static str,
    },
    /// The profile lacks a role that every network has.
    #[error("profile {name} needs at least one {role} and at most 2,000 hosts per role")]
    Profile {
        /// The profile's name.
        name: &'static str,
        /// What is missing or too large.
        role: &'static str,
    },
}

/// Generates the lines of one plan.
#[derive(Debug)]
pub struct Generator {
    network: Network,
    ordinary: Ordinary,
    attacks: std::iter::Peekable<std::vec::IntoIter<Exchange>>,
    notices: Vec<Record>,
    calendar: Calendar,
    truth: Vec<TruthRow>,
    format: LineFormat,
    writer: LineWriter,
    ready: Vec<Record>,
    written: usize,
    next_s: u64,
    stop_s: u64,
    chunk_bytes: usize,
}

/// Large enough to make the call itself cheap, small enough for the second-level cache.
const CHUNK_BYTES: usize = 256 * 1024;

impl Generator {
    /// Prepares the network, the ordinary traffic and the attacks.
    ///
    /// # Errors
    /// [`PlanError`] when a scenario does not fit into the plan, or the plan is empty.
    pub fn new(plan: &Plan) -> Result<Self, PlanError> {
        check(plan)?;
        let span = Span {
            start_s: plan.start_s,
            stop_s: plan.start_s.saturating_add(plan.duration_s.into()),
        };
        let network = Network::new(&plan.profile);
        let Injection { exchanges, notices, gap, truth } =
            attack::plan(&plan.scenarios, &network, plan.seed, span);
        Ok(Self {
            ordinary: Ordinary::new(
                plan.profile.clone(),
                &network,
                plan.rate_per_s,
                plan.seed,
                span,
            ),
            attacks: exchanges.into_iter().peekable(),
            notices,
            calendar: Calendar::new(gap),
            truth,
            format: plan.format.clone(),
            writer: LineWriter::new(&plan.format, &network),
            network,
            ready: Vec::new(),
            written: 0,
            next_s: span.start_s,
            stop_s: span.stop_s,
            chunk_bytes: CHUNK_BYTES,
        })
    }

    /// What is injected, in the order of time; complete before the first line is generated.
    #[must_use]
    pub fn truth(&self) -> &[TruthRow] {
        &self.truth
    }

    /// The AWS format string of the lines.
    #[must_use]
    pub fn format_string(&self) -> String {
        self.format.format_string()
    }

    /// The epoch second up to which everything is written; for a progress display.
    #[must_use]
    pub fn reached_s(&self) -> u64 {
        self.next_s
    }

    /// Appends the next whole lines, about 256 KiB of them, to `out`.
    ///
    /// Returns false, and appends nothing, when the traffic is over.
    pub fn next_chunk(&mut self, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        let enough = before + self.chunk_bytes;
        while out.len() < enough && self.write_line(out).is_some() {}
        out.len() > before
    }

    /// Appends the next line, with its end, to `out`, and says where it was logged.
    ///
    /// Returns nothing, and appends nothing, when the traffic is over.
    pub fn next_line(&mut self, out: &mut Vec<u8>) -> Option<Origin<'_>> {
        let Record { interface, half, .. } = self.write_line(out)?;
        let interface = std::str::from_utf8(self.network.interface_name(interface));
        let interface = interface.unwrap_or_default();
        Some(Origin { interface, start_s: half.start_s, end_s: half.end_s })
    }

    fn write_line(&mut self, out: &mut Vec<u8>) -> Option<Record> {
        loop {
            if let Some(record) = self.ready.get(self.written) {
                self.writer.push(record, out);
                self.written += 1;
                return Some(*record);
            }
            if self.next_s >= self.stop_s {
                return None;
            }
            self.play_second();
        }
    }

    fn play_second(&mut self) {
        let now_s = self.next_s;
        self.ordinary.play(now_s, &self.network, &mut self.calendar);
        while let Some(exchange) = self.attacks.next_if(|next| next.forward.start_s <= now_s) {
            legs::log(&self.network, &exchange, &mut self.calendar);
        }
        for notice in self.notices.iter().filter(|notice| notice.half.start_s == now_s) {
            self.calendar.push(*notice);
        }
        self.calendar.take(now_s, &mut self.ready);
        self.written = 0;
        self.next_s += 1;
    }
}

fn check(plan: &Plan) -> Result<(), PlanError> {
    for (field, value) in [("rate", plan.rate_per_s), ("seconds", plan.duration_s)] {
        if value == 0 {
            return Err(PlanError::Zero { field });
        }
    }
    for (position, scenario) in plan.scenarios.iter().enumerate() {
        let (needed_s, duration_s) = (scenario.duration_s_min(), plan.duration_s);
        if duration_s < needed_s {
            return Err(PlanError::TooShort { scenario: *scenario, needed_s, duration_s });
        }
        if plan.scenarios[..position].contains(scenario) {
            return Err(PlanError::Twice { scenario: *scenario });
        }
    }
    check_profile(&plan.profile)
}

/// Beyond 2,000 hosts a role would grow into the subnets of the next one.
fn check_profile(profile: &Profile) -> Result<(), PlanError> {
    let roles = [
        ("public server", profile.public_servers, 1..=1_000),
        ("service host", profile.service_hosts, 1..=1_000),
        ("client", profile.clients, 1..=2_000),
        ("backup host", profile.backup_hosts, 0..=900),
        ("idle host", profile.idle_hosts, 0..=900),
        ("down host", profile.down_hosts, 0..=2),
        ("balancer", profile.balancers, 0..=40),
    ];
    for (role, hosts, allowed) in roles {
        if !allowed.contains(&hosts) {
            return Err(PlanError::Profile { name: profile.name, role });
        }
    }
    let weights = profile.weights;
    if weights.service_calls == 0 {
        return Err(PlanError::Profile { name: profile.name, role: "service call" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rate_per_s: u32, duration_s: u32) -> Plan {
        Plan {
            profile: Profile::ordinary(),
            scenarios: Scenario::fitting(duration_s),
            rate_per_s,
            duration_s,
            seed: 1,
            start_s: 1_767_225_600,
            format: LineFormat::default(),
        }
    }

    fn all_lines(generator: &mut Generator) -> Vec<u8> {
        let mut out = Vec::new();
        while generator.next_chunk(&mut out) {}
        out
    }

    #[test]
    fn the_size_of_chunks_does_not_change_the_bytes() {
        let whole = all_lines(&mut Generator::new(&plan(150, 700)).unwrap());
        let mut generator = Generator::new(&plan(150, 700)).unwrap();
        generator.chunk_bytes = 1;
        let mut chunk = Vec::new();
        let mut joined = Vec::new();
        while generator.next_chunk(&mut chunk) {
            assert_eq!(chunk.iter().filter(|byte| **byte == b'\n').count(), 1);
            joined.append(&mut chunk);
        }
        assert!(joined == whole);
        assert!(!generator.next_chunk(&mut chunk) && chunk.is_empty());
    }

    #[test]
    fn lines_one_by_one_are_the_same_lines_and_say_where_they_were_logged() {
        let whole = all_lines(&mut Generator::new(&plan(150, 700)).unwrap());
        let mut generator = Generator::new(&plan(150, 700)).unwrap();
        let (mut line, mut joined, mut reached_s) = (Vec::new(), Vec::new(), 0);
        while let Some(Origin { interface, start_s, end_s }) = generator.next_line(&mut line) {
            let text = String::from_utf8(line.clone()).unwrap();
            let fields: Vec<&str> = text.split_whitespace().collect();
            let (start_s, end) = (start_s.to_string(), end_s.to_string());
            assert_eq!((fields[2], fields[10], fields[11]), (interface, &*start_s, &*end));
            assert!(end_s >= reached_s);
            reached_s = end_s;
            joined.append(&mut line);
        }
        assert!(joined == whole);
    }

    #[test]
    fn memory_does_not_grow_with_the_length_of_the_plan() {
        let peak = |duration_s| {
            let mut generator = Generator::new(&plan(300, duration_s)).unwrap();
            let (mut chunk, mut peak) = (Vec::new(), (0, 0));
            while generator.next_chunk(&mut chunk) {
                chunk.clear();
                peak.0 = peak.0.max(generator.calendar.capacity() + generator.ready.capacity());
                peak.1 = peak.1.max(generator.ordinary.open_conversations());
            }
            peak
        };
        // After 20 min, the longest conversation, nothing should grow any more.
        let (short, long) = (peak(1_800), peak(3 * 3_600));
        assert!(long.0 < short.0 * 2 && long.1 < short.1 * 3 / 2, "{short:?} {long:?}");
    }

    #[test]
    fn plans_that_cannot_be_are_refused_by_name() {
        let error = |plan: &Plan| Generator::new(plan).unwrap_err().to_string();
        let slow = Plan { scenarios: vec![Scenario::SlowScan], ..plan(10, 3_899) };
        assert_eq!(
            error(&slow),
            "scenario slow-scan needs at least 3900 seconds, the plan has 3899"
        );
        let twice = Plan { scenarios: vec![Scenario::DataGap; 2], ..plan(10, 600) };
        assert_eq!(error(&twice), "scenario data-gap is planned twice");
        assert_eq!(error(&plan(0, 600)), "rate must not be 0");
        let clients = Profile { clients: 0, ..Profile::quiet() };
        assert!(error(&Plan { profile: clients, ..plan(10, 600) }).contains("one client"));
    }
}
