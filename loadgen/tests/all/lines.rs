//! A small reader of recommended-format lines that shares nothing with the generator.

use loadgen::{Generator, LineFormat, Plan, Profile, Scenario};

pub(crate) const START: u64 = 1_767_225_600;

/// One line, as far as the tests look at it. Silent records have no flow.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) interface: String,
    pub(crate) src: String,
    pub(crate) dst: String,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) protocol: u8,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) action: String,
    pub(crate) status: String,
    pub(crate) flags: u8,
    pub(crate) pkt_src: String,
    pub(crate) pkt_dst: String,
    pub(crate) direction: String,
    pub(crate) dst_service: String,
    pub(crate) path: String,
}

pub(crate) fn plan(
    profile: Profile,
    scenarios: &[Scenario],
    rate_per_s: u32,
    duration_s: u32,
) -> Plan {
    Plan {
        profile,
        scenarios: scenarios.to_vec(),
        rate_per_s,
        duration_s,
        seed: 1,
        start_s: START,
        format: LineFormat::recommended(),
    }
}

pub(crate) fn bytes(plan: &Plan) -> Vec<u8> {
    let mut generator = Generator::new(plan).unwrap();
    let mut out = Vec::new();
    while generator.next_chunk(&mut out) {}
    out
}

/// Every line of the plan, through `visit`, without keeping them.
pub(crate) fn visit(plan: &Plan, mut visit: impl FnMut(&Line)) {
    let mut generator = Generator::new(plan).unwrap();
    let mut chunk = Vec::new();
    while generator.next_chunk(&mut chunk) {
        for line in std::str::from_utf8(&chunk).unwrap().lines() {
            visit(&parse(line));
        }
        chunk.clear();
    }
}

pub(crate) fn collect(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    visit(plan, |line| lines.push(line.clone()));
    lines
}

impl Line {
    pub(crate) fn has_flow(&self) -> bool {
        self.status == "OK"
    }

    /// Logged by the interface that sends.
    pub(crate) fn is_egress(&self) -> bool {
        self.direction == "egress"
    }
}

pub(crate) fn is_inside(address: &str) -> bool {
    address.starts_with("10.0.")
}

fn parse(line: &str) -> Line {
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!(fields.len(), 21, "{line}");
    let text = |index: usize| fields[index].to_owned();
    // Only a silent record has dashes here.
    let number = |index: usize| -> u64 {
        if fields[13] == "OK" { fields[index].parse().unwrap() } else { 0 }
    };
    Line {
        interface: text(2),
        src: text(3),
        dst: text(4),
        src_port: number(5).try_into().unwrap(),
        dst_port: number(6).try_into().unwrap(),
        protocol: number(7).try_into().unwrap(),
        packets: number(8),
        bytes: number(9),
        start: fields[10].parse().unwrap(),
        end: fields[11].parse().unwrap(),
        action: text(12),
        status: text(13),
        flags: number(14).try_into().unwrap(),
        pkt_src: text(15),
        pkt_dst: text(16),
        direction: text(17),
        dst_service: text(19),
        path: text(20),
    }
}
