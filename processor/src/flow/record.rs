//! One flow-log record, borrowed from the bytes it stands in.

use super::Address;

/// IANA protocol numbers that the pipeline treats by name.
pub mod protocol {
    /// Internet Control Message Protocol.
    pub const ICMP: u8 = 1;
    /// Transmission Control Protocol.
    pub const TCP: u8 = 6;
    /// User Datagram Protocol.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
}

/// `action`: whether a security group or network ACL let the packets pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// `ACCEPT`.
    Accept,
    /// `REJECT`; also for packets that arrive after their connection was closed.
    Reject,
}

/// `tcp-flags`: the flags of all packets of the interval, OR-ed. VPC logs know FIN, SYN, RST and SYN-ACK only
/// (AWS page "Flow log records", row `tcp-flags`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;

    /// SYN without SYN-ACK: the sender opened the connection.
    #[must_use]
    pub const fn opens(self) -> bool {
        self.0 & Self::SYN != 0 && self.0 & Self::ACK == 0
    }

    /// SYN-ACK: the sender accepted the connection.
    #[must_use]
    pub const fn accepts(self) -> bool {
        self.0 & Self::SYN != 0 && self.0 & Self::ACK != 0
    }

    /// RST and neither SYN nor SYN-ACK: all that was said was a refusal or an abort.
    #[must_use]
    pub const fn only_resets(self) -> bool {
        self.0 & Self::RST != 0 && self.0 & Self::SYN == 0
    }
}

/// The fields of one `OK` record that the pipeline uses; a field that the format does not have, or that reads `-`,
/// is `None`, or zero for counts and ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// `interface-id`, empty when unknown.
    pub interface_id: &'a [u8],
    /// `pkt-srcaddr` when the format has it, else `srcaddr`: who sent the packets.
    pub source: Address,
    /// `pkt-dstaddr` when the format has it, else `dstaddr`: for whom the packets were.
    pub destination: Address,
    /// `srcport`; 0 for protocols without ports.
    pub source_port: u16,
    /// `dstport`; 0 for protocols without ports.
    pub destination_port: u16,
    /// `protocol`, an IANA number.
    pub protocol: u8,
    /// `packets` in this direction and interval.
    pub packets: u64,
    /// `bytes` in this direction and interval.
    pub bytes: u64,
    /// `start`, Unix seconds.
    pub start_s: u64,
    /// `end`, Unix seconds.
    pub end_s: u64,
    /// `action`; transit gateway records have none.
    pub action: Option<Action>,
    /// `tcp-flags`, version 3 and later.
    pub tcp_flags: Option<TcpFlags>,
    /// `pkt-dst-aws-service`, empty when unknown or not an AWS range.
    pub destination_service: &'a [u8],
}

/// What one line of text turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// Traffic: `log-status` is `OK`.
    Flow(Record<'a>),
    /// `NODATA`: the interface was idle. Not traffic.
    Silence,
    /// `SKIPDATA`: AWS lost an unknown number of records of this interface and interval.
    Blind {
        /// `interface-id`, empty when unknown.
        interface_id: &'a [u8],
        /// `start`, Unix seconds.
        start_s: u64,
        /// `end`, Unix seconds.
        end_s: u64,
    },
}
