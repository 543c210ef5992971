//! A record in, an [`Observation`] out: who opened this conversation to whom, on which service, and what became of it.
//!
//! Flow records are one-way: request and reply are separate records with source and destination swapped, and nothing
//! says which is which. The initiator is told, in order of trust, from
//! 1. `tcp-flags`: SYN without ACK comes from the initiator, SYN-ACK from the target (AWS page "Flow log records"), and so
//!    does a bare RST;
//! 2. `REJECT`: packets that were not let in had opened nothing yet, so their sender is the initiator, unless they go
//!    from a service port to a client's port: those are late packets of a closed connection, which AWS logs as REJECT
//!    too, or replies that a network ACL holds back;
//! 3. the ports: the side with the better known port is the service ([`ports`]).
//!
//! Where none of these tells, the conversation counts towards volumes and never towards a scan. `flow-direction` is no
//! evidence here: it says which way packets passed the interface, which holds for requests and replies alike.
//!
//! A reply need not be paired with its request. Services that were *opened* and services that *answered* are two sets,
//! and what failed is their difference ([`sketches::answered::OpenedAnswered`]).

pub mod ports;

use crate::flow::{Action, Address, Record, protocol};

/// What one record says about a service at the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The initiator sent something; an answer, if any, is another record.
    Opened,
    /// The initiator sent something that was rejected on the way.
    Refused,
    /// The target sent nothing but RST. Proves a failed attempt only beside one that was opened: anyone can send resets to
    /// a host that asked for nothing, and decoy scans make honest hosts do so.
    Reset,
    /// The target sent something that a closed port does not send.
    Answered,
    /// Traffic that shows neither who opened it nor whether it succeeded.
    Unclear,
}

/// How far the direction of an observation can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Confidence {
    /// Unknown; the sender is taken for the initiator for the sake of volumes.
    Low,
    /// From the ports.
    Medium,
    /// From TCP flags or a rejection.
    High,
}

impl Confidence {
    /// The word in signals.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One record, oriented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    /// Who opened the conversation.
    pub initiator: Address,
    /// To whom.
    pub target: Address,
    /// The target's port; 0 for protocols without ports.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// What happened.
    pub outcome: Outcome,
    /// Whether the packets of this record went from initiator to target.
    pub is_from_initiator: bool,
    /// How far to trust who is who.
    pub confidence: Confidence,
}

/// Orients a record. A record that is evidence in both roles, since request and reply look alike (ICMP, equal ports),
/// gives two observations: the sender opened, and the sender answered.
#[must_use]
pub fn observe(record: &Record<'_>) -> (Observation, Option<Observation>) {
    if is_symmetric(record) {
        let opened = from_initiator(record, opened_or_refused(record), Confidence::Medium);
        let answered = from_target(record, Outcome::Answered, Confidence::Medium);
        let is_rejected = record.action == Some(Action::Reject);
        return (opened, (!is_rejected).then_some(answered));
    }
    (orient(record), None)
}

fn orient(record: &Record<'_>) -> Observation {
    let reply = || if is_refusing_reply(record) { Outcome::Reset } else { Outcome::Answered };
    if let Some(flags) = record.tcp_flags.filter(|_| record.protocol == protocol::TCP) {
        if flags.opens() {
            return from_initiator(record, opened_or_refused(record), Confidence::High);
        }
        if flags.accepts() {
            return from_target(record, Outcome::Answered, Confidence::High);
        }
        if flags.only_resets() && is_bare(record) {
            return from_target(record, Outcome::Reset, Confidence::High);
        }
    }
    let service = ports::service_side(record.source_port, record.destination_port);
    if record.action == Some(Action::Reject) {
        return match service {
            ports::ServiceSide::Source if ports::is_client(record.destination_port) => {
                from_target(record, Outcome::Answered, Confidence::Medium)
            }
            _ => from_initiator(record, Outcome::Refused, Confidence::High),
        };
    }
    match service {
        ports::ServiceSide::Destination => {
            from_initiator(record, Outcome::Opened, Confidence::Medium)
        }
        ports::ServiceSide::Source => from_target(record, reply(), Confidence::Medium),
        ports::ServiceSide::Unknown => from_initiator(record, Outcome::Unclear, Confidence::Low),
    }
}

fn opened_or_refused(record: &Record<'_>) -> Outcome {
    if record.action == Some(Action::Reject) { Outcome::Refused } else { Outcome::Opened }
}

/// ICMP has no ports, and servers that speak to each other (NTP, IKE) use the same port on both sides.
fn is_symmetric(record: &Record<'_>) -> bool {
    match record.protocol {
        protocol::ICMP | protocol::ICMPV6 => true,
        protocol::UDP => record.source_port == record.destination_port,
        _ => false,
    }
}

/// Whether a reply is nothing but RST. Without `tcp-flags` it is told by size: an RST is a bare header of 40 bytes (60
/// for IPv6), while a SYN-ACK carries at least the MSS option (RFC 9293, 3.7.1).
fn is_refusing_reply(record: &Record<'_>) -> bool {
    if record.protocol != protocol::TCP {
        return false;
    }
    match record.tcp_flags {
        Some(flags) => flags.only_resets() && is_bare(record),
        None => is_bare(record),
    }
}

fn is_bare(record: &Record<'_>) -> bool {
    const PACKETS_MAX: u64 = 3;
    let header_bytes = if record.source.is_v4() { 40 } else { 60 };
    (1..=PACKETS_MAX).contains(&record.packets) && record.bytes <= record.packets * header_bytes
}

fn from_initiator(record: &Record<'_>, outcome: Outcome, confidence: Confidence) -> Observation {
    Observation {
        initiator: record.source,
        target: record.destination,
        port: record.destination_port,
        protocol: record.protocol,
        outcome,
        is_from_initiator: true,
        confidence,
    }
}

fn from_target(record: &Record<'_>, outcome: Outcome, confidence: Confidence) -> Observation {
    Observation {
        initiator: record.destination,
        target: record.source,
        port: record.source_port,
        protocol: record.protocol,
        outcome,
        is_from_initiator: false,
        confidence,
    }
}

#[cfg(test)]
mod tests;
