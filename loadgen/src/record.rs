//! A flow record before it is written, and the exchange between two hosts that causes records.

/// TCP flag bits that flow logs report (facts/flow-log-record.md, 4).
pub(crate) mod flags {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const FIN: u8 = 1;
    pub(crate) const SYN: u8 = 2;
    pub(crate) const RST: u8 = 4;
    pub(crate) const SYN_ACK: u8 = 18;
}

/// IANA protocol numbers.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
}

/// `action` and `log-status` together: the last two exclude an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Reject,
    NoData,
    SkipData,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ingress,
    Egress,
}

/// `traffic-path` of an egress record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    None,
    SameVpc,
    GatewayEndpoint,
    InternetGateway,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Endpoint {
    pub(crate) address: u32,
    pub(crate) port: u16,
}

/// What one interface logs about one direction in one aggregation interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) interface: u32,
    pub(crate) source: Endpoint,
    pub(crate) destination: Endpoint,
    pub(crate) packet_source: u32,
    pub(crate) packet_destination: u32,
    pub(crate) protocol: u8,
    pub(crate) half: Half,
    pub(crate) verdict: Verdict,
    pub(crate) direction: Direction,
    pub(crate) path: Path,
}

/// One direction of an exchange: seconds are inclusive and lie in one aggregation interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Half {
    pub(crate) start_s: u64,
    pub(crate) end_s: u64,
    pub(crate) bytes: u64,
    pub(crate) packets: u32,
    pub(crate) flags: u8,
}

/// How packets reach the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Direct,
    /// Through the NAT gateway, which uses this source port towards the internet.
    Nat {
        port: u16,
    },
}

/// What two hosts did in one aggregation interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) protocol: u8,
    pub(crate) route: Route,
    /// The server's interface refuses the client's packets.
    pub(crate) rejected: bool,
    pub(crate) forward: Half,
    pub(crate) backward: Option<Half>,
}

impl Record {
    /// A record of an interface without flows: idle, or skipped by AWS.
    pub(crate) fn silence(interface: u32, verdict: Verdict, start_s: u64, end_s: u64) -> Self {
        Self {
            interface,
            source: Endpoint::default(),
            destination: Endpoint::default(),
            packet_source: 0,
            packet_destination: 0,
            protocol: 0,
            half: Half { start_s, end_s, bytes: 0, packets: 0, flags: flags::NONE },
            verdict,
            direction: Direction::Ingress,
            path: Path::None,
        }
    }

    pub(crate) fn has_flow(&self) -> bool {
        matches!(self.verdict, Verdict::Accept | Verdict::Reject)
    }
}

/// The last second of the aggregation interval that contains `second`.
pub(crate) const fn interval_end_s(second: u64) -> u64 {
    second / INTERVAL_S * INTERVAL_S + INTERVAL_S - 1
}

/// Nitro instances aggregate over at most 60 s, whatever was requested (facts/flow-log-record.md,
/// 1).
pub(crate) const INTERVAL_S: u64 = 60;
