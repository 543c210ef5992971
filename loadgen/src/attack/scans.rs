//! Scans: one target and many ports, many targets and one port, both, and slowly.
//!
//! What answers depends on the address: hosts that exist mostly refuse, some filter, few are open;
//! addresses that nobody has never answer.

use crate::address::{aws_service, outside};
use crate::draws::count;
use crate::record::{Endpoint, Exchange, Half, Route, flags, protocol};

use super::{Answer, Claim, Planner, probe};

/// The smallest number of public-facing hosts that makes a sweep from the internet worth its name.
const PUBLIC_SWEEP_HOSTS_MIN: usize = 40;
const SMB: u16 = 445;
const SSH: u16 = 22;
/// Slow enough for at most 11 probes in 5 min, where scan detectors commonly ask for 15; 90 an hour
/// on average.
const SLOW_STEP_S_MIN: u32 = 28;
const SLOW_STEP_S_MAX: u32 = 52;
const SLOW_S_MIN: u64 = 3_600;
const SLOW_S_MAX: u64 = 5_400;

impl Planner<'_> {
    pub(super) fn vertical_scan_inside(&mut self) {
        let (src, dst) = (self.own_host(), self.network.clients[3 % self.network.clients.len()]);
        let wanted = self.draws.between(300, 1_000);
        let ports = self.distinct_ports(wanted);
        let length_s = u64::from(self.draws.between(120, 240));
        let start_s = self.place(length_s);
        let exchanges = self.spread(&ports, start_s, length_s, |planner, port, at_s| {
            let answer = planner.host_answer();
            planner.probe_from(src, Endpoint { address: dst, port: *port }, at_s, answer)
        });
        self.add(&Claim { kind: "vertical_scan", src, dst: Some(dst), port: None }, exchanges);
    }

    /// A security group refuses all of it.
    pub(super) fn vertical_scan_from_outside(&mut self) {
        let src = self.outside_source(1);
        let dst = self.network.public_servers[1 % self.network.public_servers.len()];
        let wanted = self.draws.between(300, 600);
        let ports = self.distinct_ports(wanted);
        let length_s = u64::from(self.draws.between(120, 240));
        let start_s = self.place(length_s);
        let exchanges = self.spread(&ports, start_s, length_s, |planner, port, at_s| {
            planner.probe_from(src, Endpoint { address: dst, port: *port }, at_s, Answer::Rejected)
        });
        self.add(&Claim { kind: "vertical_scan", src, dst: Some(dst), port: None }, exchanges);
    }

    pub(super) fn horizontal_scan_inside(&mut self) {
        let src = self.own_host();
        let wanted = self.draws.between(120, 250);
        let mut targets = self.targets(src, wanted, 60);
        targets.sort_unstable();
        let length_s = u64::from(self.draws.between(60, 180));
        let start_s = self.place(length_s);
        let exchanges = self.spread(&targets, start_s, length_s, |planner, target, at_s| {
            let answer = planner.address_answer(*target);
            planner.probe_from(src, Endpoint { address: *target, port: SMB }, at_s, answer)
        });
        self.add(&Claim { kind: "horizontal_scan", src, dst: None, port: Some(SMB) }, exchanges);
    }

    pub(super) fn horizontal_scan_from_outside(&mut self) {
        if self.network.public_servers.len() < PUBLIC_SWEEP_HOSTS_MIN {
            return;
        }
        let src = self.outside_source(2);
        let targets = self.network.public_servers.clone();
        let length_s = u64::from(self.draws.between(60, 180));
        let start_s = self.place(length_s);
        let exchanges = self.spread(&targets, start_s, length_s, |planner, target, at_s| {
            planner.probe_from(
                src,
                Endpoint { address: *target, port: SSH },
                at_s,
                Answer::Rejected,
            )
        });
        self.add(&Claim { kind: "horizontal_scan", src, dst: None, port: Some(SSH) }, exchanges);
    }

    pub(super) fn icmp_sweep(&mut self) {
        let src = self.own_host();
        let wanted = self.draws.between(100, 180);
        let targets = self.targets(src, wanted, 40);
        let length_s = u64::from(self.draws.between(60, 120));
        let start_s = self.place(length_s);
        let exchanges = self.spread(&targets, start_s, length_s, |planner, target, at_s| {
            let exists = planner.network.interface(*target).is_some();
            ping(src, *target, at_s, exists)
        });
        self.add(&Claim { kind: "horizontal_scan", src, dst: None, port: Some(0) }, exchanges);
    }

    pub(super) fn block_scan(&mut self) {
        let src = self.own_host();
        let (ports, hosts) = (self.draws.between(20, 30), self.draws.between(40, 60));
        let ports = self.distinct_ports(ports);
        let targets = self.targets(src, hosts, 60);
        let mut services: Vec<Endpoint> = targets
            .iter()
            .flat_map(|address| {
                ports.iter().map(|port| Endpoint { address: *address, port: *port })
            })
            .collect();
        self.draws.shuffle(&mut services);
        let length_s = u64::from(self.draws.between(240, 290));
        let start_s = self.place(length_s);
        let exchanges = self.spread(&services, start_s, length_s, |planner, service, at_s| {
            let answer = planner.address_answer(service.address);
            planner.probe_from(src, *service, at_s, answer)
        });
        self.add(&Claim { kind: "block_scan", src, dst: None, port: None }, exchanges);
    }

    pub(super) fn slow_scan(&mut self) {
        let (src, dst) = (self.own_host(), self.network.clients[5 % self.network.clients.len()]);
        let length_s = self.duration_s().saturating_sub(300).clamp(SLOW_S_MIN, SLOW_S_MAX);
        let mut ports =
            self.distinct_ports(count(usize::try_from(SLOW_S_MAX / 28).unwrap_or(0) + 1));
        let start_s = self.place(length_s);
        let mut at_s = start_s;
        let mut exchanges = Vec::new();
        while let Some(port) = ports.pop().filter(|_| at_s <= start_s + length_s) {
            let answer = self.host_answer();
            exchanges.push(self.probe_from(src, Endpoint { address: dst, port }, at_s, answer));
            at_s += u64::from(self.draws.between(SLOW_STEP_S_MIN, SLOW_STEP_S_MAX));
        }
        self.add(&Claim { kind: "vertical_scan", src, dst: Some(dst), port: None }, exchanges);
    }

    /// One exchange per item, evenly over the length, each in the second of its turn.
    fn spread<T>(
        &mut self,
        items: &[T],
        start_s: u64,
        length_s: u64,
        mut exchange: impl FnMut(&mut Self, &T, u64) -> Exchange,
    ) -> Vec<Exchange> {
        let items_count = u64::from(count(items.len())).max(1);
        let turns = (0_u64..).zip(items);
        turns
            .map(|(turn, item)| exchange(self, item, start_s + turn * length_s / items_count))
            .collect()
    }

    fn probe_from(&mut self, src: u32, server: Endpoint, at_s: u64, answer: Answer) -> Exchange {
        let client = Endpoint { address: src, port: self.draws.port_between(32_768, 60_999) };
        probe(client, server, at_s, answer)
    }

    /// Well-known ports first, as scanners do, then others; none of them twice, in random order.
    fn distinct_ports(&mut self, wanted: u32) -> Vec<u16> {
        let mut others: Vec<u16> = (1_025..=10_000).collect();
        self.draws.shuffle(&mut others);
        let mut ports: Vec<u16> = (1..=1_024).collect();
        self.draws.shuffle(&mut ports);
        ports.truncate(wanted as usize / 2);
        others.truncate(wanted as usize - ports.len());
        ports.append(&mut others);
        self.draws.shuffle(&mut ports);
        ports
    }

    /// Distinct addresses, at most that share of them of hosts that exist, in random order.
    fn targets(&mut self, src: u32, wanted: u32, existing_percent: u32) -> Vec<u32> {
        let mut targets = self.network.hosts();
        targets.retain(|address| *address != src);
        self.draws.shuffle(&mut targets);
        targets.truncate((wanted * existing_percent / 100) as usize);
        targets.extend(self.network.vacant(wanted as usize - targets.len()));
        self.draws.shuffle(&mut targets);
        targets
    }

    fn outside_source(&self, number: u32) -> u32 {
        let population = 0x0073_6361_6E00 + u64::from(self.scenario.ordinal());
        let mut candidates = (number * 100..).map(|index| outside(population, index));
        candidates.find(|address| aws_service(*address).is_none()).unwrap_or_default()
    }

    fn address_answer(&mut self, address: u32) -> Answer {
        if self.network.interface(address).is_some() {
            self.host_answer()
        } else {
            Answer::Filtered
        }
    }

    fn host_answer(&mut self) -> Answer {
        match self.draws.below(100) {
            0..=2 => Answer::Open,
            3..=9 => Answer::Filtered,
            10..=17 => Answer::Rejected,
            _ => Answer::Closed,
        }
    }
}

fn ping(src: u32, dst: u32, at_s: u64, answered: bool) -> Exchange {
    let half = Half { start_s: at_s, end_s: at_s, bytes: 84, packets: 1, flags: flags::NONE };
    Exchange {
        client: Endpoint { address: src, port: 0 },
        server: Endpoint { address: dst, port: 0 },
        protocol: protocol::ICMP,
        route: Route::Direct,
        rejected: false,
        forward: half,
        backward: answered.then_some(half),
    }
}
